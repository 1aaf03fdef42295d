"""Networks given from Python: a torch module with the transform that prepares pictures for it.

::

    encoder = encoders.from_module(network, transform, "mine")
    bp.extract(dataset, [encoder], store)                    # as any other encoder
    study.run(study.Plan("table:birds.csv", models=("module:mine", "bioclip")), …)

The network is copied: the one that was given stays as it is, and later changes of it do not reach the encoder. It lives
in this process; other processes cannot build it.
"""

from __future__ import annotations

import copy
import inspect
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from bioclip_probe.encoders.encoder import check_geometry, package_versions
from bioclip_probe.encoders.network import Network, activation_names
from bioclip_probe.encoders.pixels import split_transform
from bioclip_probe.encoders.precision import check_precision, move_to_device
from bioclip_probe.encoders.recipe import CACHE, Recipe
from bioclip_probe.encoders.trial import tried, vector_length
from bioclip_probe.encoders.weights import sha256_of_parameters
from bioclip_probe.errors import ModelError
from bioclip_probe.files import sha256_of_json
from bioclip_probe.torch_device import resolve_device

if TYPE_CHECKING:
    import torch
    from PIL import Image


class _Given(NamedTuple):
    module: torch.nn.Module
    transform: Callable[[Image.Image], Any]
    geometry: str
    digest: str


_GIVEN: dict[str, _Given] = {}


def from_module(
    module: torch.nn.Module,
    transform: Callable[[Image.Image], Any],
    name: str,
    device: str = "cpu",
    precision: str = "auto",
    geometry: str = "cosine",
) -> Network:
    """Return the encoder of a torch module, which is then known as ``module:NAME`` in this process.

    Parameters
    ----------
    module : torch.nn.Module
        From a (b, 3, height, width) tensor to (b, d) vectors.
    transform : callable
        From one RGB `PIL.Image` to a (3, height, width) tensor or array. Several threads may call it at once.
    name : str
        Letters, digits and ``._+-``.
    device : str
        ``cpu``, ``cuda``, ``cuda:N`` or ``auto``.
    precision : str
        ``fp32``, which ``auto`` stands for, ``bf16`` or ``fp16``.
    geometry : str
        How its vectors are compared: ``cosine``, ``euclidean`` or ``lorentz``, see `stats.geometry`.

    Returns
    -------
    Network

    Raises
    ------
    ModelError
        If the module or the transform does not work, or the name or the geometry is none.

    Notes
    -----
    The fingerprint covers the weights, the layers and the code of the module's class, and the transform as it describes
    itself. Give another name where something else changes the vectors.

    Examples
    --------
    >>> import torch
    >>> from torchvision import transforms
    >>> steps = transforms.Compose([transforms.Resize((4, 4)), transforms.ToTensor()])
    >>> from_module(torch.nn.Flatten(), steps, "tiny-pixels").dimension
    48
    """
    if not isinstance(name, str) or not re.fullmatch(r"[\w.+-]+", name):
        raise ModelError(f"'{name}' is not a name for an encoder; expected letters, digits and . _ + -")
    check_geometry(geometry)
    if isinstance(module, type):
        raise ModelError(f"{module.__name__} is a class; expected a network that is made of it: {module.__name__}(…)")
    if not callable(getattr(module, "state_dict", None)) or not callable(module):
        raise ModelError(f"a {type(module).__name__} is not a torch module; expected one, or custom:FILE.py:FACTORY")
    if not callable(transform):
        raise ModelError(f"the transform is a {type(transform).__name__}; expected a function of one picture")
    own = copy.deepcopy(module).eval()
    given = _Given(own, transform, geometry, _digest(own, transform))
    if name in _GIVEN and _GIVEN[name].digest != given.digest:
        CACHE.clear()  # what it holds under this name is another network
    _GIVEN[name] = given
    encoder = Recipe(load, name, f"module:{name}", device, precision).load()
    assert isinstance(encoder, Network)
    return encoder


def load(recipe: Recipe) -> Network:
    """Build the encoder of a module that `from_module` was given.

    Parameters
    ----------
    recipe : Recipe
        Its id is ``module:NAME``.

    Returns
    -------
    Network

    Raises
    ------
    ModelError
        If this process was given no such module, or it does not work.

    Examples
    --------
    >>> load(Recipe(load, "lost", "module:lost"))
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.ModelError: this process has no module 'lost'; give it to encoders.from_module first, ...
    """
    name = recipe.id.removeprefix("module:")
    given = _GIVEN.get(name)
    if given is None:
        raise ModelError(
            f"this process has no module '{name}'; give it to encoders.from_module first, and embed in this process "
            "(engine local), or write it to a file as custom:FILE.py:FACTORY"
        )
    device = resolve_device(recipe.device)
    precision = check_precision("fp32" if recipe.precision == "auto" else recipe.precision, device)
    record: dict[str, Any] = {
        "name": recipe.name,
        "id": recipe.id,
        "family": "module",
        "control": False,
        "architecture": {"class": type(given.module).__name__, "sha256": given.digest},
        "revision": "",
        "sha256": sha256_of_parameters(given.module),
        "files": {},
        "preprocessing": {"transform": _description(given.transform)},
        "activation": activation_names(given.module),
        "precision": precision,
        "device": device,
        "dimension": 0,
        "text": False,
        "geometry": given.geometry,
        "versions": package_versions("torch"),
    }
    module = move_to_device(copy.deepcopy(given.module), device, precision)
    split = split_transform(given.transform, device)
    encoder = Network(recipe.resolved(record), record, given.transform, module, split=split)
    record["dimension"] = vector_length(encoder)
    return tried(encoder)


def _digest(module: Any, transform: Any) -> str:
    """Return a digest of the weights, layers and code of a module, and of a transform."""
    try:
        code = inspect.getsource(type(module))
    except (OSError, TypeError):  # it was typed into a shell
        code = type(module).__qualname__
    return sha256_of_json([sha256_of_parameters(module), repr(module), code, _description(transform)])


def _description(transform: Any) -> str:
    """Return how a transform describes itself, without addresses in memory; of a function, its code too."""
    text = re.sub(r" at 0x[0-9a-f]+", "", repr(transform))
    code = getattr(transform, "__code__", None)
    return (
        text
        if code is None
        else f"{text} {sha256_of_json([code.co_code.hex(), repr(code.co_consts), code.co_names])[:12]}"
    )
