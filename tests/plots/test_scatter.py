"""Names beside points."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.text import Text

from bioclip_probe.plots.scatter import label_points
from bioclip_probe.plots.settings import FigureSettings
from bioclip_probe.plots.style import FONT_SIZE, model_styles, new_figure


def test_names_of_points_that_lie_close_do_not_overlap():
    names = ["a" * 12, "b" * 12, "c" * 12]
    figure = new_figure(FigureSettings(), 3, "")
    axes = figure.subplots()
    x = pd.DataFrame({"value": [0.50, 0.51, 0.52], "ci_low": np.nan, "ci_high": np.nan})
    label_points(axes, x, x, list(model_styles(names).values()))
    boxes = [text.get_window_extent() for text in axes.texts]
    assert not any(one.overlaps(other) for number, one in enumerate(boxes) for other in boxes[:number])


def test_names_of_a_crowd_are_pushed_apart_and_a_line_leads_to_those_that_are_far():
    names = [letter * 14 for letter in "abcdef"]
    figure = new_figure(FigureSettings(), 3, "")
    axes = figure.subplots()
    axes.set(xlim=(0, 0.4), ylim=(0, 1))
    middle = np.array([0.010, 0.014, 0.018, 0.020, 0.024, 0.026])
    x = pd.DataFrame({"value": middle, "ci_low": middle - 0.02, "ci_high": middle + 0.03})
    y = pd.DataFrame({"value": middle + 0.06, "ci_low": middle, "ci_high": middle + 0.1})
    label_points(axes, x, y, list(model_styles(names).values()))
    figure.draw_without_rendering()
    boxes = [Text.get_window_extent(text) for text in axes.texts]  # without lines
    assert not any(one.overlaps(other) for number, one in enumerate(boxes) for other in boxes[:number])
    for text, box in zip(axes.texts, boxes, strict=True):
        point = axes.transData.transform(text.xy)
        distance = max(box.y0 - point[1], point[1] - box.y1) * 72 / figure.dpi
        assert (text.arrow_patch is not None) == (distance > 1.5 * FONT_SIZE), text.get_text()
    assert any(text.arrow_patch is not None for text in axes.texts)
