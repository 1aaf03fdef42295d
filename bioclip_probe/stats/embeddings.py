"""`Embeddings`: unit vectors with the ids of their images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bioclip_probe.errors import DataError, some
from bioclip_probe.tree.tree import read_only


@dataclass(frozen=True, eq=False)
class Embeddings:
    """n embeddings on the unit sphere, each with the id of its image.

    Attributes
    ----------
    ids : ndarray, shape (n,), str
        Everything is joined by them, never by position.
    vectors : ndarray, shape (n, d), float32
        Rows of norm 1, so that a dot product is a cosine similarity.
    """

    ids: np.ndarray
    vectors: np.ndarray

    @classmethod
    def of(cls, ids: np.ndarray, vectors: np.ndarray) -> Embeddings:
        """Normalise vectors of any scale and float type.

        Raises
        ------
        DataError
            If a vector is not finite or is all zero (it has no direction), or ids are not one per vector and unique.
        """
        ids = np.asarray(ids)
        vectors = np.asarray(vectors)
        if vectors.ndim != 2 or len(ids) != len(vectors):
            raise DataError(f"expected one id per row of an (n, d) array; got {len(ids)} ids and shape {vectors.shape}")
        return cls(read_only(_unique(ids)), read_only(unit_rows(vectors, ids)))

    def __len__(self) -> int:
        return len(self.ids)

    def centred(self) -> Embeddings:
        """The same images with the mean vector removed, renormalised: what is left without the common direction.

        Raises
        ------
        DataError
            If an image lies at the mean, but for the rounding of float32, and so has no direction left.
        """
        if not len(self):
            return self
        centred = self.vectors - self.vectors.mean(axis=0, dtype=np.float64)
        lost = np.flatnonzero(np.linalg.norm(centred, axis=1) < 1e-6)
        if len(lost):
            raise DataError(f"centring leaves {len(lost)} embeddings without direction: {some(self.ids[lost])}")
        return Embeddings.of(self.ids, centred)

    def take(self, rows: np.ndarray) -> Embeddings:
        """Some of the images, each once, in the order of `rows`."""
        return Embeddings(read_only(_unique(self.ids[rows])), read_only(self.vectors[rows]))


def _unique(ids: np.ndarray) -> np.ndarray:
    unique, counts = np.unique(ids, return_counts=True)
    if len(unique) < len(ids):
        raise DataError(f"image ids must be unique; more than once: {some(unique[counts > 1])}")
    return ids


def on_sphere(rows: np.ndarray) -> np.ndarray:
    """Rows of shape (n, d) brought to length 1; one of length zero stays there."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)


def unit_rows(vectors: np.ndarray, ids: np.ndarray | None = None) -> np.ndarray:
    """Rows divided by their Euclidean norm, float32.

    Raises
    ------
    DataError
        If a row is not finite or has (next to) no length; `ids` names the offenders.
    """
    names = np.arange(len(vectors)) if ids is None else ids
    norms = np.linalg.norm(np.asarray(vectors, dtype=np.float64), axis=1)
    bad = np.flatnonzero(~np.isfinite(norms))
    if len(bad):
        raise DataError(f"embeddings must be finite; {len(bad)} are not: {some(names[bad])}")
    zero = np.flatnonzero(norms < 1e-12)
    if len(zero):
        raise DataError(f"embeddings need a direction; {len(zero)} are zero: {some(names[zero])}")
    return np.asarray(vectors / norms[:, None], dtype=np.float32)
