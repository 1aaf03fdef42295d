"""The page of a board: it stands alone, holds every number, and shows hostile names as they are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bioclip_probe.files import sha256_of_bytes
from bioclip_probe.report.sharing.board_page import Board, axis_of, read_board
from bioclip_probe.study.submission import as_json
from tests.support.report_pages import Page
from tests.support.submissions import PROTOCOL, of_values, valid

HOSTILE = "</style><script>alert(1)</script><img src=x onerror=alert(1)>\" onload='x' \u202e{{ 7 * 7 }}\n"


@pytest.fixture
def text(tmp_path: Path) -> str:
    """The page of three submissions, one of them of another instance, and of two that stand apart."""
    other = {"id": PROTOCOL, "instance": sha256_of_bytes(b"other"), "parts": {"images": "0f", "seed": 0}}
    contents = {
        "a": of_values({"a": 0.5, "b": 0.4}, {("a", "b"): 1e-4}, who="Ada"),
        "b": valid(who="Bo"),
        "c": valid(protocol=other, simulated=False),
        "d": valid(protocol=None),
        "e": valid(run=""),
    }
    for name, content in contents.items():
        (tmp_path / f"{name}-submission.json").write_text(as_json(content), encoding="utf-8")
    return read_board(tmp_path).write(tmp_path / "pages" / "board.html").read_text("utf-8")


def test_it_loads_nothing_and_runs_no_script(text: str) -> None:
    page = Page(text)
    assert not {"script", "img", "iframe", "link", "object"} & set(page.tags)
    assert all(link.startswith("#") and link[1:] in page.ids for link in page.links)
    assert "default-src 'none'" in text
    assert "url(" not in text and "@import" not in text


def test_it_has_a_section_for_each_instance_and_a_table_for_each_endpoint(text: str) -> None:
    assert re.findall(r"<h2[^>]*>(.*?)</h2>", text)[:2] == [
        "1. <bdi>birds</bdi>, 90 images",
        "2. <bdi>birds</bdi>, 90 images",
    ]
    assert len(re.findall('<table class="board">', text)) == 8
    assert "Not comparable with section 1: another instance: it differs in images." in text
    assert text.count("<strong>Simulated:</strong>") == 1


def test_submissions_that_stand_apart_are_listed_with_the_reason(text: str) -> None:
    apart = text.partition('id="apart"')[2]
    assert "d-submission.json" in apart
    assert "it names no protocol" in apart
    assert "e-submission.json</bdi></code> is not a valid submission" in apart
    assert "run: has 0 entries" in apart


def test_each_row_has_place_interval_drawing_and_status(text: str) -> None:
    rows = re.findall(r'<tr class="control">.*?</tr>|<tr>\s*<td class="place">.*?</tr>', text, re.DOTALL)
    assert len(rows) == 7 + 3 * 4 + 4 * 4  # pixels of a and of b differ: two rows in the first table
    assert all("<svg" in row and ">reported</span>" in row for row in rows)
    assert all("0.460 to 0.540" in row for row in rows if "<bdi>a</bdi>" in row)
    controls = [row for row in rows if "control" in row.partition(">")[0]]
    assert len(controls) == 3 + 3 * 2 + 4 * 2
    assert all('<td class="place"></td>' in row for row in controls)


def test_hostile_names_are_text_everywhere(tmp_path: Path) -> None:
    content = valid((HOSTILE, "clip"), ("pixels",), who=HOSTILE, licence=HOSTILE)
    content["dataset"]["name"] = HOSTILE
    content["protocol"]["parts"] = {HOSTILE: HOSTILE, "list": [HOSTILE]}
    content["software"] = {"bioclip_probe": HOSTILE}
    for model in content["models"]:
        model |= {"id": HOSTILE, "revision": HOSTILE, "precision": HOSTILE}
        for number in model["endpoints"]:
            number |= {"title": HOSTILE, "tree": HOSTILE, "unit": HOSTILE, "note": HOSTILE}
            number |= {"interval": None, "level": None, "no_interval_because": HOSTILE}
    for difference in content["differences"]:
        difference["tree"] = HOSTILE
    (tmp_path / "<img src=x>-submission.json").write_text(as_json(content), encoding="utf-8")
    (tmp_path / "<b>bad-submission.json").write_text('{"<img src=x>": 1}')
    board = read_board(tmp_path)
    assert len(board.sections) == 1
    text = board.write(tmp_path / "board.html").read_text("utf-8")
    page = Page(text)
    assert not {"script", "img"} & set(page.tags)
    assert page.tags.count("style") == 1
    assert "\u202e" not in text
    assert "49" not in re.findall(r"<bdi>[^<]*7 \* 7[^<]*</bdi>", text)[0]


def test_the_table_has_a_row_for_each_number(tmp_path: Path) -> None:
    (tmp_path / "submission.json").write_text(as_json(valid(who="Ada")))
    table = read_board(tmp_path).table()
    assert len(table) == 4 * 4
    assert set(table["status"]) == {"reported"}
    assert set(table["submitted_by"]) == {"Ada"}
    assert table.loc[table["control"], "place"].eq("–").all()


def test_an_empty_board_is_a_page_too(tmp_path: Path) -> None:
    assert "0 submissions in 0 sections" in Board([], [], []).write(tmp_path / "b.html").read_text("utf-8")


def test_the_axis_shows_zero_and_all_ends(tmp_path: Path) -> None:
    (tmp_path / "submission.json").write_text(as_json(of_values({"a": 0.5}, {})))
    axis = axis_of(read_board(tmp_path).sections[0].tables[0].rows)
    assert axis.low < 0 < 0.54 < axis.high
    assert 0 < axis.x(0.0) < axis.x(0.54) < 200


def test_an_axis_of_zeros_has_a_length() -> None:
    assert axis_of([]).high > axis_of([]).low
