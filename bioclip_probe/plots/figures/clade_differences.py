"""The figure of two models clade by clade: where one follows the tree more closely than the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from bioclip_probe.errors import DataError
from bioclip_probe.metrics.endpoints import TAXONOMY
from bioclip_probe.plots import style
from bioclip_probe.plots.entry import FigureEntry
from bioclip_probe.plots.labels import number, taxon_name, taxon_text
from bioclip_probe.plots.selection import Tables, check_one_each
from bioclip_probe.plots.settings import FigureSettings
from bioclip_probe.tables import RANKS

METRIC = "clade_correlation_difference"
_COLORS = "PuOr_r"
#: Dots on boxes of negative differences, whose sign would not survive a print without colour.
_BELOW_ZERO: dict[str, Any] = {"fill": False, "hatch": "...", "edgecolor": (0.13, 0.13, 0.13, 0.4), "linewidth": 0}


def clade_rows(tables: Tables, settings: FigureSettings) -> pd.DataFrame:
    """Return the difference of two models in CPCC inside each clade: of the first two models, or of those asked for.

    Parameters
    ----------
    tables : mapping from str to DataFrame
    settings : FigureSettings
        Its first two `models` are compared.

    Returns
    -------
    DataFrame
        One row for each clade; the value is that of ``encoder`` less that of ``encoder_b``.

    Raises
    ------
    DataError
        If the two were not compared.

    Examples
    --------
    >>> from bioclip_probe.plots.examples import two_models
    >>> clade_rows({"measurements": two_models().assign(tree="taxonomy")}, FigureSettings())
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: no two models were compared inside clades
    """
    table = tables["measurements"]
    rows = table[table["metric"].eq(METRIC) & table["tree"].eq(TAXONOMY) & table["space"].eq(settings.space)]
    models = settings.models or [name for name in _encoders(rows) if name not in settings.controls]
    if len(models) < 2 or not len(rows):
        raise DataError("no two models were compared inside clades")
    first, second = models[:2]
    forward = rows[rows["encoder"].eq(first) & rows["encoder_b"].eq(second)]
    back = rows[rows["encoder"].eq(second) & rows["encoder_b"].eq(first)]
    turned = back.assign(
        encoder=first, encoder_b=second, value=-back["value"], ci_low=-back["ci_high"], ci_high=-back["ci_low"]
    )
    result = pd.concat([part for part in (forward, turned) if len(part)] or [forward], ignore_index=True)
    if not result["value"].notna().any():
        raise DataError(f"{first} and {second} were not compared inside clades")
    return result


def _encoders(rows: pd.DataFrame) -> list[str]:
    """Return the encoders of comparisons in their order."""
    return list(dict.fromkeys([*rows["encoder"], *rows["encoder_b"]]))


@style.styled
def draw_clade_differences(rows: pd.DataFrame, settings: FigureSettings) -> Figure:
    """Return an icicle of the taxonomy: ranks are columns, the height of a box is its number of species.

    Parameters
    ----------
    rows : DataFrame
        As `clade_rows` returns them.
    settings : FigureSettings

    Returns
    -------
    matplotlib.figure.Figure
        A box is tinted by the difference, dotted where it is negative, hatched where it is undefined, and has its
        number in bold type where the adjusted p is below 0.05. Boxes that are too low for a name have none.

    Raises
    ------
    DataError
        If a clade has two rows.

    Examples
    --------
    >>> row = {"rank": "phylum", "taxon": "Animalia|Chordata", "encoder": "clip", "encoder_b": "pixels", "value": 0.2}
    >>> rows = pd.DataFrame([row | {"p_adjusted": 0.01, "n_taxa": 9, "simulated": False}])
    >>> [text.get_text() for text in draw_clade_differences(rows, FigureSettings()).axes[0].texts]
    ['Chordata +0.20']
    """
    check_one_each(rows, ["taxon"])
    rows = rows.assign(taxon=rows["taxon"].astype(str)).set_index("taxon")
    tops = place_boxes(rows["n_taxa"].astype(float))
    ranks = [rank for rank in RANKS if rank in set(rows["rank"])]
    first, second = (
        look.label for look in style.model_styles([rows["encoder"].iloc[0], rows["encoder_b"].iloc[0]]).values()
    )
    n_deepest = (rows["rank"] == ranks[-1]).sum()
    height = float(np.clip(0.15 * n_deepest + 1.2, 2.4, 7.5))
    simulated = bool(rows["simulated"].fillna(False).any())
    figure = style.new_figure(settings, height, f"Where {first} and {second} differ", simulated)
    axes = figure.subplots()
    most = max(float(np.nanmax(np.abs(rows["value"]))), 0.05)
    colors = ScalarMappable(Normalize(-most, most), _COLORS)
    total = max(top + rows.loc[path, "n_taxa"] for path, top in tops.items())
    room = (height - 0.5) * 72 / total
    column = (settings.page - 0.7) / len(ranks)
    for path, row in rows.iterrows():
        box = (ranks.index(row["rank"]), tops[str(path)])
        _draw_box(axes, box, row.rename(path), colors, (room, column))
    axes.set_xlim(0, len(ranks))
    axes.set_ylim(total, 0)
    axes.set_xticks(np.arange(len(ranks)) + 0.5, ranks)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    label = f"CPCC inside the clade: {first} − {second}"
    label = f"← {second} closer      {label}      {first} closer →" if settings.page > 4 else label
    bar = figure.colorbar(colors, ax=axes, location="bottom", fraction=0.05, pad=0.01, aspect=45, label=label)
    bar.outline.set_visible(False)
    bar.ax.add_patch(Rectangle((-most, 0), most, 1, transform=bar.ax.get_xaxis_transform(), **_BELOW_ZERO))
    axes.set_ylabel(f"species in the clade: height (n = {int(total):,})", fontsize="small", color=style.MUTED)
    return figure


def place_boxes(n_taxa: pd.Series) -> dict[str, float]:
    """Return the upper end of the box of each clade, so that a clade lies beside the clade that holds it.

    Parameters
    ----------
    n_taxa : Series of float
        Height of each clade by its path.

    Returns
    -------
    dict from path to float

    Examples
    --------
    >>> place_boxes(pd.Series({"A": 5.0, "A|C": 2.0, "A|B": 3.0, "D": 1.0}))
    {'A': 0.0, 'A|B': 0.0, 'A|C': 3.0, 'D': 5.0}
    """
    tops: dict[str, float] = {}
    free: dict[str, float] = {"": 0.0}
    for path in sorted(n_taxa.index, key=lambda path: path.split("|")):
        parts = path.split("|")
        above = ("|".join(parts[:depth]) for depth in range(len(parts) - 1, 0, -1))
        parent = next((name for name in above if name in tops), "")
        tops[path] = free[path] = free[parent]
        free[parent] += float(n_taxa[path])
    return tops


def _draw_box(
    axes: Axes, at: tuple[int, float], row: pd.Series, colors: ScalarMappable, room: tuple[float, float]
) -> None:
    """Draw one clade: its box, and its name and number if there is room (points a species, inches a column)."""
    value, high = float(row["value"]), float(row["n_taxa"])
    known = bool(np.isfinite(value))
    face = tuple(colors.to_rgba(np.array([value]))[0]) if known else "white"
    hatch = None if known else "////"
    axes.add_patch(
        Rectangle(at, 1, high, facecolor=face, edgecolor="white" if known else style.FAINT, linewidth=0.8, hatch=hatch)
    )
    dark = known and float(np.dot(face[:3], [0.3, 0.59, 0.11])) < 0.5
    if known and value < 0:
        dots = _BELOW_ZERO | ({"edgecolor": (1, 1, 1, 0.6)} if dark else {})
        axes.add_patch(Rectangle(at, 1, high, **dots))
    if high * room[0] < 7.5:
        return
    rank = str(row["rank"])
    wide = room[1] > 0.9  # else the colour says it alone
    name = taxon_text(taxon_name(str(row.name), rank, max(int(room[1] / 0.056) - 7 * wide, 4)), rank)
    look: dict[str, Any] = {
        "color": "white" if dark else style.INK,
        "fontweight": "bold" if row["p_adjusted"] < 0.05 else "normal",
    }
    text = name + (f" {number(value, sign=True)}" if wide else "")
    axes.text(at[0] + 0.03, at[1] + high / 2, text, va="center", fontsize="small", **look)


ENTRY = FigureEntry(
    "clades",
    "Where two models differ",
    "Difference of two models in CPCC of the species inside each clade of five species or more. Columns are ranks, the "
    "height of a box is its number of species. Orange: the first model follows the tree more closely; purple and "
    "dotted: the second. Bold: p < 0.05, adjusted (Benjamini-Hochberg).",
    lambda rows, settings: draw_clade_differences(rows, settings),
    clade_rows,
)
