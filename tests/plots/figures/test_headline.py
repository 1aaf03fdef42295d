"""The headline: a dot and a number for each model."""

from __future__ import annotations

import numpy as np
import pytest

from bioclip_probe.plots import FigureSettings, by_rank
from bioclip_probe.plots.figures.headline import draw_headline
from tests.support.measurement_tables import measurements, texts


def test_a_metric_undefined_everywhere_is_drawn_empty():
    table = measurements()
    table.loc[table["metric"] == "cluster_purity", ["value", "chance", "ci_low", "ci_high"]] = np.nan
    by_rank(table, ["cluster_purity"])
    table.loc[table["metric"] == "cophenetic_correlation", ["value", "ci_low", "ci_high"]] = np.nan
    assert texts(draw_headline(table)).count("undefined") == 6


@pytest.mark.slow
def test_each_number_is_printed_with_its_interval():
    figure = draw_headline(measurements(), FigureSettings(controls=("pixels",)))
    axes = figure.axes[0]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["CLIP", "BioCLIP", "pixels"]
    assert axes.get_yticks().tolist() == sorted(axes.get_yticks(), reverse=True)
    printed = texts(figure)
    assert printed.count("0.50  [0.45, 0.54]") == 2  # raw and centred
    assert "raw" in printed
    assert "centred" in printed
    assert axes.get_xlabel() == "Cophenetic correlation (CPCC); bars: 95 % intervals over species\n3 taxa, 9 images"
    dots = [line for line in axes.lines if line.get_marker() == "o"]
    assert sorted(line.get_xdata()[0] for line in dots) == pytest.approx([0.3, 0.3, 0.4, 0.4, 0.5, 0.5])


def test_one_space_has_no_legend_and_negative_numbers_keep_their_sign():
    table = measurements().query("space == 'raw'")
    table.loc[table["metric"] == "cophenetic_correlation", ["value", "ci_low", "ci_high"]] *= -1
    figure = draw_headline(table)
    assert any(text.startswith("−0.50") for text in texts(figure))
    assert not figure.legends
    assert figure.axes[0].get_xlim()[0] < -0.5
