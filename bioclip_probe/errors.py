"""Exceptions of the package; each message is one line that says what was expected, what was found, and what to do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

#: Characters of an entry of a list in a message, and of a word in one; longer ones, such as base64, are cut.
LONGEST_ITEM, LONGEST_WORD = 200, 500


class ProbeError(Exception):
    """A mistake that the user can correct. The command line prints it as one line and exits with status 2.

    Parameters
    ----------
    message : str
        Characters that would steer a terminal or break the line are written out, see `printable`; words of more than
        500 characters are cut.

    Examples
    --------
    >>> str(ProbeError("no rank is called 'clan'"))
    "no rank is called 'clan'"
    """

    def __init__(self, message: str) -> None:
        super().__init__(shorten_words(printable(message)))


class DataError(ProbeError):
    """A dataset or a table is not what was expected.

    Examples
    --------
    >>> issubclass(DataError, ProbeError)
    True
    """


#: Reasons why one picture cannot be used, as the store's ledger names them in `error_class`.
PICTURE_ERRORS = {
    "missing": "there is no such file, member or row",
    "empty": "it has no bytes",
    "no picture": "its bytes are of no kind of picture",
    "corrupt": "it breaks off, or does not decode",
    "too large": "more pixels or bytes than are opened",
    "unsupported": "its colours cannot become RGB without guessing, or it is far longer than wide",
    "unreadable": "the system could not read it: no permission, a failing disk or network",
    "preprocessing": "the encoder's own preprocessing failed on it",
    "not finite": "the encoder gave NaN or infinite values for it",
}


class PictureError(DataError):
    """One picture cannot be used. The message names the picture.

    Parameters
    ----------
    message : str
    kind : str
        One of `PICTURE_ERRORS`.

    Examples
    --------
    >>> PictureError("magpie.jpg: not a picture", "no picture").kind
    'no picture'
    """

    def __init__(self, message: str, kind: str = "corrupt") -> None:
        super().__init__(message)
        self.kind = kind


class ModelError(ProbeError):
    """An encoder is unknown, cannot be loaded, or would compute something other than what its name says.

    Examples
    --------
    >>> issubclass(ModelError, ProbeError)
    True
    """


class TreeError(ProbeError):
    """A tree cannot be parsed, or does not fit the taxa.

    Examples
    --------
    >>> issubclass(TreeError, ProbeError)
    True
    """


class StoreError(ProbeError):
    """A store is damaged, incomplete, or of another format version.

    Examples
    --------
    >>> issubclass(StoreError, ProbeError)
    True
    """


def some(items: Iterable[object], limit: int = 5) -> str:
    """Return the first `limit` items as a list in words, and the number of the others.

    Parameters
    ----------
    items : iterable
    limit : int

    Returns
    -------
    str

    Examples
    --------
    >>> some(["Pica", "Corvus", "Garrulus"], limit=2)
    'Pica, Corvus and 1 more'
    """
    names = [shorten(printable(item)) for item in items]
    n_others = len(names) - limit
    return ", ".join(names[:limit]) + (f" and {n_others} more" if n_others > 0 else "")


def shorten(text: str, limit: int = LONGEST_ITEM) -> str:
    """Return a text that has at most some characters: the beginning, and how long it was.

    Parameters
    ----------
    text : str
    limit : int
        Characters, at least 40.

    Returns
    -------
    str

    Examples
    --------
    >>> shorten("Pica hudsonia"), shorten("A" * 40_000, limit=40)
    ('Pica hudsonia', 'AAAAAAAAAAAAAAAAAAAA… (40,000 characters)')
    """
    if len(text) <= limit:
        return text
    return f"{text[: limit - 20]}… ({len(text):,} characters)"


def shorten_words(text: str) -> str:
    """Return a text whose words of more than 500 characters are cut; spaces end a word.

    Parameters
    ----------
    text : str

    Returns
    -------
    str

    Examples
    --------
    >>> len(shorten_words("no such file: " + "A" * 40_000))
    515
    """
    return re.sub(rf"\S{{{LONGEST_WORD + 1},}}", lambda word: shorten(word[0], LONGEST_WORD), text)


def printable(text: object) -> str:
    r"""Return `text` with every character that would steer a terminal or break the line written out.

    Parameters
    ----------
    text : object
        Anything that `str` takes.

    Returns
    -------
    str

    Examples
    --------
    >>> print(printable("Pica\npica"))
    Pica\npica
    """
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in str(text))


def one_line(error: object, limit: int = 300, with_type: bool = False) -> str:
    r"""Return the message of an exception on one line, so that it can stand inside another message.

    Parameters
    ----------
    error : object
        An exception, or a message that another library gave.
    limit : int
        Number of characters after which a longer message is cut.
    with_type : bool
        Put the class of an exception before its message. The class of an exception without a message is always given.

    Returns
    -------
    str

    Examples
    --------
    >>> one_line(ValueError("a row\n  is too long"))
    'a row is too long'
    >>> one_line(KeyError("species"), with_type=True)
    "KeyError: 'species'"
    """
    text = " ".join(str(error).split())
    if len(text) > limit:
        text = f"{text[: limit - 2]} …"
    if not isinstance(error, BaseException):
        return text
    name = type(error).__name__
    return (f"{name}: {text}" if with_type else text) if text else name


@contextmanager
def errors_in_one_line(name: object, kind: str) -> Iterator[None]:
    """Turn any exception of the library that reads a file into a `DataError` of one line.

    Libraries raise many types for a damaged file, and new ones with each version. Wrap only calls of a library: a
    mistake of our own would look like a damaged file.

    Parameters
    ----------
    name : object
        Name of the file.
    kind : str
        What the file was read as, e.g. ``.npz``.

    Raises
    ------
    DataError
        If the block raises anything that is no `ProbeError`.

    Examples
    --------
    >>> with errors_in_one_line("a.npz", ".npz"):
    ...     raise ValueError("the header is wrong")
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: a.npz cannot be read as .npz: the header is wrong
    """
    try:
        yield
    except ProbeError:
        raise
    except Exception as error:
        raise DataError(f"{name} cannot be read as {kind}: {one_line(error)}") from error
