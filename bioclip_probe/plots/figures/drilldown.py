"""The figure of Section 4.6: each model's embedding of each panel of the drill-down, coloured by taxon."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bioclip_probe.errors import DataError, some
from bioclip_probe.plots import style
from bioclip_probe.plots.colors import drilldown_colors, nearest_color
from bioclip_probe.plots.entry import FigureEntry
from bioclip_probe.plots.figures.drilldown_page import Page, n_columns, page_width
from bioclip_probe.plots.labels import number, plural, taxon_name, taxon_text
from bioclip_probe.plots.selection import FigureRows, Tables
from bioclip_probe.plots.settings import FigureSettings
from bioclip_probe.tables import RANKS

DEFAULTS = FigureSettings()
_METHODS = {"tsne": "t-SNE", "umap": "UMAP", "pca": "PCA"}
#: Columns that `drilldown_rows` adds, and the metric of each.
PURITIES = {"purity": "panel_purity", "purity_2d": "panel_purity_2d"}


def drilldown_rows(methods: Sequence[str]) -> Callable[[Tables, FigureSettings], pd.DataFrame]:
    """Return the function that selects the coordinates of some methods, with the purity of each panel.

    Parameters
    ----------
    methods : sequence of str
        Of those in a study the last one is drawn, and its last mode.

    Returns
    -------
    callable
        ``select(tables, settings) -> DataFrame``: a `COORDINATES` table with the columns `PURITIES` and ``chance``,
        which are missing where nothing was measured. It raises `DataError` if there are no coordinates, or two numbers
        for one panel.

    Examples
    --------
    >>> drilldown_rows(["umap"])({"coordinates": pd.DataFrame({"method": ["tsne"]})}, DEFAULTS)
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: there are no coordinates of umap to draw
    """

    def rows(tables: Tables, settings: FigureSettings) -> pd.DataFrame:
        table = tables["coordinates"]
        table = table[table["method"].isin(methods)]
        if not len(table):
            raise DataError(f"there are no coordinates of {' or '.join(methods)} to draw")
        last = table.iloc[-1]
        drawn = table[(table["method"] == last["method"]) & (table["mode"] == last["mode"])].reset_index(drop=True)
        return with_purity(drawn, tables["measurements"]) if "measurements" in tables else drawn

    return rows


def with_purity(coordinates: pd.DataFrame, measurements: pd.DataFrame) -> pd.DataFrame:
    """Return coordinates of one method with the purity of each panel beside them.

    Parameters
    ----------
    coordinates : DataFrame
    measurements : DataFrame
        Its ``panel_purity`` rows (``rank``, and the focus as ``taxon``, raw embeddings) and its ``panel_purity_2d``
        rows of the method (``protocol``) are used.

    Returns
    -------
    DataFrame
        With the columns purity, chance (both in full dimension) and purity_2d (in the plane).

    Raises
    ------
    DataError
        If there are two numbers for one panel.

    Examples
    --------
    >>> points = pd.DataFrame({"encoder": ["clip"], "rank": ["phylum"], "focus": ["Animalia"], "method": ["tsne"]})
    >>> numbers = points.assign(metric="panel_purity", taxon="Animalia", value=0.6, chance=0.5)
    >>> with_purity(points, numbers)[["purity", "chance"]].values.tolist()
    [[0.6, 0.5]]
    """
    result = coordinates.copy()
    panel = pd.MultiIndex.from_frame(coordinates[["encoder", "rank"]].assign(focus=coordinates["focus"].fillna("")))
    for column, metric in PURITIES.items():
        rows = measurements[measurements["metric"].eq(metric)]
        if "protocol" in rows:
            rows = rows[rows["protocol"].isna() | rows["protocol"].isin(coordinates["method"].head(1))]
        if "space" in rows:
            rows = rows[rows["space"].isna() | rows["space"].isin(["raw", ""])]
        numbers = rows.assign(taxon=rows["taxon"].fillna("")).set_index(["encoder", "rank", "taxon"])
        twice = numbers.index[numbers.index.duplicated()].intersection(panel)
        if len(twice):
            encoder, rank, _ = twice[0]
            raise DataError(f"more than one panel purity for {encoder} at {rank}; select one run's measurements")
        numbers = numbers[~numbers.index.duplicated()].reindex(panel)
        result[column] = numbers["value"].to_numpy(float)
        if metric == "panel_purity":
            result["chance"] = numbers["chance"].to_numpy(float)
    return result


@style.styled
def draw_drilldown(
    coordinates: pd.DataFrame,
    settings: FigureSettings = DEFAULTS,
    columns: int = 6,
    colors: Sequence[str] | None = None,
) -> Figure:
    r"""Return the drill-down of Section 4.6 for any set of models: a row for each model, a column for each rank.

    Parameters
    ----------
    coordinates : DataFrame
        A `COORDINATES` table of one dataset, one method and one mode. With the columns of `with_purity` the numbers are
        printed under their panels.
    settings : FigureSettings
    columns : int
        Ranks side by side, at most; fewer fit into one column of a journal. With 3 the ranks stand in two blocks, as in
        the published figure.
    colors : sequence of str, optional
        One for each plotted taxon in alphabetical order, in every panel anew. By default colours are nested by clade,
        see `drilldown_colors`; a table in `paper` mode has the authors' colours.

    Returns
    -------
    matplotlib.figure.Figure
        Only plotted taxa are drawn, without the points marked ``hidden``; n counts all images embedded. The frame of a
        panel has the colour that its focus has in the panel before. Ranks with one taxon only are left out, if there is
        another: their panels would show the same points again, in one colour.

    Raises
    ------
    DataError
        If the table mixes methods, modes or datasets, if models differ in their panels, or there is nothing to draw.

    Examples
    --------
    >>> points = pd.DataFrame({"encoder": "clip", "rank": "phylum", "focus": "Animalia", "hidden": False,
    ...     "taxon": ["Animalia|Chordata", "Animalia|Mollusca"], "plotted": True, "x": [0, 1], "y": [1, 0],
    ...     "method": "tsne", "mode": "paper"})
    >>> draw_drilldown(points).axes[0].get_title()
    'Phyla of Animalia\nn = 2'
    """
    rows = FigureRows.of(coordinates, (), settings)
    table = rows.table
    _check_single(table)
    ranks = [rank for rank in RANKS if rank in set(table["rank"])]
    if colors is None and table["mode"].iloc[0] == "paper":
        colors = style.PAPER_COLORS
    most = len(colors or style.SAFE_COLORS)
    counts = {rank: _plotted_taxa(table[table["rank"] == rank], rank, most) for rank in ranks}
    several = [rank for rank in ranks if len(counts[rank]) != 1]
    left_out, ranks = [rank for rank in ranks if rank not in several], several or ranks[-1:]
    columns = n_columns(settings, min(columns, len(ranks)))
    blocks = [ranks[first : first + columns] for first in range(0, len(ranks), columns)]
    captioned = set(PURITIES) <= set(table) and table[list(PURITIES)].notna().any(axis=None)
    title = settings.title or _heading(table, ranks[0])
    if left_out and several:
        title += f"; one taxon each at {', '.join(left_out)}"
    n_taxa = [[len(counts[rank]) for rank in block] for block in blocks]
    heading = style.heading_lines(title, page_width(settings, columns), rows.simulated)
    page = Page(settings, n_taxa, len(rows.encoders), bool(captioned), style.heading_height(heading))
    figure = style.new_figure(replace(settings, title=title), page.height_below, title, rows.simulated, page.page, None)
    focus = {rank: str(table.loc[table["rank"] == rank, "focus"].fillna("").iloc[0]) for rank in ranks}
    color = drilldown_colors([(focus[rank], list(counts[rank].index)) for rank in ranks], colors)
    for b, block in enumerate(blocks):
        for c, rank in enumerate(block):
            parts = dict(iter(table[table["rank"] == rank].groupby("encoder", sort=False)))
            frame = nearest_color(color, focus[rank]) or style.FAINT
            for r, encoder in enumerate(rows.encoders):
                axes = figure.add_axes(page.panel(b, r, c), label=f"{encoder} {rank}")
                _draw_panel(axes, parts[encoder], color, page.width * page.height)
                axes.spines[:].set(visible=True, color=frame)
                axes.set_xlabel(_caption(parts[encoder], page), fontsize="small", color=style.MUTED, labelpad=2)
                if r == 0:
                    axes.set_title(_title(parts[encoder], rank, page), fontsize=page.title_size, pad=3.5)
                if c == 0:
                    _draw_name(axes, rows.styles[encoder], page.height)
            _draw_legend(figure.add_axes(page.legend(b, c), label=f"legend {rank}"), counts[rank], color, page)
    if page.short:
        key = "Below each panel: k-means purity · in the plane · chance · adjusted for chance"
        figure.text(0.09 / page.page, 0.07 / page.total, key, fontsize="small", color=style.MUTED, va="bottom")
    return figure


def _heading(table: pd.DataFrame, first_rank: str) -> str:
    """Return the heading of a figure of one method and mode."""
    method, mode = table["method"].iloc[0], table["mode"].iloc[0]
    name = _METHODS.get(method, method)
    return f"From {first_rank} to species: {name} of each model’s embeddings ({mode} mode)"


def _draw_panel(axes: Axes, part: pd.DataFrame, color: dict[str, str], area: float) -> None:
    """Draw one panel: points of the plotted taxa, or the reason why there are none."""
    drawn = part[part["plotted"] & ~part["hidden"] & np.isfinite(part["x"]) & np.isfinite(part["y"])]
    # The ink of all points together stays about the same, so small panels have larger points.
    size = float(np.clip(900 * area / max(len(drawn), 1), 0.12 * area, 8))
    # One layer in a fixed shuffled order: no taxon lies on top of the others because of its name.
    drawn = drawn.iloc[np.random.default_rng(0).permutation(len(drawn))]
    colors = drawn["taxon"].map(color).tolist() or None
    axes.scatter(drawn["x"], drawn["y"], c=colors, s=size, alpha=style.POINT_ALPHA, linewidths=0, rasterized=True)
    axes.set(xticks=[], yticks=[])
    axes.set_aspect("equal", adjustable="datalim")
    axes.margins(0.06)
    if drawn.empty:
        why = "cannot be\nembedded" if part["plotted"].any() else "no name at\nthis rank"
        center: dict[str, Any] = {"transform": axes.transAxes, "ha": "center", "va": "center"}
        axes.text(0.5, 0.5, why, fontsize="small", color=style.MUTED, **center)


def _draw_name(axes: Axes, look: style.ModelStyle, height: float) -> None:
    """Draw the name of a model at the left of its row, on two lines if it is longer than the panel is high."""
    weight = "normal" if look.control else "bold"
    axes.set_ylabel(
        _wrapped(look.label, min(int(height / 0.06), 16)),
        fontsize="small",
        color=look.text_color,
        fontweight=weight,
        labelpad=3,
    )


def _draw_legend(axes: Axes, taxa: pd.Series, color: dict[str, str], page: Page) -> None:
    """Draw the names of the plotted taxa, with the number of images of each."""
    axes.axis("off")
    width = int(page.width / page.legend_columns * 20) - 8  # characters that fit beside the count
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
            fontsize="small",
            borderpad=0,
            borderaxespad=0,
            handletextpad=0.1,
            labelspacing=0.35,
            handlelength=1.2,
            ncols=page.legend_columns,
            columnspacing=1.2,
        )


def _title(part: pd.DataFrame, rank: str, page: Page) -> str:
    """Return the title of a panel and its n, such as ``Orders of Insecta``, on one line more if it is long."""
    focus, n = part["focus"].iloc[0], f"\nn = {len(part):,}"
    if not isinstance(focus, str) or not focus:
        return plural(rank) + n
    focus_rank = _rank_of(focus)
    name = taxon_name(focus, focus_rank, page.title_width)
    between = " of " if len(plural(rank)) + len(" of ") + len(name) <= page.title_width else " of\n"
    return f"{plural(rank)}{between}{taxon_text(name, focus_rank)}{n}"


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


def _caption(part: pd.DataFrame, page: Page) -> str:
    """Return the text under a panel: its purity in full dimension and in the plane, chance, and what is beyond it."""
    row = part.iloc[0]
    purity, plane, chance = (row.get(name, np.nan) for name in (*PURITIES, "chance"))
    adjusted = (purity - chance) / (1 - chance) if chance < 1 else np.nan
    if not np.isfinite([purity, plane]).any():
        return ""
    if page.short:
        return " · ".join(number(value) for value in (purity, plane, chance, adjusted))
    named = {"purity": purity, "in plane": plane, "chance": chance, "adjusted": adjusted}
    words = [f"{name} {number(value)}" for name, value in named.items() if np.isfinite(value)]
    if page.width > 1.3:
        return "\n".join(", ".join(words[first : first + 2]) for first in range(0, len(words), 2))
    return "\n".join(words)


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


def _draw(rows: pd.DataFrame, settings: FigureSettings) -> Figure:
    """Return the figure; its heading names the ranks and the method, unless the user gave one."""
    given = settings.title not in (TSNE.title, UMAP.title)
    return draw_drilldown(rows, settings if given else replace(settings, title=""))


TSNE = FigureEntry(
    "drilldown",
    "The drill-down of Section 4.6",
    "Each panel is a projection of its own, of all images of the taxon in focus. The six taxa with most images are "
    "coloured, and the largest is the focus of the next panel, whose frame has its colour and whose taxa are shades "
    "around it. A taxon has the same colour in every model. Below each panel: purity of k-means clusters in full "
    "dimension and in the plane, what a model reaches that recognises species and knows no tree (chance), and the "
    "share of the way from there to 1 (adjusted, in full dimension).",
    _draw,
    drilldown_rows(("tsne", "pca")),
    table="coordinates",
)
UMAP = FigureEntry(
    "drilldown_umap",
    "The drill-down of Section 4.6, by UMAP",
    "The same panels, drawn by UMAP, which keeps more of what lies between groups. Only what both methods show is "
    "there for sure.",
    _draw,
    drilldown_rows(("umap",)),
    table="coordinates",
)
