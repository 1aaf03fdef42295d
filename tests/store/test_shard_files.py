"""The two files of one shard: written together, read only as they were written."""

import numpy as np
import pytest

from bioclip_probe.errors import StoreError
from bioclip_probe.store.shard_files import LEDGER, ShardFiles, as_stored

LINES = [
    {"image_id": "a", "row": 0, "status": "ok", "sha256": "0" * 64},
    {"image_id": "b", "row": -1, "status": "failed", "error_class": "corrupt", "error": "b.png: broken"},
]


def test_what_was_written_is_read_as_it_is(tmp_path):
    files, vectors = ShardFiles.of(tmp_path, 7), np.array([[1.5, -2.0]], np.float32)
    facts = files.write(LEDGER.frame(LINES), vectors)
    assert (facts["n_ok"], facts["n_failed"], files.size_problems(facts)) == (1, 1, [])
    assert files.read_ledger(facts)["image_id"].tolist() == ["a", "b"]
    np.testing.assert_array_equal(files.read_vectors(facts, 2, np.dtype(np.float32)), vectors)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows-00007.parquet", "vectors-00007.npy"]


@pytest.mark.parametrize("dimension, dtype", [(3, np.float32), (2, np.float16)])
def test_vectors_of_another_shape_or_type_are_refused(tmp_path, dimension, dtype):
    files = ShardFiles.of(tmp_path, 0)
    facts = files.write(LEDGER.frame(LINES), np.ones((1, 2), np.float32))
    with pytest.raises(StoreError, match=r"holds float32 \(1, 2\), expected"):
        files.read_vectors(facts, dimension, np.dtype(dtype))


def test_a_file_that_is_gone_is_named(tmp_path):
    files = ShardFiles.of(tmp_path, 0)
    facts = files.write(LEDGER.frame(LINES), np.ones((1, 2), np.float32))
    files.rows.unlink()
    assert files.size_problems(facts) == ["rows-00000.parquet is gone"]
    with pytest.raises(StoreError, match=r"rows-00000\.parquet cannot be read: No such file"):
        files.read_ledger(facts)


def test_numbers_that_do_not_fit_the_type_of_the_store_are_refused_and_infinite_ones_kept():
    with pytest.raises(StoreError, match="vectors of shard 3 are too large for float16"):
        as_stored(np.array([[1e6]]), np.dtype(np.float16), 3)
    assert np.isinf(as_stored(np.array([[np.inf]]), np.dtype(np.float16), 3)).all()
