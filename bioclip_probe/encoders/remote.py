"""Encoders that run in other processes: they stand for an encoder where there is no GPU, or no memory, to load it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bioclip_probe.encoders.encoder import BaseEncoder
from bioclip_probe.encoders.recipe import Encoder
from bioclip_probe.errors import ModelError


@dataclass(frozen=True, eq=False, repr=False)
class RemoteEncoder(BaseEncoder):
    """An encoder that runs in other processes only. Pickled, it arrives there as the encoder itself.

    It stands for the encoder where there is no GPU, or no memory, to load it.

    Attributes
    ----------
    recipe, record
        As of every encoder.
    text_encoder : Encoder, optional
        The same network at another precision, if this process has it. It encodes the texts.

    Examples
    --------
    >>> from bioclip_probe.encoders import load
    >>> pixels = load("pixels")
    >>> RemoteEncoder(pixels.recipe, pixels.record).has_text
    False
    """

    text_encoder: Encoder | None = None

    @property
    def has_text(self) -> bool:
        """True where the encoder has a text tower."""
        return self.record["text"]

    def preprocess(self, image: Any) -> Any:
        """Raise an error, because the encoder is not loaded in this process.

        Parameters
        ----------
        image : PIL.Image.Image

        Raises
        ------
        ModelError
            Always.
        """
        raise self._not_loaded()

    def collate(self, pictures: Sequence[Any]) -> Any:
        """Raise an error, because the encoder is not loaded in this process.

        Parameters
        ----------
        pictures : sequence

        Raises
        ------
        ModelError
            Always.
        """
        raise self._not_loaded()

    def encode(self, batch: Any) -> np.ndarray:
        """Raise an error, because the encoder is not loaded in this process.

        Parameters
        ----------
        batch : Tensor, ndarray or sequence

        Raises
        ------
        ModelError
            Always.
        """
        raise self._not_loaded()

    def parity(self, pictures: Sequence[Any]) -> float | None:
        """Raise an error, because the encoder is not loaded in this process.

        Parameters
        ----------
        pictures : sequence

        Raises
        ------
        ModelError
            Always.
        """
        raise self._not_loaded()

    def encode_text(self, texts: Sequence[str]) -> np.ndarray:
        """Return the vectors of texts, from the same network at another precision.

        Parameters
        ----------
        texts : sequence of str

        Returns
        -------
        ndarray, shape (n, d), float32

        Raises
        ------
        ModelError
            If this process has no such network.
        """
        if self.text_encoder is None:
            raise self._not_loaded()
        return self.text_encoder.encode_text(texts)

    def _not_loaded(self) -> ModelError:
        return ModelError(f"{self.name} is not loaded in this process: it runs where its pictures are embedded")
