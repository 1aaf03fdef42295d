import numpy as np
import pytest

from bioclip_probe.metrics import image_pass
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.stats.embeddings import Embeddings
from bioclip_probe.tree import Placement
from tests.support.taxa import made_up


def spaces_of(n_species=25, n_images=150, d=12):
    """Raw and centred vectors of images, some of which are known to their genus only, and their photographers."""
    _, placement = made_up(n_species, n_images)
    rng = np.random.default_rng(0)
    node = placement.node.copy()
    node[::7] = placement.tree.parent[node[::7]]
    at_node = rng.standard_normal((len(placement.tree), d))
    vectors = at_node[placement.node] + rng.standard_normal((n_images, d)) + 2
    vectors[5] = vectors[4]  # images that nothing tells apart
    node[5] = node[4]
    raw = Embeddings.of(np.arange(n_images).astype(str), vectors)
    groups = rng.integers(-1, 30, n_images)
    groups[5] = groups[4]
    return [raw.vectors, raw.centred().vectors], Placement(placement.tree, node), groups


@pytest.mark.parametrize("n_neighbors_first", [False, True])
def test_spaces_that_are_swept_together_have_the_numbers_of_spaces_alone(n_neighbors_first):
    vectors, placement, groups = spaces_of()
    together = SharedResults.of_spaces(vectors, placement, groups=groups)
    if n_neighbors_first:
        together[1].neighbors("species")
    for one, own in zip(together, vectors, strict=True):
        alone = SharedResults(own, placement, groups=groups)
        moved = np.abs(one.image_sweep.joint.counts - alone.image_sweep.joint.counts).sum()
        assert moved <= 2e-3 * alone.image_sweep.joint.counts.sum()  # rounding next to the edge of a bin
        np.testing.assert_allclose(one.image_sweep.scores, alone.image_sweep.scores, rtol=1e-3, atol=0.02)
        np.testing.assert_allclose(one.image_sweep.permuted, alone.image_sweep.permuted, rtol=1e-3, atol=0.02)
        for rank in ("species", "family"):
            found, expected = one.neighbors(rank), alone.neighbors(rank)
            np.testing.assert_array_equal(found.rows, expected.rows)
            for of, *of_k in (("shares", 10, 1), ("occurrences", 5)):  # cells of a species have another order
                of_images = [getattr(lists, of)(*of_k)[lists.cell] for lists in (found, expected)]
                np.testing.assert_allclose(*of_images, atol=1e-12)
        np.testing.assert_array_equal(one.jackknife().group, alone.jackknife().group)


def test_one_sweep_serves_both_spaces_and_their_neighbours(monkeypatch):
    vectors, placement, groups = spaces_of()
    sweep_spaces, calls = image_pass.sweep_spaces, []
    monkeypatch.setattr(
        image_pass, "sweep_spaces", lambda *args, **options: calls.append(1) or sweep_spaces(*args, **options)
    )
    monkeypatch.setattr(image_pass, "search_spaces", lambda *args: pytest.fail("searched again"))
    raw, centred = SharedResults.of_spaces(vectors, placement, groups=groups)
    assert raw.image_sweep is not centred.image_sweep
    assert raw.neighbors("species").cells.vectors.shape == centred.neighbors("species").cells.vectors.shape
    assert len(calls) == 1


def test_a_metric_of_pairs_alone_searches_no_neighbours(monkeypatch):
    vectors, placement, _ = spaces_of()
    monkeypatch.setattr(image_pass, "NeighborSearch", None)
    settings = MeasureSettings(metrics=("average_precision",))
    assert len(SharedResults(vectors[0], placement, settings).image_sweep.scores) == 150


def test_spaces_that_are_not_the_same_vectors_centred_are_looked_at_apart():
    vectors, placement, _ = spaces_of()
    other = -vectors[1]
    for one, own in zip(SharedResults.of_spaces([vectors[0], other], placement), (vectors[0], other), strict=True):
        alone = SharedResults(own, placement).image_sweep
        np.testing.assert_array_equal(one.image_sweep.joint.counts.sum(axis=1), alone.joint.counts.sum(axis=1))
        np.testing.assert_allclose(one.image_sweep.scores, alone.scores, rtol=1e-3, atol=0.02)
