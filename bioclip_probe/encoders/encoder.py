"""What an encoder is, and the one that runs a torch network.

An encoder turns pictures into vectors in two steps: `preprocess` takes one picture (in worker threads, in any order),
`encode` takes a batch of what `preprocess` gave and returns its vectors as the network gives them, unnormalised.
Its `record` says all that can be known of where the numbers come from; its `fingerprint` covers what changes them.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from bioclip_probe.errors import ModelError

if TYPE_CHECKING:
    import torch
    from PIL import Image

# Not among them: where the weights were found, the device and the library versions. They move the numbers by rounding.
CHANGES_NUMBERS = ("family", "architecture", "sha256", "preprocessing", "activation", "precision", "dimension")
PRECISIONS = ("fp32", "bf16", "fp16")


class Encoder(Protocol):
    """Pictures in, vectors out.

    Attributes
    ----------
    name : str
        How tables and figures call it.
    dimension : int
        Length d of its vectors.
    has_text : bool
        Whether `encode_text` works.
    record : dict
        JSON-able: name, id, family, architecture, revision, sha256 and files of the weights, preprocessing, activation,
        precision, device, dimension, text, versions.
    fingerprint : str
        12 hex digits over the record's parts that change the numbers.
    """

    name: str
    dimension: int
    has_text: bool
    record: dict[str, Any]
    fingerprint: str

    def preprocess(self, image: Image.Image) -> Any:
        """One RGB picture as the encoder wants it; safe to call from several threads."""

    def encode(self, batch: Sequence[Any]) -> np.ndarray:
        """(b, d) float32 vectors of b preprocessed pictures, unnormalised."""

    def encode_text(self, texts: Sequence[str]) -> np.ndarray:
        """(n, d) float32 vectors of n texts, unnormalised; `ModelError` without a text tower."""


def fingerprint(record: dict[str, Any]) -> str:
    """12 hex digits over the parts of an encoder's `record` that change the numbers."""
    parts = {key: record.get(key) for key in CHANGES_NUMBERS}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]


def versions(*packages: str) -> dict[str, str]:
    """Installed versions of `packages`, and of those every picture passes through."""
    return {package: importlib.metadata.version(package) for package in sorted({"numpy", "pillow", *packages})}


def one_line(error: object, limit: int = 240) -> str:
    """What another library said, on one line of at most `limit` characters."""
    text = " ".join(str(error).split())
    text = text if len(text) <= limit else f"{text[: limit - 3]}..."
    return f"{type(error).__name__}: {text}" if isinstance(error, BaseException) else text


def checked(vectors: np.ndarray, rows: int, encoder: str, dimension: int) -> np.ndarray:
    """`vectors` as read-only (rows, dimension) float32, or `ModelError` if they are of another shape."""
    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    if vectors.shape != (rows, dimension):
        raise ModelError(
            f"{encoder} gave an array of shape {vectors.shape} for {rows} pictures or texts; "
            f"expected ({rows}, {dimension}): one vector of its stated dimension each"
        )
    vectors.flags.writeable = False
    return vectors


def finite(vectors: np.ndarray, encoder: str, what: str) -> np.ndarray:
    """`vectors` as they are, or `ModelError` if some are not finite."""
    broken = int((~np.isfinite(vectors)).any(axis=1).sum())
    if broken:
        raise ModelError(
            f"{encoder} gave NaN or infinite values for {broken} of {len(vectors)} {what}; "
            "its weights are damaged, or its precision overflows: try fp32"
        )
    return vectors


def chosen_device(device: str) -> str:
    """`device` ("cpu", "cuda", "cuda:1", "auto") as torch knows it here; "auto" is a GPU where there is one."""
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device != "cpu" and device.partition(":")[0] != "cuda":
        raise ModelError(f"unknown device '{device}'; expected cpu, cuda, cuda:N or auto")
    if device != "cpu" and not torch.cuda.is_available():
        raise ModelError(f"device '{device}' was asked for, but torch finds no GPU here; use --device cpu or auto")
    return device


def chosen_dtype(precision: str, device: str) -> torch.dtype:
    """The torch dtype of `precision`: the network's weights and inputs are cast to it whole."""
    import torch

    if precision not in PRECISIONS:
        raise ModelError(f"unknown precision '{precision}'; expected one of {', '.join(PRECISIONS)}")
    if precision == "fp16" and device == "cpu":
        raise ModelError("precision fp16 needs a GPU; on a CPU use bf16 or fp32")
    return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]


@dataclass(frozen=True, eq=False)
class Network:
    """A torch network as an encoder; the families build it.

    `forward` takes a (b, ...) tensor on `device` in `dtype` and returns (b, d); `text` does the same for a list of
    texts and is None where there is no text tower. Preprocessing stays in float32 on the CPU.
    """

    name: str
    record: dict[str, Any]
    transform: Callable[[Image.Image], Any]
    forward: Callable[[torch.Tensor], torch.Tensor]
    device: str
    dtype: torch.dtype
    text: Callable[[list[str]], torch.Tensor] | None = None

    @property
    def dimension(self) -> int:
        return self.record["dimension"]

    @property
    def has_text(self) -> bool:
        return self.text is not None

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.record)

    def preprocess(self, image: Image.Image) -> Any:
        """One picture, by the network's own transform."""
        return self.transform(image)

    def encode(self, batch: Sequence[Any]) -> np.ndarray:
        """(b, d) float32 vectors of b preprocessed pictures (a list of them, or one stacked array), unnormalised.

        Whether they are finite is looked at where the pictures have names: in the extraction.
        """
        import torch

        with torch.inference_mode():
            vectors = self.forward(stacked(batch).to(device=self.device, dtype=self.dtype))
            return checked(_array(vectors), len(batch), self.name, self.dimension)

    def encode_text(self, texts: Sequence[str], batch_size: int = 256) -> np.ndarray:
        """(n, d) float32 vectors of n texts, unnormalised."""
        import torch

        if self.text is None:
            raise ModelError(f"{self.name} has no text tower: it embeds pictures only; for text, take a CLIP")
        texts = list(texts)
        parts = [np.empty((0, self.dimension), np.float32)]
        with torch.inference_mode():
            for start in range(0, len(texts), batch_size):
                parts.append(_array(self.text(texts[start : start + batch_size])))
        return finite(checked(np.concatenate(parts), len(texts), self.name, self.dimension), self.name, "texts")


def stacked(batch: Sequence[Any]) -> torch.Tensor:
    """Preprocessed pictures (tensors or arrays, a list of them or already one array) as one tensor."""
    import torch

    if isinstance(batch, torch.Tensor):
        return batch
    if isinstance(batch, np.ndarray):
        return torch.from_numpy(batch)
    return torch.stack([torch.as_tensor(picture) for picture in batch])


def _array(vectors: Any) -> np.ndarray:
    import torch

    return vectors.float().cpu().numpy() if isinstance(vectors, torch.Tensor) else np.asarray(vectors)
