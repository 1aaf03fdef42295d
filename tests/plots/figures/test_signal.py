"""Tree signal against dimension: where the points are, their colours, and what is left out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection

from bioclip_probe.errors import DataError
from bioclip_probe.plots import FigureSettings
from bioclip_probe.plots.figures.signal import CPCC, DIMENSION, SIGNAL, draw_signal
from tests.support.measurement_tables import measurements


def rows():
    table = measurements().query("metric == 'cophenetic_correlation' and space == 'raw'")
    dimension = table.assign(metric=DIMENSION, value=[2.0, 5.0, 9.0], ci_low=1.5, ci_high=11.0)
    return pd.concat([table, table.assign(metric=SIGNAL), dimension], ignore_index=True)


def points(axes):
    """Positions and numbers of all points."""
    drawn = [marks for marks in axes.collections if isinstance(marks, PathCollection)]
    return np.concatenate([marks.get_offsets() for marks in drawn])


def test_each_model_is_a_point_with_its_cpcc_as_colour():
    figure = draw_signal(rows(), FigureSettings(controls=("pixels",)))
    axes = figure.axes[0]
    assert sorted(points(axes).tolist()) == [[2.0, 0.5], [5.0, 0.4], [9.0, 0.3]]
    assert {text.get_text() for text in axes.texts} == {"CLIP", "BioCLIP", "pixels"}
    assert axes.get_xscale() == "log"
    assert figure.axes[1].get_ylabel() == "CPCC"


def test_a_model_without_one_of_the_two_numbers_has_no_point():
    table = rows()
    table.loc[(table["metric"] == SIGNAL) & (table["encoder"] == "clip"), "value"] = np.nan
    assert len(points(draw_signal(table, FigureSettings()).axes[0])) == 2
    assert len(points(draw_signal(table[table["metric"] != CPCC], FigureSettings()).axes[0])) == 2  # grey
    table.loc[table["metric"] == SIGNAL, "value"] = np.nan
    with pytest.raises(DataError, match="no model has both"):
        draw_signal(table, FigureSettings())
