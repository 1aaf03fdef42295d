"""The few exceptions: each is one line that says what was expected, what came, and what to do."""

from __future__ import annotations

from collections.abc import Iterable


class ProbeError(Exception):
    """A mistake the user can mend. The command line prints it as one line and exits with status 2."""


class DataError(ProbeError):
    """A dataset, a table or a picture is not what was expected."""


class ModelError(ProbeError):
    """An encoder is unknown, cannot be had, or would compute something other than what its name says."""


class TreeError(ProbeError):
    """A tree does not parse, or does not fit the taxa."""


class StoreError(ProbeError):
    """A store is damaged, incomplete, or of another format version."""


def some(items: Iterable[object], limit: int = 5) -> str:
    """Name up to `limit` offenders and count the rest: ``a, b, c and 4 more``."""
    names = [str(item) for item in items]
    rest = len(names) - limit
    return ", ".join(names[:limit]) + (f" and {rest} more" if rest > 0 else "")
