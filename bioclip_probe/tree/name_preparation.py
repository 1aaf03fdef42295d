"""Names before they are parsed: without prefix, quotes and ``_``, with capital and small letters where they belong."""

from __future__ import annotations

import re
import unicodedata

from bioclip_probe.tree import name_markers as markers
from bioclip_probe.tree.spelling import HYBRID_SIGN, RANK_PREFIX, clean

#: Letters of other scripts that look like Latin ones, which spellings mix up: the C of "Сorvus" is Cyrillic.
_LOOKALIKES = str.maketrans("АВЕЅІЈКМНОРСТУХасеорхуѕіјΑΒΕΖΗΙΚΜΝΟΡΤΥΧοι", "ABESIJKMHOPCTYXaceopxysijABEZHIKMNOPTYXoi")
_WORD = re.compile(r"[^\W\d_]+")
_MIXED = re.compile(r"[A-Za-z][\u0370-\u04ff]|[\u0370-\u04ff][A-Za-z]")


def prepare(text: object) -> tuple[str, list[str]]:
    """Return a text without prefix, quotes, brackets and ``_``, and what was done to it.

    Parameters
    ----------
    text : object

    Returns
    -------
    written : str
    changes : list of str
        Keys of `scientific_name.CHANGES`.

    Examples
    --------
    >>> prepare("s__Quercus_x_bebbiana")
    ('Quercus x bebbiana', ['prefix'])
    """
    changes = []
    written = _WORD.sub(
        lambda word: word[0].translate(_LOOKALIKES) if _MIXED.search(word[0]) else word[0],
        unicodedata.normalize("NFKC", clean(text)),
    )
    if written != str(text):
        changes.append("spelling")
    if prefix := RANK_PREFIX.match(written):
        written = written[prefix.end() :]
        changes.append("prefix")
    written = re.sub(r"[‐‑‒–−]", "-", written).replace("’", "'")
    written = re.sub(r"%20|(?<=[a-z])\+(?=[a-z])", " ", markers.UNDERSCORES.sub(" ", written)).strip()
    written = re.sub(r"(?<!\S)[✕✖⨯╳](?=[\s\w])|(?<=\w )\*(?= \w)", HYBRID_SIGN, written)
    # Quercus xbebbiana, xCuprocyparis: no word of Latin begins with x and a consonant.
    written = re.sub(r"(?:^|(?<=[a-z] ))x(?=[bcdfghjklmnpqrstvwz][a-z])|^[xX](?=[A-Z][a-z]{2})", HYBRID_SIGN, written)
    written = re.sub("[♀♂☿]", "", written).lstrip("†‡✝ ").rstrip("†‡✝,; ")
    for opening, closing in ('""', "''", "“”", "«»", "[]", "()", "**"):
        if written.startswith(opening) and written.endswith(closing) and len(written) > 1:
            written = written[1:-1]
    written = re.sub(r"""^["'“«]([^\W\d_]+)["'”»](?= )""", r"\1", written)  # a genus in doubt: "Hyla" regilla
    return " ".join(written.split()), changes


def with_small_epithet(written: str, capital_epithets: bool) -> str:
    """Return a name whose epithet is written small, whatever the case of the whole.

    Parameters
    ----------
    written : str
    capital_epithets : bool
        Read a word with a capital after the genus as an epithet, and not as an author.

    Returns
    -------
    str

    Examples
    --------
    >>> with_small_epithet("PICA HUDSONIA", True), with_small_epithet("Pica Hudsonia", True)
    ('Pica hudsonia', 'Pica hudsonia')
    """
    if not written.islower() and not written.isupper():
        words = written.split(" ")
        start = 1 + (words[0] in (HYBRID_SIGN, "x", "X"))
        start += start < len(words) and words[start] in (HYBRID_SIGN, "x", "X")
        if (
            capital_epithets
            and start < len(words)
            and _is_epithet(words, start)
            and not markers.YEAR_NEXT.match(written)
        ):
            words[start] = words[start].lower()
        return " ".join(words)
    small = written.lower()
    if markers.YEAR_NEXT.match(small):  # a genus with its author
        return small.title()
    sign = re.sub(r"^((?:×\s*|x )?).*", r"\1", small, flags=re.DOTALL)  # of a hybrid
    return sign + small[len(sign) :].capitalize()


def _is_epithet(words: list[str], place: int) -> bool:
    """Return whether a word with a capital may be an epithet; otherwise it is an author."""
    word = words[place].removeprefix(HYBRID_SIGN)
    following = words[place + 1] if place + 1 < len(words) else ""
    return (
        word[:1].isupper()
        and word.replace("-", "").isalpha()
        and len(word) > 1
        and word.lower() not in markers.PARTICLES
        and following not in markers.AUTHOR_LINKS
        and not markers.HIGHER_NAME.fullmatch(words[0])
    )


def capitalized(word: str) -> str:
    """Return a word with a capital and small letters, unless it mixes them or is no plain word.

    Parameters
    ----------
    word : str

    Returns
    -------
    str

    Examples
    --------
    >>> capitalized("CORVIDAE"), capitalized("UBA1234")
    ('Corvidae', 'UBA1234')
    """
    sign = HYBRID_SIGN if word.startswith(HYBRID_SIGN) else ""
    bare = word.removeprefix(sign)
    letters = bare.replace("-", "")
    is_plain = letters.isalpha() and (bare.islower() or (len(bare) > 1 and all(letter.isupper() for letter in letters)))
    return sign + (bare.capitalize() if is_plain else bare)
