"""SimpleShot: its plain definition and scikit-learn as witnesses, its invariances, and its notes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ortho_group
from sklearn.neighbors import NearestCentroid

from bioclip_probe.errors import DataError
from bioclip_probe.probes.centroid import few_shot, simpleshot
from bioclip_probe.probes.folds import independent_folds
from bioclip_probe.probes.learning import Chunks
from tests.definitions import few_shot as definition


def made_up_images(seed=0, n_taxa=8, per_taxon=9, d=12, signal=1.0):
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.arange(n_taxa), per_taxon))
    vectors = signal * rng.standard_normal((n_taxa, d))[labels] + rng.standard_normal((len(labels), d)) + 2
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), labels


def accuracy(labels, found):
    test = found.split == "test"
    return np.mean(found.predicted[test] == labels[test])


@pytest.mark.slow
@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1), st.integers(2, 7), st.integers(1, 3), st.integers(2, 6))
def test_equals_its_definition(seed, n_taxa, shots, d):
    vectors, labels = made_up_images(seed, n_taxa, shots + 3, d)
    (folds,) = independent_folds(labels, shots, np.random.default_rng(seed), n_folds=1)
    (found,) = few_shot(vectors, labels, folds[None])
    queries = np.flatnonzero(folds == "test")
    named, distances = definition.simpleshot(vectors, labels, np.flatnonzero(folds == "train"), queries)
    np.testing.assert_array_equal(found.predicted[queries], named)
    own = distances[np.arange(len(queries)), labels[queries]]
    np.testing.assert_array_equal(found.place[queries], 1 + np.sum(distances < own[:, None], axis=1))
    assert np.isnan(found.confidence).all()


def test_equals_scikit_learn():
    vectors, labels = made_up_images()
    (folds,) = independent_folds(labels, 3, np.random.default_rng(0), n_folds=1)
    support = folds == "train"
    rows = vectors.astype(np.float64) - vectors[support].astype(np.float64).mean(axis=0)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    (found,) = few_shot(vectors, labels, folds[None])
    np.testing.assert_array_equal(found.predicted, NearestCentroid().fit(rows[support], labels[support]).predict(rows))


def test_size_of_chunks_changes_nothing():
    vectors, labels = made_up_images()
    folds = independent_folds(labels, 4, np.random.default_rng(0))
    in_one, in_chunks = few_shot(vectors, labels, folds), few_shot(vectors, labels, folds, Chunks(rows=5))
    for found, one in zip(in_chunks, in_one, strict=True):
        np.testing.assert_array_equal(found.predicted, one.predicted)
        np.testing.assert_array_equal(found.place, one.place)


def test_rotation_scale_shift_order_and_names_change_nothing_and_inputs_stay():
    vectors, labels = made_up_images()
    folds = independent_folds(labels, 2, np.random.default_rng(0))
    for array in (vectors, labels, folds):
        array.setflags(write=False)
    moved = 7 * (vectors.astype(np.float64) @ ortho_group.rvs(12, random_state=2)) + 3
    order = np.random.default_rng(3).permutation(len(labels))
    shuffled = few_shot(moved[order], 50 - 3 * labels[order], folds[:, order])
    for one, other in zip(few_shot(vectors, labels, folds), shuffled, strict=True):
        np.testing.assert_array_equal(50 - 3 * one.predicted[order], other.predicted)
        np.testing.assert_array_equal(one.place[order], other.place)


def test_more_shots_are_better_and_shuffled_labels_give_chance():
    vectors, labels = made_up_images(n_taxa=20, per_taxon=20, d=30, signal=0.7)
    rng = np.random.default_rng(0)
    means = [
        np.mean([accuracy(labels, f) for f in few_shot(vectors, labels, independent_folds(labels, k, rng))])
        for k in (1, 5)
    ]
    assert 1.5 / 20 < means[0] < means[1] - 0.05
    shuffled = rng.permutation(labels)
    null = [accuracy(shuffled, f) for f in few_shot(vectors, shuffled, independent_folds(shuffled, 5, rng))]
    assert abs(np.mean(null) - 1 / 20) < 0.03


def test_val_is_support_and_ranks_are_independent():
    vectors, labels = made_up_images()
    split = independent_folds(labels, 4, np.random.default_rng(0), n_folds=1)
    some_val = np.where((split == "train") & (np.arange(len(labels)) % 2 == 0), "val", split)
    one, other = simpleshot(vectors, np.stack([labels, labels]), np.concatenate([split, some_val]))
    np.testing.assert_array_equal(one.predicted, other.predicted)
    assert other.split.tolist() == some_val[0].tolist()


def test_an_image_at_the_mean_is_named_and_ties_go_to_the_lower_number():
    vectors = np.array([[1, 0], [-1, 0], [0, 0]], dtype=np.float32)
    (found,) = simpleshot(vectors, np.array([[7, 3, 7]]), np.array([["train", "train", "test"]]))
    assert found.predicted[2] == 3 and found.place[2] == 2


@pytest.mark.parametrize(
    ("labels", "split", "note"),
    [
        ([-1, -1, -1], ["train", "train", "test"], "no image in train and test"),
        ([0, 0, 0], ["train", "train", "test"], "only one taxon"),
        ([0, 1, 0], ["train", "train", "train"], "no image in test"),
    ],
)
def test_undefined_predictions_state_the_reason(labels, split, note):
    (found,) = few_shot(np.eye(3, dtype=np.float32), np.array(labels), np.array([split]))
    assert note in found.note and np.all(found.predicted == -1)


def test_taxa_with_too_few_images_are_left_out_and_listed():
    vectors, _ = made_up_images()
    labels = np.concatenate([np.repeat(np.arange(9), [5, 5, 5, 1, 2, 1, 2, 1, 2]), np.full(48, -1)])
    folds = independent_folds(labels, 2, np.random.default_rng(0), n_folds=2)
    for found in few_shot(vectors, labels, folds):
        assert found.note == "6 taxa left out, with no image to learn from: 3, 4, 5, 6, 7 and 1 more"
        assert np.all(found.predicted[labels > 2] == -1)
    for found in few_shot(vectors, labels, independent_folds(labels, 5, np.random.default_rng(0))):
        assert found.note.startswith("no image in train and test; 9 taxa left out")


def test_errors_name_what_is_wrong():
    vectors, labels = made_up_images()
    with pytest.raises(ValueError, match="got holdout"):
        few_shot(vectors, labels, np.full((1, len(labels)), "holdout"))
    vectors[4, 1] = np.inf
    with pytest.raises(DataError, match="row 4"):
        few_shot(vectors, labels, independent_folds(labels, 1, np.random.default_rng(0)))
