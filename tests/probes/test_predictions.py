import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioclip_probe.probes.predictions import Predictions, ranked


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 2**32 - 1), st.integers(0, 8), st.integers(1, 6))
def test_place_is_that_in_the_sorted_list(seed, n, k):
    random = np.random.default_rng(seed)
    scores = random.integers(0, 4, (n, k)).astype(np.float64)  # many ties
    taxa = np.sort(random.choice(20, k, replace=False))
    truth = random.integers(-1, 20, n)
    predicted, place = ranked(scores, taxa, truth)
    for row in range(n):
        order = sorted(range(k), key=lambda at: (-scores[row, at], taxa[at]))
        names = [taxa[at] for at in order]
        assert predicted[row] == names[0]
        assert place[row] == (names.index(truth[row]) + 1 if truth[row] in names else 0)
    np.testing.assert_array_equal(place == 1, predicted == truth)


def test_arrays_are_read_only_and_of_one_length():
    given = np.zeros(3, dtype=np.int64)
    found = Predictions(given, np.array(["test"] * 3), {})
    given[0] = 5
    np.testing.assert_array_equal(found.predicted, 0)
    np.testing.assert_array_equal(found.place, 0)
    assert np.isnan(found.confidence).all()
    with pytest.raises(ValueError, match="read-only"):
        found.place[0] = 1
    with pytest.raises(ValueError, match="expected place of shape"):
        Predictions(given, np.array(["test"] * 3), {}, place=np.zeros(2, dtype=np.int64))


def test_undefined_says_why():
    found = Predictions.undefined(np.array(["test", ""]), "too few")
    assert found.predicted.tolist() == [-1, -1]
    assert found.note == "too few"
