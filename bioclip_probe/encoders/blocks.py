"""The blocks of a network, and the vectors that it has after each of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import torch

#: The class token of a block, or None, and the mean of its patches or places; both of shape (b, d).
Output = tuple["torch.Tensor | None", "torch.Tensor"]


class Blocks(NamedTuple):
    """The blocks of a transformer, or the stages of a network of convolutions.

    Attributes
    ----------
    number : int
        How many there are.
    outputs : callable
        From a (b, ...) batch on the device and the numbers of some blocks, ascending, the first being 0, to one
        `Output` for each. A vector is as the block leaves it, before any norm that follows the last block.

    Examples
    --------
    >>> Blocks(12, lambda batch, numbers: []).number
    12
    """

    number: int
    outputs: Callable[[torch.Tensor, Sequence[int]], list[Output]]


def blocks_of_timm(model: Any) -> Blocks | None:
    """Return the blocks of a model of timm, or None if it does not tell what its blocks compute.

    Parameters
    ----------
    model : torch.nn.Module

    Returns
    -------
    Blocks or None

    Examples
    --------
    >>> import timm
    >>> blocks_of_timm(timm.create_model("test_vit")).number
    6
    """
    if not hasattr(model, "forward_intermediates") or not getattr(model, "feature_info", None):
        return None
    has_class_token = getattr(model, "cls_token", None) is not None
    options = {"return_prefix_tokens": True} if getattr(model, "num_prefix_tokens", 0) else {}

    def outputs(batch: torch.Tensor, numbers: Sequence[int]) -> list[Output]:
        found = model.forward_intermediates(
            batch, indices=list(numbers), stop_early=True, intermediates_only=True, output_fmt="NCHW", **options
        )
        pairs = [pair if isinstance(pair, tuple) else (pair, None) for pair in found]
        return [_output(places, prefix if has_class_token else None) for places, prefix in pairs]

    return Blocks(len(model.feature_info), outputs)


def blocks_of_open_clip(visual: Any) -> Blocks | None:
    """Return the blocks of an image tower of open_clip, or None if it does not tell what its blocks compute.

    Parameters
    ----------
    visual : torch.nn.Module

    Returns
    -------
    Blocks or None

    Examples
    --------
    >>> from bioclip_probe.encoders import load
    >>> load("world-generic").blocks.number
    5
    """
    from open_clip.modified_resnet import ModifiedResNet
    from open_clip.timm_model import TimmModel
    from open_clip.transformer import VisionTransformer

    if isinstance(visual, TimmModel):
        return blocks_of_timm(visual.trunk)
    if not isinstance(visual, VisionTransformer | ModifiedResNet):
        return None
    has_class_token = isinstance(visual, VisionTransformer)

    def outputs(batch: torch.Tensor, numbers: Sequence[int]) -> list[Output]:
        found = visual.forward_intermediates(
            batch, indices=list(numbers), stop_early=True, intermediates_only=True, output_extra_tokens=has_class_token
        )
        places = found["image_intermediates"]
        prefixes = found["image_intermediates_prefix"] if has_class_token else [None] * len(places)
        return [_output(*pair) for pair in zip(places, prefixes, strict=True)]

    return Blocks(len(visual.transformer.resblocks) if has_class_token else 5, outputs)  # 5: stem and four stages


def _output(places: torch.Tensor, prefix: torch.Tensor | None) -> Output:
    """Return the class token and the mean over places of (b, d, height, width) values."""
    return None if prefix is None else prefix[:, 0], places.flatten(2).mean(2)
