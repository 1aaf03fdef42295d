"""Ridge regression and LDA: scikit-learn and the plain definitions as witnesses, and their invariances."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from scipy.stats import ortho_group
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import Ridge, RidgeClassifier

from bioclip_probe.errors import DataError
from bioclip_probe.probes import split_moments
from bioclip_probe.probes.closed_form import ALPHAS, SHRINKAGES, LdaProbe, RidgeProbe, lda, ridge
from bioclip_probe.probes.learning import Chunks, LearnSettings
from bioclip_probe.probes.predictions import rank_taxa
from bioclip_probe.probes.splits import shuffle_children, split_by_image
from tests.definitions import closed_form as definition

PROBES = pytest.mark.parametrize("probe", [ridge, lda])


def made_up_images(seed=0, n_taxa=6, per_taxon=15, d=8, signal=1.0):
    """Return vectors, labels at two ranks (two lower taxa make one upper taxon), and their split."""
    random = np.random.default_rng(seed)
    species = np.repeat(np.arange(n_taxa), per_taxon)
    labels = np.stack([100 + species // 2, species])
    vectors = signal * random.standard_normal((n_taxa, d))[species] + random.standard_normal((len(species), d)) + 3
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return vectors, labels, split_by_image(labels, random)


def features(vectors, split):
    """Return the features for scikit-learn: the mean of train is 0, and its mean squared norm 1."""
    rows = vectors.astype(np.float64) - vectors[split == "train"].astype(np.float64).mean(axis=0)
    return rows / np.sqrt(np.mean(np.sum(rows[split == "train"] ** 2, axis=1)))


def by_hand(scores_of, vectors, labels, split, grid):
    """Run the protocol with the scores of another program: ``scores_of(learnt rows, taxa, all rows, strength)``."""
    rows, train, val, both = (
        features(vectors, split),
        split == "train",
        split == "val",
        np.isin(split, ("train", "val")),
    )
    taxa, accuracy = np.unique(labels[train]), {}
    for strength in sorted(grid, reverse=True):
        scores = scores_of(rows[train], labels[train], rows[val], strength)
        accuracy[strength] = np.mean(taxa[scores.argmax(axis=1)] == labels[val])
    chosen = max(accuracy, key=accuracy.get)
    scores = scores_of(rows[both], labels[both], rows, chosen)
    return chosen, [accuracy[strength] for strength in grid], scores, np.unique(labels[both])


def sklearn_ridge(learnt, taxa, asked, alpha):
    targets = (taxa[:, None] == np.unique(taxa)).astype(float)
    return Ridge(alpha=alpha, solver="cholesky").fit(learnt, targets).predict(asked)


def sklearn_lda(learnt, taxa, asked, shrinkage):
    return LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage).fit(learnt, taxa).predict_proba(asked)


@pytest.mark.parametrize(
    ("probe", "key", "grid", "scores_of"),
    [
        (ridge, "alpha", ALPHAS, sklearn_ridge),
        (ridge, "alpha", ALPHAS, definition.ridge_scores),
        (lda, "shrinkage", SHRINKAGES, sklearn_lda),
        (lda, "shrinkage", SHRINKAGES, definition.lda_posterior),
    ],
    ids=["ridge: scikit-learn", "ridge: definition", "lda: scikit-learn", "lda: definition"],
)
@pytest.mark.parametrize("shape", [(6, 15, 8), (12, 4, 60), (4, 30, 3)], ids=["plain", "wide", "flat"])
def test_equals_another_solver_and_the_definition_at_every_rank(probe, key, grid, scores_of, shape):
    vectors, labels, split = made_up_images(0, *shape)
    for found, own, part in zip(probe(vectors, labels, split), labels, split, strict=True):
        chosen, accuracy, scores, taxa = by_hand(scores_of, vectors, own, part, grid)
        assert found.note == ""
        assert found.settings[key] == chosen
        assert found.settings["val_accuracy"] == pytest.approx(accuracy)
        predicted, place = rank_taxa(scores, taxa, own)
        np.testing.assert_array_equal(found.predicted, predicted)
        np.testing.assert_array_equal(found.place, place)
        if probe is lda:
            np.testing.assert_allclose(found.confidence, scores.max(axis=1), rtol=1e-7)
        else:
            assert np.isnan(found.confidence).all()


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(2, 6), st.integers(1, 8), st.sampled_from([1e-3, 0.2, 1.0]))
def test_scores_equal_their_definitions(seed, n_taxa, d, strength):
    random = np.random.default_rng(seed)
    taxa = np.concatenate([np.arange(n_taxa), np.arange(n_taxa), random.integers(0, n_taxa, 5)])
    rows = random.standard_normal((len(taxa), d))
    every, split = np.arange(len(taxa)), np.full(len(taxa), "train")
    (((moments, names), _),) = split_moments.moments_of_splits(rows, taxa[None], split, True)
    unit = split_moments.spread(moments)
    probe = RidgeProbe(rows)
    ((_, scores),) = probe._scores(probe.fit(moments, names, unit), every, strength, LearnSettings())
    np.testing.assert_allclose(scores, definition.ridge_scores(rows / unit, taxa, rows / unit, strength), atol=1e-8)
    probe = LdaProbe(rows)
    ((_, scores),) = probe._scores(probe.fit(moments, names, unit), every, strength, LearnSettings())
    posterior = softmax(scores, axis=1)
    np.testing.assert_allclose(posterior, definition.lda_posterior(rows, taxa, rows, strength), atol=1e-8)


def test_two_taxa_are_those_of_the_ridge_classifier():
    vectors, labels, split = made_up_images(n_taxa=2, per_taxon=40, signal=0.3)
    (found,) = ridge(vectors, labels[1:], split[1:], LearnSettings((0.1,)))
    rows, both = features(vectors, split[1]), np.isin(split[1], ("train", "val"))
    model = RidgeClassifier(alpha=0.1).fit(rows[both], labels[1, both])
    np.testing.assert_array_equal(found.predicted, model.predict(rows))
    assert 0.5 < np.mean(found.predicted == labels[1]) < 1


@PROBES
def test_ranks_together_equal_each_rank_alone(probe):
    vectors, labels, split = made_up_images()
    labels[1, ::7] = -1  # so that the ranks learn from different images
    third = np.where(np.arange(len(vectors)) % 5 == 0, "", split[0])
    labels, split = np.stack([*labels, labels[0]]), np.stack([*split, third])
    for rank, found in enumerate(probe(vectors, labels, split)):
        (alone,) = probe(vectors, labels[[rank]], split[[rank]])
        np.testing.assert_array_equal(found.predicted, alone.predicted)
        np.testing.assert_array_equal(found.place, alone.place)
        np.testing.assert_allclose(found.confidence, alone.confidence, rtol=1e-9)
        assert found.settings == alone.settings


@PROBES
def test_size_of_chunks_changes_nothing(probe):
    vectors, labels, split = made_up_images()
    in_one = probe(vectors, labels, split)
    in_chunks = probe(vectors, labels, split, LearnSettings(chunks=Chunks(rows=7)))
    for found, one in zip(in_chunks, in_one, strict=True):
        np.testing.assert_array_equal(found.predicted, one.predicted)
        assert found.settings == one.settings


@PROBES
def test_rotation_scale_shift_order_and_names_change_nothing(probe):
    vectors, labels, split = made_up_images()
    one = probe(vectors, labels, split)[1]
    moved = 7 * (vectors.astype(np.float64) @ ortho_group.rvs(8, random_state=2)) + 3
    order = np.random.default_rng(3).permutation(len(vectors))
    shuffled = probe(moved[order], 50 - 3 * labels[:, order] + 300, split[:, order])[1]
    np.testing.assert_array_equal(350 - 3 * one.predicted[order], shuffled.predicted)
    np.testing.assert_array_equal(one.place[order], shuffled.place)
    np.testing.assert_allclose(one.confidence[order], shuffled.confidence, rtol=1e-5)


@PROBES
def test_signal_is_learnt_and_labels_shuffled_between_images_give_chance(probe):
    vectors, labels, split = made_up_images(n_taxa=10, per_taxon=40, signal=3.0)
    test = split[1] == "test"
    assert np.mean(probe(vectors, labels, split)[1].predicted[test] == labels[1, test]) > 0.9
    random, null = np.random.default_rng(1), []
    for _ in range(10):
        shuffled = shuffle_children(labels[1], np.arange(len(vectors)), random)[None]
        split = split_by_image(shuffled, random)
        test = split[0] == "test"
        null.append(np.mean(probe(vectors, shuffled, split)[0].predicted[test] == shuffled[0, test]))
    assert abs(np.mean(null) - 0.1) < 0.05


@PROBES
def test_test_images_are_never_learnt_from_and_inputs_stay(probe):
    arrays = vectors, labels, split = made_up_images()
    test = split[0] == "test"
    np.testing.assert_array_equal(test, split[1] == "test")
    for array in arrays:
        array.setflags(write=False)
    one = probe(vectors, labels, split)[1]
    other = probe(np.where(test[:, None], -vectors, vectors), np.where(test, labels[:, ::-1], labels), split)[1]
    np.testing.assert_array_equal(other.predicted[~test], one.predicted[~test])
    assert other.settings == one.settings
    json.dumps(one.settings)


@PROBES
def test_a_taxon_that_only_val_has_can_be_named(probe):
    vectors, labels, split = made_up_images(signal=3.0)
    split = np.where((labels[1] == 4) & (split == "train"), "val", split)
    found = probe(vectors, labels, split)[1]
    assert 4 in found.predicted[found.split == "test"]


@PROBES
def test_images_without_a_name_take_no_part(probe):
    vectors, labels, split = made_up_images()
    nameless = np.arange(len(vectors)) % 7 == 0
    found = probe(vectors, np.where(nameless, -1, labels), split)[1]
    assert np.all(found.split[nameless] == "") and np.all(found.predicted[nameless] == -1)
    assert np.all(found.place[nameless] == 0) and np.isnan(found.confidence[nameless]).all()
    alone = probe(vectors[~nameless], labels[:, ~nameless], split[:, ~nameless])[1]
    np.testing.assert_array_equal(found.predicted[~nameless], alone.predicted)


def test_constant_vectors_name_the_most_frequent_taxon_or_nothing():
    vectors, labels, _ = made_up_images()
    labels = np.where(labels < 3, 1, labels)[1:]
    split = split_by_image(labels, np.random.default_rng(0))
    same = np.tile(vectors[:1], (len(vectors), 1))
    assert set(ridge(same, labels, split)[0].predicted.tolist()) == {1}
    (found,) = lda(same, labels, split)
    assert "no scatter within taxa" in found.note and np.all(found.predicted == -1)


def test_one_train_image_a_taxon_is_enough_for_ridge_and_too_few_for_lda():
    vectors, labels, split = made_up_images(n_taxa=12, per_taxon=3, signal=3.0)
    (found,) = ridge(vectors, labels[1:], split[1:])
    test = found.split == "test"
    assert np.mean(found.predicted[test] == labels[1, test]) > 0.5
    assert "no scatter within taxa" in lda(vectors, labels[1:], split[1:])[0].note


@PROBES
@pytest.mark.parametrize(
    ("labels", "split", "note"),
    [
        ([-1, -1, -1], ["train", "val", "test"], "no image in train and val and test"),
        ([0, 0, 0], ["train", "val", "test"], "only one taxon"),
        ([0, 1, 0], ["train", "train", "val"], "no image in test"),
    ],
)
def test_a_rank_that_cannot_be_learnt_states_the_reason_and_the_others_are_learnt(probe, labels, split, note):
    vectors, good, parts = made_up_images()
    rest = len(vectors) - 3
    labels = np.stack([np.array(labels + [-1] * rest), good[1]])
    found = probe(vectors, labels, np.stack([np.array(split + [""] * rest), parts[1]]))
    assert note in found[0].note and np.all(found[0].predicted == -1)
    assert found[1].note == "" and np.all(found[1].predicted[parts[1] == "test"] >= 0)


def test_errors_name_what_is_wrong():
    vectors, labels, split = made_up_images()
    with pytest.raises(ValueError, match="got holdout"):
        ridge(vectors, labels, np.where(split == "test", "holdout", split))
    with pytest.raises(ValueError, match="positive alpha"):
        ridge(vectors, labels, split, LearnSettings((0.0, 1.0)))
    with pytest.raises(ValueError, match="above 0 and up to 1"):
        lda(vectors, labels, split, LearnSettings((0.5, 1.5)))
    vectors[2, 0] = np.nan
    with pytest.raises(DataError, match="row 2"):
        lda(vectors, labels, split)
