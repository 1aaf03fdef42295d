import math
from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given, settings

from bioclip_probe.errors import DataError
from bioclip_probe.metrics import dendrogram
from bioclip_probe.metrics.dendrogram import COPHENETIC, TRIPLETS
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.stats.rows import ResamplingUnits, Rows
from bioclip_probe.tables import RANKS
from bioclip_probe.tree import Placement, brownian
from bioclip_probe.tree.newick import parse_newick
from tests.support.made_up_vectors import random_taxonomy, signal_vectors, unit_rows, vectors_on_trees
from tests.support.taxa import DEFAULT, rng


def dendrogram_agreement(vectors, placement, rng, settings=DEFAULT, units=None):
    return dendrogram.estimate_dendrogram_agreement(Rows.taxa(vectors, placement), rng, settings, units)


def dendrogram_purity(vectors, placement, labels, rng):
    return dendrogram.estimate_dendrogram_purity(Rows.taxa(vectors, placement), labels, rng, DEFAULT)


# The metrics.


def made(strength: float = 1.0, n_species: int = 60, seed: int = 0):
    placement = random_taxonomy(n_species, 3 * n_species, rng(seed))
    return signal_vectors(placement, 12, strength, 0.1, rng(seed + 1)), placement


def labels(placement: Placement) -> dict[str, np.ndarray]:
    return {rank: placement.at(rank) for rank in RANKS[:-1]}


def everything(vectors, placement, seed=0):
    found = dendrogram_agreement(vectors, placement, rng(seed))
    return found | dendrogram_purity(vectors, placement, labels(placement), rng(seed))


@pytest.mark.slow
@settings(max_examples=60)
@given(vectors_on_trees())
def test_any_input_gives_numbers_within_bounds_or_says_why(case):
    vectors, placement = case
    for name, found in everything(vectors, placement).items():
        assert bool(found.note) == math.isnan(found.value)
        low, high = dendrogram.BOUNDS.get(name, (0, 1))
        if not found.note:
            assert low - 1e-12 <= found.value <= high + 1e-12
            assert math.isnan(found.ci_low) or low <= found.ci_low <= found.ci_high <= high


@pytest.mark.slow
def test_more_signal_agrees_more_and_none_is_chance():
    weak, strong = (everything(*made(strength)) for strength in (0.0, 1.0))
    for name, found in strong.items():
        if not found.note:
            assert found.value > weak[name].value
            assert found.ci_low < found.value < found.ci_high or found.value == 1
    assert weak[COPHENETIC].value == pytest.approx(0, abs=0.15)
    assert weak[TRIPLETS].value == pytest.approx(1 / 3, abs=0.08)
    for rank in ("family", "order", "phylum"):
        assert weak[rank].value == pytest.approx(weak[rank].chance, abs=0.1)
        assert strong[rank].value > strong[rank].chance + 0.15


@pytest.mark.slow
def test_rotation_order_and_inputs():
    vectors, placement = made()
    before = vectors.copy()
    expected = everything(vectors, placement)
    assert np.array_equal(vectors, before)
    rotation = np.linalg.qr(rng(5).standard_normal((12, 12)))[0]
    order = rng(6).permutation(len(vectors))
    for other in (everything(vectors @ rotation, placement), everything(vectors[order], placement.take(order))):
        for name in expected:
            assert astuple(other[name])[:4] == pytest.approx(astuple(expected[name])[:4], abs=1e-6, nan_ok=True)


def test_units_and_no_interval_with_many_taxa():
    vectors, placement = made()
    found = dendrogram_agreement(vectors, placement, rng(), units=ResamplingUnits("family", placement.at("family")))
    assert {estimate.resampled for estimate in found.values()} == {"family"}
    dear = dendrogram_agreement(vectors, placement, rng(), MeasureSettings(max_dendrogram_species=50))
    assert all("no interval" in estimate.note and math.isnan(estimate.ci_low) for estimate in dear.values())
    assert dear[TRIPLETS].value == found[TRIPLETS].value


def test_species_without_a_name_are_pruned_and_counted():
    vectors, placement = made()
    at = placement.at("family")
    lost = at == at[0]
    found = dendrogram_purity(vectors, placement, {"family": np.where(lost, -1, at)}, rng())["family"]
    assert found.n_excluded == lost.sum()
    assert 0 < found.value <= 1


def test_what_is_undefined_says_why():
    star = parse_newick("(A:1,B:1,C:1,D:1);")
    vectors = unit_rows(rng().standard_normal((4, 3)))
    found = dendrogram_agreement(vectors, Placement(star, star.tips), rng())
    assert "does not vary" in found[COPHENETIC].note and "no triplet" in found[TRIPLETS].note
    two = dendrogram_agreement(vectors[:2], Placement(star, star.tips[:2]), rng())
    assert "at least 3 taxa" in two[TRIPLETS].note
    opposite = np.array([[1, 0], [-1, 0], [0, 1], [0, 1], [1, 0]])
    cancelled = dendrogram_agreement(opposite, Placement(star, star.tips[[0, 0, 1, 2, 3]]), rng())
    assert "cancel out" in cancelled[TRIPLETS].note
    alone = dendrogram_purity(vectors, Placement(star, star.tips), {"family": np.arange(4)}, rng())
    assert "no two species" in alone["family"].note
    with pytest.raises(DataError, match="rows 1"):
        dendrogram_agreement(np.array([[1, 0], [np.inf, 0], [0, 1], [1, 0]]), Placement(star, star.tips), rng())


def test_brownian_embeddings_draw_their_tree():
    tree = parse_newick("(((A:1,B:1):4,(C:1,D:1):4):5,((E:1,F:1):6,G:7):3);")
    vectors = unit_rows(brownian(tree, 4_000, rng())[tree.tips])
    found = dendrogram_agreement(vectors, Placement(tree, tree.tips), rng())
    assert found[TRIPLETS].value == 1
    assert found[COPHENETIC].value > 0.99


def test_two_taxa_have_a_purity_and_no_interval():
    tree = parse_newick("(A:1,B:1);")
    found = dendrogram_purity(np.eye(2), Placement(tree, tree.tips), {"family": np.zeros(2, dtype=int)}, rng())
    assert (found["family"].value, found["family"].chance, found["family"].note) == (1, 1, "")
    assert math.isnan(found["family"].ci_low)
