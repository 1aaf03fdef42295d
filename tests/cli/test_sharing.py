"""The commands `share` and `board`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bioclip_probe.report.sharing import collect_submissions
from bioclip_probe.study.run import reproduce
from bioclip_probe.study.submission import as_json
from tests.support.command_line import refused, run
from tests.support.small_study import FOLDERS, grow
from tests.support.submissions import made_up_folder, of_values, valid
from tests.support.vector_study import write_vectors


def test_share_prints_what_it_wrote_what_is_left_out_and_that_nothing_was_uploaded(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made_up_folder(here / "out")
    status, out, err = run(capsys, "share", "out", "--who", "Ada", "--licence", "CC0-1.0")
    assert (status, err) == (0, "")
    assert "out/share/models/bioclip/model-card.md" in out
    assert "vectors: the vectors stay in the store" in out
    assert out.endswith("Nothing was uploaded.\n")


def test_share_for_a_program(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made_up_folder(here / "out")
    content = json.loads(run(capsys, "share", "out", "--to", "shared", "--benchmark", "lab/birds", "--json")[1])
    assert content["submission"] == "shared/submission.json"
    assert set(content["archive_left_out"]) == {"vectors"}
    assert all(Path(path).is_file() for path in (*content["cards"], *content["evaluations"], content["archive"]))
    assert "id: lab/birds" in Path(content["evaluations"][0]).read_text()


def test_board_prints_the_tables_and_what_stands_apart(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "in").mkdir()
    first = of_values({"a": 0.5, "b\u202e": 0.4}, {("a", "b\u202e"): 1e-4}, who="Ada")
    (here / "in" / "submission.json").write_text(as_json(first), encoding="utf-8")
    (here / "in" / "x-submission.json").write_text(as_json(valid(protocol=None)), encoding="utf-8")
    status, out, err = run(capsys, "board", "in")
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[1].split() == ["1", "CPCC,", "birds", "1", "a", "0.500", "0.460", "to", "0.540", "reported", "Ada"]
    assert lines[2].split()[:3] == ["1", "2", "b\\u202e"]
    assert lines[-2:] == [
        "apart: x-submission.json: it names no protocol, so that its numbers cannot be compared with others",
        "in/board.html",
    ]


def test_board_for_a_program(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "submission.json").write_text(as_json(valid(who="Ada")), encoding="utf-8")
    content = json.loads(run(capsys, "board", "submission.json", "--to", "b.html", "--json")[1])
    assert content["page"] == "b.html"
    assert content["apart"] == []
    rows = content["tables"]["board"]
    assert len(rows) == 16
    assert rows[0]["status"] == "reported"


def test_a_store_without_verify_is_said_to_do_nothing(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "submission.json").write_text(as_json(valid()), encoding="utf-8")
    assert "--store does nothing without --verify" in run(capsys, "board", ".", "--store", "s")[2]


def test_without_a_valid_submission_no_page_is_written(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "notes.txt").write_text("Pica")
    (here / "in").mkdir()
    for name in ("a-submission.json", "b-submission.json", "c-submission.json"):
        (here / "in" / name).write_text("{}")
    line = refused(capsys, "board", "notes.txt")
    assert line.startswith("bioclip-probe: no valid submission in notes.txt (notes.txt: it is not JSON")
    assert line.endswith("); `share` writes one as submission.json")
    assert "b-submission.json: 'format' is a required property and 1 more); " in refused(capsys, "board", "in")
    assert not list(here.rglob("board.html"))


def test_the_page_of_one_file_lies_beside_it(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "in").mkdir()
    (here / "in" / "submission.json").write_text(as_json(valid()), encoding="utf-8")
    assert run(capsys, "board", "in/submission.json")[1].splitlines()[-1] == "in/board.html"


def test_mistakes_are_told_in_one_line(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "there is no folder none" in refused(capsys, "board", "none")
    assert "holds no submission" in refused(capsys, "board", ".")
    assert "holds no results" in refused(capsys, "share", ".")
    made_up_folder(here / "out")
    assert "is not a web address" in refused(capsys, "share", "out", "--url", "x")


@pytest.mark.slow
def test_the_json_of_verify_beside_a_submission_makes_it_recomputed(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = replace(write_vectors(here), tree=None, confounds=())
    reproduce(plan, here / "store", here / "out")
    status, out, _ = run(capsys, "verify", "out", "--store", "store", "--quiet", "--json")
    assert status == 0, out
    (here / "out" / "verification.json").write_text(out)
    (one,), _ = collect_submissions(here / "out")
    assert one.recomputed.startswith("recomputed, says its record of 20")


@pytest.mark.slow
def test_board_recomputes_the_numbers_of_results_folders(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = f"inat21:{grow(here / 'val', FOLDERS[3:9], each=3)}"
    flags = ("--models", "pixels", "--no-controls", "--metrics", "cophenetic_correlation", "--n-bootstrap", 19)
    status, _, err = run(capsys, "measure", "--data", data, *flags, "--store", "s", "--out", "out", "--quiet")
    assert status == 0, err
    reported, recomputed = (
        json.loads(run(capsys, "board", "out", *more, "--json")[1])["tables"]["board"]
        for more in ((), ("--verify", "--store", "s"))
    )
    assert {row["status"] for row in reported} == {"reported"}
    assert {row["status"] for row in recomputed} == {"recomputed"}
