"""Models of timm, which embed pictures only: DINOv2, DINOv3 and a thousand others.

A vision transformer gives a token for the picture (the class token) and one for each patch, and a network of
convolutions one vector for each place. The pooling makes one vector of them. It is timm's own, but for the
architectures of which timm itself says that their authors take the class token and that timm's default is the average.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from bioclip_probe.encoders.blocks import blocks_of_timm
from bioclip_probe.encoders.encoder import package_versions
from bioclip_probe.encoders.hub import hub_weights
from bioclip_probe.encoders.ids import model_folder, public_id
from bioclip_probe.encoders.model_config import (
    check_architecture,
    check_choice,
    check_colors,
    check_number,
    check_sides,
    check_size,
    read_config,
)
from bioclip_probe.encoders.network import Network, activation_names
from bioclip_probe.encoders.pixels import split_transform
from bioclip_probe.encoders.precision import check_precision, move_to_device, resolve_precision
from bioclip_probe.encoders.recipe import Recipe
from bioclip_probe.encoders.trial import tried
from bioclip_probe.encoders.weights import (
    OPEN_CLIP_CONFIG,
    TIMM_CONFIG,
    TIMM_FILES,
    refuse_pickled_code,
    sha256_of_weights,
    weights_file,
)
from bioclip_probe.errors import ModelError, one_line, some
from bioclip_probe.torch_device import resolve_device

#: Poolings that the user can ask for: the class token, or the average or the maximum over patches or places.
POOLINGS = ("token", "avg", "max")
# All poolings of timm that make one vector; the others need weights of their own, which a folder may have.
_EVERY_POOLING = (*POOLINGS, *"avgmax catavgmax map fast fastavg fastmax fastavgmax fastcatavgmax prr".split())

# DINOv3 and EUPE, whose networks are DINOv3's, and Sapiens 2.
_CLASS_TOKEN = re.compile(r"vit_\w+_(dinov3|sapiens2)(_|$)")
# Arguments of timm's builder that `model_args` could smuggle in: they name other files, or ask for another output.
_NOT_OF_A_NETWORK = frozenset(
    {"features_only", "pretrained", "pretrained_cfg", "pretrained_cfg_overlay", "checkpoint_path", "cache_dir"}
)
_INTERPOLATIONS = ("bicubic", "bilinear", "nearest", "box", "hamming", "lanczos", "random")


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
    pooling : str
        One of timm's; empty for the default of the architecture.
    config : dict
        The configuration of a folder; empty for a model that timm itself describes.

    Examples
    --------
    >>> Source("vit_small_patch16_224", Path("model.safetensors")).revision
    ''
    """

    architecture: str
    weights: Path
    revision: str = ""
    pooling: str = ""
    config: dict[str, Any] = field(default_factory=dict)


def default_pooling(architecture: str) -> str:
    """Return the pooling that makes the embedding of a model's authors, where timm's default makes another.

    Parameters
    ----------
    architecture : str
        One of timm's names, with or without a tag.

    Returns
    -------
    str
        Empty where timm's default is right.

    References
    ----------
    pytorch-image-models, issue 2681; the notes of timm's models/eva.py.

    Examples
    --------
    >>> default_pooling("vit_base_patch16_dinov3.lvd1689m"), default_pooling("vit_base_patch14_reg4_dinov2.lvd142m")
    ('token', '')
    """
    return "token" if _CLASS_TOKEN.match(architecture.partition(".")[0]) else ""


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
        return "architecture" in read_config(folder / TIMM_CONFIG)
    except (OSError, ModelError):
        return False


def source_from_name(timm_name: str, revision: str | None = None, pooling: str = "") -> Source:
    """Return the source of a model for which timm has pretrained weights.

    Parameters
    ----------
    timm_name : str
    revision : str, optional
        Commit, tag or branch on the hub.
    pooling : str
        One of `POOLINGS`; empty for the default.

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

    if pooling and pooling not in POOLINGS:
        raise ModelError(f"unknown pooling '{pooling}'; expected timm:NAME or timm:NAME:{'|'.join(POOLINGS)}")
    try:
        pretrained = timm.models.get_pretrained_cfg(timm_name)
    except Exception:  # timm raises errors of several kinds for a name that it does not know
        pretrained = None
    if pretrained is None or not pretrained.hf_hub_id:
        from difflib import get_close_matches

        near = get_close_matches(timm_name, timm.list_models(pretrained=True), n=5, cutoff=0.4)
        raise ModelError(f"timm has no pretrained model '{timm_name}'; nearest: {some(near) or 'none'}")
    names = (pretrained.hf_hub_filename,) if pretrained.hf_hub_filename else TIMM_FILES
    weights, commit = hub_weights(pretrained.hf_hub_id, revision, names)
    return Source(timm_name, weights, commit, pooling or default_pooling(timm_name))


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
        If it holds no weights file, or a value of its configuration is not what a network takes.

    Notes
    -----
    The pooling is that of `model_args`, by which timm builds the network, else that of `default_pooling`, else that of
    `global_pool`, which timm writes beside the network and does not read.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     (Path(folder) / "model.safetensors").touch()
    ...     (Path(folder) / "config.json").write_text('{"architecture": "vit_small_patch16_dinov3"}') and None
    ...     source_from_folder(Path(folder)).pooling
    'token'
    """
    origin = str(folder / TIMM_CONFIG)
    config = read_config(folder / TIMM_CONFIG)
    architecture, arguments = config.get("architecture"), config.get("model_args") or {}
    pretrained = config.get("pretrained_cfg", config)  # older folders have all in one table
    if not isinstance(architecture, str) or not isinstance(arguments, dict) or not isinstance(pretrained, dict):
        wrong = "its architecture is not text, or its model_args or pretrained_cfg is not a table"
        raise ModelError(f"{origin} is not a configuration of timm: {wrong}")
    foreign = sorted(_NOT_OF_A_NETWORK & arguments.keys())
    if foreign:
        raise ModelError(f"{origin}: model_args has {some(foreign)}; expected arguments of the network only")
    check_architecture({"model_args": arguments, "pretrained_cfg": pretrained}, origin)
    _check_preprocessing(pretrained, origin)
    pooling = default_pooling(architecture) or config.get("global_pool")
    pooling = arguments.get("global_pool", pooling)
    check_choice({"global_pool": pooling}, "global_pool", _EVERY_POOLING, origin)
    return Source(f"local-dir:{folder}", weights_file(folder, TIMM_FILES), "", pooling or "", config)


def _check_preprocessing(settings: dict[str, Any], origin: str) -> None:
    check_colors(settings, origin)
    check_choice(settings, "interpolation", _INTERPOLATIONS, origin)
    check_choice(settings, "crop_mode", ("center", "squash", "border"), origin)
    check_number(settings, "crop_pct", 0.25, 2, origin)
    for key in ("input_size", "test_input_size"):
        size = settings.get(key)
        if size is None:
            continue
        if not isinstance(size, list) or len(size) != 3 or size[0] != 3:
            raise ModelError(f"{origin}: {key} is {one_line(size, 60)}; expected [3, height, width]")
        check_sides(size[1:], origin, key)


def load(recipe: Recipe) -> Network:
    """Build the model of timm that a recipe names; its vectors are the pooled features before the classifier.

    Parameters
    ----------
    recipe : Recipe
        Its id is ``timm:NAME[@REVISION][:POOLING]`` or ``local-dir:PATH``.

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
        name, _, pooling = recipe.id.removeprefix("timm:").partition(":")
        timm_name, _, revision = name.partition("@")
        source = source_from_name(timm_name, recipe.revision or revision or None, pooling)
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
    _check_preprocessing(json.loads(json.dumps(preprocessing)), recipe.id)
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
        "pooling": pooling_of(model),
        "activation": activation_names(model),
        "precision": precision,
        "device": device,
        "dimension": int(getattr(model, "head_hidden_size", None) or model.num_features),
        "text": False,
        "versions": package_versions("torch", "torchvision", "timm"),
    }
    model = move_to_device(model, device, precision)
    transform = create_transform(**preprocessing, is_training=False)
    encoder = Network(
        recipe.resolved(record),
        record,
        transform,
        model,
        split=split_transform(transform, device),
        blocks=blocks_of_timm(model),
    )
    return tried(encoder)


def pooling_of(model: Any) -> str:
    """Return the pooling that a model of timm computes.

    Parameters
    ----------
    model : torch.nn.Module

    Returns
    -------
    str
        As timm names it, e.g. ``token`` or ``avg``; empty where its code pools in a way of its own.

    Examples
    --------
    >>> import timm
    >>> pooling_of(timm.create_model("test_resnet", num_classes=0))
    'avg'
    """
    head = getattr(model, "head", None)
    for owner, name in ((head, "global_pool"), (head, "pool_type"), (model, "global_pool")):
        pool = getattr(owner, name, None)
        pool = getattr(pool, "pool_type", pool)
        if isinstance(pool, str):
            return pool
    return ""


def _build_network(source: Source) -> Any:
    """Return the network without its classifier, in evaluation mode, float32, on the CPU."""
    import timm

    refuse_pickled_code(source.weights)
    pooling: dict[str, Any] = {"global_pool": source.pooling} if source.pooling else {}
    create = partial(timm.create_model, source.architecture, num_classes=0, **pooling)
    if source.config:  # it comes from a stranger
        check_size(create, [source.weights])
    overlay = {"file": str(source.weights), "source": "timm"}  # timm takes this file and downloads nothing
    try:
        with _missing_weights() as messages:
            model = create(pretrained=True, pretrained_cfg_overlay=overlay)
    except Exception as error:  # timm, torch and safetensors each raise their own
        message = one_line(error, 240, with_type=True)
        raise ModelError(f"cannot be built from {source.weights}: {message}") from error
    if messages:
        raise ModelError(f"{source.weights} lacks weights of the network: {one_line(messages[0], 240)}")
    return model.eval()


@contextmanager
def _missing_weights() -> Iterator[list[str]]:
    """Collect what timm only notes in its log: weights that the file does not have, and that stay random."""
    messages: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.getMessage().startswith("Missing keys"):
                messages.append(record.getMessage())

    log, handler = logging.getLogger("timm.models._builder"), Collector(level=logging.INFO)
    level, propagates = log.level, log.propagate
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    try:
        yield messages
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
        log.propagate = propagates
