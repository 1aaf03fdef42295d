"""Submissions below a folder: found in files, folders and zips, and never unpacked."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest

from bioclip_probe.errors import DataError
from bioclip_probe.report.sharing import submissions
from bioclip_probe.report.sharing.submissions import Refused, collect_submissions
from bioclip_probe.study.submission import as_json, numbers_digest
from tests.support.submissions import made_up_folder, of_values, valid


def put(path: Path, content: dict[str, Any]) -> Path:
    """Write a submission into a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(as_json(content), encoding="utf-8")
    return path


def put_zip(path: Path, members: dict[str, str], method: int = zipfile.ZIP_DEFLATED) -> Path:
    """Write a zip."""
    with zipfile.ZipFile(path, "w", method) as file:
        for name, text in members.items():
            file.writestr(name, text)
    return path


def record(content: dict[str, Any], state: str = "passed") -> str:
    """Return the record of a verification of a submission."""
    depths = {"numbers": {"state": state}}
    return json.dumps({"date": "2026-11-27T10:00:00", "depths": depths, "numbers_sha256": numbers_digest(content)})


def test_files_folders_and_zips_are_found_at_any_depth(tmp_path: Path) -> None:
    contents = [of_values({name: 0.5}, {}) for name in "abcd"]
    put(tmp_path / "x" / "y" / "submission.json", contents[0])
    put(tmp_path / "bob-submission.json", contents[1])
    put_zip(tmp_path / "carol.ZIP", {"submission.json": as_json(contents[2])})
    put_zip(tmp_path / "dan.zip", {"folder/submission.json": as_json(contents[3]), "a.txt": "x"})
    put_zip(tmp_path / "other.zip", {"a/b/submission.json": "{}", "readme.md": ""})
    (tmp_path / "runs.json").write_text("{}")
    found, refused = collect_submissions(tmp_path)
    assert [one.sources for one in found] == [
        ("bob-submission.json",), ("carol.ZIP",), ("dan.zip",), ("x/y/submission.json",),
    ]  # fmt: skip
    assert not refused


def test_one_file_alone_will_do(tmp_path: Path) -> None:
    (one,), refused = collect_submissions(put(tmp_path / "submission.json", valid()))
    assert (one.sources, one.recomputed, refused) == (("submission.json",), "", [])


def test_the_same_submission_in_two_places_is_one_under_the_name_that_is_given(tmp_path: Path) -> None:
    put(tmp_path / "out" / "submission.json", valid())
    put(tmp_path / "out" / "share" / "submission.json", valid(who="Ada"))
    put_zip(tmp_path / "ada.zip", {"submission.json": as_json(valid(who="Ada"))})
    (one,), _ = collect_submissions(tmp_path)
    assert one.who == "Ada"
    assert len(one.sources) == 3


def test_two_laboratories_with_the_same_numbers_are_two_submissions(tmp_path: Path) -> None:
    put(tmp_path / "a-submission.json", valid(who="Ada"))
    put(tmp_path / "b-submission.json", valid(who="Bo"))
    assert [one.who for one in collect_submissions(tmp_path)[0]] == ["Ada", "Bo"]


def test_invalid_ones_are_listed_with_every_reason(tmp_path: Path) -> None:
    put(tmp_path / "submission.json", valid(run="", simulated=1))
    _, (refused,) = collect_submissions(tmp_path)
    assert refused.source == "submission.json"
    assert [reason.partition(":")[0] for reason in refused.reasons] == ["run", "simulated"]


@pytest.mark.parametrize("place", ["file", "zip"])
def test_a_record_of_its_numbers_makes_a_submission_recomputed(tmp_path: Path, place: str) -> None:
    content = valid()
    if place == "file":
        put(tmp_path / "ada-submission.json", content)
        (tmp_path / "ada-verification.json").write_text(record(content))
    else:
        put_zip(tmp_path / "a.zip", {"x/submission.json": as_json(content), "x/verification.json": record(content)})
    (one,), _ = collect_submissions(tmp_path)
    assert one.recomputed == "recomputed, says its record of 2026-11-27"


RECORDS = {
    "of other numbers": record(of_values({"a": 0.5}, {})),
    "that failed": record(valid(), "failed"),
    "that was not run": record(valid(), "not checked"),
    "that is no JSON": "{",
    "of another form": '{"depths": ["numbers"]}',
    "that is empty": "",
}


@pytest.mark.parametrize("case", RECORDS)
def test_other_records_leave_it_reported(tmp_path: Path, case: str) -> None:
    put(tmp_path / "submission.json", valid())
    (tmp_path / "verification.json").write_text(RECORDS[case])
    assert collect_submissions(tmp_path)[0][0].recomputed == ""


def test_results_folders_are_verified_if_that_is_asked_for(tmp_path: Path) -> None:
    from bioclip_probe.study.submission import submission_of

    results = made_up_folder(tmp_path / "out")
    put(tmp_path / "out" / "submission.json", submission_of(results))
    put(tmp_path / "else-submission.json", of_values({"a": 0.5}, {}))
    asked: list[Path] = []

    def verify(folder: Path) -> bool:
        asked.append(folder)
        return True

    found, _ = collect_submissions(tmp_path, verify)
    assert [one.recomputed for one in found] == ["", "recomputed here"]
    assert asked == [tmp_path / "out"]
    assert [one.recomputed for one in collect_submissions(tmp_path, lambda folder: False)[0]] == ["", ""]


def test_a_submission_with_other_numbers_than_its_folder_is_not_recomputed(tmp_path: Path) -> None:
    made_up_folder(tmp_path)
    put(tmp_path / "submission.json", of_values({"a": 0.5}, {}))
    (one,), _ = collect_submissions(tmp_path, lambda folder: True)
    assert one.recomputed == ""


def reason_of(path: Path) -> str:
    """Return why the only file is refused."""
    found, (refused,) = collect_submissions(path)
    assert not found
    assert isinstance(refused, Refused)
    return refused.reasons[0]


def test_a_zip_that_is_none_or_damaged_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(b"PK nonsense")
    assert reason_of(path).startswith("it cannot be read as a zip: File is not a zip file")
    put_zip(path, {"submission.json": as_json(valid())}, zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    data[200] ^= 0xFF
    path.write_bytes(bytes(data))
    assert "it cannot be read as a zip: Bad CRC-32" in reason_of(path)


def test_a_member_that_unpacks_to_more_than_allowed_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submissions, "LARGEST", 10_000)
    path = put_zip(tmp_path / "a.zip", {"submission.json": " " * 1_000_000})
    assert path.stat().st_size < 5000
    assert reason_of(path) == "its member submission.json is larger than 9.77 KB: 977 KB"


def test_a_member_that_lies_about_its_size_is_cut_there(tmp_path: Path) -> None:
    path = put_zip(tmp_path / "a.zip", {"submission.json": " " * 100_000})
    data = path.read_bytes()
    path.write_bytes(data.replace((100_000).to_bytes(4, "little"), (1000).to_bytes(4, "little")))
    assert "cannot be read as a zip" in reason_of(path)


def test_a_long_list_of_members_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submissions, "LARGEST_LIST", 1000)
    path = put_zip(tmp_path / "a.zip", {f"{number:060}": "" for number in range(30)})
    assert reason_of(path) == "its list of members is larger than 1000 bytes"


def test_two_submissions_in_one_zip_are_refused(tmp_path: Path) -> None:
    path = put_zip(tmp_path / "a.zip", {"a/submission.json": "{}", "b/submission.json": "{}"})
    assert reason_of(path) == "it holds 2 submissions; expected one"


def test_a_member_that_would_leave_the_folder_is_not_written_anywhere(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    put_zip(inside / "a.zip", {"../submission.json": as_json(valid())})
    before = sorted(tmp_path.rglob("*"))
    assert len(collect_submissions(inside)[0]) == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_links_to_folders_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    put(tmp_path / "in" / "submission.json", valid())
    (tmp_path / "in" / "loop").symlink_to(tmp_path / "in")
    (one,), _ = collect_submissions(tmp_path / "in")
    assert one.sources == ("submission.json",)


def test_a_folder_without_submissions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no submission; expected files named …submission.json, or zips"):
        collect_submissions(tmp_path)
    with pytest.raises(DataError, match="there is no folder"):
        collect_submissions(tmp_path / "none")


def test_pipes_and_devices_are_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.submission.json")
    (tmp_path / "endless.zip").symlink_to("/dev/zero")
    found, refused = collect_submissions(tmp_path)
    assert not found
    assert [one.reasons for one in refused] == [("it is neither a file nor a link to one",)] * 2
