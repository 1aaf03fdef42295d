"""Products of points block by block, each block compared by one thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import get_ident
from typing import TypeVar

import numpy as np

from bioclip_probe.stats.sweep.points import Points
from bioclip_probe.stats.threads import in_threads, n_threads, one_thread

Result = TypeVar("Result")

#: Bytes of products that all threads hold at once, at most, where one block takes less.
MOST_BYTES = 2**31


def threads_of(points: Points, block: int) -> int:
    """Return the number of threads that compare points: one per processor, fewer where products would fill memory.

    Parameters
    ----------
    points : Points
    block : int
        Points of a block.

    Returns
    -------
    int

    Examples
    --------
    >>> threads_of(Points.of(np.eye(2), np.arange(2)), 256)
    1
    """
    return max(1, min(n_threads(len(points) ** 2), MOST_BYTES // (4 * block * max(len(points), 1))))


def over_blocks(
    points: Points, blocks: range, compare: Callable[[int, np.ndarray], Result], threads: int
) -> Iterator[Result]:
    """Yield what a function returns for the products of each block of points with all points, in their order.

    Parameters
    ----------
    points : Points
    blocks : range
        The first point of each block; its step is the size of a block.
    compare : callable
        Takes the first point and the products, which are overwritten afterwards. It releases the interpreter's lock.
    threads : int

    Yields
    ------
    object

    Notes
    -----
    A block is one product by one thread, whichever thread computes it, so it always has the same bits.

    Examples
    --------
    >>> points = Points.of(np.eye(2), np.arange(2))
    >>> list(over_blocks(points, range(0, 2, 1), lambda start, products: float(products[0, start]), threads=1))
    [0.5, 0.5]
    """
    buffers: dict[int, np.ndarray] = {}  # by thread

    def of_block(start: int) -> Result:
        """Return the result of one block."""
        buffer = buffers.get(get_ident())
        if buffer is None:
            buffer = buffers[get_ident()] = np.empty((min(blocks.step, len(points)), len(points)), dtype=np.float32)
        rows = slice(start, min(start + blocks.step, blocks.stop))
        return compare(start, points.products(rows, buffer[: rows.stop - start]))

    with one_thread:
        yield from in_threads(of_block, blocks, threads)
