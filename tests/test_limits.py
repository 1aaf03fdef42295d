import os

import pytest

from bioclip_probe.errors import DataError, ProbeError
from bioclip_probe.limits import (
    DEFAULT_BYTES,
    VARIABLE,
    allow_memory,
    check_declared,
    check_rows,
    format_size,
    max_memory,
    parse_size,
)


@pytest.mark.parametrize(
    ("text", "n_bytes"),
    [("1", 1), ("512M", 512 << 20), ("4GB", 4 << 30), ("4 gib", 4 << 30), ("1.5G", 3 << 29), ("2tb", 2 << 40)],
)
def test_sizes_are_read(text, n_bytes):
    assert parse_size(text) == n_bytes


@pytest.mark.parametrize("text", ["", "0", "-1", "G", "4XB", "4GB 2", "1e9", "9" * 20, "nan", "٤GB"])
def test_other_texts_are_no_sizes(text):
    with pytest.raises(ValueError, match="expected a size such as 4GB"):
        parse_size(text)


@pytest.mark.parametrize(
    ("n_bytes", "text"), [(0, "0 bytes"), (1023, "1023 bytes"), (1 << 30, "1 GB"), (3_800_000_000, "3.54 GB")]
)
def test_sizes_are_written(n_bytes, text):
    assert format_size(n_bytes) == text


def test_the_limit_is_raised_for_a_block_and_for_processes_that_start_in_it(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(DataError), allow_memory(4 << 30):
        check_declared("a", "array", 4 << 30)
        assert os.environ[VARIABLE] == str(4 << 30)
        with allow_memory(8 << 30):
            assert max_memory() == 8 << 30
        assert max_memory() == 4 << 30
        check_declared("a", "array", (4 << 30) + 1)
    assert max_memory() == DEFAULT_BYTES and VARIABLE not in os.environ


def test_an_environment_variable_that_is_no_size_is_said(monkeypatch):
    monkeypatch.setenv(VARIABLE, "lots")
    with pytest.raises(ProbeError, match="BIOCLIP_PROBE_MAX_MEMORY: expected a size such as 4GB, came 'lots'"):
        max_memory()


def test_a_large_file_may_take_more_than_a_small_one():
    check_declared("a", "array", 8 << 30, file_bytes=1 << 30, growth=8)
    with pytest.raises(DataError, match="8 GB of memory, more than the 1 GB that a file of 1 KB may take"):
        check_declared("a", "array", 8 << 30, file_bytes=1 << 10, growth=8)


def test_the_flag_that_a_message_names_is_enough():
    n_bytes = (5 << 30) + 7
    with pytest.raises(DataError, match="--max-memory 7GB"):
        check_declared("a", "array", n_bytes)
    with allow_memory(parse_size("7GB")):
        check_declared("a", "array", n_bytes)


def test_a_row_takes_a_byte_of_the_file_or_more():
    check_rows("a", 1_000_000, 1000)
    check_rows("a", 200_000_000, 200_000_000)
    with pytest.raises(DataError, match="table of 200,000,001 rows"):
        check_rows("a", 200_000_001, 200_000_000)
