"""The processors that this process may use, and how to start processes that share them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import current_process
from multiprocessing.context import SpawnContext, SpawnProcess
from types import ModuleType


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


def may_start_processes() -> bool:
    """Return False in a worker of `multiprocessing.Pool` and in other daemonic processes, which cannot have children.

    Returns
    -------
    bool

    Examples
    --------
    >>> may_start_processes()
    True
    """
    return not current_process().daemon


class _ApartProcess(SpawnProcess):
    """A process that does not import the module that was started: a script without a guard would run again."""

    def start(self) -> None:
        main = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            super().start()
        finally:
            sys.modules["__main__"] = main


class _ApartContext(SpawnContext):
    Process = _ApartProcess


#: Start method of processes: not a fork, which would copy threads that no longer run.
PROCESSES = _ApartContext()
