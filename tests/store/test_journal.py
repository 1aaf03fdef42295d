"""The journal of finished shards: which lines count, and what a killed run leaves."""

import json
import os

import pytest

from bioclip_probe.errors import StoreError
from bioclip_probe.store.journal import JOURNAL, append_line, read_journal, remove_unfinished

FILE = {"bytes": 10, "sha256": "0" * 64}


def facts(n_ok: int = 2) -> dict:
    return {"n_ok": n_ok, "n_failed": 0, "vectors": FILE, "rows": FILE}


def test_the_last_line_about_a_shard_counts(tmp_path):
    assert read_journal(tmp_path, 3) == {}
    for shard, line in ((0, facts()), (1, facts()), (0, facts(1)), (1, None)):
        append_line(tmp_path, shard, line)
    assert read_journal(tmp_path, 3) == {0: facts(1)}


def test_half_a_line_is_ignored_and_removed(tmp_path):
    append_line(tmp_path, 0, facts())
    whole = (tmp_path / JOURNAL).read_bytes()
    (tmp_path / JOURNAL).write_bytes(whole + whole[:-1])
    assert read_journal(tmp_path, 3) == {0: facts()}
    remove_unfinished(tmp_path)
    assert (tmp_path / JOURNAL).read_bytes() == whole


DAMAGED = {
    "no JSON": "{",
    "no object": "[]",
    "no facts": '{"shard": 1}',
    "a negative count": json.dumps({"shard": 1, "facts": facts(-1)}),
    "a count that is no number": json.dumps({"shard": 1, "facts": facts() | {"n_ok": True}}),
    "a short hash": json.dumps({"shard": 1, "facts": facts() | {"rows": {"bytes": 1, "sha256": "0"}}}),
    "a parity that is no number": json.dumps({"shard": 1, "facts": facts() | {"parity": "1"}}),
    "a shard that is no number": json.dumps({"shard": True, "facts": None}),
    "nested too deep": "[" * 100_000,
}


@pytest.mark.parametrize("line", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_line_is_refused_and_removed_on_request(tmp_path, line):
    append_line(tmp_path, 0, facts())
    with open(tmp_path / JOURNAL, "a") as journal:
        journal.write(line + "\n")
    remove_unfinished(tmp_path)
    with pytest.raises(StoreError, match="line 2 is not a line of a journal; embed again with --repair"):
        read_journal(tmp_path, 3)
    remove_unfinished(tmp_path, damaged=True)
    assert read_journal(tmp_path, 3) == {0: facts()}


@pytest.mark.parametrize("shard", [-1, 3])
def test_a_shard_that_cannot_exist_is_refused(tmp_path, shard):
    append_line(tmp_path, shard, facts())
    with pytest.raises(StoreError, match="line 1 is not a line of a journal"):
        read_journal(tmp_path, 3)


def test_a_full_disk_leaves_the_journal_as_it_was(tmp_path, monkeypatch):
    def full_disk(handle):
        raise OSError(28, "No space left on device")

    append_line(tmp_path, 0, facts())
    before = (tmp_path / JOURNAL).read_bytes()
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(StoreError, match=r"cannot write .*shards\.jsonl: No space left on device"):
        append_line(tmp_path, 1, facts())
    assert (tmp_path / JOURNAL).read_bytes() == before


def test_temporary_files_are_removed(tmp_path):
    (tmp_path / "rows-00001.parquet.77.part").touch()
    (tmp_path / ".rows-00001.parquet.78.part").touch()
    remove_unfinished(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_journal_that_is_a_folder_is_refused(tmp_path):
    (tmp_path / JOURNAL).mkdir()
    with pytest.raises(StoreError, match=r"shards\.jsonl cannot be read"):
        read_journal(tmp_path, 3)
