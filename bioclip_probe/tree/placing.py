"""Images on the tips of a phylogeny, by the names of their taxa at the rank of the tree."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bioclip_probe.errors import TreeError
from bioclip_probe.tables import RANKS
from bioclip_probe.tree.grafting import graft
from bioclip_probe.tree.labels import NOTHING, LabelIndex, read_label
from bioclip_probe.tree.matching import MATCH_COLUMNS, NO_RULES, NameRules, match_names
from bioclip_probe.tree.tree import Placement, Tree

#: Fewer taxa than this have nothing to correlate.
MIN_TAXA = 3
#: Several taxa of each rank.
PLURALS = dict(zip(RANKS, ("kingdoms", "phyla", "classes", "orders", "families", "genera", "species"), strict=True))


def place_on(tree: Tree, taxa: pd.DataFrame | pd.Series, rules: NameRules = NO_RULES) -> tuple[Placement, pd.DataFrame]:
    """Place images on a phylogeny by the names of their taxa.

    Parameters
    ----------
    tree : Tree
        A phylogeny of species, or of genera, families or other taxa.
    taxa : DataFrame or Series of str, n rows
        The ranks of each image, missing where it has no name; a series holds species.
    rules : NameRules
        A table of names, and whether a species may stand at the crown of its genus.

    Returns
    -------
    placement : Placement
        The images in the tree of the matched taxa only. An image without a matched taxon has node -1.
    matches : DataFrame
        The result of `match_taxa`.

    Raises
    ------
    TreeError
        If fewer than three taxa of any rank match.

    Examples
    --------
    >>> from bioclip_probe.tree.newick import parse_newick
    >>> tree = parse_newick("((Pica_pica:1,Pica_nuttalli:1):1,(Corvus_corax:1,Corvus_frugilegus:1):1);")
    >>> placement, matches = place_on(tree, pd.Series(["Corvus corax", "Pica pica", "Pica nuttalli", "Morus alba"]))
    >>> placement.tree, placement.node.tolist()
    (Tree(3 tips, 6 nodes, unit='unknown'), [5, 2, 3, -1])
    """
    ranks = taxa.to_frame(RANKS[-1]) if isinstance(taxa, pd.Series) else taxa
    matches = match_taxa(tree, ranks, rules)
    matched = matches[matches["matched"]]
    if len(matched) < MIN_TAXA:
        raise TreeError(too_few(tree, matches))
    nodes, new = matched["tip"].to_numpy(), matched["kind"].eq("genus").to_numpy() & (matched["rank"] == RANKS[-1])
    below = [np.arange(node, tree.stop[node]) for node in nodes[new]]
    smaller, new_index = tree.subset(np.concatenate([nodes, *below]))
    nodes = new_index[nodes]
    if new.any():
        smaller, new_index, nodes[new] = graft(smaller, nodes[new].tolist(), matched["name"][new].tolist())
        nodes[~new] = new_index[nodes[~new]]
        smaller, new_index = smaller.subset(nodes)
        nodes = new_index[nodes]
    node_of = dict(zip(matched["name"], nodes.tolist(), strict=True))
    node = ranks[rank_of_matches(matches)].map(node_of).fillna(-1).to_numpy(dtype=np.int64)
    return Placement(smaller, node), matches


def match_taxa(tree: Tree, taxa: pd.DataFrame, rules: NameRules = NO_RULES) -> pd.DataFrame:
    """Match the taxa of images to the tips of a phylogeny at the rank of the tree.

    The rank is the deepest one at which three names or more are tips; most trees are of species. Where images have
    deeper names that are no tips, a tree most of whose tips are species is not taken for one of a higher rank, and
    inner nodes do not count.

    Parameters
    ----------
    tree, taxa, rules
        As for `place_on`.

    Returns
    -------
    DataFrame with columns name, tip, matched, kind, reason, rank, n_images
        One row for each name at the rank, in alphabetical order; see `match_names`. If no rank has three tips, the
        names of the deepest rank that images have.

    Examples
    --------
    >>> from bioclip_probe.tree.newick import parse_newick
    >>> taxa = pd.DataFrame({"genus": ["Pica", "Pica", "Corvus", "Sitta"], "species": ["Pica pica", None, None, None]})
    >>> match_taxa(parse_newick("((Corvus:1,Pica:1):1,Sitta:2);"), taxa)[["name", "tip", "rank", "n_images"]]
         name  tip   rank  n_images
    0  Corvus    2  genus         1
    1    Pica    3  genus         2
    2   Sitta    4  genus         1
    """
    index = LabelIndex(tree)
    is_of_species = sum(map(len, index.species.values())) > len(tree.tips) / 2
    deepest = None
    for rank in (rank for rank in reversed(RANKS) if rank in taxa):
        counts = taxa[rank].dropna().value_counts().sort_index()
        if counts.empty:
            continue
        matches = match_names(counts.index, tree, rank, rules, index).assign(rank=rank, n_images=counts.to_numpy())
        decides = matches["matched"]
        if deepest is not None:
            decides = decides & (matches["kind"] != "inner node") & (not is_of_species)
        if decides.sum() >= MIN_TAXA:
            return matches
        deepest = matches if deepest is None else deepest
    if deepest is None:
        return pd.DataFrame(columns=[*MATCH_COLUMNS, "rank", "n_images"])
    return deepest


def rank_of_matches(matches: pd.DataFrame) -> str:
    """Return the rank of the taxa that were matched to a tree.

    Parameters
    ----------
    matches : DataFrame
        Of `match_taxa`.

    Returns
    -------
    str
        ``species`` where the table does not say.

    Examples
    --------
    >>> rank_of_matches(pd.DataFrame({"rank": ["genus", "genus"]})), rank_of_matches(pd.DataFrame())
    ('genus', 'species')
    """
    return str(matches["rank"].iloc[0]) if "rank" in matches and len(matches) else RANKS[-1]


def too_few(tree: Tree, matches: pd.DataFrame) -> str:
    """Return the message that too few taxa are on a tree, with what would help.

    Parameters
    ----------
    tree : Tree
    matches : DataFrame
        Of `match_taxa`.

    Returns
    -------
    str

    Examples
    --------
    >>> from bioclip_probe.tree.newick import parse_newick
    >>> tree = parse_newick("(Pica_pica:1,Corvus_corax:1);")
    >>> too_few(tree, match_taxa(tree, pd.DataFrame({"species": ["Morus alba"]})))[:62]
    'only 0 of 1 species are tips of the tree; at least 3 are neede'
    """
    rank = rank_of_matches(matches)
    name = matches["name"].iloc[0] if len(matches) else ""
    n_at_genus = int(matches["kind"].eq("no tip").sum())
    nameless = sum(read_label(str(name)) == NOTHING for name in tree.name[tree.tips])
    labels = f"; {nameless} of {len(tree.tips)} tips have labels without a name" if nameless else ""
    help = f", and --tree-at-genus would place {n_at_genus} more at their genus" if n_at_genus else ""
    return (
        f"only {int(matches['matched'].sum())} of {len(matches)} {PLURALS[rank]} are tips of the tree; at least "
        f"{MIN_TAXA} are needed. The tree's tips are named like '{tree.name[tree.tips[0]]}', the {PLURALS[rank]} like "
        f"'{name}'{labels}. --tree-names FILE can say which name stands for which{help}"
    )
