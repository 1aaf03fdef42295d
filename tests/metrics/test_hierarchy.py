import math
from dataclasses import astuple

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

from bioclip_probe.metrics.hierarchy import cophenetic_correlation as metric_of_ranks
from bioclip_probe.metrics.hierarchy import estimate_within
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.stats.all_pairs.tree_sums import permuted_correlations
from bioclip_probe.stats.jackknife import Jackknife
from bioclip_probe.stats.resampling import bootstrap_weights, expanded_interval, permutation_p
from bioclip_probe.stats.rows import Rows
from bioclip_probe.tables import RANKS
from bioclip_probe.tree import Placement, Tree, brownian, patristic_distances, taxonomy
from tests.definitions import hierarchy as definitions
from tests.support.made_up_vectors import random_taxonomy, signal_vectors, unit_rows, vectors_on_trees
from tests.support.taxa import (
    DEFAULT,
    cophenetic_correlation,
    distance_by_lca,
    image_tree_correlation,
    jackknife_of,
    made_up,
    random_phylogeny,
    rng,
    spearman,
    star,
)

CORRELATIONS = (cophenetic_correlation, image_tree_correlation)
DEFINITIONS = {
    cophenetic_correlation: definitions.cophenetic_correlation,
    image_tree_correlation: definitions.image_tree_correlation,
}
#: Value and counts do not depend on the draws; p and interval do.
FEW_DRAWS = MeasureSettings(n_permutations=19, n_bootstrap=19)
FEW_GROUPS = MeasureSettings(n_permutations=1, n_bootstrap=2, n_groups=2)


def within_labels(vectors, placement, labels, rng, settings=DEFAULT):
    taxa = Rows.taxa(vectors, placement)
    return estimate_within(taxa, {rank: taxa.per_tip(label) for rank, label in labels.items()}, rng, settings)


# What the numbers are.


@pytest.mark.slow
@pytest.mark.parametrize("metric", CORRELATIONS)
def test_correlations_are_their_definition(metric):
    @settings(max_examples=60)
    @given(vectors_on_trees())
    def check(made):
        vectors, placement = made
        taxa = definitions.images_of_taxa(placement)
        try:
            expected = DEFINITIONS[metric](vectors, placement)
        except ZeroDivisionError:  # a centroid without direction
            expected = math.nan
        found = metric(vectors, placement, rng(), FEW_DRAWS)
        assert found.value == pytest.approx(expected, abs=1e-8, nan_ok=True)
        assert found.note or not math.isnan(found.value)
        n_images = sum(map(len, taxa.values()))
        assert (found.n_images, found.n_taxa, found.n_excluded) == (n_images, len(taxa), len(vectors) - n_images)
        if not math.isnan(found.value):
            assert -1 <= found.value <= 1 and 1 / 20 <= found.p_value <= 1 and -1 <= found.chance <= 1
            assert math.isnan(found.ci_low) == math.isnan(found.ci_high) == (not found.ci_method)
            assert math.isnan(found.ci_low) or -1 <= found.ci_low <= found.ci_high <= 1

    check()


@pytest.mark.slow
def test_correlations_are_those_of_scipy_and_scikit_bio():
    from scipy.stats import pearsonr, spearmanr
    from skbio import DistanceMatrix, TreeNode
    from skbio.stats.distance import mantel

    tree = random_phylogeny(40, seed=3)
    placement = Placement(tree, tree.tips)
    vectors = signal_vectors(placement, 12, 1.0, 0.2, rng(4)).astype(float)

    newick = TreeNode.read([newick_of(tree)], format="newick")
    names = [str(name) for name in tree.name[tree.tips]]
    t = newick.cophenet().filter(names)
    np.testing.assert_allclose(t.data, patristic_distances(tree), atol=1e-6)
    c = DistanceMatrix(np.where(np.eye(40, dtype=bool), 0, (c := 1 - vectors @ vectors.T) + c.T) / 2, names)
    upper = np.triu_indices(40, 1)
    found = cophenetic_correlation(vectors, placement, rng())
    assert found.value == pytest.approx(pearsonr(t.data[upper], c.data[upper]).statistic, abs=1e-8)
    assert spearman(vectors, placement).value == pytest.approx(spearmanr(t.data[upper], c.data[upper])[0], abs=1e-3)
    statistic, p, n = mantel(t, c, method="pearson", permutations=999, alternative="greater", seed=1)
    assert n == 40 and found.value == pytest.approx(statistic, abs=1e-8)
    assert found.p_value == pytest.approx(p, abs=0.05) == pytest.approx(0.001)


def test_mantel_p_is_that_of_scikit_bio_without_a_strong_signal():
    from skbio.stats.distance import mantel

    tree = random_phylogeny(20, seed=5)
    placement = Placement(tree, tree.tips)
    for seed in range(4):
        vectors = unit_rows(rng(seed).standard_normal((20, 6)))
        c = 1 - vectors @ vectors.T
        np.fill_diagonal(c, 0)
        statistic, p, _ = mantel(
            patristic_distances(tree), (c + c.T) / 2, permutations=999, alternative="greater", seed=1
        )
        found = cophenetic_correlation(vectors, placement, rng(1))
        assert found.value == pytest.approx(statistic, abs=1e-8)
        # Two estimates of one p from 999 draws each: five standard errors of their difference.
        assert abs(found.p_value - p) < 5 * math.sqrt(2 * 0.25 / 999)


def newick_of(tree: Tree) -> str:
    def text(node: int) -> str:
        below = [child for child in range(node + 1, tree.stop[node]) if tree.parent[child] == node]
        inner = f"({','.join(map(text, below))})" if below else ""
        return f"{inner}{tree.name[node]}:{float(tree.length[node])!r}"

    return text(0) + ";"


def test_the_interval_of_taxa_is_that_of_species_drawn_by_hand():
    settings = MeasureSettings(n_permutations=5, n_bootstrap=40)
    vectors, placement = made_up(12, 30)
    found = cophenetic_correlation(vectors, placement, rng(3), settings)
    same = rng(3)
    for _ in range(5):
        same.permutation(12)  # the Mantel test draws first
    taxa = definitions.images_of_taxa(placement)
    group = jackknife_of(Rows.taxa(vectors, placement)).of_tips(Rows.taxa(vectors, placement))
    left = [(group != g).astype(float) for g in range(12)]
    found_by_hand = [
        definitions.pearson(
            definitions.taxon_pairing(vectors, placement, dict(zip(taxa, copies.astype(int), strict=True)))
        )
        for copies in [*left, *bootstrap_weights(12, 40, same)]
    ]
    expected = expanded_interval(np.array(found_by_hand[12:]), np.arctanh(found_by_hand[:12]), 12)
    np.testing.assert_allclose((found.ci_low, found.ci_high), expected, atol=1e-6)
    np.testing.assert_allclose(found.replicates, found_by_hand[:12], atol=1e-6)
    assert (found.resampled, found.n_units, found.null) == ("species", 12, "species")
    assert "bootstrap" in found.ci_method


# What changes them, and what does not.


@pytest.mark.parametrize("metric", CORRELATIONS)
def test_row_order_and_rotation_leave_all_as_it_is(metric):
    vectors, placement = made_up()
    vectors = vectors.astype(float)
    order = rng().permutation(len(vectors))
    rotation = np.linalg.qr(rng().standard_normal((16, 16)))[0]
    found = metric(vectors, placement, rng())
    for other in (
        metric(vectors[order], placement.take(order), rng()),
        metric(vectors @ rotation, placement, rng()),
    ):
        for a, b in zip(astuple(found), astuple(other), strict=True):
            assert a == b if isinstance(a, str) else a == pytest.approx(b, abs=1e-9, nan_ok=True)


@pytest.mark.slow
@pytest.mark.parametrize("metric", CORRELATIONS)
def test_more_signal_is_more_correlation(metric):
    def mean_over_worlds(signal: float, noise: float) -> float:
        values = []
        for seed in range(6):
            values.append(metric(*made_up(60, 180, signal, noise, 64, seed), rng(), FEW_GROUPS).value)
        return float(np.mean(values))

    by_signal = [mean_over_worlds(signal, 0.2) for signal in (0.0, 0.5, 1.0)]
    assert by_signal == sorted(by_signal)
    by_noise = [mean_over_worlds(1.0, noise) for noise in (0.1, 1.0, 10.0)]
    assert by_noise == sorted(by_noise, reverse=True)
    if metric is cophenetic_correlation:
        assert abs(by_signal[0]) < 0.05 < 0.5 < by_signal[-1]


def test_a_perfect_embedding_reaches_one():
    """Three kingdoms at right angles, and nothing else."""
    frame = pd.DataFrame(
        [[k, f"{k}p", f"{k}c", f"{k}o", f"{k}f", f"{k}g", f"{k}g s{i}"] for k in "ABC" for i in range(2)]
    )
    placement = taxonomy(frame.set_axis(RANKS, axis=1))
    found = cophenetic_correlation(np.repeat(np.eye(3), 2, axis=0), placement, rng())
    assert found.value == pytest.approx(1) and found.p_value < 0.2


@pytest.mark.slow
def test_independent_tips_give_a_uniform_p():
    from scipy.stats import kstest

    settings = MeasureSettings(n_permutations=49, n_bootstrap=2, n_groups=3)  # the interval is not looked at
    draw = rng(11)
    tree = random_phylogeny(25, seed=6)
    for metric in CORRELATIONS:
        p = []
        for _ in range(100):
            species = draw.standard_normal((25, 8))
            tips = np.concatenate([np.arange(25), draw.integers(0, 25, 25)])
            vectors = unit_rows(species[tips] + 0.5 * draw.standard_normal((50, 8)))
            p.append(metric(vectors, Placement(tree, tree.tips[tips]), draw, settings).p_value)
        # p takes the values 1/50 … 50/50: spread within its step, it is uniform on [0, 1].
        assert kstest(np.array(p) - draw.random(100) / 50, "uniform").pvalue > 0.001


@pytest.mark.parametrize("metric", CORRELATIONS)
@pytest.mark.parametrize("scatter", [1.0, 0.1, 0.01, 1e-4])
def test_permutations_that_exchange_relatives_are_ties_however_close_the_vectors(metric, scatter):
    """Two genera of two species: 8 of the 24 permutations give the tree again."""
    frame = pd.DataFrame([["A", "P", "C", "O", "F", genus, name] for genus, name in ("Ga", "Gb", "Hc", "Hd")])
    for seed in range(3):
        genera, species = rng(seed).standard_normal((2, 16)), rng(seed + 9).standard_normal((4, 16))
        vectors = unit_rows(np.eye(16)[0] * 4 + scatter * (np.repeat(genera, 2, axis=0) + 0.3 * species))
        found = metric(vectors, taxonomy(frame.set_axis(RANKS, axis=1)), rng(seed))
        assert abs(found.p_value - 1 / 3) < 0.06


def test_p_is_never_zero_and_says_how_many_permutations_there_were():
    found = cophenetic_correlation(*made_up(), rng())
    assert found.p_value == 1 / (DEFAULT.n_permutations + 1)


@pytest.mark.slow
def test_a_test_within_orders_is_not_carried_by_the_orders():
    """Orders far apart, species within an order at random: the plain test sees it, the test within does not."""
    settings = MeasureSettings(n_permutations=199)
    placement = random_taxonomy(60, 60, rng(3))
    orders = placement.at("order")
    centre = rng(4).standard_normal((len(placement.tree), 16))
    plain, within = [], []
    for seed in range(10):
        vectors = unit_rows(centre[orders] + 0.5 * rng(seed).standard_normal((60, 16)))
        plain.append(cophenetic_correlation(vectors, placement, rng(seed), settings).p_value)
        within.append(within_labels(vectors, placement, {"order": orders}, rng(seed), settings)["order"].p_value)
    assert max(plain) < 0.02 and np.median(within) > 0.1


def test_a_test_within_labels_that_no_two_taxa_share_permutes_nothing():
    vectors, placement = made_up()
    taxa = Rows.taxa(vectors, placement)
    for labels in (placement.node, np.full(len(vectors), -1)):
        null = permuted_correlations(taxa.sums, 19, rng(), taxa.per_tip(labels))
        assert permutation_p(taxa.sums.correlation(), null) == 1


@pytest.mark.slow
def test_inputs_stay():
    vectors, placement = made_up()
    before = vectors.copy()
    vectors.flags.writeable = False
    for metric in CORRELATIONS:
        metric(vectors, placement, rng())
    spearman(vectors, placement)
    distance_by_lca(vectors, placement)
    within_labels(vectors, placement, {rank: placement.at(rank) for rank in RANKS}, rng())
    assert np.array_equal(vectors, before)


def test_the_unit_that_is_resampled_is_named():
    vectors, placement = made_up()
    assert cophenetic_correlation(vectors, placement.coarsen("genus"), rng()).resampled == "genus"
    assert image_tree_correlation(vectors, placement, rng()).resampled == "species"
    tree = random_phylogeny(12)
    vectors = brownian(tree, 4, rng())[tree.tips] + 1
    assert cophenetic_correlation(unit_rows(vectors), Placement(tree, tree.tips), rng()).resampled == "species"
    frame = pd.DataFrame([["A", "B"], ["A", "C"], ["D", None], ["E", "F"]], columns=["kingdom", "phylum"])
    mixed = taxonomy(frame)
    assert cophenetic_correlation(unit_rows(rng().standard_normal((4, 3))), mixed, rng()).resampled == "taxon"


# Within the taxa of a rank.


@pytest.mark.slow
def test_what_separation_above_gives_alone_is_chance():
    placement = random_taxonomy(60, 60, rng(3))
    labels = {rank: placement.at(rank) for rank in ("class", "order")}
    order = rng(4).standard_normal((len(placement.tree), 16))[labels["order"]]
    found = within_labels(unit_rows(order + 0.5 * rng(5).standard_normal((60, 16))), placement, labels, rng())
    assert found["order"].p_value > 0.05 and found["class"].p_value < 0.05
    assert found["class"].chance < found["order"].chance == pytest.approx(found["order"].value, abs=0.03)


def test_permuting_within_nothing_is_the_plain_test_with_its_chance():
    vectors, placement = made_up()
    plain = cophenetic_correlation(vectors, placement, rng())
    found = within_labels(vectors, placement, {"all": np.zeros(len(placement), dtype=int)}, rng())
    assert found["all"].null == "within all"
    assert (found["all"].value, found["all"].p_value) == (plain.value, plain.p_value)
    assert abs(found["all"].chance) < 0.02


def test_where_no_two_taxa_can_be_exchanged():
    vectors, placement = made_up(10, 20)
    found = within_labels(vectors, placement, {"species": placement.at("species")}, rng())
    assert math.isnan(found["species"].value) and "none can be exchanged" in found["species"].note
    found = within_labels(unit_rows(rng().standard_normal((4, 3))), star(4), {"kingdom": np.arange(4)}, rng())
    assert found["kingdom"].note == "tree distance or embedding distance does not vary"


# Units.


def test_the_interval_of_units_draws_them_whole():
    settings = MeasureSettings(n_permutations=1, n_bootstrap=30)
    vectors, placement = made_up(90, 100)
    classes = Jackknife.of("class", placement.at("class"), rng(), 20)
    found = cophenetic_correlation(vectors, placement, rng(3), settings, classes)
    same = rng(3)
    same.permutation(90)
    of_class = placement.tree.ancestor_at("class")
    units = np.unique(of_class[placement.tree.tips])
    unit_of = {int(tip): int(of_class[tip]) for tip in placement.tree.tips}
    group = np.array([classes.group[placement.at("class") == unit][0] for unit in units])
    left = [(group != g).astype(float) for g in range(classes.n_groups)]
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
    assert (found.resampled, found.n_units) == ("class", len(units)) and 40 <= len(units) < 90
    assert f"with {len(units)} units (class)" in found.note


def test_the_unit_that_is_asked_for_reaches_every_rank():
    vectors, placement = made_up(40, 80)
    by_rank = metric_of_ranks(vectors, placement, MeasureSettings(resample="family", n_permutations=9, n_bootstrap=9))
    units = {row.rank: row.estimate.resampled for row in by_rank if math.isfinite(row.value)}
    assert units["species"] == units["genus"] == units["family"] == "family" and units["order"] == "order"
    n_families = len(np.unique(placement.at("family")))
    assert by_rank[-1].estimate.n_units == by_rank[-2].estimate.n_units == n_families


def test_few_units_have_no_interval_and_few_on_a_dated_tree_a_warning():
    vectors, placement = made_up(8, 16)
    few = cophenetic_correlation(vectors, placement, rng(), FEW_DRAWS)
    assert math.isnan(few.ci_low) and few.note == "no interval: 8 units (species), needs at least 10"
    assert few.replicates is not None and math.isfinite(few.p_value)
    tree = random_phylogeny(40)
    dated = cophenetic_correlation(unit_rows(rng().standard_normal((40, 6))), Placement(tree, tree.tips), rng())
    assert dated.note == "with 40 units (species), fewer than 100, the interval may be too narrow"


# Known truth.


@pytest.mark.slow
def test_a_memoriser_of_species_is_at_chance_at_every_rank():
    """Species at random directions about a common one: no tree at any rank, whatever the sizes of its taxa."""
    placement = random_taxonomy(60, 180, rng(6))
    few, beyond, p = MeasureSettings(n_permutations=19, n_primary_permutations=19, n_bootstrap=2, n_groups=3), [], []
    for seed in range(40):
        species = rng(seed).standard_normal((len(placement.tree), 12))[placement.node]
        rows = metric_of_ranks(unit_rows(1 + species).astype(np.float32), placement, few)[1:]
        beyond.append([row.value - row.estimate.chance for row in rows])
        p.append([row.estimate.p_value for row in rows])
        assert {row.estimate.null for row in rows} == {"species"}
    assert np.all(np.abs(np.mean(beyond, axis=0)) < 4 * np.std(beyond, axis=0) / math.sqrt(40))
    assert np.all(np.abs(np.mean(p, axis=0) - 0.525) < 4 * 0.29 / math.sqrt(40))


def test_the_mantel_test_finds_one_heritable_habitat_without_any_tree():
    """The p-value of a single trait that evolved along the tree is small, as the docstring warns."""
    placement = random_taxonomy(60, 60, rng(2))
    settings = MeasureSettings(n_permutations=99, n_bootstrap=2, n_groups=3)
    small = 0
    for seed in range(20):
        habitat = brownian(placement.tree, 1, rng(seed))[placement.node]
        vectors = unit_rows(np.concatenate([habitat, np.full_like(habitat, 3.0)], axis=1)).astype(np.float32)
        small += cophenetic_correlation(vectors, placement, rng(seed), settings).p_value < 0.05
    assert small >= 10
