"""Anyone's own network: `custom:FILE.py:FACTORY`.

`FACTORY()` (a function or a class in FILE.py) returns an object with

* ``dimension``: the length d of its vectors;
* ``preprocess(image)``: one RGB `PIL.Image` to a tensor or array (runs in several threads);
* ``encode(batch)``: a (b, ...) tensor of them to (b, d);

and, if it likes,

* ``name``: how tables and figures call it (else the factory's name);
* ``weights``: the paths of its weights files, whose hashes then enter the record;
* ``encode_text(texts)``: a list of n strings to (n, d);
* ``logit_scale``: what cosines of pictures and texts are multiplied by before the softmax (else 100, CLIP's);
* ``to(device=..., dtype=...)``, as every `torch.nn.Module` has: it then runs where and how precisely it is told, and
  gets its batches there. Without it, it runs in float32 on the CPU.

Smallest example::

    class Brightness:
        dimension = 1

        def preprocess(self, image):
            return torch.from_numpy(numpy.array(image.convert("L"), dtype="float32")).mean()

        def encode(self, batch):
            return batch[:, None]

The hash of FILE.py is part of the fingerprint: an edit makes new embeddings. What FILE.py imports is not.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from bioclip_probe.encoders.encoder import (
    Network,
    chosen_device,
    dtype_of,
    finite,
    possible,
    stacked,
    versions,
)
from bioclip_probe.encoders.open_clip import activation
from bioclip_probe.encoders.recipe import Recipe
from bioclip_probe.encoders.weights import sha256, sha256_of_files
from bioclip_probe.errors import ModelError, ProbeError, one_line

if TYPE_CHECKING:
    import torch

NEEDED = ("dimension", "preprocess", "encode")


def network(recipe: Recipe, file: Path, factory: str) -> Network:
    """The encoder that `factory` in `file` makes, tried on one grey picture; the recipe's name goes before its own."""
    made = _made(file, factory)
    name = recipe.name or str(getattr(made, "name", factory))
    precision = "fp32" if recipe.precision == "auto" else recipe.precision  # not every code can run in less
    device = _placed(made, name, recipe.device, precision)
    digest, files = sha256_of_files([Path(path) for path in _paths(getattr(made, "weights", ()))])
    source = sha256(file)
    has_text = callable(getattr(made, "encode_text", None))
    record = {
        "name": name,
        "id": f"custom:{file.name}:{factory}",
        "family": "custom",
        "architecture": {"file": file.name, "sha256": source, "factory": factory},
        "revision": "",
        "sha256": digest,
        "files": {file.name: source, **files},
        "preprocessing": {"defined by": file.name},
        "activation": activation(made) if hasattr(made, "modules") else "",
        "precision": precision,
        "device": device,
        "dimension": _dimension(made, name),
        "text": has_text,
        "versions": versions("torch"),
    }

    def forward(batch: torch.Tensor) -> Any:
        return _called(name, "encode", made.encode, batch)

    def text(texts: list[str]) -> Any:
        return _called(name, "encode_text", made.encode_text, texts)

    encoder = Network(
        recipe.settled(record),
        record,
        made.preprocess,
        forward,
        text if has_text else None,
        logit_scale=_logit_scale(made, name) if has_text else None,
    )
    _tried(encoder)
    return encoder


def _made(file: Path, factory: str) -> Any:
    module = _module(file)
    make = getattr(module, factory, None)
    if not callable(make):
        own = [
            key
            for key, value in vars(module).items()
            if callable(value) and getattr(value, "__module__", "") == module.__name__
        ]
        raise ModelError(f"{file} has no function or class '{factory}'; it has: {', '.join(own) or 'none'}")
    made = _called(f"custom:{file}", factory, make)
    lacking = [attribute for attribute in NEEDED if not hasattr(made, attribute)]
    if lacking:
        raise ModelError(
            f"what {factory}() of {file} returned (a {type(made).__name__}) has no {' and no '.join(lacking)}; "
            "expected an object with dimension, preprocess(image) and encode(batch)"
        )
    if callable(getattr(made, "eval", None)):
        made.eval()
    return made


def _module(file: Path) -> ModuleType:
    if not file.is_file():
        raise ModelError(f"there is no file {file}; expected custom:FILE.py:FACTORY")
    name = f"bioclip_probe_custom_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ModelError(f"{file} is no Python file; expected custom:FILE.py:FACTORY")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickles of the file look their module up
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise ModelError(f"{file} cannot be imported: {one_line(error, with_type=True)}") from error
    return module


def _placed(made: Any, name: str, device: str, precision: str) -> str:
    if callable(getattr(made, "to", None)):
        device = chosen_device(device)
        _called(name, "to", made.to, device=device, dtype=dtype_of(possible(precision, device)))
        return device
    if precision != "fp32":
        raise ModelError(f"{name} has no method to(device=..., dtype=...), so it runs at fp32 only, not {precision}")
    return "cpu"


def _dimension(made: Any, name: str) -> int:
    try:
        dimension = int(made.dimension)
    except (TypeError, ValueError):
        dimension = 0
    if dimension < 1:
        raise ModelError(f"{name}: its dimension is {made.dimension!r}; expected the length of its vectors")
    return dimension


def _logit_scale(made: Any, name: str) -> float | None:
    given = getattr(made, "logit_scale", None)
    try:
        scale = None if given is None else float(given)
    except (TypeError, ValueError):
        scale = 0.0
    if scale is not None and not 0 < scale < float("inf"):
        raise ModelError(f"{name}: its logit_scale is {given!r}; expected a positive number, such as CLIP's 100")
    return scale


def _paths(weights: Any) -> list[str | Path]:
    return [weights] if isinstance(weights, str | Path) else list(weights)


def _called(name: str, what: str, function: Any, *arguments: Any, **options: Any) -> Any:
    try:
        return function(*arguments, **options)
    except ProbeError:
        raise
    except Exception as error:  # the code is not ours: say whose it is
        raise ModelError(f"{name}: {what} failed: {one_line(error, with_type=True)}") from error


def _tried(encoder: Network) -> None:
    """One grey picture through the whole encoder, so that mistakes are told before the work begins."""
    from PIL import Image

    grey = _called(encoder.name, "preprocess", encoder.preprocess, Image.new("RGB", (64, 48), (127, 127, 127)))
    _called(encoder.name, "preprocess (its result is neither tensor nor array)", stacked, [grey])
    finite(encoder.encode([grey]), encoder.name, "plain grey pictures")
