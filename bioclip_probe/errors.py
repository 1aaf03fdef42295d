"""The few exceptions: each is one line that says what was expected, what came, and what to do."""

from __future__ import annotations

from collections.abc import Iterable


class ProbeError(Exception):
    """A mistake the user can mend. The command line prints it as one line and exits with status 2."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


class DataError(ProbeError):
    """A dataset or a table is not what was expected."""


#: Why one picture cannot be used, as the store's ledger has it in `error_class`.
PICTURE_ERRORS = {
    "missing": "there is no such file, member or row",
    "empty": "it has no bytes",
    "no picture": "its bytes are of no kind of picture",
    "corrupt": "it breaks off, or does not decode",
    "too large": "more pixels or bytes than are opened",
    "unsupported": "a picture whose colours cannot become RGB without guessing",
    "unreadable": "the system could not read it: no permission, a failing disk or network",
    "preprocessing": "the encoder's own preprocessing failed on it",
    "not finite": "the encoder gave NaN or infinite values for it",
}


class PictureError(DataError):
    """One picture cannot be used; `kind` is one of `PICTURE_ERRORS`. Its line names the picture."""

    def __init__(self, message: str, kind: str = "corrupt") -> None:
        super().__init__(message)
        self.kind = kind


class ModelError(ProbeError):
    """An encoder is unknown, cannot be had, or would compute something other than what its name says."""


class TreeError(ProbeError):
    """A tree does not parse, or does not fit the taxa."""


class StoreError(ProbeError):
    """A store is damaged, incomplete, or of another format version."""


def some(items: Iterable[object], limit: int = 5) -> str:
    """Name up to `limit` offenders and count the rest: ``a, b, c and 4 more``."""
    names = [printable(item) for item in items]
    rest = len(names) - limit
    return ", ".join(names[:limit]) + (f" and {rest} more" if rest > 0 else "")


def printable(text: object) -> str:
    """`text` on one line: whatever would steer a terminal, or break the line, is written out."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in str(text))
