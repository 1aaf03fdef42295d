"""Rooted trees as integer arrays: one type for taxonomy and phylogeny.

`Tree` and `Placement` (where images sit in a tree); `taxonomy` makes both from lineages, `read_tree` reads a phylogeny,
`match_species` lays species onto its tips; `patristic_distances` measures along it, `brownian` evolves traits on it.
"""

from bioclip_probe.tree.brownian import brownian
from bioclip_probe.tree.distances import patristic_distances, patristic_rows
from bioclip_probe.tree.lineages import audit, clean_lineages, taxonomy
from bioclip_probe.tree.matching import match_species, place_on
from bioclip_probe.tree.newick import read_tree, to_ete3
from bioclip_probe.tree.tree import Placement, Tree

__all__ = [
    "Placement",
    "Tree",
    "audit",
    "brownian",
    "clean_lineages",
    "match_species",
    "patristic_distances",
    "patristic_rows",
    "place_on",
    "read_tree",
    "taxonomy",
    "to_ete3",
]
