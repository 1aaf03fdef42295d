import numpy as np
import pytest

from bioclip_probe.stats.centroids import centroids
from bioclip_probe.stats.evolution import Evolution, fit_each
from bioclip_probe.tree import Placement
from bioclip_probe.tree.newick import parse_newick
from tests.support.taxa import made_up, rng


def evolution_of(vectors, placement, group=None) -> Evolution:
    taxa = centroids(vectors, placement)
    group = np.arange(len(taxa.counts)) % 5 if group is None else group
    return Evolution.of(vectors, taxa, group, max(2, int(group.max(initial=0)) + 1))


def test_parts_are_those_of_the_data_without_the_group():
    vectors, placement = made_up()
    placement = placement.coarsen("species")
    evolution = evolution_of(vectors, placement)
    kept = np.isin(evolution.taxa.groups, np.flatnonzero(evolution.group != 2))
    smaller = evolution_of(vectors[kept], placement.take(kept))
    part, fit = evolution.likelihoods_without_each[2], evolution.fits_without_each[2]
    np.testing.assert_allclose(part.errors[part.kept], smaller.likelihood.errors, rtol=1e-6)
    assert fit.signal == pytest.approx(smaller.fit.signal, abs=1e-5)
    assert evolution.squared_trace_without_each()[2] == pytest.approx(smaller.covariance.trace_of_square, rel=1e-4)


def test_the_sampling_error_is_the_scatter_over_the_number_of_images():
    vectors, placement = made_up()
    placement = placement.coarsen("species")
    evolution = evolution_of(vectors, placement)
    squares, freedom = 0.0, 0
    for tip in range(len(evolution.group)):
        rows = vectors[evolution.taxa.groups == tip].astype(np.float64)
        squares += float(np.square(rows - rows.mean(axis=0)).sum())
        freedom += len(rows) - 1
    np.testing.assert_allclose(evolution.likelihood.errors, squares / freedom / evolution.taxa.counts, rtol=1e-5)
    assert evolution.within.trace == pytest.approx(squares / freedom, rel=1e-5)
    assert evolution.note == "" and evolution.within.freedom == freedom


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("(A:1,B:1);", "at least 3 taxa"),
        ("((A:1,B:1,C:1,D:2):1);", "star tree"),
        ("(A:0,B:0,(C:1,D:1):1);", "no branch parts 2 or more taxa"),
    ],
)
def test_what_cannot_be_fitted_says_why(text, reason):
    tree = parse_newick(text)
    vectors = rng().standard_normal((len(tree.tips), 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    assert reason in evolution_of(vectors, Placement(tree, tree.tips)).reason_undefined()


def test_constant_vectors_and_mere_noise():
    tree = parse_newick("((A:1,B:1):1,(C:1,D:1):1);")
    constant = evolution_of(np.tile([[0.6, 0.8]], (4, 1)), Placement(tree, tree.tips))
    assert "do not vary" in constant.reason_undefined()
    assert "is taken as 0" in constant.note
    angles = np.tile([0.1, 1.2, 2.3], 4)  # every species has the same three images
    noise = evolution_of(np.stack([np.cos(angles), np.sin(angles)], axis=1), Placement(tree, np.repeat(tree.tips, 3)))
    assert noise.reason_undefined()


def test_fits_of_nothing():
    vectors, placement = made_up(12, 24)
    evolution = evolution_of(vectors, placement.coarsen("species"), np.arange(12) // 11)
    assert evolution.likelihoods_without_each[0] is None
    assert fit_each(evolution.likelihoods_without_each, evolution.fit)[0] is None
    assert np.isnan(evolution.squared_trace_without_each()[0])


def test_a_rotated_and_padded_embedding_is_the_same_to_rounding():
    vectors, placement = made_up()
    placement = placement.coarsen("species")
    d = vectors.shape[1]
    rotation = np.linalg.qr(rng(5).standard_normal((4 * d, d)))[0]
    one, other = (evolution_of(rows, placement) for rows in (vectors, (vectors @ rotation.T).astype(vectors.dtype)))
    assert other.vectors.shape == one.vectors.shape
    np.testing.assert_allclose(other.vectors, one.vectors, atol=1e-5)
    assert other.covariance.effective_dimension == pytest.approx(one.covariance.effective_dimension, rel=1e-5)
    np.testing.assert_allclose(other.covariance.spectrum()[0], one.covariance.spectrum()[0], atol=1e-6)
