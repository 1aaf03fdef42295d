"""Clades of dendrograms that are clades of a tree, or taxa."""

import math
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioclip_probe.stats.clade_recovery import clade_counts, label_recovery
from bioclip_probe.stats.dendrograms import Dendrogram
from bioclip_probe.tree import Tree, patristic_distances
from bioclip_probe.tree.newick import parse_newick
from tests.definitions import dendrogram as definitions
from tests.definitions.tree import mrca
from tests.support.made_up_vectors import unit_rows, vectors_of_tips
from tests.support.taxa import rng


def heights_of(dendrogram: Dendrogram) -> list[list[float]]:
    found = np.empty((len(dendrogram.leaves),) * 2)
    found[np.ix_(dendrogram.leaves, dendrogram.leaves)] = patristic_distances(dendrogram.tree)
    return found.tolist()


def clades_of(tree: Tree) -> set[frozenset]:
    return definitions.clades_of_depths([[float(tree.depth[mrca(tree, a, b)]) for b in tree.tips] for a in tree.tips])


@settings(max_examples=80)
@given(vectors_of_tips(max_nodes=20))
def test_counts_agree_with_sets_of_tips(made):
    vectors, tree = made
    if len(tree.tips) < 2:
        return
    dendrogram = Dendrogram.average_linkage(vectors)
    of_tree, other = clades_of(tree), definitions.clades_of_heights(heights_of(dendrogram))
    found = clade_counts(tree, dendrogram)
    assert (found.in_tree, found.in_dendrogram, found.in_both) == (len(of_tree), len(other), len(of_tree & other))
    assert found.robinson_foulds == pytest.approx(definitions.robinson_foulds(of_tree, other), nan_ok=True)
    assert math.isnan(found.recall) == (not of_tree) and math.isnan(found.precision) == (not other)
    for number in (found.recall, found.precision, found.robinson_foulds):
        assert math.isnan(number) or 0 <= number <= 1


@settings(max_examples=60)
@given(vectors_of_tips(max_nodes=20), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_taxa_that_are_clades_agree_with_sets_of_tips(made, n_labels, seed):
    vectors, tree = made
    if len(tree.tips) < 2:
        return
    labels = rng(seed).integers(0, n_labels, len(vectors))
    dendrogram = Dendrogram.average_linkage(vectors)
    clades = definitions.clades_of_heights(heights_of(dendrogram))
    members = [frozenset(np.flatnonzero(labels == label).tolist()) for label in np.unique(labels)]
    expected = [taxon in clades for taxon in members if 1 < len(taxon) < len(labels)]
    recovered, chance = label_recovery(dendrogram, labels)
    assert recovered.tolist() == expected and len(chance) == len(expected)


def test_chance_is_the_mean_over_all_permutations():
    tree = parse_newick("(((A:1,B:1):1,C:2):1,((D:1,E:1):1,F:2):1);")
    dendrogram = Dendrogram.average_linkage(unit_rows(rng(3).standard_normal((6, 3))))
    orders = [np.array(order) for order in permutations(range(6))]
    shuffled = [clade_counts(tree, Dendrogram(dendrogram.tree, order)).in_both for order in orders]
    assert clade_counts(tree, dendrogram).chance == pytest.approx(np.mean(shuffled))
    labels = np.array([0, 0, 1, 1, 1, 2])
    shuffled = [label_recovery(Dendrogram(dendrogram.tree, order), labels)[0] for order in orders]
    assert label_recovery(dendrogram, labels)[1] == pytest.approx(np.mean(shuffled, axis=0))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_ete3_and_scikit_bio_count_the_same_clades(seed):
    from io import StringIO

    from ete3 import Tree as Newick
    from skbio import TreeNode
    from skbio.tree import rf_dists

    def newick(tree: Tree, name: list[str]) -> str:
        children = [[] for _ in range(len(tree))]
        for node in range(len(tree) - 1, 0, -1):
            children[tree.parent[node]].insert(0, node)

        def text(node: int) -> str:
            return f"({','.join(map(text, children[node]))})" if children[node] else name[node]

        return text(0) + ";"

    tree = parse_newick("((((A:1,B:1):1,C:2):1,(D:1,E:1,F:1):2):1,((G:1,H:1):1,(I:1,J:1):1):2);")
    places = np.random.default_rng(seed).standard_normal((len(tree), 6))
    vectors = unit_rows(places[tree.tips] + 1.5 * places[tree.parent[tree.tips]])
    dendrogram = Dendrogram.average_linkage(vectors)
    names = dict(zip(dendrogram.tree.tips.tolist(), dendrogram.leaves.tolist(), strict=True))
    texts = [
        newick(tree, list(tree.name)),
        newick(dendrogram.tree, [tree.name[tree.tips[names[i]]] if i in names else "" for i in range(19)]),
    ]
    found = clade_counts(tree, dendrogram)
    different = found.in_tree + found.in_dendrogram - 2 * found.in_both
    assert Newick(texts[0]).robinson_foulds(Newick(texts[1]))[0] == different
    one, other = (TreeNode.read(StringIO(text)) for text in texts)
    assert rf_dists([one, other], rooted=True, proportion=False)[0, 1] == different
    assert rf_dists([one, other], rooted=True, proportion=True)[0, 1] == pytest.approx(found.robinson_foulds)


def test_a_tree_has_all_of_its_own_clades_and_single_children_are_no_clades():
    tree = parse_newick("(((A:1,B:1):1,((C:1,D:1):0.5):0.5):1,((E:1,F:1):1.5,G:2.5):0.5);")
    found = clade_counts(tree, Dendrogram(tree, np.arange(7)))
    assert (found.in_tree, found.in_both, found.robinson_foulds) == (5, 5, 0)
    star = parse_newick("(A:1,B:1,C:1,D:1,E:1,F:1,G:1);")
    assert math.isnan(clade_counts(star, Dendrogram(tree, np.arange(7))).robinson_foulds)
    flat = Dendrogram.average_linkage(np.tile([[0.6, 0.8]], (7, 1)))
    found = clade_counts(tree, flat)
    assert (found.recall, found.robinson_foulds) == (0, 1) and math.isnan(found.precision)
