import numpy as np
import pytest

from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.stats.devices import tensor
from bioclip_probe.stats.embeddings import Embeddings
from bioclip_probe.stats.sweep import device, scoring
from bioclip_probe.stats.sweep.device_scores import scores_of_counts
from bioclip_probe.stats.sweep.search import NeighborSearch, search_spaces
from bioclip_probe.tree import Placement
from tests.support.taxa import made_up

#: Scores that do not depend on bins.
EXACT = [scoring.TRIPLETS, scoring.SCORED, scoring.SCORED_OTHER, scoring.SIZE]


def test_scores_from_counts_are_those_of_the_compiled_loops():
    rng = np.random.default_rng(0)
    for n_levels, n_bins in ((1, 3), (2, 1), (4, 9), (8, 40)):
        counts = rng.poisson(0.6, (20, n_levels, n_bins)) * rng.integers(0, 2, (20, n_levels, 1))
        harmonic = np.append(0, np.cumsum(1 / np.arange(1, counts.sum() + 1)))
        found = scores_of_counts(tensor(counts, "cpu:0"), tensor(harmonic, "cpu:0")).numpy()
        expected = np.zeros_like(found)
        for histogram, scores in zip(counts, expected, strict=True):
            scoring.reduce_row(histogram, harmonic, scores)
        np.testing.assert_allclose(found, expected, atol=1e-12)


def images(n_species=30, n_images=300, d=6):
    """Raw and centred vectors of images, some alike and some known to a genus only, and their photographers."""
    _, placement = made_up(n_species, n_images)
    rng = np.random.default_rng(0)
    node = placement.node.copy()
    node[::9] = placement.tree.parent[node[::9]]
    vectors = rng.standard_normal((len(placement.tree), d))[node] + rng.standard_normal((n_images, d)) + 1
    vectors[6], node[6] = vectors[5], node[5]
    raw = Embeddings.of(np.arange(n_images).astype(str), vectors)
    groups = rng.integers(-1, 60, n_images)
    groups[6] = groups[5]
    return [raw.vectors, raw.centred().vectors], Placement(placement.tree, node), groups


def assert_same_neighbors(one, other, k, least):
    for of_images in (lambda lists: lists.shares(k, least), lambda lists: lists.occurrences(k)):
        np.testing.assert_allclose(of_images(one)[one.cell], of_images(other)[other.cell], atol=1e-12)


@pytest.mark.parametrize("rows_at_once", [300, 37])
def test_a_device_finds_the_scores_and_neighbours_of_both_spaces(rows_at_once, monkeypatch):
    vectors, placement, groups = images()
    copies = np.random.default_rng(1).integers(-60, 40, len(groups)).clip(-1)
    options = {"groups": groups, "copies": copies}
    here = SharedResults.of_spaces(vectors, placement, **options)
    on_device = MeasureSettings(device="cpu:0")
    monkeypatch.setattr(device, "MOST_ROWS", rows_at_once)
    there = SharedResults.of_spaces(vectors, placement, on_device, **options)
    for one, other in zip(here, there, strict=True):
        np.testing.assert_allclose(one.image_sweep.scores, other.image_sweep.scores, rtol=2e-3, atol=0.02)
        for of_both in ("without_group", "permuted"):
            sums = (getattr(swept.image_sweep, of_both)[:, EXACT] for swept in (one, other))
            np.testing.assert_allclose(*sums, rtol=1e-12)
        counts = (swept.image_sweep.permuted_counts.sum(axis=2) for swept in (one, other))
        np.testing.assert_array_equal(*counts)
        lists = one.neighbors("species"), other.neighbors("species")
        for of in ((10, 0), (5, 1), (1, 3)):
            assert_same_neighbors(*lists, *of)


def test_a_device_searches_neighbours_alone_too():
    vectors, placement, groups = images()
    search = NeighborSearch.of(vectors[0], placement, placement.node % 3, 4, groups)
    for one, other in zip(search_spaces(search, vectors), search_spaces(search, vectors, "cpu:0"), strict=True):
        assert_same_neighbors(one, other, 4, 0)


def test_candidates_that_do_not_suffice_are_searched_among_all_rows():
    """All nearest images are of one species, which the jackknife leaves out whole."""
    _, placement = made_up(12, 12)
    node, rng = np.repeat(placement.node, 60), np.random.default_rng(2)
    vectors = np.repeat(rng.standard_normal((12, 5)), 60, axis=0) + 0.05 * rng.standard_normal((720, 5))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    search = NeighborSearch.of(vectors, Placement(placement.tree, node), np.repeat(np.arange(12), 60), 5)
    assert_same_neighbors(search_spaces(search, [vectors])[0], search_spaces(search, [vectors], "cpu:0")[0], 5, 1)
