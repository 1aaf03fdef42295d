"""Definitions of the numbers of `bioclip_probe.tree`, as plain as possible and therefore slow."""

from __future__ import annotations

from bioclip_probe.tables import RANKS
from bioclip_probe.tree import Tree


def ancestors(tree: Tree, node: int) -> list[int]:
    """Return the node itself and all nodes above it, from parent to parent."""
    above = [int(node)]
    while tree.parent[above[-1]] != -1:
        above.append(int(tree.parent[above[-1]]))
    return above


def children(tree: Tree, node: int) -> list[int]:
    """Return the nodes whose parent the node is."""
    return [child for child in range(len(tree)) if tree.parent[child] == node]


def tips(tree: Tree) -> list[int]:
    """Return the nodes without children."""
    return [node for node in range(len(tree)) if not children(tree, node)]


def clade(tree: Tree, node: int) -> list[int]:
    """Return the node and its descendants: all nodes that have it among their ancestors."""
    return [other for other in range(len(tree)) if node in ancestors(tree, other)]


def depth(tree: Tree, node: int) -> float:
    """Return the sum of the branches from the root to the node."""
    return sum(float(tree.length[step]) for step in ancestors(tree, node))


def mrca(tree: Tree, a: int, b: int) -> int:
    """Return the most recent common ancestor: the first ancestor of `a` that is also one of `b`."""
    above_b = ancestors(tree, b)
    return next(node for node in ancestors(tree, a) if node in above_b)


def path_length(tree: Tree, a: int, b: int) -> float:
    """Return the sum of the branches from `a` up to the most recent common ancestor and down to `b`."""
    top = mrca(tree, a, b)
    up = [node for node in ancestors(tree, a) if node not in ancestors(tree, top)]
    down = [node for node in ancestors(tree, b) if node not in ancestors(tree, top)]
    return sum(float(tree.length[node]) for node in up + down)


def ancestor_at(tree: Tree, node: int, rank: str) -> int:
    """Return the node of a rank at or above the node, -1 if there is none."""
    of_rank = [step for step in ancestors(tree, node) if tree.rank[step] == RANKS.index(rank)]
    return of_rank[0] if of_rank else -1


def brownian_covariance(tree: Tree, a: int, b: int, signal: float) -> float:
    """Return the length of the path that two tips share, times Pagel's λ unless they are the same tip."""
    shared = depth(tree, mrca(tree, a, b))
    return shared if a == b else signal * shared


def known_path(lineage: list[str | None]) -> tuple[str | None, ...]:
    """Return a lineage down to its deepest known name, which identifies a taxon."""
    known = [rank for rank, name in enumerate(lineage) if name is not None]
    return tuple(lineage[: known[-1] + 1]) if known else ()


def taxa(lineages: list[list[str | None]]) -> set[tuple[str | None, ...]]:
    """Return all taxa of a table: every known name with all names before it."""
    return {tuple(lineage[: rank + 1]) for lineage in lineages for rank, name in enumerate(lineage) if name is not None}


def ranks_below_mrca(a: list[str | None], b: list[str | None]) -> int:
    """Return how many of the seven ranks lie below the last taxon that two species share, 7 if they share none."""
    shared = [rank for rank in range(len(RANKS)) if a[rank] is not None and a[: rank + 1] == b[: rank + 1]]
    return len(RANKS) - 1 - (shared[-1] if shared else -1)


PLACEHOLDERS = [
    *["", "-", "?", "na", "n/a", "nan", "none", "null", "unknown", "unidentified", "undefined", "unclassified"],
    *["unassigned", "not classified", "not available", "no data", "missing", "sp", "sp.", "spp.", "indet.", "--"],
    *["spp", "indet", "<na>", "\\n", "#n/a", "undetermined", "unspecified", "unplaced", "unranked", "0", "anonymous"],
]


def clean_name(name: object) -> str | None:
    """Return a name without superfluous blanks, or None for a placeholder."""
    if not isinstance(name, str):
        return None
    name = " ".join(name.split())
    as_words = name.lower().replace("_", " ").strip()
    return None if as_words in PLACEHOLDERS or "incertae sedis" in as_words else name


def genus_and_species(genus: str | None, species: str | None) -> list[str | None]:
    """Return the genus and the binomial from a cleaned genus and a cleaned name of a species, without subspecies.

    A missing genus is that of the binomial. An epithet without its genus names no species.
    """
    if species is None:
        return [genus, None]
    words = species.replace("_", " ").split()
    # Two words without a genus beside them are a binomial, in small letters too.
    is_binomial = len(words) > 1 and (words[0][0].isupper() or genus is None)
    if not is_binomial and genus is None:
        return [None, None]
    genus_of_species, epithet = [words[0].capitalize(), words[1]] if is_binomial else [genus, words[0]]
    if epithet.lower() in PLACEHOLDERS:
        return [genus or genus_of_species, None]
    return [genus or genus_of_species, f"{genus_of_species} {epithet}"]
