"""Strays: how far on the tree an image lies from the species that its nearest neighbours name."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from bioclip_probe.errors import DataError
from bioclip_probe.plots import style
from bioclip_probe.plots.entry import FigureEntry
from bioclip_probe.plots.labels import plural, shorten
from bioclip_probe.plots.lines import place_legend
from bioclip_probe.plots.selection import FigureRows, Tables
from bioclip_probe.plots.settings import FigureSettings
from bioclip_probe.probes import SEEN
from bioclip_probe.tables import RANKS, agrees

#: The lowest rank that an image shares with the species named for it, from the right answer to the farthest stray.
STEPS = (*reversed(RANKS), "none")
#: Probes whose answers are drawn, the first that there is.
PROBES = ("knn", "linear")
MOST_CROSSINGS = 10


def stray_rows(tables: Tables, settings: FigureSettings) -> pd.DataFrame:
    """Return how many images share which rank with the species named for them, and which taxa are exchanged.

    Parameters
    ----------
    tables : mapping from str to DataFrame
        ``predictions`` is a `PREDICTIONS` table.
    settings : FigureSettings

    Returns
    -------
    DataFrame
        Columns encoder, kind, rank, taxon, named, n_images, n_all, share, probe. Rows of kind ``shares`` count the
        images whose lowest shared rank is `rank`. Rows of kind ``crosses`` count the images of `taxon` that are taken
        for `named`, at the highest rank below kingdom that has two taxa or more; n_all counts the images of `taxon`.

    Raises
    ------
    DataError
        If no probe named species.

    Examples
    --------
    >>> row = {"encoder": "clip", "probe": "knn", "protocol": "seen", "rank": "species", "split": "test", "shots": None}
    >>> paths = ["A|B|C|D|E|F|F a", "A|B|C|D|E|F|F b"]
    >>> table = pd.DataFrame([row | {"truth": paths[0], "predicted": name} for name in paths])
    >>> stray_rows({"predictions": table}, FigureSettings())[["rank", "n_images"]].values.tolist()
    [['species', 1], ['genus', 1]]
    """
    table = tables["predictions"]
    table = table[agrees(table, {"rank": "species", "protocol": SEEN, "split": "test", "shots": None})]
    table = table[table["predicted"].notna()]
    probe = next((name for name in PROBES if table["probe"].eq(name).any()), None)
    if probe is None:
        raise DataError("no probe named species of test images; run the probe knn or linear")
    table = table[table["probe"].eq(probe)]
    names = table[["encoder", "truth", "predicted"]].astype(str)
    truth, named = (_ranks_of(names[column]) for column in ("truth", "predicted"))
    same = (truth == named) & (truth != "")
    lowest = np.where(same.any(axis=1), 6 - same.to_numpy()[:, ::-1].argmax(axis=1), -1)
    steps = pd.Series([RANKS[place] if place >= 0 else "none" for place in lowest], index=names.index)
    depth = next((depth for depth in range(1, 6) if len(set(truth[depth]) - {""}) > 1), None)
    parts = []
    for encoder, own in names.groupby("encoder", sort=False):
        counts = steps[own.index].value_counts().reindex([step for step in STEPS if step in set(steps)], fill_value=0)
        shares = counts.rename("n_images").rename_axis("rank").reset_index().assign(kind="shares", n_all=len(own))
        crosses = _crossings(truth.loc[own.index], named.loc[own.index], depth)
        parts += [part.assign(encoder=encoder) for part in (shares, crosses)]
    result = pd.concat([part for part in parts if len(part)], ignore_index=True)
    result["share"] = result["n_images"] / result["n_all"]
    columns = ["encoder", "kind", "rank", "taxon", "named", "n_images", "n_all", "share"]
    return result.reindex(columns=columns).assign(probe=probe)


def _ranks_of(paths: pd.Series) -> pd.DataFrame:
    """Return the names in paths, a column for each rank; a missing name is empty."""
    return paths.str.split("|", expand=True).reindex(columns=range(len(RANKS))).fillna("")


def _crossings(truth: pd.DataFrame, named: pd.DataFrame, depth: int | None) -> pd.DataFrame:
    """Return how many images of one taxon are taken for another at one rank."""
    if depth is None:
        return pd.DataFrame()
    pairs = pd.DataFrame({"taxon": truth[depth], "named": named[depth]})
    pairs = pairs[(pairs["taxon"] != "") & (pairs["named"] != "")]
    of_taxon = pairs["taxon"].value_counts()
    crossed = pairs[pairs["taxon"] != pairs["named"]].value_counts().rename("n_images").reset_index()
    return crossed.assign(kind="crosses", rank=RANKS[depth], n_all=crossed["taxon"].map(of_taxon))


@style.styled
def draw_strays(rows: pd.DataFrame, settings: FigureSettings) -> Figure:
    """Return a bar for each model, divided by the lowest rank shared, and the most frequent exchanges of taxa.

    Parameters
    ----------
    rows : DataFrame
        As `stray_rows` returns them.
    settings : FigureSettings

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    DataError
        If there is nothing to draw.

    Examples
    --------
    >>> counts = {"kind": "shares", "encoder": "clip", "n_all": 4, "probe": "knn", "taxon": None, "named": None}
    >>> rows = pd.DataFrame([counts | {"rank": rank, "n_images": 2, "share": 0.5} for rank in ("species", "genus")])
    >>> [round(float(bar.get_width()), 2) for bar in draw_strays(rows, FigureSettings()).axes[0].patches]
    [0.5, 0.5]
    """
    drawn = FigureRows.of(rows, (), settings)
    shares = drawn.table[drawn.table["kind"] == "shares"]
    crosses = _most_frequent(drawn.table[drawn.table["kind"] == "crosses"])
    n, n_pairs = len(drawn.encoders), len(crosses["pair"].unique()) if len(crosses) else 0
    heights = [0.5 + 0.19 * n, *([0.5 + 0.15 * n_pairs] if n_pairs else [])]
    figure = style.new_figure(settings, sum(heights) + (0.75 if settings.page > 4 else 1.7), "Strays", drawn.simulated)
    upper, *lower = figure.subplots(len(heights), 1, height_ratios=heights, squeeze=False).ravel()
    steps = [step for step in STEPS if step in set(shares["rank"])]
    tones = colormaps["cividis_r"](np.linspace(0.08, 1, len(STEPS)))
    color = {step: tones[STEPS.index(step)] for step in steps}
    _draw_shares(upper, shares, drawn, color, settings.page > 4)
    if lower:
        _draw_crossings(lower[0], crosses, drawn, settings.page > 4)
    words = {step: f"same {step}" for step in steps} | {"none": "no rank shared"}
    place_legend(figure, [(Patch(color=color[step], linewidth=0), words[step]) for step in steps])
    return figure


def _most_frequent(crosses: pd.DataFrame) -> pd.DataFrame:
    """Return the exchanges of the most images, over all models together."""
    if not len(crosses):
        return crosses
    pairs = crosses["taxon"].map(_short) + " → " + crosses["named"].map(_short)
    crosses = crosses.assign(pair=pairs)
    total = crosses.groupby("pair")["n_images"].sum().sort_values(ascending=False, kind="stable")
    frequent = total.index[:MOST_CROSSINGS]
    crosses = crosses[crosses["pair"].isin(frequent)]
    return crosses.assign(pair=pd.Categorical(crosses["pair"], frequent)).sort_values("pair")


def _short(name: str) -> str:
    return shorten(name, 18)


def _draw_shares(axes: Axes, shares: pd.DataFrame, rows: FigureRows, color: dict[str, np.ndarray], wide: bool) -> None:
    """Draw a divided bar for each model."""
    for y, encoder in enumerate(rows.encoders):
        own, left = shares[shares["encoder"] == encoder].set_index("rank")["share"], 0.0
        for step, tone in color.items():
            axes.barh(y, own.get(step, 0.0), 0.74, left, color=tone, linewidth=0)
            left += own.get(step, 0.0)
    axes.set_yticks(range(len(rows.encoders)), [rows.styles[name].label for name in rows.encoders])
    for tick, name in zip(axes.get_yticklabels(), rows.encoders, strict=True):
        tick.set_color(rows.styles[name].text_color)
    axes.set_ylim(len(rows.encoders) - 0.5, -0.5)
    axes.set_xlim(0, 1)
    axes.tick_params(axis="y", length=0)
    n = f"n = {shares['n_all'].max():,}".replace(" ", "\N{NO-BREAK SPACE}")
    text = f"share of test images, by the lowest rank shared with the species named ({n})"
    axes.set_xlabel(textwrap.fill(text, 90 if wide else 38))


def _draw_crossings(axes: Axes, crosses: pd.DataFrame, rows: FigureRows, wide: bool) -> None:
    """Draw a line for each exchange, with a mark for each model."""
    pairs = list(crosses["pair"].cat.categories)
    for encoder in reversed(rows.encoders):
        own, look = crosses[crosses["encoder"] == encoder], rows.styles[encoder]
        y = [pairs.index(pair) for pair in own["pair"]]
        axes.plot(own["share"], y, look.marker, color=look.color, markersize=4, markeredgewidth=0, label=look.label)
    axes.set_yticks(range(len(pairs)), pairs)
    axes.set_ylim(len(pairs) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.grid(color=style.GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0)
    rank = plural(str(crosses["rank"].iloc[0])).lower()
    text = f"share of the first one's test images: the {len(pairs)} most frequent exchanges of {rank}"
    axes.set_xlabel(textwrap.fill(text, 90 if wide else 38))
    handles, labels = axes.get_legend_handles_labels()
    beside: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0)}
    below: dict[str, Any] = {"loc": "upper right", "bbox_to_anchor": (1.0, -0.42), "ncols": 2}
    axes.legend(handles[::-1], labels[::-1], borderaxespad=0, handletextpad=0.1, **(beside if wide else below))


ENTRY = FigureEntry(
    "strays",
    "Strays: what images are taken for",
    "Above: test images by the lowest rank that they share with the species that their nearest neighbours (the k-NN "
    "probe; the linear probe where there is none) name for them. Below: which taxa are taken for which most often, and "
    "by which model.",
    draw_strays,
    stray_rows,
    table="predictions",
)
