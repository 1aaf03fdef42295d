"""From names to vectors: each in its prompts, through the text tower of a model.

Who keeps them is another matter: the store in `store.text_embeddings`, a run of the model card for itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bioclip_probe.encoders.text_tower import truncated_texts
from bioclip_probe.errors import ModelError, some
from bioclip_probe.extraction.prompts import PROMPT, zero_shot_templates

if TYPE_CHECKING:
    from bioclip_probe.encoders import Encoder


@dataclass(frozen=True, eq=False)
class Reader:
    """What makes a vector of a name.

    Attributes
    ----------
    encoder : Encoder
        Whatever runs here: where pictures are kept at another precision, it is not the store's.
    prompts : list of str
        In which a name stands, ``{}`` in its place.
    tokenizer : callable, optional
        One of open_clip's; without it nobody knows which prompts are too long.
    """

    encoder: Encoder
    prompts: list[str]
    tokenizer: Any | None

    @classmethod
    def of(cls, encoder: Encoder, templates: str) -> Reader:
        """That of an encoder with a text tower, for `templates` of ``plain`` or ``openai``."""
        here = getattr(encoder, "text_encoder", None) or encoder
        tokenizer = here.tokenizer() if getattr(here, "tokenizer", None) else None
        return cls(here, [PROMPT] if templates == "plain" else zero_shot_templates(), tokenizer)

    def read(self, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Vectors of b names, (b, d) float32, and which are known to have a prompt too long, (b,) bool.

        In several prompts it is the mean of their unit vectors, brought to length 1; in one as the model gives it.
        """
        shown = [prompt.format(name) for name in names for prompt in self.prompts]
        vectors = _checked(self.encoder, shown)
        shape = len(names), len(self.prompts)
        cut = truncated_texts(self.tokenizer, shown) if self.tokenizer else np.zeros(len(shown), bool)
        if len(self.prompts) > 1:
            mean = _unit(vectors.astype(np.float64)).reshape(*shape, -1).mean(axis=1)
            vectors = _unit(mean).astype(np.float32)
        return vectors, cut.reshape(shape).any(axis=1)

    def about(self) -> dict:
        """What the vectors depend on beside the names and the encoder's fingerprint."""
        return {
            "prompts": self.prompts,
            "precision": self.encoder.record.get("precision"),
            "dimension": self.encoder.dimension,
            "context_length": self.tokenizer.context_length if self.tokenizer else None,
        }


def _checked(encoder: Encoder, texts: list[str]) -> np.ndarray:
    """(n, d) float32 vectors of n texts, or a `ModelError` if they are not what the encoder said."""
    vectors = np.asarray(encoder.encode_text(texts), np.float32)
    if vectors.shape != (len(texts), encoder.dimension):
        raise ModelError(
            f"{encoder.name} gave an array of shape {vectors.shape} for {len(texts)} texts; "
            f"expected {(len(texts), encoder.dimension)}"
        )
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        broken = [text for text, good in zip(texts, finite, strict=True) if not good]
        raise ModelError(f"{encoder.name} gave NaN or infinite values for the texts: {some(broken)}")
    return vectors


def _unit(rows: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
