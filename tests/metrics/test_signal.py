import math
from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given, settings

from bioclip_probe.errors import DataError
from bioclip_probe.metrics import signal
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.stats.centroids import centroids
from bioclip_probe.stats.rows import ResamplingUnits
from bioclip_probe.tree import Placement, Tree, brownian
from bioclip_probe.tree.newick import parse_newick
from tests.definitions import hierarchy
from tests.definitions import signal as definitions
from tests.definitions import tree as tree_definitions
from tests.support.made_up_vectors import random_taxonomy, signal_vectors, vectors_on_trees
from tests.support.taxa import rng

FEW_DRAWS = MeasureSettings(n_permutations=19)


def k_mult(vectors, placement, rng, units=None):
    return signal.estimate_k_mult(centroids(vectors, placement), rng, FEW_DRAWS, units)


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
    assert bool(found.note) == math.isnan(found.value)
    tree, tips = placement.tree, list(taxa)
    if len(tips) < 3 or is_star(tree, tips) or definitions.coincide(tree, tips):
        assert found.note
        return
    traits = np.array([hierarchy.mean_vector([vectors[image] for image in images]) for images in taxa.values()])
    # A stem changes nothing, and lets the inverse exist where a tip is at the root.
    expected = definitions.k_mult(traits, definitions.shared_depths(tree, tips) + 1.0)
    assert found.value == pytest.approx(expected, rel=1e-6, nan_ok=True)
    if not found.note:
        assert 1 / 20 <= found.p_value <= 1 and found.chance > 0
        assert math.isnan(found.ci_low) or 0 <= found.ci_low <= found.value <= found.ci_high


def test_brownian_motion_has_a_signal_of_one():
    tree = parse_newick("(((A:1,B:1):1,(C:0.5,D:2):1.5):1,((E:1,F:1,G:1):0.5,H:3):2,I:4);")
    contrasts = signal.Contrasts.of(signal.Edges(tree))
    k = len(tree.tips)
    one = [contrasts.signal(brownian(tree, 60, rng(seed))[tree.tips], np.arange(k)[None])[0] for seed in range(300)]
    assert np.mean(one) == pytest.approx(1, abs=0.03)
    none = [contrasts.signal(rng(seed).standard_normal((k, 60)), np.arange(k)[None])[0] for seed in range(50)]
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
        assert astuple(other)[:4] == pytest.approx(astuple(expected)[:4], rel=1e-5)
        assert other.p_value == expected.p_value


def test_units_are_resampled():
    vectors, placement = made(1.0)
    found = k_mult(vectors, placement, rng(), ResamplingUnits("family", placement.at("family")))
    assert found.resampled == "family"
    assert found.ci_low < found.value < found.ci_high


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
