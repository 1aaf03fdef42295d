"""Figures of a study: which encoders they show as controls."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bioclip_probe.extraction.settings import ExtractionSettings
from bioclip_probe.plots import style
from bioclip_probe.report.gallery import FIGURES
from bioclip_probe.study import results
from bioclip_probe.study.sample import collect
from tests.support.measurement_tables import measurements
from tests.support.small_study import FOLDERS, grow

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
    drawn = FIGURES[figure].draw(found, FIGURES[figure].rows(found))
    labels = {label.get_text(): label.get_color() for label in drawn.axes[0].get_yticklabels()}
    assert list(labels) == ["random-crop-vit", "reference", "colour histogram"]
    assert list(labels.values()) == [style.INK, style.MUTED, style.MUTED]
