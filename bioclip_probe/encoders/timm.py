"""Models of timm, which embed pictures only: DINOv2, DINOv3 and a thousand others."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bioclip_probe.encoders.encoder import package_versions
from bioclip_probe.encoders.ids import model_folder, public_id
from bioclip_probe.encoders.network import Network, activation_names, move_to_device
from bioclip_probe.encoders.pixels import split_transform
from bioclip_probe.encoders.precision import check_precision, resolve_precision
from bioclip_probe.encoders.recipe import Recipe
from bioclip_probe.encoders.weights import (
    OPEN_CLIP_CONFIG,
    TIMM_CONFIG,
    TIMM_FILES,
    hub_weights,
    refuse_pickled_code,
    sha256_of_weights,
    weights_file,
)
from bioclip_probe.errors import ModelError, one_line, some
from bioclip_probe.executors import resolve_device


@dataclass(frozen=True)
class Source:
    """The architecture and the weights of one model.

    Attributes
    ----------
    architecture : str
        As timm takes it: one of its names, or ``local-dir:FOLDER``.
    weights : Path
    revision : str
        The commit on the hub; empty for a folder.

    Examples
    --------
    >>> Source("vit_small_patch16_224", Path("model.safetensors")).revision
    ''
    """

    architecture: str
    weights: Path
    revision: str = ""


def is_timm_folder(folder: Path) -> bool:
    """Return whether a model folder is in timm's layout.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    bool
        True if its config.json names an architecture and it has no configuration of open_clip. The hub's copies of
        CLIP have both files; they count as CLIP.

    Examples
    --------
    >>> is_timm_folder(Path("no/such/folder"))
    False
    """
    if (folder / OPEN_CLIP_CONFIG).is_file():
        return False
    try:
        return "architecture" in json.loads((folder / TIMM_CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False


def source_from_name(timm_name: str, revision: str | None = None) -> Source:
    """Return the source of a model for which timm has pretrained weights.

    Parameters
    ----------
    timm_name : str
    revision : str, optional
        Commit, tag or branch on the hub.

    Returns
    -------
    Source

    Raises
    ------
    ModelError
        If timm has no such model, or the hub cannot be reached.

    Examples
    --------
    >>> source_from_name("resnet5")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.ModelError: timm has no pretrained model 'resnet5'; nearest: ...
    """
    import timm

    try:
        pretrained = timm.models.get_pretrained_cfg(timm_name)
    except Exception:  # timm raises errors of several kinds for a name that it does not know
        pretrained = None
    if pretrained is None or not pretrained.hf_hub_id:
        from difflib import get_close_matches

        near = get_close_matches(timm_name, timm.list_models(pretrained=True), n=5, cutoff=0.4)
        raise ModelError(f"timm has no pretrained model '{timm_name}'; nearest: {some(near) or 'none'}")
    names = (pretrained.hf_hub_filename,) if pretrained.hf_hub_filename else TIMM_FILES
    return Source(timm_name, *hub_weights(pretrained.hf_hub_id, revision, names))


def source_from_folder(folder: Path) -> Source:
    """Return the source of a model folder in timm's layout.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    Source

    Raises
    ------
    ModelError
        If it holds no weights file.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     (Path(folder) / "model.safetensors").touch()
    ...     source_from_folder(Path(folder)).weights.name
    'model.safetensors'
    """
    return Source(f"local-dir:{folder}", weights_file(folder, TIMM_FILES))


def load(recipe: Recipe) -> Network:
    """Build the model of timm that a recipe names; its vectors are the pooled features before the classifier.

    Parameters
    ----------
    recipe : Recipe
        Its id is ``timm:NAME[@REVISION]`` or ``local-dir:PATH``.

    Returns
    -------
    Network

    Raises
    ------
    ModelError
        If the model is unknown, its weights cannot be had, or they do not fit.

    Examples
    --------
    >>> load(Recipe(load, "mine", "timm:resnet5"))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.ModelError: timm has no pretrained model 'resnet5'; nearest: ...
    """
    if recipe.id.startswith("timm:"):
        timm_name, _, revision = recipe.id.removeprefix("timm:").partition("@")
        source = source_from_name(timm_name, recipe.revision or revision or None)
    else:
        source = source_from_folder(model_folder(recipe.id))
    return _build_encoder(recipe, source)


def _build_encoder(recipe: Recipe, source: Source) -> Network:
    from timm.data import create_transform, resolve_model_data_config

    device = resolve_device(recipe.device)
    precision = check_precision(recipe.precision, device)
    model = _build_network(source)
    precision = resolve_precision(precision, device, model)
    preprocessing: dict[str, Any] = resolve_model_data_config(model)
    digest = sha256_of_weights(source.weights)
    record = {
        "name": recipe.name,
        "id": public_id(recipe.id),
        "family": "timm",
        "control": False,
        "architecture": model.pretrained_cfg["architecture"],
        "revision": source.revision,
        "sha256": digest,
        "files": {source.weights.name: digest},
        "preprocessing": json.loads(json.dumps(preprocessing)),
        "activation": activation_names(model),
        "precision": precision,
        "device": device,
        "dimension": int(getattr(model, "head_hidden_size", None) or model.num_features),
        "text": False,
        "versions": package_versions("torch", "torchvision", "timm"),
    }
    model = move_to_device(model, device, precision)
    transform = create_transform(**preprocessing, is_training=False)
    return Network(recipe.resolved(record), record, transform, model, split=split_transform(transform, device))


def _build_network(source: Source) -> Any:
    """Return the network without its classifier, in evaluation mode, float32, on the CPU."""
    import timm

    refuse_pickled_code(source.weights)
    overlay = {"file": str(source.weights), "source": "timm"}  # timm takes this file and downloads nothing
    try:
        model = timm.create_model(source.architecture, pretrained=True, num_classes=0, pretrained_cfg_overlay=overlay)
    except Exception as error:  # timm, torch and safetensors each raise their own
        message = one_line(error, 240, with_type=True)
        raise ModelError(f"cannot be built from {source.weights}: {message}") from error
    return model.eval()
