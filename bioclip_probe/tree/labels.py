"""Labels of a phylogeny's nodes: the species, genera and higher taxa that they stand for.

Programs and databases write more than a name into a label. `read_label` takes it off:

==================================================  =====================================================
label                                               read as
==================================================  =====================================================
``Pica_hudsonia_ott1023``, ``9606|Homo_sapiens``    identifiers of Open Tree, NCBI, GBIF; accession numbers
``Tachyglossus_aculeatus_TACHYGLOSSIDAE_MONOTREM``  family and order behind the name, in capitals
``Felidae_Felis_catus``, ``FELIDAE_Felis_catus``    family before the name
``Canis_lupus_familiaris``, ``Canis_lupus_2``       a tip of *Canis lupus*
``Megachile_[Largella]_sp.``, ``Felis_sp``          a tip of the genus only
``d__Archaea;p__Nanoarchaeota``                     the last taxon of a path
==================================================  =====================================================

Scientific names themselves are read by `naming`.
"""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache

from bioclip_probe.tree.naming import read_name, read_taxon
from bioclip_probe.tree.spelling import clean, name_key
from bioclip_probe.tree.tree import Tree

#: Open Tree writes the numbers of its taxa, and names a node that is no taxon after two of them.
_IDENTIFIER = re.compile(
    r"(?:ott|txid|taxid|taxon|ncbi|gbif|inat|tt|id)?\d+|mrcaott\d+ott\d+|[A-Z]{1,6}\d{4,}(?:\.\d+)?", re.IGNORECASE
)
#: Open Tree: Morus_(genus_in_kingdom_Archaeplastida)_ott8034.
_PLACE_OF_HOMONYM = re.compile(r"\((?:[a-z]+[ _])?in[ _][^()]*\)")
#: The taxa of a path such as d__Archaea;p__Nanoarchaeota, also behind a support value: 100:g__Nanoarchaeum.
_TAXON_OF_PATH = re.compile(r"(?:^|[;:\s])[dkpcofgst]__([^;]*)")
#: R writes a point for a blank.
_POINTED = re.compile(r"[A-Z][a-z-]+\.[a-z][a-z.-]+")
_SUPPORT = re.compile(r"[\d./|eE+-]+")
_MOST_LABELS = 1 << 18


@dataclass(frozen=True)
class Label:
    """The names that a label stands for, as keys by which names are compared, see `spelling.name_key`.

    Attributes
    ----------
    species : str
        The binomial; empty if the label names no species.
    genus : str
        Its genus; empty if it is not known.
    taxon : str
        The genus or the higher taxon that the label names; empty if it names a species, or nothing.
    other : str
        The binomial with the first word of the label as genus, where a capital word stands between: a subgenus.
    is_part : bool
        True if the label names a part of its species: a subspecies, or one of several individuals.

    Examples
    --------
    >>> Label("pica pica", "pica").is_part
    False
    """

    species: str = ""
    genus: str = ""
    taxon: str = ""
    other: str = ""
    is_part: bool = False


#: The label of a node that has no name.
NOTHING = Label()


@lru_cache(maxsize=_MOST_LABELS)
def read_label(text: str) -> Label:
    """Return the names that the label of a node stands for.

    Parameters
    ----------
    text : str

    Returns
    -------
    Label

    Examples
    --------
    >>> read_label("Felidae_Felis_catus_ott563166").species, read_label("Felis_sp.").genus, read_label("Felidae").taxon
    ('felis catus', 'felis', 'felidae')
    >>> read_label("Canis_lupus_familiaris")
    Label(species='canis lupus', genus='canis', taxon='', other='', is_part=True)
    """
    written = _PLACE_OF_HOMONYM.sub(" ", clean(text))
    if path := [taxon for taxon in _TAXON_OF_PATH.findall(written) if taxon.strip()]:
        written = path[-1]
    if _POINTED.fullmatch(written):
        written = written.replace(".", " ")
    words = re.split(r"[\s_|]+", written)
    named = [word for word in words if word and not _IDENTIFIER.fullmatch(word)]
    named = _without_capitals(named)
    if not named or _SUPPORT.fullmatch(" ".join(named)):
        return NOTHING
    if len(named) == 1:
        return _of_one_word(named[0])
    start = _start_of_binomial(named)
    named[start] = named[start].strip("[]")
    name = read_name(" ".join(named[start:]))
    if name.species:
        is_part = "subspecies" in name.changes or _has_number(words)
        other = read_name(f"{named[start - 1]} {' '.join(named[start + 1 :])}").species if start else None
        return Label(name_key(name.species), name_key(name.genus), "", name_key(other or ""), is_part)
    taxon = read_taxon(named[-1]).taxon if name.taxon and not name.genus else None
    return Label("", name_key(name.genus or ""), name_key(taxon or name.taxon or ""))


def _of_one_word(word: str) -> Label:
    """Return the label of a genus or of a higher taxon."""
    taxon = name_key(read_taxon(word).taxon or "")
    return Label("", "", taxon)


def _without_capitals(words: list[str]) -> list[str]:
    """Return words without those in capitals, such as family and order, if others are not in capitals."""
    small = [word for word in words if not (len(word) > 1 and word.isupper())]
    return small if any(any(letter.islower() for letter in word) for word in small) else words


def _start_of_binomial(words: list[str]) -> int:
    """Return the place of the first capital word that is followed by a small one: the genus; else 0."""
    pairs = enumerate(itertools.pairwise(words))
    return next((i for i, (word, next_) in pairs if _is_genus(word) and _is_small(next_)), 0)


def _is_genus(word: str) -> bool:
    return len(word.strip("[]×†")) > 1 and word.strip("[]×†")[0].isupper()


def _is_small(word: str) -> bool:
    return word[0].islower() or word[0].isdigit() or word[0] in "([×"


def _has_number(words: list[str]) -> bool:
    """Return True if a label ends with a plain number, which tells individuals apart."""
    return bool(re.fullmatch(r"\d{1,3}", words[-1]))


class LabelIndex:
    """The nodes of a tree by the names that their labels stand for.

    Parameters
    ----------
    tree : Tree

    Attributes
    ----------
    spelled : dict from str to list of int
        The tips by their whole label, as `name_key` spells it.
    species, others, genera, taxa : dict from str to list of int
        The tips by the fields of their `Label`.
    open : dict from str to list of int
        The tips that name a genus and no species, by genus.
    inner : dict from str to list of int
        The inner nodes by the species or the taxon that they name.

    Examples
    --------
    >>> from bioclip_probe.tree.newick import parse_newick
    >>> LabelIndex(parse_newick("((Canis_lupus_dingo:1,Canis_lupus_lupus:1)Canis_lupus:1,Vulpes:2);")).species
    {'canis lupus': [2, 3]}
    """

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        nodes: list[defaultdict[str, list[int]]] = [defaultdict(list) for _ in range(7)]
        spelled, species, others, genera, taxa, without_species, inner = nodes
        is_tip = (tree.stop - range(len(tree)) == 1).tolist()
        for node, text in enumerate(tree.name.tolist()):
            if not text:
                continue
            label = read_label(str(text))
            if not is_tip[node]:
                inner[label.species or label.taxon].append(node)
                continue
            spelled[name_key(text)].append(node)
            species[label.species].append(node)
            others[label.other].append(node)
            taxa[label.taxon].append(node)
            genus = label.genus or ("" if label.species else label.taxon)
            genera[genus].append(node)
            if not label.species:
                without_species[genus].append(node)
        for table in nodes:
            table.pop("", None)
        self.spelled, self.species, self.others = dict(spelled), dict(species), dict(others)
        self.genera, self.taxa, self.open, self.inner = dict(genera), dict(taxa), dict(without_species), dict(inner)

    def label(self, node: int) -> Label:
        """Return the label of a node."""
        return read_label(str(self.tree.name[node]))
