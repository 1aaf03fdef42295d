import numpy as np
import pytest

from bioclip_probe.metrics.image_pairs import image_tree_correlation as metric
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.stats.resampling import jackknife_interval
from bioclip_probe.stats.rows import Rows
from bioclip_probe.tree import Placement, Tree, patristic_distances
from tests.definitions import hierarchy as definitions
from tests.support.made_up_vectors import random_taxonomy, signal_vectors, unit_rows
from tests.support.taxa import image_tree_correlation, jackknife_of, made_up, random_phylogeny, rng


def brute_force(vectors: np.ndarray, tree: Tree, groups: np.ndarray) -> float:
    """numpy's correlation of two whole matrices, every pair of images looked up."""
    upper = np.triu_indices(len(vectors), 1)
    vectors = vectors.astype(np.float64)
    t = patristic_distances(tree)[np.ix_(groups, groups)][upper]
    return float(np.corrcoef(t, (1 - vectors @ vectors.T)[upper])[0, 1])


@pytest.mark.slow
def test_the_correlation_of_two_thousand_images_is_brute_force():
    vectors, placement = made_up(300, 2_000, d=32)
    vectors = unit_rows(vectors.astype(float))
    positions = np.full(len(placement.tree), -1)
    positions[placement.tree.tips] = np.arange(300)
    expected = brute_force(vectors, placement.tree, positions[placement.node])
    assert image_tree_value(vectors, placement) == pytest.approx(expected, abs=1e-10)

    tree = random_phylogeny(250)
    groups = np.concatenate([np.arange(250), rng().integers(0, 250, 1_750)])
    placement = Placement(tree, tree.tips[groups])
    vectors = unit_rows(signal_vectors(placement, 32, 1.0, 0.3, rng(2)).astype(float))
    assert image_tree_value(vectors, placement) == pytest.approx(brute_force(vectors, tree, groups), abs=1e-10)


def image_tree_value(vectors: np.ndarray, placement: Placement) -> float:
    return image_tree_correlation(vectors, placement, rng(), MeasureSettings(n_permutations=1)).value


def test_the_interval_of_images_is_that_of_species_left_out_by_hand():
    vectors, placement = made_up(12, 30)
    found = image_tree_correlation(vectors, placement, rng(3))
    group = jackknife_of(Rows.images(vectors, placement)).group
    deleted = [
        definitions.image_tree_correlation(vectors[kept], placement.take(np.flatnonzero(kept)))
        for kept in (group != number for number in range(12))
    ]
    np.testing.assert_allclose(found.replicates, deleted, atol=1e-6)
    np.testing.assert_allclose(
        (found.ci_low, found.ci_high), jackknife_interval(found.value, np.array(deleted), (-1, 1)), atol=1e-6
    )
    assert (found.resampled, found.n_units) == ("species", 12) and "jackknife" in found.ci_method


def test_settings_decide_the_level_the_groups_and_the_permutations():
    vectors, placement = made_up(12, 30)
    plain = metric(vectors, placement)[0].estimate
    wide = metric(vectors, placement, MeasureSettings(level=0.99))[0].estimate
    coarse = metric(vectors, placement, MeasureSettings(n_groups=4, n_permutations=9))[0].estimate
    assert wide.ci_low < plain.ci_low and wide.ci_high > plain.ci_high and wide.value == plain.value
    assert coarse.value == pytest.approx(plain.value, abs=1e-9)
    assert coarse.ci_method == "delete-group jackknife, 4 groups"
    assert (coarse.ci_low, coarse.ci_high) != (plain.ci_low, plain.ci_high)
    assert round(10 * coarse.p_value, 9) in range(1, 11)


def test_the_unit_that_is_asked_for_is_left_out_and_the_null_is_named():
    vectors, placement = made_up(60, 120)
    settings = MeasureSettings(n_permutations=9, resample="genus")
    [row] = metric(vectors, placement, settings)
    kept = SharedResults(vectors, placement, settings).jackknife().group != 3
    [without] = metric(vectors[kept], placement.take(kept), settings)
    assert row.estimate.replicates[3] == pytest.approx(without.value, abs=1e-9)
    n_genera = len(np.unique(placement.at("genus")))
    assert (row.estimate.resampled, row.estimate.n_units, row.estimate.null) == ("genus", n_genera, "species")


@pytest.mark.slow
def test_a_memoriser_of_species_is_at_chance_which_is_not_zero():
    placement, beyond = random_taxonomy(40, 160, rng(6)), []
    for seed in range(40):
        species = rng(seed).standard_normal((len(placement.tree), 12))[placement.node]
        vectors = unit_rows(1 + species + 0.3 * rng(seed).standard_normal(species.shape))
        found = image_tree_correlation(vectors, placement, rng(seed), MeasureSettings(n_permutations=49, n_groups=3))
        beyond.append(found.value - found.chance)
        assert found.chance > 0.1
    assert abs(np.mean(beyond)) < 4 * np.std(beyond) / np.sqrt(40)
