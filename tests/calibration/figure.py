"""The table, drawn: one look says which methods hold.

A  how often a test without a signal to find says p ≤ 0.05
B  how often a 95 % interval holds the value of the population
C  how often a signal is found, by its strength
D  how often the model of the stronger signal is ranked higher
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

from bioclip_probe.plots.style import FAINT, INK, MUTED, RC, SAFE_COLOURS, SMALL, TEXT_WIDTH
from tests.calibration.verdicts import ALPHA, LEVEL

FAILS = "#d55e00"
MARKERS = {"mammals": "o", "iNat21": "s", "world": "^", "star": "P"}
MARK = {"markersize": 2.6, "markeredgewidth": 0}
KEY = {"fontsize": SMALL, "handletextpad": 0.1, "columnspacing": 1.0}
#: Units in a sample: marker and place within the row.
SAMPLES = {40: ("o", -0.25), 100: ("s", 0.0), 300: ("D", 0.25)}
WIDEST, LOWEST = 0.3, 0.7  # of panels A and B; what lies beyond stands at the edge


def save(found: pd.DataFrame, stem: Path) -> None:
    """Write ``<stem>.png`` and ``<stem>.pdf``."""
    with matplotlib.rc_context(RC):
        figure = draw(found)
        figure.savefig(stem.with_suffix(".pdf"), metadata={"CreationDate": None, "ModDate": None})
        figure.savefig(stem.with_suffix(".png"), dpi=200)


def draw(found: pd.DataFrame) -> Figure:
    """All panels of the study."""
    tests = found[found["question"].isin(["type I", "hazard"]) & found["rate"].notna()]
    intervals = _sections(found[found["question"] == "coverage"])
    n_rows = max(_n_rows(tests, ["question", "design"], "method"), _n_rows(intervals, ["section"], "row"))
    figure = Figure(figsize=(TEXT_WIDTH, 3.0 + 0.115 * n_rows), layout="constrained")
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
    parts = [(question, ground) for question in ("power", "order") for ground in ("mammals", "iNat21")]
    colours = _colours(found[found["question"].isin(["power", "order"])]["method"].unique())
    for axes, (question, ground) in zip(below, parts, strict=True):
        curves(axes, found[(found["question"] == question) & (found["ground"] == ground)], question, colours)
        axes.set_title(ground)
    lines = [Line2D([], [], label=method, **look) for method, look in colours.items()]
    lower.legend(handles=lines, loc="outside lower center", ncols=5)
    for axes, letter in zip((errors, mammals, below[0], below[2]), "ABCD", strict=True):
        axes.annotate(
            letter, (0, 1), (-2, 4), "axes fraction", "offset points", ha="right", fontweight="bold", fontsize=9
        )
    return figure


def _n_rows(found: pd.DataFrame, heading: list[str], row: str) -> int:
    return len(found[heading].drop_duplicates()) + len(found[[*heading, row]].drop_duplicates())


def type_one(axes: Axes, tests: pd.DataFrame) -> None:
    """A row for each design and method, a mark for each tree; orange where the verdict is that it fails."""
    labels = []
    for (question, design), part in tests.groupby(["question", "design"], sort=False):
        _heading(axes, len(labels), f"{design}{' (hazard)' if question == 'hazard' else ''}")
        labels.append("")
        for method, cell in part.groupby("method", sort=False):
            for row, shift in zip(cell.itertuples(), _spread(len(cell), 0.5), strict=True):
                at, colour = len(labels) + shift, FAILS if row.verdict == "rejects too often" else INK
                axes.plot(
                    [min(row.rate_low, WIDEST), min(row.rate_high, WIDEST)], [at, at], color=colour, linewidth=0.6
                )
                axes.plot(min(row.rate, WIDEST), at, MARKERS[row.ground], color=colour, **MARK, clip_on=False)
            labels.append(method)
    axes.axvline(ALPHA, color=FAINT, zorder=0)
    axes.set(xlim=(0, WIDEST), xlabel="share with p ≤ 0.05\nwhere there is no signal")
    _rows(axes, labels)


def coverage(axes_of: dict[str, Axes], found: pd.DataFrame) -> None:
    """A row for each interval or metric, a mark for each setting, one panel for each tree."""
    labels, at = [], {}
    for section, part in found.groupby("section", sort=False):
        for axes in axes_of.values():
            _heading(axes, len(labels), section)
        labels.append("")
        for row in part["row"].unique():
            at[section, row] = len(labels)
            labels.append(row)
    for ground, axes in axes_of.items():
        for row in found[found["ground"] == ground].itertuples():
            marker, shift = SAMPLES[row.n]
            colour = FAILS if row.verdict == "covers too rarely" else INK
            height = at[row.section, row.row] + shift
            axes.plot(max(row.rate, LOWEST), height, marker, color=colour, **MARK, alpha=0.8, clip_on=False)
        axes.axvline(LEVEL, color=FAINT, zorder=0)
        axes.set(xlim=(LOWEST, 1), xlabel="share of 95 % intervals\nthat hold", title=ground)
        _rows(axes, labels)
    axes_of["iNat21"].tick_params(axis="y", labelleft=False)


def _sections(found: pd.DataFrame) -> pd.DataFrame:
    """The rows that are drawn: candidates for CPCC's interval, then what the package gives; by what was sampled."""
    given = found["interval"] == "as given"
    section = np.where(given, "as given", found["method"] + ", candidates") + " (" + found["units"] + " sampled)"
    made = found.assign(section=section, row=found["interval"].where(~given, found["method"]))
    drawn = made[given | (made["method"] == "CPCC")]
    return drawn.assign(given=given).sort_values(["given", "units"], ascending=[True, False], kind="stable")


def curves(axes: Axes, found: pd.DataFrame, question: str, colours: dict[str, dict]) -> None:
    """A line for each method over Pagel's λ."""
    for method, cell in found.groupby("method", sort=False):
        x = cell["signal"] if question == "power" else (cell["signal"] + cell["than"]) / 2
        axes.plot(x, cell["rate"].astype(float), marker="o", markersize=1.8, linewidth=1, **colours[method])
    axes.axhline(ALPHA if question == "power" else 0.5, color=FAINT, zorder=0)
    axes.set(xlim=(0, 1), ylim=(0, 1.02))
    power = question == "power"
    axes.set_xlabel("Pagel's λ" if power else "λ, between neighbours")
    axes.set_ylabel("share with p ≤ 0.05" if power else "share ranked right")


def _colours(methods: Iterable[str]) -> dict[str, dict]:
    """One look a method in all panels."""
    return {
        method: {"color": SAFE_COLOURS[number % 6], "linestyle": "-" if number < 6 else (0, (3, 1))}
        for number, method in enumerate(methods)
    }


def _heading(axes: Axes, at: int, text: str) -> None:
    place = (0.01, at)
    axes.annotate(text, place, xycoords=axes.get_yaxis_transform(), fontsize=SMALL, color=MUTED, va="center")


def _rows(axes: Axes, labels: list[str]) -> None:
    axes.set_ylim(len(labels) - 0.5, -0.7)
    axes.set_yticks(range(len(labels)), labels, fontsize=SMALL)
    axes.tick_params(axis="y", length=0)


def _spread(n: int, width: float) -> np.ndarray:
    return np.linspace(-width / 2, width / 2, n) if n > 1 else np.zeros(n)


def _handles(entries: list[tuple[str, str, str]]) -> list[Line2D]:
    return [
        Line2D([], [], color=colour, marker=marker, linestyle="", label=label, **MARK)
        for label, marker, colour in entries
    ]
