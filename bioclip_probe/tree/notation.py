"""The notation that Newick and Nexus share: quoted names, comments in brackets, statements up to a semicolon."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bioclip_probe.errors import TreeError

PLAIN, QUOTED, COMMENT = "plain", "quoted", "comment"
_QUOTED_NAME = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*\"""")
#: Characters at which a quoted name or a comment can begin, and those that change how deep a comment is nested.
_MARK, _BRACKET = re.compile(r"""['"\[]"""), re.compile(r"[\[\]]")
#: Characters after which a quote begins a name. Elsewhere it is an apostrophe: D'Orbigny.
_BEFORE_NAME = "(),=;"
#: A word in brackets that may be a part of a name: a subgenus, or a genus that is in doubt.
_TAXON_WORD = re.compile(r"[^\W\d_][\w. -]*")
_CAPITALIZED_WORD = re.compile(r"[A-Z][a-z-]{2,}")
_SHOWN = 20


def pieces(text: str) -> Iterator[tuple[str, str]]:
    """Yield the pieces of a Newick or Nexus text: quoted names, comments, and the plain text between them.

    Parameters
    ----------
    text : str

    Yields
    ------
    kind : str
        ``plain``, ``quoted`` or ``comment``.
    piece : str
        With its quotes or brackets. All pieces together are the text.

    Raises
    ------
    TreeError
        If a quoted name or a comment does not end.

    Notes
    -----
    Comments may be nested. A word in brackets is no comment but a part of a name where it stands inside it, as in
    ``Megachile_[Largella]_sp.``, or where it begins a binomial, as in ``[Clostridium] difficile``.

    Examples
    --------
    >>> list(pieces("('a (b)':1,c[a [nested] comment]:1);"))[1:4]
    [('quoted', "'a (b)'"), ('plain', ':1,c'), ('comment', '[a [nested] comment]')]
    """
    start = position = 0
    while mark := _MARK.search(text, position):
        begin = mark.start()
        if mark[0] == "[":
            end = _end_of_comment(text, begin)
            kind = PLAIN if _is_in_name(text, begin, end) else COMMENT
        elif _begins_name(text, begin):
            name = _QUOTED_NAME.match(text, begin)
            if name is None:
                raise TreeError(f"not a Newick tree (a quote that does not end: {_shown(text, begin)})")
            end, kind = name.end(), QUOTED
        else:
            end, kind = begin + 1, PLAIN
        if kind != PLAIN:
            if begin > start:
                yield PLAIN, text[start:begin]
            yield kind, text[begin:end]
            start = end
        position = end
    if start < len(text):
        yield PLAIN, text[start:]


def statements(text: str) -> Iterator[str]:
    """Yield the statements of a text, each with its semicolon. One in a quoted name or a comment ends no statement.

    Parameters
    ----------
    text : str

    Yields
    ------
    str
        The last one lacks its semicolon where the text does.

    Raises
    ------
    TreeError
        As for `pieces`.

    Examples
    --------
    >>> list(statements("(a,'b;'); (c,d)[;];"))
    ["(a,'b;');", ' (c,d)[;];']
    """
    gathered: list[str] = []
    for kind, piece in pieces(text):
        if kind != PLAIN:
            gathered.append(piece)
            continue
        *ended, rest = piece.split(";")
        for part in ended:
            yield "".join([*gathered, part, ";"])
            gathered = []
        gathered.append(rest)
    if last := "".join(gathered):
        yield last


def without_comments(text: str) -> str:
    """Return a text without its comments.

    Parameters
    ----------
    text : str

    Returns
    -------
    str

    Raises
    ------
    TreeError
        As for `pieces`.

    Examples
    --------
    >>> without_comments("[&R] (a[&rate=0.1]:1,'b [no comment]':1);")
    " (a:1,'b [no comment]':1);"
    """
    return "".join(piece for kind, piece in pieces(text) if kind != COMMENT)


def unquoted(name: str) -> str:
    """Return a name without the quotes around it; a doubled quote within is one quote.

    Parameters
    ----------
    name : str

    Returns
    -------
    str

    Examples
    --------
    >>> unquoted("'D''Orbigny'"), unquoted("O'Neill")
    ("D'Orbigny", "O'Neill")
    """
    if len(name) < 2 or name[0] not in "'\"" or name[-1] != name[0]:
        return name
    return name[1:-1].replace(name[0] * 2, name[0])


def _begins_name(text: str, begin: int) -> bool:
    """Return True if a quote at a position begins a name, rather than standing inside one."""
    before = text[begin - 1 : begin]
    return not before or before.isspace() or before in _BEFORE_NAME or before == "]"


def _end_of_comment(text: str, begin: int) -> int:
    """Return the position behind a comment, which may hold further brackets."""
    depth = 0
    for bracket in _BRACKET.finditer(text, begin):
        depth += 1 if bracket[0] == "[" else -1
        if not depth:
            return bracket.end()
    raise TreeError(f"not a Newick tree (a comment that does not end: {_shown(text, begin)})")


def _is_in_name(text: str, begin: int, end: int) -> bool:
    """Return True if brackets are part of a name: a word in the middle of it, or the genus of a binomial."""
    word = text[begin + 1 : end - 1]
    if not _TAXON_WORD.fullmatch(word):
        return False
    before, after = text[begin - 1 : begin], text[end : end + 1]
    continues = bool(after) and not after.isspace() and after not in "(),:;[]'\""
    if before and not before.isspace() and before not in "(),:;=[]'\"":  # Megachile_[Largella]_sp.
        return continues or before == "_"
    if after == "_":  # [Clostridium]_difficile
        return True
    # [Clostridium] difficile, Megachile [Largella] sp.
    return bool(_CAPITALIZED_WORD.fullmatch(word) and re.match(r" [a-z]{2}", text[end : end + 3]))


def _shown(text: str, begin: int) -> str:
    """Return the beginning of a piece of text, for messages."""
    return " ".join(text[begin : begin + _SHOWN].split()) + " …"
