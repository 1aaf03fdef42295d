"""One line of an estimate: what of a step is there, what will run, and what that takes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

NAN = float("nan")
COLUMNS = ("step", "subject", "there", "to_do", "seconds_low", "seconds_high", "source", "memory_bytes", "disk_bytes")


@dataclass(frozen=True)
class StepEstimate:
    """The estimate of one part of a study.

    Attributes
    ----------
    step : str
        ``embed``, ``names``, ``measure``, ``probe``, ``project`` or ``report``.
    subject : str
        What the part is about, such as an encoder.
    there : str
        What an earlier run has left.
    to_do : str
        What will run; empty if nothing will.
    seconds : (float, float)
        Shortest and longest time; NaN where nothing is known.
    source : str
        Where the seconds come from.
    memory : float
        Peak memory of the process in bytes; NaN where it is not known.
    disk : float
        Bytes that will be written; NaN where they are not known.

    Examples
    --------
    >>> StepEstimate("embed", "pixels", "all 9 images", "").seconds
    (0.0, 0.0)
    """

    step: str
    subject: str
    there: str
    to_do: str
    seconds: tuple[float, float] = (0.0, 0.0)
    source: str = ""
    memory: float = 0.0
    disk: float = 0.0


@dataclass(frozen=True)
class Estimate:
    """The estimate of a study.

    Attributes
    ----------
    lines : tuple of StepEstimate
        In the order in which they run.
    notes : tuple of str
        What a reader should know before the run, such as hours of logistic regression and what is fast instead.
    obstacle : str
        The reason why the study would stop; empty if it would run.

    Examples
    --------
    >>> Estimate((StepEstimate("embed", "pixels", "", "9 images", (1.0, 2.0), disk=80.0),)).seconds
    (1.0, 2.0)
    """

    lines: tuple[StepEstimate, ...] = ()
    notes: tuple[str, ...] = ()
    obstacle: str = ""

    @property
    def seconds(self) -> tuple[float, float]:
        """The shortest and the longest time of all parts, without those of which nothing is known."""
        return _known_sum(line.seconds[0] for line in self.lines), _known_sum(line.seconds[1] for line in self.lines)

    @property
    def memory(self) -> float:
        """The largest peak of memory in bytes."""
        return max((line.memory for line in self.lines if not math.isnan(line.memory)), default=0.0)

    @property
    def disk(self) -> float:
        """All bytes that will be written, as far as they are known."""
        return _known_sum(line.disk for line in self.lines)

    @property
    def complete(self) -> bool:
        """True if the time of every part is known."""
        return not any(math.isnan(line.seconds[1]) for line in self.lines)

    @property
    def table(self) -> pd.DataFrame:
        """The lines as a table with the columns `COLUMNS`, times in seconds and sizes in bytes."""
        rows = [
            (line.step, line.subject, line.there, line.to_do, *line.seconds, line.source, line.memory, line.disk)
            for line in self.lines
        ]
        return pd.DataFrame(rows, columns=COLUMNS)

    @property
    def shown(self) -> pd.DataFrame:
        """The lines and their sum for a reader, with units."""
        rows = [
            (
                line.step,
                line.subject,
                line.there,
                line.to_do or "-",
                duration_range(*line.seconds) if line.to_do else "-",
                line.source if line.to_do else "-",
                size(line.memory) if line.to_do else "-",
                size(line.disk) if line.to_do else "-",
            )
            for line in self.lines
        ]
        low, high = self.seconds
        total = duration_range(low, high) if self.complete else f"at least {duration(low)}" if low else duration(NAN)
        rows.append(("sum", "", "", "", total, "", size(self.memory), size(self.disk)))
        return pd.DataFrame(rows, columns=["step", "of", "there", "will run", "time", "source", "memory", "disk"])


def _known_sum(values: Iterable[float]) -> float:
    """Return the sum of the values that are numbers."""
    return float(sum(value for value in values if not math.isnan(value)))


def duration(seconds: float) -> str:
    """Return a time in the unit that a reader would choose.

    Examples
    --------
    >>> duration(0.4), duration(75), duration(600), duration(9000), duration(float("nan"))
    ('1 s', '75 s', '10 min', '2.5 h', 'unknown')
    """
    if math.isnan(seconds):
        return "unknown"
    if seconds < 120:
        return f"{max(math.ceil(seconds), 1)} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def duration_range(low: float, high: float) -> str:
    """Return the shortest and the longest time.

    Examples
    --------
    >>> duration_range(10, 40), duration_range(0.2, 0.4), duration_range(30, 600)
    ('10–40 s', '1 s', '30 s – 10 min')
    """
    first, last = duration(low), duration(high)
    if first == last:
        return last
    if first.split()[-1] == last.split()[-1] and first != "unknown":
        return f"{first.split()[0]}–{last}"
    return f"{first} – {last}"


def size(n_bytes: float) -> str:
    """Return a number of bytes in the unit that a reader would choose.

    Examples
    --------
    >>> size(512), size(2_500_000), size(3.2e9), size(float("nan"))
    ('512 B', '2.5 MB', '3.2 GB', 'unknown')
    """
    if math.isnan(n_bytes):
        return "unknown"
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if n_bytes >= factor:
            return f"{n_bytes / factor:.1f} {unit}"
    return f"{n_bytes:.0f} B"
