"""The result of a probe: its arrays, and the place of the true taxon."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioclip_probe.probes.predictions import Predictions, rank_taxa


@settings(max_examples=100)
@given(st.integers(0, 2**32 - 1), st.integers(0, 8), st.integers(1, 6))
def test_the_place_is_the_position_in_the_sorted_list(seed, n, k):
    random = np.random.default_rng(seed)
    scores = random.integers(0, 4, (n, k)).astype(np.float64)  # many ties
    taxa = np.sort(random.choice(20, k, replace=False))
    truth = random.integers(-1, 20, n)
    predicted, place = rank_taxa(scores, taxa, truth)
    for row in range(n):
        order = sorted(range(k), key=lambda at: (-scores[row, at], taxa[at]))
        names = [taxa[at] for at in order]
        assert predicted[row] == names[0]
        assert place[row] == (names.index(truth[row]) + 1 if truth[row] in names else 0)
    np.testing.assert_array_equal(place == 1, predicted == truth)


def test_arrays_are_read_only_and_have_one_length():
    given = np.zeros(3, dtype=np.int64)
    predictions = Predictions(given, np.array(["test"] * 3), {})
    given[0] = 5
    np.testing.assert_array_equal(predictions.predicted, 0)
    np.testing.assert_array_equal(predictions.place, 0)
    assert np.isnan(predictions.confidence).all()
    with pytest.raises(ValueError, match="read-only"):
        predictions.place[0] = 1
    with pytest.raises(ValueError, match="expected place of shape"):
        Predictions(given, np.array(["test"] * 3), {}, place=np.zeros(2, dtype=np.int64))


def test_undefined_predictions_state_the_reason():
    predictions = Predictions.undefined(np.array(["test", ""]), "too few")
    assert predictions.predicted.tolist() == [-1, -1]
    assert predictions.note == "too few"
