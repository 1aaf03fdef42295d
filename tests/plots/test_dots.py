"""Many measures at one look: what is drawn, printed and refused."""

from __future__ import annotations

import numpy as np
import pytest

from bioclip_probe.errors import DataError
from bioclip_probe.plots import FigureSettings, dots
from bioclip_probe.plots.lines import CUT
from tests.support.measurement_tables import measurements, texts


def rows(space="raw"):
    table = measurements()
    table = table[(table["space"] == space) & table["rank"].isin(["species", None])]
    return table[table["metric"].isin(["cophenetic_correlation", "cluster_purity"])].reset_index(drop=True)


METRICS = ["cophenetic_correlation", "cluster_purity", "not_measured"]


def test_each_metric_has_a_panel_and_each_model_a_dot_with_controls_last():
    table = rows()
    first, second = dots(table, METRICS, FigureSettings(controls=("pixels",))).axes
    assert [tick.get_text() for tick in first.get_yticklabels()] == ["CLIP", "BioCLIP", "pixels"]
    own = table[table["metric"] == "cophenetic_correlation"].set_index("encoder").loc[["clip", "bioclip", "pixels"]]
    points = [line for line in first.lines if len(line.get_xdata()) == 1]
    assert [float(line.get_xdata()[0]) for line in points] == own["value"].tolist()
    np.testing.assert_allclose([c.get_segments()[0][:, 0] for c in first.collections], own[["ci_low", "ci_high"]])
    assert [text.get_text() for text in first.texts] == [f"{value:.2f}" for value in own["value"]]
    assert first.get_title(loc="left") == "Cophenetic correlation (CPCC)"
    assert [line.get_xdata()[0] for line in second.lines if len(line.get_xdata()) == 2] == [
        pytest.approx(table.loc[table["metric"] == "cluster_purity", "chance"].mean())
    ]


def test_an_undefined_number_is_a_dash_without_a_dot():
    table = rows()
    table.loc[(table["encoder"] == "clip") & (table["metric"] == "cophenetic_correlation"), ["value", "ci_low"]] = (
        np.nan
    )
    axes = dots(table, METRICS[:1]).axes[0]
    assert [text.get_text() for text in axes.texts] == ["–", "0.40", "0.30"]
    assert len([line for line in axes.lines if len(line.get_xdata()) == 1 and line.get_gid() != CUT]) == 2


def test_simulated_data_are_marked():
    assert "simulated data" in texts(dots(rows(), METRICS, FigureSettings(simulated=True)))


def test_unknown_metrics_and_two_rows_for_one_dot_are_refused():
    with pytest.raises(DataError, match="no rows to draw for the metric nothing"):
        dots(rows(), ["nothing"])
    table = measurements()
    with pytest.raises(DataError, match="they differ in rank"):
        dots(table, ["cluster_purity"])
