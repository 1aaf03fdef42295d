import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioclip_probe.errors import DataError
from bioclip_probe.stats.embeddings import Embeddings, check_vectors, unit_rows
from tests.definitions import hierarchy as definitions
from tests.support.made_up_vectors import unit_vectors


def ids(n: int) -> np.ndarray:
    return np.array([f"image-{i}" for i in range(n)])


def some_vectors(n: int = 6, d: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, d))


@given(st.integers(1, 8).flatmap(unit_vectors), st.floats(1e-3, 1e3))
def test_rows_are_divided_by_their_length(directions, scale):
    vectors = directions * scale
    found = unit_rows(vectors)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [definitions.unit_vector(row) for row in vectors], atol=1e-7)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int16])
def test_any_number_type_is_accepted(dtype):
    # The squares of float16 would overflow from 256 on.
    vectors = np.array([[3, 4], [300, 400], [0, -7]], dtype=dtype)
    found = Embeddings.of(ids(3), vectors)
    np.testing.assert_allclose(found.vectors, [[0.6, 0.8], [0.6, 0.8], [0, -1]], atol=1e-7)


def test_huge_and_tiny_vectors_keep_their_direction():
    vectors = np.array([[1e30, 0], [0, 1e-6]], dtype=np.float32)
    assert unit_rows(vectors).tolist() == [[1, 0], [0, 1]]


def test_inputs_are_unchanged_and_outputs_are_read_only():
    vectors, names = some_vectors(), ids(6)
    before = vectors.copy()
    found = Embeddings.of(names, vectors)
    found.centred()
    assert np.array_equal(vectors, before) and vectors.flags.writeable and names.flags.writeable
    for array in (found.vectors, found.ids, found.centred().vectors, found.take(np.array([0])).vectors):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = array[0]


def test_centring_subtracts_the_mean_of_the_unit_vectors():
    found = Embeddings.of(ids(6), some_vectors() + 5)
    mean = definitions.mean_vector(found.vectors)
    expected = [definitions.unit_vector(row - mean) for row in found.vectors.astype(float)]
    np.testing.assert_allclose(found.centred().vectors, expected, atol=1e-6)
    assert found.centred().ids.tolist() == found.ids.tolist()


def test_centring_commutes_with_rotation():
    rotation = np.linalg.qr(some_vectors(3, 3, seed=1))[0]
    found = Embeddings.of(ids(6), some_vectors())
    turned = Embeddings.of(ids(6), some_vectors() @ rotation)
    np.testing.assert_allclose(found.centred().vectors @ rotation, turned.centred().vectors, atol=1e-6)


def test_take_keeps_ids_with_their_rows():
    found = Embeddings.of(ids(6), some_vectors())
    taken = found.take(np.array([4, 1]))
    assert taken.ids.tolist() == ["image-4", "image-1"] and len(taken) == 2
    assert np.array_equal(taken.vectors, found.vectors[[4, 1]])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_vectors_that_are_not_finite_are_named(bad):
    vectors = some_vectors()
    vectors[3, 1] = bad
    with pytest.raises(DataError, match="finite; 1 are not: image-3"):
        Embeddings.of(ids(6), vectors)


def test_the_first_five_zero_vectors_are_named():
    vectors = some_vectors(9)
    vectors[1:8] = 0
    with pytest.raises(DataError, match="7 are zero: image-1, image-2, image-3, image-4, image-5 and 2 more"):
        Embeddings.of(ids(9), vectors)


def test_duplicate_ids_are_named():
    with pytest.raises(DataError, match="more than once: b"):
        Embeddings.of(np.array(["a", "b", "b"]), some_vectors(3))


@pytest.mark.parametrize("shape", [(3,), (2, 4), (3, 2, 2)])
def test_ids_that_are_not_one_per_row_are_refused(shape):
    with pytest.raises(DataError, match="one id per row"):
        Embeddings.of(ids(3), np.ones(shape))


@pytest.mark.parametrize("n", [1, 2, 50, 20_000])
def test_equal_vectors_cannot_be_centred(n):
    # The scale changes from row to row, and with it the last digit of the unit vector.
    found = Embeddings.of(ids(n), np.outer(np.arange(1, n + 1), some_vectors(1, 8)))
    with pytest.raises(DataError, match=f"centring leaves {n} embeddings without direction: image-0"):
        found.centred()


def test_a_row_cannot_be_taken_twice():
    found = Embeddings.of(ids(3), some_vectors(3))
    with pytest.raises(DataError, match="more than once: image-0"):
        found.take(np.array([0, 0]))


def test_no_images_have_no_mean():
    none = Embeddings.of(ids(0), np.zeros((0, 4)))
    assert len(none) == 0 and len(none.centred()) == 0


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_unit_vectors_of_any_float_type_pass_unchanged(dtype):
    vectors = unit_rows(some_vectors(20_000, 8)).astype(dtype)
    assert check_vectors(vectors, 20_000) is vectors
    assert len(check_vectors(np.zeros((0, 8), dtype=dtype))) == 0


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (np.nan, "must be finite; 1 are not"),
        (np.inf, "must be finite"),
        (0.0, "must have a direction; 1 are zero"),
        (0.501, "must have norm 1; 1 do not"),
        (200, "must have norm 1"),
    ],
)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_rows_that_are_no_unit_vectors_are_named_with_a_remedy(row, message, dtype):
    vectors = np.full((9000, 4), 0.5, dtype=dtype)
    vectors[8999] = row
    with pytest.raises(DataError, match=rf"{message}.* in rows 8999; .*Embeddings.of\(ids, vectors\)"):
        check_vectors(vectors)


def test_vectors_of_norm_almost_one_pass():
    assert len(check_vectors(np.array([[1.0009, 0], [0, 0.9991]]))) == 2


@pytest.mark.parametrize(
    ("vectors", "n", "message"),
    [
        (np.eye(3), 4, r"shape \(4, d\).* got shape \(3, 3\)"),
        (np.ones(3), None, r"shape \(n, d\).* got shape \(3,\)"),
        (np.eye(3, dtype=int), 3, "float type, got int64"),
        (np.array([["a"]]), 1, "float type"),
    ],
)
def test_vectors_of_another_shape_or_type_are_refused(vectors, n, message):
    with pytest.raises(DataError, match=message):
        check_vectors(vectors, n)
