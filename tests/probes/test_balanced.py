"""Classes that are balanced in training: the same as repeating the images of rare taxa until all have as many."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from bioclip_probe.probes.closed_form import lda, ridge
from bioclip_probe.probes.inputs import image_weights, val_accuracy
from bioclip_probe.probes.learning import LearnSettings
from bioclip_probe.probes.linear import linear
from bioclip_probe.probes.neighbors import knn
from bioclip_probe.probes.softmax import Optimiser

REPEATS = np.array([1, 2, 4])  # how often each image of a taxon is repeated
ONCE = LearnSettings(refit=False)


def unequal_taxa(seed=0, d=6, signal=1.0):
    """Return 16, 8 and 4 train images of three taxa, and nine val and 30 test images of all of them."""
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.repeat(np.arange(3), 16 // REPEATS), np.resize(np.arange(3), 39)])
    split = np.repeat(["train", "val", "test"], [28, 9, 30])
    vectors = signal * rng.standard_normal((3, d))[labels] + rng.standard_normal((len(labels), d))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), labels, split


def repeated(vectors, labels, split):
    """Return the same images, those of train repeated until all taxa have as many."""
    rows = np.repeat(np.arange(len(labels)), np.where(split == "train", REPEATS[labels], 1))
    return vectors[rows], labels[rows], split[rows]


def ask(probe, images, settings):
    """Return the answers on the test images."""
    vectors, labels, split = images
    (found,) = probe(vectors, labels[None], split[None], settings)
    return found.predicted[split == "test"], found.confidence[split == "test"]


@pytest.mark.parametrize("probe", [lda, ridge])
def test_balanced_taxa_are_those_of_repeated_images(probe):
    images = unequal_taxa()
    alpha = 0.3
    weighted = ask(probe, images, LearnSettings((alpha,), refit=False, balanced=True))
    # The penalty of ridge regression is weighed against a sum over images, of which there are 48 in place of 28.
    alpha *= 48 / 28 if probe is ridge else 1
    plain = ask(probe, repeated(*images), LearnSettings((alpha,), refit=False))
    np.testing.assert_array_equal(weighted[0], plain[0])
    np.testing.assert_allclose(weighted[1], plain[1])


def test_the_balanced_linear_probe_is_that_of_scikit_learn():
    vectors, labels, split = unequal_taxa()
    train, test = split == "train", split == "test"
    rows = vectors - vectors[train].mean(axis=0, dtype=np.float64)
    rows = rows / np.sqrt(np.mean(np.sum(rows[train] ** 2, axis=1)))
    model = LogisticRegression(C=1.0, class_weight="balanced", tol=1e-10, max_iter=5000).fit(rows[train], labels[train])
    exact = Optimiser(tolerance=1e-12, path_tolerance=1e-12, dtype="float64")
    settings = LearnSettings((1.0,), refit=False, balanced=True)
    (found,) = linear(vectors, labels[None], split[None], settings, exact)
    np.testing.assert_array_equal(found.predicted[test], model.predict(rows[test]))
    np.testing.assert_allclose(found.confidence[test], model.predict_proba(rows[test]).max(axis=1), rtol=1e-4)


@pytest.mark.parametrize("probe", [linear, ridge, lda, knn])
def test_with_as_many_images_of_each_taxon_balancing_changes_nothing(probe):
    images = repeated(*unequal_taxa())
    plain, balanced = (ask(probe, images, LearnSettings(refit=False, balanced=flag)) for flag in (False, True))
    np.testing.assert_array_equal(plain[0], balanced[0])
    np.testing.assert_allclose(plain[1], balanced[1], rtol=1e-5)


@pytest.mark.parametrize("probe", [linear, ridge, lda, knn])
def test_a_rare_taxon_is_named_more_often_where_taxa_are_balanced(probe):
    plain, balanced = np.zeros((2, 3))
    for seed in range(6):
        images = unequal_taxa(seed, signal=0.5)
        for settings, named in ((ONCE, plain), (LearnSettings(refit=False, balanced=True), balanced)):
            named += np.bincount(ask(probe, images, settings)[0], minlength=3)
    assert balanced[2] > plain[2] and balanced[0] < plain[0]


def test_weights_have_the_mean_one_and_val_accuracy_is_that_of_taxa():
    labels = np.array([5, 5, 5, 2])
    assert image_weights(labels, balanced=True).mean() == pytest.approx(1)
    assert image_weights(labels, balanced=False).tolist() == [1, 1, 1, 1]
    assert len(image_weights(labels[:0], balanced=True)) == 0
    right = np.array([True, True, False, True])
    assert val_accuracy(right, labels, balanced=False) == 0.75
    assert val_accuracy(right, labels, balanced=True) == pytest.approx((2 / 3 + 1) / 2)
