"""The drill-down of a sample, and the purity of its panels."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bioclip_probe import collect, study
from bioclip_probe.extraction.settings import ExtractionSettings
from bioclip_probe.projections import FIGURE_RANKS
from bioclip_probe.projections.settings import ProjectionSettings
from bioclip_probe.study import results
from tests.support.encoders import use_encoders
from tests.support.pictures import MeanColour
from tests.support.settings import FEW
from tests.support.small_study import FOLDERS, grow

pytestmark = pytest.mark.slow

KEY = results.KEYS["measurements"]


QUIET = ExtractionSettings(progress=False)


PCA = ProjectionSettings(methods=("pca",))


def test_coordinates_are_the_panels_of_the_record(found):
    drawn = found.coordinates.groupby(["encoder", "rank"], sort=False)
    for name, panels in found.record["steps"]["project"]["panels"].items():
        assert [panel["rank"] for panel in panels] == list(FIGURE_RANKS)
        for panel in panels:
            rows = drawn.get_group((name, panel["rank"]))
            assert len(rows) == panel["n_images"]
            plotted = rows[rows["plotted"]]["taxon"].value_counts().to_dict()
            assert plotted == panel["plotted"]
            assert bool(panel["note"]) == bool(rows["x"].isna().all())


def test_a_constant_encoder_is_measured_and_said_to_be_undefined(tmp_path, monkeypatch):
    class Constant(MeanColour):
        name = "constant"

        def encode(self, batch):
            return np.ones((len(batch), 3), np.float32)

    grow(tmp_path / "val", FOLDERS[4:7], each=3)
    use_encoders(monkeypatch, lambda name: Constant())
    sample = collect(f"inat21:{tmp_path / 'val'}", ["constant"], tmp_path / "store", settings=QUIET)
    table = study.measure(sample, FEW)
    assert (table.loc[table["value"].isna(), "note"] != "").all()
    correlations = table[table["metric"].isin(["cophenetic_correlation", "image_tree_correlation"])]
    assert correlations["value"].isna().all()
    assert table.loc[table["space"] == "centred", "note"].str.contains("without direction").all()
    drawn = study.project(sample)
    assert drawn.coordinates["x"].isna().all()
    json.dumps(drawn.panels)
    panels = study.measure_panels(sample, drawn.coordinates, FEW)
    assert (panels.loc[panels["metric"] == "panel_purity_2d", "note"] == "the panel could not be projected").all()


def test_small_panels_have_a_spread_over_seeds_and_a_control(tmp_path, monkeypatch):
    grow(tmp_path / "val", FOLDERS[:6], each=6)
    use_encoders(monkeypatch, lambda name: MeanColour())
    sample = collect(f"inat21:{tmp_path / 'val'}", ["mean/colour"], tmp_path / "store", settings=QUIET)
    once, some, all_panels = (
        study.project(sample, replace(PCA, n_seeds=n, repeat_up_to=most)) for n, most in ((1, 100), (4, 20), (4, 100))
    )
    assert once.repeats.empty
    counted = all_panels.coordinates.groupby("rank").size()
    assert some.repeats.groupby("rank").size().to_dict() == (4 * counted[counted <= 20]).to_dict()
    assert set(all_panels.repeats["seed"]) == {0, 1, 2, 3}
    for drawn in (some, all_panels):
        pd.testing.assert_frame_equal(drawn.coordinates, once.coordinates)

    table = study.measure_panels(sample, all_panels, FEW)
    spread = table[table["metric"].eq("panel_trustworthiness_seeds")]
    assert spread["null"].eq("axes").all() and spread["note"].eq("4 seeds").all() and spread["protocol"].eq("pca").all()
    assert spread["chance"].between(0, 1).all()
    assert table.loc[table["metric"].eq("panel_trustworthiness_seeds_sd"), "value"].max() < 1e-9  # PCA has no seed
    of_some = study.measure_panels(sample, some, FEW).set_index(["metric", "rank"])["note"]
    assert (of_some["panel_purity_2d_seeds"] == "the panel was projected once").sum() == (counted > 20).sum()
