"""Purity in full dimension and in each plane, with chance."""

from __future__ import annotations

from bioclip_probe.plots import FigureSettings
from bioclip_probe.plots.figures.projection import METHODS, draw_projection, projection_rows
from tests.support.drawn_study import MODELS, tables
from tests.support.measurement_tables import PANELS


def test_each_model_has_a_panel_with_its_purity_in_full_dimension_and_in_each_plane():
    rows = projection_rows(tables(), FigureSettings())
    figure = draw_projection(rows, FigureSettings(models=MODELS))
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["BioCLIP", "CLIP", "", ""]
    for axes, value in zip(figure.axes[:2], (0.5, 0.4), strict=True):
        markers = {line.get_marker() for line in axes.lines}
        assert {"o", METHODS["tsne"][1], METHODS["umap"][1]} <= markers
        full = next(line for line in axes.lines if line.get_marker() == "o")
        assert full.get_ydata().tolist() == [value] * len(PANELS)
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert {"in the plane: t-SNE", "in the plane: UMAP", "chance"} < set(legend)
    assert "in the plane: PCA" not in legend


def test_panels_that_were_projected_again_have_their_spread_and_a_control():
    rows = projection_rows(tables(), FigureSettings())
    rows.loc[rows["metric"].str.endswith("_sd"), "value"] = 0.05
    figure = draw_projection(rows, FigureSettings(models=MODELS))
    of_trust = figure.axes[2]
    assert of_trust.get_ylabel() == "trustworthiness"
    last = len(PANELS) - 1
    for bars, line in zip(of_trust.collections[:2], of_trust.lines[:4:2], strict=True):  # of t-SNE and of UMAP
        x, y = bars.get_segments()[-1].T
        assert abs(x[0] - last) < 0.3 and y.tolist() == [0.45, 0.55]
        assert line.get_marker() == "x" and line.get_ydata()[-1] == 0.1
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert {"mean ± sd over seeds", "control: no structure"} < set(legend)
    once = draw_projection(rows[~rows["metric"].str.contains("_seeds")], FigureSettings(models=MODELS))
    assert "control: no structure" not in [text.get_text() for text in once.legends[0].get_texts()]


def test_a_study_of_before_has_purity_alone():
    rows = projection_rows(tables(), FigureSettings())
    assert len(draw_projection(rows[rows["metric"].str.contains("purity")], FigureSettings(models=MODELS)).axes) == 2
