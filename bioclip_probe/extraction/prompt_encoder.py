"""Names to vectors: each name in its prompts, through the text tower of a model.

This module keeps nothing on disk. `bioclip_probe.extraction.text` writes the vectors into the store, and the model card
uses them at once.
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
class PromptEncoder:
    """A text tower with the prompts that a name stands in.

    Attributes
    ----------
    encoder : Encoder
        The encoder that embeds texts in this process. It may have another precision than the one of the pictures.
    prompts : list of str
        The prompts, with ``{}`` in the place of the name.
    tokenizer : callable, optional
        The tokenizer of open_clip. Without it, prompts that are too long cannot be found.

    Examples
    --------
    >>> class Letters:
    ...     name, dimension = "letters", 2
    ...     def encode_text(self, texts):
    ...         return [[text.count("a"), text.count("i")] for text in texts]
    >>> vectors, truncated = PromptEncoder.of(Letters(), "plain").encode(["Pica"])
    >>> vectors.tolist()
    [[2.0, 1.0]]
    """

    encoder: Encoder
    prompts: list[str]
    tokenizer: Any | None

    @classmethod
    def of(cls, encoder: Encoder, templates: str) -> PromptEncoder:
        """Return the prompt encoder of an encoder with a text tower.

        Parameters
        ----------
        encoder : Encoder
        templates : str
            ``plain`` for `a photo of {}.`, ``openai`` for the 81 prompts of `zero_shot_templates`.

        Returns
        -------
        PromptEncoder
        """
        in_this_process = getattr(encoder, "text_encoder", None) or encoder
        make_tokenizer = getattr(in_this_process, "tokenizer", None)
        tokenizer = make_tokenizer() if make_tokenizer else None
        return cls(in_this_process, [PROMPT] if templates == "plain" else zero_shot_templates(), tokenizer)

    def encode(self, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Return the vectors of some names, and a mask of the names that have a prompt too long for the model.

        Parameters
        ----------
        names : sequence of str

        Returns
        -------
        vectors : (b, d) float32 array
            With one prompt, as the model returns them. With several prompts, the mean of their unit vectors, scaled to
            length 1.
        truncated : (b,) bool array
            All False without a tokenizer.

        Raises
        ------
        ModelError
            If the vectors have another shape than the encoder declares, or are not finite.
        """
        texts = [prompt.format(name) for name in names for prompt in self.prompts]
        vectors = _checked_vectors(self.encoder, texts)
        shape = len(names), len(self.prompts)
        truncated = truncated_texts(self.tokenizer, texts) if self.tokenizer else np.zeros(len(texts), bool)
        if len(self.prompts) > 1:
            mean = _unit_rows(vectors.astype(np.float64)).reshape(*shape, -1).mean(axis=1)
            vectors = _unit_rows(mean).astype(np.float32)
        return vectors, np.any(truncated.reshape(shape), axis=1)

    def record(self) -> dict[str, Any]:
        """Return what the vectors depend on besides the names and the fingerprint of the encoder.

        Returns
        -------
        dict
            JSON-able: prompts, precision, dimension, context_length (None without a tokenizer).
        """
        return {
            "prompts": self.prompts,
            "precision": self.encoder.record.get("precision"),
            "dimension": self.encoder.dimension,
            "context_length": self.tokenizer.context_length if self.tokenizer else None,
        }


def _checked_vectors(encoder: Encoder, texts: list[str]) -> np.ndarray:
    """Return the (n, d) float32 vectors of n texts, or raise `ModelError` if they are not as declared."""
    vectors = np.asarray(encoder.encode_text(texts), np.float32)
    if vectors.shape != (len(texts), encoder.dimension):
        raise ModelError(
            f"{encoder.name} returned an array of shape {vectors.shape} for {len(texts)} texts; "
            f"expected {(len(texts), encoder.dimension)}"
        )
    finite = np.all(np.isfinite(vectors), axis=1)
    if not finite.all():
        broken = [text for text, is_finite in zip(texts, finite, strict=True) if not is_finite]
        raise ModelError(f"{encoder.name} returned NaN or infinite values for the texts: {some(broken)}")
    return vectors


def _unit_rows(rows: np.ndarray) -> np.ndarray:
    """Return rows scaled to length 1; a row of zeros stays as it is."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
