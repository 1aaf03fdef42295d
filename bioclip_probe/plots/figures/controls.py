"""CPCC of each model, and what is left of it beyond each control: pixels, colours, an untrained network."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bioclip_probe.errors import DataError
from bioclip_probe.metrics.endpoints import TAXONOMY
from bioclip_probe.plots import style
from bioclip_probe.plots.entry import FigureEntry
from bioclip_probe.plots.labels import counts_label
from bioclip_probe.plots.layered import by_depth
from bioclip_probe.plots.lines import draw_interval, place_legend, value_limits
from bioclip_probe.plots.selection import Tables, check_one_each
from bioclip_probe.plots.settings import FigureSettings
from bioclip_probe.tables import agrees

CPCC, RESIDUAL = "cophenetic_correlation", "residual_cophenetic_correlation"
#: The marks of the controls, in their order.
_MARKERS = ("s", "^", "D", "v", "P", "X")


def control_rows(tables: Tables, settings: FigureSettings) -> pd.DataFrame:
    """Return CPCC of all encoders on the taxonomy, and the CPCC that models keep beyond each control.

    Parameters
    ----------
    tables : mapping from str to DataFrame
    settings : FigureSettings

    Returns
    -------
    DataFrame

    Raises
    ------
    DataError
        If no model was compared with a control.

    Examples
    --------
    >>> from bioclip_probe.plots.examples import two_models
    >>> control_rows({"measurements": two_models().assign(tree="taxonomy")}, FigureSettings())
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: no model was compared with a control; measure controls beside the models
    """
    table = tables["measurements"]
    where = {"space": settings.space, "tree": TAXONOMY, "rank": "species", "split": "all", "taxon": None}
    kept = table[
        agrees(table, where) & (table["metric"].isin([CPCC]) & table["encoder_b"].isna() | table["metric"].eq(RESIDUAL))
    ]
    if not kept.loc[kept["metric"].eq(RESIDUAL), "value"].notna().any():
        raise DataError("no model was compared with a control; measure controls beside the models")
    return kept.reset_index(drop=True)


@style.styled
def draw_controls(rows: pd.DataFrame, settings: FigureSettings) -> Figure:
    """Return a line for each encoder: a full dot for its CPCC, an open mark for what is left beyond each control.

    Parameters
    ----------
    rows : DataFrame
        As `control_rows` returns them.
    settings : FigureSettings

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    DataError
        If there is nothing to draw, or two rows fall on one mark.

    Examples
    --------
    >>> from bioclip_probe.plots.examples import two_models
    >>> table = two_models("species").assign(metric=CPCC)
    >>> beyond = table.head(1).assign(metric=RESIDUAL, encoder_b="clip", value=0.5)
    >>> figure = draw_controls(pd.concat([table, beyond]), FigureSettings(controls=["clip"]))
    >>> [text.get_text() for text in figure.legends[0].get_texts()]
    ['CPCC', '95 % interval', 'beyond CLIP']
    """
    check_one_each(rows, ["metric", "encoder", "encoder_b"])
    controls = list(dict.fromkeys(rows.loc[rows["metric"] == RESIDUAL, "encoder_b"]))
    encoders = by_depth(dict.fromkeys(rows["encoder"]))
    if settings.models is not None:
        encoders = [name for name in settings.models if name in encoders] + [
            name for name in controls if name in encoders
        ]
    encoders = sorted(dict.fromkeys(encoders), key=lambda name: name in controls)
    if not encoders:
        raise DataError("nothing to draw: none of the models was measured")
    looks = style.model_styles(encoders, controls)
    labels = {name: look.label for name, look in style.model_styles([*encoders, *controls], controls).items()}
    simulated = bool(rows["simulated"].fillna(False).any())
    figure = style.new_figure(settings, 0.85 + 0.3 * len(encoders), "Is it just colour?", simulated, 5.6)
    axes = figure.subplots()
    rows = rows[rows["encoder"].isin(encoders)]
    limits = value_limits(rows)
    for y, encoder in enumerate(encoders):
        _draw_encoder(axes, y, rows[rows["encoder"] == encoder], looks[encoder], controls, limits)
    _draw_axes(axes, [looks[name] for name in encoders], limits, rows)
    mark: dict[str, Any] = {"linestyle": "", "color": "white", "markeredgecolor": style.INK, "markeredgewidth": 0.8}
    entries = [(Line2D([], [], linestyle="", marker="o", color=style.INK, markersize=4), "CPCC")]
    if np.isfinite(rows["ci_low"]).any():
        entries.append((Line2D([], [], color=style.INK, linewidth=1.0), "95 % interval"))
    for control, marker in zip(controls, _MARKERS, strict=False):
        entries.append((Line2D([], [], marker=marker, markersize=4, **mark), f"beyond {labels[control]}"))
    place_legend(figure, entries)
    return figure


def _draw_encoder(
    axes: Axes, y: float, own: pd.DataFrame, look: style.ModelStyle, controls: list[str], limits: tuple[float, float]
) -> None:
    """Draw one line of the figure; the open marks stand a little below the dot."""
    residuals = own[own["metric"] == RESIDUAL].set_index("encoder_b")["value"]
    for place, (control, marker) in enumerate(zip(controls, _MARKERS, strict=False), start=1):
        if np.isfinite(residuals.get(control, np.nan)):
            edge: dict[str, Any] = {"color": "white", "markeredgecolor": look.color, "markeredgewidth": 0.9}
            axes.plot([residuals[control]], [y - 0.3 + 0.2 * place], marker, markersize=3.6, zorder=3, **edge)
    for _, row in own[own["metric"] == CPCC].iterrows():
        draw_interval(axes, y - 0.3, row, look.color, limits)
        if np.isfinite(row["value"]):
            axes.plot([row["value"]], [y - 0.3], "o", color=look.color, markersize=4, markeredgewidth=0, zorder=4)


def _draw_axes(axes: Axes, looks: list[style.ModelStyle], limits: tuple[float, float], rows: pd.DataFrame) -> None:
    """Draw the names, the zero line and the label."""
    axes.set_yticks(range(len(looks)), [look.label for look in looks])
    for tick, look in zip(axes.get_yticklabels(), looks, strict=True):
        tick.set_color(look.text_color)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_ylim(len(looks) - 0.4, -0.6)
    axes.set_xlim(limits[0] - 0.02 * (limits[1] - limits[0]), limits[1])
    axes.axvline(0, color=style.MUTED, linewidth=0.6, zorder=0)
    axes.grid(axis="x", color=style.GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_xlabel(f"CPCC with the taxonomy (correlation)\n{counts_label(rows[rows['metric'] == CPCC])}")


ENTRY = FigureEntry(
    "controls",
    "Is it just colour?",
    "Full dots: CPCC of each model and control. Open marks: what is left of the correlation when the distances of a "
    "control are held constant (partial correlation). Where the marks stand near the dot, the model owes little to "
    "colours, pixels or an untrained network. The marks are a description, without interval: noise in a control leaves "
    "some of its part behind.",
    draw_controls,
    control_rows,
)
