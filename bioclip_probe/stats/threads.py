"""Threads of the linear algebra, matched to the size of the work."""

from __future__ import annotations

from contextlib import AbstractContextManager
from threading import Lock

#: Multiply-adds of one pass up to which waking a second thread costs more than it gives: many small products in a row,
#: as k-means, permutations and probes make, are slower on two busy cores than on one.
SMALL_WORK = 2**31


def matched_threads(multiply_adds: float) -> AbstractContextManager:
    """One thread for linear algebra inside the block if the work is small, else as many as there are."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1 if multiply_adds < SMALL_WORK else None)


class OneThread(AbstractContextManager):
    """One thread for linear algebra while any of our own threads is inside the block.

    The limit is one for the whole process: the first to come sets it, the last to go takes it back.
    """

    def __init__(self) -> None:
        self._lock, self._inside = Lock(), 0

    def __enter__(self) -> None:
        from threadpoolctl import threadpool_limits

        with self._lock:
            if not self._inside:
                _let_any_thread_limit()
                self._limits = threadpool_limits(1)
            self._inside += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                _let_any_thread_limit()
                self._limits.restore_original_limits()
                _let_any_thread_limit()


one_thread = OneThread()


def _let_any_thread_limit() -> None:
    """From 3.8 on threadpoolctl obeys one of our threads only, and does not tell the others that it does nothing."""
    from threadpoolctl import OpenBLASController

    if hasattr(OpenBLASController, "clear_controlling_thread"):
        OpenBLASController.clear_controlling_thread(force=True)
