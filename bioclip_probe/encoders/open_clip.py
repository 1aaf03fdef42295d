"""Models of open_clip: BioCLIP, CLIP, OpenCLIP, SigLIP and their like, from the hub, a tag or a folder.

`open_clip_sources` finds the architecture, the weights file and the preprocessing that a name stands for. This module
builds the network from them.
"""

from __future__ import annotations

import functools
import json
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from bioclip_probe.encoders import text_tower
from bioclip_probe.encoders.blocks import blocks_of_open_clip
from bioclip_probe.encoders.encoder import package_versions
from bioclip_probe.encoders.ids import public_id
from bioclip_probe.encoders.model_config import check_size
from bioclip_probe.encoders.network import Network, activation_names
from bioclip_probe.encoders.open_clip_sources import Source, source_of
from bioclip_probe.encoders.pixels import split_transform
from bioclip_probe.encoders.precision import check_precision, move_to_device, resolve_precision
from bioclip_probe.encoders.recipe import Recipe
from bioclip_probe.encoders.trial import tried
from bioclip_probe.encoders.weights import refuse_pickled_code, sha256_of_parameters, sha256_of_weights
from bioclip_probe.errors import ModelError, one_line
from bioclip_probe.torch_device import resolve_device

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

_SEED = 0
_QUICK = 1.702  # QuickGELU is x sigmoid(1.702 x)


def load(recipe: Recipe) -> Network:
    """Build the model of open_clip that a recipe names; random weights are seeded, the same in every run.

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
        If the model cannot be had, or would compute something other than what its name says.

    Examples
    --------
    >>> encoder = load(Recipe(load, "world-generic", "world:world-generic"))
    >>> encoder.record["family"], encoder.record["control"]
    ('open_clip', False)
    """
    name = str(recipe)
    source = source_of(recipe.id, recipe.revision)
    device = resolve_device(recipe.device)
    precision = check_precision(recipe.precision, device)
    model: Any = _build_network(name, source)
    precision = resolve_precision(precision, device, model.visual)
    record = _record(recipe, source, model) | {"precision": precision, "device": device}
    logit_scale = float(model.logit_scale.detach().exp())  # before it is rounded to the precision
    model = move_to_device(_fold_quickgelu(model), device, precision)
    vectors_of_tokens = text_tower.text_function(model)

    def forward(batch: torch.Tensor) -> torch.Tensor:
        return model.encode_image(batch, normalize=False)

    def forward_text(texts: list[str]) -> torch.Tensor:
        return vectors_of_tokens(text_tower.tokenize(name, tokenizer(), texts).to(device))

    @functools.cache
    def tokenizer() -> Any:
        with _collect_warnings():  # else its logging at the root would set up logging for the whole process
            return text_tower.load_tokenizer(name, source.architecture)

    transform = _transform(record["preprocessing"])
    encoder = Network(
        recipe.resolved(record),
        record,
        transform,
        forward,
        None if source.unprojected else forward_text,
        tokenizer=tokenizer,
        logit_scale=None if source.unprojected else logit_scale,
        split=split_transform(transform, device),
        blocks=blocks_of_open_clip(model.visual),
    )
    return tried(encoder)


def _record(recipe: Recipe, source: Source, model: Any) -> dict[str, Any]:
    """Return the record without precision and device. An unprojected model loses its projection here."""
    digest = sha256_of_weights(source.weights) if source.weights else sha256_of_parameters(model)
    dimension = _remove_projection(model.visual) if source.unprojected else int(source.config["embed_dim"])
    flags = {flag: True for flag in ("quick_gelu", "unprojected") if getattr(source, flag)}
    return {
        "name": recipe.name,
        "id": public_id(recipe.id),
        "family": "open_clip",
        "control": source.weights is None,
        "architecture": {**source.config, **flags},
        "revision": source.revision,
        "sha256": digest,
        "files": {source.weights.name: digest} if source.weights else {},
        "preprocessing": json.loads(json.dumps(dict(model.visual.preprocess_cfg))),
        "activation": activation_names(model.visual),
        "precision": "",
        "device": "",
        "dimension": dimension,
        "text": not source.unprojected,
        "versions": package_versions("torch", "torchvision", "open_clip_torch"),
    }


def _remove_projection(visual: Any) -> int:
    """Remove the projection to the space shared with text from an image tower, and return the length of its vectors."""
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
        f"its image tower ({type(visual).__name__}) has no projection that stands apart from it, so there are no "
        "vectors before it; name the model without unprojected:"
    )


def _fold_quickgelu(model: Any) -> Any:
    """Compute each QuickGELU of a model as SiLU: the same function up to rounding, at less than the cost of a GELU.

    x sigmoid(1.702 x) is silu(1.702 x) / 1.702, and both factors go into the linear layers before and after. SiLU is
    one fused pass, in place; QuickGELU is three passes through memory.
    """
    import torch
    from open_clip.transformer import QuickGELU, ResidualAttentionBlock

    for block in model.modules():
        if isinstance(block, ResidualAttentionBlock) and type(block.mlp.gelu) is QuickGELU:
            with torch.no_grad():
                block.mlp.c_fc.weight *= _QUICK
                block.mlp.c_fc.bias *= _QUICK
                block.mlp.c_proj.weight /= _QUICK
            block.mlp.gelu = torch.nn.SiLU(inplace=True)
    return model


def _transform(preprocessing: dict[str, Any]) -> Callable[[Any], Any]:
    from open_clip.transform import PreprocessCfg, image_transform_v2

    return image_transform_v2(PreprocessCfg(**preprocessing), is_train=False)


def _build_network(name: str, source: Source) -> Any:
    """Return the network in evaluation mode, float32, on the CPU; some warnings of open_clip become errors."""
    import open_clip
    import torch

    random = source.weights is None
    if source.weights is not None:
        refuse_pickled_code(source.weights)
    in_folder = source.architecture.startswith("local-dir:")
    if in_folder:  # its configuration comes from a stranger
        with _collect_warnings():
            meta = partial(open_clip.create_model, source.architecture, load_weights=False, device="meta")
            check_size(partial(meta, pretrained_text=False), [source.weights] if source.weights else [])
    try:
        with _collect_warnings() as messages, torch.random.fork_rng(devices=[]):
            torch.manual_seed(_SEED)
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
        origin = source.weights or source.architecture
        raise ModelError(f"cannot be built from {origin}: {one_line(error, 240, with_type=True)}") from error
    for message in messages:
        expected = random and ("initialized randomly" in message or "no CLIP weights found" in message)
        if "QuickGELU mismatch" in message or ("nitialized" in message and not expected):
            raise ModelError(f"would not be the model of its name: {one_line(message, 240)}")
        if not expected:
            log.warning("%s: %s", name, one_line(message, 240))
    return model.eval()


@contextmanager
def _collect_warnings() -> Iterator[list[str]]:
    """Collect warnings that come through `warnings`, or through the root logger as open_clip's do, in their order."""
    messages: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            messages.append(record.getMessage())

    # With this handler in place, open_clip's calls at the root do not set up logging for the whole process.
    handler = Collector(level=logging.WARNING)
    logging.getLogger().addHandler(handler)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield messages
            messages.extend(str(warning.message) for warning in caught)
    finally:
        logging.getLogger().removeHandler(handler)
