"""Species on the tips of a phylogeny: which names match, which do not, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
import pandas as pd

from bioclip_probe.errors import TreeError
from bioclip_probe.tree.tree import Placement, Tree

MATCH_COLUMNS = ("name", "tip", "matched", "reason")
#: Fewer species than this have nothing to correlate.
MIN_SPECIES = 3


def match_species(names: Iterable[str], tree: Tree) -> pd.DataFrame:
    """Match the names of species to the tips of a phylogeny.

    A name matches the tip of the same spelling. Upper and lower case count as the same, and so do "_" and a blank. No
    name is guessed.

    Parameters
    ----------
    names : iterable of str
        Distinct names of species, ``Genus epithet``.
    tree : Tree
        Its tips are named ``Genus epithet`` or ``Genus_epithet``.

    Returns
    -------
    DataFrame with columns name, tip, matched, reason
        One row per name, in the given order. `tip` is the node, -1 if there is none. `reason` says how the name
        matched, or how many tips the tree has of its genus.

    Examples
    --------
    >>> from bioclip_probe.tree.newick import parse_newick
    >>> match_species(["Pica pica", "Pica nuttalli"], parse_newick("(Pica_pica:1,Corvus_corax:1);"))["reason"].tolist()
    ['same name', 'no tip of this name; its genus has 1 tip']
    """
    tips = [_spelling(tree.name[tip]) for tip in tree.tips]
    tip_of = dict(zip(tips, tree.tips.tolist(), strict=True))
    n_tips, genera = Counter(tips), Counter(key.split(" ")[0] for key in tips)
    rows = []
    for name in names:
        key = _spelling(name)
        n_same, n_genus = n_tips[key], genera[key.split(" ")[0]]
        if n_same == 1:
            reason = "same name"
        elif n_same:
            reason = f"{n_same} tips have this name"
        elif n_genus:
            reason = f"no tip of this name; its genus has {n_genus} tip{'s' * (n_genus != 1)}"
        else:
            reason = "its genus is not in the tree"
        rows.append((str(name), tip_of[key] if n_same == 1 else -1, n_same == 1, reason))
    return pd.DataFrame(rows, columns=MATCH_COLUMNS)


def place_on(tree: Tree, species: pd.Series) -> tuple[Placement, pd.DataFrame]:
    """Place images on a phylogeny by the names of their species.

    Parameters
    ----------
    tree : Tree
        A phylogeny.
    species : Series of str, shape (n,)
        The binomial of each image, missing if the image is not identified to species.

    Returns
    -------
    placement : Placement
        The images in the tree of the matched species only. An image without a matched species has node -1.
    matches : DataFrame
        The result of `match_species`, with a column n_images.

    Raises
    ------
    TreeError
        If fewer than three species match.

    Examples
    --------
    >>> from bioclip_probe.tree.newick import parse_newick
    >>> tree = parse_newick("((Pica_pica:1,Pica_nuttalli:1):1,(Corvus_corax:1,Corvus_frugilegus:1):1);")
    >>> placement, matches = place_on(tree, pd.Series(["Corvus corax", "Pica pica", "Pica nuttalli", "Morus alba"]))
    >>> placement.tree, placement.node.tolist()
    (Tree(3 tips, 6 nodes, unit='unknown'), [5, 2, 3, -1])
    """
    counts = species.dropna().value_counts().sort_index()
    matches = match_species(counts.index, tree).assign(n_images=counts.to_numpy())
    matched = matches[matches["matched"]]
    if len(matched) < MIN_SPECIES:
        species_name = counts.index[0] if len(counts) else ""
        raise TreeError(
            f"only {len(matched)} of {len(matches)} species are tips of the tree; at least {MIN_SPECIES} are needed. "
            f"The tree's tips are named like '{tree.name[tree.tips[0]]}', the species like '{species_name}'"
        )
    smaller, new_index = tree.subset(matched["tip"].to_numpy())
    node_of = dict(zip(matched["name"], new_index[matched["tip"].to_numpy()].tolist(), strict=True))
    node = species.map(node_of).fillna(-1).to_numpy(dtype=np.int64)
    return Placement(smaller, node), matches


def _spelling(name: str) -> str:
    """Return a name in lower case, with one blank between words."""
    return " ".join(str(name).replace("_", " ").split()).lower()
