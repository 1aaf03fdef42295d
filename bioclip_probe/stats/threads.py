"""Number of threads of the linear algebra, matched to the size of the work, and threads for compiled loops."""

from __future__ import annotations

import itertools
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from threading import Lock
from typing import Any, TypeVar

from bioclip_probe.processors import available_processors

Item = TypeVar("Item")
Result = TypeVar("Result")

#: Up to this many multiply-adds, waking a second thread costs more than it gains. Many small products in a row, as in
#: k-means, permutations and probes, are slower on two busy cores than on one.
SMALL_WORK = 2**31
#: Up to this many numbers, one thread runs a compiled loop as fast as several do.
SMALL_LOOP = 2**20


def matched_threads(multiply_adds: float) -> AbstractContextManager:
    """Return a context in which linear algebra has one thread if the work is small, else one per processor.

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
    alone = multiply_adds < SMALL_WORK or available_processors() == 1
    return _libraries.limit(1 if alone else None)


def n_threads(work: float) -> int:
    """Return the number of threads that share a compiled loop.

    Parameters
    ----------
    work : float
        Numbers that are looked at.

    Returns
    -------
    int
        1 for little work, else one per processor.

    Examples
    --------
    >>> n_threads(10)
    1
    """
    return 1 if work < SMALL_LOOP else available_processors()


def in_threads(function: Callable[[Item], Result], items: Iterable[Item], threads: int) -> Iterator[Result]:
    """Yield what a function returns for each item, in their order.

    Parameters
    ----------
    function : callable
        It releases the interpreter's lock. Linear algebra in it has one thread where there are several of these.
    items : iterable
        They are drawn in the calling thread while others work, and not far ahead of them.
    threads : int
        With 1, the calling thread does everything.

    Yields
    ------
    object

    Examples
    --------
    >>> list(in_threads(abs, [-1, 2], threads=2))
    [1, 2]
    """
    items = iter(items)
    first = list(itertools.islice(items, 2 if threads > 1 else 0))
    items = itertools.chain(first, items)
    if len(first) < 2:
        yield from map(function, items)
        return
    waiting: deque[Future[Result]] = deque()
    with one_thread, ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > 2 * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


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
        with self._lock:
            if not self._inside:
                _let_any_thread_limit()
                self._limits = _libraries.limit(1)
            self._inside += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                _let_any_thread_limit()
                self._limits.restore_original_limits()
                _let_any_thread_limit()


class _Libraries:
    """The libraries of this process whose threads can be limited.

    To search for them takes milliseconds, more than a small metric does. They are searched for again when modules have
    been imported since, because these may have brought libraries.
    """

    def __init__(self) -> None:
        self._controller: Any = None
        self._n_modules = 0

    def limit(self, threads: int | None) -> Any:
        """Return a context in which the libraries have this many threads; with None they keep theirs."""
        from threadpoolctl import ThreadpoolController

        if self._controller is None or self._n_modules != len(sys.modules):
            self._controller = ThreadpoolController()
            self._n_modules = len(sys.modules)
        return self._controller.limit(limits=threads)


_libraries = _Libraries()
one_thread = OneThread()


def _let_any_thread_limit() -> None:
    """Let any thread of this process set the number of threads.

    From version 3.8 on, threadpoolctl obeys only one thread and silently ignores the others.
    """
    from threadpoolctl import OpenBLASController

    if hasattr(OpenBLASController, "clear_controlling_thread"):
        OpenBLASController.clear_controlling_thread(force=True)
