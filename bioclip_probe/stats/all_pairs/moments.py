"""Pass one: sums over images that hold every pair of them; they add and subtract.

Half the squared distance of two vectors, which for unit vectors is their cosine distance 1 - u·v, does not change when
all vectors are moved by one. With x the vectors less an origin, q = ‖x‖², over n images in all n, Q = Σq, F = Σq²,
s = Σx, D = Σqx and G = Σxxᵀ, the sums over all pairs of images are algebra::

    Σ c    = (nQ - ‖s‖²)/2
    Σ c²   = (nF + Q²)/4 + ‖G‖_F²/2 - D·s

An origin near the mean keeps the digits of embeddings that nearly coincide. `tree_sums` lays them along a tree.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array

from bioclip_probe.stats.threads import matched_threads
from bioclip_probe.tree.tree import read_only

#: A standard deviation of distances below this is none: that is what rounding to float32 leaves of equal unit vectors.
NOISE = 1e-15


@dataclass(frozen=True, eq=False)
class Moments:
    """Sums over the images of each of k groups, and over all images; they add, so shards and ranks merge.

    Attributes
    ----------
    counts : ndarray, shape (k,), float64
        Images per group.
    sums : ndarray, shape (k, d), float64
        Σ x of each group: the sum of its vectors less the origin.
    norms : ndarray, shape (k,), float64
        Σ ‖x‖² of each group.
    second : ndarray, shape (d, d), float64
        Second moment Σ x xᵀ over all images.
    third : ndarray, shape (d,), float64
        Σ ‖x‖² x over all images.
    fourths : float
        Σ ‖x‖⁴ over all images.
    origin : ndarray, shape (d,), float64
        What was subtracted from every vector; zero unless it was given.
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
        """Moments of vectors of shape (n, d); `groups` (n,) from 0 to ``n_groups - 1``, -1 leaves an image out."""
        d = vectors.shape[1]
        origin = np.zeros(d) if origin is None else np.asarray(origin, dtype=np.float64)
        counts, sums, norms = np.zeros(n_groups), np.zeros((n_groups, d)), np.zeros(n_groups)
        second, third, fourths = np.zeros((d, d)), np.zeros(d), 0.0
        for start in range(0, len(vectors), block):
            group = groups[start : start + block]
            x = vectors[start : start + block][group >= 0] - origin
            q = np.einsum("ij,ij->i", x, x)
            met, place = np.unique(group[group >= 0], return_inverse=True)
            pick = _indicator(place, len(met))
            counts[met] += pick.sum(axis=1)
            sums[met] += pick @ x
            norms[met] += pick @ q
            second += x.T @ x
            third += q @ x
            fourths += float(q @ q)
        return cls(counts, sums, norms, second, third, fourths, origin)

    def about(self, origin: np.ndarray) -> Moments:
        """The same images with another origin."""
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
        return self._with(other.about(self.origin), 1)

    def __sub__(self, other: Moments) -> Moments:
        """Without the images of `other`, which are some of these."""
        return self._with(other.about(self.origin), -1)

    def _with(self, other: Moments, sign: int) -> Moments:
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
        """The same images in fewer groups, or among more: group g becomes part of group ``into[g]``."""
        merge = _indicator(into, n_groups)
        grouped = (merge @ self.counts, merge @ self.sums, merge @ self.norms)
        return Moments(*grouped, self.second, self.third, self.fourths, self.origin)

    def empty(self) -> Moments:
        """No images, in no groups, about the same origin."""
        d = len(self.origin)
        return Moments.of(np.empty((0, d)), np.empty(0, dtype=np.int64), 0, origin=self.origin)

    @property
    def n(self) -> float:
        """Images in all groups."""
        return float(self.counts.sum())

    @property
    def squares(self) -> float:
        """Σ ‖x‖² over all images."""
        return float(self.norms.sum())

    @property
    def n_pairs(self) -> float:
        return self.n * (self.n - 1) / 2

    @cached_property
    def distance_sum(self) -> float:
        """Σ c over pairs."""
        total = self.sums.sum(axis=0)
        return (self.n * self.squares - float(total @ total)) / 2

    @cached_property
    def distance_square_sum(self) -> float:
        """Σ c² over pairs."""
        scalars = (self.n * self.fourths + self.squares**2) / 4
        return scalars + float(np.sum(self.second**2)) / 2 - float(self.third @ self.sums.sum(axis=0))


def approximate_mean(vectors: np.ndarray) -> np.ndarray:
    """An origin near the mean of vectors (n, d): that of some thousand of them, evenly spaced."""
    return vectors[:: max(1, len(vectors) // 1024)].mean(axis=0, dtype=np.float64)


def _indicator(groups: np.ndarray, n_groups: int) -> csr_array:
    """The sparse (n_groups, n) matrix whose product with rows sums them by group."""
    n = len(groups)
    return csr_array((np.ones(n), (groups, np.arange(n))), shape=(n_groups, n))


@dataclass(frozen=True, eq=False)
class JackknifeMoments:
    """Moments of parts of the groups, as the delete-group jackknife leaves them out: they subtract from the whole.

    Attributes
    ----------
    part : ndarray, shape (k,), int64
        The part of each group, from 0 to P - 1.
    parts : list of Moments
        Each over the groups of its part only, in their order.
    """

    jackknife_group: np.ndarray
    by_group: list[Moments]

    @classmethod
    def of(cls, blocks: Iterable[tuple[np.ndarray, np.ndarray]], part: np.ndarray) -> JackknifeMoments:
        """One pass over blocks of rows, which need not fit in memory together.

        Parameters
        ----------
        blocks : iterable of (ndarray of shape (b, d), ndarray of shape (b,))
            Unit vectors, and the group of each, -1 for a row that takes no part.
        part : ndarray, shape (k,), int64
            All zero if nothing will be left out.

        Notes
        -----
        Memory: a block, and k·d + P·d² numbers. The origin is near the first block's mean.
        """
        n_parts = int(part.max(initial=-1)) + 1
        members = [np.flatnonzero(part == number) for number in range(n_parts)]
        within = np.zeros(len(part), dtype=np.int64)
        for groups in members:
            within[groups] = np.arange(len(groups))
        origin, parts = None, [None] * n_parts
        for vectors, groups in blocks:
            rows = np.flatnonzero(groups >= 0)
            if not len(rows):
                continue
            if origin is None:
                origin = approximate_mean(vectors[rows])
            rows = rows[np.argsort(part[groups[rows]], kind="stable")]
            stops = np.searchsorted(part[groups[rows]], np.arange(n_parts + 1))
            with matched_threads(len(rows) * vectors.shape[1] ** 2):
                for number, own in enumerate(members):
                    here = rows[stops[number] : stops[number + 1]]
                    found = Moments.of(vectors[here], within[groups[here]], len(own), origin=origin)
                    parts[number] = found if parts[number] is None else parts[number] + found
        return cls(read_only(part), parts if origin is not None else [])

    def __add__(self, other: JackknifeMoments) -> JackknifeMoments:
        """With other images of the same groups."""
        if not (self.by_group and other.by_group):
            return self if self.by_group else other
        return JackknifeMoments(
            self.jackknife_group, [a + b for a, b in zip(self.by_group, other.by_group, strict=True)]
        )

    def regroup(self, into: np.ndarray, part: np.ndarray) -> JackknifeMoments:
        """The same images where there are more groups, of the parts `part`: group g is group ``into[g]`` there.

        `into` ascends; no group changes its part.
        """
        parts = []
        for number in range(int(part.max(initial=-1)) + 1 if self.by_group else 0):
            own, met = np.flatnonzero(part == number), into[self.jackknife_group == number]
            found = self.by_group[number] if number < len(self.by_group) else self.by_group[0].empty()
            parts.append(found.coarsen(np.searchsorted(own, met), len(own)))
        return JackknifeMoments(part, parts)

    @cached_property
    def total(self) -> Moments:
        """All groups together."""
        k, first = len(self.jackknife_group), self.by_group[0]
        counts, sums, norms = np.zeros(k), np.zeros((k, first.sums.shape[1])), np.zeros(k)
        for number, found in enumerate(self.by_group):
            own = self.jackknife_group == number
            counts[own], sums[own], norms[own] = found.counts, found.sums, found.norms
        second, third, fourths = (
            sum(getattr(part, key) for part in self.by_group) for key in ("second", "third", "fourths")
        )
        return Moments(counts, sums, norms, second, third, fourths, first.origin)

    def without_group(self, number: int) -> Moments:
        """All groups but those of one part, which are left without images."""
        whole, out, kept = self.total, self.by_group[number], self.jackknife_group != number
        return Moments(
            whole.counts * kept,
            whole.sums * kept[:, None],
            whole.norms * kept,
            whole.second - out.second,
            whole.third - out.third,
            whole.fourths - out.fourths,
            whole.origin,
        )


def pearson(n, x, y, xx, yy, xy):
    """Pearson correlation from Σ1, Σx, Σy, Σx², Σy², Σxy (floats or arrays); NaN where x or y does not vary.

    A variance below 1e-12 of the mean square, or a standard deviation below `NOISE`, is taken as none: that is what
    rounding leaves of a constant.
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
