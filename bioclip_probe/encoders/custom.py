"""Networks of the user's own: `custom:FILE.py:FACTORY`.

`FACTORY()` (a function or a class in FILE.py) returns an object with

* ``dimension``: the length d of its vectors;
* ``preprocess(image)``: from one RGB `PIL.Image` to a tensor or array (runs in several threads);
* ``encode(batch)``: from a (b, ...) tensor of them to (b, d);

and, as options,

* ``name``: its name in tables and figures (else the name of the factory);
* ``weights``: the paths of its weights files, whose hashes then enter the record;
* ``encode_text(texts)``: from a list of n strings to (n, d);
* ``logit_scale``: the factor of cosines of pictures and texts before the softmax (else 100, as CLIP's);
* ``geometry``: how its vectors are compared, ``cosine``, ``euclidean`` or ``lorentz``, see `stats.geometry` (texts are
  compared with pictures by their cosine only, so an encoder of another geometry has no text side here);
* ``to(device=..., dtype=...)``, as every `torch.nn.Module` has: it then runs on the device and in the precision that
  the user asks for, and gets its batches there. Without it, it runs in float32 on the CPU.

Smallest example::

    class Brightness:
        dimension = 1

        def preprocess(self, image):
            return torch.from_numpy(numpy.array(image.convert("L"), dtype="float32")).mean()

        def encode(self, batch):
            return batch[:, None]

The hash of FILE.py is part of the fingerprint: after an edit, pictures are embedded again. The files that FILE.py
imports are not part of it.
"""

from __future__ import annotations

import importlib.util
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from bioclip_probe.encoders.encoder import check_geometry, package_versions
from bioclip_probe.encoders.ids import split_custom_id
from bioclip_probe.encoders.network import Network, activation_names
from bioclip_probe.encoders.precision import check_precision, dtype_of
from bioclip_probe.encoders.recipe import Recipe
from bioclip_probe.encoders.trial import tried
from bioclip_probe.encoders.weights import sha256_of_weights, sha256_of_weights_files
from bioclip_probe.errors import ModelError, ProbeError, one_line
from bioclip_probe.torch_device import resolve_device

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

_NEEDED = ("dimension", "preprocess", "encode")


def load(recipe: Recipe) -> Network:
    """Build the network that a factory in a Python file makes, and try it on one grey picture.

    Parameters
    ----------
    recipe : Recipe
        Its id is ``custom:FILE.py:FACTORY``. Its name replaces the network's own. At precision ``auto`` the network
        runs in float32, because not every code can run in less.

    Returns
    -------
    Network

    Raises
    ------
    ModelError
        If the file cannot be imported, the factory fails, or the object that it returns does not work as an encoder.

    Examples
    --------
    >>> load(Recipe(load, None, "custom:no_such_file.py:Net"))
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.ModelError: there is no file no_such_file.py; expected custom:FILE.py:FACTORY
    """
    file, factory = split_custom_id(recipe.id)
    model = _make_model(file, factory)
    name = recipe.name or str(getattr(model, "name", factory))
    precision = "fp32" if recipe.precision == "auto" else recipe.precision
    device = _move_to_device(model, name, recipe.device, precision)
    digest, files = sha256_of_weights_files([Path(path) for path in _paths(getattr(model, "weights", ()))])
    source_digest = sha256_of_weights(file)
    geometry = check_geometry(str(getattr(model, "geometry", "cosine")))
    has_text = callable(getattr(model, "encode_text", None))
    if has_text and geometry != "cosine":
        log.warning("%s: its encode_text is not used: texts are compared by their cosine, pictures %s", name, geometry)
        has_text = False
    record = {
        "name": name,
        "id": f"custom:{file.name}:{factory}",
        "family": "custom",
        "control": False,
        "architecture": {"file": file.name, "sha256": source_digest, "factory": factory},
        "revision": "",
        "sha256": digest,
        "files": {file.name: source_digest, **files},
        "preprocessing": {"defined by": file.name},
        "activation": activation_names(model) if hasattr(model, "modules") else "",
        "precision": precision,
        "device": device,
        "dimension": _dimension(model, name),
        "text": has_text,
        "geometry": geometry,
        "versions": package_versions("torch"),
    }

    def forward(batch: torch.Tensor) -> Any:
        return _call(name, "encode", model.encode, batch)

    def forward_text(texts: list[str]) -> Any:
        return _call(name, "encode_text", model.encode_text, texts)

    encoder = Network(
        recipe.resolved(record),
        record,
        model.preprocess,
        forward,
        forward_text if has_text else None,
        logit_scale=_logit_scale(model, name) if has_text else None,
    )
    return tried(encoder)


def _make_model(file: Path, factory: str) -> Any:
    """Call the factory, and check that its result has what an encoder needs."""
    module = _import_file(file)
    make = getattr(module, factory, None)
    if not callable(make):
        own_names = [
            key
            for key, value in vars(module).items()
            if callable(value) and getattr(value, "__module__", "") == module.__name__
        ]
        raise ModelError(f"{file} has no function or class '{factory}'; it has: {', '.join(own_names) or 'none'}")
    model = _call(f"custom:{file}", factory, make)
    lacking = [attribute for attribute in _NEEDED if not hasattr(model, attribute)]
    if lacking:
        raise ModelError(
            f"the object that {factory}() of {file} returned (a {type(model).__name__}) has no "
            f"{' and no '.join(lacking)}; expected an object with dimension, preprocess(image) and encode(batch)"
        )
    if callable(getattr(model, "eval", None)):
        model.eval()
    return model


def _import_file(file: Path) -> ModuleType:
    if not file.is_file():
        raise ModelError(f"there is no file {file}; expected custom:FILE.py:FACTORY")
    name = f"bioclip_probe_custom_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ModelError(f"{file} is not a Python file; expected custom:FILE.py:FACTORY")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickles of the file look up its module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise ModelError(f"{file} cannot be imported: {one_line(error, 240, with_type=True)}") from error
    return module


def _move_to_device(model: Any, name: str, device: str, precision: str) -> str:
    """Move the model if it can be moved, and return the device on which it runs."""
    if callable(getattr(model, "to", None)):
        device = resolve_device(device)
        _call(name, "to", model.to, device=device, dtype=dtype_of(check_precision(precision, device)))
        return device
    if precision != "fp32":
        raise ModelError(f"{name} has no method to(device=..., dtype=...), so it runs at fp32 only, not {precision}")
    return "cpu"


def _dimension(model: Any, name: str) -> int:
    try:
        dimension = int(model.dimension)
    except (TypeError, ValueError):
        dimension = 0
    if dimension < 1:
        raise ModelError(f"{name}: its dimension is {model.dimension!r}; expected the length of its vectors")
    return dimension


def _logit_scale(model: Any, name: str) -> float | None:
    given = getattr(model, "logit_scale", None)
    try:
        scale = None if given is None else float(given)
    except (TypeError, ValueError):
        scale = 0.0
    if scale is not None and not 0 < scale < float("inf"):
        raise ModelError(f"{name}: its logit_scale is {given!r}; expected a positive number, such as CLIP's 100")
    return scale


def _paths(weights: Any) -> list[str | Path]:
    return [weights] if isinstance(weights, str | Path) else list(weights)


def _call(name: str, step: str, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Call a function of the user; an error names the encoder and the step."""
    try:
        return function(*arguments, **options)
    except ProbeError:
        raise
    except Exception as error:
        raise ModelError(f"{name}: {step} failed: {one_line(error, 240, with_type=True)}") from error
