"""Unit vectors as points about their mean, and tiles of their distances, on the processor or through torch.

A point is (a, 1, ‖a‖²/2) with a = u − mean. The product of (−a, ‖a‖²/2, 1) and (b, 1, ‖b‖²/2) is ‖a − b‖²/2, the cosine
distance. So one float32 product computes it with as many digits as its size deserves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from bioclip_probe.stats.sweep.candidates import candidate_limits, gather_candidates
from bioclip_probe.stats.sweep.counting import Binning, fill_bins

#: Default number of rows of a tile.
BLOCK = 256
#: Bins are not narrower than differences of cosine distances that float64 can represent.
NARROWEST = 1e-7
#: A bound on the float32 error of a distance, in units of the bound of all distances.
ROUNDING = 1e-5
#: Rows that are converted to float64 at once.
CHUNK = 4096


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
    def of(cls, vectors: np.ndarray, order: np.ndarray) -> Points:
        """Return some rows as points.

        Parameters
        ----------
        vectors : ndarray, shape (r, d)
            Unit vectors.
        order : ndarray, shape (n,), int64
            Row numbers, in the order that the points shall have.

        Returns
        -------
        Points
        """
        n, d = len(order), vectors.shape[1]
        chunks = [order[start : start + CHUNK] for start in range(0, n, CHUNK)]
        mean = sum((vectors[chunk].sum(axis=0, dtype=np.float64) for chunk in chunks), np.zeros(d)) / max(n, 1)
        data, lengths, start = np.ones((n, d + 2), dtype=np.float32), np.empty(n), 0
        for chunk in chunks:
            rows = np.asarray(vectors[chunk], dtype=np.float64)
            lengths[start : start + len(chunk)] = np.einsum("ij,ij->i", rows, rows)
            data[start : start + len(chunk), :d] = rows - mean
            start += len(chunk)
        for start in range(0, n, CHUNK):
            a = data[start : start + CHUNK, :d].astype(np.float64)
            data[start : start + CHUNK, d + 1] = np.einsum("ij,ij->i", a, a) / 2
        return cls(data, distance_bound(data[:, d + 1]), float(np.ptp(lengths)) / 2 if n else 0.0)

    def __len__(self) -> int:
        return len(self.data)

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

    def bins(self, tile: Any, binning: Binning) -> np.ndarray:
        """Return the bin of each distance of a tile.

        Parameters
        ----------
        tile : ndarray, shape (b, n), float32, or a tensor
            From `tiles`.
        binning : Binning

        Returns
        -------
        ndarray, shape (b, n), uint16
        """
        result = np.empty(tile.shape, dtype=np.uint16)
        fill_bins(tile, binning.bins, binning.scale, result)
        return result

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


class DevicePoints(Points):
    """Points on a device of torch, where tiles are computed and binned.

    Examples
    --------
    >>> hasattr(DevicePoints, "on")
    True
    """

    tensor: Any

    @classmethod
    def on(cls, device: str, points: Points) -> DevicePoints:
        """Copy points to a device.

        Parameters
        ----------
        device : str
            E.g. ``cuda``.
        points : Points

        Returns
        -------
        DevicePoints
        """
        import torch

        copy = cls(points.data, points.bound, points.norm_range)
        object.__setattr__(copy, "tensor", torch.from_numpy(points.data).to(device))
        return copy

    def tiles(self, block: int = BLOCK, starts: Iterable[int] | None = None) -> Iterator[tuple[int, Any]]:
        """Yield the distances of blocks of rows and all rows, as tensors on the device; see `Points.tiles`."""
        for start in range(0, len(self), block) if starts is None else starts:
            rows = self.tensor[start : start + block]
            d = rows.shape[1] - 2
            left = rows.clone()
            left[:, :d].neg_()
            left[:, d], left[:, d + 1] = rows[:, d + 1], rows[:, d]
            yield start, left @ self.tensor.T

    def bins(self, tile: Any, binning: Binning) -> np.ndarray:
        """Return the bin of each distance of a tile; see `Points.bins`."""
        import torch

        cells = (tile * float(binning.scale) + 0.5).to(torch.int64).clamp_(0, len(binning.bins) - 1)
        table = torch.from_numpy(binning.bins.astype(np.int16)).to(tile.device)
        return table[cells].cpu().numpy().view(np.uint16)


def _left_factors(rows: np.ndarray) -> np.ndarray:
    """Return (−a, ‖a‖²/2, 1) for each point (a, 1, ‖a‖²/2)."""
    d = rows.shape[1] - 2
    left = -rows
    left[:, d], left[:, d + 1] = rows[:, d + 1], rows[:, d]
    return left
