import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioclip_probe.stats.dendrogram_agreement import clade_purity, cophenetic_agreement, triplet_agreement
from bioclip_probe.stats.dendrograms import Dendrogram
from bioclip_probe.tree import Tree, patristic_distances
from bioclip_probe.tree.newick import parse_newick
from tests.definitions import dendrogram as definitions
from tests.definitions import hierarchy
from tests.definitions.tree import mrca
from tests.support.made_up_vectors import unit_rows, vectors_of_tips
from tests.support.taxa import rng


def joining_heights(dendrogram: Dendrogram) -> np.ndarray:
    """Return the joining height of each two rows, shape (k, k)."""
    found = np.empty((len(dendrogram.leaves),) * 2)
    found[np.ix_(dendrogram.leaves, dendrogram.leaves)] = patristic_distances(dendrogram.tree)
    return found


def shared_depths(tree: Tree) -> list[list[float]]:
    return [[float(tree.depth[mrca(tree, a, b)]) for b in tree.tips] for a in tree.tips]


@settings(max_examples=60)
@given(vectors_of_tips(max_nodes=22))
def test_agreement_with_a_tree_agrees_with_its_definition(made):
    vectors, tree = made
    if len(tree.tips) < 2:
        return
    dendrogram = Dendrogram.average_linkage(vectors)
    height = joining_heights(dendrogram)
    found = triplet_agreement(tree, dendrogram)
    expected = definitions.triplet_accuracy(shared_depths(tree), height.tolist())
    assert found == pytest.approx(expected, abs=1e-12, nan_ok=True)
    upper = np.triu_indices(len(vectors), 1)
    pairing = list(zip(patristic_distances(tree)[upper], height[upper], strict=True))
    expected = hierarchy.pearson(pairing)
    assert cophenetic_agreement(tree, dendrogram) == pytest.approx(expected, abs=1e-8, nan_ok=True)


@settings(max_examples=60)
@given(vectors_of_tips(max_nodes=22), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_clade_purity_agrees_with_its_definition(made, n_labels, seed):
    vectors, tree = made
    if len(tree.tips) < 2:
        return
    labels = rng(seed).integers(0, n_labels, len(vectors))
    dendrogram = Dendrogram.average_linkage(vectors)
    purity, chance = clade_purity(dendrogram, labels)
    height = joining_heights(dendrogram).tolist()
    assert purity == pytest.approx(definitions.purity(height, labels.tolist()), abs=1e-12, nan_ok=True)
    assert math.isnan(purity) or (0 < purity <= 1 + 1e-12 and 0 < chance <= 1 + 1e-12)


def test_chance_of_purity_is_the_mean_over_all_shuffles():
    from itertools import permutations

    vectors = unit_rows(rng(3).standard_normal((6, 3)))
    dendrogram = Dendrogram.average_linkage(vectors)
    height = joining_heights(dendrogram).tolist()
    labels = [0, 0, 0, 1, 1, 2]
    shuffled = set(permutations(labels))
    expected = np.mean([definitions.purity(height, order) for order in shuffled])
    assert clade_purity(dendrogram, np.array(labels))[1] == pytest.approx(expected)


def test_triplet_agreement_agrees_with_scikit_bio():
    """scikit-bio counts no triplets, so they are found from its lowest common ancestors."""
    from io import StringIO
    from itertools import combinations

    from skbio import TreeNode

    text = "(((A:1,B:1):1,(C:1,D:1,E:1):1):1,((F:1,G:1):2,H:3):0.5);"
    tree = parse_newick(text)
    other = "((((A:1,C:1):1,B:1):1,(D:1,H:1):1):1,(E:1,(F:1,G:1):2):0.5);"
    one, two = (TreeNode.read(StringIO(newick)) for newick in (text, other))

    def odd_one_out(node, names):
        for name in names:
            pair = [other for other in names if other != name]
            if node.lca(pair) is not node.lca(names):
                return name
        return None

    names = list("ABCDEFGH")
    answers = [(odd_one_out(one, three), odd_one_out(two, three)) for three in combinations(names, 3)]
    expected = np.mean([a == b for a, b in answers if a is not None])
    second = parse_newick(other)
    order = [names.index(name) for name in second.name[second.tips]]
    assert triplet_agreement(tree, Dendrogram(second, np.array(order))) == pytest.approx(expected)


def test_a_tree_agrees_fully_with_itself():
    tree = parse_newick("(((A:1,B:1):1,(C:1,D:1):1):1,((E:1,F:1):1.5,G:2.5):0.5);")
    dendrogram = Dendrogram(tree, np.arange(7))
    assert triplet_agreement(tree, dendrogram) == 1
    assert cophenetic_agreement(tree, dendrogram) == pytest.approx(1)
    assert clade_purity(dendrogram, np.array([0, 0, 0, 0, 1, 1, 1]))[0] == 1
    other = Dendrogram(tree, np.array([0, 2, 1, 3, 4, 5, 6]))
    assert triplet_agreement(tree, other) < 1


def test_unresolved_triplets_count_a_third():
    tree = parse_newick("(((A:1,B:1):1,(C:1,D:1):1):1,((E:1,F:1):1.5,G:2.5):0.5);")
    dendrogram = Dendrogram.average_linkage(np.tile([[0.6, 0.8]], (7, 1)))
    assert triplet_agreement(tree, dendrogram) == pytest.approx(1 / 3)
    guesses = [
        triplet_agreement(tree, Dendrogram.average_linkage(unit_rows(rng(s).standard_normal((7, 9)))))
        for s in range(200)
    ]
    assert np.mean(guesses) == pytest.approx(1 / 3, abs=0.05)
