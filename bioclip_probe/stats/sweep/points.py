"""Unit vectors as points about their mean, and tiles of their distances, on the processor or through torch.

A point is (a, 1, ‖a‖²/2) with a = u − mean: the product of (−a, ‖a‖²/2, 1) and (b, 1, ‖b‖²/2) is ‖a − b‖²/2, the cosine
distance, so that one float32 product gives it with the digits that its size deserves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from bioclip_probe.stats.sweep.counting import Binning, JackknifeGroups, Totals, gather, reach, tally, tally_counted

BLOCK = 256
#: No bins are narrower than float64 can tell cosine distances apart.
NARROWEST = 1e-7
ROUNDING = 1e-5  # more than float32 errs on a distance, in units of the widest
CHUNK = 4096


def widest(halves: np.ndarray) -> float:
    """A bound on the distance of any two points, from the ‖a‖²/2 of each: 2, 1, 1/2 …, at most 8 times too wide.

    Bins over [0, 2] would be all the same to an untrained network, whose vectors nearly coincide (distances of 1e-5).
    Powers of two, so that rounding does not move the bins.
    """
    most = 4 * float(halves.max(initial=0))
    return float(np.clip(2.0 ** np.ceil(np.log2(max(most, NARROWEST))), NARROWEST, 2.0))


@dataclass(frozen=True, eq=False)
class Points:
    """Rows as points.

    Attributes
    ----------
    data : ndarray, shape (n, d + 2), float32
    widest : float
        A bound on the distance of any two, as `widest` has it.
    unevenness : float
        By how much 1 − u·v and ‖u − v‖²/2 can differ in order, since float32 vectors are not quite of length 1.
    """

    data: np.ndarray
    widest: float
    unevenness: float

    @classmethod
    def of(cls, vectors: np.ndarray, order: np.ndarray) -> Points:
        """The rows `order` of some unit vectors."""
        n, d = len(order), vectors.shape[1]
        parts = [order[start : start + CHUNK] for start in range(0, n, CHUNK)]
        mean = sum((vectors[part].sum(axis=0, dtype=np.float64) for part in parts), np.zeros(d)) / max(n, 1)
        data, lengths, start = np.ones((n, d + 2), dtype=np.float32), np.empty(n), 0
        for part in parts:
            rows = np.asarray(vectors[part], dtype=np.float64)
            lengths[start : start + len(part)] = np.einsum("ij,ij->i", rows, rows)
            data[start : start + len(part), :d] = rows - mean
            start += len(part)
        for start in range(0, n, CHUNK):
            a = data[start : start + CHUNK, :d].astype(np.float64)
            data[start : start + CHUNK, d + 1] = np.einsum("ij,ij->i", a, a) / 2
        return cls(data, widest(data[:, d + 1]), float(np.ptp(lengths)) / 2 if n else 0.0)

    def __len__(self) -> int:
        return len(self.data)

    def distances(self, rows: np.ndarray | slice, out: np.ndarray | None = None) -> np.ndarray:
        """Cosine distance of some rows and all, float32; below 0 by rounding only."""
        return np.matmul(_left(self.data[rows]), self.data.T, out=out)

    def tiles(self, block: int = BLOCK, starts: Iterable[int] | None = None) -> Iterator[tuple[int, np.ndarray]]:
        """First row and distances of the rows of a block and all rows; the array serves again for the next block.

        Of all blocks, or of those that begin at the rows `starts`.
        """
        held = np.empty((min(block, len(self)), len(self)), dtype=np.float32)
        for start in range(0, len(self), block) if starts is None else starts:
            rows = slice(start, min(start + block, len(self)))
            yield start, self.distances(rows, held[: rows.stop - start])

    def tally(
        self, start: int, tile: np.ndarray, level: np.ndarray, binning: Binning, parts: JackknifeGroups, totals: Totals
    ) -> None:
        """Add the pairs of a tile to the totals; see `counting.tally`."""
        tally(tile, level, start, binning, parts, totals)

    @property
    def slack(self) -> float:
        """How far beyond the k-th nearest in float32 one of the k nearest may lie."""
        return ROUNDING * self.widest + self.unevenness

    def near(self, start: int, tile: np.ndarray, groups: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Anchor and other row of all pairs that may be among an anchor's k nearest, by anchor."""
        limit, count = np.empty(len(tile), dtype=np.float32), np.zeros(len(tile), dtype=np.int64)
        reach(tile, start, groups, k, np.float32(self.slack), limit, count)
        first = np.concatenate([[0], np.cumsum(count)])
        neighbour = np.empty(first[-1], dtype=np.int64)
        gather(tile, start, groups, limit, first, neighbour)
        return np.repeat(np.arange(start, start + len(tile)), count), neighbour


class DevicePoints(Points):
    """The same on a device of torch, where tiles live and are counted."""

    place: Any

    @classmethod
    def on(cls, device: str, here: Points) -> DevicePoints:
        import torch

        made = cls(here.data, here.widest, here.unevenness)
        object.__setattr__(made, "place", torch.from_numpy(here.data).to(device))
        return made

    def tiles(self, block: int = BLOCK, starts: Iterable[int] | None = None) -> Iterator[tuple[int, Any]]:
        """As `Points.tiles`, tensors on the device."""
        for start in range(0, len(self), block) if starts is None else starts:
            rows = self.place[start : start + block]
            d = rows.shape[1] - 2
            left = rows.clone()
            left[:, :d].neg_()
            left[:, d], left[:, d + 1] = rows[:, d + 1], rows[:, d]
            yield start, left @ self.place.T

    def tally(
        self, start: int, tile: Any, level: np.ndarray, binning: Binning, parts: JackknifeGroups, totals: Totals
    ) -> None:
        """As `Points.tally`."""
        tally_counted(self.count(start, tile, level, binning, parts, totals.within_group), start, parts, totals)

    def count(
        self, start: int, tile: Any, level: np.ndarray, binning: Binning, parts: JackknifeGroups, within: np.ndarray
    ) -> np.ndarray:
        """Histograms of the rows of a tile, shape (b, L, B), int32; adds to `within` those of the anchor's own part."""
        import torch

        n_parts, n_levels, n_bins = within.shape
        device, b = tile.device, len(tile)
        cells = (tile * float(binning.scale) + 0.5).to(torch.int64).clamp_(0, len(binning.bins) - 1)
        place = torch.from_numpy(binning.bins.astype(np.int64)).to(device)[cells]
        place += torch.from_numpy(level).to(device).to(torch.int64) * n_bins
        rows = torch.arange(b, device=device)
        others = torch.ones(tile.shape, dtype=torch.bool, device=device)
        others[rows, start + rows] = False
        size = n_levels * n_bins
        counts = torch.bincount((place + rows[:, None] * size)[others], minlength=b * size)
        part = torch.from_numpy(parts.part).to(device)
        own = part[start : start + b, None]
        inside = torch.bincount((place + own * size)[others & (own == part)], minlength=n_parts * size)
        within += inside.cpu().numpy().reshape(within.shape)
        return counts.to(torch.int32).cpu().numpy().reshape(b, n_levels, n_bins)

    def near(self, start: int, tile: Any, groups: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """As `Points.near`."""
        import torch

        group = torch.from_numpy(groups).to(tile.device)
        rows = torch.arange(len(tile), device=tile.device)
        own = group[start : start + len(tile), None]
        far = tile.masked_fill((own >= 0) & (own == group), torch.inf)
        far[rows, start + rows] = torch.inf
        limit = far.topk(k, dim=1, largest=False).values[:, -1:] + self.slack
        anchor, neighbour = torch.nonzero((far <= limit) & (far < torch.inf), as_tuple=True)
        return anchor.cpu().numpy() + start, neighbour.cpu().numpy()


def _left(rows: np.ndarray) -> np.ndarray:
    d = rows.shape[1] - 2
    left = -rows
    left[:, d], left[:, d + 1] = rows[:, d + 1], rows[:, d]
    return left
