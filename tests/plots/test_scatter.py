"""Names beside points."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bioclip_probe.plots.scatter import label_points
from bioclip_probe.plots.settings import FigureSettings
from bioclip_probe.plots.style import model_styles, new_figure


def test_names_of_points_that_lie_close_do_not_overlap():
    names = ["a" * 12, "b" * 12, "c" * 12]
    figure = new_figure(FigureSettings(), 3, "")
    axes = figure.subplots()
    x = pd.DataFrame({"value": [0.50, 0.51, 0.52], "ci_low": np.nan, "ci_high": np.nan})
    label_points(axes, x, x, list(model_styles(names).values()))
    boxes = [text.get_window_extent() for text in axes.texts]
    assert not any(one.overlaps(other) for number, one in enumerate(boxes) for other in boxes[:number])
