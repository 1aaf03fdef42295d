import pytest

from bioclip_probe.datasets.readers.json_files import read_json
from bioclip_probe.errors import DataError


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{", "is not JSON that can be read: Expecting"),
        (b"", "is not JSON that can be read"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"a": ' * 100_000, "nested too deeply"),
        (b'{"a": {"b": 1, "b": 2}}', "has the key 'b' twice"),
        (b'{"a\\u0000\\n": 1, "a\\u0000\\n": 2}', "twice"),
        (b"\xff\xfe\xfd", "is not JSON that can be read"),
        (b"\x1f\x8b\x08", "compressed by gzip"),
        (b"version https://git-lfs.github.com/spec/v1", "git lfs pull"),
        (b"1" * 10_000, "is not JSON that can be read"),
    ],
)
def test_what_cannot_be_read_is_one_line(tmp_path, content, reason):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(DataError, match=reason) as error:
        read_json(tmp_path / "a.json")
    assert str(error.value).isprintable()


def test_json_is_read_in_the_encodings_that_the_standard_allows(tmp_path):
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        (tmp_path / "a.json").write_text('{"name": "Isoëtes"}', encoding=encoding)
        assert read_json(tmp_path / "a.json") == {"name": "Isoëtes"}


def test_large_and_missing_files_are_refused(tmp_path):
    (tmp_path / "a.json").write_text("[1, 2]")
    with pytest.raises(DataError, match="has 6 bytes; expected at most 5"):
        read_json(tmp_path / "a.json", max_bytes=5)
    with pytest.raises(DataError, match="no such file"):
        read_json(tmp_path / "b.json")
