"""Markdown from texts of anyone: escaped, so that a name is shown as it is and starts nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from bioclip_probe.errors import printable, shorten

#: Characters that mean nothing inside a line of Markdown or of a table in it, as GitHub and Hugging Face read it.
_PLAIN = re.compile(r"[\w .,;:/()+='%?°…–−-]", re.ASCII)


def escape_markdown(text: object, limit: int = 200) -> str:
    r"""Return a text that Markdown shows letter by letter, for the inside of a line or of a table's cell.

    Every character with a meaning becomes a numeric character reference, which starts nothing in CommonMark, HTML
    included. Line breaks and other control characters are written out.

    Parameters
    ----------
    text : object
        Anything that `str` takes.
    limit : int
        Characters after which a longer text is cut.

    Returns
    -------
    str

    Examples
    --------
    >>> escape_markdown("hf-hub:imageomics/bioclip")
    'hf-hub:imageomics/bioclip'
    >>> escape_markdown("a|b <img> *x*")
    'a&#124;b &#60;img&#62; &#42;x&#42;'
    """
    shown = shorten(printable(text), limit)
    inside_words = {match.start() for match in re.finditer(r"(?<=[^\W_])_(?=[^\W_])", shown)}  # starts no emphasis
    escaped = "".join(
        sign if _is_plain(sign) or number in inside_words else f"&#{ord(sign)};" for number, sign in enumerate(shown)
    )
    return re.sub(r"(?i)(https?|ftp):(?=//)|(www)(?=\.)", _broken_address, escaped)


def markdown_table(heading: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> str:
    """Return a table of cells that are Markdown already; the first `left` columns are aligned left, the others right.

    Parameters
    ----------
    heading : sequence of str
    rows : iterable of sequence of str
    left : int

    Returns
    -------
    str
        Lines, the last one without a line break.

    Examples
    --------
    >>> print(markdown_table(["Model", "CPCC"], [["bioclip", "0.351"]]))
    | Model | CPCC |
    | :-- | --: |
    | bioclip | 0.351 |
    """
    marks = [":--" if number < left else "--:" for number in range(len(heading))]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (heading, marks, *rows))


def _is_plain(sign: str) -> bool:
    """Return True if a character stands for itself: letters of all scripts, digits and harmless marks."""
    return sign != "_" and (sign.isalnum() or _PLAIN.match(sign) is not None)


def _broken_address(match: re.Match[str]) -> str:
    """Return the beginning of an address in a form that becomes no link."""
    return f"{match[1]}&#58;" if match[1] else f"{match[2][:-1]}&#{ord(match[2][-1])};"
