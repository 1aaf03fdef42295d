"""The correlation inside each ancestor, one ancestor at a time, from the pairs of its species."""

import math

import numpy as np

from bioclip_probe.tables import RANKS
from tests.definitions import hierarchy
from tests.definitions.tree import ancestor_at, tips


def clade_correlations(vectors, placement, fewest: int) -> dict[str, dict[str, float]]:
    """By rank and path, NaN with fewer species than `fewest`, or where a distance does not vary."""
    tree = placement.tree
    found: dict[str, dict[str, float]] = {}
    with_images = hierarchy.images_of_taxa(placement)
    for rank in RANKS[:5]:
        for ancestor in sorted({ancestor_at(tree, tip, rank) for tip in with_images} - {-1}):
            inside = {tip for tip in tips(tree) if ancestor_at(tree, tip, rank) == ancestor}
            node = np.array([at if at in inside else -1 for at in placement.node])
            kept = type(placement)(tree, node)
            value = math.nan
            if len(hierarchy.images_of_taxa(kept)) >= fewest:
                try:
                    value = hierarchy.pearson(hierarchy.taxon_pairing(vectors, kept))
                except ZeroDivisionError:  # a centroid without direction
                    value = math.nan
            found.setdefault(rank, {})[tree.path(ancestor)] = value
    return found
