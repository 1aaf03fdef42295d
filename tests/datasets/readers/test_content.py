import hashlib
import logging
import os
from pathlib import Path

import pandas as pd
import pytest

from bioclip_probe.datasets.readers import content
from bioclip_probe.datasets.readers.content import FileContent, sha256_of_files


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """Remember the digests of everything, in a folder of the test."""
    monkeypatch.setenv(content.VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(content, "REMEMBERED_FILES", 1)
    monkeypatch.setattr(content, "_RECENT_NS", -(10**18))  # every file counts as unchanged for long
    return tmp_path / "cache"


def write(folder: Path, **files: bytes) -> Path:
    folder.mkdir(exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_digests_are_those_of_sha256(tmp_path):
    write(tmp_path, a=b"Pica", b=b"", c=b"Pica")
    assert sha256_of_files(tmp_path, ["a", "b", "c", "none", "a"]) == [
        digest(b"Pica"), digest(b""), digest(b"Pica"), None, digest(b"Pica")
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["nul\0byte", "folder", "x" * 300, "\ud800", ""])
def test_what_is_no_file_has_no_digest(tmp_path, name):
    (tmp_path / "folder").mkdir()
    assert sha256_of_files(tmp_path, [name]) == [None]


def test_a_file_larger_than_any_picture_is_not_read(tmp_path):
    write(tmp_path, a=b"Pica", b=b"Pica hudsonia")
    assert sha256_of_files(tmp_path, ["a", "b"], most_bytes=4) == [digest(b"Pica"), None]


def test_a_file_without_digest_stands_by_its_size(tmp_path, monkeypatch):
    monkeypatch.setattr(content, "MAX_BYTES", 4)
    files = FileContent(write(tmp_path, a=b"Pica", b=b"Pica hudsonia"), ["a", "b", "none"], one_an_image=True)
    assert files.marks == [digest(b"Pica"), "13 bytes", "-1 bytes"]


def test_a_file_that_comes_after_the_dataset_was_loaded_does_not_count(tmp_path):
    files = FileContent(write(tmp_path, a=b"Pica"), ["a", "b"])
    assert files.stamps[1] == (-1, -1)
    write(tmp_path, b=b"Corvus")
    assert files.sha256 == [digest(b"Pica"), None]


def test_remembered_digests_spare_reading(cache, tmp_path, monkeypatch):
    folder = write(tmp_path / "birds", a=b"Pica", b=b"Corvus")
    first = sha256_of_files(folder, ["a", "b"])
    monkeypatch.setattr(content, "_digest", lambda path: pytest.fail(f"{path} was read again"))
    assert sha256_of_files(folder, ["b", "a"]) == first[::-1]


def test_a_changed_file_is_read_again_even_if_its_times_are_set_back(cache, tmp_path):
    folder = write(tmp_path / "birds", a=b"Pica", b=b"Corvus")
    sha256_of_files(folder, ["a", "b"])
    times = os.stat(folder / "a")
    write(folder, a=b"pica")
    os.utime(folder / "a", ns=(times.st_atime_ns, times.st_mtime_ns))
    assert sha256_of_files(folder, ["a", "b"]) == [digest(b"pica"), digest(b"Corvus")]
    (table,) = (cache / "sha256").iterdir()
    assert sorted(pd.read_parquet(table)["source"]) == ["a", "b"]


def test_a_file_that_changed_a_moment_ago_is_not_remembered(cache, tmp_path, monkeypatch):
    monkeypatch.setattr(content, "_RECENT_NS", 10**18)
    folder = write(tmp_path / "birds", a=b"Pica")
    sha256_of_files(folder, ["a"])
    (table,) = (cache / "sha256").iterdir()
    assert pd.read_parquet(table).empty


def test_a_damaged_or_unwritable_cache_costs_time_only(cache, tmp_path):
    folder = write(tmp_path / "birds", a=b"Pica")
    sha256_of_files(folder, ["a"])
    (table,) = (cache / "sha256").iterdir()
    table.write_bytes(b"PAR1 and nothing else")
    assert sha256_of_files(folder, ["a"]) == [digest(b"Pica")]
    table.unlink()
    (cache / "sha256").rmdir()
    (cache / "sha256").write_text("a file where a folder should be")
    assert sha256_of_files(folder, ["a"]) == [digest(b"Pica")]


def test_small_folders_are_not_remembered(tmp_path, monkeypatch):
    monkeypatch.setenv(content.VARIABLE, str(tmp_path / "cache"))
    sha256_of_files(write(tmp_path / "birds", a=b"Pica"), ["a"])
    assert not (tmp_path / "cache").exists()


def test_the_log_says_that_much_is_read(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(content, "_ANNOUNCED_BYTES", 4)
    with caplog.at_level(logging.INFO, logger="bioclip_probe"):
        sha256_of_files(write(tmp_path / "birds", a=b"Pica"), ["a"])
    assert "reading 1 files in" in caplog.text and "for their sha256" in caplog.text
