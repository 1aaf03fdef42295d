"""Progress of long work, on standard error: a bar on a terminal, otherwise a plain line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SECONDS_BETWEEN_LINES = 30.0


@contextmanager
def progress_bar(
    label: str, done: int, total: int, show: bool = True, unit: str = "image"
) -> Iterator[Callable[..., object]]:
    """Yield a function that counts finished steps and shows how far the work is.

    Parameters
    ----------
    label : str
        Text before the numbers.
    done : int
        Steps that were finished before.
    total : int
        Number of all steps. Nothing is shown if no step is left.
    show : bool
        False turns the output off.
    unit : str
        Name of a step, in the singular.

    Yields
    ------
    callable
        Call it after each step, or with the number of steps that were just finished.

    Examples
    --------
    >>> with progress_bar("verifying", 0, 2, show=False) as advance:
    ...     advance()
    ...     advance(1)
    """
    if not show or done == total:
        yield lambda steps=1: None
    elif sys.stderr.isatty():
        from tqdm import tqdm

        with tqdm(total=total, initial=done, desc=label, unit=unit, smoothing=0.05) as bar:
            yield bar.update
    else:
        lines = _ProgressLines(label, done, total, unit)
        yield lines
        if lines.printed < lines.done:
            lines.print()


class _ProgressLines:
    """A counter that prints plain lines, seldom enough for a log file."""

    def __init__(self, label: str, done: int, total: int, unit: str) -> None:
        self.label, self.first, self.total, self.unit = label, done, total, unit
        self.done = self.printed = done
        self.start = self.last = time.perf_counter()

    def __call__(self, steps: int = 1) -> None:
        self.done += steps
        if time.perf_counter() - self.last > SECONDS_BETWEEN_LINES:
            self.print()

    def print(self) -> None:
        self.last, self.printed = time.perf_counter(), self.done
        rate = (self.done - self.first) / max(self.last - self.start, 1e-9)
        print(f"{self.label}: {self.done} of {self.total} {self.unit}s, {rate:.1f}/s", file=sys.stderr, flush=True)
