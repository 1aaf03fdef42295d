"""Progress of long work, on standard error: a bar on a terminal, a widget in Jupyter, otherwise a line now and then.

Each shows the share that is done and an estimate of the time that is left. Widgets need the package ipywidgets; without
it a notebook shows lines.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

SECONDS_BETWEEN_LINES = 30.0
#: Layout of a bar whose steps differ in size, so that a rate has no meaning.
WEIGHTED = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"


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
        return
    bar_class = _bar_class()
    if bar_class is None:
        lines = _Lines(label, done, total, lambda count: f"{count:.0f} of {total} {unit}s")
        yield lines.advance
        lines.end(lambda seconds: f"{(total - done) / max(seconds, 1e-9):.1f}/s")
        return
    with bar_class(total=total, initial=done, desc=label, unit=unit, smoothing=0.05) as bar, _logs_above():
        yield bar.update


class WeightedProgress:
    """A progress display whose steps differ in size; `weighted_bar` makes it.

    Parameters
    ----------
    n_done, n_total : int
        Steps that were finished before, and all steps.
    advance : callable
        Called with the size of what was just done.
    describe : callable
        Called with a text about the step in progress.

    Examples
    --------
    >>> with weighted_bar("measuring", (0, 2), (0.0, 3.0), show=False) as progress:
    ...     progress.begin("bioclip")
    ...     progress.finish(1.0)
    ...     progress.n_done
    1
    """

    def __init__(
        self,
        n_done: int,
        n_total: int,
        advance: Callable[[float], object] = lambda size: None,
        describe: Callable[[str], object] = lambda text: None,
    ) -> None:
        self.n_done, self.n_total = n_done, n_total
        self._advance, self._describe = advance, describe
        self._partly = 0.0

    def begin(self, name: str) -> None:
        """Show which step begins.

        Parameters
        ----------
        name : str
        """
        self._partly = 0.0
        self._describe(f"{self.n_done} of {self.n_total}, now {name}")

    def reach(self, size: float) -> None:
        """Show how much of the step in progress is done.

        Parameters
        ----------
        size : float
        """
        self._advance(size - self._partly)
        self._partly = size

    def finish(self, size: float) -> None:
        """Count a step as finished.

        Parameters
        ----------
        size : float
            Size of the whole step.
        """
        self.n_done += 1
        self.reach(size)
        self._partly = 0.0


@contextmanager
def weighted_bar(
    label: str,
    numbers: tuple[int, int],
    sizes: tuple[float, float],
    show: bool = True,
    even_short: bool = True,
) -> Iterator[WeightedProgress]:
    """Yield the progress of steps that differ in size.

    Parameters
    ----------
    label : str
        Text before the numbers.
    numbers : (int, int)
        Steps that were finished before, and all steps. Nothing is shown if no step is left.
    sizes : (float, float)
        Sum of their sizes: of those that were finished before, and of all.
    show : bool
        False turns the output off.
    even_short : bool
        Print a last line even if the work took less time than lies between two lines. Bars are shown in any case.

    Yields
    ------
    WeightedProgress

    Examples
    --------
    >>> with weighted_bar("measuring", (2, 2), (3.0, 3.0)) as progress:
    ...     progress.n_total
    2
    """
    (n_done, n_total), (done, total) = numbers, sizes
    if not show or n_done == n_total:
        yield WeightedProgress(n_done, n_total)
        return
    bar_class = _bar_class()
    if bar_class is None:
        lines = _Lines(label, done, total, lambda size: "")
        yield WeightedProgress(n_done, n_total, lines.advance, lines.describe)
        lines.text = f"{n_total} of {n_total}"
        if even_short or lines.start < lines.last:
            lines.end(_duration)
        return
    layout = {"bar_format": WEIGHTED, "smoothing": 0}
    with bar_class(total=total, initial=done, desc=label, **layout) as bar, _logs_above():
        yield WeightedProgress(n_done, n_total, bar.update, bar.set_postfix_str)


def _bar_class() -> Any:
    """Return the class of tqdm that fits the output; None where plain lines are printed."""
    if _in_notebook():
        if find_spec("ipywidgets") is None:
            return None
        from tqdm.notebook import tqdm as widget

        return widget
    if not sys.stderr.isatty():
        return None
    from tqdm import tqdm

    return tqdm


def _in_notebook() -> bool:
    """Return True in a kernel of Jupyter; to have imported one is not enough."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and "IPKernelApp" in shell.config


@contextmanager
def _logs_above() -> Iterator[None]:
    """Print log messages above the bar, which they would tear apart."""
    from tqdm.contrib.logging import logging_redirect_tqdm

    with logging_redirect_tqdm([logging.getLogger("bioclip_probe")]):
        yield


class _Lines:
    """A counter that prints plain lines, seldom enough for a log file."""

    def __init__(self, label: str, done: float, total: float, count: Callable[[float], str]) -> None:
        self.label, self.first, self.total, self.count = label, done, total, count
        self.done = self.printed = done
        self.text = ""
        self.start = self.last = time.perf_counter()

    def advance(self, steps: float = 1) -> None:
        self.done += steps
        self._print_if_due()

    def describe(self, text: str) -> None:
        self.text = text
        self._print_if_due()

    def end(self, remark: Callable[[float], str]) -> None:
        """Print the last line; `remark` makes a text of the seconds that it took."""
        if self.printed < self.done or not self.done < self.total:
            seconds = time.perf_counter() - self.start
            counted = self.count(self.done) or self.text
            print(f"{self.label}: {counted}, {remark(seconds)}", file=sys.stderr, flush=True)

    def _print_if_due(self) -> None:
        now = time.perf_counter()
        if now - self.last <= SECONDS_BETWEEN_LINES or not self.done < self.total:  # the last line comes at the end
            return
        self.last, self.printed = now, self.done
        rate = (self.done - self.first) / max(now - self.start, 1e-9)
        left = f", about {_duration((self.total - self.done) / rate)} left" if rate > 0 else ""
        share = f"{self.done / self.total:.0%} done{left}"
        counted = self.count(self.done)
        line = f"{counted}, {rate:.1f}/s, {share}" if counted else f"{share}; {self.text}"
        print(f"{self.label}: {line}", file=sys.stderr, flush=True)


def _duration(seconds: float) -> str:
    """Return a time in words that are as exact as an estimate is."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
