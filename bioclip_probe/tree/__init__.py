"""Rooted trees as integer arrays: one type for taxonomies and phylogenies.

=======================  ====================================================================
`Tree`                   a rooted tree of nodes in preorder
`Placement`              the node of each image in a tree
`taxonomy`               lineages → the taxonomy and the placement of every row
`read_name`              the name of a species, as somebody wrote it → `Name`, or a hole and its reason
`clean_lineages`         a table of names → the seven ranks, cleaned
`read_lineages`          the same, and what was found on the way
`fill_lineages`          lineages → the same without the holes that other rows of a taxon fill
`audit`                  lineages → a table of what is odd about them
`numbers_of_taxa`        placement → the number of taxa of each rank
`taxa_in_words`          the same as a text; `holes_in_words` says how many images have no name
`read_tree`              a Newick or Nexus file → `Tree`
`read_trees`             a file of several trees → a list of `Tree`
`to_ete3`                `Tree` → a tree of ete3
`match_names`            names of one rank → the tips of a phylogeny
`match_taxa`             images → the tips of a phylogeny, at the rank of the tree
`place_on`               images → their placement on a phylogeny
`NameRules`              a table of names, and whether species may stand at their genus
`patristic_distances`    lengths of the paths between tips, as a matrix
`patristic_rows`         some rows of that matrix
`brownian`               traits after Brownian motion along a tree
=======================  ====================================================================
"""

from bioclip_probe.tree.auditing import audit, holes_in_words, numbers_of_taxa, taxa_in_words
from bioclip_probe.tree.brownian import brownian
from bioclip_probe.tree.distances import patristic_distances, patristic_rows
from bioclip_probe.tree.filling import fill_lineages
from bioclip_probe.tree.lineage_reading import read_lineages
from bioclip_probe.tree.lineages import clean_lineages, taxonomy
from bioclip_probe.tree.matching import NameRules, match_names
from bioclip_probe.tree.naming import read_name
from bioclip_probe.tree.newick import to_ete3
from bioclip_probe.tree.placing import match_taxa, place_on
from bioclip_probe.tree.scientific_name import Name
from bioclip_probe.tree.tree import Placement, Tree
from bioclip_probe.tree.tree_file import read_tree, read_trees

__all__ = [
    "Name",
    "NameRules",
    "Placement",
    "Tree",
    "audit",
    "brownian",
    "clean_lineages",
    "fill_lineages",
    "holes_in_words",
    "match_names",
    "match_taxa",
    "numbers_of_taxa",
    "patristic_distances",
    "patristic_rows",
    "place_on",
    "read_lineages",
    "read_name",
    "read_tree",
    "read_trees",
    "taxa_in_words",
    "taxonomy",
    "to_ete3",
]
