"""CPCC beyond each control: the marks, and the order of models and controls."""

from __future__ import annotations

import pandas as pd
import pytest

from bioclip_probe.errors import DataError
from bioclip_probe.plots import FigureSettings
from bioclip_probe.plots.figures.controls import RESIDUAL, control_rows, draw_controls
from tests.support.measurement_tables import measurements


def study() -> pd.DataFrame:
    table = measurements(("pixels", "clip", "bioclip")).assign(tree="taxonomy", split="all")
    beyond = table.query("metric == 'cophenetic_correlation' and space == 'raw' and encoder != 'pixels'")
    beyond = beyond.assign(metric=RESIDUAL, encoder_b="pixels", value=[0.25, 0.15], ci_low=None, ci_high=None)
    return pd.concat([table, beyond.astype({"ci_low": float, "ci_high": float})], ignore_index=True)


def test_a_full_dot_is_cpcc_and_an_open_mark_what_is_left_and_controls_come_last():
    rows = control_rows({"measurements": study()}, FigureSettings())
    assert len(rows) == 5
    axes = draw_controls(rows, FigureSettings()).axes[0]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["CLIP", "BioCLIP", "pixels"]
    marks = {line.get_marker(): [] for line in axes.lines}
    for line in axes.lines:
        marks[line.get_marker()] += [round(float(value), 3) for value in line.get_xdata()]
    assert marks["o"] == [0.4, 0.3, 0.5]
    assert marks["s"] == [0.25, 0.15]


def test_models_can_be_chosen_and_their_controls_stay():
    rows = control_rows({"measurements": study()}, FigureSettings())
    axes = draw_controls(rows, FigureSettings(models=["bioclip"])).axes[0]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["BioCLIP", "pixels"]
    with pytest.raises(DataError, match="none of the models was measured"):
        draw_controls(rows[rows["metric"] != RESIDUAL], FigureSettings(models=["dino"]))
