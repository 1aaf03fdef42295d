"""An array that grows in a file: complete blocks are kept, everything else is written again."""

import io
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioclip_probe.errors import StoreError
from bioclip_probe.store.append_only import AppendOnlyArray

MADE_FROM = {"model": "clip", "texts": "0123"}
ROWS = np.arange(12, dtype=np.float32).reshape(4, 3)


def array_in(folder, made_from=MADE_FROM, shape=(4, 3)) -> AppendOnlyArray:
    return AppendOnlyArray(folder / "begun.npy", folder / "begun.jsonl", made_from, shape)


@settings(max_examples=25)
@given(sizes=st.lists(st.integers(0, 4), min_size=1, max_size=5), d=st.integers(1, 3))
def test_blocks_of_any_size_become_the_file_that_numpy_writes(tmp_path_factory, sizes, d):
    folder = tmp_path_factory.mktemp("array")
    rows = np.arange(sum(sizes) * d, dtype=np.float32).reshape(-1, d)
    start = 0
    for size in sizes:  # every block by a run of its own
        array = array_in(folder, shape=rows.shape)
        assert array.n_rows == start
        array.append(rows[start : start + size], index=start)
        start += size
    assert [block["index"] for block in array.blocks] == [sum(sizes[:i]) for i in range(len(sizes))]
    facts = array.finish(folder / "vectors.npy")
    np.testing.assert_array_equal(np.load(folder / "vectors.npy"), rows)
    expected = io.BytesIO()
    np.save(expected, rows)
    assert (folder / "vectors.npy").read_bytes() == expected.getvalue()
    assert facts["bytes"] == (folder / "vectors.npy").stat().st_size
    array.discard()
    assert [path.name for path in folder.iterdir()] == ["vectors.npy"]


@pytest.mark.parametrize("made_from, shape", [(MADE_FROM | {"model": "bioclip"}, (4, 3)), (MADE_FROM, (5, 3))])
def test_blocks_made_from_anything_else_are_discarded(tmp_path, made_from, shape):
    array_in(tmp_path).append(ROWS[:2])
    assert array_in(tmp_path, made_from, shape).n_rows == 0
    assert array_in(tmp_path).n_rows == 0


HARM = {
    "half a row is missing": (lambda npy, journal: npy.write_bytes(npy.read_bytes()[:-5]), 2),
    "half a block is too much": (lambda npy, journal: npy.write_bytes(npy.read_bytes() + b"half"), 3),
    "a row has changed": (lambda npy, journal: npy.write_bytes(npy.read_bytes()[:-1] + b"?"), 2),
    "the last line is cut": (lambda npy, journal: journal.write_bytes(journal.read_bytes()[:-9]), 2),
    "the journal is empty": (lambda npy, journal: journal.write_bytes(b""), 0),
    "the journal is of something else": (lambda npy, journal: journal.write_bytes(b"1\n2\n"), 0),
    "the vectors are gone": (lambda npy, journal: npy.unlink(), 0),
}


@pytest.mark.parametrize("harm", HARM)
def test_only_complete_blocks_are_kept(tmp_path, harm):
    array = array_in(tmp_path)
    array.append(ROWS[:2])
    array.append(ROWS[2:3])
    do, n_rows = HARM[harm]
    do(array.path, array.journal)
    array = array_in(tmp_path)
    assert array.n_rows == n_rows
    array.append(ROWS[n_rows:])
    array.finish(tmp_path / "vectors.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "vectors.npy"), ROWS)


def test_a_folder_that_is_missing_is_one_line(tmp_path):
    with pytest.raises(StoreError, match=r"cannot write .*begun\.npy: No such file or directory"):
        array_in(tmp_path / "missing")


def test_the_journal_can_be_read_by_hand(tmp_path):
    array_in(tmp_path).append(ROWS[:2], truncated=[True, False])
    first, block = map(json.loads, (tmp_path / "begun.jsonl").read_text().splitlines())
    assert first == MADE_FROM
    assert (block["rows"], block["truncated"], len(block["sha256"])) == (2, [True, False], 64)
