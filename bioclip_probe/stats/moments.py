"""Pass one: everything about all pairs of images that linear sums already hold.

Half the squared distance of two vectors, which for unit vectors is their cosine distance 1 - u·v, does not change when
all vectors are moved by one. With x the vectors less an origin, q = ‖x‖², over n images in all n, Q = Σq, F = Σq²,
s = Σx, D = Σqx and G = Σxxᵀ, and on a tree whose edge e of length ℓ_e cuts off n_e images with sums s_e and Q_e, the
sums over all pairs of images are algebra::

    Σ c    = (nQ - ‖s‖²)/2
    Σ c²   = (nF + Q²)/4 + ‖G‖_F²/2 - D·s
    Σ t    = Σ_e ℓ_e n_e (n - n_e)
    Σ t c  = Σ_e ℓ_e [(Q_e (n - n_e) + n_e (Q - Q_e))/2 - s_e·(s - s_e)]
    Σ t²   = Σ_v over the pairs that meet at v (see `clades`)

So the exact Pearson correlation of tree distance and embedding distance over all pairs costs O(n d² + nodes·d), on any
tree. An origin near the mean keeps the digits of embeddings that nearly coincide.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array

from bioclip_probe.stats.clades import Climb
from bioclip_probe.stats.threads import matched_threads
from bioclip_probe.tree.distances import neighbour_mrca_depths
from bioclip_probe.tree.tree import Tree, read_only

#: Numbers held at once where permutations are summed together: 8 MiB, which stays in cache.
MOST_NUMBERS = 2**20
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

    def moved(self, origin: np.ndarray) -> Moments:
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
        return self._with(other.moved(self.origin), 1)

    def __sub__(self, other: Moments) -> Moments:
        """Without the images of `other`, which are some of these."""
        return self._with(other.moved(self.origin), -1)

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


def near_mean(vectors: np.ndarray) -> np.ndarray:
    """An origin near the mean of vectors (n, d): that of some thousand of them, evenly spaced."""
    return vectors[:: max(1, len(vectors) // 1024)].mean(axis=0, dtype=np.float64)


def _indicator(groups: np.ndarray, n_groups: int) -> csr_array:
    """The sparse (n_groups, n) matrix whose product with rows sums them by group."""
    n = len(groups)
    return csr_array((np.ones(n), (groups, np.arange(n))), shape=(n_groups, n))


@dataclass(frozen=True, eq=False)
class SplitMoments:
    """Moments of parts of the groups, as the delete-group jackknife leaves them out: they subtract from the whole.

    Attributes
    ----------
    part : ndarray, shape (k,), int64
        The part of each group, from 0 to P - 1.
    parts : list of Moments
        Each over the groups of its part only, in their order.
    """

    part: np.ndarray
    parts: list[Moments]

    @classmethod
    def of(cls, blocks: Iterable[tuple[np.ndarray, np.ndarray]], part: np.ndarray) -> SplitMoments:
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
                origin = near_mean(vectors[rows])
            rows = rows[np.argsort(part[groups[rows]], kind="stable")]
            stops = np.searchsorted(part[groups[rows]], np.arange(n_parts + 1))
            with matched_threads(len(rows) * vectors.shape[1] ** 2):
                for number, own in enumerate(members):
                    here = rows[stops[number] : stops[number + 1]]
                    found = Moments.of(vectors[here], within[groups[here]], len(own), origin=origin)
                    parts[number] = found if parts[number] is None else parts[number] + found
        return cls(read_only(part), parts if origin is not None else [])

    @cached_property
    def whole(self) -> Moments:
        """All groups together."""
        k, first = len(self.part), self.parts[0]
        counts, sums, norms = np.zeros(k), np.zeros((k, first.sums.shape[1])), np.zeros(k)
        for number, found in enumerate(self.parts):
            own = self.part == number
            counts[own], sums[own], norms[own] = found.counts, found.sums, found.norms
        second, third, fourths = (
            sum(getattr(part, key) for part in self.parts) for key in ("second", "third", "fourths")
        )
        return Moments(counts, sums, norms, second, third, fourths, first.origin)

    def without(self, number: int) -> Moments:
        """All groups but those of one part, which are left without images."""
        whole, out, kept = self.whole, self.parts[number], self.part != number
        return Moments(
            whole.counts * kept,
            whole.sums * kept[:, None],
            whole.norms * kept,
            whole.second - out.second,
            whole.third - out.third,
            whole.fourths - out.fourths,
            whole.origin,
        )


@dataclass(frozen=True, eq=False)
class TreeSums:
    """Sums over pairs of images along a tree whose k tips are the groups of a `Moments`, in the order of its tips.

    ``orders`` say which group stands at which tip, so that a permutation of the groups only re-sums.
    """

    tree: Tree
    moments: Moments
    climb: Climb | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if len(self.tree.tips) != len(self.moments.counts):
            raise ValueError(f"{len(self.tree.tips)} tips need as many groups, not {len(self.moments.counts)}")
        if self.climb is None:
            object.__setattr__(self, "climb", Climb(self.tree))

    @property
    def as_is(self) -> np.ndarray:
        """The one order in which each group stands at its own tip, shape (1, k)."""
        return np.arange(len(self.tree.tips))[None]

    @cached_property
    def _values(self) -> np.ndarray:
        """Sum, count and Σ‖x‖² of each group, the sums in no more dimensions than there are groups.

        Only products of sums matter, and a rotation keeps them.
        """
        moments, sums = self.moments, self.moments.sums
        if len(sums) < sums.shape[1]:
            sums = np.linalg.qr(sums.T, mode="r").T
        return np.concatenate([sums, moments.counts[:, None], moments.norms[:, None]], axis=1)

    @cached_property
    def _own(self) -> np.ndarray:
        """Σ c over the pairs inside each group."""
        return _distances_within(self._values)

    def clade_sums(self, orders: np.ndarray) -> np.ndarray:
        """Σ c over the pairs inside each clade for P orders of the groups (P, k), shape (m, P), in the order of nodes.

        O(nodes·d) an order.
        """

        inner = _distances_within(self.climb.inner(self._values, orders))
        return np.concatenate([self._own[orders].T, inner])[self.climb.place]

    def cross_sums(self, orders: np.ndarray) -> np.ndarray:
        """Σ t c over pairs, for P orders of the groups, shape (P, k), at once.

        What an edge cuts off is at its distance from everything less from itself: the first part is a sum over tips.
        """
        moments, tree = self.moments, self.tree
        from_all = (moments.norms * moments.n + moments.counts * moments.squares) / 2
        from_all -= moments.sums @ moments.sums.sum(axis=0)
        return from_all[orders] @ tree.depth[tree.tips] - 2 * (tree.length @ self.clade_sums(orders))

    def distance_sums(self, orders: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Σ t and Σ t² over pairs, for P orders of the groups, shape (P, k)."""
        return distance_sums(self.tree, self.climb, self.moments.counts[orders])

    def correlation(self) -> float:
        """Pearson correlation of tree distance and cosine distance over all pairs of images.

        NaN where either distance does not vary.
        """
        return float(self.correlations(self.as_is)[0])

    def correlations(self, orders: np.ndarray) -> np.ndarray:
        """The same for P orders of the groups, shape (P, k): group ``orders[p, i]`` stands at tip i."""
        moments = self.moments
        alike = np.ptp(moments.counts) == 0  # then the tree's own sums do not hang on the order
        t, tt = self.distance_sums(orders[:1] if alike else orders)
        c, cc = moments.distance_sum, moments.distance_square_sum
        if (
            moments.n > 1
            and cc - c**2 / moments.n_pairs <= 1e-12 * moments.n_pairs * (moments.squares / moments.n) ** 2
        ):
            return np.full(len(orders), np.nan)  # rounding, as far from the origin as these vectors are
        return pearson(moments.n_pairs, t, c, tt, cc, self.cross_sums(orders))


def _distances_within(at: np.ndarray) -> np.ndarray:
    """Σ c over the pairs of sets of images, from their Σx, n and Σ‖x‖² along the last axis."""
    return (at[..., -2] * at[..., -1] - np.einsum("...i,...i->...", at[..., :-2], at[..., :-2])) / 2


def shared_depths(tree: Tree) -> np.ndarray:
    """Depth of each node below where the first paths part, shape (m,): a stem that all share would cost digits."""
    return np.maximum(tree.depth - neighbour_mrca_depths(tree).min(initial=tree.depth.max()), 0)


def distance_sums(tree: Tree, climb: Climb, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Σ t and Σ t² over pairs of images, for P times k counts of images at the tips; weights as well as counts.

    Returns
    -------
    t, tt : ndarray, shape (P,), float64
        Images at one tip are at distance 0.
    """
    own = 2 * shared_depths(tree)
    depth = own[tree.tips] / 2
    own[tree.tips] = 0.0
    moved = np.stack([counts, counts * depth, counts * depth**2]).transpose(2, 1, 0).reshape(counts.shape[1], -1)
    n, a, aa = np.moveaxis(climb.sums(moved).reshape(len(tree), len(counts), 3), 2, 0)
    clades = (n * (n - 1) / 2, (n - 1) * a, (n - 2) * aa + a * a)
    inner = (tree.stop > np.arange(len(tree)) + 1).astype(np.float64)

    def where_they_meet(factor: np.ndarray) -> np.ndarray:
        """The factor of a clade's sum, if each pair has that of the node where it meets."""
        return factor - np.concatenate([[0.0], factor[tree.parent[1:]]])

    pairs, once, twice = clades
    t = where_they_meet(inner) @ once - where_they_meet(own) @ pairs
    tt = where_they_meet(inner) @ twice - 2 * where_they_meet(own) @ once + where_they_meet(own**2) @ pairs
    none = tt <= 1e-14 * depth.max(initial=0) ** 2 * pairs[0]  # rounding, where all images are at one place
    return np.where(none, 0, t), np.where(none, 0, tt)


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


def permuted_orders(
    sums: TreeSums, n_permutations: int, rng: np.random.Generator, within: np.ndarray | None = None
) -> Iterator[np.ndarray]:
    """Random orders of the groups at the tips, as many at a time as are summed together, each of shape (P, k).

    Parameters
    ----------
    sums : TreeSums
    n_permutations : int
    rng : numpy.random.Generator
    within : ndarray, shape (k,), int64, optional
        A label per tip, e.g. its order: groups are exchanged within a label only, so that separation above it cannot
        carry the test. A group at a tip labelled -1 (no name at that rank) stays where it is.
    """
    k = len(sums.tree.tips)
    within = np.zeros(k, dtype=np.int64) if within is None else within
    strata = [np.flatnonzero(within == label) for label in np.unique(within[within >= 0])]
    at_once = max(1, MOST_NUMBERS // (len(sums.tree) * sums.moments.sums.shape[1]))
    for start in range(0, n_permutations, at_once):
        orders = np.tile(np.arange(k), (min(at_once, n_permutations - start), 1))
        for order in orders:
            for stratum in strata:
                order[stratum] = rng.permutation(stratum)
        yield orders


def permuted_correlations(
    sums: TreeSums, n_permutations: int, rng: np.random.Generator, within: np.ndarray | None = None
) -> np.ndarray:
    """Correlations after permuting which group stands at which tip, shape (n_permutations,); see `permuted_orders`."""
    with matched_threads(0):
        values = [sums.correlations(orders) for orders in permuted_orders(sums, n_permutations, rng, within)]
    return np.concatenate(values) if values else np.empty(0)
