import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from bioclip_probe.errors import DataError
from bioclip_probe.stats.sweep.neighbors import nearest_neighbors
from tests.definitions import nearest as definition


def units(rng, n, d):
    vectors = rng.standard_normal((n, d))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@st.composite
def cases(draw):
    """Rows with duplicates among them, some rows in no group, a mask."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, d = draw(st.integers(1, 24)), draw(st.integers(1, 5))
    vectors = units(rng, n, d)[rng.integers(0, n, n)]
    groups = rng.integers(-1, draw(st.integers(1, 6)), n)
    among = rng.random(n) < draw(st.sampled_from([0.0, 0.5, 1.0]))
    return vectors, draw(st.integers(1, 8)), groups, among, draw(st.integers(1, 30))


@pytest.mark.slow
@settings(deadline=None, max_examples=100)
@given(cases())
def test_neighbours_agree_with_their_definition_for_any_block_size(case):
    vectors, k, groups, among, block = case
    indices, similarities = nearest_neighbors(vectors, k, groups, among, block)
    assert indices.shape == similarities.shape == (len(vectors), k)
    for row in range(len(vectors)):
        expected = definition.nearest(vectors, row, k, groups, among) if among[row] else []
        found = indices[row][indices[row] >= 0]
        assert np.all(indices[row, len(found) :] == -1)
        assert len(found) == len(expected)
        # The float64 sum of the definition may differ in the last bit and swap nearly equal rows: compare similarities.
        wide = vectors / np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
        np.testing.assert_allclose(wide[found] @ wide[row], wide[expected] @ wide[row], atol=1e-12)
        np.testing.assert_allclose(similarities[row, : len(found)], wide[found] @ wide[row], atol=1e-12)
        assert np.isnan(similarities[row, len(found) :]).all()


@settings(deadline=None, max_examples=50)
@given(cases())
def test_the_block_size_does_not_change_the_result_nor_the_inputs(case):
    vectors, k, groups, among, block = case
    before = vectors.copy(), groups.copy(), among.copy()
    in_one_block = nearest_neighbors(vectors, k, groups, among, block=1000)
    blocked = nearest_neighbors(vectors, k, groups, among, block=block)
    np.testing.assert_array_equal(in_one_block[0], blocked[0])
    np.testing.assert_array_equal(in_one_block[1], blocked[1])
    for array, copy in zip((vectors, groups, among), before, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_neighbours_agree_with_scikit_learn():
    vectors = units(np.random.default_rng(0), 300, 32)
    indices, similarities = nearest_neighbors(vectors, 10, block=77)
    peer = NearestNeighbors(n_neighbors=10, metric="cosine", algorithm="brute").fit(vectors.astype(np.float64))
    distances, expected = peer.kneighbors()
    np.testing.assert_array_equal(indices, expected)
    np.testing.assert_allclose(1 - similarities, distances, atol=1e-6)


@pytest.mark.parametrize("spread", [1.0, 1e-3, 1e-5])
def test_vectors_that_nearly_coincide_have_the_neighbours_of_float64(spread):
    rng = np.random.default_rng(3)
    common = units(rng, 1, 24)
    vectors = common + spread * rng.standard_normal((120, 24)) / np.sqrt(24)
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    indices, _ = nearest_neighbors(vectors, 10, block=50)
    expected = [definition.nearest(vectors, row, 10) for row in range(120)]
    np.testing.assert_array_equal(indices, expected)


def test_vectors_stored_in_half_precision_have_the_neighbours_of_their_directions():
    """Their norms differ from 1 by up to 5e-4, more than many distances differ from each other."""
    vectors = units(np.random.default_rng(3), 200, 2).astype(np.float16).astype(np.float32)
    assert np.abs(np.linalg.norm(vectors, axis=1) - 1).max() > 2e-4
    indices, _ = nearest_neighbors(vectors, 5, block=50)
    np.testing.assert_array_equal(indices, [definition.nearest(vectors, row, 5) for row in range(200)])


def test_ties_go_to_the_lower_row():
    vectors = np.tile(units(np.random.default_rng(1), 1, 16), (9, 1))
    indices, _ = nearest_neighbors(vectors, 3, block=4)
    np.testing.assert_array_equal(indices[:5], [[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2], [0, 1, 2]])


def test_order_of_rows_is_irrelevant_without_ties():
    rng = np.random.default_rng(2)
    vectors = units(rng, 60, 8)
    order = rng.permutation(60)
    indices, _ = nearest_neighbors(vectors, 5)
    shuffled, _ = nearest_neighbors(vectors[order], 5)
    np.testing.assert_array_equal(order[shuffled], indices[order])


def test_one_row_and_no_row_have_no_neighbours():
    assert nearest_neighbors(np.ones((1, 1), dtype=np.float32), 2)[0].tolist() == [[-1, -1]]
    assert nearest_neighbors(np.ones((0, 3), dtype=np.float32), 2)[0].shape == (0, 2)


def test_groups_exclude_their_own_members_only():
    vectors = np.ones((4, 1), dtype=np.float32)
    indices, _ = nearest_neighbors(vectors, 3, groups=np.array([7, 7, -1, -1]))
    assert indices.tolist() == [[2, 3, -1], [2, 3, -1], [0, 1, 3], [0, 1, 2]]


def test_wrong_inputs_are_named():
    vectors = np.ones((3, 2), dtype=np.float32)
    with pytest.raises(ValueError, match="k of at least 1"):
        nearest_neighbors(vectors, 0)
    vectors[1, 0] = np.nan
    with pytest.raises(DataError, match="1 are not, in rows 1"):
        nearest_neighbors(vectors, 1)
