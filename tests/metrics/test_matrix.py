"""A distance matrix in place of a tree gives the numbers of the tree that it was made from."""

from dataclasses import replace

import numpy as np
import pytest

from bioclip_probe.metrics import cophenetic_correlation
from bioclip_probe.metrics.matrix import matrix_correlations
from bioclip_probe.metrics.ordinal import rank_correlations
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.stats.rows import ResamplingUnits
from bioclip_probe.tree import Placement, brownian, patristic_distances
from bioclip_probe.tree.distance_matrix import MatrixPlacement
from bioclip_probe.tree.newick import parse_newick
from tests.support.made_up_vectors import unit_rows

SETTINGS = MeasureSettings(n_permutations=199, n_primary_permutations=199, n_bootstrap=199)
LENGTHS = np.random.default_rng(1)


def placed(n_species: int = 14, n_images: int = 3):
    """Species on a tree of unequal depths, whose vectors follow it."""
    parts = [f"t{i}:{LENGTHS.random():.4f}" for i in range(n_species)]
    while len(parts) > 1:
        parts.append(f"({parts.pop(0)},{parts.pop(0)}):{LENGTHS.random():.4f}")
    tree = parse_newick(parts[0].rsplit(":", 1)[0] + ";", "Myr")
    rng = np.random.default_rng(0)
    node = np.repeat(tree.tips, n_images)
    vectors = brownian(tree, 8, rng)[node] + 0.3 * rng.standard_normal((len(node), 8))
    node = np.where(np.arange(len(node)) == 4, -1, node)
    return unit_rows(vectors), Placement(tree, node)


VECTORS, ON_TREE = placed()
ON_MATRIX = MatrixPlacement(ON_TREE.tree, ON_TREE.node, patristic_distances(ON_TREE.tree))


def test_the_numbers_are_those_on_the_tree():
    cpcc, spearman, tau = (row.estimate for row in matrix_correlations(VECTORS, ON_MATRIX, SETTINGS))
    (on_tree,) = (row.estimate for row in cophenetic_correlation(VECTORS, ON_TREE, SETTINGS))
    assert cpcc.value == pytest.approx(on_tree.value, abs=1e-9)
    assert (cpcc.n_images, cpcc.n_taxa, cpcc.n_excluded) == (41, 14, 1)
    assert cpcc.replicates == pytest.approx(on_tree.replicates, abs=1e-9)
    assert (cpcc.ci_low, cpcc.ci_high) == pytest.approx((on_tree.ci_low, on_tree.ci_high), abs=0.1)
    assert cpcc.p_value == pytest.approx(on_tree.p_value, abs=0.05)
    ranked = {row.metric: row.estimate for row in rank_correlations(VECTORS, ON_TREE, SETTINGS)}
    assert spearman.value == pytest.approx(ranked["spearman"].value, abs=0.02)
    assert tau.value == pytest.approx(ranked["kendall_tau_b"].value, abs=0.03)
    assert spearman.ci_low < spearman.value < spearman.ci_high
    assert "no clades" in cpcc.note


def test_only_what_is_asked_for_is_measured():
    wanted = replace(SETTINGS, metrics=("spearman", "pagel_lambda"))
    assert [row.metric for row in matrix_correlations(VECTORS, ON_MATRIX, wanted)] == ["spearman"]


def test_taxa_without_images_do_not_enter():
    rows = ON_TREE.node != ON_TREE.tree.tips[0]
    cpcc = matrix_correlations(VECTORS[rows], ON_MATRIX.take(rows), SETTINGS)[0].estimate
    (on_tree,) = cophenetic_correlation(VECTORS[rows], ON_TREE.take(rows), SETTINGS)
    assert cpcc.n_taxa == 13
    assert cpcc.value == pytest.approx(on_tree.value, abs=1e-9)


def test_units_of_several_taxa_are_left_out_together():
    genus = np.where(ON_TREE.node >= 0, np.searchsorted(ON_TREE.tree.tips, ON_TREE.node) // 2, -1)
    cpcc = matrix_correlations(VECTORS, ON_MATRIX, SETTINGS, ResamplingUnits("genus", genus))[0].estimate
    assert (cpcc.resampled, cpcc.n_units) == ("genus", 7)


def test_too_few_taxa_and_equal_distances_are_undefined_with_a_reason():
    rows = np.isin(ON_TREE.node, ON_TREE.tree.tips[:2])
    few = matrix_correlations(VECTORS[rows], ON_MATRIX.take(rows), SETTINGS)
    assert all(row.estimate.note == "needs at least 3 taxa, found 2" for row in few)
    equal = replace(ON_MATRIX, distance=1.0 - np.eye(14))
    for row in matrix_correlations(VECTORS, equal, SETTINGS):
        assert np.isnan(row.value) and "does not vary" in row.estimate.note
