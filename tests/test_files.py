"""Atomic writes and digests."""

import hashlib
import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioclip_probe import files


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "note.txt"
    for text in ("Pica", "Corvus"):
        files.write_atomically(path, lambda temporary, text=text: temporary.write_text(text))
        assert path.read_text() == text
    assert list(tmp_path.iterdir()) == [path]


def test_the_old_file_stays_until_the_new_one_is_complete(tmp_path):
    path = tmp_path / "note.txt"
    path.write_text("Pica")

    def look(temporary):
        temporary.write_text("Corvus")
        assert path.read_text() == "Pica"
        assert temporary.parent == tmp_path and temporary.match("*.part")

    files.write_atomically(path, look)
    assert path.read_text() == "Corvus"


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), ValueError("no text"), KeyboardInterrupt()])
def test_a_writer_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "note.txt"
    path.write_text("Pica")

    def fail(temporary):
        temporary.write_text("Cor")
        raise error

    with pytest.raises(type(error)):
        files.write_atomically(path, fail)
    assert path.read_text() == "Pica"
    assert list(tmp_path.iterdir()) == [path]


def test_content_is_on_the_disk_before_its_name(tmp_path, monkeypatch):
    """A power cut may come at any moment: first the bytes are synced, then the file is renamed, then the folder."""
    steps, replace = [], os.replace
    monkeypatch.setattr(os, "fsync", lambda handle: steps.append("sync"))
    monkeypatch.setattr(os, "replace", lambda source, path: (steps.append("rename"), replace(source, path)))
    files.write_bytes_atomically(tmp_path / "note.txt", b"Pica")
    assert steps == ["sync", "rename", "sync"]


def test_a_disk_that_fails_while_it_syncs_leaves_nothing(tmp_path, monkeypatch):
    def full_disk(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        files.write_bytes_atomically(tmp_path / "note.txt", b"Pica")
    assert not list(tmp_path.iterdir())


def test_what_a_killed_process_leaves_is_removed_and_nothing_else(tmp_path):
    left = []

    def killed(temporary):
        temporary.write_text("Pica")
        left.append(temporary.rename(temporary.with_suffix(".killed.part")))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        files.write_atomically(tmp_path / "note.txt", killed)
    (tmp_path / "rows.parquet.7.part").touch()
    (tmp_path / "rows.parquet").touch()
    assert left[0].exists()
    files.remove_temporary_files(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["rows.parquet"]


def test_digests_are_those_of_sha256sum(tmp_path):
    """The known digest of three letters, from FIPS 180-2."""
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    (tmp_path / "abc").write_bytes(b"abc")
    assert files.sha256_of_file(tmp_path / "abc") == known
    assert files.sha256_of_bytes(b"abc") == known
    assert files.sha256_of_chunks(iter([b"a", b"", b"bc"])) == known


@given(content=st.binary(), cut=st.integers(0, 100))
def test_chunks_of_any_size_give_the_digest_of_the_whole(content, cut):
    expected = hashlib.sha256(content).hexdigest()
    assert files.sha256_of_bytes(content) == expected
    assert files.sha256_of_chunks([content[:cut], content[cut:]]) == expected


def test_the_digest_of_a_value_is_that_of_its_json_with_sorted_keys():
    value = {"b": [1, None, "ä"], "a": {"d": 0.1, "c": True}}
    expected = hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
    assert files.sha256_of_json(value) == expected == files.sha256_of_json(dict(reversed(value.items())))
    assert files.sha256_of_json([1]) != files.sha256_of_json(["1"])
    with pytest.raises(TypeError):
        files.sha256_of_json({1, 2})
    assert files.sha256_of_json({1}, default=sorted) == files.sha256_of_json([1])


def test_a_file_that_is_missing_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        files.sha256_of_file(tmp_path / "missing")
    with pytest.raises(FileNotFoundError):
        files.write_bytes_atomically(tmp_path / "missing" / "note.txt", b"")
