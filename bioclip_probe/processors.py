"""The processors that this process may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


def available_processors() -> int:
    """Return the number of processors this process may use; on a cluster these are fewer than the machine has.

    Returns
    -------
    int

    Examples
    --------
    >>> available_processors() >= 1
    True
    """
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def take_share_of_processors(index: int, number: int) -> None:
    """Limit this process to its share of the processors, so that libraries start no more threads than it may use.

    Parameters
    ----------
    index : int
        Which of the processes this one is, from 0.
    number : int
        Of processes that share the processors.

    Examples
    --------
    >>> take_share_of_processors(0, 1)
    """
    if hasattr(os, "sched_setaffinity"):
        allowed = sorted(os.sched_getaffinity(0))
        share = max(1, len(allowed) // number)
        first = index * share % len(allowed)
        os.sched_setaffinity(0, allowed[first : first + share])


@contextmanager
def share_of_processors(index: int, number: int) -> Iterator[None]:
    """Limit the calling thread to its share of the processors for the time that the block runs.

    Parameters
    ----------
    index, number : int
        As for `take_share_of_processors`.

    Examples
    --------
    >>> with share_of_processors(0, 1_000):
    ...     available_processors()
    1
    """
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    take_share_of_processors(index, number)
    try:
        yield
    finally:
        if allowed is not None:
            os.sched_setaffinity(0, allowed)
