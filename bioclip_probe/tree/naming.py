"""Scientific names: the one place where a name that somebody wrote becomes a taxon, or a hole with its reason.

GBIF's name parser reads the names (`gbif-name-parser`, imported as `nameparser`). The rules around it are here:

=============================================  ========================================================
written                                        read as
=============================================  ========================================================
``Pica hudsonia (Sabine, 1823)``               *Pica hudsonia*: the author is dropped
``PICA HUDSONIA``, ``pica_hudsonia``           *Pica hudsonia*: letter case and ``_`` do not matter
``Aedes (Stegomyia) aegypti``                  *Aedes aegypti*: the subgenus is dropped
``Canis lupus familiaris``                     *Canis lupus*: a subspecies goes to its species
``Quercus x bebbiana``, ``Quercus × bebbiana`` *Quercus ×bebbiana*: a named hybrid is a species
``Anas platyrhynchos × rubripes``              genus *Anas*: a hybrid formula names no species
``Pica cf. hudsonia``, ``Pica sp.``            genus *Pica*: open nomenclature names no species
``Megaselia sp. BOLD:ACX9534``, ``Ficus sp2``  genus *Megaselia*, *Ficus*: an interim name names no species
``Larus argentatus/cachinnans``                genus *Larus*: several taxa
``Corvidae``, ``Aphididae gen. sp.``           no species
``g__Escherichia``, ``g__``                    *Escherichia*, a hole: prefixes of GTDB and Greengenes
=============================================  ========================================================

References
----------
GBIF name parser, https://github.com/gbif/name-parser; Sigovini et al. 2016, Methods in Ecology and Evolution 7, 1217
(open nomenclature).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache

try:
    from nameparser import Informal, ParsedName, UnparsableNameError, parse
except ImportError as error:  # a parser of names of persons is imported as `nameparser` too
    raise ImportError(
        "scientific names are read by gbif-name-parser, which is missing or hidden by another package: "
        "pip uninstall nameparser, then pip install --force-reinstall gbif-name-parser"
    ) from error

from bioclip_probe.tree import name_markers as markers
from bioclip_probe.tree.name_preparation import capitalized, prepare, with_small_epithet
from bioclip_probe.tree.scientific_name import Name, changes_of
from bioclip_probe.tree.spelling import HYBRID_SIGN, clean, is_placeholder, name_key

#: Names of which the reading is kept, at most: a study reads those of its images several times.
MOST_NAMES = 2**16


@lru_cache(maxsize=MOST_NAMES)
def read_name(text: object, genus: str | None = None, capital_epithets: bool = True) -> Name:
    """Read the name of a species as somebody wrote it.

    Parameters
    ----------
    text : object
        A binomial with or without author, subgenus and subspecies; or an epithet, if `genus` is given.
    genus : str, optional
        The genus, where another column gives it.
    capital_epithets : bool
        Read ``Pica Hudsonia`` as a species. If False, it is a genus and its author, as in ``Pica Brisson``: right for
        a column whose other epithets are written small.

    Returns
    -------
    Name

    Examples
    --------
    >>> read_name("Aedes (Stegomyia) aegypti (Linnaeus, 1762)").species
    'Aedes aegypti'
    >>> name = read_name("cf. hudsonia", genus="Pica")
    >>> name.species, name.genus, name.reason
    (None, 'Pica', 'open nomenclature')
    """
    written, changes = prepare(text)
    if is_placeholder(text) or not written:
        return Name(genus, reason="placeholder")
    if not genus and " " not in written and written[0].islower():
        return Name(reason="no genus")
    if markers.NUMBER.fullmatch(written):
        return Name(genus, reason="not a name")
    full = _with_genus(written, genus) if genus else written
    name = _read_canonical(full) or _read_binomial(full, capital_epithets)
    if name.species:
        return replace(name, changes=changes_of(name.species, full, (*changes, *name.changes)))
    return replace(name, genus=genus or name.genus)


@lru_cache(maxsize=MOST_NAMES)
def read_taxon(text: object, rank: str = "") -> Name:
    """Read the name of a genus or of a taxon above it.

    Parameters
    ----------
    text : object
    rank : str
        The rank that the text stands at: in ``genus``, the name of a family is a hole.

    Returns
    -------
    Name
        `taxon` holds the name, None for a hole; `reason` says why.

    Examples
    --------
    >>> read_taxon("g__Escherichia").taxon, read_taxon("Pica Brisson, 1760", "genus").taxon
    ('Escherichia', 'Pica')
    >>> read_taxon("Corvidae", "genus").reason
    'higher taxon'
    """
    written, changes = prepare(text)
    if is_placeholder(text) or not written:
        return Name(reason="placeholder")
    if markers.NUMBER.fullmatch(written):
        return Name(reason="not a name")
    if markers.QUALIFIED_GENUS.match(written) or markers.QUALIFIED_SPECIES.search(written):
        return Name(reason="open nomenclature")
    if markers.SEVERAL.search(written):
        return Name(reason="several taxa")
    if markers.SEVERAL_GENERA.fullmatch(written):
        return Name(reason="several taxa")
    if re.search(r"\w [×xX+] ?[A-Z]", written):
        return Name(reason="hybrid formula")
    taxon, reason, more = _read_uninomial(written, rank)
    if taxon and " " not in taxon:
        taxon = capitalized(re.sub(r"(?<=[^\W\d_]{4})\.$", "", taxon).strip("'\"“”«»"))
        reason = reason or _no_taxon(taxon, rank)
    if not taxon or reason:
        return Name(reason=reason or "higher taxon")
    if is_placeholder(taxon):
        return Name(reason="placeholder")
    return Name(taxon=taxon, changes=changes_of(taxon, written, (*changes, *more)))


def read_names(texts: Iterable[object]) -> dict[str, Name]:
    """Read the unique names of a column of scientific names.

    Parameters
    ----------
    texts : iterable
        Names of species, or of anything else: *Corvus*, *Passeriformes*. ``Pica Hudsonia`` is a species only if no
        epithet of the column is written small.

    Returns
    -------
    dict from str to Name
        One entry for each distinct text.

    Examples
    --------
    >>> {text: name.species for text, name in read_names(["Pica hudsonia", "Pica Brisson"]).items()}
    {'Pica hudsonia': 'Pica hudsonia', 'Pica Brisson': None}
    """
    unique = list(dict.fromkeys(str(text) for text in texts))
    some_small = any(re.match(r"\W*\w\S* (?:\(\S+\) )?[a-z]{3}", clean(text).replace("_", " ")) for text in unique)
    return {text: read_name(text, capital_epithets=not some_small) for text in unique}


def _with_genus(written: str, genus: str) -> str:
    """Return the binomial of a text that may be an epithet, an abbreviated or a full binomial, or a higher name."""
    first, _, rest = written.partition(" ")
    if name_key(written).startswith(name_key(genus) + " ") or (
        first[:1].isupper() and name_key(written) == name_key(genus)
    ):
        return written
    if rest and re.fullmatch(r"[^\W\d_]\.?", first) and genus.strip(HYBRID_SIGN)[0].lower() == first[0].lower():
        return f"{genus} {rest}" if first.lower() != "x" else f"{genus} {written}"
    if not rest:
        return written if first[0].isupper() and markers.HIGHER_NAME.fullmatch(first) else f"{genus} {first}"
    is_epithet = (
        not first[0].isupper()
        or rest[0] in "(["
        or first.strip(".").lower() in markers.OPEN_EPITHETS
        or markers.INTERIM_EPITHET.fullmatch(first.lower())
        or markers.QUALIFIED_GENUS.match(written)
    )
    other_hybrid = re.match(r"(?:×|[xX] )\s*[A-Z][a-z]", written)
    return f"{genus} {written}" if is_epithet and not other_hybrid else written


def _read_canonical(written: str) -> Name | None:
    """Return a plain binomial at once: most names are one, and need no parser; made-up ones may be single letters."""
    genus, _, epithet = written.partition(" ")
    bare = epithet.removeprefix(HYBRID_SIGN)
    if not (genus.isascii() and genus.isalpha() and genus.istitle()):
        return None
    if not (bare.isascii() and bare.isalpha() and bare.islower()):
        return None
    if len(genus) == 1 and len(bare) > 1:
        return Name(reason="no genus")
    if len(bare) == 1:
        return Name(genus, epithet) if bare != "x" else None
    return None if genus == "X" or markers.problem_of(genus, bare) else Name(genus, epithet)


def _read_binomial(written: str, capital_epithets: bool) -> Name:
    """Read a name by the rules of this module and GBIF's parser."""
    if markers.QUALIFIED_GENUS.match(written):
        return Name(reason="open nomenclature")
    without_subgenus = markers.SUBGENUS.sub(r"\1 ", written)
    changes = ("subgenus",) if without_subgenus != written else ()
    if markers.GENERIC_FORMULA.match(written):
        return _unparsable(written, "FORMULA")
    if markers.UNNAMED_HYBRID.search(written):
        return Name(_first_genus(written), reason="hybrid formula")
    if markers.CAPITAL_BETWEEN.match(written):
        return Name(_first_genus(written), reason="not a name")
    written = with_small_epithet(without_subgenus, capital_epithets)
    if markers.SEVERAL.search(written):
        parts = re.split(r"\s*[/;|,&]\s*|\s(?:or|and|vs|versus)\.?\s", written)
        other = next((part for part in parts[1:] if part[:1].isupper()), written)
        first = _first_genus(written)
        return Name(first if _first_genus(other) == first else None, reason="several taxa")
    if markers.OPEN_GENUS.match(written):
        return Name(_first_genus(written), reason="open nomenclature")
    if markers.QUALIFIED_SPECIES.search(written):
        return Name(_first_genus(written), reason="open nomenclature")
    if markers.AGGREGATE.search(written):
        return Name(_first_genus(written), reason="aggregate")
    if hole := _hole_after_genus(written):
        return hole
    written = re.sub(r" (?:subsp|ssp|var|f)\.?(?: (?:indet|undet|sp|nov|unknown)\.?)?$", "", written)
    try:
        parsed = parse(written)
    except UnparsableNameError as error:
        return _unparsable(written, error.name_type)
    if isinstance(parsed, Informal):
        is_open = re.fullmatch(r"(?:n\. )?(?:spp?|indet)?\.?", parsed.phrase or "")
        return Name(_first_genus(written), reason="open nomenclature" if is_open else "interim name")
    return _from_parsed(written, parsed, changes)


def _hole_after_genus(written: str) -> Name | None:
    """Return the hole that a second word such as ``sp.`` makes; None if that word may be an epithet."""
    _, second, tail = f"{written}  ".split(" ", 2)
    tail = tail.strip()
    word = second.strip(".,")
    word = word.lower() if word.lower() in markers.OPEN_EPITHETS else word
    reason = markers.problem_of_epithet(word)
    if reason in ("", "hybrid formula", "higher taxon"):
        return None
    if reason == "open nomenclature" and not re.match(
        r"(?:(?:nov|n|sp|gen|ined|indet)\.?\s*)*(?:$|cf|aff|nr|near|prox)", tail
    ):
        reason = "interim name"
    return Name(_first_genus(written), reason=reason)


def _from_parsed(written: str, parsed: ParsedName, changes: tuple[str, ...]) -> Name:
    """Return the name that GBIF's parser read, or the hole that it amounts to."""
    genus, epithet = parsed.genus, parsed.specific_epithet
    if epithet is None:
        if parsed.notho and written[0] not in "×xX+":
            return Name(_first_genus(written), reason="hybrid formula")
        taxon = parsed.uninomial or genus
        return Name(genus, taxon=taxon, reason="higher taxon" if taxon else "not a name")
    if genus is None or genus.endswith("."):
        return Name(reason="no genus")
    if "blacklisted epithet used" in parsed.warnings:
        return Name(_first_genus(written), reason="not a name")
    if problem := markers.problem_of(genus, epithet):
        return Name(_first_genus(written), reason=problem)
    notho = parsed.notho or ()
    head, hyphen, tail = genus.partition("-")
    genus = f"{head}{hyphen}{tail.lower()}"
    stem = re.sub(r"_[A-Z]{1,2}$", "", epithet)  # the suffix of a split species in GTDB keeps its capital
    if "_" in stem or len(stem) < 2:
        return Name(_first_genus(written), reason="not a name")
    genus = (HYBRID_SIGN if "GENERIC" in notho else "") + (genus.capitalize() if genus.isalpha() else genus)
    epithet = (HYBRID_SIGN if "SPECIFIC" in notho else "") + stem.lower() + epithet[len(stem) :]
    if parsed.authorship_complete() or parsed.unparsed or parsed.taxonomic_note or parsed.nomenclatural_note:
        changes += ("author",)
    if parsed.infraspecific_epithet or parsed.cultivar_epithet or parsed.phrase:
        changes += ("subspecies",)
    return Name(genus, epithet, changes=changes)


def _unparsable(written: str, kind: str) -> Name:
    """Return the hole that a name which GBIF's parser refuses amounts to."""
    genus = _first_genus(written)
    if kind == "FORMULA":
        # Genus and epithets (Anas platyrhynchos × rubripes), or two binomials of one genus.
        others = re.findall(r"[×xX+]\s*([A-Z][a-z]+)", written)
        return Name(genus if all(other == genus for other in others) else None, reason="hybrid formula")
    if kind == "PLACEHOLDER":
        return Name(reason="placeholder" if " " in written else "no genus")
    is_interim = kind == "IDENTIFIER" or any(map(markers.INTERIM_EPITHET.fullmatch, written.split(" ")[1:2]))
    return Name(genus if is_interim else None, reason="interim name" if is_interim else "not a name")


def _first_genus(written: str) -> str | None:
    """Return the genus that a name begins with; None if its first word is no genus."""
    match = re.match(r"(×|[xX] )?\s*([^\W\d_][\w-]+)(?![\w.:])", written)
    if match is None:
        return None
    genus = capitalized(match[2])
    no_genus = markers.HIGHER_NAME.fullmatch(genus) or is_placeholder(genus) or genus.lower() in markers.NO_GENERA
    return None if no_genus else (HYBRID_SIGN if match[1] else "") + genus


def _read_uninomial(written: str, rank: str) -> tuple[str | None, str, list[str]]:
    """Return the name of a genus or a higher taxon, why there is none, and what was changed."""
    if " " not in written:
        return capitalized(written), "", []
    if markers.OPEN_GENUS.match(written):
        return (None, "open nomenclature", []) if rank == "genus" else (capitalized(written.split(" ")[0]), "", [])
    try:
        parsed = parse(written)
    except UnparsableNameError as error:
        holes = {"FORMULA": "hybrid formula", "PLACEHOLDER": "placeholder", "IDENTIFIER": "interim name"}
        return (None, holes[error.name_type], []) if error.name_type in holes else (written, "", [])
    if isinstance(parsed, Informal):
        return parsed.taxon, "", ["author"]
    sign = HYBRID_SIGN if "GENERIC" in (parsed.notho or ()) else ""
    genus = parsed.genus or parsed.uninomial
    if rank == "genus" and genus:
        change = "author" if parsed.authorship_complete() else "subspecies" if parsed.specific_epithet else "subgenus"
        return sign + genus, "", [] if sign else [change]
    # "Corvidae Leach, 1820" has an author. "Clade Amorphea" has none, and stays.
    is_higher = genus is not None and markers.HIGHER_NAME.fullmatch(genus)
    if is_higher or (parsed.uninomial and (sign or parsed.candidatus or re.search(r"\d{4}|[.&(]", written))):
        return f"{sign}{genus}", "", ["author"]
    return written, "", []


def _no_taxon(word: str, rank: str) -> str:
    """Return why a word is not the name of a taxon, a key of `scientific_name.REASONS`; empty if it may be one."""
    if re.fullmatch(r"[^\W\d_]{1,2}\.", word):
        return "no genus"
    if word.lower() in markers.RANK_WORDS:
        return "placeholder"
    if rank == "genus" and markers.HIGHER_ENDING.search(word):
        return "higher taxon"
    return "not a name" if rank == "genus" and word.lower() in markers.NO_GENERA | markers.OPEN_EPITHETS else ""
