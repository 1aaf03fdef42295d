"""The linear probe: scikit-learn's other solver as the outsider, invariances, and what it refuses."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from scipy.stats import ortho_group
from sklearn.linear_model import LogisticRegression

from bioclip_probe.errors import DataError
from bioclip_probe.probes.learning import LearnSettings
from bioclip_probe.probes.linear import GRID, linear, principal_axes
from bioclip_probe.probes.softmax import Optimiser
from bioclip_probe.probes.splits import split_by_image
from tests.definitions import probes as definition

#: The optimiser goes on until rounding stops it, so that another solver must find the same.
TO_THE_OPTIMUM = Optimiser(tolerance=1e-12, path_tolerance=1e-12, dtype="float64")


def linear_probe(vectors, labels, split, grid=None, optimiser=None):
    """Return the predictions at one rank."""
    settings = LearnSettings(grid)
    (predictions,) = linear(vectors, labels[None], split[None], settings, optimiser or Optimiser())
    return predictions


def one_split(labels, random):
    return split_by_image(labels[None], random)[0]


def made_up_images(seed=0, n_taxa=5, per_taxon=20, d=10, signal=1.0):
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(n_taxa), per_taxon)
    vectors = signal * random.standard_normal((n_taxa, d))[labels] + random.standard_normal((len(labels), d)) + 3
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return vectors, labels, one_split(labels, random)


def accuracy(labels, found):
    test = found.split == "test"
    return np.mean(found.predicted[test] == labels[test])


def by_hand(vectors, labels, split, grid=GRID):
    """Run the same protocol with another solver, of scikit-learn, from zero at each C, in all dimensions."""
    rows = vectors.astype(np.float64) - vectors[split == "train"].astype(np.float64).mean(axis=0)
    rows /= np.sqrt(np.mean(np.sum(rows[split == "train"] ** 2, axis=1)))

    def model(c, *parts):
        on = np.isin(split, parts)
        c = 2 * c if len(np.unique(labels[on])) == 2 else c  # binomial: one row of weights for both taxa
        return LogisticRegression(C=c, solver="newton-cg", tol=1e-9, max_iter=5000).fit(rows[on], labels[on])

    val = split == "val"
    scores = [np.mean(model(c, "train").predict(rows[val]) == labels[val]) for c in grid]
    best = grid[int(np.argmax(scores))]
    return best, scores, model(best, "train", "val").predict(rows)


@pytest.mark.parametrize("d", [10, 200], ids=["narrow", "wider than images"])
def test_equals_the_same_protocol_with_another_solver(d):
    vectors, labels, split = made_up_images(d=d)
    found = linear_probe(vectors, labels, split, optimiser=TO_THE_OPTIMUM)
    best, scores, predicted = by_hand(vectors, labels, split)
    assert found.note == ""
    assert found.settings["C"] == best
    assert found.settings["val_accuracy"] == pytest.approx(scores)
    assert np.mean(found.predicted == predicted) == 1


@pytest.mark.slow
def test_the_default_tolerance_costs_no_accuracy():
    vectors, labels, split = made_up_images(n_taxa=12, per_taxon=40)
    quick = linear_probe(vectors, labels, split)
    patient = linear_probe(vectors, labels, split, optimiser=TO_THE_OPTIMUM)
    assert abs(accuracy(labels, quick) - accuracy(labels, patient)) < 0.02
    assert np.mean(quick.predicted == patient.predicted) > 0.95


@pytest.mark.parametrize("d", [10, 70], ids=["narrow", "wider than images"])
def test_principal_axes_turn_the_images_and_lead_back(d):
    vectors, *_ = made_up_images(d=d)
    train, learnt = np.arange(40, 0, -1), np.concatenate([np.arange(40, 0, -1), np.arange(60, 72)])
    space = principal_axes(vectors, train, learnt, "float64")
    centred = vectors - vectors[train].mean(axis=0, dtype=np.float64)
    scaled = centred[learnt] / np.sqrt(np.mean(np.sum(centred[train] ** 2, axis=1)))
    np.testing.assert_allclose(space.features @ space.features.T, scaled @ scaled.T, atol=1e-9)
    products = space.features.T @ space.features
    np.testing.assert_allclose(products, np.diag(np.diagonal(products)), atol=1e-9)
    assert np.all(np.diff(np.diagonal(products)) <= 0)
    weights = np.random.default_rng(0).standard_normal((3, space.features.shape[1]))
    in_dimensions = space.in_dimensions(weights)
    assert in_dimensions.shape == (d, 3)
    scores = (vectors[learnt] - space.mean) @ in_dimensions
    np.testing.assert_allclose(scores, space.features @ weights.T, atol=1e-6)


@pytest.mark.slow
def test_dimensions_beyond_those_of_the_images_are_dropped_without_change():
    vectors, labels, split = made_up_images(d=8, per_taxon=10)
    random = np.random.default_rng(4)
    basis = ortho_group.rvs(300, random_state=1)[:8]
    wide = vectors.astype(np.float64) @ basis
    rows = np.arange(50)
    features, same = (principal_axes(x, rows[:30], rows).features for x in (wide, vectors))
    assert features.shape == same.shape == (50, 8)
    np.testing.assert_allclose(features @ features.T, same @ same.T, atol=1e-5)
    order = random.permutation(300)
    narrow, padded = linear_probe(vectors, labels, split), linear_probe(wide[:, order], labels, split)
    np.testing.assert_array_equal(narrow.predicted, padded.predicted)


@pytest.mark.slow
def test_ranks_together_equal_each_rank_alone():
    vectors, labels, split = made_up_images(n_taxa=6, signal=2.0)
    ranks = np.stack([labels // 2, labels, np.where(labels == 0, -1, labels)])
    splits = np.stack([split, split, split])
    for found, own in zip(linear(vectors, ranks, splits), ranks, strict=True):
        alone = linear_probe(vectors, own, split)
        np.testing.assert_array_equal(found.predicted, alone.predicted)
        np.testing.assert_array_equal(found.confidence, alone.confidence)
        assert found.settings == alone.settings


def test_confidence_is_the_probability_of_the_prediction_and_place_that_of_the_truth():
    vectors, labels, split = made_up_images(signal=2.0)
    found = linear_probe(vectors, labels, split, grid=(1.0,))
    learnt = np.isin(split, ["train", "val"])
    rows = vectors - vectors[split == "train"].mean(axis=0)
    rows = rows / np.sqrt(np.mean(np.sum(rows[split == "train"] ** 2, axis=1)))
    model = LogisticRegression(C=1.0, tol=1e-8, max_iter=5000).fit(rows[learnt], labels[learnt])
    shares = model.predict_proba(rows)
    np.testing.assert_allclose(found.confidence, shares.max(axis=1), atol=2e-3)
    own = shares[np.arange(len(labels)), labels]
    np.testing.assert_array_equal(found.place, 1 + np.sum(shares > own[:, None], axis=1))
    np.testing.assert_array_equal(found.place == 1, found.predicted == labels)


@pytest.mark.slow
def test_signal_is_learnt_and_shuffled_labels_give_chance():
    vectors, labels, split = made_up_images(signal=4.0)
    assert accuracy(labels, linear_probe(vectors, labels, split)) > 0.9
    random = np.random.default_rng(1)
    null = []
    for _ in range(20):
        shuffled = random.permutation(labels)
        split = one_split(shuffled, random)
        found = linear_probe(vectors, shuffled, split, grid=(1.0,))
        test = split == "test"
        chance = definition.most_frequent_accuracy(shuffled[test], shuffled[test])
        null.append((accuracy(shuffled, found) - chance) / (1 - chance))
    assert abs(np.mean(null)) < 0.1


def test_rotation_scale_shift_and_order_change_nothing():
    vectors, labels, split = made_up_images()
    one = linear_probe(vectors, labels, split)
    moved = 7 * (vectors.astype(np.float64) @ ortho_group.rvs(10, random_state=2)) + 3
    np.testing.assert_array_equal(linear_probe(moved, labels, split).predicted, one.predicted)
    order = np.random.default_rng(3).permutation(len(labels))
    shuffled = linear_probe(vectors[order], labels[order], split[order])
    np.testing.assert_array_equal(shuffled.predicted, one.predicted[order])
    assert shuffled.settings["C"] == one.settings["C"]


def test_names_of_taxa_are_irrelevant():
    vectors, labels, split = made_up_images()
    one, renamed = linear_probe(vectors, labels, split), linear_probe(vectors, 50 - labels * 3, split)
    np.testing.assert_array_equal(50 - one.predicted * 3, renamed.predicted)


def test_test_images_are_never_learnt_from():
    vectors, labels, split = made_up_images()
    test = split == "test"
    one = linear_probe(vectors, labels, split)
    other_labels = np.where(test, (labels + 1) % 5, labels)
    np.testing.assert_array_equal(linear_probe(vectors, other_labels, split).predicted, one.predicted)
    other_vectors = np.where(test[:, None], -vectors, vectors)
    kept = linear_probe(other_vectors, labels, split)
    np.testing.assert_array_equal(kept.predicted[~test], one.predicted[~test])


def test_inputs_stay_and_outputs_are_read_only():
    arrays = made_up_images()
    copies = [array.copy() for array in arrays]
    for array in arrays:
        array.setflags(write=False)
    found = linear_probe(*arrays)
    for array, copy in zip(arrays, copies, strict=True):
        np.testing.assert_array_equal(array, copy)
    with pytest.raises(ValueError, match="read-only"):
        found.predicted[0] = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.note = ""
    json.dumps(found.settings)


def test_images_without_a_name_take_no_part():
    vectors, labels, split = made_up_images()
    nameless = np.arange(len(labels)) % 7 == 0
    found = linear_probe(vectors, np.where(nameless, -1, labels), split)
    assert np.all(found.split[nameless] == "") and np.all(found.predicted[nameless] == -1)
    alone = linear_probe(vectors[~nameless], labels[~nameless], split[~nameless])
    np.testing.assert_array_equal(found.predicted[~nameless], alone.predicted)


def test_a_taxon_that_only_val_has_can_be_named():
    vectors, labels, split = made_up_images(signal=2.0)
    split = np.where((labels == 4) & (split == "train"), "val", split)
    found = linear_probe(vectors, labels, split)
    assert 4 in found.predicted[found.split == "test"]


def test_two_taxa_and_one_image_each_in_train():
    vectors, labels, split = made_up_images(n_taxa=2, signal=3.0)
    assert accuracy(labels, linear_probe(vectors, labels, split)) > 0.8
    vectors, labels, split = made_up_images(n_taxa=12, per_taxon=3, signal=3.0)
    assert accuracy(labels, linear_probe(vectors, labels, split)) > 0.5


def test_constant_vectors_name_the_most_frequent_taxon():
    vectors, labels, _ = made_up_images()
    labels = np.where(labels < 3, 1, labels)
    split = one_split(labels, np.random.default_rng(0))
    found = linear_probe(np.tile(vectors[:1], (len(vectors), 1)), labels, split)
    assert set(found.predicted.tolist()) == {1}


@pytest.mark.parametrize(
    ("labels", "split", "note"),
    [
        ([-1, -1, -1], ["train", "val", "test"], "no image in train and val and test"),
        ([0, 0, 0], ["train", "val", "test"], "only one taxon"),
        ([0, 1, 0], ["train", "train", "val"], "no image in test"),
        ([0], [""], "no image in train"),
    ],
)
def test_undefined_predictions_state_the_reason(labels, split, note):
    found = linear_probe(np.eye(3, dtype=np.float32)[: len(labels)], np.array(labels), np.array(split))
    assert note in found.note
    assert np.all(found.predicted == -1)


def test_a_c_without_convergence_is_named():
    found = linear_probe(*made_up_images(), optimiser=Optimiser(shortest_step=1.0, sufficient_decrease=10.0))
    assert found.note.startswith("the optimiser did not converge at C = ")


def test_errors_name_what_is_wrong():
    vectors, labels, split = made_up_images()
    with pytest.raises(ValueError, match="got holdout"):
        linear_probe(vectors, labels, np.where(split == "test", "holdout", split))
    with pytest.raises(ValueError, match="positive C"):
        linear_probe(vectors, labels, split, grid=(0.0, 1.0))
    vectors[2, 0] = np.nan
    with pytest.raises(DataError, match="not finite: row 2"):
        linear_probe(vectors, labels, split)
