"""Names of taxa on the tips of a phylogeny: which names match, which do not, and why.

`match_names` compares names with labels, `placing` puts images on the tree, and `suggestions` says what a name may be
called in the tree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import pandas as pd

from bioclip_probe.errors import printable
from bioclip_probe.tables import RANKS
from bioclip_probe.tree.labels import Label, LabelIndex
from bioclip_probe.tree.naming import read_name
from bioclip_probe.tree.spelling import name_key
from bioclip_probe.tree.tree import Tree

MATCH_COLUMNS = ("name", "tip", "matched", "kind", "reason")
#: Kinds of matches of a name, and reasons why it has none: the values of the column `kind`.
KINDS = {
    "same name": "by the same name",
    "label": "by the name that is part of a label",
    "table": "by the table of names",
    "several tips": "by one of several tips of the species, which are a clade",
    "inner node": "by the name of an inner node, whose first free tip stands for it",
    "genus": "at the crown of the genus, which has no tip of this name",
    "no tip": "its genus has tips, it has none",
    "no genus": "its genus is not in the tree",
    "not in tree": "no node of the tree has its name",
    "several places": "its tips do not form a clade",
    "wrong table": "the table of names gives a name that is not a tip",
}


@dataclass(frozen=True)
class NameRules:
    """The ways beside its own name in which a taxon may find its tip.

    Attributes
    ----------
    names : mapping from str to str
        A table of names: a name of the dataset, and the name or the label of the tree for it. It goes before all else.
    at_genus : bool
        Put a species that the tree lacks at the crown of its genus, if the tips of the genus are a clade.

    Examples
    --------
    >>> NameRules({"Felis concolor": "Puma concolor"}).theirs("felis_concolor")
    'Puma concolor'
    """

    names: Mapping[str, str] = field(default_factory=dict)
    at_genus: bool = False
    _by_key: dict[str, str] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_key", {name_key(ours): theirs for ours, theirs in self.names.items()})

    def theirs(self, name: str) -> str | None:
        """Return the name that the tree has for a name of the dataset.

        Parameters
        ----------
        name : str

        Returns
        -------
        str or None
            None if the table does not say.
        """
        return self._by_key.get(name_key(name))


NO_RULES = NameRules()


def match_names(
    names: Iterable[str],
    tree: Tree,
    rank: str = RANKS[-1],
    rules: NameRules = NO_RULES,
    index: LabelIndex | None = None,
) -> pd.DataFrame:
    """Match the names of taxa to the tips of a phylogeny. No name is guessed.

    Parameters
    ----------
    names : iterable of str
        Distinct names of taxa of one rank; species as ``Genus epithet``.
    tree : Tree
        Its labels are read as `labels` describes it. Letter case, ``_``, accents and signs of hybrids do not matter.
    rank : str
        The rank of the names.
    rules : NameRules
        A table of names, and whether a species may stand at the crown of its genus.
    index : LabelIndex, optional
        That of the tree, where it exists already.

    Returns
    -------
    DataFrame with columns name, tip, matched, kind, reason
        One row per name, in the given order. `tip` is the node, -1 if there is none; for the kind ``genus`` it is the
        node below which the taxon belongs. `kind` is one of `KINDS`, and `reason` says it in words.

    Notes
    -----
    If several tips name a species, such as its subspecies, the tip of the nominotypical one or else the first stands
    for it, provided that they are a clade: on an ultrametric tree the distance to other species is the same from each.

    Examples
    --------
    >>> from bioclip_probe.tree.newick import parse_newick
    >>> match_names(["Pica pica", "Pica nuttalli"], parse_newick("(Pica_pica:1,Corvus_corax:1);"))["reason"].tolist()
    ['same name', 'no tip of this name; its genus has 1 tip']
    """
    given = [str(name) for name in names]
    matcher = _Matcher(index or LabelIndex(tree), rank, rules)
    found = [matcher.direct(name) for name in given]
    taken = {match.node for match in found if match.matched}
    for place, name in enumerate(given):
        if not found[place].matched:
            found[place] = matcher.indirect(name, taken) or found[place]
    rows = [
        (name, match.node, match.matched, match.kind, match.reason) for name, match in zip(given, found, strict=True)
    ]
    return pd.DataFrame(rows, columns=MATCH_COLUMNS).astype({"tip": "int64", "matched": "bool"})


@dataclass(frozen=True)
class _Match:
    """The node of one name, or the reason why it has none."""

    node: int
    kind: str
    reason: str

    @property
    def matched(self) -> bool:
        return self.node >= 0


class _Matcher:
    """The rules by which the names of one rank find their nodes."""

    def __init__(self, index: LabelIndex, rank: str, rules: NameRules) -> None:
        self.index, self.tree, self.rank, self.rules = index, index.tree, rank, rules

    def direct(self, name: str) -> _Match:
        """Return the tip of a name by the table of names, by spelling or by label."""
        theirs = self.rules.theirs(name)
        if theirs is None:
            return self._by_name(name)
        match = self._by_name(theirs)
        shown = printable(theirs)
        if match.matched:
            return _Match(match.node, "table", f"'{shown}' in the table of names")
        return _Match(-1, "wrong table", f"the table of names gives '{shown}': {match.reason}")

    def indirect(self, name: str, taken: set[int]) -> _Match | None:
        """Return the node of a name that no tip has: a free tip below an inner node, or the crown of its genus."""
        wanted = self.rules.theirs(name) or name
        nodes = self.index.inner.get(self._key(wanted), [])
        if len(nodes) > 1:
            return _Match(-1, "several places", f"{len(nodes)} inner nodes have this name")
        if nodes:
            tips = self._tips_of(nodes[0])
            free = [tip for tip in tips if tip not in taken]
            if not free:
                return _Match(-1, "several places", "an inner node of this name; its tips stand for other names")
            tip = self._representative(free)
            taken.add(tip)
            about = f"an inner node of this name with {_count(len(tips), 'tip')}; '{self._shown(tip)}' stands for it"
            return _Match(tip, "inner node", about)
        return self._at_genus(name, taken) if self.rules.at_genus and self.rules.theirs(name) is None else None

    def _by_name(self, name: str) -> _Match:
        """Return the tip of a name, or the reason why none has it."""
        index, key = self.index, self._key(name)
        if tips := index.spelled.get(name_key(name)):
            return self._one_of(tips, "same name", "same name")
        if self.rank == RANKS[-1]:
            tips = index.species.get(key) or index.others.get(key)
        else:
            tips = index.taxa.get(key) or (index.open.get(key) if self.rank == "genus" else None)
        if tips:
            return self._one_of(tips, "label", f"label '{self._shown(tips[0])}'")
        return self._missing(key)

    def _one_of(self, tips: list[int], kind: str, reason: str) -> _Match:
        """Return the tip that stands for a name which several tips may have."""
        if len(tips) == 1:
            return _Match(tips[0], kind, reason)
        if self._crown(tips) < 0:
            return _Match(-1, "several places", f"{len(tips)} tips have this name")
        tip = self._representative(tips)
        return _Match(tip, "several tips", f"{len(tips)} tips of it are a clade; '{self._shown(tip)}' stands for it")

    def _missing(self, key: str) -> _Match:
        """Return the reason why no tip has a name."""
        if self.rank == "genus":
            n_tips = len(self.index.genera.get(key, []))
            if n_tips:
                return _Match(-1, "no tip", f"no tip of this name, but {_count(n_tips, 'tip')} of its species")
        if self.rank != RANKS[-1]:
            return _Match(-1, "not in tree", "no node of the tree has this name")
        n_tips = len(self.index.genera.get(key.split(" ")[0], []))
        if n_tips:
            return _Match(-1, "no tip", f"no tip of this name; its genus has {_count(n_tips, 'tip')}")
        return _Match(-1, "no genus", "its genus is not in the tree")

    def _at_genus(self, name: str, taken: set[int]) -> _Match | None:
        """Return the crown of the genus of a name; of a genus itself a free tip of it."""
        if self.rank not in RANKS[-2:]:
            return None
        tips = self.index.genera.get(self._key(name).split(" ")[0], [])
        if not tips:
            return None
        crown = self._crown(tips)
        if crown < 0:
            return _Match(-1, "several places", f"the {len(tips)} tips of its genus do not form a clade")
        if self.rank == "genus":
            taken.add(tips[0])
            return _Match(
                tips[0], "genus", f"the {len(tips)} tips of it are a clade; '{self._shown(tips[0])}' stands for it"
            )
        return _Match(
            crown, "genus", f"no tip of this name; at the crown of its genus, which has {_count(len(tips), 'tip')}"
        )

    def _key(self, name: str) -> str:
        """Return the key of a name of the rank."""
        return name_key((read_name(name).species if self.rank == RANKS[-1] else None) or name)

    def _crown(self, tips: list[int]) -> int:
        """Return the last common ancestor of tips; -1 if other tips descend from it."""
        parent, stop, node = self.tree.parent, self.tree.stop, tips[0]
        while stop[node] <= tips[-1]:
            node = parent[node]
        return int(node) if len(self._tips_of(node)) == len(tips) else -1

    def _tips_of(self, node: int) -> list[int]:
        """Return the tips at or below a node."""
        first, last = self.tree.tips.searchsorted([node, self.tree.stop[node]])
        return self.tree.tips[first:last].tolist()

    def _representative(self, tips: list[int]) -> int:
        """Return the tip of the species itself or of its nominotypical subspecies, or else the first one."""

        def distance(tip: int) -> int:
            label: Label = self.index.label(tip)
            words = name_key(self.tree.name[tip]).split(" ")
            nominotypical = len(words) > 2 and words[1] == words[2]
            return 0 if label.species and not label.is_part else 1 if nominotypical else 2

        return min(tips, key=distance)

    def _shown(self, node: int) -> str:
        return printable(self.tree.name[node])


def _count(n: int, word: str) -> str:
    """Return a number with its noun."""
    return f"{n} {word}" if n == 1 else f"{n} {word}s"
