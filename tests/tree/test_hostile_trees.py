"""Trees that are very large, very deep, or without lengths, measured by every layer from the arrays to the metrics."""

import tracemalloc
from io import StringIO

import numpy as np
import pytest

from bioclip_probe.metrics.dendrogram import dendrogram_agreement
from bioclip_probe.metrics.hierarchy import cophenetic_correlation
from bioclip_probe.metrics.signal import k_mult
from bioclip_probe.stats.all_pairs.moments import Moments
from bioclip_probe.stats.all_pairs.tree_sums import TreeSums
from bioclip_probe.stats.contrasts import Contrasts
from bioclip_probe.tree import Placement, Tree, brownian, patristic_distances, to_ete3
from bioclip_probe.tree.distances import neighbour_mrca_depths
from bioclip_probe.tree.newick import parse_newick
from tests.support.made_up_vectors import unit_rows

N_TIPS = 70_000
N_DEEP = 20_000
METRICS = (cophenetic_correlation, k_mult, dendrogram_agreement)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def bushy_newick(n_tips: int) -> str:
    """Pairs of pairs of tips, branches of length 1."""
    clades = [f"t{tip}:1" for tip in range(n_tips)]
    while len(clades) > 1:
        clades = [f"({','.join(clades[i : i + 2])}):1" for i in range(0, len(clades), 2)]
    return clades[0].removesuffix(":1") + ";"


def caterpillar(n_nodes: int) -> Tree:
    """A backbone whose every node bears one tip; tips in preorder come before the rest of the backbone."""
    node = np.arange(n_nodes)
    parent = np.where(node % 2 == 1, node - 1, node - 2)
    parent[0] = -1
    name = np.array([f"n{i}" for i in node], dtype=object)
    return Tree(parent, (node > 0).astype(float), name, np.full(n_nodes, -1))


def estimates(metric, vectors, placement):
    return [row.estimate for row in metric(vectors, placement)]


@pytest.mark.slow
def test_seventy_thousand_tips_need_no_matrix_of_pairs():
    tree = parse_newick(bushy_newick(N_TIPS))
    assert len(tree.tips) == N_TIPS
    assert tree.depth.max() == pytest.approx(np.ceil(np.log2(N_TIPS)))
    smaller, new_index = tree.subset(tree.tips[::7])
    assert len(smaller.tips) == N_TIPS // 7
    assert np.array_equal(smaller.name[new_index[tree.tips[::7]]], tree.name[tree.tips[::7]])
    vectors = unit_rows(brownian(tree, 4, rng())[tree.tips])
    tracemalloc.start()
    moments = Moments.of(vectors, np.arange(N_TIPS), N_TIPS)
    correlation = TreeSums(tree, moments).correlation()
    signal = Contrasts.of(tree).signal(vectors)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert correlation > 0.1
    assert signal > 0.5
    assert peak < 2**28  # a matrix of all pairs has 39 GB


def test_the_moments_of_a_large_tree_equal_those_over_all_pairs():
    tree = parse_newick(bushy_newick(700))
    vectors = unit_rows(brownian(tree, 4, rng())[tree.tips])
    upper = np.triu_indices(700, 1)
    expected = np.corrcoef(patristic_distances(tree)[upper], (1 - vectors @ vectors.T)[upper])[0, 1]
    found = TreeSums(tree, Moments.of(vectors, np.arange(700), 700)).correlation()
    assert found == pytest.approx(expected, abs=1e-10)


@pytest.mark.slow
def test_a_caterpillar_of_twenty_thousand_nodes_needs_no_recursion(ete3):
    tree = caterpillar(N_DEEP)
    k = len(tree.tips)
    assert (k, tree.depth.max()) == (N_DEEP // 2, N_DEEP // 2)
    assert np.array_equal(neighbour_mrca_depths(tree), np.arange(k - 1))
    smaller, _ = tree.subset(tree.tips[[0, k // 2, k - 1]])
    assert patristic_distances(smaller)[1, 2] == k - k // 2 + 1
    vectors = unit_rows(brownian(tree, 3, rng())[tree.tips])
    assert TreeSums(tree, Moments.of(vectors, np.arange(k), k)).correlation() > 0
    assert Contrasts.of(tree).signal(vectors) > 0
    assert len(tree.path(len(tree) - 1).split("|")) == N_DEEP // 2
    drawn = to_ete3(tree)
    assert len(drawn) == k


def test_trees_with_some_branches_of_length_zero_are_measured():
    tree = parse_newick("((A:0,B:2):1,(C:1,(D:1,E:1):0):0);")
    expected = [[0, 2, 2, 2, 2], [2, 0, 4, 4, 4], [2, 4, 0, 2, 2], [2, 4, 2, 0, 2], [2, 4, 2, 2, 0]]
    assert patristic_distances(tree).tolist() == expected
    vectors = unit_rows(rng().standard_normal((5, 3)))
    for metric in METRICS:
        for found in estimates(metric, vectors, Placement(tree, tree.tips)):
            assert np.isfinite(found.value)


def test_on_a_tree_of_zero_lengths_no_metric_is_defined():
    tree = parse_newick("((A:0,B:0):0,(C:0,D:0):0);")
    vectors = unit_rows(rng().standard_normal((4, 3)))
    for metric in METRICS:
        for found in estimates(metric, vectors, Placement(tree, tree.tips)):
            assert np.isnan(found.value) and found.note


@pytest.mark.parametrize("text", ["A;", "(A:1);", "(((A:1):0):2);"])
def test_on_a_tree_of_one_tip_no_metric_is_defined(text):
    tree = parse_newick(text)
    assert tree.name[tree.tips].tolist() == ["A"]
    assert patristic_distances(tree).tolist() == [[0]]
    assert tree.is_ultrametric
    for metric in METRICS:
        for found in estimates(metric, np.array([[0.6, 0.8]]), Placement(tree, tree.tips)):
            assert "needs at least 3 taxa, found 1" in found.note


def test_tips_of_unequal_depth_are_measured_as_in_scikit_bio():
    from skbio import TreeNode

    text = "(((A:0.1,B:30):0.5,C:2):7,((D:0.01,E:4):0.3,F:100):0.2);"
    tree = parse_newick(text)
    assert not tree.is_ultrametric
    other = TreeNode.read(StringIO(text)).cophenet()
    assert patristic_distances(tree) == pytest.approx(other.filter(tree.name[tree.tips]).data)
    vectors = unit_rows(brownian(tree, 50, rng())[tree.tips] + 1)
    for metric in METRICS:
        for found in estimates(metric, vectors, Placement(tree, tree.tips)):
            assert np.isfinite(found.value)
