import bz2
import gzip
import lzma

import pytest

from bioclip_probe.datasets.readers.text_files import BLOCK_BYTES, find_compressed, text_file, text_suffix
from bioclip_probe.errors import DataError
from bioclip_probe.limits import allow_memory

TEXT = b"path,genus\n1.jpg,Pica\n2.jpg,Corvus\n"


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_lines_end_in_three_ways(tmp_path, line_end):
    (tmp_path / "t.csv").write_bytes(TEXT.replace(b"\n", line_end))
    assert list(text_file(tmp_path / "t.csv").lines()) == TEXT.splitlines()


def test_a_line_end_of_two_characters_is_not_cut_by_a_block(tmp_path):
    line = b"x" * (BLOCK_BYTES - 1)
    (tmp_path / "t.csv").write_bytes(line + b"\r\ny\r\n")
    assert list(text_file(tmp_path / "t.csv").lines()) == [line, b"y"]


def test_a_line_of_many_megabytes_is_refused(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"a\n" + b"x" * (2 * BLOCK_BYTES))
    with pytest.raises(DataError, match="line 2 has more than 16,777,216 bytes"):
        list(text_file(tmp_path / "t.csv").lines())


@pytest.mark.parametrize(("suffix", "compress"), [("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress)])
def test_compressed_files_are_unpacked(tmp_path, suffix, compress):
    path = tmp_path / f"t.csv.{suffix}"
    path.write_bytes(compress(TEXT))
    assert list(text_file(path).lines()) == TEXT.splitlines()
    assert text_suffix(path) == ".csv"
    assert find_compressed(tmp_path / "t.csv") == path
    path.write_bytes(compress(TEXT)[:-9])
    with pytest.raises(DataError, match="cannot be unpacked"):
        list(text_file(path).lines())
    path.write_bytes(TEXT)
    with pytest.raises(DataError, match="cannot be unpacked"):
        list(text_file(path).lines())


@pytest.mark.parametrize(("line", "content"), [(b"a,b\n", r"table of [0-9,]* rows"), (b"a,b;", "unpacked text")])
def test_a_bomb_is_refused(tmp_path, line, content):
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(line * (1 << 21)))
    with allow_memory(1 << 20), pytest.raises(DataError, match=rf"{content} would take .*--max-memory"):
        list(text_file(path).lines())


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (TEXT.decode().encode("utf-16"), "it is UTF-16; save it as UTF-8"),
        (TEXT.decode().encode("utf-16-le"), "it is UTF-16; save it as UTF-8"),
        (TEXT.decode().encode("utf-16-be"), "it is UTF-16; save it as UTF-8"),
        (TEXT.decode().encode("utf-32"), "it is UTF-32; save it as UTF-8"),
        (gzip.compress(TEXT), "compressed by gzip"),
        (b"PK\x03\x04....", "spreadsheet or another .zip; export it as CSV"),
        (b"\xd0\xcf\x11\xe0....", "spreadsheet of Excel; export it as CSV"),
        (b"PAR1....", "it is Parquet"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        (b'[\n {"path": "a.jpg"}]', "it is JSON; export it as CSV"),
        (b"\n <!DOCTYPE HTML>\n<html>", "web page"),
    ],
    ids=["utf-16", "utf-16-le", "utf-16-be", "utf-32", "gzip", "zip", "xls", "parquet", "git-lfs", "json", "html"],
)
def test_other_kinds_of_files_are_named(tmp_path, content, kind):
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(DataError, match=kind) as error:
        text_file(tmp_path / "t.csv").head()
    assert str(error.value).isprintable()


def test_text_of_any_script_is_text(tmp_path):
    for text in ("学名,属\n", "Çéß", "", "a", "\ufeffpath\n"):
        (tmp_path / "t.csv").write_text(text, encoding="utf-8")
        assert text_file(tmp_path / "t.csv").head().decode() == text
