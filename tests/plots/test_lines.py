"""Parts of figures of lines: how far the axis goes, in which order the legend is read."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bioclip_probe.plots.lines import CUT, draw_legend, draw_line, line_style, value_limits
from bioclip_probe.plots.style import FigureSettings, model_styles, new_figure


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
    names = [letter * 20 for letter in "abcde"]
    figure = new_figure(FigureSettings(width="single"), 3, "")
    draw_legend(figure, model_styles(names).values(), rows(0.5))
    # matplotlib fills columns: a, c, e stand in the first one and b, d in the second.
    assert "".join(text.get_text()[0] for text in figure.legends[0].get_texts()) == "acebd"


def test_no_legend_has_an_entry_alone_in_its_last_row_if_it_need_not():
    figure = new_figure(FigureSettings(width="single"), 3, "")
    draw_legend(figure, model_styles([letter * 9 for letter in "abcd"]).values(), rows(0.5))
    assert figure.legends[0]._ncols == 2  # three would fit side by side


def test_an_interval_that_would_flatten_the_panel_is_cut_and_marked():
    wide = pd.DataFrame({"value": [0.2, 0.4], "ci_low": [-1.0, 0.3], "ci_high": [1.0, 0.5], "chance": 0.0})
    limits = value_limits(wide)
    assert -0.3 < limits[0] < 0.0 and 0.5 < limits[1] < 0.7
    figure = new_figure(FigureSettings(), 3, "")
    draw_line(figure.subplots(), np.arange(2), wide, model_styles(["clip"])["clip"], limits)
    marks = [(line.get_marker(), *line.get_xydata()[0]) for line in figure.axes[0].lines if line.get_gid() == CUT]
    assert marks == [("v", 0.0, limits[0]), ("^", 0.0, limits[1])]
    draw_legend(figure, [], wide)
    assert "goes on" in [text.get_text() for text in figure.legends[0].get_texts()]


def test_controls_are_thinner_and_lie_below_models():
    styles = model_styles(["clip", "pixels"], controls=["pixels"])
    axes = new_figure(FigureSettings(), 3, "").subplots()
    for look in styles.values():
        draw_line(axes, np.arange(2), rows(0.2, 0.4), look)
    model, control = axes.lines
    assert control.get_zorder() < model.get_zorder()
    assert line_style(styles["pixels"])["linewidth"] < line_style(styles["clip"])["linewidth"]
