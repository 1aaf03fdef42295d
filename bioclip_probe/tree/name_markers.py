"""Words, signs and endings that tell what a scientific name is: open nomenclature, an interim name, a higher taxon."""

from __future__ import annotations

import re

from bioclip_probe.tree.spelling import PLACEHOLDERS

#: Endings of names above the genus, and such names without a telling ending. No epithet follows any of them.
HIGHER_ENDING = re.compile(r"(?:idae|inae|aceae|ineae|oideae|formes|viridae|virinae)$")
HIGHER_NAME = re.compile(
    r"(?:.*(?:idae|inae|oidea|aceae|ineae|oideae|formes|viridae|virinae|[^e]ales|phyta|mycetes|mycota|mycotina)"
    r"|Animalia|Plantae|Fungi|Chromista|Protozoa|Bacteria|Archaea|Arthropoda|Chordata|Mollusca|Annelida|Cnidaria|"
    r"Echinodermata|Nematoda|Porifera|Bryozoa|Insecta|Arachnida|Aves|Mammalia|Reptilia|Amphibia|Squamata|Testudines|"
    r"Actinopterygii|Gastropoda|Bivalvia|Cephalopoda|Malacostraca|Decapoda|Diplopoda|Chilopoda|Collembola|Araneae|"
    r"Acari|Opiliones|Diptera|Coleoptera|Hymenoptera|Lepidoptera|Hemiptera|Orthoptera|Odonata|Neuroptera|Trichoptera|"
    r"Plecoptera|Ephemeroptera|Blattodea|Mantodea|Phasmida|Psocodea|Thysanoptera|Isopoda|Amphipoda|Carnivora|Rodentia|"
    r"Chiroptera|Primates|Anura|Caudata|Magnoliopsida|Liliopsida|Pinopsida|Polypodiopsida)"
)
# A blank written as "_"; the suffix of a split taxon in GTDB (Ruminococcus_E) stays.
UNDERSCORES = re.compile(r"_+(?!(?!X)[A-Z]{1,2}(?:[\s_]|$)|X(?: |$))")
#: A number, which names nothing: the index of a class.
NUMBER = re.compile(r"[\d\s.,:+-]+")
#: Genus and subgenus before an epithet: Aedes (Stegomyia) aegypti.
SUBGENUS = re.compile(r"^((?:× ?|[xX] )?[^\W\d_]\S*) [(\[](?!(?:cf|aff|nr|sp)\b)[^\W\d_]+\.?[)\]] (?=[^\W\d_]|×)")
QUALIFIERS = (
    r"(?:cf|c\. ?f|cfr|conf|confer|aff|affin|nr|near|prox|prope|poss|possibly|prob|probably|gr|ex\.? gr|vel|\?)"
    r"(?![\w-])"
)
#: Open nomenclature before the genus, and before or after the epithet.
QUALIFIED_GENUS = re.compile(rf"^{QUALIFIERS}", re.IGNORECASE)
QUALIFIED_SPECIES = re.compile(rf"^\S+ [(\[]?{QUALIFIERS}|[\s(\[](?:cf|aff|nr)\.?(?:[)\]]|\s\d.*)?$|\?", re.IGNORECASE)
#: Names of several taxa: Larus argentatus/cachinnans; Pica pica, Corvus corax.
SEVERAL = re.compile(
    r"[^\W\d_][)\]]?\s*[/;|]\s*[^\W\d_]|\d[)\]]\s*[/;|]\s*[^\W\d_]|\s(?:or|vs|versus|and/or)\.?\s"
    r"|\s(?:&|and|et|vel)\s+[a-z]{3,}$"
    r"|(?:,|\s&|\sand)\s+[A-Z][a-z]+ (?!and\b|et\b|ex\b|in\b)[a-z]{3,}$"
)
#: Genera joined: Pica & Corvus.
SEVERAL_GENERA = re.compile(r"[^\W\d_]+ (?:&|\+|and|et) [A-Z][a-z]+")
#: A hybrid of two genera (Crataegus x Mespilus), and one whose other parent is not known (Anas platyrhynchos hybrid).
GENERIC_FORMULA = re.compile(r"[A-Z][a-z-]+ (?:x |× ?)[A-Z][a-z]")
UNNAMED_HYBRID = re.compile(r" (?:hybrids?|hybr\.?|[×xX])(?: (?:\?|sp\.?|indet\.?|unknown))?$", re.IGNORECASE)
#: A capital word between a genus and a small one: a subgenus, or a species before its subspecies. Nobody can tell.
CAPITAL_BETWEEN = re.compile(
    r"(?!Candidatus )[A-Z][a-z-]+ [A-Z][a-z]{2,} (?!(?:and|der|von|van|sensu|subsp|ssp|var|forma)\b)[a-z]{3,}$"
)
#: A taxon whose genus is not known: Aphididae gen. sp.
OPEN_GENUS = re.compile(r"(\S+) (?:n\.? ?|nov\.? )?gen\b", re.IGNORECASE)
#: A genus with author and year: Pica Brisson, 1760.
YEAR_NEXT = re.compile(r"\S+ [(\[]?[^\W\d_][\w'.-]*,? ?[(\[]*(?:1[5-9]|20)\d\d")
#: Words with a capital after a genus that are no epithet, and words that join authors.
PARTICLES = frozenset("de del della den der des di do dos du el la le st van vander von zu".split())
AUTHOR_LINKS = frozenset("& et and ex in".split())
#: Words in the place of an epithet, by what they make of the name.
OPEN_EPITHETS = frozenset(
    "sp spp spec species nsp ssp subsp gen genus n nov ined indet undet unid undescribed uncultured undetermined "
    "unclassified unassigned".split()
)
INTERIM_EPITHET = re.compile(
    r"(?:n?sp|spp|spec|ssp|msp|morphosp|species|morphospecies|taxon|type|strain|isolate|clone|sample|form|otu|bin)"
    r"(?:[._-]?\d+\w*|[._-]?[A-Z]\w*)?|\S*[:#@=]\S*"
)
AGGREGATE_EPITHETS = frozenset("agg aggr group complex grex".split())
AGGREGATE = re.compile(
    r"(?: (?:s\. ?)?|(?<=[a-z])-)(?:agg|aggr|group|grp|complex|grex|(?-i:gr|coll))\.?(?= |$)", re.IGNORECASE
)
HYBRID_EPITHETS = frozenset("hybrid hybrids hybr x".split())
NO_EPITHETS = frozenset(
    "var cv stirps juv juvenile imm immature adult larva male female environmental bacterium symbiont virus phage "
    "and or und et with from new not ad no".split()
)
SECTIONS = frozenset("sect ser subg subgen subgenus section series".split())
RANK_WORDS = frozenset("kingdom phylum class order family subfamily tribe genus subgenus section species".split())
NO_GENERA = NO_EPITHETS | RANK_WORDS


def problem_of(genus: str, epithet: str) -> str:
    """Return why a genus and an epithet are no species, a key of `scientific_name.REASONS`; empty if they may be one.

    Parameters
    ----------
    genus, epithet : str

    Returns
    -------
    str

    Examples
    --------
    >>> problem_of("Pica", "sp"), problem_of("Pica", "hudsonia")
    ('open nomenclature', '')
    """
    if reason := problem_of_epithet(epithet):
        return reason
    if HIGHER_ENDING.search(genus) or genus.lower() in RANK_WORDS:
        return "higher taxon"
    is_no_name = genus.lower() in NO_EPITHETS or genus.lower() in PLACEHOLDERS or not genus[0].isalpha()
    return "not a name" if is_no_name else ""


def problem_of_epithet(epithet: str) -> str:
    """Return why a word after a genus is no epithet, a key of `scientific_name.REASONS`; empty if it may be one.

    Parameters
    ----------
    epithet : str

    Returns
    -------
    str

    Examples
    --------
    >>> problem_of_epithet("nan"), problem_of_epithet("sp2")
    ('placeholder', 'interim name')
    """
    if epithet in HYBRID_EPITHETS:
        return "hybrid formula"
    if epithet in AGGREGATE_EPITHETS:
        return "aggregate"
    if epithet in OPEN_EPITHETS:
        return "open nomenclature"
    if epithet.strip("<>()[]").lower() in PLACEHOLDERS:
        return "placeholder"
    if INTERIM_EPITHET.fullmatch(epithet):
        return "interim name"
    if epithet in SECTIONS:
        return "higher taxon"
    return "not a name" if epithet in NO_EPITHETS else ""
