import math
from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioclip_probe.errors import DataError
from bioclip_probe.metrics import confounds as module
from bioclip_probe.stats.rows import Rows
from bioclip_probe.tree import Placement, patristic_distances
from tests.definitions import confounds as definitions
from tests.support.made_up_vectors import random_taxonomy, signal_vectors, unit_rows, unit_vectors, vectors_on_trees
from tests.support.taxa import cophenetic_correlation, rng, star_phylogeny

pytestmark = pytest.mark.slow


def residual_cophenetic_correlation(vectors, control, placement):
    return module.estimate_residual_correlation(Rows.taxa(vectors, placement), Rows.taxa(control, placement))


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
    found = residual_cophenetic_correlation(vectors, control, placement)
    try:
        expected = definitions.residual_cophenetic_correlation(vectors, control, placement)
    except ZeroDivisionError:  # a centroid without direction
        expected = math.nan
    assert found.value == pytest.approx(expected, abs=1e-5, nan_ok=True)
    assert (found.note == module.NO_TEST) == math.isfinite(expected)


def test_residuals_by_numpy_agree_and_so_do_permuted_ones():
    vectors, control, placement = made(shared=0.5)
    found = residual_cophenetic_correlation(vectors, control, placement)
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
    assert module.distance_correlation(taxa, other) == pytest.approx(r_cz)
    ours = module.permuted_partial_correlations(taxa.sums, other.sums, r_cz, rng(6), 99)
    assert np.mean(ours) == pytest.approx(np.mean(null), abs=0.03)
    assert np.std(ours) == pytest.approx(np.std(null), rel=0.35)


# What it claims.


def test_signal_of_its_own_stays_and_signal_of_the_control_goes():
    own = made(signal=1.0, shared=0.5)
    assert residual_cophenetic_correlation(*own).value > 0.3
    borrowed = made(signal=0.0, shared=3.0)
    vectors, control, placement = borrowed
    plain = cophenetic_correlation(vectors, placement, rng())
    left = residual_cophenetic_correlation(vectors, control, placement)
    assert plain.value > 0.2 and plain.p_value <= 0.01
    assert abs(left.value) < 0.1


def test_a_control_that_knows_nothing_changes_nothing():
    vectors, _, placement = made()
    noise = unit_rows(rng(9).standard_normal((len(vectors), 200)))
    found = residual_cophenetic_correlation(vectors, noise, placement)
    assert found.value == pytest.approx(cophenetic_correlation(vectors, placement, rng()).value, abs=0.02)


@settings(max_examples=20)
@given(vectors_on_trees(max_images=10), st.data(), st.randoms(use_true_random=False))
def test_rotation_and_the_order_of_rows_do_not_matter(case, data, random):
    vectors, placement = case
    control = data.draw(unit_vectors(len(placement)))
    order = np.array(random.sample(range(len(vectors)), len(vectors)))
    turn = np.linalg.qr(rng(1).standard_normal((vectors.shape[1],) * 2))[0]
    found = residual_cophenetic_correlation(vectors, control, placement)
    other = residual_cophenetic_correlation(vectors[order] @ turn, control[order], placement.take(order))
    assert found.note == other.note
    for a, b in zip(astuple(found)[:1], astuple(other)[:1], strict=True):
        assert a == pytest.approx(b, abs=1e-5, nan_ok=True)


def test_it_is_a_description_without_interval_and_p_and_inputs_stay():
    """The interval left out 0 in 80 of 100 draws of an embedding that knew nothing beyond its control."""
    vectors, control, placement = made(shared=0.5)
    copies = vectors.copy(), control.copy()
    vectors.flags.writeable = control.flags.writeable = False
    found = residual_cophenetic_correlation(vectors, control, placement)
    assert found == residual_cophenetic_correlation(vectors, control, placement)
    assert np.array_equal(vectors, copies[0]) and np.array_equal(control, copies[1])
    assert (found.chance, found.null, found.replicates) == (0, "species", None)
    assert all(math.isnan(number) for number in (found.ci_low, found.ci_high, found.p_value))
    assert found.note.startswith("a description: no interval")


# Where it does not exist.


def test_the_embedding_as_its_own_control_leaves_nothing():
    vectors, _, placement = made()
    found = residual_cophenetic_correlation(vectors, vectors, placement)
    assert math.isnan(found.value) and found.note == "the control's distances determine the others"


def test_a_control_that_does_not_vary_and_an_embedding_that_does_not():
    vectors, control, placement = made()
    flat = np.full((len(vectors), 3), 3**-0.5)
    found = residual_cophenetic_correlation(vectors, flat, placement)
    assert found.note == "of the control: tree distance or embedding distance does not vary"
    assert "does not vary" in residual_cophenetic_correlation(flat, control, placement).note


def test_few_species_and_a_star():
    two, nine = (Placement(tree, tree.tips) for tree in (star_phylogeny(2), star_phylogeny(9)))
    assert "at least 3 taxa" in residual_cophenetic_correlation(np.eye(2), np.eye(2), two).note
    a, b = (unit_rows(rng(seed).standard_normal((9, 3))) for seed in (1, 2))
    found = residual_cophenetic_correlation(a, b, nine)
    assert math.isnan(found.value) and math.isnan(found.p_value) and "does not vary" in found.note


def test_vectors_that_are_not_finite_and_images_of_another_study_are_refused():
    vectors, control, placement = made()
    broken = control.copy()
    broken[[4, 6], 1] = np.nan, np.inf
    with pytest.raises(DataError, match="4, 6"):
        residual_cophenetic_correlation(vectors, broken, placement)
    with pytest.raises(DataError, match="one row per image"):
        module.residual_cophenetic_correlation((vectors, control[:-1]), placement)
