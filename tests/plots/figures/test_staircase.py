"""The staircase: a panel for each model, its medians, its scale, and what it refuses."""

from __future__ import annotations

import pytest

from bioclip_probe.errors import DataError
from bioclip_probe.plots import FigureSettings
from bioclip_probe.plots.figures.staircase import draw_staircase
from tests.support.measurement_tables import measurements


def test_each_model_has_a_panel_with_its_medians():
    figure = draw_staircase(measurements(), FigureSettings(controls=("pixels",)))
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["CLIP", "BioCLIP", "pixels"]
    for axes in figure.axes:
        assert [tick.get_text() for tick in axes.get_xticklabels()] == ["none", "order", "genus"]
        medians = axes.collections[1].get_segments()
        assert [segment[0][1] for segment in medians] == pytest.approx([0.6, 0.4, 0.2])
        assert [bar.get_height() for bar in axes.patches] == pytest.approx([0.11] * 3)
    assert {text.get_text() for text in figure.legends[0].get_texts()} == {"median", "middle half", "5 to 95 %", "mean"}


def test_no_model_is_cut_off_whichever_comes_first():
    table = measurements()
    distance = table["metric"].str.startswith("lca_distance") & (table["encoder"] == "pixels")
    table.loc[distance, "value"] *= 1.9
    for models in (("clip", "pixels"), ("pixels", "clip")):
        for axes in draw_staircase(table, FigureSettings(models)).axes:
            bottom, top = axes.get_ylim()
            assert bottom == 0
            assert top > table.loc[distance, "value"].max()


def test_the_median_alone_is_enough_and_is_needed():
    table = measurements()
    figure = draw_staircase(table[table["metric"] == "lca_distance_q50"])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["median"]
    with pytest.raises(DataError, match="the median"):
        draw_staircase(table[table["metric"] == "lca_distance_mean"])
    with pytest.raises(DataError, match=r"unknown rank of a common ancestor: \['tribe'\]"):
        draw_staircase(table.assign(rank="tribe").drop_duplicates(["encoder", "space", "metric"]))
