"""Parts of figures of lines: how far the axis goes, in which order the legend is read."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bioclip_probe.plots.lines import draw_legend, draw_line, line_style, value_limits
from bioclip_probe.plots.style import model_styles, new_figure


def rows(*values: float) -> pd.DataFrame:
    """Return rows with values, without intervals and chance."""
    return pd.DataFrame({"value": values, "ci_low": np.nan, "ci_high": np.nan, "chance": np.nan})


def test_the_axis_begins_at_zero_or_below_the_least_value():
    assert value_limits(rows(0.2, 0.5)) == pytest.approx((0.0, 0.53))
    assert value_limits(rows(0.9)) == (0.0, 1.02)
    low, high = value_limits(rows(-0.5, 0.5))
    assert low == pytest.approx(-0.54)
    assert high == pytest.approx(0.56)
    assert value_limits(rows(np.nan))[0] == 0


def test_the_legend_is_read_along_its_rows():
    figure, names = new_figure(6, 3, "", simulated=False), ["a", "b", "c", "d", "e"]
    draw_legend(figure, model_styles(names).values(), rows(0.5), columns=2)
    # matplotlib fills columns: a, c, e stand in the first one and b, d in the second.
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "c", "e", "b", "d"]


def test_controls_are_thinner_and_lie_below_models():
    styles = model_styles(["clip", "pixels"], controls=["pixels"])
    axes = new_figure(4, 3, "", simulated=False).subplots()
    for look in styles.values():
        draw_line(axes, np.arange(2), rows(0.2, 0.4), look)
    model, control = axes.lines
    assert control.get_zorder() < model.get_zorder()
    assert line_style(styles["pixels"])["linewidth"] < line_style(styles["clip"])["linewidth"]
