"""Names of species laid onto the tips of a phylogeny: what matched, what did not, and why."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd

from bioclip_probe.errors import TreeError
from bioclip_probe.tree.tree import Placement, Tree

MATCH_COLUMNS = ("name", "tip", "matched", "reason")


def match_species(names: list[str] | np.ndarray, tree: Tree) -> pd.DataFrame:
    """Match binomials to the tips of a phylogeny.

    Parameters
    ----------
    names : sequence of str
        Distinct species names, ``Genus epithet``.
    tree : Tree
        With tips named ``Genus epithet`` or ``Genus_epithet``.

    Returns
    -------
    DataFrame with columns name, tip, matched, reason
        One row per name, in the order given; `tip` is the node, -1 where there is none. A name matches a tip of the
        same spelling, "_" and " " taken as one and case aside; nothing is guessed. `reason` says how it matched, or
        whether at least its genus is in the tree.
    """
    tips = [_key(tree.name[tip]) for tip in tree.tips]
    tip_of = dict(zip(tips, tree.tips.tolist(), strict=True))
    n_tips, genera = Counter(tips), Counter(key.split(" ")[0] for key in tips)
    rows = []
    for name in names:
        key = _key(name)
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


def _key(name: str) -> str:
    return " ".join(str(name).replace("_", " ").split()).lower()


def place_on(tree: Tree, species: pd.Series) -> tuple[Placement, pd.DataFrame]:
    """Place images on a phylogeny by the name of their species.

    Parameters
    ----------
    tree : Tree
        A phylogeny.
    species : Series of str, shape (n,)
        The binomial of each image, missing where it is not identified to species.

    Returns
    -------
    placement : Placement
        In the tree cut down to the species that matched; -1 for images without a matched species.
    matches : DataFrame
        As `match_species` gives it, with a column n_images.

    Raises
    ------
    TreeError
        If fewer than three species match: then there is nothing to correlate.
    """
    counts = species.dropna().value_counts().sort_index()
    matches = match_species(counts.index.to_numpy(), tree).assign(n_images=counts.to_numpy())
    matched = matches[matches["matched"]]
    if len(matched) < 3:
        species_name = counts.index[0] if len(counts) else ""
        raise TreeError(
            f"only {len(matched)} of {len(matches)} species are tips of the tree; at least 3 are needed. "
            f"The tree's tips are named like '{tree.name[tree.tips[0]]}', the species like '{species_name}'"
        )
    smaller, new = tree.subset(matched["tip"].to_numpy())
    node_of = dict(zip(matched["name"], new[matched["tip"].to_numpy()].tolist(), strict=True))
    node = species.map(node_of).fillna(-1).to_numpy(dtype=np.int64)
    return Placement(smaller, node), matches
