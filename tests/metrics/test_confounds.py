import math
from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioclip_probe.errors import DataError
from bioclip_probe.metrics import confounds as module
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.stats.resampling import jackknife_groups
from bioclip_probe.stats.rows import Rows
from bioclip_probe.tree import Placement, patristic_distances
from tests.definitions import confounds as definitions
from tests.support.made_up_vectors import random_taxonomy, signal_vectors, unit_rows, unit_vectors, vectors_on_trees
from tests.support.taxa import cophenetic_correlation, rng, star_phylogeny

pytestmark = pytest.mark.slow

FEW_DRAWS = MeasureSettings(n_permutations=99)


def residual_cophenetic_correlation(vectors, control, placement, rng, test=False, settings=FEW_DRAWS):
    taxa, of_control = Rows.taxa(vectors, placement), Rows.taxa(control, placement)
    return module.estimate_residual_correlation(taxa, of_control, rng, settings, test)


def made(signal=1.0, shared=0.0, n_species=60, seed=0):
    """An embedding with signal of its own that also shares looks with a control of fewer dimensions."""
    placement = random_taxonomy(n_species, 3 * n_species, rng(seed))
    own = signal_vectors(placement, 16, signal, 0.2, rng(seed + 1)).astype(float)
    control = signal_vectors(placement, 12, 1.0, 0.2, rng(seed + 2)).astype(float)
    return unit_rows(np.concatenate([own, shared * control], axis=1)), control, placement


# What the number is.


@settings(max_examples=60)
@given(vectors_on_trees(max_images=10), st.data())
def test_it_is_the_correlation_of_residuals(case, data):
    vectors, placement = case
    control = data.draw(unit_vectors(len(placement)))
    found = residual_cophenetic_correlation(vectors, control, placement, rng(), test=True)
    try:
        expected = definitions.residual_cophenetic_correlation(vectors, control, placement)
    except ZeroDivisionError:  # a centroid without direction
        expected = math.nan
    assert found.value == pytest.approx(expected, abs=1e-5, nan_ok=True)
    assert (found.note == "") == math.isfinite(expected)


def test_residuals_by_numpy_agree_and_so_does_the_test_by_hand():
    vectors, control, placement = made(shared=0.5)
    found = residual_cophenetic_correlation(vectors, control, placement, rng(4), test=True)
    taxa, other = Rows.taxa(vectors, placement), Rows.taxa(control, placement)
    upper = np.triu_indices(len(taxa.vectors), 1)
    c, z = (1 - rows.vectors @ rows.vectors.T for rows in (taxa, other))
    t = patristic_distances(taxa.tree)
    assert found.value == pytest.approx(definitions.partial(t[upper], c[upper], z[upper]), abs=1e-9)
    null, draw = [], rng(5)
    for _ in range(99):
        order = draw.permutation(len(t))
        null.append(definitions.partial(t[np.ix_(order, order)][upper], c[upper], z[upper]))
    r_cz = np.corrcoef(c[upper], z[upper])[0, 1]
    ours = module.permuted_partial_correlations(taxa.sums, other.sums, r_cz, rng(6), 99)
    assert np.mean(ours) == pytest.approx(np.mean(null), abs=0.03)
    assert np.std(ours) == pytest.approx(np.std(null), rel=0.35)


# What it claims.


def test_signal_of_its_own_stays_and_signal_of_the_control_goes():
    own = made(signal=1.0, shared=0.5)
    assert residual_cophenetic_correlation(*own, rng(), test=True).value > 0.3
    borrowed = made(signal=0.0, shared=3.0)
    vectors, control, placement = borrowed
    plain = cophenetic_correlation(vectors, placement, rng())
    left = residual_cophenetic_correlation(vectors, control, placement, rng(), test=True)
    assert plain.value > 0.2 and plain.p_value <= 0.01
    assert abs(left.value) < 0.1


def test_the_p_that_failed_its_calibration_is_given_only_where_it_is_asked_for():
    vectors, control, placement = made(shared=1.0)
    assert math.isnan(residual_cophenetic_correlation(vectors, control, placement, rng()).p_value)


def test_a_control_that_knows_nothing_changes_nothing():
    vectors, _, placement = made()
    noise = unit_rows(rng(9).standard_normal((len(vectors), 200)))
    found = residual_cophenetic_correlation(vectors, noise, placement, rng(), test=True)
    assert found.value == pytest.approx(cophenetic_correlation(vectors, placement, rng()).value, abs=0.02)


def test_p_is_uniform_where_embedding_and_control_are_alike_but_know_no_tree():
    from scipy.stats import kstest

    settings = MeasureSettings(n_permutations=19, n_groups=3)  # the interval is not looked at
    draw, p, values = rng(2), [], []
    placement = random_taxonomy(24, 24, rng(1))
    for _ in range(70):
        control = unit_rows(draw.standard_normal((24, 4)))
        vectors = unit_rows(np.concatenate([control, unit_rows(draw.standard_normal((24, 4)))], axis=1))
        found = residual_cophenetic_correlation(vectors, control, placement, draw, True, settings)
        p.append(found.p_value)
        values.append(found.value)
    assert kstest(np.array(p) - draw.random(70) / 20, "uniform").pvalue > 0.001
    assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(70)


@settings(max_examples=20)
@given(vectors_on_trees(max_images=10), st.data(), st.randoms(use_true_random=False))
def test_rotation_and_the_order_of_rows_do_not_matter(case, data, random):
    vectors, placement = case
    control = data.draw(unit_vectors(len(placement)))
    order = np.array(random.sample(range(len(vectors)), len(vectors)))
    turn = np.linalg.qr(rng(1).standard_normal((vectors.shape[1],) * 2))[0]
    found = residual_cophenetic_correlation(vectors, control, placement, rng(), test=True)
    other = residual_cophenetic_correlation(
        vectors[order] @ turn, control[order], placement.take(order), rng(), test=True
    )
    assert found.note == other.note
    for a, b in zip(astuple(found)[:1], astuple(other)[:1], strict=True):
        assert a == pytest.approx(b, abs=1e-5, nan_ok=True)


def test_the_interval_is_the_jackknife_of_species_and_inputs_stay():
    vectors, control, placement = made(shared=0.5)
    copies = vectors.copy(), control.copy()
    vectors.flags.writeable = control.flags.writeable = False
    found = residual_cophenetic_correlation(vectors, control, placement, rng(3), test=True)
    assert found == residual_cophenetic_correlation(vectors, control, placement, rng(3), test=True)
    assert np.array_equal(vectors, copies[0]) and np.array_equal(control, copies[1])
    part = jackknife_groups(60, rng(3))
    _, species = np.unique(placement.node, return_inverse=True)
    two_groups = MeasureSettings(n_groups=2)  # of the values without a group no interval is needed
    deleted = [
        residual_cophenetic_correlation(
            vectors[kept], control[kept], placement.take(kept), rng(), settings=two_groups
        ).value
        for kept in (np.flatnonzero(part[species] != number) for number in range(40))
    ]
    error = math.sqrt(39 / 40 * np.sum((deleted - np.mean(deleted)) ** 2))
    assert found.resampled == "species" and "jackknife" in found.ci_method
    assert 1.9 * error < found.ci_high - found.value == pytest.approx(found.value - found.ci_low)


# Where it does not exist.


def test_the_embedding_as_its_own_control_leaves_nothing():
    vectors, _, placement = made()
    found = residual_cophenetic_correlation(vectors, vectors, placement, rng(), test=True)
    assert math.isnan(found.value) and found.note == "the control's distances determine the others"


def test_a_control_that_does_not_vary_and_an_embedding_that_does_not():
    vectors, control, placement = made()
    flat = np.full((len(vectors), 3), 3**-0.5)
    found = residual_cophenetic_correlation(vectors, flat, placement, rng(), test=True)
    assert found.note == "of the control: tree distance or embedding distance does not vary"
    assert "does not vary" in residual_cophenetic_correlation(flat, control, placement, rng(), test=True).note


def test_few_species_and_a_star():
    two, nine = (Placement(tree, tree.tips) for tree in (star_phylogeny(2), star_phylogeny(9)))
    assert "at least 3 taxa" in residual_cophenetic_correlation(np.eye(2), np.eye(2), two, rng(), test=True).note
    a, b = (unit_rows(rng(seed).standard_normal((9, 3))) for seed in (1, 2))
    found = residual_cophenetic_correlation(a, b, nine, rng())
    assert math.isnan(found.value) and math.isnan(found.p_value) and "does not vary" in found.note


def test_vectors_that_are_not_finite_and_images_of_another_study_are_refused():
    vectors, control, placement = made()
    broken = control.copy()
    broken[[4, 6], 1] = np.nan, np.inf
    with pytest.raises(DataError, match="4, 6"):
        residual_cophenetic_correlation(vectors, broken, placement, rng(), test=True)
    with pytest.raises(DataError, match="one row per image"):
        module.residual_cophenetic_correlation((vectors, control[:-1]), placement)
