import math
from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given, settings

from bioclip_probe.metrics import hierarchy
from bioclip_probe.metrics.hierarchy import (
    balanced_image_tree_correlation,
    balanced_tree_correlation,
    cophenetic_correlation,
    cophenetic_correlation_difference,
    cophenetic_correlation_within,
    image_tree_correlation,
    image_tree_correlation_difference,
)
from bioclip_probe.stats.resampling import bootstrap_weights, expanded_interval, jackknife_groups, jackknife_interval
from bioclip_probe.stats.rows import ResamplingUnits
from bioclip_probe.tables import RANKS
from bioclip_probe.tree import Placement, brownian
from tests.definitions import hierarchy as definitions
from tests.metrics.test_hierarchy import made_up, random_phylogeny, rng, star
from tests.support.embedded import embedded, random_taxonomy, unit

BALANCED = {
    balanced_tree_correlation: definitions.taxa_by_rank,
    balanced_image_tree_correlation: definitions.images_by_rank,
}
DIFFERENCES = {
    cophenetic_correlation_difference: cophenetic_correlation,
    image_tree_correlation_difference: image_tree_correlation,
}


@pytest.fixture
def few_draws(monkeypatch) -> None:
    monkeypatch.setattr(hierarchy, "N_PERMUTATIONS", 9)
    monkeypatch.setattr(hierarchy, "N_BOOTSTRAP", 9)


# Every rank at one weight.


@pytest.mark.usefixtures("few_draws")
@pytest.mark.parametrize("metric", BALANCED)
def test_balanced_correlations_are_their_definition(metric):
    @settings(max_examples=60)
    @given(embedded())
    def check(made):
        vectors, placement = made
        taxa = definitions.images_of_taxa(placement)
        found = metric(vectors, placement, rng())
        assert (found.n_images, found.n_taxa) == (sum(map(len, taxa.values())), len(taxa))
        ranks = {int(placement.tree.rank[tip]) for tip in taxa}
        if len(taxa) < 3 or len(ranks) > 1 or ranks == {-1}:
            assert math.isnan(found.value) and found.note
            return
        try:
            expected = definitions.balanced_pearson(BALANCED[metric](vectors, placement))
        except ZeroDivisionError:  # a centroid without direction
            expected = math.nan
        assert found.value == pytest.approx(expected, abs=1e-7, nan_ok=True)
        assert bool(found.note) == math.isnan(found.value)
        if not found.note:
            assert -1 <= found.value <= 1 and 0 < found.p_value <= 1

    check()


@pytest.mark.parametrize("metric", BALANCED)
def test_the_balanced_interval_leaves_out_species(metric):
    vectors, placement = made_up(14, 40)
    found = metric(vectors, placement, rng(2))
    part, species = jackknife_groups(14, rng(2)), np.searchsorted(placement.tree.tips, placement.node)
    deleted = [
        definitions.balanced_pearson(BALANCED[metric](vectors[kept], placement.take(np.flatnonzero(kept))))
        for kept in (part[species] != number for number in range(14))
    ]
    expected = jackknife_interval(found.value, np.array(deleted), (-1, 1))
    np.testing.assert_allclose((found.ci_low, found.ci_high), expected, atol=1e-6)
    assert found.resampled == "species" and "jackknife" in found.ci_method


def test_balance_sees_what_the_deepest_splits_hide():
    """Kingdoms apart and nothing below: nearly all pairs agree with the tree, most ranks do not."""
    placement = random_taxonomy(120, 120, rng(1))
    kingdom = rng(2).standard_normal((len(placement.tree), 16))[placement.at("kingdom")]
    vectors = unit(3 * kingdom + rng(3).standard_normal((120, 16)))
    deep = cophenetic_correlation(vectors, placement, rng())
    assert balanced_tree_correlation(vectors, placement, rng()).value < deep.value
    evolved, placement = made_up(120, 120)
    assert balanced_tree_correlation(evolved, placement, rng()).value > 0.5


def test_a_phylogeny_has_no_ranks_to_balance():
    tree = random_phylogeny(12)
    placement = Placement(tree, tree.tips)
    for metric in BALANCED:
        found = metric(unit(rng().standard_normal((12, 4))), placement, rng())
        assert math.isnan(found.value) and found.note == "needs a taxonomy whose tips are of one rank"


def test_balanced_p_is_uniform_for_independent_tips(monkeypatch):
    from scipy.stats import kstest

    monkeypatch.setattr(hierarchy, "N_PERMUTATIONS", 49)
    draw = rng(4)
    placement = random_taxonomy(20, 45, rng(5))
    for metric in BALANCED:
        p = []
        for _ in range(80):
            species = draw.standard_normal((len(placement.tree), 8))[placement.node]
            p.append(metric(unit(species + draw.standard_normal((45, 8))), placement, draw).p_value)
        assert kstest(np.array(p) - draw.random(80) / 50, "uniform").pvalue > 0.001


@pytest.mark.usefixtures("few_draws")
@pytest.mark.parametrize("metric", BALANCED)
def test_row_order_and_rotation_leave_the_balanced(metric):
    vectors, placement = made_up(30, 80)
    vectors = vectors.astype(float)
    order, rotation = rng().permutation(80), np.linalg.qr(rng().standard_normal((16, 16)))[0]
    found = metric(vectors, placement, rng())
    other = metric((vectors @ rotation)[order], placement.take(order), rng())
    for a, b in zip(astuple(found), astuple(other), strict=True):
        assert a == b if isinstance(a, str) else a == pytest.approx(b, abs=1e-8)


# Within the taxa of a rank.


def test_what_separation_above_gives_alone_is_chance():
    placement = random_taxonomy(60, 60, rng(3))
    labels = {rank: placement.at(rank) for rank in ("class", "order")}
    order = rng(4).standard_normal((len(placement.tree), 16))[labels["order"]]
    found = cophenetic_correlation_within(
        unit(order + 0.5 * rng(5).standard_normal((60, 16))), placement, labels, rng()
    )
    assert found["order"].p_value > 0.05 and found["class"].p_value < 0.05
    assert found["class"].chance < found["order"].chance == pytest.approx(found["order"].value, abs=0.03)


def test_permuting_within_nothing_is_the_plain_test_with_its_chance():
    vectors, placement = made_up()
    plain = cophenetic_correlation(vectors, placement, rng())
    found = cophenetic_correlation_within(vectors, placement, {"all": np.zeros(len(placement), dtype=int)}, rng())
    assert (found["all"].value, found["all"].p_value) == (plain.value, plain.p_value)
    assert abs(found["all"].chance) < 0.02


def test_where_no_two_taxa_can_be_exchanged():
    vectors, placement = made_up(10, 20)
    found = cophenetic_correlation_within(vectors, placement, {"species": placement.at("species")}, rng())
    assert math.isnan(found["species"].value) and "none can be exchanged" in found["species"].note
    found = cophenetic_correlation_within(
        unit(rng().standard_normal((4, 3))), star(4), {"kingdom": np.arange(4)}, rng()
    )
    assert found["kingdom"].note == "tree distance or embedding distance does not vary"


# Whole genera drawn together.


def test_the_interval_of_units_draws_them_whole(monkeypatch):
    monkeypatch.setattr(hierarchy, "N_PERMUTATIONS", 1)
    monkeypatch.setattr(hierarchy, "N_BOOTSTRAP", 30)
    vectors, placement = made_up(14, 30)
    found = cophenetic_correlation(vectors, placement, rng(3), units=ResamplingUnits("family", placement.at("family")))
    same = rng(3)
    same.permutation(14)
    family = placement.tree.ancestor_at("family")
    units = np.unique(family[placement.tree.tips])
    unit_of = {int(tip): int(family[tip]) for tip in placement.tree.tips}
    group = jackknife_groups(len(units), same)
    left = [(group != g).astype(float) for g in range(len(units))]
    by_hand = np.array(
        [
            definitions.pearson(
                definitions.taxon_pairing(
                    vectors, placement, dict(zip(units, copies.astype(int), strict=True)), unit_of
                )
            )
            for copies in [*left, *bootstrap_weights(len(units), 30, same)]
        ]
    )
    expected = expanded_interval(by_hand[len(left) :], np.arctanh(by_hand[: len(left)]), len(units))
    np.testing.assert_allclose((found.ci_low, found.ci_high), expected, atol=1e-6)
    assert found.resampled == "family"


@pytest.mark.usefixtures("few_draws")
@pytest.mark.parametrize("metric", [cophenetic_correlation, image_tree_correlation, *BALANCED])
def test_taxa_without_a_unit_stand_alone(metric):
    vectors, placement = made_up(20, 50)
    none = metric(vectors, placement, rng(), units=ResamplingUnits("genus", np.full(50, -1)))
    own = metric(vectors, placement, rng())
    assert none.resampled == "genus" and (none.ci_low, none.ci_high) == (own.ci_low, own.ci_high)


# Two models.


@pytest.mark.parametrize("difference", DIFFERENCES)
def test_a_difference_is_one_less_the_other_and_turns_its_sign(difference, monkeypatch):
    monkeypatch.setattr(hierarchy, "N_PERMUTATIONS", 1)
    (a, placement), (b, _) = made_up(40, 120, noise=0.3), made_up(40, 120, noise=2.0)
    found, turned = difference(a, b, placement, rng(1)), difference(b, a, placement, rng(1))
    metric = DIFFERENCES[difference]
    values = [metric(vectors, placement, rng()).value for vectors in (a, b)]
    assert found.value == pytest.approx(values[0] - values[1], abs=1e-12) == -turned.value
    assert found.p_value == pytest.approx(turned.p_value) and found.ci_low == pytest.approx(-turned.ci_high)
    assert found.p_value < 0.01 and found.ci_low > 0
    assert (found.n_images, found.n_taxa, found.resampled) == (120, 40, "species")


@pytest.mark.parametrize("difference", DIFFERENCES)
def test_p_is_below_a_twentieth_where_the_interval_leaves_out_zero(difference):
    for seed in range(12):
        placement = random_taxonomy(15, 30, rng(seed))
        species = brownian(placement.tree, 8, rng(seed))[placement.node]
        a, b = (unit(species + noise * rng(seed + 50).standard_normal((30, 8))) for noise in (0.3, 1.0))
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


def test_models_of_equal_alignment_seldom_differ():
    """The same species, images scattered anew: no more than one in twenty below 0.05, but for chance, and some."""
    draw, p = rng(8), []
    placement = random_taxonomy(40, 40, rng(9))
    for _ in range(60):
        species = brownian(placement.tree, 16, draw)[placement.node]
        a, b = (unit(species + 1.5 * draw.standard_normal((40, 16))) for _ in range(2))
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
    for metric in BALANCED:
        metric(vectors, placement, rng(), ResamplingUnits("genus", placement.at("genus")))
    for difference in DIFFERENCES:
        difference(vectors, vectors, placement, rng())
    cophenetic_correlation_within(vectors, placement, {rank: placement.at(rank) for rank in RANKS}, rng())
    assert np.array_equal(vectors, before)
