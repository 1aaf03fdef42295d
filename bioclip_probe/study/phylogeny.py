"""Files that hold a phylogeny of the taxa, read with what a reader must know about them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bioclip_probe.errors import TreeError, printable, some
from bioclip_probe.study.distance_file import is_distance_file, read_distances
from bioclip_probe.study.name_table import read_name_table
from bioclip_probe.tables import RANKS
from bioclip_probe.tree import NameRules, Placement, Tree, match_taxa, place_on
from bioclip_probe.tree.credibility import most_credible
from bioclip_probe.tree.distance_matrix import DistanceMatrix, place_on_matrix
from bioclip_probe.tree.labels import NOTHING, read_label
from bioclip_probe.tree.matching import KINDS, NO_RULES
from bioclip_probe.tree.placing import PLURALS, rank_of_matches
from bioclip_probe.tree.spelling import name_key
from bioclip_probe.tree.tree_file import TreeFile, read_tree_file

TRUE_TREE = "true tree"
MOST_TREES = 100  # of a file of several phylogenies
RESERVED_TREES = ("taxonomy", TRUE_TREE)  # in the column `tree` of measurements; a phylogeny has its file's name


@dataclass(frozen=True)
class Phylogeny:
    """A file that holds a phylogeny of the taxa, and how their names find its tips.

    Attributes
    ----------
    path : Path
        Newick or Nexus, or a distance matrix as CSV. Measurements on it carry the name of the file, without its ending.
        Of a file of several trees, such as a posterior sample, everything is measured on the tree with the most
        credible clades, and the tree signal on each of them or on 100 of them at equal steps.
    unit : str
        Unit of the branch lengths, e.g. ``Myr``.
    names : Path, optional
        A table of names with the columns ``ours`` and ``theirs``.
    at_genus : bool
        Put a species that the tree lacks at the crown of its genus.

    Raises
    ------
    TreeError
        If the file has a name that measurements use for another tree, or the unit is that of a taxonomy.

    Examples
    --------
    >>> Phylogeny(Path("birds.nwk"), "Myr").name
    'birds'
    """

    path: Path
    unit: str = "unknown"
    names: Path | None = None
    at_genus: bool = False

    def __post_init__(self) -> None:
        if self.name in RESERVED_TREES:
            raise TreeError(f"numbers on another tree are called '{self.name}'; give the file {self.path} another name")
        if self.unit == "rank":
            raise TreeError("the unit 'rank' is that of the taxonomy; --tree-unit takes e.g. Myr")

    @property
    def name(self) -> str:
        """Name of the tree in measurements."""
        return Path(Path(self.path).name.removesuffix(".gz")).stem

    def read(self) -> TreeSample:
        """Return the trees of the file.

        Returns
        -------
        TreeSample

        Raises
        ------
        ProbeError
            If a file cannot be read or does not hold what it should.
        """
        table = read_name_table(self.names) if self.names else None
        rules = NameRules(table.names if table else {}, self.at_genus)
        notes, name = table.notes if table else (), Path(self.path).name
        if is_distance_file(Path(self.path)):
            if self.at_genus:
                raise TreeError(f"{self.path} is a distance matrix, in which no species can stand at its genus")
            matrix = read_distances(Path(self.path), self.unit)
            note = "a distance matrix in place of a tree: correlations and the Mantel test only"
            return TreeSample((matrix.star,), rules=rules, notes=(note, *notes), matrix=matrix, name=name)
        file = read_tree_file(self.path, self.unit, MOST_TREES)
        lead = most_credible(file.trees)
        own = (*_notes_on_file(name, file, lead), *_notes_on_labels(file.trees[lead]))
        if file.unrooted:
            own += ("the file calls its tree unrooted, [&U]: the node that is written first is taken as the root",)
        return TreeSample(file.trees, lead, rules, (*own, *notes), name=name)


@dataclass(frozen=True, eq=False)
class TreeSample:
    """The trees of a file.

    Attributes
    ----------
    trees : tuple of Tree
        One, or a sample of them.
    lead : int
        The place of the one on which everything is measured.
    rules : NameRules
        How names find its tips.
    notes : tuple of str
        What a reader must know.
    matrix : DistanceMatrix, optional
        The distances that stand in place of a tree, whose star is then the only tree.
    name : str
        Name of the file, for messages.

    Examples
    --------
    >>> from bioclip_probe.tree.newick import parse_newick
    >>> trees = TreeSample((parse_newick("((a:1,b:1):1,(c:1,d:1):1);"),))
    >>> placement, matches = trees.place(pd.DataFrame({"species": ["a", "b", "c"]}))
    >>> placement.node.tolist(), trees.place_on_each(pd.DataFrame({"species": ["a", "b", "c"]}))
    ([2, 3, 5], ())
    """

    trees: tuple[Tree, ...]
    lead: int = 0
    rules: NameRules = NO_RULES
    notes: tuple[str, ...] = ()
    matrix: DistanceMatrix | None = None
    name: str = ""

    def match(self, images: pd.DataFrame) -> pd.DataFrame:
        """Return which names of images are tips of the tree, see `match_taxa`.

        Parameters
        ----------
        images : DataFrame
            With columns of ranks.

        Returns
        -------
        DataFrame
        """
        return match_taxa(self.trees[self.lead], images, self.rules)

    def place(self, images: pd.DataFrame) -> tuple[Placement, pd.DataFrame]:
        """Return the images on the tree on which everything is measured, and the table of what matched.

        Parameters
        ----------
        images : DataFrame
            With columns of ranks.

        Returns
        -------
        placement : Placement
        matches : DataFrame
            See `match_taxa`.

        Raises
        ------
        TreeError
            If fewer than three taxa match.
        """
        try:
            if self.matrix is not None:
                return place_on_matrix(self.matrix, images, self.rules)
            return place_on(self.trees[self.lead], images, self.rules)
        except TreeError as error:
            raise TreeError(f"{self.name}: {error}" if self.name else str(error)) from None

    def place_on_each(self, images: pd.DataFrame) -> tuple[Placement, ...]:
        """Return the images on every tree of a sample; nothing for a file of one tree.

        Parameters
        ----------
        images : DataFrame
            With columns of ranks.

        Returns
        -------
        tuple of Placement

        Raises
        ------
        TreeError
            If fewer than three taxa match.
        """
        return tuple(place_on(tree, images, self.rules)[0] for tree in self.trees if len(self.trees) > 1)

    def notes_on(self, matches: pd.DataFrame, images: pd.DataFrame) -> list[str]:
        """Return the notes on the trees, and on how the names of images found the tips.

        Parameters
        ----------
        matches : DataFrame
            Of `match`.
        images : DataFrame
            With columns of ranks.

        Returns
        -------
        list of str
        """
        notes = list(self.notes)
        if self.rules.names:
            known = {name_key(name) for name in matches["name"]}
            unused = [ours for ours in self.rules.names if name_key(ours) not in known]
            if unused:
                notes.append(f"{len(unused)} names of the table of names are not in the data: {some(unused)}")
        return notes + notes_on_matches(matches, images)


def notes_on_matches(matches: pd.DataFrame, images: pd.DataFrame) -> list[str]:
    """Return notes on how names found the tips of a tree, beside the same name, and on names that share a tip.

    Parameters
    ----------
    matches : DataFrame
        Of `match_taxa`.
    images : DataFrame
        With columns of ranks.

    Returns
    -------
    list of str

    Examples
    --------
    >>> from bioclip_probe.tree.newick import parse_newick
    >>> images = pd.DataFrame({"species": ["Pica pica", "Sitta europaea"]})
    >>> matches = match_taxa(parse_newick("(Pica_pica_ott1:1,Sitta_europaea:1);"), images)
    >>> notes_on_matches(matches, images)
    ["1 found by the name that is part of a label, e.g. 'Pica pica': label 'Pica_pica_ott1'"]
    """
    notes = []
    for kind, meaning in KINDS.items():
        own = matches[(matches["kind"] == kind) & matches["matched"]]
        if len(own) and kind != "same name":
            example = own.iloc[0]
            notes.append(f"{len(own)} found {meaning}, e.g. '{printable(example['name'])}': {example['reason']}")
    tips = matches[matches["matched"] & (matches["kind"] != "genus")]
    shared = tips[tips["tip"].duplicated(keep=False)]
    if len(shared):
        notes.append(f"{len(shared)} names share {shared['tip'].nunique()} tips, as one taxon: {some(shared['name'])}")
    rank = rank_of_matches(matches)
    if rank != RANKS[-1]:
        notes.append(f"the tips of the tree are matched at rank {rank}, and numbers on it are of {PLURALS[rank]}")
    if nameless := int(images[rank].isna().sum()):
        notes.append(f"{nameless} images have no name at rank {rank}")
    return notes


def _notes_on_file(name: str, file: TreeFile, lead: int) -> list[str]:
    """Return notes on a file of several trees: which are read, and which one is measured whole."""
    if file.n_trees == 1:
        return []
    note = f"{name} holds {file.n_trees} trees"
    if file.n_burn_in:
        note += f"; {file.n_burn_in} of the first tenth of their chain are left out as burn-in"
    if len(file.trees) < file.n_trees - file.n_burn_in:
        note += f"; {len(file.trees)} at equal steps are read"
    note += f"; {file.names[lead]}, whose clades are the most credible, is measured whole"
    return [note + (f", and the tree signal on each of {len(file.trees)}" if len(file.trees) > 1 else "")]


def _notes_on_labels(tree: Tree) -> list[str]:
    """Return notes on what is odd about the labels and the lengths of a tree."""
    tips = tree.name[tree.tips].tolist()
    notes = []
    if tree.unit == "branches":
        notes.append("no branch of the tree has a length: each counts 1")
    repeated = [name for name, count in Counter(tips).items() if count > 1]
    if repeated:
        notes.append(f"{len(repeated)} labels are those of several tips: {some(repeated)}")
    unread = [name for name in tips if read_label(name) == NOTHING]
    if len(unread) > len(tips) / 2:
        notes.append(f"{len(unread)} of {len(tips)} tips have labels without a name: {some(unread)}; see --tree-names")
    return notes
