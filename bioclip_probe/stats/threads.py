"""Number of threads of the linear algebra, matched to the size of the work."""

from __future__ import annotations

from contextlib import AbstractContextManager
from threading import Lock

#: Up to this many multiply-adds, waking a second thread costs more than it gains. Many small products in a row, as in
#: k-means, permutations and probes, are slower on two busy cores than on one.
SMALL_WORK = 2**31


def matched_threads(multiply_adds: float) -> AbstractContextManager:
    """Return a context in which linear algebra has one thread if the work is small, else all threads.

    Parameters
    ----------
    multiply_adds : float
        Multiply-adds of one product.

    Returns
    -------
    context manager

    Examples
    --------
    >>> import numpy as np
    >>> with matched_threads(4):
    ...     (np.eye(2) @ np.eye(2)).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1 if multiply_adds < SMALL_WORK else None)


class OneThread(AbstractContextManager):
    """A context in which linear algebra has one thread, which may be entered by several threads at once.

    The limit holds for the whole process. The first thread that enters sets it, and the last one that leaves restores
    the previous number.

    Examples
    --------
    >>> import numpy as np
    >>> with one_thread:
    ...     (np.eye(2) @ np.eye(2)).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
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
    """Let any thread of this process set the number of threads.

    From version 3.8 on, threadpoolctl obeys only one thread and silently ignores the others.
    """
    from threadpoolctl import OpenBLASController

    if hasattr(OpenBLASController, "clear_controlling_thread"):
        OpenBLASController.clear_controlling_thread(force=True)
