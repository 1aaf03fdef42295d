"""Threads of the linear algebra, matched to the size of the work."""

from __future__ import annotations

from contextlib import AbstractContextManager

#: Multiply-adds of one pass up to which waking a second thread costs more than it gives: many small products in a row,
#: as k-means, permutations and probes make, are slower on two busy cores than on one.
SMALL = 2**31


def matched_threads(multiply_adds: float) -> AbstractContextManager:
    """One thread for linear algebra inside the block if the work is small, else as many as there are."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1 if multiply_adds < SMALL else None)
