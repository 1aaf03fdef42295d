import math

import numpy as np
import pytest
from hypothesis import given, settings

from bioclip_probe.errors import DataError
from bioclip_probe.metrics import shape
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.stats.hyperbolicity import relative_delta
from bioclip_probe.stats.jackknife import Jackknife
from bioclip_probe.stats.rows import Rows
from bioclip_probe.tree import Placement, patristic_distances
from bioclip_probe.tree.newick import parse_newick
from tests.definitions import hierarchy
from tests.definitions import shape as definitions
from tests.support.made_up_vectors import (
    random_taxonomy,
    signal_vectors,
    unit_rows,
    vectors_of_tips,
    vectors_on_trees,
)
from tests.support.taxa import DEFAULT, cophenetic_correlation, jackknife_of, rng

pytestmark = pytest.mark.slow


def delta_hyperbolicity(vectors, placement, rng, settings=DEFAULT):
    taxa = Rows.taxa(vectors, placement)
    return shape.estimate_delta_hyperbolicity(taxa, jackknife_of(taxa), rng, settings)


def geodesic_tree_correlation(vectors, placement, rng, settings=DEFAULT, jackknife=None):
    taxa = Rows.taxa(vectors, placement)
    return shape.estimate_geodesic_correlation(taxa, jackknife or jackknife_of(taxa), rng, settings)


def made(strength: float = 1.0, n_species: int = 120, seed: int = 0):
    placement = random_taxonomy(n_species, 2 * n_species, rng(seed))
    return signal_vectors(placement, 16, strength, 0.1, rng(seed + 1)), placement


def caterpillar(k: int):
    """Tips side by side along a line: tip i is 1 from the next."""
    text = "t0:0.001,"
    for i in range(1, k - 1):
        text = f"({text}t{i}:0.001):1,"
    return parse_newick(f"({text}t{k - 1}:0.001);")


# Gromov's δ.


def test_the_mean_over_draws_and_its_interval():
    settings = MeasureSettings(n_hyperbolicity_species=20)
    vectors, placement = made(1.0, 80)
    found = delta_hyperbolicity(vectors, placement, rng(), settings)
    assert 0 < found.ci_low < found.value < found.ci_high < 1
    assert (found.resampled, found.n_taxa, found.n_images, found.n_excluded) == ("species", 80, 160, 0)
    assert math.isnan(found.chance)
    others = [delta_hyperbolicity(vectors, placement, rng(seed), settings).value for seed in range(1, 5)]
    assert all(found.ci_low < other < found.ci_high for other in others)


def test_the_interval_covers_what_more_species_show():
    settings = MeasureSettings(n_hyperbolicity_species=10)
    many = unit_rows(rng().standard_normal((20_000, 5)))
    truth = np.mean([relative_delta(many[rng(seed).choice(20_000, 10)]) for seed in range(400)])
    tree = parse_newick("(" + ",".join(f"t{i}:1" for i in range(60)) + ");")
    covered = []
    for seed in range(60):
        rows = rng(1_000 + seed).choice(20_000, 60, replace=False)
        found = delta_hyperbolicity(many[rows], Placement(tree, tree.tips), rng(seed), settings)
        covered.append(found.ci_low <= truth <= found.ci_high)
    assert np.mean(covered) >= 0.95


def test_too_few_taxa_or_one_draw_of_them():
    vectors, placement = made(1.0, 30)
    found = delta_hyperbolicity(vectors, placement, rng(), MeasureSettings(n_hyperbolicity_species=30))
    assert found.value > 0 and math.isnan(found.ci_low) and found.note == "no interval: one draw holds all 30 taxa"
    too_few = delta_hyperbolicity(vectors, placement, rng(), MeasureSettings(n_hyperbolicity_species=31))
    assert "needs at least 31 taxa, found 30" in too_few.note


# Geodesics.


@settings(max_examples=80)
@given(vectors_of_tips(max_nodes=20))
def test_the_correlation_is_its_definition(made_of):
    vectors, tree = made_of
    found = geodesic_tree_correlation(vectors, Placement(tree, tree.tips), rng())
    assert found.note or not math.isnan(found.value)
    if len(vectors) < 3:
        assert found.note
        return
    paths = definitions.geodesics(definitions.euclidean(vectors.tolist()), DEFAULT.n_geodesic_neighbors)
    upper = list(zip(*np.triu_indices(len(vectors), 1), strict=True))
    pairing = [(float(patristic_distances(tree)[a, b]), paths[a][b]) for a, b in upper]
    if any(np.ptp(column) <= 1e-5 for column in zip(*pairing, strict=True)):
        return
    assert found.value == pytest.approx(hierarchy.pearson(pairing), abs=1e-5)
    assert math.isnan(found.ci_low) or -1 <= found.ci_low <= found.value <= found.ci_high <= 1


def test_along_a_bent_line_only_the_geodesic_follows_the_tree():
    tree = caterpillar(60)
    angle = np.linspace(0, 1.6 * np.pi, 60)  # its ends are not among their nearest
    vectors, placement = np.column_stack([np.cos(angle), np.sin(angle)]), Placement(tree, tree.tips)
    straight = cophenetic_correlation(vectors, placement, rng()).value
    assert straight < 0.9 < 0.99 < geodesic_tree_correlation(vectors, placement, rng()).value


def test_more_signal_is_more_and_none_is_chance():
    none, half, full = (geodesic_tree_correlation(*made(strength), rng()) for strength in (0.0, 0.5, 1.0))
    assert none.value < half.value < full.value
    assert none.ci_low < none.chance == 0 < none.ci_high or abs(none.value) < 0.1
    assert full.ci_low > 0


def test_rotation_order_and_inputs():
    settings = MeasureSettings(n_hyperbolicity_species=30)
    vectors, placement = made()
    before = vectors.copy()
    rotation = np.linalg.qr(rng(5).standard_normal((16, 16)))[0]
    order = rng(6).permutation(len(vectors))
    for metric in (delta_hyperbolicity, geodesic_tree_correlation):
        expected = metric(vectors, placement, rng(), settings)
        for other in (
            metric(vectors @ rotation, placement, rng(), settings),
            metric(vectors[order], placement.take(order), rng(), settings),
        ):
            numbers = (other.value, other.ci_low, other.ci_high)
            assert numbers == pytest.approx((expected.value, expected.ci_low, expected.ci_high), abs=1e-5, nan_ok=True)
    assert np.array_equal(vectors, before)


def test_units_and_of_many_taxa_some():
    vectors, placement = made()
    families = Jackknife.of("family", placement.at("family"), rng())
    found = geodesic_tree_correlation(vectors, placement, rng(), jackknife=families)
    assert (found.resampled, found.n_units, found.n_taxa) == ("family", families.n_units, 120)
    assert (found.chance, found.null) == (0, "species")
    taxa = Rows.taxa(vectors, placement)
    delta = shape.estimate_delta_hyperbolicity(taxa, families, rng(), MeasureSettings(n_hyperbolicity_species=20))
    assert math.isnan(delta.ci_low) and "not of units (family)" in delta.note
    some = geodesic_tree_correlation(vectors, placement, rng(), MeasureSettings(n_geodesic_species=50))
    assert some.note.startswith("a random 50 of 120 taxa")
    assert some.n_taxa == some.n_units == 50 and some.n_images + some.n_excluded == len(vectors)
    assert some.value == pytest.approx(found.value, abs=0.2)


SMALL_SAMPLE = MeasureSettings(n_hyperbolicity_species=4, n_hyperbolicity_draws=3)


@settings(max_examples=60)
@given(vectors_on_trees())
def test_any_input_gives_numbers_within_bounds_or_says_why(case):
    for metric, low in ((delta_hyperbolicity, 0), (geodesic_tree_correlation, -1)):
        found = metric(*case, rng(), SMALL_SAMPLE)
        assert found.note or not math.isnan(found.value)
        if not math.isnan(found.value):
            assert low <= found.value <= 1 + 1e-12
            assert math.isnan(found.ci_low) or low <= found.ci_low <= found.ci_high <= 1


@pytest.mark.parametrize("metric", [delta_hyperbolicity, geodesic_tree_correlation])
def test_what_is_undefined_says_why(metric):
    tree = parse_newick("((A:1,B:1):1,(C:1,D:1):1);")
    placement = Placement(tree, tree.tips)
    assert "do not vary" in metric(np.tile([[0.6, 0.8]], (4, 1)), placement, rng(), SMALL_SAMPLE).note
    assert "needs at least" in metric(np.eye(2), Placement(tree, tree.tips[:2]), rng(), SMALL_SAMPLE).note
    opposite = np.array([[1, 0], [-1, 0], [0, 1], [0, 1], [1, 0]])
    cancelled = metric(opposite, Placement(tree, tree.tips[[0, 0, 1, 2, 3]]), rng(), SMALL_SAMPLE)
    assert "1 taxa cancel out" in cancelled.note
    with pytest.raises(DataError, match="rows 1"):
        metric(np.array([[1, 0], [np.nan, 0], [0, 1], [1, 0]]), placement, rng())


def test_on_a_star_geodesics_say_nothing():
    tree = parse_newick("(A:1,B:1,C:1,D:1);")
    found = geodesic_tree_correlation(unit_rows(rng().standard_normal((4, 3))), Placement(tree, tree.tips), rng())
    assert "does not vary" in found.note
