"""Tables and listings on the terminal."""

from __future__ import annotations

import pytest

from tests.support.command_line import run


@pytest.mark.parametrize("columns", [80, 200])
def test_lists_fit_the_terminal(capsys, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    for command in ("models", "datasets"):
        assert max(map(len, run(capsys, command)[1].splitlines())) <= columns


@pytest.mark.slow
def test_one_picture_has_no_number(few, here, capsys):
    (here / "one.csv").write_text(f"path,genus,species\n{next(here.rglob('*.png'))},Pica,pica\n")
    given = ("--data", "table:one.csv", "--models", "pixels", "--quiet")
    status, _, error = run(capsys, "measure", "--no-controls", *given)
    assert status == 2 and "one species" in error and error.count("\n") == 1
    assert run(capsys, "taxa", "--rank", "class", *given)[1] == "pixels: 0 taxa of rank class\n"
