"""Figures of a results folder: their files, the projection they draw, and which encoders they show as controls."""

from __future__ import annotations

import base64
import json
import shutil
from dataclasses import replace

import matplotlib as mpl
import pandas as pd
import pytest

from bioclip_probe import report
from bioclip_probe.errors import ProbeError
from bioclip_probe.extraction.settings import ExtractionSettings
from bioclip_probe.plots import FigureSettings, style
from bioclip_probe.plots.registry import REGISTRY
from bioclip_probe.report import gallery
from bioclip_probe.study import results
from bioclip_probe.study.collecting import collect
from tests.support.measurement_tables import measurements
from tests.support.small_study import FOLDERS, NOT_DRAWN, grow

pytestmark = pytest.mark.slow

CUSTOM = """
import numpy

class Mean:
    dimension = 3

    def preprocess(self, image):
        return numpy.asarray(image, dtype="float32").mean((0, 1))

    def encode(self, batch):
        return batch
"""


@pytest.fixture(scope="module")
def misnamed(tmp_path_factory):
    """Results of a control that is called like a model, and of a model that is called like a control."""
    folder = tmp_path_factory.mktemp("misnamed")
    grow(folder / "val", FOLDERS[:3], each=2)
    (folder / "mean.py").write_text(CUSTOM)
    models = ["reference=pixels", f"random-crop-vit=custom:{folder / 'mean.py'}:Mean", "color-histogram"]
    quiet = ExtractionSettings(device="cpu", progress=False)
    sample = collect(f"inat21:{folder / 'val'}", models, folder / "store", settings=quiet)
    table = measurements([*sample.embeddings]).assign(tree="taxonomy", split="all")
    tables = {"measurements": table}
    return sample, results.write(folder / "out", {"run": sample.run, **sample.record, "steps": {}}, tables)


def test_the_record_of_a_run_says_which_encoders_are_controls(misnamed):
    sample, found = misnamed
    said = {encoder["name"]: encoder["control"] for encoder in found.record["encoders"]}
    assert said == {"reference": True, "random-crop-vit": False, "color-histogram": True}
    assert sample.controls == list(found.controls) == ["reference", "color-histogram"]


def without_the_field(record):
    """Return the record of a run as it was before records of encoders had the field `control`."""
    older = [{key: known[key] for key in known if key != "control"} for known in record["encoders"]]
    return {**record, "encoders": older}


def test_a_run_keeps_the_name_that_it_had_before_its_record_had_the_field(misnamed):
    sample, found = misnamed
    assert replace(sample, record=without_the_field(sample.record)).run == sample.run == found.record["run"]


def test_a_results_folder_without_the_field_has_the_same_controls(misnamed):
    _, found = misnamed
    assert results.Results(found.folder, without_the_field(found.record)).controls == found.controls


@pytest.mark.parametrize("figure", ["headline", "agreement"])
def test_a_figure_mutes_controls_whatever_their_names(misnamed, figure):
    _, found = misnamed
    _, drawn = REGISTRY[figure].draw({"measurements": found.measurements}, FigureSettings(controls=found.controls))
    labels = {label.get_text(): label.get_color() for label in drawn.axes[0].get_yticklabels()}
    assert list(labels) == ["random-crop-vit", "reference", "colour histogram"]
    assert list(labels.values()) == [style.INK, style.MUTED, style.MUTED]


@pytest.fixture(scope="module")
def out(small_study):
    return small_study / "out"


def test_every_figure_has_its_table_and_its_record(out):
    for name in set(REGISTRY) - NOT_DRAWN:
        record = json.loads((out / "figures" / f"{name}.json").read_text())
        assert record["run"] == results.read(out).record["run"]
        assert (record["title"], record["caption"]) == (REGISTRY[name].title, REGISTRY[name].notes)
        assert len(pd.read_csv(out / "figures" / f"{name}.csv"))


def test_of_two_projections_the_last_is_drawn(out, tmp_path):
    shutil.copytree(out, tmp_path / "out")
    found = results.read(tmp_path / "out")
    other = found.coordinates.assign(mode="paper").astype({"mode": "str"})
    found = results.write(tmp_path / "out", found.record, {"coordinates": other})
    assert set(found.coordinates["mode"]) == {"paper", "corrected"}
    report.draw(found, "drilldown")
    assert set(pd.read_csv(tmp_path / "out" / "figures" / "drilldown.csv")["mode"]) == {"paper"}


def test_a_figure_may_be_drawn_elsewhere(out, tmp_path):
    assert report.draw(results.read(out), "headline", tmp_path / "mine.v1") == tmp_path / "mine.v1.png"
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".csv", ".json", ".pdf", ".png"]


def test_a_figure_that_cannot_be_drawn_has_a_reason_and_its_old_files_are_deleted(out, tmp_path):
    shutil.copytree(out, tmp_path / "out")
    found = replace(results.read(tmp_path / "out"), coordinates=None)
    drawn = report.draw_all(found)
    assert list(drawn) == list(REGISTRY)
    assert "holds no coordinates yet; run `bioclip-probe project" in str(drawn["drilldown"])
    assert not list((tmp_path / "out" / "figures").glob("drilldown.*"))
    assert drawn["headline"] == tmp_path / "out" / "figures" / "headline.png"


@pytest.mark.parametrize("least", [0, gallery.MOST_ROWS])
def test_figures_are_the_same_from_one_process_and_from_several(out, tmp_path, least, monkeypatch):
    monkeypatch.setattr(gallery, "LEAST_ROWS", least)
    shutil.copytree(out, tmp_path / "out", ignore=shutil.ignore_patterns("figures"))
    drawn = report.draw_all(results.read(tmp_path / "out"))
    assert {name for name, path in drawn.items() if isinstance(path, str)} == NOT_DRAWN
    for name in set(REGISTRY) - NOT_DRAWN:
        for ending in ("csv", "png"):
            own = drawn[name].with_suffix(f".{ending}").read_bytes()
            assert own == (out / "figures" / f"{name}.{ending}").read_bytes()


def test_the_page_takes_figures_that_other_processes_draw_already(out, tmp_path, monkeypatch):
    monkeypatch.setattr(gallery, "LEAST_ROWS", 0)
    monkeypatch.setattr(gallery, "available_processors", lambda: 2)
    monkeypatch.setattr(gallery, "REGISTRY", {name: REGISTRY[name] for name in ("headline", "staircase", "layers")})
    shutil.copytree(out, tmp_path / "out", ignore=shutil.ignore_patterns("figures", "report.html"))
    with report.drawing(results.read(tmp_path / "out")) as figures:
        begun = figures.begun["headline"].result()  # drawn by the other process
        page = report.write(tmp_path / "out", progress=False, figures=figures).read_text("utf-8")
    assert begun == ""
    assert page.count("data:image/png;base64,") == 2
    for name in ("headline", "staircase"):
        own = (tmp_path / "out" / "figures" / f"{name}.png").read_bytes()
        assert own == (out / "figures" / f"{name}.png").read_bytes()
        assert base64.b64encode(own).decode() in page


def test_what_a_notebook_has_set_changes_no_figure(out, tmp_path, monkeypatch):
    monkeypatch.setattr(gallery, "REGISTRY", {"headline": REGISTRY["headline"]})
    shutil.copytree(out, tmp_path / "out", ignore=shutil.ignore_patterns("figures"))
    with mpl.rc_context({"axes.facecolor": "red", "savefig.bbox": "tight"}):
        drawn = gallery.Drawing(results.read(tmp_path / "out"), None, {}).finish(progress=False)
        assert mpl.rcParams["axes.facecolor"] == "red"
    assert drawn["headline"].read_bytes() == (out / "figures" / "headline.png").read_bytes()


def test_an_unknown_figure_is_refused(out):
    with pytest.raises(ProbeError, match="no figure 'headlines'; did you mean headline"):
        report.draw(results.read(out), "headlines")
