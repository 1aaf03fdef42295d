"""Vectors between the blocks of a network: `layer:N[:cls|mean]:MODEL`, for alignment with the tree by depth.

Block 1 is the first, and N the block after which the vector is read: its class token where the network has one, else
the mean over its patches. `cls` and `mean` ask for one of them. No norm and no projection follows. All layers of a
model share its weights, and batches that they share go through the network once.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bioclip_probe.encoders.ids import file_stamp, public_id, split_layer, split_wrapper
from bioclip_probe.encoders.network import Network
from bioclip_probe.encoders.recipe import Recipe
from bioclip_probe.encoders.trial import tried
from bioclip_probe.errors import ModelError

if TYPE_CHECKING:
    import torch

#: The number of a block, the first being 1, and how one vector is made of its tokens: ``cls`` or ``mean``.
Layer = tuple[int, str]

# The networks whose layers are in use, by recipe. They are freed with the last encoder that reads them.
_TAPS: weakref.WeakValueDictionary[tuple, LayerTap] = weakref.WeakValueDictionary()


class LayerTap:
    """A network whose layers are read together.

    Parameters
    ----------
    network : Network
        It has `blocks`.

    Examples
    --------
    >>> from bioclip_probe.encoders import load
    >>> tap = LayerTap(load("world-generic"))
    >>> tap.layer(1, "")
    (1, 'mean')
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self._joint: Network | None = None
        self._widths: dict[Layer, int] = {}
        self._kept: dict[int, tuple[weakref.ref, dict[Layer, np.ndarray]]] = {}  # by the identity of a batch
        self._lock = threading.RLock()

    def layer(self, number: int, pooling: str) -> Layer:
        """Return a layer with its pooling written out, after a check that the network has it.

        Parameters
        ----------
        number : int
            Of the block, the first being 1.
        pooling : str
            ``cls``, ``mean``, or empty for the class token where there is one.

        Returns
        -------
        (int, str)

        Raises
        ------
        ModelError
            If the network has no such block, or no class token.
        """
        blocks = self.network.blocks
        if blocks is None:
            families = "models of open_clip, timm and transformers that are made of blocks have them"
            raise ModelError(f"it has no layers between which vectors could be read; {families}")
        if not 1 <= number <= blocks.number:
            raise ModelError(
                f"it has {blocks.number} blocks, so there is no layer {number}; expected 1 to {blocks.number}"
            )
        has_class_token = self._on_grey_picture([(number, "mean")])[1]
        if pooling == "cls" and not has_class_token:
            raise ModelError(f"it has no class token; expected layer:{number}:MODEL or layer:{number}:mean:MODEL")
        return number, pooling or ("cls" if has_class_token else "mean")

    def add(self, layer: Layer) -> int:
        """Read a layer from now on, together with those before it, and return the length of its vectors.

        Parameters
        ----------
        layer : (int, str)

        Returns
        -------
        int
        """
        with self._lock:
            if layer not in self._widths:
                self._widths[layer] = self._on_grey_picture([layer])[0]
                self._joint = self._network_of(list(self._widths))
            return self._widths[layer]

    def vectors(self, batch: torch.Tensor, layer: Layer) -> np.ndarray:
        """Return the vectors of a batch at a layer; the other layers are kept until they are asked for.

        Parameters
        ----------
        batch : Tensor
        layer : (int, str)

        Returns
        -------
        ndarray, shape (b, d), float32
        """
        with self._lock:
            reference, kept = self._kept.get(id(batch), (None, {}))
            if reference is None or reference() is not batch or layer not in kept:
                kept = self._all_vectors(batch)
                key = id(batch)
                self._kept[key] = (weakref.ref(batch, lambda _: self._kept.pop(key, None)), kept)
            return kept.pop(layer)

    def _all_vectors(self, batch: torch.Tensor) -> dict[Layer, np.ndarray]:
        if self._joint is None:
            raise ModelError("no layer of this network is read")
        ends = np.cumsum(list(self._widths.values()))[:-1]
        parts = np.split(self._joint.encode(batch), ends, axis=1)
        return dict(zip(self._widths, map(np.ascontiguousarray, parts), strict=True))

    def _network_of(self, layers: list[Layer]) -> Network:
        """Return the network that gives the vectors of some layers side by side."""
        record = self.network.record | {"dimension": sum(self._widths[layer] for layer in layers)}
        return replace(self.network, record=record, forward=lambda batch: self._forward(batch, layers)[0])

    def _forward(self, batch: torch.Tensor, layers: Sequence[Layer]) -> tuple[torch.Tensor, bool]:
        import torch

        assert self.network.blocks is not None
        numbers = sorted({number for number, _ in layers})
        outputs = self.network.blocks.outputs(batch, [number - 1 for number in numbers])
        of_block = dict(zip(numbers, outputs, strict=True))
        vectors = [of_block[number][0 if pooling == "cls" else 1] for number, pooling in layers]
        has_class_token = outputs[0][0] is not None
        return torch.cat([values.float() for values in vectors if values is not None], dim=1), has_class_token

    def _on_grey_picture(self, layers: Sequence[Layer]) -> tuple[int, bool]:
        """Return the length of the vectors of layers, and whether there is a class token."""
        import torch
        from PIL import Image

        grey = self.network.preprocess(Image.new("RGB", (64, 48), (127, 127, 127)))
        with torch.inference_mode():
            batch = self.network.collate([grey]).to(self.network.device)
            vectors, has_class_token = self._forward(batch, layers)
        return vectors.shape[1], has_class_token


@dataclass(frozen=True, eq=False, repr=False)
class LayerEncoder(Network):
    """An encoder that gives the vectors of one layer of a network.

    Attributes
    ----------
    recipe, record, transform, forward, split
        As of every network.
    tap : LayerTap
        The network, with all its layers that are read.
    layer : (int, str)
        Number of the block, and pooling.

    Examples
    --------
    >>> from bioclip_probe.encoders import load
    >>> encoder = load("layer:2:mean:world-generic")
    >>> encoder.layer, encoder.record["layer"], encoder.has_text
    ((2, 'mean'), 2, False)
    """

    tap: LayerTap = field(kw_only=True)
    layer: Layer = field(kw_only=True)

    def encode(self, batch: Any) -> np.ndarray:
        """Return the vectors of a batch of pictures at the layer.

        Parameters
        ----------
        batch : Tensor, ndarray or sequence
            b pictures as `collate`, `preprocess` or `portable_transform` returned them.

        Returns
        -------
        ndarray, shape (b, d), float32
            Not normalised.
        """
        import torch

        vectors = self.tap.vectors(batch if isinstance(batch, torch.Tensor) else self.collate(batch), self.layer)
        vectors.flags.writeable = False
        return vectors


def load(recipe: Recipe, inner: Recipe) -> LayerEncoder:
    """Return the encoder of one layer of a model.

    Parameters
    ----------
    recipe : Recipe
        Its id is ``layer:N[:cls|mean]:MODEL``.
    inner : Recipe
        Of the model.

    Returns
    -------
    LayerEncoder

    Raises
    ------
    ModelError
        If the model cannot be had, or has no such layer.

    Examples
    --------
    >>> from bioclip_probe.encoders import load as load_by_name
    >>> load_by_name("layer:99:world-generic")
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.ModelError: model layer:99:world-generic: it has 5 blocks, so there is no layer 99; ...
    """
    tap = _tap_of(inner)
    layer = tap.layer(*split_layer(split_wrapper(recipe.id)[0]))
    network = tap.network
    record = network.record | {
        "name": recipe.name,
        "id": public_id(recipe.id),
        "layer": layer[0],
        "pooling": layer[1],
        "dimension": tap.add(layer),
        "text": False,
    }
    encoder = LayerEncoder(
        recipe.resolved(record), record, network.transform, network.forward, split=network.split, tap=tap, layer=layer
    )
    tried(encoder)
    return encoder


def _tap_of(inner: Recipe) -> LayerTap:
    """Return the network of a recipe, shared by all of its layers that are in use."""
    key = (inner, file_stamp(inner.id))
    tap = _TAPS.get(key)
    if tap is None:
        network = inner.build()
        if not isinstance(network, Network):
            raise ModelError("it is not a network, so it has no layers")
        tap = LayerTap(network)
        _TAPS[key] = tap
    return tap
