import math

import numpy as np
import pytest

from bioclip_probe.metrics.dimension import effective_dimension
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.stats.centroids import centroids
from bioclip_probe.tree import Placement
from bioclip_probe.tree.newick import parse_newick
from tests.definitions import tree_signal as definitions
from tests.support.evolutions import evolved_images, spectrum
from tests.support.made_up_vectors import unit_rows
from tests.support.settings import FEW
from tests.support.taxa import made_up, random_phylogeny, rng


def dimension_of(vectors, placement):
    (row,) = effective_dimension(vectors, placement, FEW)
    assert (row.metric, row.rank) == ("effective_dimension", "species")
    return row.estimate


def test_it_is_its_definition():
    tree = random_phylogeny(14, 2)
    vectors, placement = evolved_images(tree, spectrum("1/j", 6), 0.5, 0.5, rng(1), 4)
    shared = SharedResults(vectors, placement, FEW)
    fit, taxa = shared.evolution.fit, centroids(vectors, placement)
    residuals = vectors - np.repeat(taxa.means, 4, axis=0)
    within = residuals.T @ residuals / 42
    c = definitions.covariance(tree, tree.tips, fit.signal, fit.variance, np.full(14, np.trace(within) / 4))
    lengths = np.zeros(len(tree))
    splits = shared.evolution.likelihood.splits
    lengths[np.bincount(tree.parent[1:], minlength=len(tree)) != 1] = fit.variance * splits.lengths(fit.signal)
    lengths[tree.tips] += np.trace(within) / 4
    weights = definitions.contrasts(tree, tree.tips, lengths)
    np.testing.assert_allclose(weights @ c @ weights.T, np.eye(13), atol=1e-9)
    sampling = np.square(weights) @ np.full(14, 0.25)
    square = definitions.trace_of_square(weights @ taxa.means, sampling, within, 42)
    assert dimension_of(shared, placement).value == pytest.approx(np.clip(1 / square, 1, 6), rel=1e-6)


@pytest.mark.parametrize("signal", [0.0, 1.0])
@pytest.mark.parametrize(("d", "noise"), [(8, 0.1), (64, 0.1), (64, 1.0), (128, 0.1)])
def test_flat_spectra_have_as_many_directions_as_dimensions(d, noise, signal):
    vectors, placement = evolved_images(random_phylogeny(120, 3), spectrum("flat", d), signal, noise, rng(1))
    assert dimension_of(vectors, placement).value == pytest.approx(d, rel=0.2)


def test_the_interval_leaves_out_units_and_holds_the_value():
    vectors, placement = evolved_images(random_phylogeny(120, 3), spectrum("steep", 64), 0.5, 0.5, rng(1))
    found = dimension_of(vectors, placement)
    assert 1 <= found.ci_low < found.value < found.ci_high <= 64
    assert (found.resampled, found.n_units, len(found.replicates)) == ("species", 120, 20)
    assert math.isnan(found.chance) and math.isnan(found.p_value)
    kept = SharedResults(vectors, placement, FEW).jackknife().group != 5
    assert found.replicates[5] == pytest.approx(dimension_of(vectors[kept], placement.take(kept)).value, rel=1e-3)


def test_rotation_and_order_change_nothing():
    vectors, placement = made_up(40, 130, 0.7)
    found = dimension_of(vectors, placement).value
    rotation = np.linalg.qr(rng(5).standard_normal((16, 16)))[0]
    order = rng(6).permutation(len(vectors))
    assert dimension_of(vectors @ rotation, placement).value == pytest.approx(found, rel=1e-4)
    assert dimension_of(vectors[order], placement.take(order)).value == pytest.approx(found, rel=1e-4)


def test_all_directions_alike_lie_at_the_upper_bound():
    vectors, placement = evolved_images(random_phylogeny(120, 3), spectrum("flat", 3), 0.0, 0.01, rng(4))
    found = dimension_of(vectors, placement)
    assert found.value <= 3 and ("upper bound" in found.note) == (found.value == 3)


def test_without_a_fit_there_is_no_dimension():
    tree = parse_newick("(A:1,B:1,C:1,D:2);")
    found = dimension_of(unit_rows(rng().standard_normal((4, 3))), Placement(tree, tree.tips))
    assert math.isnan(found.value) and "star tree" in found.note and found.n_images == 4
