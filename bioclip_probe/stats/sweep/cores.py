"""Independent pieces of work on all cores."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from bioclip_probe.stats.threads import SMALL_LOOP, in_threads, n_threads


def on_all_cores(function: Callable[[int], Any], numbers: Iterable[int], work: float = SMALL_LOOP) -> list:
    """Return the results of a function that releases the interpreter's lock, in the order of its arguments.

    Parameters
    ----------
    function : callable
    numbers : iterable of int
    work : float
        Numbers that are looked at; for few, the calling thread does everything.

    Returns
    -------
    list

    Examples
    --------
    >>> on_all_cores(abs, [-1, 2])
    [1, 2]
    """
    return list(in_threads(function, numbers, n_threads(work)))
