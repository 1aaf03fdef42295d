"""Calibration of the probes: the share of correct answers by the confidence of the answer."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bioclip_probe.errors import DataError
from bioclip_probe.extraction.prompts import MAIN_TYPE
from bioclip_probe.plots import style
from bioclip_probe.plots.entry import FigureEntry
from bioclip_probe.plots.lines import draw_legend, label_below, line_style
from bioclip_probe.plots.selection import FigureRows, Tables
from bioclip_probe.plots.settings import FigureSettings
from bioclip_probe.probes import SEEN_CHILDREN, UNSEEN

#: Panels: probe and protocol, and the title.
PANELS = {
    ("linear", SEEN_CHILDREN): "Linear probe, genera seen",
    ("linear", UNSEEN): "Linear probe, genera never seen",
    ("zero_shot", MAIN_TYPE): "Zero-shot, by names",
}
RANK, N_BINS = "family", 10


def calibration_rows(tables: Tables, settings: FigureSettings) -> pd.DataFrame:
    """Return the confidence and the share of correct answers in bins of equally many answers.

    Parameters
    ----------
    tables : mapping from str to DataFrame
        ``predictions`` is a `PREDICTIONS` table.
    settings : FigureSettings

    Returns
    -------
    DataFrame
        Columns encoder, panel, bin, confidence, correct and n_answers.

    Raises
    ------
    DataError
        If no probe gave probabilities at family.

    Examples
    --------
    >>> answers = {"encoder": "clip", "probe": "linear", "protocol": "unseen", "rank": "family", "split": "test"}
    >>> table = pd.DataFrame([answers | {"confidence": p, "truth": "A", "predicted": "A"} for p in (0.2, 0.9)])
    >>> calibration_rows({"predictions": table.assign(shots=None)}, FigureSettings())["confidence"].tolist()
    [0.2, 0.9]
    """
    table = tables["predictions"]
    kept = table["rank"].eq(RANK) & table["split"].eq("test") & table["shots"].isna() & table["confidence"].notna()
    table, parts = table[kept], []
    for (probe, protocol), title in PANELS.items():
        answers = table[table["probe"].eq(probe) & table["protocol"].eq(protocol)]
        for encoder, own in answers.groupby("encoder", sort=False, observed=True):
            confidence = own["confidence"].to_numpy()
            correct = (own["truth"].astype(str) == own["predicted"].astype(str)).to_numpy()
            number = np.searchsorted(np.sort(confidence), confidence) * N_BINS // len(own)
            bins = pd.DataFrame({"bin": number, "confidence": confidence, "correct": correct}).groupby("bin")
            binned = bins.mean().assign(n_answers=bins.size()).reset_index()
            parts.append(binned.assign(encoder=str(encoder), panel=title))
    if not parts:
        raise DataError(f"no probe gave probabilities at {RANK}; run the probe linear or zero_shot")
    return pd.concat(parts, ignore_index=True)[["encoder", "panel", "bin", "confidence", "correct", "n_answers"]]


@style.styled
def draw_calibration(rows: pd.DataFrame, settings: FigureSettings) -> Figure:
    """Return a panel for each probe, with a line for each model; the diagonal is a calibrated probe.

    Parameters
    ----------
    rows : DataFrame
        As `calibration_rows` returns them.
    settings : FigureSettings

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    DataError
        If there is nothing to draw, or two rows fall on one point.

    Examples
    --------
    >>> rows = pd.DataFrame({"encoder": "clip", "panel": "Linear", "bin": [0, 1], "confidence": [0.2, 0.9]})
    >>> figure = draw_calibration(rows.assign(correct=[0.1, 0.8], n_answers=50), FigureSettings())
    >>> figure.axes[0].get_title(loc="left")
    'Linear (n = 100)'
    """
    drawn = FigureRows.of(rows, ["encoder", "panel", "bin"], settings)
    titles = list(dict.fromkeys(drawn.table["panel"]))
    n_columns = min(len(titles), 3 if settings.page > 4 else 1)
    n_rows = -(-len(titles) // n_columns)
    width = min(settings.page, 0.6 + 2.4 * n_columns)
    height = 2.15 * n_rows + 0.55
    figure = style.new_figure(settings, height, "Calibration of the probes at family", drawn.simulated, width)
    grid = figure.subplots(n_rows, n_columns, squeeze=False, sharex=True, sharey=True)
    for axes, title in zip(grid.ravel(), titles, strict=True):
        _draw_panel(axes, drawn.table[drawn.table["panel"] == title], drawn)
        n = drawn.table.loc[drawn.table["panel"] == title].groupby("encoder")["n_answers"].sum().max()
        axes.set_title(f"{title} (n = {n:,})" if n_columns == 1 else f"{title}\nn = {n:,} answers", loc="left")
    label_below(grid, "confidence (mean of a bin)")
    for axes in grid[:, 0]:
        axes.set_ylabel("share of correct answers")
    nothing = pd.DataFrame({"chance": [np.nan], "ci_low": [np.nan]})
    draw_legend(figure, [drawn.styles[encoder] for encoder in drawn.encoders], nothing)
    return figure


def _draw_panel(axes: Axes, panel: pd.DataFrame, rows: FigureRows) -> None:
    """Draw one probe."""
    axes.plot([0, 1], [0, 1], color=style.FAINT, linewidth=0.8, zorder=1)
    for encoder in reversed(rows.encoders):
        own = panel[panel["encoder"] == encoder].sort_values("bin")
        axes.plot(own["confidence"], own["correct"], **line_style(rows.styles[encoder]), zorder=3)
    axes.set(xlim=(0, 1.02), ylim=(0, 1.02))
    axes.grid(color=style.GRID, linewidth=0.6)
    axes.set_axisbelow(True)


ENTRY = FigureEntry(
    "calibration",
    "Calibration of the probes at family",
    "Share of correct answers by the confidence of the answer, in ten bins of equally many answers. On the diagonal a "
    "probe is right as often as it says; below it, it is too sure of itself.",
    draw_calibration,
    calibration_rows,
    table="predictions",
)
