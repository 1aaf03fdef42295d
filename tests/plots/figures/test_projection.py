"""What the plane keeps: the purity in full dimension, in each plane, and chance."""

from __future__ import annotations

from bioclip_probe.plots import FigureSettings
from bioclip_probe.plots.figures.projection import METHODS, draw_projection, projection_rows
from tests.support.drawn_study import MODELS, tables
from tests.support.measurement_tables import PANELS


def test_each_model_has_a_panel_with_its_purity_in_full_dimension_and_in_each_plane():
    rows = projection_rows(tables(), FigureSettings())
    figure = draw_projection(rows, FigureSettings(models=MODELS))
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["BioCLIP", "CLIP"]
    for axes, value in zip(figure.axes, (0.5, 0.4), strict=True):
        markers = {line.get_marker() for line in axes.lines}
        assert {"o", METHODS["tsne"][1], METHODS["umap"][1]} <= markers
        full = next(line for line in axes.lines if line.get_marker() == "o")
        assert full.get_ydata().tolist() == [value] * len(PANELS)
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert {"in the plane: t-SNE", "in the plane: UMAP", "chance"} < set(legend)
    assert "in the plane: PCA" not in legend
