"""The figure by layer: which rows it draws, where they stand, and what it refuses."""

from __future__ import annotations

import pytest

from bioclip_probe.errors import DataError
from bioclip_probe.plots import FigureSettings, registry
from bioclip_probe.plots.figures.layers import PANELS, draw_layers, layer_rows
from bioclip_probe.plots.lines import CUT
from bioclip_probe.tables import MEASUREMENTS
from tests.support.measurement_tables import texts


def table(*encoders: str, **values: object):
    rows = [
        {"encoder": encoder, "metric": metric, "rank": rank, "value": 0.1 * number, "ci_low": 0.0, "ci_high": 0.9}
        | {"split": "all", "space": "raw", "tree": "taxonomy", "simulated": True}
        | values
        for number, encoder in enumerate(encoders, start=1)
        for metric, rank in PANELS.items()
    ]
    return MEASUREMENTS.frame(rows)


def test_each_model_is_a_line_over_its_layers_and_ends_in_its_own_embedding():
    names = ["layer:2:clip", "layer:1:clip", "layer:1:mean:clip", "layer:2:mean:clip", "clip", "bioclip", "pixels"]
    rows, figure = registry.REGISTRY["layers"].draw({"measurements": table(*names)}, FigureSettings())
    assert set(rows["model"]) == {"clip", "clip (mean)"}  # of bioclip and pixels no layer is there
    assert len(figure.axes) == 3
    for axes in figure.axes:
        lines = [line.get_xdata().tolist() for line in axes.lines if line.get_gid() != CUT]
        assert lines == [[1, 2], [3], [1, 2], [1, 2, 3]]  # the last one is chance
        assert axes.lines[0].get_ydata().tolist() == pytest.approx([0.2, 0.1])
        assert [tick.get_text() for tick in axes.get_xticklabels()] == ["1", "2", "own"]
    assert {"CLIP", "clip (mean)", "95 % interval"} <= set(texts(figure)) or "simulated data" in texts(figure)


def test_rows_of_other_trees_spaces_and_ranks_are_left_out():
    names = ["layer:1:clip", "layer:2:clip"]
    for values in ({"tree": "dated"}, {"space": "centred"}, {"split": "test"}, {"rank": "order"}, {"encoder_b": "x"}):
        with pytest.raises(DataError, match="there are no layers to draw"):
            layer_rows({"measurements": table(*names, **values)})


def test_a_table_without_layers_is_refused():
    with pytest.raises(DataError, match=r"there are no layers to draw; name encoders layer:N:MODEL"):
        layer_rows({"measurements": table("clip", "pixels")})


def test_a_layer_of_random_weights_is_drawn_as_a_control():
    names = [f"layer:{layer}:{model}" for layer in (1, 2) for model in ("clip", "untrained-vit-b-16")]
    figure = draw_layers(layer_rows({"measurements": table(*names)}), FigureSettings(controls=(names[1], names[3])))
    widths = {line.get_linewidth() for line in figure.axes[0].lines if line.get_gid() != CUT}
    assert widths == {1.3, 0.9, 0.8}  # models, controls, chance


def test_many_layers_have_few_ticks():
    figure = draw_layers(layer_rows({"measurements": table(*(f"layer:{layer}:clip" for layer in range(1, 41)))}))
    assert len(figure.axes[0].get_xticks()) <= 13
