"""JSON records: written atomically, and refused once they differ from what was written."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioclip_probe.errors import StoreError
from bioclip_probe.store.records import (
    VERSION,
    add_checksum,
    check_checksum,
    check_entries,
    check_version,
    read_json,
    write_file,
    write_json,
)

PATH = Path("meta.json")
VALUES = st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5) | st.booleans(), max_size=4)


@given(content=VALUES, key=st.text(max_size=5), value=st.integers())
def test_a_checksum_holds_until_an_entry_changes(content, key, value):
    content.pop("sha256", None)
    record = add_checksum(content)
    check_checksum(dict(reversed(record.items())), PATH)
    changed = record | {key: value}
    if changed != record or type(changed[key]) is not type(record[key]):
        with pytest.raises(StoreError, match="has changed since it was written"):
            check_checksum(changed, PATH)


def test_a_record_comes_back_as_it_was_written(tmp_path):
    record = add_checksum({"name": "Ärger", "n": 3, "notes": ["a", None]})
    write_json(tmp_path / "a.json", record)
    assert read_json(tmp_path / "a.json") == record
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.parametrize("content", [b"", b"{", b"[" * 100_000, b"9" * 5_000, b"\xff"])
def test_a_file_that_is_no_json_is_refused_in_one_line(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(StoreError, match="the store is damaged") as error:
        read_json(tmp_path / "a.json")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", ["[]", "3", "null", '"text"'])
def test_json_other_than_an_object_is_refused(tmp_path, content):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(StoreError, match="is not a record of a store"):
        read_json(tmp_path / "a.json")


@pytest.mark.parametrize("value, kind, fits", [
    ("clip", str, True),
    ("", str, True),
    ("\ud800", str, False),  # half a surrogate pair
    (3, str, False),
    (3, int, True),
    (0, int, False),
    (-1, int, False),
    (True, int, False),
    (True, bool, True),
    (False, bool, True),
    (1, bool, False),
    ({}, dict, True),
    ([], dict, False),
    (None, dict, False),
])  # fmt: skip
def test_entries_have_their_type(value, kind, fits):
    if fits:
        check_entries({"entry": value}, {"entry": kind}, PATH)
    else:
        with pytest.raises(StoreError, match=r"meta\.json has no valid entry entry"):
            check_entries({"entry": value}, {"entry": kind}, PATH)


def test_missing_entries_are_named():
    with pytest.raises(StoreError, match="has no valid entry name, n; the"):
        check_entries({}, {"name": str, "n": int}, PATH)


def test_another_version_is_refused():
    check_version(VERSION, PATH)
    for version in (VERSION + 1, str(VERSION), None):
        with pytest.raises(StoreError, match=f"has store format {version}; .* reads the formats 2 and {VERSION}"):
            check_version(version, PATH)


def test_a_folder_that_is_missing_is_one_line(tmp_path):
    with pytest.raises(StoreError, match=r"cannot write .*a\.bin: No such file or directory"):
        write_file(tmp_path / "missing" / "a.bin", b"content")
