"""Threads of the pipeline, and work that is done ahead of its use."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_ahead(
    pool: Executor, function: Callable[[Item], Result], items: Iterable[Item], limit: int
) -> Iterator[Result]:
    """Yield the results of a function on each item, in order, and compute the next ones ahead.

    Parameters
    ----------
    pool : Executor
        Computes the results.
    function : callable
        Takes one item.
    items : iterable
    limit : int
        Results that are being computed or wait to be taken, at most.

    Yields
    ------
    object
        The result of the next item.

    Examples
    --------
    >>> with thread_pool(2) as pool:
    ...     list(map_ahead(pool, len, ["Pica", "Corvus"], limit=2))
    [4, 6]
    """
    pending: deque[Future[Result]] = deque()
    for item in items:
        pending.append(pool.submit(function, item))
        if len(pending) >= limit:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()


@contextmanager
def thread_pool(n_threads: int) -> Iterator[Executor]:
    """Yield a thread pool that cancels what it has not begun when the block ends, for instance by an error.

    Parameters
    ----------
    n_threads : int

    Yields
    ------
    Executor

    Examples
    --------
    >>> with thread_pool(1) as pool:
    ...     pool.submit(len, "Pica").result()
    4
    """
    pool = ThreadPoolExecutor(n_threads)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
