import numpy as np
import pytest

from bioclip_probe.metrics.differences import estimate_difference
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.stats.rows import Rows
from bioclip_probe.tree import brownian
from tests.support.made_up_vectors import random_taxonomy, unit_rows
from tests.support.taxa import DEFAULT, cophenetic_correlation, image_tree_correlation, made_up, rng, star


def cophenetic_correlation_difference(a, b, placement, rng):
    return estimate_difference(Rows.taxa(a, placement), Rows.taxa(b, placement), rng, DEFAULT)


def image_tree_correlation_difference(a, b, placement, rng):
    return estimate_difference(Rows.images(a, placement), Rows.images(b, placement), rng, DEFAULT)


DIFFERENCES = {
    cophenetic_correlation_difference: cophenetic_correlation,
    image_tree_correlation_difference: image_tree_correlation,
}


@pytest.mark.slow
@pytest.mark.parametrize("difference", DIFFERENCES)
def test_a_difference_is_one_less_the_other_and_turns_its_sign(difference):
    (a, placement), (b, _) = made_up(40, 120, noise=0.3), made_up(40, 120, noise=2.0)
    found, turned = difference(a, b, placement, rng(1)), difference(b, a, placement, rng(1))
    metric = DIFFERENCES[difference]
    values = [metric(vectors, placement, rng(), MeasureSettings(n_permutations=1)).value for vectors in (a, b)]
    assert found.value == pytest.approx(values[0] - values[1], abs=1e-12) == -turned.value
    assert found.p_value == pytest.approx(turned.p_value) and found.ci_low == pytest.approx(-turned.ci_high)
    assert found.p_value < 0.01 and found.ci_low > 0
    assert (found.n_images, found.n_taxa, found.resampled) == (120, 40, "species")


@pytest.mark.slow
@pytest.mark.parametrize("difference", DIFFERENCES)
def test_p_is_below_a_twentieth_where_the_interval_leaves_out_zero(difference):
    for seed in range(12):
        placement = random_taxonomy(15, 30, rng(seed))
        species = brownian(placement.tree, 8, rng(seed))[placement.node]
        a, b = (unit_rows(species + noise * rng(seed + 50).standard_normal((30, 8))) for noise in (0.3, 1.0))
        found = difference(a, b, placement, rng(seed))
        assert (found.p_value < 0.05) == (not found.ci_low <= 0 <= found.ci_high)


@pytest.mark.parametrize("difference", DIFFERENCES)
def test_a_model_does_not_differ_from_itself_turned(difference):
    vectors, placement = made_up(20, 40)
    vectors = vectors.astype(float)
    rotation = np.linalg.qr(rng().standard_normal((16, 16)))[0]
    for other in (vectors, vectors @ rotation):
        found = difference(vectors, other, placement, rng())
        assert (found.value, found.p_value, found.ci_low, found.ci_high) == (0, 1, 0, 0)


@pytest.mark.slow
def test_models_of_equal_alignment_seldom_differ():
    """The same species, images scattered anew: no more than one in twenty below 0.05, but for chance, and some."""
    draw, p = rng(8), []
    placement = random_taxonomy(40, 40, rng(9))
    for _ in range(60):
        species = brownian(placement.tree, 16, draw)[placement.node]
        a, b = (unit_rows(species + 1.5 * draw.standard_normal((40, 16))) for _ in range(2))
        p.append(cophenetic_correlation_difference(a, b, placement, draw).p_value)
    assert np.mean(np.array(p) < 0.05) < 0.15 and np.mean(np.array(p) < 0.5) > 0.3


def test_the_undefined_side_of_a_difference_is_named():
    vectors, placement = made_up(10, 20)
    same = np.tile(vectors[:1], (20, 1))
    for a, b, side in ((vectors, same, "second"), (same, vectors, "first")):
        found = cophenetic_correlation_difference(a, b, placement, rng())
        assert found.note == f"{side} embedding: tree distance or embedding distance does not vary"
    assert "at least 3 taxa" in image_tree_correlation_difference(np.eye(2), np.eye(2), star(2), rng()).note


def test_inputs_stay():
    vectors, placement = made_up(10, 20)
    before = vectors.copy()
    vectors.flags.writeable = False
    for difference in DIFFERENCES:
        difference(vectors, vectors, placement, rng())
    assert np.array_equal(vectors, before)
