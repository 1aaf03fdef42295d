"""Folds of SimpleShot: as the authors drew them, and independent ones."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioclip_probe.errors import DataError
from bioclip_probe.probes.folds import independent_folds, paper_folds
from tests.definitions import few_shot as definition


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1))
def test_paper_folds_are_those_of_lists_shuffled_in_place(seed):
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.concatenate([np.repeat(np.arange(4), rng.integers(3, 9, 4)), [-1, -1]]))
    state = random.getstate()
    drawn = paper_folds(labels, (1, 3), 5)
    assert random.getstate() == state
    for (k, fold), support in definition.paper_folds(labels.tolist(), (1, 3), 5).items():
        np.testing.assert_array_equal(np.flatnonzero(drawn[k][fold] == "train"), np.sort(support))
        np.testing.assert_array_equal(drawn[k][fold] == "", labels < 0)


def test_paper_folds_depend_on_those_drawn_before():
    labels = np.repeat([0, 1], 30)
    both, alone = paper_folds(labels, (1, 5)), paper_folds(labels, (5,))
    assert np.any(both[5] != alone[5])
    np.testing.assert_array_equal(both[1], paper_folds(labels, (1,))[1])


def test_paper_folds_equal_those_drawn_by_hand():
    """The taxa have ten and five images; `random.seed` and `random.shuffle` were called by hand."""
    labels = np.array([5] * 10 + [2] * 5)
    support = [np.flatnonzero(fold == "train").tolist() for fold in paper_folds(labels, (1,))[1]]
    assert support == [[7, 13], [2, 14], [5, 11], [1, 13], [9, 14]]


def test_paper_folds_stop_like_the_published_run_and_name_the_taxa():
    labels = np.repeat([3, 8, 9], [5, 4, 2])
    with pytest.raises(DataError, match=r"needs 5 images of every taxon; taxa with fewer: 8, 9; ask for corrected"):
        paper_folds(labels, (1, 5))
    drawn = paper_folds(np.repeat([3, 8], 5), (5,))[5]
    assert np.all(drawn == "train")


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1), st.integers(1, 3))
def test_independent_folds_have_the_support_and_queries_that_were_declared(seed, shots):
    rng = np.random.default_rng(seed)
    labels, groups = rng.integers(-1, 5, 30), rng.integers(-1, 12, 30)
    folds = independent_folds(labels, shots, rng, groups=groups)
    assert folds.shape == (5, 30)
    enough = [t for t in range(5) if np.sum(labels == t) > shots]
    for split in folds:
        train, test = split == "train", split == "test"
        for taxon in range(5):
            assert np.sum(labels[train] == taxon) == (shots if taxon in enough else 0)
        assert np.all(split[labels < 0] == "")
        met = set(groups[train].tolist()) - {-1}
        for image in np.flatnonzero(np.isin(labels, enough) & ~train):
            assert test[image] == (groups[image] not in met)


def test_independent_folds_are_independent_and_even():
    labels = np.repeat([0, 1], 5)
    folds = independent_folds(labels, 1, np.random.default_rng(0), n_folds=3000)
    np.testing.assert_allclose(np.mean(folds == "train", axis=0), 0.2, atol=0.03)
    first = np.argmax(folds[:, :5] == "train", axis=1)
    assert abs(np.mean(first[1:] == first[:-1]) - 0.2) < 0.03


def test_errors_name_what_is_wrong():
    labels = np.repeat(np.arange(8), 9)
    with pytest.raises(ValueError, match="at least 1 image a taxon"):
        independent_folds(labels, 0, np.random.default_rng(0))
    with pytest.raises(ValueError, match="at least 1 image a taxon"):
        paper_folds(labels, ())
