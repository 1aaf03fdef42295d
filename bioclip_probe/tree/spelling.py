"""Spelling of names: clean text, placeholders for values that are not known, and a key by which names are compared."""

from __future__ import annotations

import html
import re
import unicodedata

HYBRID_SIGN = "×"
#: Texts that sources write in place of an unknown value: in small letters, a blank between words. A text without
#: a letter or a digit, such as ``--``, is a placeholder too, and so is one that `_UNKNOWN` describes.
PLACEHOLDERS = frozenset(
    r"xx xxx 0 na n.a. n.a n/a n\a #n/a #na #ref! #value! #null! #name? #div/0! nan -nan nd n.d n.d. "
    r"1.#qnan none null nil nul nat void empty blank \n "
    "missing unknown unknwon unkonwn unkown unknow unk unkn unidentified unidentifiable undefined undetermined undet "
    "undet. unid unid. unclassified unassigned unspecified unplaced unranked unnamed unsure unclear uncertain "
    "uncultured ambiguous indet indet. indeterminate indetermined sp sp. spp spp. tbd todo pending "
    "other others misc misc. miscellaneous various mixed multiple several "
    "anonymous anon anon. anonym desconocido desconocida "
    "desconhecido inconnu inconnue unbekannt onbekend sconosciuto anonimo anónimo anonyme".split()
) | frozenset(
    "not available|not applicable|not assigned|not classified|not determined|not given|not identified|not known|"
    "not provided|not recorded|not specified|not stated|not set|not sure|not yet identified|no id|no identification|"
    "no data|no name|no rank|no value|no information|n. a.|n / a|incertae sedis|to be determined|"
    "environmental sample|environmental samples|gen. sp.|gen sp|gen. et sp.|sin identificar".split("|")
)
_RANK_WORDS = "domain|kingdom|phylum|class|order|family|genus|species"
#: A placeholder with a word for what it stands for: "Unknown bird", "unidentified 3", "no family".
_UNKNOWN = re.compile(
    r"(?:unknown|unidentified|undetermined|unclassified|unassigned|unspecified|unplaced|uncultured)[\d\W].*"
    rf"|(?:unknown|unidentified)\d+|no (?:{_RANK_WORDS})"
    rf"|(?:{_RANK_WORDS}|photographer|collector|author|observer|recorder|person) unknown"
)
#: PR2 writes the last known taxon with an X for each rank that is not known: Dinophyceae_XX. Bacillus_X is of GTDB.
_KNOWN_ABOVE = re.compile(
    r"[^\W_]+(?:_X{2,6}|(?:ceae|ida|idae|inae|ales|zoa|phora|phyta|mycota|mycetes|formes)_X)(?:[_ ]sp\.?)?"
)
#: Before a name: ``g__`` of GTDB and Greengenes, ``D_5__`` of SILVA, ``g:`` of UTAX, ``genus:``, ``Family``.
RANK_PREFIX = re.compile(
    r"(?:(?:D_\d+|sk|[a-z])__|[dkpcofgs]:(?=\S)|(?-i:[dkpcofgs]_(?=[A-Z]))"
    rf"|(?:{_RANK_WORDS})(?:\s*:|_{{1,2}}(?=[^\W\d_])|\s(?-i:(?=[A-Z][a-z]{{2}}))))\s*",
    re.IGNORECASE,
)
_INVISIBLE = re.compile(r"[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufe00-\ufe0f\ufeff]")
_MARKUP = re.compile(r"</?(?:i|em|b|strong|sup|sub|small|span)>", re.IGNORECASE)
_LETTERS = {"æ": "ae", "œ": "oe", "ø": "o", "ß": "ss", "ı": "i", "ł": "l"}


def clean(text: object) -> str:
    r"""Return a text in Unicode's composed form, without markup and invisible characters, with single blanks.

    Parameters
    ----------
    text : object
        Anything that `str` takes.

    Returns
    -------
    str

    Examples
    --------
    >>> clean(" <i>Isoe\u0308tes</i>\u00a0 lacus\u200btris ") == "Isoëtes lacustris"
    True
    """
    plain = str(text)
    if plain.isascii() and "&" not in plain and "<" not in plain:
        return " ".join(plain.split())
    plain = _MARKUP.sub("", html.unescape(plain))
    return " ".join(unicodedata.normalize("NFC", _INVISIBLE.sub("", plain)).split())


def is_placeholder(text: object) -> bool:
    r"""Return whether a text stands for a value that is not known.

    Parameters
    ----------
    text : object
        A name of a taxon, a person, a common name … None and NaN are placeholders too.

    Returns
    -------
    bool

    Examples
    --------
    >>> [is_placeholder(text) for text in ("<NA>", r"\N", "Not_Classified", "g__", "Aves incertae sedis", "Pica")]
    [True, True, True, True, True, False]
    """
    written = clean(text)
    words = " ".join(written.replace("_", " ").lower().strip("'\"“”‘’()[]{}<> ").split())
    return (
        words in PLACEHOLDERS
        or not re.search(r"\w", words)
        or "incertae sedis" in words
        or _UNKNOWN.fullmatch(words) is not None
        or _KNOWN_ABOVE.fullmatch(written) is not None
        or RANK_PREFIX.fullmatch(written) is not None
        or ((prefix := RANK_PREFIX.match(written)) is not None and is_placeholder(written[prefix.end() :]))
    )


def name_key(text: object) -> str:
    """Return a spelling by which names are compared: small letters without accents, hybrid signs and ``_``.

    The codes of nomenclature treat names that differ in these as one name (ICN, Art. 60.7 and H.3.3).

    Parameters
    ----------
    text : object

    Returns
    -------
    str

    Examples
    --------
    >>> name_key("Isoëtes_Lacustris") == name_key("isoetes lacustris"), name_key("Malus ×domestica")
    (True, 'malus domestica')
    """
    written = clean(text).replace("_", " ").lower().replace(" x ", " ")
    if not written.isascii():
        letters = unicodedata.normalize("NFKD", written)
        written = "".join(_LETTERS.get(sign, sign) for sign in letters if not unicodedata.combining(sign))
    return " ".join(written.replace(HYBRID_SIGN, " ").split())
