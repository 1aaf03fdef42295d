"""The figure of Section 4.6: each model's embedding of each panel of the drill-down, coloured by taxon."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bioclip_probe.errors import DataError, some
from bioclip_probe.plots import style
from bioclip_probe.plots.labels import plural, taxon_name, taxon_text
from bioclip_probe.plots.selection import FigureRows
from bioclip_probe.plots.settings import FigureSettings
from bioclip_probe.tables import RANKS

DEFAULTS = FigureSettings()
_METHODS = {"tsne": "t-SNE", "umap": "UMAP", "pca": "PCA"}
#: Inches: the figure's heading, one line of type, the models' names, between panels, around the page.
_HEADING, _LINE, _SIDE, _GAP, _EDGE = 0.36, 0.115, 0.26, 0.07, 0.09
_WIDEST, _HIGHEST = 2.25, 1.6  # a panel


@style.styled
def drilldown(
    coordinates: pd.DataFrame,
    settings: FigureSettings = DEFAULTS,
    measurements: pd.DataFrame | None = None,
    columns: int = 6,
    colors: Sequence[str] = style.PAPER_COLORS,
) -> Figure:
    """Draw the drill-down of Section 4.6 for any set of models: a row for each model, a column for each rank.

    Parameters
    ----------
    coordinates : DataFrame
        A `COORDINATES` table of one dataset, one method and one mode.
    settings : FigureSettings
        Models, controls, heading, and the mark on simulated data.
    measurements : DataFrame, optional
        A `MEASUREMENTS` table. Its ``panel_purity`` rows (``rank``, and the focus as ``taxon``, raw embeddings) and
        ``panel_purity_2d`` rows of the method (``protocol``) are printed under their panels.
    columns : int
        Ranks side by side. With 3 the ranks stand in two blocks, as in the published figure.
    colors : sequence of str
        One for each plotted taxon in alphabetical order, the same in every model.

    Returns
    -------
    matplotlib.figure.Figure
        Only plotted taxa are drawn, without the points marked ``hidden``; n counts all images embedded.

    Raises
    ------
    DataError
        If the table mixes methods, modes or datasets, if models differ in their panels, or there is nothing to draw.

    Examples
    --------
    >>> points = pd.DataFrame({"encoder": "clip", "rank": "phylum", "focus": "Animalia", "hidden": False,
    ...     "taxon": ["Animalia|Chordata", "Animalia|Mollusca"], "plotted": True, "x": [0, 1], "y": [1, 0],
    ...     "method": "tsne", "mode": "paper"})
    >>> drilldown(points).axes[0].get_title()
    'Phyla of Animalia'
    """
    rows = FigureRows.of(coordinates, (), settings)
    table = rows.table
    _check_single(table)
    ranks = [rank for rank in RANKS if rank in set(table["rank"])]
    counts = {rank: _plotted_taxa(table[table["rank"] == rank], rank, len(colors)) for rank in ranks}
    captions = _captions(measurements, table)
    blocks = [ranks[first : first + columns] for first in range(0, len(ranks), columns)]
    page = _Page(min(columns, len(ranks)), len(blocks), len(rows.encoders), bool(captions))

    title = settings.title or _heading(table, ranks[0])
    figure = style.new_figure(page.page, page.total, title, rows.simulated, layout=None)
    for b, block in enumerate(blocks):
        for c, rank in enumerate(block):
            parts = dict(iter(table[table["rank"] == rank].groupby("encoder", sort=False)))
            color = dict(zip(counts[rank].index, colors, strict=False))
            for r, encoder in enumerate(rows.encoders):
                axes = figure.add_axes(page.panel(b, r, c), label=f"{encoder} {rank}")
                _draw_panel(axes, parts[encoder], color, page.width * page.height)
                axes.set_xlabel(captions.get((encoder, rank), ""), fontsize=style.SMALL, color=style.MUTED, labelpad=2)
                if r == 0:
                    axes.set_title(_title(parts[encoder], rank, page), fontsize=page.title_size, pad=3.5)
                if c == 0:
                    _draw_name(axes, rows.styles[encoder])
            _draw_legend(figure.add_axes(page.legend(b, c), label=f"legend {rank}"), counts[rank], color, page)
    return figure


def _heading(table: pd.DataFrame, first_rank: str) -> str:
    """Return the heading of a figure of one method and mode."""
    method, mode = table["method"].iloc[0], table["mode"].iloc[0]
    name = _METHODS.get(method, method)
    return f"From {first_rank} to species: {name} of each model’s embeddings ({mode} mode)"


class _Page:
    """The positions of panels and legends, as fractions of a page as wide as a journal's text, or half of it."""

    def __init__(self, columns: int, blocks: int, rows: int, captions: bool) -> None:
        self.page = style.TEXT_WIDTH if columns > 1 else style.TEXT_WIDTH / 2
        self.width = min((self.page - _SIDE - 2 * _EDGE - (columns - 1) * _GAP) / columns, _WIDEST)
        self.height = min(self.width, _HIGHEST)
        self.title_size = 6.0 if self.width < 1.3 else 7.0
        self.title_width = int(self.width * 72 / (0.55 * self.title_size))  # in characters of usual width
        self.title = 2 * _LINE + 0.05
        self.row = self.height + (_LINE + 0.07 if captions else _GAP)
        self.legend_columns = 2 if self.width > 1.9 else 1
        self.legends = _LINE * 6 / self.legend_columns
        self.block = self.title + rows * self.row + self.legends + 0.08
        self.total = _HEADING + blocks * self.block + _EDGE

    def _box(self, column: int, top: float, height: float) -> tuple[float, float, float, float]:
        """Return left, bottom, width and height of a box."""
        left = _EDGE + _SIDE + column * (self.width + _GAP)
        return left / self.page, 1 - (top + height) / self.total, self.width / self.page, height / self.total

    def panel(self, block: int, row: int, column: int) -> tuple[float, float, float, float]:
        """Return the box of a panel."""
        return self._box(column, _HEADING + block * self.block + self.title + row * self.row, self.height)

    def legend(self, block: int, column: int) -> tuple[float, float, float, float]:
        """Return the box of a legend."""
        return self._box(column, _HEADING + (block + 1) * self.block - self.legends - 0.08, self.legends)


def _draw_panel(axes: Axes, part: pd.DataFrame, color: dict[str, str], area: float) -> None:
    """Draw one panel: points of the plotted taxa, n, a quiet frame."""
    drawn = part[part["plotted"] & ~part["hidden"] & np.isfinite(part["x"]) & np.isfinite(part["y"])]
    # The ink of all points together stays about the same, so small panels have larger points.
    size = float(np.clip(1100 * area / max(len(drawn), 1), 0.12 * area, 9))
    # One layer in a fixed shuffled order: no taxon lies on top of the others because of its name.
    drawn = drawn.iloc[np.random.default_rng(0).permutation(len(drawn))]
    colors = drawn["taxon"].map(color).tolist() or None
    axes.scatter(drawn["x"], drawn["y"], c=colors, s=size, alpha=0.5, linewidths=0, rasterized=True)
    axes.set(xticks=[], yticks=[])
    axes.set_aspect("equal", adjustable="datalim")
    axes.margins(0.06)
    for spine in axes.spines.values():
        spine.set(visible=True, color=style.FAINT, linewidth=0.6)
    if drawn.empty:
        why = "cannot be\nembedded" if part["plotted"].any() else "no name at\nthis rank"
        center: dict[str, Any] = {"transform": axes.transAxes, "ha": "center", "va": "center"}
        axes.text(0.5, 0.5, why, fontsize=6, color=style.MUTED, **center)
    corner: dict[str, Any] = {"transform": axes.transAxes, "ha": "left", "va": "top"}
    box = {"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 0.8}
    axes.text(0.035, 0.965, f"n = {len(part):,}", fontsize=style.SMALL, bbox=box, **corner)


def _draw_name(axes: Axes, look: style.ModelStyle) -> None:
    """Draw the name of a model at the left of its row."""
    weight = "normal" if look.control else "bold"
    axes.set_ylabel(_wrapped(look.label, 16), fontsize=6.5, color=look.text_color, fontweight=weight, labelpad=3)


def _draw_legend(axes: Axes, taxa: pd.Series, color: dict[str, str], page: _Page) -> None:
    """Draw the names of the plotted taxa, with the number of images of each."""
    axes.axis("off")
    width = int(page.width / page.legend_columns * 22) - 8  # characters that fit beside the count
    handles, labels = [], []
    for path, count in taxa.items():
        rank = _rank_of(path)
        handles.append(Line2D([], [], linestyle="", marker="o", markersize=3.4, markeredgewidth=0, color=color[path]))
        labels.append(f"{taxon_text(taxon_name(path, rank, width), rank)}  {count:,}")
    if handles:
        axes.legend(
            handles,
            labels,
            loc="upper left",
            bbox_to_anchor=(-0.02, 1.0),
            fontsize=style.SMALL,
            borderpad=0,
            borderaxespad=0,
            handletextpad=0.1,
            labelspacing=0.35,
            handlelength=1.2,
            ncols=page.legend_columns,
            columnspacing=1.2,
        )


def _title(part: pd.DataFrame, rank: str, page: _Page) -> str:
    """Return the title of a panel, such as ``Orders of Insecta``, on two lines if it is long."""
    focus = part["focus"].iloc[0]
    if not isinstance(focus, str) or not focus:
        return plural(rank)
    focus_rank = _rank_of(focus)
    name = taxon_name(focus, focus_rank, page.title_width)
    between = " of " if len(plural(rank)) + len(" of ") + len(name) <= page.title_width else " of\n"
    return f"{plural(rank)}{between}{taxon_text(name, focus_rank)}"


def _rank_of(path: str) -> str:
    """Return the rank of a taxon, from its path."""
    return RANKS[path.count("|")]


def _plotted_taxa(part: pd.DataFrame, rank: str, most: int) -> pd.Series:
    """Return the number of images of each plotted taxon, by path, in alphabetical order; the same for every model."""
    counts = []
    for _, own in part.groupby("encoder", sort=False):
        plotted = own.loc[own["plotted"], "taxon"].value_counts().sort_index()
        counts.append((len(own), own["focus"].fillna("").unique().tolist(), plotted))
    n, focus, taxa = counts[0]
    if any(own[:2] != (n, focus) or not own[2].equals(taxa) for own in counts):
        raise DataError(f"the models' {rank} panels hold different images; draw models of one run together")
    if len(focus) > 1 or len(taxa) > most:
        raise DataError(f"expected one {rank} panel of at most {most} taxa, got {len(focus)} of {len(taxa)} taxa")
    return taxa.loc[sorted(taxa.index, key=lambda path: (path.split("|")[-1], path))]


def _captions(measurements: pd.DataFrame | None, table: pd.DataFrame) -> dict[tuple[str, str], str]:
    """Return the text under each panel: its purity in full dimension, its chance level, its purity in the plane."""
    if measurements is None:
        return {}
    of_plane = measurements["metric"].eq("panel_purity_2d")
    if "protocol" in measurements:
        of_plane &= measurements["protocol"].isna() | measurements["protocol"].isin([table["method"].iloc[0]])
    rows = measurements[measurements["metric"].eq("panel_purity") | of_plane]
    if "space" in rows:
        rows = rows[rows["space"].isna() | rows["space"].isin(["raw", ""])]
    focus = table.groupby(["encoder", "rank"])["focus"].first()
    captions = {}
    for (encoder, rank), path in focus.fillna("").items():
        own = rows[(rows["encoder"] == encoder) & (rows["rank"] == rank) & (rows["taxon"].fillna("") == path)]
        own = own.set_index("metric")
        if own.index.has_duplicates:
            raise DataError(f"more than one panel purity for {encoder} at {rank}; select one run's measurements")
        words = []
        if "panel_purity" in own.index and np.isfinite(own.loc["panel_purity", "value"]):
            value, chance = own.loc["panel_purity", ["value", "chance"]]
            words.append(f"purity {value:.2f}" + (f" (chance {chance:.2f})" if np.isfinite(chance) else ""))
        if "panel_purity_2d" in own.index and np.isfinite(own.loc["panel_purity_2d", "value"]):
            words.append(f"in plane {own.loc['panel_purity_2d', 'value']:.2f}")
        captions[encoder, rank] = ", ".join(words) if len(words) < 2 else f"{words[0].split(' (')[0]}, {words[1]}"
    return captions


def _check_single(table: pd.DataFrame) -> None:
    """Raise an error if the table holds more than one figure."""
    for column in ("dataset", "method", "mode", "run"):
        values = table[column].unique() if column in table else ()
        if len(values) > 1:
            raise DataError(f"one figure draws one {column}, the table has: {some(values)}")


def _wrapped(text: str, width: int) -> str:
    """Return a long text on two lines, broken where a sign separates words if there is one."""
    if len(text) <= width:
        return text
    breaks = [position + 1 for position, sign in enumerate(text) if sign in " -_/:."]
    middle = min(breaks, key=lambda position: abs(position - len(text) / 2), default=len(text) // 2)
    return f"{text[:middle].rstrip()}\n{text[middle:]}"
