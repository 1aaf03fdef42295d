"""Curves of sample efficiency: a panel for each rank, the number of images on a logarithmic axis."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bioclip_probe.errors import DataError
from bioclip_probe.plots import FigureSettings, curves
from bioclip_probe.plots.style import model_styles
from tests.support.measurement_tables import measurements


def by_shots() -> pd.DataFrame:
    """Return accuracy at two ranks after 1, 4 and all images."""
    table = measurements().query("metric == 'top1_accuracy' and space == 'raw' and rank in ('order', 'species')")
    tables = [table.assign(shots=shots, value=table["value"] - loss) for shots, loss in ((1, 0.3), (4, 0.1), (None, 0))]
    return pd.concat(tables, ignore_index=True)


def test_each_rank_has_a_panel_and_all_images_are_the_right_end():
    table = by_shots()
    order, species = curves(table, FigureSettings(controls=("pixels",))).axes
    assert [axes.get_title(loc="left") for axes in (order, species)] == ["Orders (3)", "Species (3)"]
    assert [tick.get_text() for tick in order.get_xticklabels()] == ["1", "4", "all"]
    color = model_styles(["clip", "bioclip"])["clip"].color
    (line,) = [line for line in order.lines if line.get_color() == color]
    np.testing.assert_array_equal(line.get_xdata(), [0, 2, 3])
    own = table.query("encoder == 'clip' and rank == 'order'")
    np.testing.assert_allclose(line.get_ydata(), own["value"])


def test_ranks_without_a_curve_are_left_out():
    table = by_shots()
    figure = curves(table[(table["rank"] == "order") | table["shots"].isna()])
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["Orders (3)"]


def test_without_any_number_of_images_there_is_no_curve():
    with pytest.raises(DataError, match="no Accuracy after a number of images"):
        curves(measurements())
    with pytest.raises(DataError, match="2 rows for clip, order, 1"):
        curves(pd.concat([by_shots(), by_shots().head(1)]))
