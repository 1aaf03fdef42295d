"""The record of a results folder: a damaged or foreign one is refused in one line, whatever it holds."""

from __future__ import annotations

import copy
import json

import pytest

from bioclip_probe.errors import DataError
from bioclip_probe.study import results
from bioclip_probe.study.run_record import first_problem

RECORD = {
    "run": "0f",
    "dataset": {"name": "birds", "simulated": False},
    "encoders": [{"name": "clip", "id": "clip"}],
    "steps": {"measure": {"plan": {}}},
    "protocol": {"id": "treeoflife-alignment/1", "instance": "0f", "parts": {}},
}
DAMAGES = [
    (("run",), 3, "run: expected a text"),
    (("dataset",), [], "dataset: expected an object"),
    (("dataset", "simulated"), "no", "dataset.simulated: expected true or false"),
    (("encoders",), "clip", "encoders: expected a list"),
    (("encoders", 0), None, r"encoders\[0\]: expected an object"),
    (("encoders", 0, "name"), {}, r"encoders\[0\].name: expected a text"),
    (("steps",), None, "steps: expected an object"),
    (("steps", "measure"), [], "steps.measure: expected an object"),
    (("steps", "measure", "plan"), 3, "steps.measure.plan: expected an object"),
    (("protocol",), "treeoflife-alignment/1", "protocol: expected an object"),
    (("protocol", "parts"), None, "protocol.parts: expected an object"),
]


def test_a_record_has_no_problem():
    assert first_problem(RECORD) == first_problem({**RECORD, "protocol": None}) == ""


@pytest.mark.parametrize(("path", "value", "message"), DAMAGES, ids=range(len(DAMAGES)))
def test_damage_is_told_in_one_line(tmp_path, path, value, message):
    record = copy.deepcopy(RECORD)
    place = record
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    (tmp_path / "runs.json").write_text(json.dumps(record))
    with pytest.raises(DataError, match=rf"runs.json is damaged \({message}\); run the study again"):
        results.read(tmp_path)


@pytest.mark.parametrize("text", ["[]", "3", "null", "{", "[" * 100_000], ids=["list", "number", "null", "cut", "deep"])
def test_other_json_is_refused(tmp_path, text):
    (tmp_path / "runs.json").write_text(text)
    with pytest.raises(DataError, match=r"runs.json is damaged"):
        results.read(tmp_path)
