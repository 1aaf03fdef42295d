"""Sources of open_clip models: an architecture, a weights file and its preprocessing, from a name.

A model comes from the hub, from a folder, or from an architecture and a tag of open_clip. open_clip never downloads by
itself here, because it can neither pin a revision nor tell which file it took.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bioclip_probe.encoders.hub import hub_weights
from bioclip_probe.encoders.ids import model_folder
from bioclip_probe.encoders.model_config import (
    check_architecture,
    check_choice,
    check_colors,
    check_number,
    check_sides,
    read_config,
)
from bioclip_probe.encoders.weights import OPEN_CLIP_CONFIG, OPEN_CLIP_FILES, WORLD, weights_file
from bioclip_probe.errors import ModelError, one_line, some

_PREPROCESSING = ("mean", "std", "interpolation", "resize_mode")


@dataclass(frozen=True)
class Source:
    """The parts that one model of open_clip is built from.

    Attributes
    ----------
    architecture : str
        As open_clip takes it: one of its names, or ``local-dir:FOLDER``.
    config : dict
        The configuration of the architecture.
    weights : Path or None
        None for random weights.
    revision : str
        The commit on the hub; empty where there is none.
    preprocessing : dict
        Settings that differ from those of the configuration.
    quick_gelu : bool
        Compute QuickGELU where the configuration says GELU.
    unprojected : bool
        Give the vectors before the projection to the space shared with text.

    Examples
    --------
    >>> Source("ViT-B-16", {"embed_dim": 512}, None).unprojected
    False
    """

    architecture: str
    config: Mapping[str, Any]
    weights: Path | None
    revision: str = ""
    preprocessing: dict[str, Any] = field(default_factory=dict)
    quick_gelu: bool = False
    unprojected: bool = False


def source_of(id: str, revision: str | None = None, random: bool = False) -> Source:
    """Return the source of the model that an id names.

    Parameters
    ----------
    id : str
        ``ARCHITECTURE/TAG``, ``hf-hub:ORG/REPO[@REVISION]``, ``local-dir:PATH``, ``world:NAME``, or one of them after
        ``untrained:``, ``quickgelu:`` or ``unprojected:``.
    revision : str, optional
        Commit, tag or branch on the hub.
    random : bool
        Take random weights.

    Returns
    -------
    Source

    Raises
    ------
    ModelError
        If there is no such model, its weights cannot be had, or it is no model of open_clip.

    Examples
    --------
    >>> source_of("unprojected:untrained:world:world-generic").weights is None
    True
    """
    scheme, colon, rest = id.partition(":")
    if not colon:
        architecture, _, tag = id.partition("/")
        return untrained_source(architecture) if random else source_from_tag(architecture, tag, revision)
    if scheme == "untrained":
        return source_of(rest, revision, random=True)
    if scheme == "quickgelu":
        return replace(source_of(rest, revision, random), quick_gelu=True)
    if scheme == "unprojected":
        return replace(source_of(rest, revision, random), unprojected=True)
    if scheme == "local-dir":
        return source_from_folder(model_folder(id), random=random)
    if scheme == "world":
        if not (WORLD / rest).is_dir():
            there = some(sorted(path.name for path in WORLD.glob("*/")), 9) or "none"
            raise ModelError(f"the built-in world has no model '{rest}' in this installation; it has: {there}")
        return source_from_folder(WORLD / rest, random=random)
    if scheme == "hf-hub" and not random:
        repository, _, pinned = rest.partition("@")
        return source_from_hub(repository, revision or pinned or None)
    raise ModelError(
        f"'{id}' is not an open_clip model that this can be done to; name ARCHITECTURE/PRETRAINED or local-dir:PATH"
    )


def source_from_folder(folder: Path, revision: str = "", random: bool = False) -> Source:
    """Return the source of a folder in the hub's layout: open_clip_config.json and a weights file.

    Parameters
    ----------
    folder : Path
    revision : str
        The commit, for a folder of the hub's cache.
    random : bool
        Take random weights; the folder then needs no weights file.

    Returns
    -------
    Source

    Raises
    ------
    ModelError
        If the folder lacks one of the files, or its configuration would run code that comes with it.

    Examples
    --------
    >>> source_from_folder(WORLD / "world-generic").weights.name
    'open_clip_model.safetensors'
    """
    if not folder.is_dir():
        raise ModelError(
            f"there is no model folder {folder}; expected a folder with {OPEN_CLIP_CONFIG} and its weights"
        )
    config = _checked_config(folder)
    _refuse_foreign_code(folder, config)
    weights = None if random else weights_file(folder, OPEN_CLIP_FILES)
    return Source(f"local-dir:{folder}", config, weights, revision)


def source_from_hub(repository: str, revision: str | None = None) -> Source:
    """Return the source of a repository of the hub, from the cache where the cache has it.

    Parameters
    ----------
    repository : str
        ORG/REPO.
    revision : str, optional
        Commit, tag or branch.

    Returns
    -------
    Source

    Raises
    ------
    ModelError
        If the hub cannot be reached, or has no such repository.

    Examples
    --------
    >>> source_from_hub("not a repository")
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.ModelError: 'not a repository' is not the name of a repository; expected hf-hub:ORG/REPO
    """
    path, commit = hub_weights(repository, revision, OPEN_CLIP_FILES, OPEN_CLIP_CONFIG)
    return source_from_folder(path.parent, commit)


def source_from_tag(architecture: str, tag: str, revision: str | None = None) -> Source:
    """Return the source of an architecture of open_clip with pretrained weights.

    Parameters
    ----------
    architecture : str
    tag : str
        A tag of open_clip, or the path of a weights file.
    revision : str, optional
        Commit, tag or branch on the hub.

    Returns
    -------
    Source

    Raises
    ------
    ModelError
        If open_clip has no such architecture or tag, the weights were trained with another activation function than
        the architecture computes, or they cannot be had.

    Examples
    --------
    >>> source_from_tag("ViT-B-16", "openai")
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.ModelError: QuickGELU mismatch: the weights 'openai' were trained with QuickGELU, the \
architecture ViT-B-16 computes GELU; use ViT-B-16-quickgelu/openai
    """
    import open_clip

    config = open_clip.get_model_config(architecture)
    if config is None:
        from difflib import get_close_matches

        near = get_close_matches(architecture, open_clip.list_models(), n=5, cutoff=0.4)
        raise ModelError(
            f"open_clip has no architecture '{architecture}'; nearest: {some(near) or 'none'}; a repository on "
            f"the hub is named hf-hub:{architecture}/{tag}"
        )
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
    _refuse_activation_mismatch(architecture, tag, config, pretrained)
    repository, _, file = pretrained.get("hf_hub", "").rpartition("/")
    if not repository:
        raise ModelError(f"the weights {architecture}/{tag} are not on the hub; download them and name the file as tag")
    names = (f"{Path(file).stem}.safetensors", file) if file else OPEN_CLIP_FILES[:3]
    path, commit = hub_weights(repository, revision, names)
    preprocessing = {key: pretrained[key] for key in _PREPROCESSING if key in pretrained}
    return Source(architecture, config, path, commit, preprocessing)


def untrained_source(architecture: str) -> Source:
    """Return the source of an architecture of open_clip with random weights.

    Parameters
    ----------
    architecture : str

    Returns
    -------
    Source

    Raises
    ------
    ModelError
        If open_clip has no such architecture.

    Examples
    --------
    >>> untrained_source("ViT-B-16").config["embed_dim"]
    512
    """
    import open_clip

    config = open_clip.get_model_config(architecture)
    if config is None:
        raise ModelError(f"open_clip has no architecture '{architecture}'")
    return Source(architecture, config, None)


def _checked_config(folder: Path) -> dict[str, Any]:
    """Return the architecture of a folder, after a check of its numbers and of the settings of its preprocessing."""
    path = folder / OPEN_CLIP_CONFIG
    try:
        config = read_config(path)
    except FileNotFoundError as error:
        message = f"the folder {folder} has no {OPEN_CLIP_CONFIG}; copy it from where the weights came from"
        raise ModelError(message) from error
    model = _table(config, "model_cfg", path)
    _table(model, "text_cfg", path)
    vision = _table(model, "vision_cfg", path)
    check_architecture(model, str(path))
    check_sides(vision.get("image_size", 224), str(path), "image_size")
    preprocessing, origin = _table({"preprocess_cfg": {}} | config, "preprocess_cfg", path), f"{path}, preprocess_cfg"
    check_colors(preprocessing, origin)
    check_choice(preprocessing, "interpolation", ("bicubic", "bilinear", "random"), origin)
    check_choice(preprocessing, "resize_mode", ("shortest", "longest", "squash"), origin)
    check_choice(preprocessing, "mode", ("RGB",), origin)
    check_number(preprocessing, "fill_color", 0, 255, origin)
    check_sides(preprocessing.get("size") or 224, origin)
    return model


def _table(config: dict[str, Any], key: str, path: Path) -> dict[str, Any]:
    if not isinstance(config.get(key), dict):
        raise ModelError(f"{path} is not an open_clip configuration: its {key} is not a table")
    return config[key]


def _refuse_foreign_code(folder: Path, config: dict[str, Any]) -> None:
    """Raise an error if transformers, which gets the configuration from open_clip, would download code and run it."""
    text = config["text_cfg"]
    options = text.get("tokenizer_kwargs") or {}
    if not isinstance(options, dict):
        path = folder / OPEN_CLIP_CONFIG
        raise ModelError(f"{path} is not an open_clip configuration: its tokenizer_kwargs is not a table")
    tower = text.get("hf_model_name")
    reason = ""
    if options.get("trust_remote_code"):
        reason = f"{OPEN_CLIP_CONFIG} asks to run code that comes with its tokenizer (trust_remote_code)"
    elif tower and str(tower) not in _known_text_towers():
        reason = (
            f"the text tower of {OPEN_CLIP_CONFIG} is built from another repository ({one_line(tower, 80)}), "
            "which may bring code"
        )
    else:
        for name in ("config.json", "tokenizer_config.json"):
            if (folder / name).is_file() and b'"auto_map"' in (folder / name).read_bytes():
                reason = f"{name} asks to run code that comes with it (auto_map)"
    if reason:
        raise ModelError(
            f"{folder}: {reason}; read that code, and name the model as custom:FILE.py:FACTORY if you trust it"
        )


def _known_text_towers() -> set[str]:
    """Return the text towers that open_clip's own architectures name; transformers has the code of all of them."""
    import open_clip

    configs = [open_clip.get_model_config(architecture) for architecture in open_clip.list_models()]
    return {config["text_cfg"].get("hf_model_name") for config in configs} - {None}


def _refuse_activation_mismatch(architecture: str, tag: str, config: dict, pretrained: dict) -> None:
    """Raise an error if weights and architecture differ in QuickGELU, of which open_clip only warns."""
    names = {False: "GELU", True: "QuickGELU"}
    trained, built = bool(pretrained.get("quick_gelu", False)), bool(config.get("quick_gelu", False))
    if trained != built:
        other = f"{architecture}-quickgelu" if trained else architecture.removesuffix("-quickgelu")
        raise ModelError(
            f"QuickGELU mismatch: the weights '{tag}' were trained with {names[trained]}, "
            f"the architecture {architecture} computes {names[built]}; use {other}/{tag}"
        )
