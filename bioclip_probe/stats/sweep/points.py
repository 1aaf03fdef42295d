"""Unit vectors as points about their mean, and tiles of their distances.

A point is (a, 1, ‖a‖²/2) with a = u − mean. The product of (−a, ‖a‖²/2, 1) and (b, 1, ‖b‖²/2) is ‖a − b‖²/2, the cosine
distance. So one float32 product computes it with as many digits as its size deserves.

The products a·b of points serve a second space too: where vectors are centred, they are the points at norm 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from bioclip_probe.stats.sweep.candidates import candidate_limits, gather_candidates

#: Default number of rows of a tile.
BLOCK = 256
#: Bins are not narrower than differences of cosine distances that float64 can represent.
NARROWEST = 1e-7
#: A bound on the float32 error of a distance, in units of the bound of all distances.
ROUNDING = 1e-5
#: Rows that are converted to float64 at once.
CHUNK = 4096
#: Vectors are points at norm 1 if no number differs by more.
SAME = 1e-6


def distance_bound(halves: np.ndarray) -> float:
    """Return a bound on the distance of any two points: 2, 1, 1/2, …, at most 8 times too large.

    The vectors of an untrained network nearly coincide (distances of 1e-5), and bins over [0, 2] would put them
    all into one. The bound is a power of two, so that rounding does not move the bins.

    Parameters
    ----------
    halves : ndarray, shape (n,)
        ‖a‖²/2 of each point.

    Returns
    -------
    float

    Examples
    --------
    >>> distance_bound(np.array([0.1, 0.2]))
    1.0
    """
    most = 4 * float(halves.max(initial=0))
    return float(np.clip(2.0 ** np.ceil(np.log2(max(most, NARROWEST))), NARROWEST, 2.0))


class Space(NamedTuple):
    """The terms of distances from products p of points: that of i and j is half_i + half_j − weight_i weight_j p_ij.

    Attributes
    ----------
    half : ndarray, shape (n,), float32
        Half the squared norm of each vector.
    weight : ndarray, shape (n,), float32
        The norm of each vector over that of its point; 1 where the vectors are the points.

    Examples
    --------
    >>> Space(np.full(2, 0.5, np.float32), np.ones(2, np.float32)).weight.tolist()
    [1.0, 1.0]
    """

    half: np.ndarray
    weight: np.ndarray


@dataclass(frozen=True, eq=False)
class Points:
    """Rows as points about their mean.

    Attributes
    ----------
    data : ndarray, shape (n, d + 2), float32
    bound : float
        A bound on the distance of any two, see `distance_bound`.
    norm_range : float
        Half the range of the squared norms, which are not exactly 1 in float32.

    Examples
    --------
    >>> points = Points.of(np.array([[1.0, 0.0], [0.0, 1.0]], dtype=np.float32), np.arange(2))
    >>> points.distances(np.array([0])).tolist()
    [[0.0, 1.0]]
    """

    data: np.ndarray
    bound: float
    norm_range: float

    @classmethod
    def of(cls, vectors: np.ndarray, order: np.ndarray, origin: np.ndarray | None = None) -> Points:
        """Return some rows as points.

        Parameters
        ----------
        vectors : ndarray, shape (r, d)
            Unit vectors.
        order : ndarray, shape (n,), int64
            Row numbers, in the order that the points shall have.
        origin : ndarray, shape (d,), float64, optional
            Subtracted from the vectors; by default the mean of these rows.

        Returns
        -------
        Points
        """
        n, d = len(order), vectors.shape[1]
        chunks = [order[start : start + CHUNK] for start in range(0, n, CHUNK)]
        if origin is None:
            origin = sum((vectors[chunk].sum(axis=0, dtype=np.float64) for chunk in chunks), np.zeros(d)) / max(n, 1)
        data, lengths, start = np.ones((n, d + 2), dtype=np.float32), np.empty(n), 0
        for chunk in chunks:
            rows = np.asarray(vectors[chunk], dtype=np.float64)
            lengths[start : start + len(chunk)] = np.einsum("ij,ij->i", rows, rows)
            data[start : start + len(chunk), :d] = rows - origin
            start += len(chunk)
        for start in range(0, n, CHUNK):
            a = data[start : start + CHUNK, :d].astype(np.float64)
            data[start : start + CHUNK, d + 1] = np.einsum("ij,ij->i", a, a) / 2
        return cls(data, distance_bound(data[:, d + 1]), float(np.ptp(lengths)) / 2 if n else 0.0)

    def __len__(self) -> int:
        return len(self.data)

    @property
    def space(self) -> Space:
        """The space of the vectors whose points these are."""
        return Space(np.ascontiguousarray(self.data[:, -1]), np.ones(len(self), dtype=np.float32))

    def space_at_norm_1(self, vectors: np.ndarray) -> Space | None:
        """Return the space of centred vectors, or nothing if they are not the points at norm 1.

        Parameters
        ----------
        vectors : ndarray, shape (n, d)
            In the order of the points.

        Returns
        -------
        Space, optional
        """
        half, weight = np.empty((2, len(self)), dtype=np.float32)
        for start in range(0, len(self), CHUNK):
            rows = np.asarray(vectors[start : start + CHUNK], dtype=np.float64)
            points = self.data[start : start + CHUNK, :-2].astype(np.float64)
            squares, of_points = np.einsum("ij,ij->i", rows, rows), np.einsum("ij,ij->i", points, points)
            ratio = np.sqrt(np.divide(squares, of_points, out=np.zeros(len(rows)), where=of_points > 0))
            if not np.all(np.abs(rows - points * ratio[:, None]) <= SAME):
                return None
            half[start : start + CHUNK], weight[start : start + CHUNK] = squares / 2, ratio
        return Space(half, weight)

    def products(self, rows: slice | np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """Return the products a·b of some points and all points.

        Parameters
        ----------
        rows : slice or ndarray of int
        out : ndarray, shape (b, n), float32, optional
            Where to write them.

        Returns
        -------
        ndarray, shape (b, n), float32
        """
        return np.matmul(self.data[rows, :-2], self.data[:, :-2].T, out=out)

    def distances(self, rows: np.ndarray | slice, out: np.ndarray | None = None) -> np.ndarray:
        """Return the cosine distances of some rows and all rows.

        Parameters
        ----------
        rows : ndarray of int, or slice
        out : ndarray, shape (b, n), float32, optional
            Where to write them.

        Returns
        -------
        ndarray, shape (b, n), float32
            Below 0 by rounding only.
        """
        return np.matmul(_left_factors(self.data[rows]), self.data.T, out=out)

    def tiles(self, block: int = BLOCK, starts: Iterable[int] | None = None) -> Iterator[tuple[int, Any]]:
        """Yield the distances of blocks of rows and all rows.

        Parameters
        ----------
        block : int
            Rows of a tile.
        starts : iterable of int, optional
            The first rows of the blocks; all blocks by default.

        Yields
        ------
        start : int
            The first row of the block.
        tile : ndarray, shape (b, n), float32
            The same array is used again for the next block.
        """
        buffer = np.empty((min(block, len(self)), len(self)), dtype=np.float32)
        for start in range(0, len(self), block) if starts is None else starts:
            rows = slice(start, min(start + block, len(self)))
            yield start, self.distances(rows, buffer[: rows.stop - start])

    @property
    def slack(self) -> float:
        """The distance beyond the k-th nearest row in float32 at which one of the k nearest may lie.

        The nearest are those of the rows with norm 1 exactly. Of rows with norms p and q, ‖u − v‖²/2 is p q times that
        distance, plus (p − q)²/2.
        """
        return (ROUNDING + 2 * self.norm_range) * self.bound + self.norm_range**2

    def candidates(self, start: int, tile: Any, groups: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Return all pairs of which the second row may be among the k nearest rows of the first.

        Parameters
        ----------
        start, tile
            From `tiles`.
        groups : ndarray, shape (n,), int64
            Rows of one group are no neighbours of each other; -1 is no group.
        k : int

        Returns
        -------
        anchor, neighbour : ndarray, int64
            Row numbers, by anchor.
        """
        limit, count = candidate_limits(tile, start, groups, k, np.float32(self.slack))
        first = np.concatenate([[0], np.cumsum(count)])
        neighbour = np.empty(first[-1], dtype=np.int64)
        gather_candidates(tile, start, groups, limit, first, neighbour)
        return np.repeat(np.arange(start, start + len(tile)), count), neighbour


@dataclass(frozen=True, eq=False)
class SpacesOfPoints:
    """Spaces whose distances follow from the products of the same points.

    Attributes
    ----------
    points : Points
    spaces : list of Space
    bounds : list of float
        See `Points.bound`.
    slacks : list of float
        See `Points.slack`.

    Examples
    --------
    >>> vectors = np.array([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]])
    >>> centred = vectors - vectors.mean(axis=0)
    >>> centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    >>> SpacesOfPoints.of([vectors, centred], np.arange(3)).spaces[1].half.tolist()
    [0.5, 0.5, 0.5]
    """

    points: Points
    spaces: list[Space]
    bounds: list[float]
    slacks: list[float]

    @classmethod
    def of(cls, vectors: Sequence[np.ndarray], order: np.ndarray) -> SpacesOfPoints | None:
        """Return spaces of some rows, or nothing if the others do not hold the centred vectors of the first.

        Parameters
        ----------
        vectors : sequence of ndarray, shape (r, d)
            Unit vectors of all rows in each space; the others are those of the first less their mean, at norm 1.
        order : ndarray, shape (n,), int64
            Row numbers, in the order that the points shall have.

        Returns
        -------
        SpacesOfPoints, optional
            Where the vectors of another space are close to each other, one product would not hold their distances.
        """
        first, *others = vectors
        points = Points.of(first, order, first.mean(axis=0, dtype=np.float64) if others else None)
        result = cls(points, [points.space], [points.bound], [points.slack])
        for other in others:
            space, own = points.space_at_norm_1(other[order]), Points.of(other, order)
            if space is None or own.bound < 1:
                return None
            result.spaces.append(space)
            result.bounds.append(own.bound)
            result.slacks.append(own.slack)
        return result


def _left_factors(rows: np.ndarray) -> np.ndarray:
    """Return (−a, ‖a‖²/2, 1) for each point (a, 1, ‖a‖²/2)."""
    d = rows.shape[1] - 2
    left = -rows
    left[:, d], left[:, d + 1] = rows[:, d + 1], rows[:, d]
    return left
