"""The figure of the table: it shows which methods hold.

A  how often p ≤ 0.05 in designs without signal
B  how often a 95 % interval covers the value of the population
C  how often a signal is detected, by its strength
D  how often the model with the stronger signal is ranked higher
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bioclip_probe.plots.settings import WIDTHS
from bioclip_probe.plots.style import FAINT, INK, MUTED, RC, SAFE_COLORS
from tests.calibration.verdicts import ALPHA, LEVEL

SMALL = "small"  # size of type
FAILS = "#d55e00"
MARKERS = {"mammals": "o", "iNat21": "s", "world": "^", "star": "P"}
MARK = {"markersize": 2.6, "markeredgewidth": 0}
KEY = {"fontsize": SMALL, "handletextpad": 0.1, "columnspacing": 1.0}
#: Marker and position within the row, by the number of units in a sample.
SAMPLES = {40: ("o", -0.25), 100: ("s", 0.0), 300: ("D", 0.25)}
#: Limits of panels A and B; values beyond them are drawn at the edge.
LARGEST_RATE, SMALLEST_COVERAGE = 0.3, 0.7


def save(table: pd.DataFrame, stem: Path) -> None:
    """Write ``<stem>.png`` and ``<stem>.pdf``."""
    with matplotlib.rc_context(RC):
        figure = draw(table)
        figure.savefig(stem.with_suffix(".pdf"), metadata={"CreationDate": None, "ModDate": None})
        figure.savefig(stem.with_suffix(".png"), dpi=200)


def draw(table: pd.DataFrame) -> Figure:
    """Draw all panels of the study."""
    tests = table[table["question"].isin(["type I", "hazard"]) & table["rate"].notna()]
    intervals = _sections(table[table["question"] == "coverage"])
    n_rows = max(_n_rows(tests, ["question", "design"], "method"), _n_rows(intervals, ["section"], "row"))
    figure = Figure(figsize=(WIDTHS["double"], 3.0 + 0.115 * n_rows), layout="constrained")
    upper, lower = figure.subfigures(2, 1, height_ratios=[0.6 + 0.115 * n_rows, 2.4])
    errors, mammals, inat = upper.subplots(1, 3, width_ratios=[1.3, 1, 1])
    inat.sharey(mammals)
    type_one(errors, tests)
    coverage({"mammals": mammals, "iNat21": inat}, intervals)
    marks = [(ground, marker, INK) for ground, marker in MARKERS.items()] + [("rejects too often", "o", FAILS)]
    upper.legend(handles=_handles(marks), loc="outside upper left", ncols=5, **KEY)
    marks = [(f"{n} sampled", marker, INK) for n, (marker, _) in SAMPLES.items()] + [("covers too rarely", "o", FAILS)]
    upper.legend(handles=_handles(marks), loc="outside upper right", ncols=4, **KEY)
    below = lower.subplots(1, 4)
    panels = [(question, ground) for question in ("power", "order") for ground in ("mammals", "iNat21")]
    styles = _line_styles(table[table["question"].isin(["power", "order"])]["method"].unique())
    for axes, (question, ground) in zip(below, panels, strict=True):
        rows = table[(table["question"] == question) & (table["ground"] == ground)]
        curves(axes, rows, question, styles)
        axes.set_title(ground)
    lines = [Line2D([], [], label=method, **style) for method, style in styles.items()]
    lower.legend(handles=lines, loc="outside lower center", ncols=5)
    for axes, letter in zip((errors, mammals, below[0], below[2]), "ABCD", strict=True):
        axes.annotate(
            letter, (0, 1), (-2, 4), "axes fraction", "offset points", ha="right", fontweight="bold", fontsize=9
        )
    return figure


def _n_rows(table: pd.DataFrame, heading: list[str], row: str) -> int:
    """Return the number of lines of a panel, with its headings."""
    return len(table[heading].drop_duplicates()) + len(table[[*heading, row]].drop_duplicates())


def type_one(axes: Axes, tests: pd.DataFrame) -> None:
    """Draw a row for each design and method, with a mark for each tree; it is orange if the test fails."""
    labels = []
    for (question, design), rows in tests.groupby(["question", "design"], sort=False):
        _heading(axes, len(labels), f"{design}{' (hazard)' if question == 'hazard' else ''}")
        labels.append("")
        for method, cell in rows.groupby("method", sort=False):
            for row, shift in zip(cell.itertuples(), _spread(len(cell), 0.5), strict=True):
                at, colour = len(labels) + shift, FAILS if row.verdict == "rejects too often" else INK
                axes.plot(
                    [min(row.rate_low, LARGEST_RATE), min(row.rate_high, LARGEST_RATE)],
                    [at, at],
                    color=colour,
                    linewidth=0.6,
                )
                axes.plot(min(row.rate, LARGEST_RATE), at, MARKERS[row.ground], color=colour, **MARK, clip_on=False)
            labels.append(method)
    axes.axvline(ALPHA, color=FAINT, zorder=0)
    axes.set(xlim=(0, LARGEST_RATE), xlabel="share with p ≤ 0.05\nwhere there is no signal")
    _rows(axes, labels)


def coverage(axes_of: dict[str, Axes], table: pd.DataFrame) -> None:
    """Draw a row for each interval or metric, with a mark for each setting, in one panel for each tree."""
    labels, at = [], {}
    for section, rows in table.groupby("section", sort=False):
        for axes in axes_of.values():
            _heading(axes, len(labels), section)
        labels.append("")
        for row in rows["row"].unique():
            at[section, row] = len(labels)
            labels.append(row)
    for ground, axes in axes_of.items():
        for row in table[table["ground"] == ground].itertuples():
            marker, shift = SAMPLES[row.n]
            colour = FAILS if row.verdict == "covers too rarely" else INK
            height = at[row.section, row.row] + shift
            axes.plot(max(row.rate, SMALLEST_COVERAGE), height, marker, color=colour, **MARK, alpha=0.8, clip_on=False)
        axes.axvline(LEVEL, color=FAINT, zorder=0)
        axes.set(xlim=(SMALLEST_COVERAGE, 1), xlabel="share of 95 % intervals\nthat cover the value", title=ground)
        _rows(axes, labels)
    axes_of["iNat21"].tick_params(axis="y", labelleft=False)


def _sections(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that are drawn: candidates for the interval of CPCC, then the package's own, by sampled unit."""
    is_given = table["interval"] == "as given"
    section = np.where(is_given, "as given", table["method"] + ", candidates") + " (" + table["units"] + " sampled)"
    labelled = table.assign(section=section, row=table["interval"].where(~is_given, table["method"]))
    drawn = labelled[is_given | (labelled["method"] == "CPCC")]
    return drawn.assign(given=is_given).sort_values(["given", "units"], ascending=[True, False], kind="stable")


def curves(axes: Axes, table: pd.DataFrame, question: str, styles: dict[str, dict]) -> None:
    """Draw a line for each method over Pagel's λ."""
    for method, cell in table.groupby("method", sort=False):
        x = cell["signal"] if question == "power" else (cell["signal"] + cell["than"]) / 2
        axes.plot(x, cell["rate"].astype(float), marker="o", markersize=1.8, linewidth=1, **styles[method])
    axes.axhline(ALPHA if question == "power" else 0.5, color=FAINT, zorder=0)
    axes.set(xlim=(0, 1), ylim=(0, 1.02))
    power = question == "power"
    axes.set_xlabel("Pagel's λ" if power else "λ, between neighbours")
    axes.set_ylabel("share with p ≤ 0.05" if power else "share ranked correctly")


def _line_styles(methods: Iterable[str]) -> dict[str, dict]:
    """Return one line style for each method, used in all panels."""
    return {
        method: {"color": SAFE_COLORS[number % 6], "linestyle": "-" if number < 6 else (0, (3, 1))}
        for number, method in enumerate(methods)
    }


def _heading(axes: Axes, at: int, text: str) -> None:
    """Write a heading on a line of its own."""
    axes.annotate(text, (0.01, at), xycoords=axes.get_yaxis_transform(), fontsize=SMALL, color=MUTED, va="center")


def _rows(axes: Axes, labels: list[str]) -> None:
    """Label the rows of a panel, from top to bottom."""
    axes.set_ylim(len(labels) - 0.5, -0.7)
    axes.set_yticks(range(len(labels)), labels, fontsize=SMALL)
    axes.tick_params(axis="y", length=0)


def _spread(n: int, width: float) -> np.ndarray:
    """Return n positions around 0, so that marks of one row do not overlap."""
    return np.linspace(-width / 2, width / 2, n) if n > 1 else np.zeros(n)


def _handles(entries: list[tuple[str, str, str]]) -> list[Line2D]:
    """Return the marks of a legend from labels, markers and colours."""
    return [
        Line2D([], [], color=colour, marker=marker, linestyle="", label=label, **MARK)
        for label, marker, colour in entries
    ]
