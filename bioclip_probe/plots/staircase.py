"""The staircase: how far apart in the embedding two species are, by the lowest rank that they share."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bioclip_probe.errors import DataError
from bioclip_probe.plots import style
from bioclip_probe.plots.selection import check_one_each, select
from bioclip_probe.tables import RANKS

STEPS = (*reversed(RANKS), "root")
METRICS = tuple(f"lca_distance_{part}" for part in ("mean", "q05", "q25", "q50", "q75", "q95"))


@style.styled
def staircase(
    measurements: pd.DataFrame,
    models: Iterable[str] | None = None,
    space: str | None = "raw",
    share_y: bool = True,
    title: str = "",
    simulated: bool = False,
    controls: Collection[str] = (),
) -> Figure:
    """Draw the distribution of embedding distance by the rank of the lowest common ancestor, a panel for each model.

    A model that follows the tree of life has stairs that rise to the right and do not overlap.

    Parameters
    ----------
    measurements : DataFrame
        `MEASUREMENTS` rows with the metrics ``lca_distance_q50`` and, as far as there are, ``…_mean``, ``…_q05``,
        ``…_q25``, ``…_q75``, ``…_q95``; ``rank`` is that of the lowest common ancestor, ``root`` across kingdoms.
    models : iterable of str, optional
        Encoders to draw, in this order; all if not given.
    space : str or None
        ``raw`` or ``centred``.
    share_y : bool
        One scale for all models. False gives each its own, to compare the shape of stairs of models whose distances
        are of different size.
    title : str
        Heading.
    simulated : bool
        Print the word on the figure; so does a table that says it.
    controls : collection of str
        Encoders that are controls, as a results folder's record has them; they come last, muted.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    DataError
        If there is no median to draw, a rank is unknown, or two rows fall on one point.
    """
    table = select(measurements, METRICS, space)
    encoders = style.pick(table, models, controls)
    table = table[table["encoder"].isin(encoders)]
    check_one_each(table, ["encoder", "rank", "metric"])
    unknown = set(table["rank"].fillna("")) - set(STEPS)
    if unknown:
        raise DataError(f"unknown rank of a common ancestor: {sorted(unknown)}; expected one of: {', '.join(STEPS)}")
    if "lca_distance_q50" not in set(table["metric"]):
        raise DataError("the staircase needs the metric lca_distance_q50, the median")
    steps = [step for step in STEPS if step in set(table["rank"])]
    styles = style.model_styles(encoders, controls)

    rows = -(-len(encoders) // 4)
    columns = -(-len(encoders) // rows)
    width = style.TEXT_WIDTH if columns > 2 else 0.6 + 2.4 * columns
    figure = style.new_figure(
        width, 0.6 + 1.9 * rows + 0.45, title or _title(width), style.is_simulated(table, simulated)
    )
    grid = figure.subplots(rows, columns, squeeze=False, sharey=share_y)
    for place, axes in enumerate(grid.ravel()):
        if place >= len(encoders):
            axes.remove()
            continue
        look = styles[encoders[place]]
        _draw(axes, table[table["encoder"] == encoders[place]], steps, look)
        label = style.shorten(look.label, 20 if columns > 3 else 26)
        axes.set_title(label, loc="left", fontweight="normal" if look.control else "bold",
                       color=style.MUTED if look.control else style.INK, fontsize=7)  # fmt: skip
        if place // columns == rows - 1:
            axes.set_xlabel("lowest rank the two share", fontsize=6.5)
        last = place + columns >= len(encoders)
        axes.set_xticks(np.arange(len(steps)), [_step_name(step) for step in steps] if last else [""] * len(steps),
                        rotation=40, ha="right", rotation_mode="anchor")  # fmt: skip
    for axes in figure.axes:  # once all are drawn: it ends the search for a common scale
        axes.set_ylim(bottom=0)
    figure.supylabel("cosine distance of two species", fontsize=7)
    figure.legend(*_key(set(table["metric"])), loc="outside lower center", ncols=4, fontsize=6)
    return figure


def _draw(axes: Axes, own: pd.DataFrame, steps: list[str], look: style.ModelStyle) -> None:
    values = own.pivot_table(index="rank", columns="metric", values="value", aggfunc="first").reindex(index=steps)
    part = {name: values.get(f"lca_distance_{name}", pd.Series(np.nan, index=steps)).to_numpy(float)
            for name in ("mean", "q05", "q25", "q50", "q75", "q95")}  # fmt: skip
    x = np.arange(len(steps))
    axes.vlines(x, part["q05"], part["q95"], color=look.colour, linewidth=0.7, alpha=0.7)
    axes.bar(x, part["q75"] - part["q25"], 0.74, part["q25"], color=look.colour, alpha=0.28, linewidth=0)
    axes.hlines(part["q50"], x - 0.37, x + 0.37, color=look.colour, linewidth=1.6)
    axes.plot(x, part["mean"], linestyle="", marker="o", markersize=2.2, color="white", markeredgecolor=look.colour,
              markeredgewidth=0.7, zorder=4)  # fmt: skip
    axes.set_xlim(-0.6, len(steps) - 0.4)
    axes.grid(axis="y", color="#eeeeee", linewidth=0.6)
    axes.set_axisbelow(True)


def _key(metrics: set[str]) -> tuple[list, list[str]]:
    entries = [
        ("lca_distance_q50", Line2D([], [], color=style.INK, linewidth=1.6), "median"),
        ("lca_distance_q25", Patch(color=style.INK, alpha=0.28, linewidth=0), "middle half"),
        ("lca_distance_q05", Line2D([], [], color=style.INK, linewidth=0.7), "5 to 95 %"),
        ("lca_distance_mean", Line2D([], [], linestyle="", marker="o", markersize=2.4, color="white",
                                     markeredgecolor=style.INK, markeredgewidth=0.7), "mean"),
    ]  # fmt: skip
    shown = [(handle, label) for metric, handle, label in entries if metric in metrics]
    return [handle for handle, _ in shown], [label for _, label in shown]


def _step_name(step: str) -> str:
    return "none" if step == "root" else step


def _title(width: float) -> str:
    return "Distance in the embedding by kinship" if width > 4 else "Distance by kinship"
