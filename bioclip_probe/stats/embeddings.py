"""Embeddings as unit vectors, and the checks that vectors must pass before anything is computed from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bioclip_probe.errors import DataError, some
from bioclip_probe.tree.tree import read_only

#: The norm of a unit vector may differ from 1 by this much; vectors stored as float16 differ by up to 5e-4.
NORM_TOLERANCE = 1e-3
#: A vector whose norm is smaller than this has no direction.
SMALLEST_NORM = 1e-12
#: Rows whose norms are computed at once, in float64.
BLOCK = 8192
HOW_TO_NORMALISE = "normalise them, e.g. Embeddings.of(ids, vectors)"
HOW_TO_LEAVE_OUT = "leave these images out and normalise the others, e.g. Embeddings.of(ids, vectors)"


@dataclass(frozen=True, eq=False)
class Embeddings:
    """A set of n embeddings on the unit sphere, each with the id of its image.

    Attributes
    ----------
    ids : ndarray, shape (n,), str
        Unique names of the images. Tables are joined by id, never by position.
    vectors : ndarray, shape (n, d), float32
        Rows of norm 1, so that a dot product is a cosine similarity.

    Examples
    --------
    >>> embeddings = Embeddings.of(["a", "b"], [[3.0, 0.0], [0.0, 2.0]])
    >>> embeddings.vectors.tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    >>> embeddings.take([1]).ids.tolist()
    ['b']
    """

    ids: np.ndarray
    vectors: np.ndarray

    @classmethod
    def of(cls, ids: np.ndarray, vectors: np.ndarray) -> Embeddings:
        """Normalise vectors of any scale and number type.

        Parameters
        ----------
        ids : array_like, shape (n,), str
            Unique names of the images.
        vectors : array_like, shape (n, d)
            Finite rows of which none is zero.

        Returns
        -------
        Embeddings

        Raises
        ------
        DataError
            If a vector is not finite or is zero, or if the ids are not unique or not one for each vector.
        """
        ids = np.asarray(ids)
        vectors = np.asarray(vectors)
        if vectors.ndim != 2 or len(ids) != len(vectors):
            raise DataError(f"expected one id per row of an (n, d) array; got {len(ids)} ids and shape {vectors.shape}")
        return cls(read_only(_check_unique(ids)), read_only(unit_rows(vectors, ids)))

    def __len__(self) -> int:
        return len(self.ids)

    def centred(self) -> Embeddings:
        """Return the same images with the mean vector subtracted and the rows normalised again.

        Returns
        -------
        Embeddings
            The embeddings without the direction that all images share.

        Raises
        ------
        DataError
            If an image lies at the mean up to the rounding of float32, so that it has no direction left.
        """
        if not len(self):
            return self
        centred = self.vectors - self.vectors.mean(axis=0, dtype=np.float64)
        lost = np.flatnonzero(np.linalg.norm(centred, axis=1) < 1e-6)
        if len(lost):
            raise DataError(f"centring leaves {len(lost)} embeddings without direction: {some(self.ids[lost])}")
        return Embeddings.of(self.ids, centred)

    def take(self, rows: np.ndarray) -> Embeddings:
        """Return some of the images, in the order of `rows`.

        Parameters
        ----------
        rows : ndarray, shape (m,), int64
            Row numbers, each at most once.

        Returns
        -------
        Embeddings

        Raises
        ------
        DataError
            If a row number occurs twice.
        """
        return Embeddings(read_only(_check_unique(self.ids[rows])), read_only(self.vectors[rows]))


def check_vectors(vectors: np.ndarray, n: int | None = None) -> np.ndarray:
    """Return the vectors unchanged, or raise an error if they are not finite unit vectors.

    Every public metric checks its vectors here, once.

    Parameters
    ----------
    vectors : array_like, shape (n, d), float
        Embeddings. The norm of each row differs from 1 by at most 1e-3, so that vectors stored as float16 pass.
    n : int, optional
        The number of rows that is expected, e.g. the number of images in a table.

    Returns
    -------
    ndarray, shape (n, d)
        The same array, of the same dtype.

    Raises
    ------
    DataError
        If the array does not have two dimensions, `n` rows or a float dtype, or if a row is not finite, is zero or does
        not have norm 1. The message names the first such rows.

    Examples
    --------
    >>> check_vectors(np.eye(2), n=2).shape
    (2, 2)
    >>> check_vectors(np.array([[1.0, 0.0], [3.0, 4.0]]))
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: vectors must have norm 1; 1 do not, in rows 1; normalise them, e.g. ...
    """
    vectors = np.asarray(vectors)
    if vectors.ndim != 2 or (n is not None and len(vectors) != n):
        expected = "(n, d)" if n is None else f"({n}, d)"
        raise DataError(f"expected vectors of shape {expected}, one row per image; got shape {vectors.shape}")
    if not np.issubdtype(vectors.dtype, np.floating):
        raise DataError(f"expected vectors of a float type, got {vectors.dtype}; {HOW_TO_NORMALISE}")
    norms = _norms(vectors)
    for is_wrong, problem, remedy in (
        (~np.isfinite(norms), "must be finite; {} are not", HOW_TO_LEAVE_OUT),
        (norms < SMALLEST_NORM, "must have a direction; {} are zero", HOW_TO_LEAVE_OUT),
        (np.abs(norms - 1) > NORM_TOLERANCE, "must have norm 1; {} do not", HOW_TO_NORMALISE),
    ):
        if rows := np.flatnonzero(is_wrong).tolist():
            raise DataError(f"vectors {problem.format(len(rows))}, in rows {some(rows)}; {remedy}")
    return vectors


def unit_or_zero_rows(rows: np.ndarray) -> np.ndarray:
    """Return rows divided by their Euclidean norm; a row of zeros stays zero.

    Parameters
    ----------
    rows : ndarray, shape (n, d), float

    Returns
    -------
    ndarray, shape (n, d)
        Of the same dtype.

    Examples
    --------
    >>> unit_or_zero_rows(np.array([[0.0, 2.0], [0.0, 0.0]])).tolist()
    [[0.0, 1.0], [0.0, 0.0]]
    """
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)


def unit_rows(vectors: np.ndarray, ids: np.ndarray | None = None) -> np.ndarray:
    """Return rows divided by their Euclidean norm, or raise an error if a row has no direction.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)
        Any number type.
    ids : ndarray, shape (n,), optional
        Names for the error message; row numbers by default.

    Returns
    -------
    ndarray, shape (n, d), float32

    Raises
    ------
    DataError
        If a row is not finite or its norm is below 1e-12.

    Examples
    --------
    >>> unit_rows(np.array([[0, 5]])).tolist()
    [[0.0, 1.0]]
    """
    names = np.arange(len(vectors)) if ids is None else ids
    norms = np.linalg.norm(np.asarray(vectors, dtype=np.float64), axis=1)
    bad = np.flatnonzero(~np.isfinite(norms))
    if len(bad):
        raise DataError(f"embeddings must be finite; {len(bad)} are not: {some(names[bad])}")
    zero = np.flatnonzero(norms < SMALLEST_NORM)
    if len(zero):
        raise DataError(f"embeddings need a direction; {len(zero)} are zero: {some(names[zero])}")
    return np.asarray(vectors / norms[:, None], dtype=np.float32)


def _norms(vectors: np.ndarray) -> np.ndarray:
    """Return the norm of each row in float64, block by block: float16 would overflow, a full copy may not fit."""
    norms = np.empty(len(vectors))
    for start in range(0, len(vectors), BLOCK):
        norms[start : start + BLOCK] = np.linalg.norm(vectors[start : start + BLOCK].astype(np.float64), axis=1)
    return norms


def _check_unique(ids: np.ndarray) -> np.ndarray:
    unique, counts = np.unique(ids, return_counts=True)
    if len(unique) < len(ids):
        raise DataError(f"image ids must be unique; more than once: {some(unique[counts > 1])}")
    return ids
