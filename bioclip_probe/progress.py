"""Progress of long work, on standard error: a bar on a terminal, otherwise a plain line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SECONDS_BETWEEN_LINES = 30.0


@contextmanager
def said(what: str, done: int, total: int, show: bool = True, unit: str = "image") -> Iterator[Callable[..., None]]:
    """A function to call after each step (or with the number of steps), that shows how far the work is.

    Parameters
    ----------
    what : str
        Stands before the numbers.
    done, total : int
        Steps done before, and in all; nothing is shown where they are equal.
    show : bool
    unit : str
        What a step is, in the singular.
    """
    if not show or done == total:
        yield lambda steps=1: None
    elif sys.stderr.isatty():
        from tqdm import tqdm

        with tqdm(total=total, initial=done, desc=what, unit=unit, smoothing=0.05) as bar:
            yield bar.update
    else:
        lines = _Lines(what, done, total, unit)
        yield lines
        if lines.said < lines.done:
            lines.say()


class _Lines:
    """Plain lines, seldom enough for a log file."""

    def __init__(self, what: str, done: int, total: int, unit: str) -> None:
        self.what, self.first, self.total, self.unit = what, done, total, unit
        self.done = self.said = done
        self.start = self.last = time.perf_counter()

    def __call__(self, steps: int = 1) -> None:
        self.done += steps
        if time.perf_counter() - self.last > SECONDS_BETWEEN_LINES:
            self.say()

    def say(self) -> None:
        self.last, self.said = time.perf_counter(), self.done
        rate = (self.done - self.first) / max(self.last - self.start, 1e-9)
        print(f"{self.what}: {self.done} of {self.total} {self.unit}s, {rate:.1f}/s", file=sys.stderr, flush=True)
