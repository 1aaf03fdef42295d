"""Checksums: the list is sha256sum's, and no line of it leads out of the folder."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from bioclip_probe.errors import DataError
from bioclip_probe.files import sha256_of_bytes, write_together
from bioclip_probe.study.checksums import SUMS, add_to_sums, is_inside, parse_sums, read_sums, with_sums

ZERO = "0" * 64


@pytest.mark.parametrize(
    "name",
    [
        "../runs.json", "a/../../runs.json", "a/../runs.json", "/etc/passwd", "./runs.json", "a//b", "C:/runs.json",
        "a\\b", "..\\runs.json", "", ".", "..", "a\x00b", "a\u202eb", "~\n",
    ],
)  # fmt: skip
def test_paths_that_may_lead_out_of_the_folder_are_refused(name):
    assert not is_inside(name)


@pytest.mark.parametrize("name", ["runs.json", "figures/headline.png", "a b.csv", "ïnat.json", "..a", "~user"])
def test_paths_inside_the_folder(name):
    assert is_inside(name)


def test_a_list_is_read_with_what_is_wrong_in_it():
    text = f"{ZERO}  a.csv\n{ZERO} *b.csv\n{ZERO}  ../c.csv\n{ZERO}  a.csv\nnonsense\n{ZERO}  {SUMS}\n"
    sums, problems = parse_sums(text)
    assert sums == {"a.csv": ZERO, "b.csv": ZERO}
    assert [problem.split(" ")[1].rstrip(":") for problem in problems] == ["3", "4", "5", "6"]
    assert "'../c.csv' is not a path inside the folder, and is ignored" in problems[0]
    assert "listed twice" in problems[1]
    assert "not a checksum of a file: 'nonsense'" in problems[2]


def test_a_list_of_endless_lines_is_not_followed():
    assert parse_sums(f"{ZERO}  a\n" * 10_001) == ({}, ["it has 10,001 lines; expected 10,000 at most"])


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="needs sha256sum")
def test_sha256sum_checks_what_is_written(tmp_path):
    files = {tmp_path / name: lambda path: path.write_bytes(b"Pica") for name in ("b c.txt", "a.txt")}
    write_together(with_sums(tmp_path, files, {}))
    assert read_sums(tmp_path) == dict.fromkeys(["a.txt", "b c.txt"], sha256_of_bytes(b"Pica"))
    done = subprocess.run(["sha256sum", "--check", "--strict", SUMS], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0


def test_a_file_is_added_and_others_are_not_read_again(tmp_path):
    write_together(with_sums(tmp_path, {tmp_path / "a": lambda path: path.write_bytes(b"1")}, {}))
    before = read_sums(tmp_path)
    (tmp_path / "a").write_bytes(b"2")
    (tmp_path / "page").write_bytes(b"3")
    add_to_sums(tmp_path, [tmp_path / "page"])
    assert read_sums(tmp_path) == {**before, "page": sha256_of_bytes(b"3")}


def test_nothing_is_added_where_there_is_no_list_or_outside(tmp_path):
    inside, outside = tmp_path / "out", tmp_path / "page"
    inside.mkdir()
    outside.write_bytes(b"1")
    add_to_sums(inside, [outside])
    assert not list(inside.iterdir())
    (inside / SUMS).write_text("")
    with pytest.raises(DataError, match="not inside"):
        add_to_sums(inside, [outside])
