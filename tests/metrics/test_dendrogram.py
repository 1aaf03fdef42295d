import math
from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import cophenet, linkage
from scipy.spatial.distance import pdist, squareform

from bioclip_probe.errors import DataError
from bioclip_probe.metrics import dendrogram
from bioclip_probe.metrics.dendrogram import COPHENETIC, TRIPLETS
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.stats.dendrograms import Dendrogram, clade_purity, cophenetic_agreement, triplet_agreement
from bioclip_probe.stats.rows import ResamplingUnits, Rows
from bioclip_probe.tables import RANKS
from bioclip_probe.tree import Placement, Tree, brownian, patristic_distances
from bioclip_probe.tree.newick import parse_newick
from tests.definitions import dendrogram as definitions
from tests.definitions import hierarchy
from tests.definitions.tree import mrca
from tests.support.made_up_vectors import random_taxonomy, signal_vectors, unit_rows, vectors_of_tips, vectors_on_trees
from tests.support.taxa import DEFAULT, rng


def dendrogram_agreement(vectors, placement, rng, settings=DEFAULT, units=None):
    return dendrogram.estimate_dendrogram_agreement(Rows.taxa(vectors, placement), rng, settings, units)


def dendrogram_purity(vectors, placement, labels, rng):
    return dendrogram.estimate_dendrogram_purity(Rows.taxa(vectors, placement), labels, rng, DEFAULT)


def joining_heights(drawn: Dendrogram) -> np.ndarray:
    """Of the rows, both triangles."""
    found = np.empty((len(drawn.leaves),) * 2)
    found[np.ix_(drawn.leaves, drawn.leaves)] = patristic_distances(drawn.tree)
    return found


def shared_depths(tree: Tree) -> list[list[float]]:
    return [[float(tree.depth[mrca(tree, a, b)]) for b in tree.tips] for a in tree.tips]


# The dendrogram.


@settings(max_examples=60)
@given(st.integers(2, 12), st.integers(0, 2**32 - 1))
def test_a_dendrogram_is_its_definition(k, seed):
    vectors = unit_rows(rng(seed).standard_normal((k, 4)))
    distances = [[hierarchy.cosine_distance(u, v) for v in vectors] for u in vectors]
    heights = definitions.average_linkage(distances)
    found = joining_heights(Dendrogram.average_linkage(vectors))
    for a in range(k):
        for b in range(k):
            expected = definitions.joining_height(heights, a, b) if a != b else 0
            assert found[a, b] == pytest.approx(expected, abs=1e-12)


def test_joining_heights_agree_with_scipy_for_any_block_size():
    vectors = unit_rows(rng().standard_normal((150, 8)))
    merges = linkage(pdist(vectors, "cosine"), "average")
    found = joining_heights(Dendrogram.average_linkage(vectors, block=7))
    assert found == pytest.approx(squareform(cophenet(merges)), abs=1e-12)


def test_a_dendrogram_may_be_pruned():
    vectors = unit_rows(rng().standard_normal((20, 4)))
    drawn, keep = Dendrogram.average_linkage(vectors), np.arange(20) % 3 > 0
    assert joining_heights(drawn.subset(keep)) == pytest.approx(joining_heights(drawn)[np.ix_(keep, keep)])


# Its agreement with a tree.


@settings(max_examples=120)
@given(vectors_of_tips(max_nodes=22))
def test_agreement_is_its_definition(made):
    vectors, tree = made
    if len(tree.tips) < 2:
        return
    drawn = Dendrogram.average_linkage(vectors)
    height = joining_heights(drawn)
    found = triplet_agreement(tree, drawn)
    expected = definitions.triplet_accuracy(shared_depths(tree), height.tolist())
    assert found == pytest.approx(expected, abs=1e-12, nan_ok=True)
    upper = np.triu_indices(len(vectors), 1)
    pairing = list(zip(patristic_distances(tree)[upper], height[upper], strict=True))
    expected = hierarchy.pearson(pairing)
    assert cophenetic_agreement(tree, drawn) == pytest.approx(expected, abs=1e-8, nan_ok=True)


@settings(max_examples=120)
@given(vectors_of_tips(max_nodes=22), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_purity_is_its_definition(made, n_labels, seed):
    vectors, tree = made
    if len(tree.tips) < 2:
        return
    labels = rng(seed).integers(0, n_labels, len(vectors))
    drawn = Dendrogram.average_linkage(vectors)
    purity, chance = clade_purity(drawn, labels)
    height = joining_heights(drawn).tolist()
    assert purity == pytest.approx(definitions.purity(height, labels.tolist()), abs=1e-12, nan_ok=True)
    assert math.isnan(purity) or (0 < purity <= 1 + 1e-12 and 0 < chance <= 1 + 1e-12)


def test_chance_of_purity_is_the_mean_over_all_shuffles():
    from itertools import permutations

    vectors = unit_rows(rng(3).standard_normal((6, 3)))
    drawn = Dendrogram.average_linkage(vectors)
    height = joining_heights(drawn).tolist()
    labels = [0, 0, 0, 1, 1, 2]
    shuffled = set(permutations(labels))
    expected = np.mean([definitions.purity(height, order) for order in shuffled])
    assert clade_purity(drawn, np.array(labels))[1] == pytest.approx(expected)


def test_triplets_are_those_of_scikit_bio():
    """scikit-bio counts subsets, not triplets: the two trees are compared by its own common ancestors."""
    from io import StringIO
    from itertools import combinations

    from skbio import TreeNode

    text = "(((A:1,B:1):1,(C:1,D:1,E:1):1):1,((F:1,G:1):2,H:3):0.5);"
    tree = parse_newick(text)
    other = "((((A:1,C:1):1,B:1):1,(D:1,H:1):1):1,(E:1,(F:1,G:1):2):0.5);"
    one, two = (TreeNode.read(StringIO(newick)) for newick in (text, other))

    def odd_one_out(node, names):
        for name in names:
            pair = [other for other in names if other != name]
            if node.lca(pair) is not node.lca(names):
                return name
        return None

    names = list("ABCDEFGH")
    answers = [(odd_one_out(one, three), odd_one_out(two, three)) for three in combinations(names, 3)]
    expected = np.mean([a == b for a, b in answers if a is not None])
    second = parse_newick(other)
    order = [names.index(name) for name in second.name[second.tips]]
    assert triplet_agreement(tree, Dendrogram(second, np.array(order))) == pytest.approx(expected)


def test_a_tree_agrees_with_itself():
    tree = parse_newick("(((A:1,B:1):1,(C:1,D:1):1):1,((E:1,F:1):1.5,G:2.5):0.5);")
    drawn = Dendrogram(tree, np.arange(7))
    assert triplet_agreement(tree, drawn) == 1
    assert cophenetic_agreement(tree, drawn) == pytest.approx(1)
    assert clade_purity(drawn, np.array([0, 0, 0, 0, 1, 1, 1]))[0] == 1
    other = Dendrogram(tree, np.array([0, 2, 1, 3, 4, 5, 6]))
    assert triplet_agreement(tree, other) < 1


def test_what_the_dendrogram_leaves_open_counts_a_third():
    tree = parse_newick("(((A:1,B:1):1,(C:1,D:1):1):1,((E:1,F:1):1.5,G:2.5):0.5);")
    drawn = Dendrogram.average_linkage(np.tile([[0.6, 0.8]], (7, 1)))
    assert triplet_agreement(tree, drawn) == pytest.approx(1 / 3)
    guesses = [
        triplet_agreement(tree, Dendrogram.average_linkage(unit_rows(rng(s).standard_normal((7, 9)))))
        for s in range(200)
    ]
    assert np.mean(guesses) == pytest.approx(1 / 3, abs=0.05)


# The metrics.


def made(strength: float = 1.0, n_species: int = 60, seed: int = 0):
    placement = random_taxonomy(n_species, 3 * n_species, rng(seed))
    return signal_vectors(placement, 12, strength, 0.1, rng(seed + 1)), placement


def labels(placement: Placement) -> dict[str, np.ndarray]:
    return {rank: placement.at(rank) for rank in RANKS[:-1]}


def everything(vectors, placement, seed=0):
    found = dendrogram_agreement(vectors, placement, rng(seed))
    return found | dendrogram_purity(vectors, placement, labels(placement), rng(seed))


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
