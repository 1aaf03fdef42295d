"""A sample becomes a study: settings, steps, the results folder, and what a second call does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import bioclip_probe as bp
from bioclip_probe.errors import DataError, ProbeError
from bioclip_probe.notebook.running import default_folder
from bioclip_probe.study import read_studies, results
from tests.support.notebook_samples import SMALL, array_sample, lineages, picture_frame, vectors


def pieces(folder):
    return {path.name: path.stat().st_mtime_ns for path in (folder / "pieces").rglob("*.parquet")}


def test_a_study_measures_what_the_functions_measure(tmp_path):
    sample = array_sample()
    study = bp.study(sample, tmp_path / "out", **SMALL)
    assert list(study.results.record["steps"]) == ["measure", "probe", "project"]
    own = bp.measure(sample, SMALL["measure"])
    both = own.merge(study.measurements.table, on=["encoder", "space", "tree", "rank", "split", "metric"])
    assert len(both) == len(own)
    pd.testing.assert_series_equal(both["value_x"], both["value_y"], check_names=False)


def test_a_second_call_computes_nothing_and_other_settings_replace_the_tables(tmp_path):
    sample = array_sample()
    before = pieces(bp.study(sample, tmp_path / "out", **SMALL).folder)
    again = bp.study(sample, tmp_path / "out", **SMALL)
    assert pieces(again.folder) == before != {}
    few = {**SMALL, "measure": replace(SMALL["measure"], metrics=("silhouette",))}
    study = bp.study(sample, tmp_path / "out", **few, steps=["measure"])
    assert study.measurements.metrics == ["silhouette"]
    assert study.results.predictions is None


def test_the_folder_is_in_the_cache_by_default(tmp_path, monkeypatch):
    monkeypatch.setenv("BIOCLIP_PROBE_CACHE", str(tmp_path / "cache"))
    sample = array_sample()
    study = bp.study(sample, **SMALL, steps=["project"])
    assert study.folder == default_folder(sample) == tmp_path / "cache" / "studies" / sample.run


def test_controls_stand_behind_the_models_and_are_not_compared(tmp_path):
    sample = array_sample()
    encoders = [{**encoder, "control": encoder["name"] == "one"} for encoder in sample.record["encoders"]]
    study = bp.study(replace(sample, record={**sample.record, "encoders": encoders}), tmp_path / "out", **SMALL)
    assert (study.models, study.controls) == (["two"], ["one"])
    assert study.coordinates["encoder"].unique().tolist() == ["two"]


def test_where_all_are_controls_they_are_compared(tmp_path):
    sample = array_sample()
    encoders = [{**encoder, "control": True} for encoder in sample.record["encoders"]]
    study = bp.study(replace(sample, record={**sample.record, "encoders": encoders}), tmp_path / "out", **SMALL)
    assert study.models == ["one", "two"]


def test_the_results_of_another_run_are_not_replaced(tmp_path):
    bp.study(array_sample(), tmp_path / "out", **SMALL, steps=["project"])
    other = bp.from_arrays({"other": vectors(2)}, lineages(), name="birds")
    with pytest.raises(DataError, match="holds the results of another run"):
        bp.study(other, tmp_path / "out", **SMALL)


def test_a_study_that_can_be_run_again_leaves_its_study_file(tmp_path):
    picture_frame(tmp_path).to_csv(tmp_path / "birds.csv", index=False)
    quiet = bp.ExtractionSettings(progress=False, device="cpu")
    data = bp.dataset(tmp_path / "birds.csv")
    sample = bp.collect(data, ["pixels", "color-histogram"], store=tmp_path / "store", settings=quiet)
    out = bp.study(sample, tmp_path / "out", **SMALL).folder
    (study,) = read_studies((out / "study.toml").read_text())
    assert (study.plan.data, study.plan.models) == ("table-birds", ("pixels", "color-histogram"))
    assert study.plan.measure == SMALL["measure"]
    assert not (
        bp.study(array_sample(), tmp_path / "arrays", **SMALL, steps=["project"]).folder / "study.toml"
    ).exists()


@pytest.mark.parametrize("given, options, line", [
    (lineages(), {}, "expected a sample, as bioclip_probe.collect or bioclip_probe.from_arrays returns it"),
    (None, {"measure": 3}, "expected MeasureSettings of bioclip_probe; got a int"),
    (None, {"probe": bp.MeasureSettings()}, "expected ProbeSettings of bioclip_probe; got a MeasureSettings"),
    (None, {"steps": ["measures"]}, "no step 'measures'; did you mean measure"),
    (None, {"steps": "measure"}, "expected a list of steps, some of measure, probe, project; got 'measure'"),
    (None, {"steps": ()}, "expected a list of steps, some of"),
    (bp.from_arrays({"one": vectors(1)}, lineages().assign(**lineages().iloc[0])), {}, "images of 'arrays' are of one"),
    (None, {"measure": bp.MeasureSettings(metrics=("cpcc",))}, "no metric 'cpcc'"),
])  # fmt: skip
def test_what_is_no_study_is_one_line(tmp_path, given, options, line):
    with pytest.raises(ProbeError, match=line) as error:
        bp.study(array_sample() if given is None else given, tmp_path / "out", **options)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


def test_the_subpackage_is_still_a_module():
    assert bp.study.results is results
    assert callable(bp.study)
    assert "study" in bp.__all__ and "study" in dir(bp)


def test_arguments_in_the_old_order_are_one_line():
    with pytest.raises(DataError, match=r"expected from_arrays\(vectors, frame\).*the first is a DataFrame"):
        bp.from_arrays(lineages(), {"one": vectors(0)})
    with pytest.raises(DataError, match="expected a pandas DataFrame with one row an image; got a ndarray"):
        bp.from_arrays({"one": vectors(0)}, np.zeros((24, 3)))
