"""Accuracy against alignment: which numbers are points, and which models have none."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bioclip_probe.errors import DataError
from bioclip_probe.plots import FigureSettings
from bioclip_probe.plots.figures.alignment import ACCURACY, PANELS, alignment_rows, draw_alignment
from tests.support.drawn_study import CONTROLS, tables


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return alignment_rows(tables(), FigureSettings())


def test_each_protocol_has_a_panel_on_shared_axes_with_a_point_for_each_model(rows):
    figure = draw_alignment(rows[~rows["encoder"].str.startswith("layer")], FigureSettings(controls=CONTROLS))
    assert [axes.get_title(loc="left") for axes in figure.axes] == list(PANELS.values())
    assert len({(axes.get_xlim(), axes.get_ylim()) for axes in figure.axes}) == 1
    names = [{text.get_text() for text in axes.texts} - {"chance"} for axes in figure.axes]
    assert names == [{"BioCLIP", "CLIP", "pixels", "colour histogram"}] * 2


def test_a_model_without_accuracy_has_no_point_and_none_at_all_is_refused(rows):
    table = rows[~rows["encoder"].str.startswith("layer")].copy()
    of_clip = table["encoder"].eq("clip") & table["metric"].eq(ACCURACY)
    table.loc[of_clip, "value"] = np.nan
    assert "CLIP" not in {text.get_text() for text in draw_alignment(table, FigureSettings()).axes[0].texts}
    table.loc[table["metric"].eq(ACCURACY), "value"] = np.nan
    with pytest.raises(DataError, match="no model has both a CPCC and an accuracy"):
        draw_alignment(table, FigureSettings())
