"""Models of the timm family, which embed pictures only: DINOv2, DINOv3 and a thousand others."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bioclip_probe.encoders import open_clip
from bioclip_probe.encoders.encoder import (
    Network,
    chosen_device,
    chosen_precision,
    placed,
    possible,
    versions,
)
from bioclip_probe.encoders.recipe import Recipe, public
from bioclip_probe.encoders.weights import TIMM_FILES, hub_weights, refuse_pickled_code, sha256, weights_file
from bioclip_probe.errors import ModelError, one_line, some

if TYPE_CHECKING:
    import torch

CONFIG = "config.json"


def is_folder(folder: Path) -> bool:
    """Whether a model folder is timm's: a config.json that names an architecture, and none of open_clip's."""
    if (folder / open_clip.CONFIG).is_file():  # the hub's copies of CLIP have both; it is CLIP that is meant
        return False
    try:
        return "architecture" in json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False


@dataclass(frozen=True)
class Source:
    """What one model is made from."""

    architecture: str  # as timm takes it: a name of its own, or local-dir:FOLDER
    weights: Path
    revision: str = ""


def from_name(timm_name: str, revision: str | None) -> Source:
    """A model timm has pretrained weights for."""
    import timm

    try:
        pretrained = timm.models.get_pretrained_cfg(timm_name)
    except Exception:  # unknown to timm: told below
        pretrained = None
    if pretrained is None or not pretrained.hf_hub_id:
        from difflib import get_close_matches

        near = get_close_matches(timm_name, timm.list_models(pretrained=True), n=5, cutoff=0.4)
        raise ModelError(f"timm has no pretrained model '{timm_name}'; nearest: {some(near) or 'none'}")
    names = (pretrained.hf_hub_filename,) if pretrained.hf_hub_filename else TIMM_FILES
    return Source(timm_name, *hub_weights(pretrained.hf_hub_id, revision, names))


def from_folder(folder: Path) -> Source:
    """A model folder in timm's layout."""
    return Source(f"local-dir:{folder}", weights_file(folder, TIMM_FILES))


def network(recipe: Recipe, source: Source) -> Network:
    """The encoder of `recipe` made from `source`; its vectors are what it pools before its classifier."""
    from timm.data import create_transform, resolve_model_data_config

    device = chosen_device(recipe.device)
    precision = possible(recipe.precision, device)
    model = _built(source)
    precision = chosen_precision(precision, device, model)
    preprocessing: dict[str, Any] = resolve_model_data_config(model)
    digest = sha256(source.weights)
    record = {
        "name": recipe.name,
        "id": public(recipe.id),
        "family": "timm",
        "architecture": model.pretrained_cfg["architecture"],
        "revision": source.revision,
        "sha256": digest,
        "files": {source.weights.name: digest},
        "preprocessing": json.loads(json.dumps(preprocessing)),
        "activation": open_clip.activation(model),
        "precision": precision,
        "device": device,
        "dimension": int(getattr(model, "head_hidden_size", None) or model.num_features),
        "text": False,
        "versions": versions("torch", "torchvision", "timm"),
    }
    model = placed(model, device, precision)
    transform = create_transform(**preprocessing, is_training=False)
    return Network(recipe.settled(record), record, transform, model)


def _built(source: Source) -> torch.nn.Module:
    """The network without its classifier, in evaluation mode, float32, on the CPU."""
    import timm

    refuse_pickled_code(source.weights)
    overlay = {"file": str(source.weights), "source": "timm"}  # so that timm takes this file and downloads none
    try:
        model = timm.create_model(source.architecture, pretrained=True, num_classes=0, pretrained_cfg_overlay=overlay)
    except Exception as error:  # timm, torch and safetensors each raise their own
        raise ModelError(f"cannot be built from {source.weights}: {one_line(error, with_type=True)}") from error
    return model.eval()
