"""Candidates for the nearest training images of other images, searched on a device of torch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from bioclip_probe.stats.devices import tensor

#: Distances that are computed at once.
CELLS = 2**27
#: Rows that are looked at beyond the k nearest; where more of them may be nearer by rounding, all rows are looked at.
EXTRA = 16


class DeviceNeighbors:
    """Rows on a device, of which the first are learnt from; it takes the place of `Points` for `Candidates.update`.

    Parameters
    ----------
    vectors : ndarray, shape (r, d)
    n_learnt : int
        The first rows, which may be neighbours.
    slack : float
        See `Points.slack`.
    device : str
        A device of torch.

    Examples
    --------
    >>> points = DeviceNeighbors(np.eye(3, dtype=np.float32)[[0, 1, 1]], n_learnt=2, slack=1e-5, device="cpu:0")
    >>> ((start, tile),) = points.tiles(range(2, 3))
    >>> [array.tolist() for array in points.candidates(start, tile, np.full(3, -1), k=1)]
    [[2], [1]]
    """

    def __init__(self, vectors: np.ndarray, n_learnt: int, slack: float, device: str) -> None:
        mean = vectors.mean(axis=0, dtype=np.float64)
        points = tensor((vectors - mean).astype(np.float32), device)
        self.n_learnt, self.slack, self.points = n_learnt, slack, points
        self.half = (points.double() ** 2).sum(dim=1).float() / 2

    def tiles(self, rows: range) -> Iterator[tuple[int, Any]]:
        """Yield the distances of blocks of rows and all rows learnt from; none of a row and itself.

        Parameters
        ----------
        rows : range

        Yields
        ------
        start : int
            The first row of the block.
        tile : torch.Tensor, shape (b, n_learnt), float32
        """
        import torch

        learnt, half = self.points[: self.n_learnt], self.half[: self.n_learnt]
        block = max(CELLS // self.n_learnt, 1)
        for start in range(rows.start, rows.stop, block):
            own = torch.arange(start, min(start + block, rows.stop), device=half.device)
            tile = half - self.points[own] @ learnt.T
            tile += self.half[own, None]
            itself = own[own < self.n_learnt]
            tile[itself - start, itself] = torch.inf
            yield start, tile

    def candidates(self, start: int, tile: Any, groups: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Return all pairs of which the second row may be among the k nearest rows of the first; see `Points`."""
        import torch

        n = tile.shape[1]
        nearest, column = tile.topk(min(k + EXTRA, n), dim=1, largest=False)
        limit = nearest[:, min(k, n) - 1, None] + self.slack
        is_near = (nearest <= limit) & nearest.isfinite()
        if is_near.shape[1] < n and bool((nearest[:, -1:] <= limit).any()):
            anchor, neighbour = torch.nonzero((tile <= limit) & tile.isfinite(), as_tuple=True)
        else:
            anchor, place = torch.nonzero(is_near, as_tuple=True)
            neighbour = column[anchor, place]
        return (anchor + start).cpu().numpy(), neighbour.cpu().numpy()
