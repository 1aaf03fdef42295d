"""Models of torchvision that classify pictures: their vectors before the last layer, which scores the classes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from bioclip_probe.encoders.encoder import package_versions
from bioclip_probe.encoders.hub import NotDownloadedError, may_download
from bioclip_probe.encoders.network import Network, activation_names
from bioclip_probe.encoders.pixels import split_transform
from bioclip_probe.encoders.precision import check_precision, move_to_device, resolve_precision
from bioclip_probe.encoders.recipe import Recipe
from bioclip_probe.encoders.trial import tried
from bioclip_probe.encoders.weights import refuse_pickled_code, sha256_of_weights
from bioclip_probe.errors import ModelError, one_line, some
from bioclip_probe.torch_device import resolve_device


class NotFetchedError(NotDownloadedError):
    """The weights of a model of torchvision are not on this machine, and `without_downloads` forbids to download them.

    Parameters
    ----------
    url : str
    size : int
        Of the download, in bytes.

    Examples
    --------
    >>> NotFetchedError("https://example.org/resnet18.pth", 47_000_000).n_bytes()
    47000000
    """

    def __init__(self, url: str, size: int) -> None:
        super().__init__(url, None, ())
        self._size = size

    def n_bytes(self, timeout: float = 0.0) -> int:
        """Return the size of the download, which torchvision knows.

        Parameters
        ----------
        timeout : float
            Not used: nobody is asked.
        """
        return self._size


def weights_of(name: str, weights: str = "") -> Any:
    """Return torchvision's description of the weights of a model.

    Parameters
    ----------
    name : str
        One of torchvision's models that classify pictures.
    weights : str
        A name of weights, such as ``IMAGENET1K_V1``; empty for torchvision's default.

    Returns
    -------
    torchvision.models.WeightsEnum

    Raises
    ------
    ModelError
        If there is no such model, or it has no such weights.

    Examples
    --------
    >>> weights_of("resnet50").name, weights_of("resnet50", "IMAGENET1K_V1").name
    ('IMAGENET1K_V2', 'IMAGENET1K_V1')
    >>> weights_of("resnet5")
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.ModelError: torchvision has no model 'resnet5'; nearest: resnet50, ...
    """
    from torchvision import models

    names = models.list_models(module=models)
    if name not in names:
        from difflib import get_close_matches

        near = get_close_matches(name, names, n=5, cutoff=0.4)
        raise ModelError(f"torchvision has no model '{name}'; nearest: {some(near) or 'none'}")
    known = models.get_model_weights(name)
    if not weights:
        return known.DEFAULT
    if weights not in known.__members__:
        raise ModelError(f"torchvision has no weights '{weights}' of {name}; expected {some(known.__members__, 9)}")
    return known[weights]


def load(recipe: Recipe) -> Network:
    """Build the model of torchvision that a recipe names, without its last layer.

    Parameters
    ----------
    recipe : Recipe
        Its id is ``torchvision:NAME[.WEIGHTS]``.

    Returns
    -------
    Network

    Raises
    ------
    ModelError
        If the model or its weights are unknown, or cannot be had.

    Examples
    --------
    >>> load(Recipe(load, "mine", "torchvision:resnet5"))
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.ModelError: torchvision has no model 'resnet5'; nearest: resnet50, ...
    """
    name, _, wanted = recipe.id.removeprefix("torchvision:").partition(".")
    weights = weights_of(name, wanted)
    device = resolve_device(recipe.device)
    precision = check_precision(recipe.precision, device)
    path = _weights_file(weights)
    model, dimension = _without_last_layer(_build_network(name, weights, path), len(weights.meta["categories"]))
    precision = resolve_precision(precision, device, model)
    settings = vars(weights.transforms())
    preprocessing = {key: settings[key] for key in ("resize_size", "crop_size", "mean", "std")}
    digest = sha256_of_weights(path)
    record = {
        "name": recipe.name,
        "id": f"torchvision:{name}.{weights.name}",
        "family": "torchvision",
        "control": False,
        "architecture": name,
        "revision": "",
        "sha256": digest,
        "files": {path.name: digest},
        "preprocessing": json.loads(json.dumps(preprocessing | {"interpolation": settings["interpolation"].value})),
        "activation": activation_names(model),
        "precision": precision,
        "device": device,
        "dimension": dimension,
        "text": False,
        "versions": package_versions("torch", "torchvision"),
    }
    transform = _transform(settings)
    model = move_to_device(model, device, precision)
    return tried(Network(recipe.resolved(record), record, transform, model, split=split_transform(transform, device)))


def _transform(settings: dict[str, Any]) -> Any:
    """Return the steps of torchvision's own transform one by one, so that their first part can stay bytes."""
    from torchvision import transforms

    return transforms.Compose(
        [
            transforms.Resize(settings["resize_size"], settings["interpolation"], antialias=settings["antialias"]),
            transforms.CenterCrop(settings["crop_size"]),
            transforms.ToTensor(),
            transforms.Normalize(settings["mean"], settings["std"]),
        ]
    )


def _weights_file(weights: Any) -> Path:
    """Return the file of weights in the folder of torch.hub, downloaded if it is not there."""
    import torch

    folder = Path(torch.hub.get_dir()) / "checkpoints"
    path = folder / weights.url.rpartition("/")[2]
    if not path.is_file():
        if not may_download():
            raise NotFetchedError(weights.url, int(weights.meta["_file_size"] * 2**20))
        try:
            folder.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(weights.url, str(path), hash_prefix=_hash_in_name(path), progress=False)
        except Exception as error:  # no network, no space, a proxy that answers with a page
            why = one_line(error, 120, with_type=True)
            raise ModelError(f"{weights.url} cannot be downloaded ({why}); copy the file to {folder}") from error
    digest = sha256_of_weights(path)
    if not digest.startswith(_hash_in_name(path)):
        raise ModelError(f"{path} is damaged: its sha256 begins with {digest[:8]}, its name says {_hash_in_name(path)}")
    refuse_pickled_code(path)
    return path


def _hash_in_name(path: Path) -> str:
    """Return the first digits of the sha256 of a file of torchvision, which are part of its name."""
    match = re.search(r"-([0-9a-f]{8,})\.pth$", path.name)
    return match[1] if match else ""


def _build_network(name: str, weights: Any, path: Path) -> Any:
    """Return the network in evaluation mode, float32, on the CPU."""
    from torchvision import models

    try:
        return models.get_model(name, weights=weights, progress=False).eval()
    except Exception as error:  # torch's own
        raise ModelError(f"cannot be built from {path}: {one_line(error, 240, with_type=True)}") from error


def _without_last_layer(model: Any, n_classes: int) -> tuple[Any, int]:
    """Return a network without the layer that scores the classes, and the length of the vectors that enter it."""
    import torch

    scorers = [
        name
        for name, layer in model.named_modules()
        if n_classes in (getattr(layer, "out_features", None), getattr(layer, "out_channels", None))
    ]
    parent, _, own_name = scorers[-1].rpartition(".")
    layer = model.get_submodule(scorers[-1])
    setattr(model.get_submodule(parent), own_name, torch.nn.Identity())
    return model, int(getattr(layer, "in_features", None) or layer.in_channels)
