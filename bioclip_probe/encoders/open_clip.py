"""Models of the open_clip family: BioCLIP, CLIP, OpenCLIP, SigLIP and their like, from the hub, a tag or a folder.

Whatever the name, a model comes down to a `Source`: an architecture, a weights file whose hash is known, and the
preprocessing that belongs to it. open_clip builds the network from it; it never downloads by itself, since it can
neither pin a revision nor say which file it took.
"""

from __future__ import annotations

import functools
import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bioclip_probe.encoders import text_tower
from bioclip_probe.encoders.encoder import (
    Network,
    chosen_device,
    chosen_precision,
    placed,
    possible,
    versions,
)
from bioclip_probe.encoders.recipe import Recipe, public
from bioclip_probe.encoders.weights import (
    OPEN_CLIP_FILES,
    hub_weights,
    refuse_pickled_code,
    sha256,
    sha256_of_parameters,
    weights_file,
)
from bioclip_probe.errors import ModelError, one_line, some

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)

CONFIG = "open_clip_config.json"
PREPROCESSING = ("mean", "std", "interpolation", "resize_mode")
ACTIVATIONS = {"GELU": "gelu", "QuickGELU": "quickgelu", "ReLU": "relu", "SiLU": "silu", "GELUTanh": "gelu_tanh"}
SEED = 0
QUICK = 1.702  # QuickGELU is x sigmoid(1.702 x)


@dataclass(frozen=True)
class Source:
    """What one model is made from; `weights` is None for random ones."""

    architecture: str  # as open_clip takes it: a name of its own, or local-dir:FOLDER
    config: dict[str, Any]
    weights: Path | None
    revision: str = ""
    preprocessing: dict[str, Any] = field(default_factory=dict)  # where it is not the folder's own
    quick_gelu: bool = False  # force it, where the config says GELU
    unprojected: bool = False  # vectors before the projection to the space shared with text


def from_folder(folder: Path, revision: str = "", random: bool = False) -> Source:
    """A folder in the hub's layout: open_clip_config.json and a weights file (not looked for if `random`)."""
    if not folder.is_dir():
        raise ModelError(f"there is no model folder {folder}; expected a folder with {CONFIG} and its weights")
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))["model_cfg"]
    except FileNotFoundError as error:
        raise ModelError(f"the folder {folder} has no {CONFIG}; copy it from where the weights came from") from error
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise ModelError(
            f"{folder / CONFIG} is no open_clip configuration: {one_line(error, with_type=True)}"
        ) from error
    _refuse_code_of_its_own(folder, config)
    weights = None if random else weights_file(folder, OPEN_CLIP_FILES)
    return Source(f"local-dir:{folder}", config, weights, revision)


def _refuse_code_of_its_own(folder: Path, config: dict[str, Any]) -> None:
    """open_clip hands what the config says to transformers, which would download code and run it, or offer to."""
    text = (config.get("text_cfg") if isinstance(config, dict) else config) or {}
    options = (text.get("tokenizer_kwargs") if isinstance(text, dict) else text) or {}
    if not isinstance(options, dict):
        raise ModelError(
            f"{folder / CONFIG} is no open_clip configuration: a list or a value where a table is expected"
        )
    tower = text.get("hf_model_name")
    asks = ""
    if options.get("trust_remote_code"):
        asks = f"{CONFIG} asks to run code that comes with its tokenizer (trust_remote_code)"
    elif tower and str(tower) not in _text_towers_of_open_clip():
        asks = (
            f"{CONFIG} has its text tower built from another repository ({one_line(tower, 80)}), which may bring code"
        )
    else:
        for name in ("config.json", "tokenizer_config.json"):
            if (folder / name).is_file() and b'"auto_map"' in (folder / name).read_bytes():
                asks = f"{name} asks to run code that comes with it (auto_map)"
    if asks:
        raise ModelError(
            f"{folder}: {asks}; read that code, and name the model as custom:FILE.py:FACTORY if you trust it"
        )


def _text_towers_of_open_clip() -> set[str]:
    """The text towers that open_clip's own architectures name; transformers has the code of all of them."""
    import open_clip

    configs = [open_clip.get_model_config(architecture) for architecture in open_clip.list_models()]
    return {config["text_cfg"].get("hf_model_name") for config in configs} - {None}


def from_hub(repository: str, revision: str | None) -> Source:
    """A repository of the hub, from the cache where it is there."""
    path, commit = hub_weights(repository, revision, OPEN_CLIP_FILES, CONFIG)
    return from_folder(path.parent, commit)


def from_tag(architecture: str, tag: str, revision: str | None) -> Source:
    """An architecture of open_clip with its pretrained weights of that tag, or with a weights file."""
    import open_clip

    config = open_clip.get_model_config(architecture)
    if config is None:
        from difflib import get_close_matches

        near = get_close_matches(architecture, open_clip.list_models(), n=5, cutoff=0.4)
        raise ModelError(f"open_clip has no architecture '{architecture}'; nearest: {some(near) or 'none'}")
    pretrained = open_clip.get_pretrained_cfg(architecture, tag)
    if not pretrained:
        if Path(tag).is_file():
            if revision:
                raise ModelError(f"its weights are a file, so it has no revision '{revision}'")
            return Source(architecture, config, Path(tag))
        tags = open_clip.list_pretrained_tags_by_model(architecture)
        raise ModelError(
            f"open_clip has no weights '{tag}' for {architecture}; expected {some(tags) or 'a weights file'}"
        )
    _refuse_other_activation(architecture, tag, config, pretrained)
    repository, _, file = pretrained.get("hf_hub", "").rpartition("/")
    if not repository:
        raise ModelError(f"the weights {architecture}/{tag} are not on the hub; download them and name the file as tag")
    names = (f"{Path(file).stem}.safetensors", file) if file else OPEN_CLIP_FILES[:3]
    path, commit = hub_weights(repository, revision, names)
    preprocessing = {key: pretrained[key] for key in PREPROCESSING if key in pretrained}
    return Source(architecture, config, path, commit, preprocessing)


def untrained(architecture: str) -> Source:
    """An architecture of open_clip without weights."""
    import open_clip

    config = open_clip.get_model_config(architecture)
    if config is None:
        raise ModelError(f"open_clip has no architecture '{architecture}'")
    return Source(architecture, config, None)


def network(recipe: Recipe, source: Source) -> Network:
    """The encoder of `recipe` made from `source`; random weights are seeded, the same in every run."""
    name = recipe.name
    device = chosen_device(recipe.device)
    precision = possible(recipe.precision, device)
    model = _built(name, source)
    precision = chosen_precision(precision, device, model.visual)
    digest = sha256(source.weights) if source.weights else sha256_of_parameters(model)
    preprocessing = json.loads(json.dumps(dict(model.visual.preprocess_cfg)))
    dimension = _without_projection(model.visual) if source.unprojected else int(source.config["embed_dim"])
    record = {
        "name": name,
        "id": public(recipe.id),
        "family": "open_clip",
        "architecture": source.config | {flag: True for flag in ("quick_gelu", "unprojected") if getattr(source, flag)},
        "revision": source.revision,
        "sha256": digest,
        "files": {source.weights.name: digest} if source.weights else {},
        "preprocessing": preprocessing,
        "activation": activation(model.visual),
        "precision": precision,
        "device": device,
        "dimension": dimension,
        "text": not source.unprojected,
        "versions": versions("torch", "torchvision", "open_clip_torch"),
    }
    logit_scale = float(model.logit_scale.detach().exp())  # before it is rounded to the precision
    model = placed(_with_folded_quickgelu(model), device, precision)
    tower = text_tower.tower(model)

    def forward(batch: torch.Tensor) -> torch.Tensor:
        return model.encode_image(batch, normalize=False)

    def text(texts: list[str]) -> torch.Tensor:
        return tower(text_tower.tokens(name, tokenizer(), texts).to(device))

    @functools.cache
    def tokenizer() -> Any:
        with _overheard():  # else its logging at the root would set up logging for the whole process
            return text_tower.tokenizer(name, source.architecture)

    return Network(
        recipe.settled(record),
        record,
        _transform(preprocessing),
        forward,
        None if source.unprojected else text,
        tokenizer=tokenizer,
        logit_scale=None if source.unprojected else logit_scale,
    )


def activation(module: torch.nn.Module) -> str:
    """The activation functions in `module`, by what it is really built of: "gelu", "quickgelu", "gelu+silu" ..."""
    found = {ACTIVATIONS[kind] for part in module.modules() if (kind := type(part).__name__) in ACTIVATIONS}
    return "+".join(sorted(found))


def _without_projection(visual: torch.nn.Module) -> int:
    """Take from an image tower its projection to the space shared with text; the length of its vectors then."""
    import torch
    from open_clip.timm_model import TimmModel
    from open_clip.transformer import VisionTransformer

    if isinstance(visual, VisionTransformer):
        visual.proj = None
        return visual.ln_post.normalized_shape[0]
    if isinstance(visual, TimmModel) and set(visual.head._modules) in ({"drop", "proj"}, {"mlp"}):
        visual.head = torch.nn.Identity()
        return visual.trunk.num_features
    raise ModelError(
        f"its image tower ({type(visual).__name__}) has no projection that stands apart from it, so there is nothing "
        "before it to embed with; name the model without unprojected:"
    )


def _with_folded_quickgelu(model: torch.nn.Module) -> torch.nn.Module:
    """`model` with each QuickGELU computed as SiLU, the same function up to rounding at less than the cost of a GELU.

    x sigmoid(1.702 x) is silu(1.702 x) / 1.702, and both factors go into the linear layers before and after. SiLU is
    one fused pass, in place; QuickGELU is three, each through memory.
    """
    import torch
    from open_clip.transformer import QuickGELU, ResidualAttentionBlock

    for block in model.modules():
        if isinstance(block, ResidualAttentionBlock) and type(block.mlp.gelu) is QuickGELU:
            with torch.no_grad():
                block.mlp.c_fc.weight *= QUICK
                block.mlp.c_fc.bias *= QUICK
                block.mlp.c_proj.weight /= QUICK
            block.mlp.gelu = torch.nn.SiLU(inplace=True)
    return model


def _transform(preprocessing: dict[str, Any]):
    from open_clip.transform import PreprocessCfg, image_transform_v2

    return image_transform_v2(PreprocessCfg(**preprocessing), is_train=False)


def _built(name: str, source: Source) -> torch.nn.Module:
    """The network in evaluation mode, float32, on the CPU; every doubt open_clip utters is heard."""
    import open_clip
    import torch

    random = source.weights is None
    if not random:
        refuse_pickled_code(source.weights)
    in_folder = source.architecture.startswith("local-dir:")
    try:
        with _overheard() as doubts, torch.random.fork_rng(devices=[]):
            torch.manual_seed(SEED)
            model = open_clip.create_model(
                source.architecture,
                pretrained=None if random or in_folder else str(source.weights),
                precision="fp32",
                device="cpu",
                load_weights=not random,
                require_pretrained=not random,
                pretrained_text=False,
                force_quick_gelu=source.quick_gelu,
                force_preprocess_cfg=source.preprocessing,
                weights_only=True,
            )
    except Exception as error:  # open_clip, torch and safetensors each raise their own
        what = source.weights or source.architecture
        raise ModelError(f"cannot be built from {what}: {one_line(error, with_type=True)}") from error
    for doubt in doubts:
        declared = random and ("initialized randomly" in doubt or "no CLIP weights found" in doubt)
        if "QuickGELU mismatch" in doubt or ("nitialized" in doubt and not declared):
            raise ModelError(f"would not be the model of its name: {one_line(doubt, with_type=True)}")
        if not declared:
            logger.warning("%s: %s", name, one_line(doubt, with_type=True))
    return model.eval()


def _refuse_other_activation(architecture: str, tag: str, config: dict, pretrained: dict) -> None:
    """open_clip only warns of this, and the network is then silently wrong."""
    names = {False: "GELU", True: "QuickGELU"}
    trained, built = bool(pretrained.get("quick_gelu", False)), bool(config.get("quick_gelu", False))
    if trained != built:
        other = f"{architecture}-quickgelu" if trained else architecture.removesuffix("-quickgelu")
        raise ModelError(
            f"QuickGELU mismatch: the weights '{tag}' were trained with {names[trained]}, "
            f"the architecture {architecture} computes {names[built]}; use {other}/{tag}"
        )


@contextmanager
def _overheard() -> Iterator[list[str]]:
    """What is warned of, by `warnings` or by logging at the root as open_clip does, in the order heard."""
    heard: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(record.getMessage())

    # With a handler of our own in place, open_clip's root-level calls do not set up logging for the whole process.
    ear = Ear(level=logging.WARNING)
    logging.getLogger().addHandler(ear)
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            yield heard
            heard.extend(str(warning.message) for warning in warned)
    finally:
        logging.getLogger().removeHandler(ear)
