"""Names that a taxon without a tip may have in the tree: another genus, another ending, another letter."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable

import pandas as pd
from rapidfuzz import process
from rapidfuzz.distance import OSA

from bioclip_probe.tables import RANKS
from bioclip_probe.tree.labels import read_label
from bioclip_probe.tree.spelling import name_key
from bioclip_probe.tree.tree import Tree

SUGGESTION_COLUMNS = ("ours", "theirs", "why", "n_images")
#: Endings of epithets, which follow the gender of the genus: albus, alba, album.
_ENDING = re.compile(r"(?:us|um|a|is|e|er|os|on|ii|i|ae)$")
#: Shorter names differ by one letter too easily, and shorter stems are shared too easily.
_SHORTEST_NAME, _SHORTEST_STEM = 7, 3


def suggest_names(matches: pd.DataFrame, tree: Tree) -> pd.DataFrame:
    """Return a table of names for the taxa that a tree lacks, for a person to look through.

    A suggestion is a tip that stands for no other name: the only one whose name differs by one letter or by its ending,
    or else the only one with the same epithet in another genus.

    Parameters
    ----------
    matches : DataFrame
        Of `match_taxa`.
    tree : Tree

    Returns
    -------
    DataFrame with columns ours, theirs, why, n_images
        One row for each name without a tip, most images first; `theirs` is empty where there is no suggestion. It can
        be given back as a table of names.

    Examples
    --------
    >>> from bioclip_probe.tree.newick import parse_newick
    >>> from bioclip_probe.tree.placing import match_taxa
    >>> tree = parse_newick("((Puma_concolor:1,Felis_sylvestris:1):1,Corvus_corax:2);")
    >>> species = ["Felis silvestris", "Felis concolor", "Sitta europaea"]
    >>> suggest_names(match_taxa(tree, pd.DataFrame({"species": species})), tree).iloc[:, :3].values.tolist()
    [['Felis concolor', 'Puma concolor', 'the only tip of this epithet: its genus may have changed'], \
['Felis silvestris', 'Felis sylvestris', 'one letter differs'], ['Sitta europaea', '', 'its genus is not in the tree']]
    """
    lacking = matches[~matches["matched"]]
    taken = set(matches.loc[matches["matched"], "tip"])
    is_species = not len(matches) or matches["rank"].iloc[0] == RANKS[-1]
    free = _FreeTips(tree, (tip for tip in tree.tips.tolist() if tip not in taken), is_species)
    rows = []
    for match in lacking.itertuples():
        theirs, why = free.suggestion(match.name)
        rows.append((match.name, theirs, why or match.reason, match.n_images))
    table = pd.DataFrame(rows, columns=SUGGESTION_COLUMNS)
    return table.sort_values(["n_images", "ours"], ascending=[False, True], ignore_index=True)


class _FreeTips:
    """The tips that stand for no name yet, by their names and epithets."""

    def __init__(self, tree: Tree, tips: Iterable[int], is_species: bool) -> None:
        self.labels: dict[str, str] = {}
        self.by_stem: defaultdict[str, list[str]] = defaultdict(list)
        self.is_species = is_species
        n_tips = Counter(map(name_key, tree.name[tree.tips]))
        for tip in tips:
            label = read_label(str(tree.name[tip]))
            key = label.species if is_species else label.taxon
            # A label that several tips have names none of them.
            if key and key not in self.labels and n_tips[name_key(tree.name[tip])] == 1:
                self.labels[key] = " ".join(str(tree.name[tip]).replace("_", " ").split())
                self.by_stem[_stem(key)].append(key)

    def suggestion(self, name: str) -> tuple[str, str]:
        """Return the label that a name may stand for, and why; empty if there is none or more than one."""
        key = name_key(name)
        if len(key) >= _SHORTEST_NAME:
            near = process.extract(key, self.labels.keys(), scorer=OSA.distance, score_cutoff=1, limit=2)
            if len(near) == 1:
                return self.labels[near[0][0]], "one letter differs"
        if not self.is_species or len(_stem(key)) < _SHORTEST_STEM:
            return "", ""
        alike = self.by_stem.get(_stem(key), [])
        genus, _, epithet = key.partition(" ")
        own = [other for other in alike if other.startswith(genus + " ")]
        if len(own) == 1:
            return self.labels[own[0]], "its ending differs"
        same = [other for other in alike if other.endswith(f" {epithet}")] or alike
        if len(same) == 1:
            return self.labels[same[0]], "the only tip of this epithet: its genus may have changed"
        return "", ""


def _stem(key: str) -> str:
    """Return the epithet of a binomial without its ending."""
    return _ENDING.sub("", key.rpartition(" ")[2])
