"""Sums over images from which the sums over all their pairs follow; they add and subtract.

Half the squared distance of two unit vectors is their cosine distance 1 - u·v, and it does not change when one vector
is subtracted from all. With x the vectors minus an origin, q = ‖x‖², n the number of images, Q = Σq, F = Σq², s = Σx,
D = Σqx and G = Σxxᵀ, the sums over all pairs of images are algebra::

    Σ c    = (nQ - ‖s‖²)/2
    Σ c²   = (nF + Q²)/4 + ‖G‖_F²/2 - D·s

An origin near the mean keeps the digits of embeddings that nearly coincide. The module `tree_sums` combines these sums
with distances along a tree.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import csr_array

from bioclip_probe.tree.tree import read_only

#: A smaller standard deviation of distances counts as zero: rounding to float32 leaves as much of equal unit vectors.
NOISE = 1e-15


@dataclass(frozen=True, eq=False)
class Moments:
    """Sums over the images of each of k groups, and over all images.

    Moments of different images add, so shards and ranks can be merged.

    Attributes
    ----------
    counts : ndarray, shape (k,), float64
        Number of images in each group.
    sums : ndarray, shape (k, d), float64
        Σ x of each group: the sum of its vectors minus the origin.
    norms : ndarray, shape (k,), float64
        Σ ‖x‖² of each group.
    second : ndarray, shape (d, d), float64
        Second moment Σ x xᵀ over all images.
    third : ndarray, shape (d,), float64
        Σ ‖x‖² x over all images.
    fourths : float
        Σ ‖x‖⁴ over all images.
    origin : ndarray, shape (d,), float64
        The vector that was subtracted from all vectors; zero by default.

    Examples
    --------
    >>> moments = Moments.of(np.eye(3), np.array([0, 0, 1]), n_groups=2)
    >>> moments.counts.tolist(), moments.n_pairs, moments.distance_sum
    ([2.0, 1.0], 3.0, 3.0)
    >>> (moments + moments).n
    6.0
    """

    counts: np.ndarray
    sums: np.ndarray
    norms: np.ndarray
    second: np.ndarray
    third: np.ndarray
    fourths: float
    origin: np.ndarray

    def __post_init__(self) -> None:
        for key in ("counts", "sums", "norms", "second", "third", "origin"):
            object.__setattr__(self, key, read_only(getattr(self, key)))

    @classmethod
    def of(
        cls, vectors: np.ndarray, groups: np.ndarray, n_groups: int, block: int = 8192, origin: np.ndarray | None = None
    ) -> Moments:
        """Return the moments of some vectors.

        Parameters
        ----------
        vectors : ndarray, shape (n, d)
            Vectors of images.
        groups : ndarray, shape (n,), int64
            The group of each image, from 0 to ``n_groups - 1``; images of -1 are left out.
        n_groups : int
            Number of groups.
        block : int
            Rows that are processed together.
        origin : ndarray, shape (d,), optional
            The vector to subtract from all vectors; zero by default.

        Returns
        -------
        Moments
        """
        d = vectors.shape[1]
        origin = np.zeros(d) if origin is None else np.asarray(origin, dtype=np.float64)
        counts, sums, norms = np.zeros(n_groups), np.zeros((n_groups, d)), np.zeros(n_groups)
        second, third, fourths = np.zeros((d, d)), np.zeros(d), 0.0
        for start in range(0, len(vectors), block):
            group = groups[start : start + block]
            x = vectors[start : start + block][group >= 0] - origin
            q = np.einsum("ij,ij->i", x, x)
            present, place = np.unique(group[group >= 0], return_inverse=True)
            pick = _indicator(place, len(present))
            counts[present] += pick.sum(axis=1)
            sums[present] += pick @ x
            norms[present] += pick @ q
            second += x.T @ x
            third += q @ x
            fourths += float(q @ q)
        return cls(counts, sums, norms, second, third, fourths, origin)

    def about(self, origin: np.ndarray) -> Moments:
        """Return the moments of the same images about another origin.

        Parameters
        ----------
        origin : ndarray, shape (d,)

        Returns
        -------
        Moments
        """
        step = self.origin - origin
        if not step.any():
            return self
        square, along, total, n = step @ step, self.second @ step, self.sums.sum(axis=0), self.n
        cross = np.outer(total, step)
        return Moments(
            self.counts,
            self.sums + self.counts[:, None] * step,
            self.norms + 2 * self.sums @ step + self.counts * square,
            self.second + cross + cross.T + n * np.outer(step, step),
            self.third + (self.squares + 2 * step @ total + n * square) * step + 2 * along + square * total,
            self.fourths
            + (4 * step @ (along + self.third) + 2 * square * (self.squares + 2 * step @ total) + n * square**2),
            np.asarray(origin, dtype=np.float64),
        )

    def __add__(self, other: Moments) -> Moments:
        """Return the moments of the images of both, about the origin of the first."""
        return self._combine(other.about(self.origin), 1)

    def __sub__(self, other: Moments) -> Moments:
        """Return the moments without the images of `other`, all of which must be among these images."""
        return self._combine(other.about(self.origin), -1)

    def _combine(self, other: Moments, sign: int) -> Moments:
        return Moments(
            self.counts + sign * other.counts,
            self.sums + sign * other.sums,
            self.norms + sign * other.norms,
            self.second + sign * other.second,
            self.third + sign * other.third,
            self.fourths + sign * other.fourths,
            self.origin,
        )

    def coarsen(self, into: np.ndarray, n_groups: int) -> Moments:
        """Return the moments of the same images in other groups, each a union of the present ones.

        Parameters
        ----------
        into : ndarray, shape (k,), int64
            The new group of each group, from 0 to ``n_groups - 1``.
        n_groups : int
            Number of new groups. It may be larger than k: new groups may be empty.

        Returns
        -------
        Moments
        """
        merge = _indicator(into, n_groups)
        grouped = (merge @ self.counts, merge @ self.sums, merge @ self.norms)
        return Moments(*grouped, self.second, self.third, self.fourths, self.origin)

    def empty(self) -> Moments:
        """Return the moments of no image, in no group, about the same origin.

        Returns
        -------
        Moments
        """
        d = len(self.origin)
        return Moments.of(np.empty((0, d)), np.empty(0, dtype=np.int64), 0, origin=self.origin)

    @property
    def n(self) -> float:
        """Number of images in all groups."""
        return float(self.counts.sum())

    @property
    def squares(self) -> float:
        """Σ ‖x‖² over all images."""
        return float(self.norms.sum())

    @property
    def n_pairs(self) -> float:
        """Number of pairs of images."""
        return self.n * (self.n - 1) / 2

    @cached_property
    def distance_sum(self) -> float:
        """Σ c, the sum of cosine distances, over pairs of images."""
        total = self.sums.sum(axis=0)
        return (self.n * self.squares - float(total @ total)) / 2

    @cached_property
    def distance_square_sum(self) -> float:
        """Σ c² over pairs of images."""
        scalars = (self.n * self.fourths + self.squares**2) / 4
        return scalars + float(np.sum(self.second**2)) / 2 - float(self.third @ self.sums.sum(axis=0))


def approximate_mean(vectors: np.ndarray) -> np.ndarray:
    """Return the mean of about a thousand evenly spaced vectors, as an origin near the mean of all.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)

    Returns
    -------
    ndarray, shape (d,)

    Examples
    --------
    >>> approximate_mean(np.array([[1.0, 0.0], [0.0, 1.0]])).tolist()
    [0.5, 0.5]
    """
    return vectors[:: max(1, len(vectors) // 1024)].mean(axis=0, dtype=np.float64)


def _indicator(groups: np.ndarray, n_groups: int) -> csr_array:
    """Return the sparse (n_groups, n) matrix whose product with rows sums them by group."""
    n = len(groups)
    return csr_array((np.ones(n), (groups, np.arange(n))), shape=(n_groups, n))


def pearson(
    n: ArrayLike, x: ArrayLike, y: ArrayLike, xx: ArrayLike, yy: ArrayLike, xy: ArrayLike
) -> float | np.ndarray:
    """Return the Pearson correlation from the sums Σ1, Σx, Σy, Σx², Σy², Σxy.

    Parameters
    ----------
    n, x, y, xx, yy, xy : float or ndarray
        The sums, of shapes that broadcast.

    Returns
    -------
    float or ndarray
        In [-1, 1]; NaN where x or y does not vary. A variance below 1e-12 of the mean square, or a standard deviation
        below `NOISE`, counts as zero: rounding leaves as much of a constant.

    Examples
    --------
    >>> pearson(3, 6.0, 12.0, 14.0, 56.0, 28.0)
    1.0
    >>> pearson(3, 3.0, 12.0, 3.0, 56.0, 12.0)
    nan
    """
    n, x, y, xx, yy, xy = (np.asarray(value, dtype=np.float64) for value in (n, x, y, xx, yy, xy))
    with np.errstate(invalid="ignore", divide="ignore"):
        var_x, var_y = xx - x * x / n, yy - y * y / n
        flat = ~(n > 1)
        for variance, squares in ((var_x, xx), (var_y, yy)):
            flat = flat | ~(variance > 1e-12 * squares) | ~(variance > NOISE**2 * n)
        value = np.clip((xy - x * y / n) / np.sqrt(var_x * var_y), -1, 1)
    result = np.where(flat, np.nan, value)
    return float(result) if result.ndim == 0 else result
