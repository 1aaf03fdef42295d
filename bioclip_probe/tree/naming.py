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
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace

from nameparser import Informal, ParsedName, UnparsableNameError, parse

from bioclip_probe.tree.spelling import HYBRID_SIGN, RANK_PREFIX, clean, is_placeholder, name_key

#: Why a name gives no species, as `Name.reason` says it.
REASONS = {
    "placeholder": "a placeholder such as 'unknown'",
    "higher taxon": "the name of a genus or of a higher taxon",
    "open nomenclature": "open nomenclature: cf., aff., sp.",
    "interim name": "an interim name or a code, such as sp. 1",
    "hybrid formula": "a hybrid without a name of its own",
    "several taxa": "more than one taxon",
    "aggregate": "an aggregate or complex of species",
    "no genus": "an epithet, or an abbreviated genus, without its genus",
    "not a name": "no scientific name that could be read",
}
#: What was done to a name, as `Name.changes` says it.
CHANGES = {
    "author": "authors were dropped",
    "subgenus": "subgenera were dropped",
    "subspecies": "subspecies, varieties, forms and strains went to their species",
    "hybrid": "signs of hybrids were written as ×",
    "case": "capital and small letters were set right",
    "prefix": "rank prefixes such as g__ were dropped",
    "spelling": "characters and blanks were set right",
    "variant": "spellings that differ in accents or the sign of a hybrid were made one",
}


#: Endings of names above the genus, and such names without a telling ending. No epithet follows any of them.
_HIGHER_ENDING = re.compile(r"(?:idae|inae|aceae|ineae|oideae|formes|viridae|virinae)$")
_HIGHER_NAME = re.compile(
    r"(?:.*(?:idae|inae|oidea|aceae|ineae|oideae|formes|viridae|virinae|[^e]ales|phyta|mycetes|mycota|mycotina)"
    r"|Animalia|Plantae|Fungi|Chromista|Protozoa|Bacteria|Archaea|Arthropoda|Chordata|Mollusca|Annelida|Cnidaria|"
    r"Echinodermata|Nematoda|Porifera|Bryozoa|Insecta|Arachnida|Aves|Mammalia|Reptilia|Amphibia|Squamata|Testudines|"
    r"Actinopterygii|Gastropoda|Bivalvia|Cephalopoda|Malacostraca|Decapoda|Diplopoda|Chilopoda|Collembola|Araneae|"
    r"Acari|Opiliones|Diptera|Coleoptera|Hymenoptera|Lepidoptera|Hemiptera|Orthoptera|Odonata|Neuroptera|Trichoptera|"
    r"Plecoptera|Ephemeroptera|Blattodea|Mantodea|Phasmida|Psocodea|Thysanoptera|Isopoda|Amphipoda|Carnivora|Rodentia|"
    r"Chiroptera|Primates|Anura|Caudata|Magnoliopsida|Liliopsida|Pinopsida|Polypodiopsida)"
)
# A blank written as "_"; the suffix of a split taxon in GTDB (Ruminococcus_E) stays.
_UNDERSCORES = re.compile(r"_+(?!(?!X)[A-Z]{1,2}(?:[\s_]|$))")
_NUMBER = re.compile(r"[\d\s.,:+-]+")
_SUBGENUS = re.compile(r"^((?:× ?|[xX] )?[^\W\d_]\S*) [(\[][^\W\d_]+\.?[)\]] (?=[^\W\d_]|×)")
_QUALIFIERS = r"(?:cf|cfr|conf|confer|aff|affin|nr|near|prox|gr|ex\.? gr|vel|\?)(?![\w-])"
_QUALIFIED_GENUS = re.compile(rf"^{_QUALIFIERS}", re.IGNORECASE)
_QUALIFIED_SPECIES = re.compile(rf"^\S+ {_QUALIFIERS}|\s(?:cf|aff|nr)\.?$|\?", re.IGNORECASE)
_SEVERAL = re.compile(
    r"[^\W\d_]\s*[/;|]\s*[^\W\d_]|\s(?:or|vs|versus|and/or)\.?\s"
    r"|(?:,|\s&|\sand)\s+[A-Z][a-z]+ (?!and\b|et\b|ex\b|in\b)[a-z]{3,}$"
)
_OPEN_GENUS = re.compile(r"(\S+) (?:n\.? ?|nov\.? )?gen\b", re.IGNORECASE)
_YEAR_NEXT = re.compile(r"\S+ [(\[]?[^\W\d_][\w'.-]*,? ?[(\[]*(?:1[5-9]|20)\d\d")
_PARTICLES = frozenset("de del della den der des di do dos du el la le st van vander von zu".split())
_AUTHOR_LINKS = frozenset("& et and ex in".split())
_OPEN_EPITHETS = frozenset("sp spp spec species nsp ssp subsp gen genus n nov indet undet unknown unidentified".split())
_INTERIM_EPITHET = re.compile(
    r"(?:n?sp|spp|spec|ssp|msp|morphosp|species|morphospecies|taxon|type|strain|isolate|clone|sample|form|otu|bin)"
    r"(?:[._-]?\d+\w*|[._-]?[A-Z]\w*)?|\S*[:#@=]\S*"
)
_AGGREGATE_EPITHETS = frozenset("agg aggr group complex grex".split())
_AGGREGATE = re.compile(r" (?:s\. ?)?(?:agg|aggr|group|complex|grex)\.?$", re.IGNORECASE)
_HYBRID_EPITHETS = frozenset("hybrid hybrids hybr x".split())
_NO_EPITHETS = frozenset(
    "var cv ined sect ser subg subgen stirps juv juvenile imm immature adult larva male female unclassified unassigned "
    "undetermined undescribed uncultured environmental bacterium symbiont virus phage and or und et with from new "
    "not ad".split()
)


@dataclass(frozen=True)
class Name:
    """A scientific name that was read.

    Attributes
    ----------
    genus : str or None
        The genus, kept where the species is a hole.
    epithet : str or None
        The epithet of the species, with ``×`` before it for a named hybrid; None for a hole.
    taxon : str or None
        The name of a genus or a higher taxon, where the text is one: *Corvidae*.
    reason : str
        Why there is no species: a key of `REASONS`; empty where there is one.
    changes : tuple of str
        What was dropped or set right: keys of `CHANGES`.

    Examples
    --------
    >>> Name("Pica", "hudsonia").species, Name("Pica", reason="open nomenclature").species
    ('Pica hudsonia', None)
    """

    genus: str | None = None
    epithet: str | None = None
    taxon: str | None = None
    reason: str = ""
    changes: tuple[str, ...] = ()

    @property
    def species(self) -> str | None:
        """The binomial, or None."""
        return f"{self.genus} {self.epithet}" if self.genus and self.epithet else None


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
    written, changes = _prepare(text)
    if is_placeholder(text) or not written:
        return Name(genus, reason="placeholder")
    if not genus and " " not in written and written[0].islower():
        return Name(reason="no genus")
    if _NUMBER.fullmatch(written):
        return Name(genus, reason="not a name")
    full = _with_genus(written, genus) if genus else written
    name = _read_canonical(full) or _read_binomial(full, capital_epithets)
    if name.species:
        return replace(name, changes=_changes(name.species, full, {*changes, *name.changes}))
    return replace(name, genus=genus or name.genus)


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
    written, changes = _prepare(text)
    if is_placeholder(text) or not written:
        return Name(reason="placeholder")
    if _NUMBER.fullmatch(written):
        return Name(reason="not a name")
    if _QUALIFIED_GENUS.match(written) or _QUALIFIED_SPECIES.search(written):
        return Name(reason="open nomenclature")
    if _SEVERAL.search(written):
        return Name(reason="several taxa")
    if re.search(r"\w [×xX+] ?[A-Z]", written):
        return Name(reason="hybrid formula")
    taxon, reason, more = _read_uninomial(written, rank)
    if taxon is None or (rank == "genus" and _HIGHER_ENDING.search(taxon)):
        return Name(reason=reason or "higher taxon")
    if is_placeholder(taxon):
        return Name(reason="placeholder")
    return Name(taxon=taxon, changes=_changes(taxon, written, {*changes, *more}))


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


def _prepare(text: object) -> tuple[str, list[str]]:
    """Return a text without prefix, quotes, brackets and ``_``, and what was done to it."""
    changes = []
    written = unicodedata.normalize("NFKC", clean(text))
    if written != str(text):
        changes.append("spelling")
    if prefix := RANK_PREFIX.match(written):
        written = written[prefix.end() :]
        changes.append("prefix")
    written = re.sub(r"[‐‑‒–−]", "-", written).replace("’", "'")
    written = re.sub(r"(?<!\S)[✕✖⨯╳*](?=[\s\w])", HYBRID_SIGN, _UNDERSCORES.sub(" ", written))
    written = re.sub(r"^[†‡✝]\s*|[♀♂☿]", "", written)
    for opening, closing in ('""', "''", "“”", "«»", "[]"):
        if written.startswith(opening) and written.endswith(closing) and len(written) > 1:
            written = written[1:-1]
    return " ".join(written.split()), changes


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
        return written if first[0].isupper() and _HIGHER_NAME.fullmatch(first) else f"{genus} {first}"
    is_epithet = (
        not first[0].isupper()
        or rest[0] in "(["
        or first.strip(".").lower() in _OPEN_EPITHETS
        or _INTERIM_EPITHET.fullmatch(first.lower())
        or _QUALIFIED_GENUS.match(written)
    )
    other_hybrid = re.match(r"(?:×|[xX] )\s*[A-Z][a-z]", written)
    return f"{genus} {written}" if is_epithet and not other_hybrid else written


def _read_canonical(written: str) -> Name | None:
    """Return a plain binomial at once: most names are one, and need no parser."""
    genus, _, epithet = written.partition(" ")
    if not (genus.isascii() and genus.isalpha() and genus[0].isupper() and genus[1:].islower()):
        return None
    bare = epithet.removeprefix(HYBRID_SIGN)
    if not (bare.isascii() and bare.isalpha() and bare.islower() and len(bare) > 1) or _problem(genus, bare):
        return None
    return Name(genus, epithet)


def _read_binomial(written: str, capital_epithets: bool) -> Name:
    """Read a name by the rules of this module and GBIF's parser."""
    if _QUALIFIED_GENUS.match(written):
        return Name(reason="open nomenclature")
    without_subgenus = _SUBGENUS.sub(r"\1 ", written)
    changes = ("subgenus",) if without_subgenus != written else ()
    written = _with_small_epithet(without_subgenus, capital_epithets)
    if _SEVERAL.search(written):
        parts = re.split(r"\s*[/;|,&]\s*|\s(?:or|and|vs|versus)\.?\s", written)
        other = next((part for part in parts[1:] if part[:1].isupper()), written)
        first = _first_genus(written)
        return Name(first if _first_genus(other) == first else None, reason="several taxa")
    if _OPEN_GENUS.match(written):
        return Name(_first_genus(written), reason="open nomenclature")
    if _QUALIFIED_SPECIES.search(written):
        return Name(_first_genus(written), reason="open nomenclature")
    if _AGGREGATE.search(written):
        return Name(_first_genus(written), reason="aggregate")
    try:
        parsed = parse(written)
    except UnparsableNameError as error:
        return _unparsable(written, error.name_type)
    if isinstance(parsed, Informal):
        is_open = re.fullmatch(r"(?:n\. )?(?:spp?|indet)?\.?", parsed.phrase or "")
        return Name(_first_genus(written), reason="open nomenclature" if is_open else "interim name")
    return _from_parsed(written, parsed, changes)


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
    if problem := _problem(genus, epithet):
        return Name(_first_genus(written), reason=problem)
    notho = parsed.notho or ()
    stem, suffix = re.fullmatch(r"(.*?)((?:_[A-Z]{1,2})?)", epithet).groups()
    genus = (HYBRID_SIGN if "GENERIC" in notho else "") + genus
    epithet = (HYBRID_SIGN if "SPECIFIC" in notho else "") + stem.lower() + suffix
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
    is_interim = kind == "IDENTIFIER" or any(map(_INTERIM_EPITHET.fullmatch, written.split(" ")[1:2]))
    return Name(genus if is_interim else None, reason="interim name" if is_interim else "not a name")


def _problem(genus: str, epithet: str) -> str:
    """Return why a genus and an epithet are no species; empty if they may be one."""
    if epithet in _HYBRID_EPITHETS:
        return "hybrid formula"
    if epithet in _AGGREGATE_EPITHETS:
        return "aggregate"
    if epithet in _OPEN_EPITHETS:
        return "open nomenclature"
    if _INTERIM_EPITHET.fullmatch(epithet):
        return "interim name"
    if _HIGHER_ENDING.search(genus):
        return "higher taxon"
    is_no_name = epithet in _NO_EPITHETS or genus.lower() in _NO_EPITHETS or is_placeholder(genus)
    return "not a name" if is_no_name or not genus[0].isalpha() else ""


def _with_small_epithet(written: str, capital_epithets: bool) -> str:
    """Return a name whose epithet is written small, whatever the case of the whole."""
    if not written.islower() and not written.isupper():
        words = written.split(" ")
        start = 1 + (words[0] in (HYBRID_SIGN, "x", "X"))
        start += start < len(words) and words[start] in (HYBRID_SIGN, "x", "X")
        if capital_epithets and start < len(words) and _is_epithet(words, start) and not _YEAR_NEXT.match(written):
            words[start] = words[start].lower()
        return " ".join(words)
    small = written.lower()
    if _YEAR_NEXT.match(small):  # a genus with its author
        return small.title()
    lead = re.match(r"(?:×\s*|x )?", small)[0]
    return lead + small[len(lead) :].capitalize()


def _is_epithet(words: list[str], place: int) -> bool:
    """Return whether a word with a capital may be an epithet; otherwise it is an author."""
    word = words[place].removeprefix(HYBRID_SIGN)
    following = words[place + 1] if place + 1 < len(words) else ""
    return (
        word[:1].isupper()
        and word.replace("-", "").isalpha()
        and len(word) > 1
        and word.lower() not in _PARTICLES
        and following not in _AUTHOR_LINKS
        and not _HIGHER_NAME.fullmatch(words[0])
    )


def _first_genus(written: str) -> str | None:
    """Return the genus that a name begins with; None if its first word is no genus."""
    match = re.match(r"(×|[xX] )?\s*([^\W\d_][\w-]+)(?![\w.:])", written)
    if match is None:
        return None
    genus = _capitalized(match[2])
    no_genus = _HIGHER_NAME.fullmatch(genus) or is_placeholder(genus) or genus.lower() in _NO_EPITHETS
    return None if no_genus else (HYBRID_SIGN if match[1] else "") + genus


def _read_uninomial(written: str, rank: str) -> tuple[str | None, str, list[str]]:
    """Return the name of a genus or a higher taxon, why there is none, and what was changed."""
    if " " not in written:
        return _capitalized(written), "", []
    if _OPEN_GENUS.match(written):
        return (None if rank == "genus" else _capitalized(written.split(" ")[0])), "open nomenclature", []
    try:
        parsed = parse(written)
    except UnparsableNameError as error:
        holes = {"FORMULA": "hybrid formula", "PLACEHOLDER": "placeholder", "IDENTIFIER": "interim name"}
        return (None, holes[error.name_type], []) if error.name_type in holes else (written, "", [])
    if isinstance(parsed, Informal):
        return parsed.taxon, "", ["author"]
    sign = HYBRID_SIGN if "GENERIC" in (parsed.notho or ()) else ""
    if rank == "genus" and (parsed.genus or parsed.uninomial):
        change = "author" if parsed.authorship_complete() else "subspecies" if parsed.specific_epithet else "subgenus"
        return sign + (parsed.genus or parsed.uninomial), "", [] if sign else [change]
    # "Corvidae Leach, 1820" has an author. "Clade Amorphea" has none, and stays.
    if parsed.uninomial and (sign or parsed.candidatus or re.search(r"\d{4}|[.&(]", written)):
        return sign + parsed.uninomial, "", ["author"]
    return written, "", []


def _capitalized(word: str) -> str:
    """Return a word with a capital and small letters, unless it mixes them or is no plain word."""
    sign = HYBRID_SIGN if word.startswith(HYBRID_SIGN) else ""
    bare = word.removeprefix(sign)
    is_plain = bare.replace("-", "").isalpha() and (bare.islower() or (bare.isupper() and len(bare) > 1))
    return sign + (bare[:1].upper() + bare[1:].lower() if is_plain else bare)


def _changes(name: str, written: str, changes: set[str]) -> tuple[str, ...]:
    """Return what was done to a text, in the order of `CHANGES`."""
    plain = written.replace(f"{HYBRID_SIGN} ", HYBRID_SIGN)
    if HYBRID_SIGN in name and name.lower() not in written.lower():
        changes.add("hybrid")
    elif name not in plain and name.lower() in plain.lower():
        changes.add("case")
    return tuple(change for change in CHANGES if change in changes)
