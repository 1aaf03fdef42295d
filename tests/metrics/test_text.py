"""The text side: names against the tree, names in order from the root, images beside their names."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau, pearsonr
from sklearn.neighbors import NearestNeighbors

from bioclip_probe.errors import DataError
from bioclip_probe.metrics.hierarchy import cophenetic_correlation
from bioclip_probe.metrics.measurement import estimates
from bioclip_probe.metrics.registry import REGISTRY
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.metrics.suite import measure
from bioclip_probe.metrics.text import (
    Names,
    TextEmbeddings,
    estimate_radial_tau,
    text_cophenetic_correlation,
    text_radial_tau,
)
from bioclip_probe.metrics.text_images import image_text_accuracy
from bioclip_probe.metrics.units import taxon_jackknife
from bioclip_probe.stats.resampling import jackknife_interval
from bioclip_probe.tables import RANKS
from bioclip_probe.tree import Placement, patristic_distances, taxonomy
from tests.definitions import text as definition
from tests.support.answers import as_rows
from tests.support.made_up_vectors import random_taxonomy, signal_vectors, unit_rows
from tests.support.settings import FEW
from tests.support.strategies import lineage_tables


def rng(seed: int = 5) -> np.random.Generator:
    return np.random.default_rng(seed)


def names_of(tree, vectors) -> Names:
    """Return the vectors of all nodes as names: (taxa, vectors) for each rank."""
    at = [np.flatnonzero(tree.rank == r) for r in range(len(RANKS))]
    return [(taxa, vectors[taxa]) for taxa in at]


def rows_by_metric(texts: TextEmbeddings) -> dict[tuple[str, str], dict]:
    """Return the rows of all metrics of the text side, by metric and rank."""
    rows = as_rows(measure(texts))
    assert len({(row["metric"], row["rank"]) for row in rows}) == len(rows)
    return {(row["metric"], row["rank"]): row for row in rows}


def of_names(names: Names, placement: Placement, root: np.ndarray | None = None) -> dict[tuple[str, str], dict]:
    """Return the rows of names without images."""
    return rows_by_metric(TextEmbeddings(names, placement, root, settings=FEW))


def beside_images(vectors: np.ndarray, placement: Placement, names: Names) -> dict[tuple[str, str], dict]:
    """Return the rows that compare images and names."""
    rows = rows_by_metric(TextEmbeddings(names, placement, images=SharedResults(vectors, placement), settings=FEW))
    return {key: row for key, row in rows.items() if key[0].startswith("image_text_")}


@st.composite
def named(draw):
    """A taxonomy with holes, a name for each of its taxa, and the name of all life; names may coincide."""
    placement = taxonomy(draw(lineage_tables(max_rows=14)))
    random = rng(draw(st.integers(0, 2**32 - 1)))
    vectors = random.standard_normal((len(placement.tree), 4))
    if draw(st.booleans()):
        vectors = np.round(vectors) + np.array([0.5, 0, 0, 0])  # so that some are equally far
    return placement, unit_rows(vectors), unit_rows(random.standard_normal((1, 4)))[0]


# Names against the tree.


def test_names_are_compared_as_taxa_are():
    placement = random_taxonomy(60, 60, rng(1))
    vectors = signal_vectors(Placement(placement.tree, np.arange(len(placement.tree))), 16, 1.0, 0.1, rng(2))
    found = of_names(names_of(placement.tree, vectors), placement)
    assert {rank for _, rank in found} == set(RANKS) and len(found) == len(RANKS)
    for rank in RANKS[2:]:
        coarse, _ = placement.tree.coarsen(rank)
        taxa = np.flatnonzero(placement.tree.rank == RANKS.index(rank))
        row = found["text_cophenetic_correlation", rank]
        distance = 1 - vectors[taxa].astype(float) @ vectors[taxa].T.astype(float)
        upper = np.triu_indices(len(taxa), 1)
        expected = pearsonr(patristic_distances(coarse)[upper], distance[upper])[0]
        assert row["value"] == pytest.approx(expected, abs=1e-6), rank
        assert (row["n_images"], row["n_taxa"]) == (0, len(taxa))
        assert row["p_value"] <= 0.05
        if len(taxa) >= 40:  # fewer taxa of a rank have no interval
            assert row["ci_low"] <= row["value"] <= row["ci_high"]
    assert found["text_cophenetic_correlation", "kingdom"]["note"]
    of_images = cophenetic_correlation(vectors[placement.tree.tips], Placement(coarse, coarse.tips), FEW)
    plain = estimates(of_images, "cophenetic_correlation")["species"]
    assert found["text_cophenetic_correlation", "species"]["value"] == pytest.approx(plain.value)


def test_random_names_do_not_follow_the_tree():
    placement = random_taxonomy(80, 80, rng(1))
    names = names_of(placement.tree, unit_rows(rng(10).standard_normal((len(placement.tree), 16))))
    row = of_names(names, placement)["text_cophenetic_correlation", "species"]
    assert abs(row["value"]) < 0.1 and row["p_value"] > 0.05


# Names in order from the root.


@pytest.mark.slow
@settings(max_examples=50)
@given(named())
def test_radial_tau_is_scipys_over_the_names_that_a_species_has(made):
    placement, vectors, root = made
    names = names_of(placement.tree, vectors)
    found = estimate_radial_tau(names, placement.tree, root, FEW)
    vector_of = {taxon: vectors[taxon] for taxa, _ in names for taxon in taxa.tolist()}
    taus = []
    for species in names[-1][0]:
        distances = definition.distances_from_root(placement.tree, species, vector_of, root)
        if len(set(np.round(distances, 12))) > 1:
            taus.append(kendalltau(np.arange(len(distances)), np.round(distances, 12)).statistic)
    assert ("no two ranks to order" in found.note) == (0 < len(taus) < len(names[-1][0])) and (taus or found.note)
    assert found.value == pytest.approx(np.mean(taus) if taus else np.nan, nan_ok=True)
    assert not taus or (-1 <= found.value <= 1 and found.n_taxa == len(taus))


def test_names_that_move_away_step_by_step_are_in_perfect_order():
    tree = random_taxonomy(40, 40, rng(1)).tree
    angle = (tree.rank + 1) / 10
    away = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    root = np.array([1.0, 0.0])
    found = {sign: estimate_radial_tau(names_of(tree, sign * away), tree, root, FEW) for sign in (1, -1)}
    assert (found[1].value, found[1].ci_low, found[1].ci_high) == (1, 1, 1)
    assert found[-1].value == -1  # seen from the other side they come nearer
    scattered = unit_rows(rng().standard_normal((len(tree), 8)))
    anywhere_root = unit_rows(rng(1).standard_normal((1, 8)))[0]
    anywhere = estimate_radial_tau(names_of(tree, scattered), tree, anywhere_root, FEW)
    assert anywhere.ci_low < anywhere.value < anywhere.ci_high and abs(anywhere.value) < 0.4


def test_radial_tau_is_given_where_there_is_a_root():
    placement = random_taxonomy(10, 10, rng(1))
    vectors = unit_rows(rng().standard_normal((len(placement.tree), 4)))
    names = names_of(placement.tree, vectors)
    assert {metric for metric, _ in of_names(names, placement)} == {"text_cophenetic_correlation"}
    row = of_names(names, placement, vectors[0])["text_radial_tau", "species"]
    assert (row["n_images"], row["n_taxa"], row["chance"]) == (0, 10, 0)
    lost = TextEmbeddings([(taxa, own * np.nan) for taxa, own in names], placement, vectors[0])
    for metric in (text_cophenetic_correlation, text_radial_tau):
        with pytest.raises(DataError, match="vectors must be finite"):
            metric(lost)


# Images beside their names.


@pytest.mark.slow
@settings(max_examples=30)
@given(named(), st.integers(0, 2**32 - 1))
def test_images_beside_names_equal_their_definition(made, seed):
    placement, texts, _ = made
    random = rng(seed)
    node = np.repeat(placement.node, 2)
    vectors = unit_rows(random.standard_normal((len(node), 4)) + 0.7 * texts[np.maximum(node, 0)])
    names = names_of(placement.tree, texts)
    lost = random.random(len(placement.tree)) < 0.1
    names = [(taxa[~lost[taxa]], own[~lost[taxa]]) for taxa, own in names]
    found = beside_images(vectors, Placement(placement.tree, node), names)
    assert len(found) == 2 * len(RANKS)
    for rank, (taxa, own) in zip(RANKS, names, strict=True):
        labels = Placement(placement.tree, node).at(rank)
        shown = [taxon for taxon in taxa.tolist() if np.any(labels == taxon)]
        rsa, accuracy = found["image_text_rsa", rank], found["image_text_accuracy", rank]
        n_images = int(np.isin(labels, taxa).sum())
        for row in (rsa, accuracy):
            assert (row["n_images"], row["n_excluded"]) == (n_images, len(node) - n_images)
            low, high = REGISTRY[row["metric"]].bounds
            assert np.isnan(row["value"]) or low <= row["value"] <= high
        if not shown or len(taxa) < 2:
            assert np.isnan(accuracy["value"]) and np.isnan(rsa["value"]) and accuracy["note"] == rsa["note"] != ""
            continue
        points = [definition.centroid(vectors[labels == taxon]) for taxon in shown]
        expected = definition.nearest_own(points, own, [taxa.tolist().index(taxon) for taxon in shown])
        assert accuracy["value"] == pytest.approx(expected)
        assert accuracy["chance"] == 1 / len(taxa) and accuracy["n_taxa"] == len(shown)
        if len(shown) < 4:
            assert "at least 4 taxa" in rsa["note"]
        elif not np.isnan(rsa["value"]):
            expected = definition.correlation_of_pairs(points, own[np.isin(taxa, shown)])
            assert rsa["value"] == pytest.approx(expected, abs=1e-6)


def illustrated(noise: float, n_species: int = 50, n: int = 200):
    """Names of taxa along the tree, images about the name of their species."""
    placement = random_taxonomy(n_species, n, rng(1))
    everywhere = Placement(placement.tree, np.arange(len(placement.tree)))
    texts = signal_vectors(everywhere, 16, 1.0, 0.2, rng(2)).astype(float)
    return unit_rows(texts[placement.node] + noise * rng(3).standard_normal((n, 16))), placement, texts


@pytest.mark.slow
def test_images_at_their_names_are_in_full_agreement():
    vectors, placement, texts = illustrated(0.0)
    found = beside_images(vectors, placement, names_of(placement.tree, texts))
    assert found["image_text_accuracy", "species"]["value"] == 1
    assert found["image_text_accuracy", "species"]["resampled"] == "species"
    assert found["image_text_rsa", "species"]["value"] == pytest.approx(1)
    assert found["image_text_accuracy", "genus"]["resampled"] == "genus"


def test_shuffled_names_are_at_chance():
    vectors, placement, texts = illustrated(0.2)
    tips = placement.tree.tips
    shuffled = texts.copy()
    shuffled[tips] = texts[rng().permutation(tips)]
    names = names_of(placement.tree, shuffled)
    found = beside_images(vectors, placement, names)
    row = found["image_text_rsa", "species"]
    assert abs(row["value"]) < 0.15 and row["p_value"] > 0.05
    assert found["image_text_accuracy", "species"]["value"] < 0.1


def test_accuracy_equals_that_of_scikit_learns_nearest_neighbour():
    """The outsider: names as its one neighbour each, the centroids of images as its queries."""
    vectors, placement, texts = illustrated(0.5)
    tips = placement.tree.tips
    points = np.stack([definition.centroid(vectors[placement.node == tip]) for tip in tips])
    nearest = NearestNeighbors(n_neighbors=1).fit(texts[tips]).kneighbors(points, return_distance=False)
    expected = np.mean(nearest[:, 0] == np.arange(len(tips)))
    found = beside_images(vectors, placement, names_of(placement.tree, texts))
    assert found["image_text_accuracy", "species"]["value"] == pytest.approx(expected)
    assert 0.1 < expected < 1


def test_the_interval_of_accuracy_leaves_out_images_and_names_of_a_group():
    vectors, placement, texts = illustrated(0.6)
    names = names_of(placement.tree, texts)
    few = replace(FEW, resample="genus", n_groups=6)
    shared = SharedResults(vectors, placement, few)
    found = image_text_accuracy(TextEmbeddings(names, placement, images=shared, settings=few))[-1].estimate
    taxa, own = names[-1]
    group = taxon_jackknife(Placement(placement.tree, taxa), "species", few).group
    expected = []
    for number in range(6):
        kept = group != number
        shown = np.isin(placement.node, taxa[kept])
        points = [definition.centroid(vectors[placement.node == taxon]) for taxon in taxa[kept]]
        assert shown.any()
        expected.append(definition.nearest_own(points, own[kept], list(range(kept.sum()))))
    assert found.replicates == pytest.approx(expected)
    assert (found.resampled, found.null) == ("genus", "species")
    low, high = jackknife_interval(found.value, np.array(expected), (0, 1))
    assert (found.ci_low, found.ci_high) == pytest.approx((low, high))


def test_one_name_for_all_is_chance():
    vectors, placement, texts = illustrated(0.2)
    same = np.tile(texts[:1], (len(texts), 1))
    row = beside_images(vectors, placement, names_of(placement.tree, same))["image_text_accuracy", "species"]
    assert row["value"] == pytest.approx(row["chance"]) == pytest.approx(1 / 50)


def test_images_that_cancel_out_give_a_row_that_says_so():
    vectors, placement, texts = illustrated(0.2)
    own = np.flatnonzero(placement.node == placement.node[0])
    kept = np.concatenate([np.flatnonzero(placement.node != placement.node[0]), own[:1], own[:1]])
    vectors = np.concatenate([vectors[kept[:-1]], -vectors[own[:1]]])
    placement = placement.take(kept)
    found = beside_images(vectors, placement, names_of(placement.tree, texts))
    assert "cancel out" in found["image_text_accuracy", "species"]["note"]
    assert found["image_text_accuracy", "kingdom"]["value"] >= 0


@pytest.mark.slow
def test_inputs_are_left_as_they_are():
    vectors, placement, texts = illustrated(0.2)
    before = vectors.copy(), texts.copy()
    vectors.flags.writeable = texts.flags.writeable = False
    names = names_of(placement.tree, texts)
    of_names(names, placement, texts[0])
    beside_images(vectors, placement, names)
    np.testing.assert_array_equal(vectors, before[0])
    np.testing.assert_array_equal(texts, before[1])
