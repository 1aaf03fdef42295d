"""The commands that compare: two models of a results folder, and its numbers with published ones."""

from __future__ import annotations

import json

import pytest

from bioclip_probe.study import results
from bioclip_probe.tables import MEASUREMENTS
from tests.support.command_line import refused, run


@pytest.fixture
def folder(tmp_path):
    """A results folder of two models and a control, which hold CPCC and its differences."""
    shared = {"space": "raw", "tree": "taxonomy", "rank": "species", "split": "all", "simulated": False}
    cpcc = {"metric": "cophenetic_correlation", **shared}
    difference = {"metric": "cophenetic_correlation_difference", **shared}
    rows = [
        {**cpcc, "encoder": "bioclip", "value": 0.5},
        {**cpcc, "encoder": "clip", "value": 0.25},
        {**cpcc, "encoder": "pixels", "value": 0.0},
        {**difference, "encoder": "bioclip", "encoder_b": "clip", "value": 0.25, "ci_low": 0.125, "ci_high": 0.375,
         "p_value": 0.0001},
        {**difference, "encoder": "bioclip", "encoder_b": "pixels", "value": 0.5},
    ]  # fmt: skip
    names = {"bioclip": False, "clip": False, "pixels": True}
    encoders = [{"name": name, "id": name, "control": control} for name, control in names.items()]
    record = {"run": "r", "dataset": {"name": "birds", "simulated": False}, "encoders": encoders, "steps": {}}
    results.write(tmp_path / "out", record, {"measurements": MEASUREMENTS.frame(rows)})
    return tmp_path / "out"


def test_models_are_compared_and_controls_only_on_request(folder, capsys):
    status, out, _ = run(capsys, "compare", "--out", folder)
    assert status == 0
    assert "bioclip less clip" in out and "pixels" not in out
    numbers = out.splitlines()[-2].split()
    assert numbers[:8] == "cophenetic_correlation species 0.500 0.250 0.250 0.125 0.375 <0.001".split()
    assert "bioclip less pixels" in run(capsys, "compare", "bioclip", "pixels", "--out", folder)[1]


def test_the_order_of_the_models_is_that_of_the_difference(folder, capsys):
    out = run(capsys, "compare", "clip", "bioclip", "--out", folder)[1]
    assert out.splitlines()[-2].split()[2:7] == "0.250 0.500 -0.250 -0.375 -0.125".split()


@pytest.mark.parametrize("given, line", [
    (["bioclip"], "expected two models to compare; got bioclip; the folder has bioclip, clip, pixels"),
    (["bioclip", "clop"], "no encoder 'clop'; did you mean clip"),
    (["bioclip", "bioclip"], "expected two encoders; got 'bioclip' twice"),
    (["bioclip", "clip", "--metrics", "silhouet"], "no metric 'silhouet'; did you mean silhouette"),
    (
        ["bioclip", "clip", "--metrics", "silhouette"],
        "no difference of bioclip and clip was measured; name it among the metrics: silhouette_difference",
    ),
])  # fmt: skip
def test_what_cannot_be_compared_is_one_line(folder, capsys, given, line):
    assert line in refused(capsys, "compare", *given, "--out", folder)


def test_a_program_gets_all_columns(folder, capsys):
    content = json.loads(run(capsys, "compare", "--out", folder, "--json")[1])
    (row,) = content["tables"]["differences"]
    assert (row["encoder"], row["encoder_b"], row["difference"]) == ("bioclip", "clip", 0.25)
    assert row["p_adjusted"] == pytest.approx(0.0001)
