"""Models of the package transformers that embed pictures: `transformers:ORG/MODEL[@REVISION]:POOLING`, or a folder.

transformers has no one embedding of a picture, so the pooling must be said: `cls` is the class token of the last layer,
`mean` the mean of its patches without class and register tokens, and `pooler` what the model's own pooler makes of it.
Weights are read from safetensors files only, and code that comes with a model is never run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bioclip_probe.encoders.blocks import Blocks, Output
from bioclip_probe.encoders.encoder import package_versions
from bioclip_probe.encoders.hub import hub_weights
from bioclip_probe.encoders.ids import public_id, split_transformers_id
from bioclip_probe.encoders.model_config import (
    check_architecture,
    check_colors,
    check_sides,
    check_size,
    entries,
    read_config,
)
from bioclip_probe.encoders.network import Network, activation_names
from bioclip_probe.encoders.precision import check_precision, move_to_device, resolve_precision
from bioclip_probe.encoders.recipe import Recipe
from bioclip_probe.encoders.trial import tried, vector_length
from bioclip_probe.encoders.weights import SHARDS_INDEX, TRANSFORMERS_FILES, sha256_of_weights_files
from bioclip_probe.errors import ModelError, one_line, some
from bioclip_probe.torch_device import resolve_device

if TYPE_CHECKING:
    import torch
    from PIL import Image

CONFIG, PROCESSOR = "config.json", "preprocessor_config.json"
POOLINGS = ("cls", "pooler", "mean")


@dataclass(frozen=True)
class Source:
    """The files of one model.

    Attributes
    ----------
    folder : Path
    weights : tuple of Path
        One file, or several that belong together.
    revision : str
        The commit on the hub; empty for a folder.

    Examples
    --------
    >>> Source(Path("mine"), (Path("mine/model.safetensors"),)).revision
    ''
    """

    folder: Path
    weights: tuple[Path, ...]
    revision: str = ""


class ProcessorTransform:
    """The transform of a processor of transformers, from a picture to the values that the network takes.

    Parameters
    ----------
    processor : transformers.BaseImageProcessor

    Examples
    --------
    >>> processor = lambda images, return_tensors: {"pixel_values": [images.size]}
    >>> from PIL import Image
    >>> ProcessorTransform(processor)(Image.new("RGB", (4, 2)))
    (4, 2)
    """

    def __init__(self, processor: Any) -> None:
        self.processor = processor

    def __call__(self, image: Image.Image) -> torch.Tensor:
        """Return one picture as the network takes it.

        Parameters
        ----------
        image : PIL.Image.Image

        Returns
        -------
        Tensor, shape (3, height, width)
        """
        return self.processor(images=image, return_tensors="pt")["pixel_values"][0]


def source_of(id: str, revision: str | None = None) -> Source:
    """Return the files of the model that an id names.

    Parameters
    ----------
    id : str
        ``transformers:ORG/MODEL[@REVISION]:POOLING`` or ``transformers:FOLDER:POOLING``.
    revision : str, optional
        Commit, tag or branch on the hub.

    Returns
    -------
    Source

    Raises
    ------
    ModelError
        If it cannot be had, lacks a file, has weights in no safetensors file, or asks to run code.

    Examples
    --------
    >>> source_of("transformers:no/such/folder:cls")
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.ModelError: there is no folder no/such/folder; expected transformers:ORG/MODEL:POOLING, ...
    """
    name, _ = split_transformers_id(id)
    folder, commit = Path(name).expanduser(), ""
    if not folder.is_dir():
        if name.count("/") != 1 or name[0] in "./~":
            raise ModelError(f"there is no folder {name}; expected transformers:ORG/MODEL:POOLING, or its folder")
        repository, _, pinned = name.partition("@")
        path, commit = hub_weights(repository, revision or pinned or None, TRANSFORMERS_FILES, CONFIG)
        folder = path.parent
    for file in (CONFIG, PROCESSOR):
        if not (folder / file).is_file():
            raise ModelError(
                f"the folder {folder} has no {file}; expected a model of transformers that embeds pictures"
            )
    for file in (CONFIG, PROCESSOR, "processor_config.json"):
        if (folder / file).is_file():
            _refuse_foreign_code(folder / file)
    _check_config(folder)
    return Source(folder, _weights_files(folder), commit)


def _refuse_foreign_code(path: Path) -> None:
    """Raise an error if a configuration asks for code or weights from elsewhere, at any depth."""
    for key, value in entries(read_config(path)):
        name = key.rpartition(".")[2]
        if name == "auto_map":
            raise ModelError(f"{path} asks to run code that comes with it ({key}), which is never done")
        if name.endswith("_implementation") and "/" in str(value):
            raise ModelError(f"{path} asks to run code of {one_line(value, 60)} ({key}), which is never done")
        if name == "use_pretrained_backbone" and value:
            raise ModelError(f"{path} asks for the weights of another repository ({key})")


def _check_config(folder: Path) -> None:
    """Raise an error if a number of the configuration is none that a network has."""
    config = read_config(folder / CONFIG)
    check_architecture(config, str(folder / CONFIG))
    for table in (config, config.get("vision_config")):
        if isinstance(table, dict) and table.get("image_size") is not None:
            check_sides(table["image_size"], str(folder / CONFIG), "image_size")
    settings = read_config(folder / PROCESSOR)
    check_architecture(settings, str(folder / PROCESSOR))
    check_colors(settings, str(folder / PROCESSOR), ("image_mean", "image_std"))
    for key in ("size", "crop_size"):
        sides = settings.get(key)
        for side in sides.values() if isinstance(sides, dict) else [] if sides is None else [sides]:
            check_sides(side, str(folder / PROCESSOR), key)


def _weights_files(folder: Path) -> tuple[Path, ...]:
    """Return the safetensors file of a folder, or the files that its index names."""
    single, index = folder / "model.safetensors", folder / SHARDS_INDEX
    if single.is_file():
        return (single,)
    if not index.is_file():
        raise ModelError(f"the folder {folder} has no model.safetensors; weights in other files may hold code")
    table = read_config(index).get("weight_map")
    names = set(table.values()) if isinstance(table, dict) else set()
    if not names or not all(isinstance(name, str) and Path(name).name == name for name in names):
        raise ModelError(f"{index} names no files of weights beside it")
    missing = sorted(name for name in names if not (folder / name).is_file())
    if missing:
        raise ModelError(f"the folder {folder} lacks {some(missing)}, which {index.name} names")
    return tuple(folder / name for name in sorted(names))


def load(recipe: Recipe) -> Network:
    """Build the model of transformers that a recipe names.

    Parameters
    ----------
    recipe : Recipe
        Its id is one that `source_of` takes.

    Returns
    -------
    Network

    Raises
    ------
    ModelError
        If transformers is not installed, the pooling is not said, or the model cannot be had or does not fit.

    Examples
    --------
    >>> load(Recipe(load, "mine", "transformers:facebook/dinov2-base"))
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.ModelError: 'transformers:facebook/dinov2-base' says no pooling; expected \
transformers:ORG/MODEL:cls, :pooler or :mean
    """
    _, pooling = split_transformers_id(recipe.id)
    source = source_of(recipe.id, recipe.revision)
    device = resolve_device(recipe.device)
    precision = check_precision(recipe.precision, device)
    model, processor = _build(source, pooling)
    precision = resolve_precision(precision, device, model)
    digest, files = sha256_of_weights_files(source.weights)
    record = {
        "name": recipe.name,
        "id": public_id(recipe.id),
        "family": "transformers",
        "control": False,
        "architecture": type(model).__name__,
        "revision": source.revision,
        "sha256": digest,
        "files": files,
        "preprocessing": _settings_of(processor),
        "pooling": pooling,
        "activation": activation_names(model),
        "precision": precision,
        "device": device,
        "dimension": 0,
        "text": False,
        "versions": package_versions("torch", "torchvision", "transformers"),
    }
    tokens = _Tokens(move_to_device(model, device, precision))

    def forward(batch: torch.Tensor) -> torch.Tensor:
        return tokens.pooled(batch, pooling)

    transform = ProcessorTransform(processor)
    encoder = Network(recipe.resolved(record), record, transform, forward, blocks=tokens.blocks())
    record["dimension"] = vector_length(encoder)
    return tried(encoder)


def _build(source: Source, pooling: str) -> tuple[Any, Any]:
    """Return the image tower in evaluation mode, float32, on the CPU, and its processor."""
    try:
        import transformers
    except ImportError as error:
        install = "pip install 'bioclip_probe[transformers]'"
        raise ModelError(f"its package transformers is not installed; {install}") from error

    options: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}
    try:
        with _quiet():
            config = transformers.AutoConfig.from_pretrained(source.folder, **options)
            if hasattr(config, "mask_ratio"):
                config.mask_ratio = 0.0  # a masked autoencoder would hide patches at random
            check_size(lambda: transformers.AutoModel.from_config(config, trust_remote_code=False), source.weights)
            model, loaded = transformers.AutoModel.from_pretrained(
                source.folder, config=config, use_safetensors=True, output_loading_info=True, dtype="float32", **options
            )
            processor = transformers.AutoImageProcessor.from_pretrained(source.folder, **options)
    except ModelError:
        raise
    except Exception as error:  # transformers, torch and safetensors each raise their own
        raise ModelError(f"cannot be built from {source.folder}: {one_line(error, 240, with_type=True)}") from error
    random = [key for key in loaded["missing_keys"] if pooling == "pooler" or "pooler" not in key.split(".")]
    random += [str(key[0]) for key in loaded["mismatched_keys"]]
    if random:
        raise ModelError(f"{source.folder} lacks weights of the network: {some(sorted(random), 3)}")
    if hasattr(config, "vision_config") and not hasattr(model, "vision_model"):
        raise ModelError(f"a {type(model).__name__} has no image tower that stands alone; it cannot embed pictures")
    return getattr(model, "vision_model", model).eval(), processor


@contextmanager
def _quiet() -> Iterator[None]:
    """Let transformers print errors only, and no bar of progress for each model."""
    from huggingface_hub.utils import are_progress_bars_disabled
    from transformers import logging

    verbosity, shows_bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    of_hub = not are_progress_bars_disabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if shows_bars and of_hub:
            logging.enable_progress_bar()


def _settings_of(processor: Any) -> dict[str, Any]:
    """Return the settings of a processor that change pixels, and its class."""
    settings = json.loads(processor.to_json_string())
    return {key: value for key, value in sorted(settings.items()) if value is not None and not key.startswith("_")}


class _Tokens:
    """The tokens of an image tower, and how many of them stand before the patches."""

    def __init__(self, model: Any) -> None:
        self.model = model
        names = {name.rpartition(".")[2] for name, _ in model.named_parameters()}
        self.has_class_token = bool(names & {"cls_token", "class_embedding", "class_token"})
        registers = getattr(model.config, "num_register_tokens", None) or 0
        if not isinstance(registers, int):
            raise ModelError(f"its num_register_tokens is {one_line(registers, 60)}; expected a number")
        self.n_prefix = (1 + registers + ("distillation_token" in names)) if self.has_class_token else 0

    def pooled(self, batch: torch.Tensor, pooling: str) -> torch.Tensor:
        """Return the (b, d) vectors of a batch."""
        output = self.model(pixel_values=batch)
        if pooling == "pooler":
            vectors = getattr(output, "pooler_output", None)
            if vectors is None:
                raise ModelError(f"a {type(self.model).__name__} has no pooler; expected :cls or :mean")
            return vectors.flatten(1)
        class_token, mean = self.parts(output.last_hidden_state, batch)
        if pooling == "mean":
            return mean
        if class_token is None:
            raise ModelError(f"a {type(self.model).__name__} has no class token; expected :mean or :pooler")
        return class_token

    def parts(self, tokens: torch.Tensor, batch: torch.Tensor) -> Output:
        """Return the class token, or None, and the mean of the patches."""
        if tokens.dim() == 4:  # a network of convolutions: (b, d, height, width)
            return None, tokens.flatten(2).mean(2)
        patch = getattr(self.model.config, "patch_size", None)
        if self.has_class_token and isinstance(patch, int):
            n_patches = (batch.shape[-2] // patch) * (batch.shape[-1] // patch)
            if tokens.shape[1] != self.n_prefix + n_patches:
                expected = f"{self.n_prefix} and {n_patches} patches"
                raise ModelError(f"its {tokens.shape[1]} tokens cannot be told apart: expected {expected}")
        return (tokens[:, 0] if self.has_class_token else None), tokens[:, self.n_prefix :].mean(1)

    def blocks(self) -> Blocks | None:
        """Return the blocks of a tower that has one list of them; None for towers of another make."""
        import torch

        number = getattr(self.model.config, "num_hidden_layers", None)
        lists = [part for part in self.model.modules() if isinstance(part, torch.nn.ModuleList) and len(part) == number]
        if len(lists) != 1 or not isinstance(number, int):
            return None
        (layers,) = lists

        def outputs(batch: torch.Tensor, numbers: Sequence[int]) -> list[Output]:
            found: dict[int, torch.Tensor] = {}

            def keep(wanted: int) -> Any:
                def hook(_module: Any, _given: Any, output: Any) -> None:
                    found[wanted] = output[0] if isinstance(output, tuple) else output

                return hook

            hooks = [layers[wanted].register_forward_hook(keep(wanted)) for wanted in numbers]
            try:
                self.model(pixel_values=batch)
            finally:
                for hook in hooks:
                    hook.remove()
            return [self.parts(found[wanted], batch) for wanted in numbers]

        return Blocks(number, outputs)
