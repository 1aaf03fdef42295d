"""What the numbers of `bioclip_probe.tree` mean, written down as plainly as possible and as slowly as that is."""

from __future__ import annotations

from bioclip_probe.tables import RANKS


def ancestors(tree, node: int) -> list[int]:
    """The node itself and all above it, walking from parent to parent."""
    above = [int(node)]
    while tree.parent[above[-1]] != -1:
        above.append(int(tree.parent[above[-1]]))
    return above


def children(tree, node: int) -> list[int]:
    return [child for child in range(len(tree)) if tree.parent[child] == node]


def tips(tree) -> list[int]:
    return [node for node in range(len(tree)) if not children(tree, node)]


def clade(tree, node: int) -> list[int]:
    """The node and its descendants: all whose walk to the root meets it."""
    return [other for other in range(len(tree)) if node in ancestors(tree, other)]


def depth(tree, node: int) -> float:
    return sum(float(tree.length[step]) for step in ancestors(tree, node))


def mrca(tree, a: int, b: int) -> int:
    """The first ancestor of `a` that is an ancestor of `b` too."""
    above_b = ancestors(tree, b)
    return next(node for node in ancestors(tree, a) if node in above_b)


def path_length(tree, a: int, b: int) -> float:
    """Sum of the branches from `a` up to the most recent common ancestor and down to `b`."""
    top = mrca(tree, a, b)
    up = [node for node in ancestors(tree, a) if node not in ancestors(tree, top)]
    down = [node for node in ancestors(tree, b) if node not in ancestors(tree, top)]
    return sum(float(tree.length[node]) for node in up + down)


def ancestor_at(tree, node: int, rank: str) -> int:
    found = [step for step in ancestors(tree, node) if tree.rank[step] == RANKS.index(rank)]
    return found[0] if found else -1


def brownian_covariance(tree, a: int, b: int, signal: float) -> float:
    """Pagel's: the path that two tips share, times λ unless they are the same tip."""
    shared = depth(tree, mrca(tree, a, b))
    return shared if a == b else signal * shared


def known_path(lineage: list[str | None]) -> tuple[str | None, ...]:
    """A lineage down to its deepest known name: what a taxon *is*."""
    known = [place for place, name in enumerate(lineage) if name is not None]
    return tuple(lineage[: known[-1] + 1]) if known else ()


def taxa(lineages: list[list[str | None]]) -> set[tuple[str | None, ...]]:
    """All taxa of a table: every known name with all that stands before it."""
    return {
        tuple(lineage[: place + 1]) for lineage in lineages for place, name in enumerate(lineage) if name is not None
    }


def ranks_below_mrca(a: list[str | None], b: list[str | None]) -> int:
    """Of two species: how many of the seven ranks lie below the last taxon they share, 7 if they share none."""
    shared = [place for place in range(len(RANKS)) if a[place] is not None and a[: place + 1] == b[: place + 1]]
    return len(RANKS) - 1 - (shared[-1] if shared else -1)


PLACEHOLDERS = [
    *["", "-", "?", "na", "n/a", "nan", "none", "null", "unknown", "unidentified", "undefined", "unclassified"],
    *["unassigned", "not classified", "not available", "no data", "missing", "sp", "sp.", "spp.", "indet.", "--"],
    *["spp", "indet"],
]


def clean_name(name: object) -> str | None:
    """A name without superfluous blanks, or None where it says that there is none."""
    if not isinstance(name, str):
        return None
    name = " ".join(name.split())
    as_words = name.lower().replace("_", " ").strip()
    return None if as_words in PLACEHOLDERS or "incertae sedis" in as_words else name


def binomial(genus: str | None, species: str | None) -> str | None:
    """Genus and epithet, of a cleaned genus and a cleaned species name."""
    if species is None:
        return None
    words = species.replace("_", " ").split()
    is_binomial = len(words) > 1 and words[0][0].isupper()
    if not is_binomial and genus is None:
        return None
    words = words if is_binomial else [*genus.split(), *words]
    return None if " ".join(words[1:]).lower() in PLACEHOLDERS else " ".join(words)
