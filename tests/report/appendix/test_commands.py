"""The commands that made a study, as a script."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioclip_probe.report.appendix.commands import commands_of, quoted, script_of
from tests.support.appendix_study import HOSTILE, made_up_results
from tests.support.command_line import run


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1), min_size=1))
def test_recorded_words_are_the_words_of_the_script(words: list[str]) -> None:
    assert shlex.split(quoted(shlex.join(words))) == words


@pytest.mark.parametrize(
    "command", ["bioclip-probe measure; rm -rf x", "bioclip-probe 'measure", "bioclip-probe $(rm x)"]
)
def test_nothing_but_the_command_runs(command: str) -> None:
    assert not set(";$(") & set("".join(quoted(command).split("'")[::2]))


def test_each_command_stands_once(tmp_path: Path) -> None:
    assert commands_of(made_up_results(tmp_path)) == ["bioclip-probe reproduce --data inat21:inat21-val"]


def test_a_run_from_python_has_its_study_file(tmp_path: Path) -> None:
    results = made_up_results(tmp_path)
    steps = {"measure": {"command": "ipykernel_launcher.py -f kernel.json"}}
    record = {**results.record, "steps": steps, "study": {"file": "study.toml"}}
    assert commands_of(replace(results, record=record)) == [f"bioclip-probe run study.toml --out {tmp_path}"]
    del record["study"]
    script = script_of(replace(results, record=record))
    assert "no command is recorded" in script
    assert "ipykernel" not in script


def test_a_comment_stays_on_its_line(tmp_path: Path) -> None:
    results = made_up_results(tmp_path, names=HOSTILE)
    record = {**results.record, "run": "a\nrm -rf x", "software": {"x\nrm": "1\nrm"}}
    lines = script_of(replace(results, record=record)).splitlines()
    assert not [line for line in lines if line.startswith("rm")]


@pytest.mark.usefixtures("no_figures")
def test_the_command_line_writes_an_appendix(tmp_path: Path, capsys, monkeypatch) -> None:
    results = made_up_results(tmp_path)
    monkeypatch.setattr("bioclip_probe.study.results.read", lambda folder: results)
    status, out, _ = run(capsys, "appendix", "--out", tmp_path, "--to", tmp_path / "paper", "--quiet")
    assert status == 0
    assert out.splitlines()[0] == str(tmp_path / "paper")
    assert (tmp_path / "paper" / "appendix.tex").exists()
