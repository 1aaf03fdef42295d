"""Variance components: a bar for each rank, below zero where the estimate is, on one scale."""

from __future__ import annotations

import pytest

from bioclip_probe.plots import FigureSettings
from bioclip_probe.plots.figures.variance import METRIC, OWN, SHARED, draw_variance
from tests.support.measurement_tables import measurements


def components():
    table = measurements().query("metric == 'cluster_purity' and space == 'raw'")
    return table.assign(metric=METRIC, value=table["value"].where(table["rank"] != "genus", -0.1))


def test_each_rank_has_a_bar_of_its_value_and_species_are_pale():
    figure = draw_variance(components(), FigureSettings(controls=("pixels",)))
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["CLIP", "BioCLIP", "pixels"]
    own = components().query("encoder == 'clip' and value == value")
    bars = figure.axes[0].patches
    assert [bar.get_height() for bar in bars] == pytest.approx(own["value"].tolist())  # class is undefined: no bar
    assert [bar.get_alpha() for bar in bars] == [SHARED] * 5 + [OWN]
    assert len({axes.get_ylim() for axes in figure.axes}) == 1
    assert figure.axes[0].get_ylim()[0] < -0.1
