"""An encoder that runs a torch network; the model families build it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from bioclip_probe.encoders.blocks import Blocks
from bioclip_probe.encoders.encoder import BaseEncoder, check_finite, check_vectors, smallest_cosine
from bioclip_probe.encoders.pixels import PixelTransform, SplitTransform
from bioclip_probe.encoders.precision import dtype_of
from bioclip_probe.errors import ModelError

if TYPE_CHECKING:
    import torch
    from PIL import Image


_ACTIVATIONS = {"GELU": "gelu", "QuickGELU": "quickgelu", "ReLU": "relu", "SiLU": "silu", "GELUTanh": "gelu_tanh"}

# Threads wait for the GPU side by side, but only one at a time gives it work: settings of cuDNN hold for the process,
# and a network of the user's own need not stand two threads.
_LAUNCHING = Lock()


@dataclass(frozen=True, eq=False, repr=False)
class Network(BaseEncoder):
    """An encoder that runs a torch network on the device and in the precision of its record.

    Pictures are resized and cropped on the CPU, and values are scaled in float32. Several threads may encode at once:
    a GPU receives the next batch while it computes the last one.

    Attributes
    ----------
    recipe, record
        As of every encoder.
    transform : callable
        From one picture to what `forward` takes a batch of.
    forward : callable
        From a (b, ...) tensor on the device to (b, d).
    forward_text : callable, optional
        From a list of b texts to (b, d); None where there is no text tower.
    tokenizer : callable, optional
        Returns open_clip's tokenizer, for models of open_clip.
    logit_scale : float, optional
        Factor by which the model multiplies cosines of pictures and texts, where it is known.
    split : SplitTransform, optional
        The transform in two parts, where it has them: bytes here, and values on the device.
    blocks : Blocks, optional
        The blocks that the network is made of, where it tells what they compute.

    Examples
    --------
    >>> import bioclip_probe as bp
    >>> encoder = bp.encoders.load("world-generic")
    >>> encoder.encode_text(["a small teal creature"]).shape == (1, encoder.dimension)
    True
    """

    transform: Callable[[Image.Image], Any]
    forward: Callable[[torch.Tensor], torch.Tensor]
    forward_text: Callable[[list[str]], torch.Tensor] | None = None
    tokenizer: Callable[[], Any] | None = None
    logit_scale: float | None = None
    split: SplitTransform | None = None
    blocks: Blocks | None = None

    @property
    def portable_transform(self) -> PixelTransform | None:
        """The first part of the transform, from a picture to bytes; None if the transform is in one piece."""
        return None if self.split is None else self.split.pixels

    @property
    def has_text(self) -> bool:
        """True where the network has a text tower."""
        return self.forward_text is not None

    @property
    def device(self) -> str:
        """Device of the network, as torch names it."""
        return self.record["device"]

    def preprocess(self, image: Image.Image) -> Any:
        """Return one picture as the network's own transform gives it.

        Parameters
        ----------
        image : PIL.Image.Image

        Returns
        -------
        Tensor or ndarray
        """
        return self.transform(image)

    def collate(self, pictures: Sequence[Any]) -> torch.Tensor:
        """Return preprocessed pictures as one batch, in memory that a GPU reads directly.

        Parameters
        ----------
        pictures : sequence of Tensor or ndarray
            As `preprocess` or as `portable_transform` returns them.

        Returns
        -------
        Tensor, shape (b, ...)
            In the network's precision, or as bytes.
        """
        import torch

        if self.split is not None and all(getattr(picture, "dtype", None) == np.uint8 for picture in pictures):
            return self._stacked_bytes(pictures)
        batch = stack_pictures(pictures).to(dtype_of(self.record["precision"]))
        if self.device == "cpu":
            return batch
        with torch.cuda.device(self.device):  # else a thread of its own would start a context on the first GPU
            return batch.pin_memory()

    def _stacked_bytes(self, pictures: Sequence[np.ndarray]) -> torch.Tensor:
        """Return a batch of bytes. Torch uses memory for a GPU again, and touches no fresh pages for every batch."""
        import torch

        on_gpu = self.device != "cpu"
        with torch.cuda.device(self.device) if on_gpu else nullcontext():
            batch = torch.empty((len(pictures), *pictures[0].shape), dtype=torch.uint8, pin_memory=on_gpu)
        np.stack(pictures, out=batch.numpy())
        return batch

    def encode(self, batch: Any) -> np.ndarray:
        """Return the vectors of a batch of pictures.

        The extraction checks that they are finite, because it knows the names of the pictures. A batch that does not
        fit into the memory of the GPU is encoded in halves.

        Parameters
        ----------
        batch : Tensor, ndarray or sequence
            b pictures as `collate`, `preprocess` or `portable_transform` returned them.

        Returns
        -------
        ndarray, shape (b, d), float32
            Not normalised.

        Raises
        ------
        ModelError
            If the network gives an array of another shape.
        """
        import torch

        if not isinstance(batch, torch.Tensor):
            batch = self.collate(batch)
        try:
            return check_vectors(self._vectors(batch), len(batch), self.name, self.dimension)
        except torch.OutOfMemoryError:
            if len(batch) == 1:
                raise
        half = len(batch) // 2  # not inside the handler, whose traceback holds on to the memory
        return np.concatenate([self.encode(batch[:half]), self.encode(batch[half:])])

    def _vectors(self, batch: torch.Tensor) -> np.ndarray:
        """Return the vectors of one batch, in one pass of the network."""
        import torch

        if self.device == "cpu":
            with torch.inference_mode():
                return _as_array(self.forward(self._values(batch)))
        # The lock is held while work is handed to the GPU, and not while the GPU does it.
        with _LAUNCHING, torch.cuda.device(self.device), torch.inference_mode(), _exact_convolutions():
            vectors = self.forward(self._values(self._on_gpu(batch)))
            if not isinstance(vectors, torch.Tensor):
                return np.asarray(vectors)
            received = torch.empty(vectors.shape, dtype=torch.float32, pin_memory=True)
            received.copy_(vectors.float(), non_blocking=True)
            done = torch.cuda.Event(blocking=True)  # a thread that waits leaves its core to others
            done.record()
        done.synchronize()
        return received.numpy()

    def _on_gpu(self, batch: torch.Tensor) -> torch.Tensor:
        """Return a batch on the GPU, copied while the GPU computes the batch before."""
        import torch

        with torch.cuda.stream(self._copying):
            copy = batch.to(self.device, non_blocking=True)
        computing = torch.cuda.current_stream()
        computing.wait_stream(self._copying)
        copy.record_stream(computing)
        return copy

    @cached_property
    def _copying(self) -> torch.cuda.Stream:
        import torch

        return torch.cuda.Stream(self.device)

    def _values(self, batch: torch.Tensor) -> torch.Tensor:
        """Return what the network takes: a batch on its device, normalised, in its precision."""
        if self.split is not None and self._holds_bytes(batch):
            batch = self.split.normalization(batch)
        return batch.to(device=self.device, dtype=dtype_of(self.record["precision"]))

    def _holds_bytes(self, batch: torch.Tensor) -> bool:
        """Return True if pictures of a batch are as `portable_transform` returns them."""
        return self.split is not None and not batch.is_floating_point()

    def parity(self, pictures: Sequence[Any]) -> float | None:
        """Return the smallest cosine between the network's vectors and those of the same network in float32.

        The float32 network is built for this check and freed after it. Give the pictures as `preprocess` or
        `portable_transform` returns them, because a collated batch may have been rounded.

        Parameters
        ----------
        pictures : sequence of Tensor or ndarray

        Returns
        -------
        float or None
            None if the network computes in float32.

        Raises
        ------
        ModelError
            If the weights have changed since the network was loaded, or a vector is not finite.
        """
        if self.record["precision"] == "fp32":
            return None
        batch = stack_pictures(pictures)
        exact = self.recipe.at_precision("fp32").build()
        if exact.record["sha256"] != self.record["sha256"]:
            raise ModelError(f"{self.name}: its weights have changed since it was loaded; start again")
        return smallest_cosine(check_finite(self.encode(batch), self.name, "pictures"), exact.encode(batch))

    def encode_text(self, texts: Sequence[str], batch_size: int = 256) -> np.ndarray:
        """Return the vectors of texts.

        Texts of about equal length share a batch, because a tower may skip the positions after the longest of them.

        Parameters
        ----------
        texts : sequence of str
            n texts.
        batch_size : int

        Returns
        -------
        ndarray, shape (n, d), float32
            Not normalised.

        Raises
        ------
        ModelError
            If there is no text tower, or a vector is not finite.
        """
        import torch

        if self.forward_text is None:
            raise ModelError(f"{self.name} has no text tower: it embeds pictures only; for text, take a CLIP")
        texts = list(texts)
        order = np.argsort([len(text) for text in texts], kind="stable")
        batches = [np.empty((0, self.dimension), np.float32)]
        with torch.inference_mode():
            for start in range(0, len(texts), batch_size):
                batch = [texts[i] for i in order[start : start + batch_size]]
                batches.append(_as_array(self.forward_text(batch)))
        vectors = check_vectors(np.concatenate(batches), len(texts), self.name, self.dimension)
        vectors = check_finite(vectors, self.name, "texts")[np.argsort(order)]
        vectors.flags.writeable = False
        return vectors


def activation_names(module: torch.nn.Module) -> str:
    """Return the names of the activation functions that a module is built of.

    Parameters
    ----------
    module : torch.nn.Module

    Returns
    -------
    str
        In alphabetical order, joined by "+"; empty if there are none.

    Examples
    --------
    >>> import torch
    >>> activation_names(torch.nn.Sequential(torch.nn.SiLU(), torch.nn.GELU()))
    'gelu+silu'
    """
    kinds = {type(layer).__name__ for layer in module.modules()}
    return "+".join(sorted({_ACTIVATIONS[kind] for kind in kinds if kind in _ACTIVATIONS}))


def stack_pictures(pictures: Any) -> torch.Tensor:
    """Return preprocessed pictures as one tensor.

    Parameters
    ----------
    pictures : Tensor, ndarray or sequence of them
        One array of b pictures, or b arrays of one picture.

    Returns
    -------
    Tensor, shape (b, ...)

    Examples
    --------
    >>> stack_pictures([np.zeros((3, 8, 8)), np.ones((3, 8, 8))]).shape
    torch.Size([2, 3, 8, 8])
    """
    import torch

    if isinstance(pictures, torch.Tensor):
        return pictures
    if isinstance(pictures, np.ndarray):
        return torch.from_numpy(pictures)
    if all(isinstance(picture, np.ndarray) for picture in pictures):
        return torch.from_numpy(np.stack(pictures))
    return torch.stack([torch.as_tensor(picture) for picture in pictures])


@contextmanager
def _exact_convolutions() -> Iterator[None]:
    """Keep float32 convolutions on a GPU in float32 (torch may round to TF32), with its fastest algorithm."""
    import torch

    with torch.backends.cudnn.flags(enabled=True, benchmark=True, deterministic=False, allow_tf32=False):
        yield


def _as_array(vectors: Any) -> np.ndarray:
    import torch

    return vectors.float().cpu().numpy() if isinstance(vectors, torch.Tensor) else np.asarray(vectors)
