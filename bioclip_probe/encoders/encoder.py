"""What an encoder is, and the one that runs a torch network.

An encoder turns pictures into vectors in three steps: `preprocess` takes one picture (in worker threads, in any order),
`collate` makes a batch of what `preprocess` gave (in a thread ahead of the model), `encode` returns the vectors of the
batch as the network gives them, unnormalised. An encoder pickles as its recipe, see `recipe`.
Its `record` says all that can be known of where the numbers come from; its `fingerprint` covers what changes them.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from bioclip_probe.encoders.recipe import Recipe, again
from bioclip_probe.errors import ModelError

if TYPE_CHECKING:
    import torch
    from PIL import Image

# Not among them: where the weights were found, the device and the library versions. They move the numbers by rounding.
CHANGES_NUMBERS = ("family", "architecture", "sha256", "preprocessing", "activation", "precision", "dimension")
PRECISIONS = ("fp32", "bf16", "fp16")
SMALL = 20_000_000  # parameters of an image tower
CPUINFO = "/proc/cpuinfo"


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

    def collate(self, pictures: Sequence[Any]) -> Any:
        """b preprocessed pictures as `encode` takes them fastest; safe to call from another thread than `encode`."""

    def encode(self, batch: Any) -> np.ndarray:
        """(b, d) float32 vectors of b pictures, as `collate` or as `preprocess` gave them, unnormalised."""

    def parity(self, pictures: Sequence[Any]) -> float | None:
        """Smallest cosine between the vectors of preprocessed pictures and those of the same network in float32.

        None where that is what it computes in anyway.
        """

    def encode_text(self, texts: Sequence[str]) -> np.ndarray:
        """(n, d) float32 vectors of n texts, unnormalised; `ModelError` without a text tower."""


def fingerprint(record: dict[str, Any]) -> str:
    """12 hex digits over the parts of an encoder's `record` that change the numbers."""
    parts = {key: record.get(key) for key in CHANGES_NUMBERS}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]


def fingerprints_by_precision(record: dict[str, Any]) -> dict[str, str]:
    """The fingerprints that the encoder of this `record` has at each precision, its own among them.

    What "auto" comes to depends on the machine: vectors that a GPU made in fp16 are found again from a CPU by this.
    """
    precisions = (record["precision"],) if record["family"] == "control" else PRECISIONS
    return {precision: fingerprint(record | {"precision": precision}) for precision in precisions}


def versions(*packages: str) -> dict[str, str]:
    """Installed versions of `packages`, and of those every picture passes through."""
    return {package: importlib.metadata.version(package) for package in sorted({"numpy", "pillow", *packages})}


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


def chosen_precision(precision: str, device: str, model: torch.nn.Module) -> str:
    """What `precision` comes to for `model` on `device`: itself, or for "auto" the fastest that pays.

    "auto" is fp32 for networks of fewer than 20 million parameters, for those with batch normalisation, and wherever
    the hardware has no arithmetic for less. Else it is fp16 on a GPU and bf16 on a CPU: on a GPU the two are as fast,
    fp16 keeps three bits more, and should it overflow that is seen, while CPUs compute in bf16 only. (In bf16 the
    built-in world's networks run at half the speed of fp32, and a trained MobileNet comes to a cosine of 0.998.)
    """
    import torch

    if precision != "auto":
        return precision
    normalised = any(isinstance(part, torch.nn.modules.batchnorm._BatchNorm) for part in model.modules())
    if normalised or sum(parameter.numel() for parameter in model.parameters()) < SMALL:
        return "fp32"
    if device == "cpu":
        return "bf16" if _cpu_has_bf16() else "fp32"
    return "fp16" if torch.cuda.get_device_capability(device) >= (7, 0) else "fp32"


def _cpu_has_bf16() -> bool:
    """Whether this CPU multiplies in bf16: Intel since Cooper Lake or with AMX, AMD since Zen 4; asked of Linux."""
    try:
        with open(CPUINFO, encoding="utf-8") as file:
            flags = next((line for line in file if line.startswith("flags")), "").split()
    except OSError:
        return False
    return "amx_bf16" in flags or "avx512_bf16" in flags


def possible(precision: str, device: str) -> str:
    """`precision` as it is, or `ModelError` if there is none of that name or not on `device`."""
    if precision not in ("auto", *PRECISIONS):
        raise ModelError(f"unknown precision '{precision}'; expected auto or one of {', '.join(PRECISIONS)}")
    if precision == "fp16" and device == "cpu":
        raise ModelError("precision fp16 needs a GPU; on a CPU use bf16 or fp32")
    return precision


def dtype_of(precision: str) -> torch.dtype:
    """The torch dtype of `precision`: the network's weights and inputs are cast to it whole."""
    import torch

    return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]


def placed(model: torch.nn.Module, device: str, precision: str) -> torch.nn.Module:
    """`model` on `device`, whole in `precision`; on a GPU its convolutions channels-last, as tensor cores take them."""
    import torch

    model = model.to(device=device, dtype=dtype_of(precision))
    return model if device == "cpu" else model.to(memory_format=torch.channels_last)


@dataclass(frozen=True, eq=False)
class Recorded:
    """What every encoder is known by: its record. It pickles as its recipe."""

    recipe: Recipe
    record: dict[str, Any]

    @property
    def name(self) -> str:
        return self.record["name"]

    @property
    def dimension(self) -> int:
        return self.record["dimension"]

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.record)

    def __reduce__(self):
        return again, (self.recipe, self.fingerprint)


@dataclass(frozen=True, eq=False)
class Network(Recorded):
    """A torch network as an encoder; the families build it.

    `forward` takes a (b, ...) tensor on the record's device in its precision and returns (b, d); `text` does the same
    for a list of texts and is None where there is no text tower; `tokenizer` gives open_clip's tokenizer, where it is
    one of those; `logit_scale` is what the model multiplies cosines of pictures and texts by, where it tells.
    Preprocessing stays in float32 on the CPU.
    """

    transform: Callable[[Image.Image], Any]
    forward: Callable[[torch.Tensor], torch.Tensor]
    text: Callable[[list[str]], torch.Tensor] | None = None
    tokenizer: Callable[[], Any] | None = None
    logit_scale: float | None = None

    @property
    def has_text(self) -> bool:
        return self.text is not None

    @property
    def device(self) -> str:
        return self.record["device"]

    def preprocess(self, image: Image.Image) -> Any:
        """One picture, by the network's own transform."""
        return self.transform(image)

    def collate(self, pictures: Sequence[Any]) -> torch.Tensor:
        """Preprocessed pictures stacked, in the network's precision, where the GPU can fetch them while it computes."""
        import torch

        batch = stacked(pictures).to(dtype_of(self.record["precision"]))
        if self.device == "cpu":
            return batch
        with torch.cuda.device(self.device):  # else a thread of its own would wake the first GPU
            return batch.pin_memory()

    def encode(self, batch: Any) -> np.ndarray:
        """(b, d) float32 vectors of b pictures, unnormalised: of what `collate` gave, or a list or array of pictures.

        Whether they are finite is looked at where the pictures have names: in the extraction.
        """
        import torch

        if not isinstance(batch, torch.Tensor):
            batch = self.collate(batch)
        with torch.inference_mode(), _exact_convolutions(self.device):
            batch = batch.to(device=self.device, dtype=dtype_of(self.record["precision"]), non_blocking=True)
            return checked(_array(self.forward(batch)), len(batch), self.name, self.dimension)

    def parity(self, pictures: Sequence[Any]) -> float | None:
        """Smallest cosine between its vectors and the same network's in float32; None if that is what it computes in.

        The other network is built for this and let go. Give the pictures as `preprocess`
        does: of a collated batch the rounding of the pictures themselves does not show.
        """
        if self.record["precision"] == "fp32":
            return None
        batch = stacked(pictures)
        exact = self.recipe.at("fp32").build()
        if exact.record["sha256"] != self.record["sha256"]:
            raise ModelError(f"{self.name}: its weights have changed since it was loaded; start again")
        return smallest_cosine(finite(self.encode(batch), self.name, "pictures"), exact.encode(batch))

    def encode_text(self, texts: Sequence[str], batch_size: int = 256) -> np.ndarray:
        """(n, d) float32 vectors of n texts, unnormalised.

        Texts that are about as long share a batch, since a tower may be able to leave out what no text of it needs.
        """
        import torch

        if self.text is None:
            raise ModelError(f"{self.name} has no text tower: it embeds pictures only; for text, take a CLIP")
        texts = list(texts)
        order = np.argsort([len(text) for text in texts], kind="stable")
        parts = [np.empty((0, self.dimension), np.float32)]
        with torch.inference_mode():
            for start in range(0, len(texts), batch_size):
                parts.append(_array(self.text([texts[i] for i in order[start : start + batch_size]])))
        vectors = finite(checked(np.concatenate(parts), len(texts), self.name, self.dimension), self.name, "texts")
        vectors = vectors[np.argsort(order)]
        vectors.flags.writeable = False
        return vectors


@dataclass(frozen=True, eq=False)
class Elsewhere(Recorded):
    """An encoder that runs in other processes only: all that is known of it, and what it is made from.

    It stands for the encoder where there is no GPU, or no memory, to load it. Pickled, it arrives as the encoder.
    Where the same network is at hand at another precision (`here`), that one takes its texts.
    """

    here: Network | None = None

    @property
    def has_text(self) -> bool:
        return self.record["text"]

    def preprocess(self, image: Any) -> Any:
        raise self._refusal()

    def collate(self, pictures: Sequence[Any]) -> Any:
        raise self._refusal()

    def encode(self, batch: Any) -> np.ndarray:
        raise self._refusal()

    def parity(self, pictures: Sequence[Any]) -> float | None:
        raise self._refusal()

    def encode_text(self, texts: Sequence[str]) -> np.ndarray:
        if self.here is None:
            raise self._refusal()
        return self.here.encode_text(texts)

    def _refusal(self) -> ModelError:
        return ModelError(f"{self.name} is not loaded in this process: it runs where its pictures are embedded")


def smallest_cosine(a: np.ndarray, b: np.ndarray) -> float:
    """The smallest cosine between a row of `a` and the same row of `b`; two vectors of length zero count as alike."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    alike = (a == b).all(axis=1).astype(float)
    return float(np.divide((a * b).sum(axis=1), lengths, out=alike, where=lengths > 0).min())


@contextmanager
def _exact_convolutions(device: str) -> Iterator[None]:
    """On a GPU: float32 stays float32 (torch lets convolutions round to TF32), by the fastest algorithm there."""
    if device == "cpu":
        yield
        return
    import torch

    with torch.backends.cudnn.flags(enabled=True, benchmark=True, deterministic=False, allow_tf32=False):
        yield


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
