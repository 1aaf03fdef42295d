"""Estimates of a study: its pieces, times near the true ones, and the reasons why it cannot run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from bioclip_probe.encoders.hub import NotDownloadedError
from bioclip_probe.errors import DataError
from bioclip_probe.probes.settings import ProbeSettings
from bioclip_probe.study.checkpoints import ABOUT, FOLDER
from bioclip_probe.study.estimates import estimate
from bioclip_probe.study.examples import corvid_plan
from bioclip_probe.study.plan import Plan
from bioclip_probe.study.run import run_steps
from bioclip_probe.study.step_estimates import Estimate
from tests.support.small_study import CONTROLS, plan

#: An estimate without any earlier run is right to this factor, on any machine that runs tests.
GENEROUS = 40


def seconds_of(estimated: Estimate, step: str) -> tuple[float, float]:
    """Return the shortest and the longest time of a step."""
    lines = [line for line in estimated.lines if line.step == step]
    return sum(line.seconds[0] for line in lines), sum(line.seconds[1] for line in lines)


def taken(out: Path, step: str) -> float:
    """Return the seconds that the pieces of a step took."""
    heads = (pq.read_schema(path).metadata[b"PANDAS_ATTRS"] for path in (out / FOLDER / step).glob("*.parquet"))
    return sum(json.loads(json.loads(head)[ABOUT])["seconds"] for head in heads)


@pytest.fixture
def small(small_study: Path) -> Plan:
    """Return the plan of the small study."""
    return plan(small_study / "val", tree=small_study / "tree.nwk", tree_unit="Myr")


@pytest.mark.slow
@pytest.mark.parametrize("step", ["measure", "project"])
def test_times_are_near_those_that_the_study_takes(small: Plan, small_study: Path, tmp_path: Path, step: str) -> None:
    seconds = taken(small_study / "out", step)
    low, high = seconds_of(estimate(small, small_study / "store", tmp_path / "out"), step)
    assert low / GENEROUS < seconds < high * GENEROUS
    beside = estimate(small, small_study / "store", small_study / "next")
    low, high = seconds_of(beside, step)
    assert low < seconds < high, "the pieces of an earlier run correct the estimate"
    assert all("earlier pieces" in line.source for line in beside.lines if line.step == step)


@pytest.mark.slow
def test_what_is_there_is_not_counted(small: Plan, small_study: Path) -> None:
    estimated = estimate(small, small_study / "store", small_study / "out")
    assert {line.to_do for line in estimated.lines if line.step != "report"} == {""}
    assert [line.subject for line in estimated.lines if line.step == "embed"] == list(CONTROLS)


def test_only_the_steps_that_are_asked_for_are_estimated_and_nothing_is_written(tmp_path: Path) -> None:
    made = corvid_plan(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    for steps in ((), ("measure",), ("project",), ("measure", "probe", "project")):
        lines = estimate(made, tmp_path / "store", tmp_path / "out", steps).lines
        assert {line.step for line in lines} - {"embed", "report", "probe"} == set(steps) - {"probe"}
        assert ("report" in {line.step for line in lines}) == (len(steps) == 3)
    assert sorted(tmp_path.rglob("*")) == before


def test_the_results_of_another_dataset_stop_it_unless_they_may_be_replaced(tmp_path: Path) -> None:
    run_steps(corvid_plan(tmp_path), tmp_path / "store", tmp_path / "out", ["measure"])
    np.savez(tmp_path / "ravens.npz", ids=np.array(["a", "b"]), vectors=np.eye(2), genus=["Corvus", "Perisoreus"])
    other = replace(corvid_plan(tmp_path), data=f"vectors:{tmp_path / 'ravens.npz'}")
    with pytest.raises(DataError, match="another run"):
        estimate(other, tmp_path / "store", tmp_path / "out", ["measure"])
    assert estimate(other, tmp_path / "store", tmp_path / "out", ["measure"], overwrite=True).lines


def test_a_model_that_must_be_downloaded_is_told_with_its_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_study: Path
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(NotDownloadedError, "n_bytes", lambda error: 600_000_000)
    made = replace(plan(small_study / "val"), models=("bioclip", "pixels"))
    estimated = estimate(made, small_study / "store", tmp_path / "out", ["measure"])
    lines = {line.subject: line for line in estimated.lines if line.step == "embed"}
    assert lines["bioclip"].to_do == "60 images, after a download of 600.0 MB"
    assert estimated.disk >= 600_000_000
    assert not estimated.complete
    assert estimated.notes == ("without the pieces of bioclip, whose weights must be downloaded first",)
    assert {line.subject for line in estimated.lines if line.step == "measure"} == {"pixels"}


@pytest.mark.slow
def test_names_that_are_not_embedded_yet_are_part_of_the_plan(small_study: Path, tmp_path: Path) -> None:
    made = replace(
        plan(small_study / "val"), models=("world-generic", "pixels"), probe=ProbeSettings(probes=("zero_shot",))
    )
    lines = estimate(made, tmp_path / "store", tmp_path / "out").lines
    assert [line.subject for line in lines if line.step == "names"] == ["world-generic"]
    assert {line.step for line in lines} == {"embed", "names", "measure", "probe", "project", "report"}
