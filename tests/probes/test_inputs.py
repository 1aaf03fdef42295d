"""Checks of the inputs of probes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioclip_probe.errors import DataError
from bioclip_probe.probes.inputs import SUBSETS, check_split, learning_obstacle, ranks_with_equal_splits


def test_images_without_a_label_are_left_out_of_the_split():
    labels, split = np.array([[4, -1, 4], [-1, 2, 2]]), np.array([["train", "val", "test"]] * 2)
    assert check_split(np.eye(3), labels, split).tolist() == [["train", "", "test"], ["", "val", "test"]]
    assert split[0, 1] == "val"


def test_malformed_inputs_are_named():
    labels, split = np.zeros((1, 3), dtype=np.int64), np.array([["train", "holdout", "test"]])
    with pytest.raises(ValueError, match="expected a split of train, val, test or empty, got holdout"):
        check_split(np.eye(3), labels, split)
    with pytest.raises(DataError, match="embeddings must be finite; not finite: row 1"):
        check_split(np.diag([1, np.nan, 1]), labels, np.full((1, 3), "test"))


@pytest.mark.parametrize(
    ("labels", "split", "obstacle"),
    [
        ([0, 1, 1, 1], ["train", "train", "val", "test"], ""),
        ([0, 1, 1], ["train", "train", "test"], "no image in val"),
        ([0], [""], "no image in train and val and test"),
        ([0, 0, 1], ["train", "val", "test"], "only one taxon to learn"),
    ],
)
def test_the_obstacle_is_an_empty_subset_or_a_single_taxon(labels, split, obstacle):
    assert learning_obstacle(np.array(labels), np.array(split)) == obstacle


@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_ranks_of_a_group_have_equal_splits_and_groups_differ(seed, n_ranks):
    split = np.random.default_rng(seed).choice(SUBSETS, (n_ranks, 2))
    groups = ranks_with_equal_splits(split)
    assert sorted(rank for group in groups for rank in group) == list(range(n_ranks))
    assert all((split[group] == split[group[0]]).all() for group in groups)
    assert len({split[group[0]].tobytes() for group in groups}) == len(groups)
