import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings

from bioclip_probe.errors import DataError
from bioclip_probe.metrics import signal
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.stats.centroids import centroids
from bioclip_probe.stats.contrasts import Contrasts, centred_traits
from bioclip_probe.stats.jackknife import Jackknife
from bioclip_probe.tree import Placement, Tree, brownian
from bioclip_probe.tree.newick import parse_newick
from tests.definitions import hierarchy
from tests.definitions import signal as definitions
from tests.definitions import tree as tree_definitions
from tests.support.made_up_vectors import random_taxonomy, signal_vectors, vectors_on_trees
from tests.support.taxa import rng

FEW_DRAWS = MeasureSettings(n_permutations=19)


def k_mult(vectors, placement, rng, name="k_mult"):
    jackknife = Jackknife.of("species", placement.node, np.random.default_rng(3))
    return signal.estimate_k_mult(centroids(vectors, placement), jackknife, rng, FEW_DRAWS)[name]


def is_star(tree: Tree, tips) -> bool:
    """All pairs of tips meet at one node."""
    return len({tree_definitions.mrca(tree, a, b) for a in tips for b in tips if a < b}) < 2


@pytest.mark.slow
@settings(max_examples=100)
@given(vectors_on_trees(max_images=12))
def test_it_is_its_definition(made):
    vectors, placement = made
    taxa = hierarchy.images_of_taxa(placement)
    found = k_mult(vectors, placement, rng())
    assert (found.n_taxa, found.n_images) == (len(taxa), sum(map(len, taxa.values())))
    assert found.note or not math.isnan(found.value)
    tree, tips = placement.tree, list(taxa)
    if len(tips) < 3 or is_star(tree, tips) or definitions.coincide(tree, tips):
        assert found.note
        return
    traits = np.array([hierarchy.mean_vector([vectors[image] for image in images]) for images in taxa.values()])
    # A stem changes nothing, and lets the inverse exist where a tip is at the root.
    expected = definitions.k_mult(traits, definitions.shared_depths(tree, tips) + 1.0)
    assert found.value == pytest.approx(expected, rel=1e-6, nan_ok=True)
    if not math.isnan(found.value):
        assert 1 / 20 <= found.p_value <= 1 and found.chance > 0
        assert math.isnan(found.ci_low) or 0 <= found.ci_low <= found.value <= found.ci_high


def test_brownian_motion_has_a_signal_of_one():
    tree = parse_newick("(((A:1,B:1):1,(C:0.5,D:2):1.5):1,((E:1,F:1,G:1):0.5,H:3):2,I:4);")
    contrasts = signal.Contrasts.of(tree)
    k = len(tree.tips)
    one = [contrasts.signal(brownian(tree, 60, rng(seed))[tree.tips]) for seed in range(300)]
    assert np.mean(one) == pytest.approx(1, abs=0.03)
    none = [contrasts.signal(rng(seed).standard_normal((k, 60))) for seed in range(50)]
    assert np.mean(none) < 0.7


def made(strength: float, n_species: int = 60, seed: int = 0):
    placement = random_taxonomy(n_species, 3 * n_species, rng(seed))
    return signal_vectors(placement, 12, strength, 0.05, rng(seed + 1)), placement


def test_more_signal_is_more_and_none_is_chance():
    values = [k_mult(*made(strength), rng()) for strength in (0.0, 0.5, 1.0)]
    assert values[0].value < values[1].value < values[2].value
    assert values[0].value == pytest.approx(values[0].chance, rel=0.1)
    assert values[0].p_value > 0.05 == values[2].p_value
    assert all(found.ci_low < found.value < found.ci_high for found in values)


def test_rotation_order_and_scale_of_the_tree_change_nothing():
    vectors, placement = made(1.0)
    before = vectors.copy()
    expected = k_mult(vectors, placement, rng())
    assert np.array_equal(vectors, before)
    rotation = np.linalg.qr(rng(5).standard_normal((12, 12)))[0]
    order = rng(6).permutation(len(vectors))
    tree = placement.tree
    longer = Tree(tree.parent, 7 * tree.length, tree.name, tree.rank)
    for other in (
        k_mult(vectors @ rotation, placement, rng()),
        k_mult(vectors[order], placement.take(order), rng()),
        k_mult(vectors, Placement(longer, placement.node), rng()),
    ):
        for field in ("value", "chance", "ci_low", "ci_high"):
            assert getattr(other, field) == pytest.approx(getattr(expected, field), rel=1e-5)
        assert other.p_value == expected.p_value


def test_units_are_resampled():
    vectors, placement = made(1.0)
    by_species = signal.k_mult(vectors, placement, FEW_DRAWS)[0].estimate
    by_family = signal.k_mult(vectors, placement, replace(FEW_DRAWS, resample="family"))[0].estimate
    assert (by_species.resampled, by_family.resampled) == ("species", "family")
    assert by_family.ci_low < by_family.value < by_family.ci_high
    assert by_family.ci_low != by_species.ci_low and by_family.n_units < by_species.n_units == by_species.n_taxa
    assert by_family.value == by_species.value and len(by_family.replicates) == 20


def test_replicates_are_the_signal_without_each_group_of_species():
    vectors, placement = made(1.0, 30)
    shared = SharedResults(vectors, placement, FEW_DRAWS)
    jackknife = shared.jackknife()
    found = signal.k_mult(shared, placement)[0].estimate
    kept = jackknife.group != 4
    without = signal.k_mult(vectors[kept], placement.take(kept), FEW_DRAWS)[0].estimate
    assert found.replicates[4] == pytest.approx(without.value, rel=1e-9)
    assert found.null == "species" and found.n_units == 30


def test_z_is_in_standard_deviations_of_the_permuted_values():
    blind, signalled = (k_mult(*made(strength), rng(), "k_mult_z") for strength in (0.0, 1.0))
    assert abs(blind.value) < 3 < 6 < signalled.value
    assert blind.chance == 0 and math.isnan(blind.ci_low) and "own null" in blind.note
    vectors, placement = made(1.0)
    found = k_mult(vectors, placement, rng())
    traits = centred_traits(centroids(vectors, placement).means)
    null = Contrasts.of(centroids(vectors, placement).tree).permuted_signal(traits, 19, rng())
    assert signalled.value == pytest.approx((found.value - null.mean()) / null.std(), rel=1e-9)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("(A:1,B:1);", "at least 3 taxa"),
        ("(A:1,B:1,C:1,D:2);", "star tree"),
        ("((A:0,B:0):1,C:1,D:1);", "no branch parts 2 or more taxa"),
        ("(((A:0):0,(B:0,E:1):0):1,C:1,D:1);", "no branch parts 2 or more taxa"),
    ],
)
def test_what_has_no_signal_says_why(text, reason):
    tree = parse_newick(text)
    vectors = rng().standard_normal((len(tree.tips), 3))
    assert reason in k_mult(vectors, Placement(tree, tree.tips), rng()).note


def test_constant_vectors_and_nan():
    tree = parse_newick("((A:1,B:1):1,(C:1,D:1):1);")
    placement = Placement(tree, tree.tips)
    assert "do not vary" in k_mult(np.tile([[0.6, 0.8]], (4, 1)), placement, rng()).note
    with pytest.raises(DataError, match="rows 2"):
        signal.k_mult(np.array([[1, 0], [0, 1], [np.nan, 1], [1, 0]]), placement)
