"""The output of a command: for a reader as it comes, for a program as one object."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bioclip_probe.cli.output import SCHEMA, Output

TABLE = pd.DataFrame(
    {
        "encoder": pd.array(["bioclip", None], dtype="str"),
        "value": [0.123456789, np.nan],
        "shots": pd.array([3, None], dtype="Int64"),
        "high": [np.inf, -np.inf],
        "matches": [True, False],
    }
)


def test_a_program_gets_one_object_with_null_for_what_is_not_a_number(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output("measure", as_json=True)
    output.line("for readers")
    output.entry("name", "for readers")
    output.fact("folder", Path("results"))
    output.table("numbers", TABLE, TABLE.head(0))
    output.table("indexed", TABLE.set_index("encoder")[["value"]].head(1))
    output.close()
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert json.loads(out) == {
        "schema": SCHEMA,
        "command": "measure",
        "folder": "results",
        "tables": {
            "numbers": [
                {"encoder": "bioclip", "value": 0.123456789, "shots": 3, "high": None, "matches": True},
                {"encoder": None, "value": None, "shots": None, "high": None, "matches": False},
            ],
            "indexed": [{"encoder": "bioclip", "value": 0.123456789}],
        },
    }


def test_a_reader_gets_lines_and_tables(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output("measure")
    output.line("first")
    output.fact("folder", "results")
    output.rows("hidden", TABLE)
    output.table("numbers", TABLE, TABLE[["encoder", "value"]])
    output.table("none", TABLE.head(0), empty="nothing")
    output.close()
    assert capsys.readouterr().out == "first\nencoder  value\nbioclip  0.123\n      -      -\nnothing\n"


def test_what_a_library_prints_does_not_come_between(capsys: pytest.CaptureFixture[str]) -> None:
    with Output("measure", as_json=True).only_json():
        print("a library talks")
    with Output("measure").only_json():
        print("a line")
    assert capsys.readouterr() == ("a line\n", "a library talks\n")


def test_the_content_of_a_part_has_neither_schema_nor_command() -> None:
    part = Output("run", as_json=True).part()
    part.fact("report", "r")
    assert part.content() == {"report": "r", "tables": {}}
