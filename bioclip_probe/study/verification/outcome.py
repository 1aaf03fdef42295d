"""The outcome of a verification: which depths passed, which failed, and which could not be checked."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

#: The file in which an outcome goes to other laboratories, beside the submission that it is about.
VERIFICATION = "verification.json"
DEPTHS = ("files", "numbers", "vectors")
PASSED, FAILED, NOT_CHECKED = "passed", "failed", "not checked"


@dataclass(frozen=True)
class Outcome:
    """The outcome of one depth.

    Attributes
    ----------
    depth : str
        ``files``, ``numbers`` or ``vectors``.
    checked : str
        What was compared with what, in one line; empty if nothing was.
    failures : tuple of str
        One line for each thing that is not as the folder says.
    obstacles : tuple of str
        One line for each thing that could not be checked, with the reason.
    notes : tuple of str
        Other facts that a reader should know; they are not failures.

    Examples
    --------
    >>> Outcome("files", "12 files").state
    'passed'
    >>> Outcome("numbers", obstacles=("no store was named",)).state
    'not checked'
    """

    depth: str
    checked: str = ""
    failures: tuple[str, ...] = ()
    obstacles: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def state(self) -> str:
        """``passed``, ``failed``, or ``not checked`` if there is no failure and something could not be checked."""
        if self.failures:
            return FAILED
        return NOT_CHECKED if self.obstacles else PASSED


@dataclass(frozen=True)
class Verification:
    """The outcome of all depths of a verification.

    Attributes
    ----------
    folder : Path
    protocol : dict or None
        As ``runs.json`` names it.
    outcomes : tuple of Outcome
        In the order of `DEPTHS`; a depth that was not asked for is not checked.
    asked : tuple of str
        The depths that were asked for.
    date : str
        Time of the verification, in the form of ISO 8601.
    numbers_sha256 : str
        Digest of the primary numbers that were checked, see `submission.numbers_digest`; empty if there are none.

    Examples
    --------
    >>> verification = Verification(Path("out"), None, (Outcome("files", "12 files"),), ("files",))
    >>> verification.passed, print(verification)
    files: passed (12 files)
    (True, None)
    """

    folder: Path
    protocol: dict[str, Any] | None
    outcomes: tuple[Outcome, ...]
    asked: tuple[str, ...]
    date: str = ""
    numbers_sha256: str = ""

    @property
    def passed(self) -> bool:
        """True if every depth that was asked for passed."""
        return all(outcome.state == PASSED for outcome in self.outcomes if outcome.depth in self.asked)

    @property
    def failures(self) -> list[str]:
        """One line for each failure, with its depth."""
        return [f"{outcome.depth}: {line}" for outcome in self.outcomes for line in outcome.failures]

    def to_dict(self) -> dict[str, Any]:
        """Return the outcome as values of JSON, as ``verification.json`` holds them for other laboratories."""
        depths = {outcome.depth: {"state": outcome.state, **asdict(outcome)} for outcome in self.outcomes}
        shown = {name: {key: depth[key] for key in depth if key != "depth"} for name, depth in depths.items()}
        facts = {"folder": str(self.folder), "protocol": self.protocol, "asked": list(self.asked)}
        facts |= {"date": self.date, "numbers_sha256": self.numbers_sha256 or None}
        return {**facts, "passed": self.passed, "depths": shown}

    def __str__(self) -> str:
        """Return a line for each depth, and below it a line for each failure, obstacle and note."""
        lines = []
        for outcome in self.outcomes:
            lines.append(f"{outcome.depth}: {outcome.state}" + (f" ({outcome.checked})" if outcome.checked else ""))
            lines += [f"  {line}" for line in (*outcome.failures, *outcome.obstacles, *outcome.notes)]
        return "\n".join(lines)
