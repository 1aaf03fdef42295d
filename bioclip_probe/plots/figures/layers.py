"""Numbers by depth: a line for each model over its layers, and its own embedding at the end."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bioclip_probe.errors import DataError
from bioclip_probe.metrics.endpoints import TAXONOMY
from bioclip_probe.plots import style
from bioclip_probe.plots.entry import FigureEntry
from bioclip_probe.plots.labels import metric_label, tree_label, unit_label
from bioclip_probe.plots.layered import Layer
from bioclip_probe.plots.lines import draw_legend, draw_line, label_below, value_limits
from bioclip_probe.plots.selection import Tables, check_one_each, on_tree
from bioclip_probe.plots.settings import FigureSettings

DEFAULTS = FigureSettings()
#: The metrics of the panels, and the rank of each.
PANELS = {"cophenetic_correlation": "species", "pagel_lambda": "species", "knn_purity_1_other_species": "family"}
TITLES = {"knn_purity_1_other_species": "1-NN among other species, family"}


def layer_rows(tables: Tables, settings: FigureSettings = DEFAULTS) -> pd.DataFrame:
    """Return the numbers of models by layer, and those of the same models' own embeddings.

    Parameters
    ----------
    tables : mapping from str to DataFrame
        ``measurements`` is a `MEASUREMENTS` table. Encoders named ``layer:N:MODEL`` are layers of MODEL.
    settings : FigureSettings
        Its `space` and `tree` are used.

    Returns
    -------
    DataFrame
        With two more columns: `model`, and `layer`, which is missing for a model's own
        embedding.

    Raises
    ------
    DataError
        If no encoder is a layer of a model.

    Examples
    --------
    >>> from bioclip_probe.tables import MEASUREMENTS
    >>> row = {"metric": "pagel_lambda", "rank": "species", "split": "all", "space": "raw", "tree": "taxonomy"}
    >>> rows = [row | {"encoder": name, "value": 0.5} for name in ("layer:2:clip", "clip", "pixels")]
    >>> layer_rows({"measurements": MEASUREMENTS.frame(rows)})[["model", "layer"]].values.tolist()
    [['clip', 2], ['clip', <NA>]]
    """
    table = tables["measurements"]
    keep = table["metric"].map(PANELS).eq(table["rank"]) & table["space"].eq(settings.space) & table["split"].eq("all")
    for column in ("taxon", "encoder_b", "probe"):
        keep &= table[column].isna()
    rows = table[keep & on_tree(table, settings.tree or TAXONOMY)]
    found = rows["encoder"].map(Layer.of)
    layers = pd.Series([layer.number if layer else None for layer in found], index=rows.index, dtype="Int64")
    model = [layer.series if layer else name for layer, name in zip(found, rows["encoder"], strict=True)]
    rows = rows.assign(model=pd.Series(model, index=rows.index, dtype="str"), layer=layers)
    of_layers = set(rows.loc[layers.notna(), "model"].str.removesuffix(" (cls)").str.removesuffix(" (mean)"))
    rows = rows[layers.notna() | rows["model"].isin(of_layers)]
    if not rows["value"].notna().any():
        raise DataError("there are no layers to draw; name encoders layer:N:MODEL, e.g. --models layer:1-12:bioclip")
    return rows.reset_index(drop=True)


@style.styled
def draw_layers(rows: pd.DataFrame, settings: FigureSettings = DEFAULTS) -> Figure:
    """Return the agreement with the tree by layer: a panel for each metric, a line for each model.

    Parameters
    ----------
    rows : DataFrame
        As `layer_rows` returns them.
    settings : FigureSettings

    Returns
    -------
    matplotlib.figure.Figure
        All panels share one scale. The axis counts blocks from 1. A model's own embedding, after its last norm and
        projection, stands at the end as a single mark.

    Raises
    ------
    DataError
        If two rows fall on one point.

    Examples
    --------
    >>> from bioclip_probe.tables import MEASUREMENTS
    >>> row = {"metric": "pagel_lambda", "rank": "species", "split": "all", "space": "raw", "tree": "taxonomy"}
    >>> rows = [row | {"encoder": f"layer:{n}:clip", "value": n / 9} for n in (1, 2, 3)]
    >>> figure = draw_layers(layer_rows({"measurements": MEASUREMENTS.frame(rows)}))
    >>> figure.axes[0].lines[0].get_xdata().tolist()
    [1, 2, 3]
    """
    check_one_each(rows, ["metric", "model", "encoder"])
    metrics = [metric for metric in PANELS if metric in set(rows["metric"])]
    models = list(dict.fromkeys(rows["model"]))
    of_controls = set(rows.loc[rows["encoder"].isin(settings.controls), "model"])
    styles = style.model_styles(models, of_controls)
    simulated = settings.simulated or bool(rows["simulated"].fillna(False).any())
    n_columns = len(metrics) if settings.page > 4 else 1
    n_rows = -(-len(metrics) // n_columns)
    height = 1.9 * n_rows + 0.3 + 0.17 * -(-(len(models) + 2) // int(settings.page // 1.3))
    title = "Agreement with the tree by layer"
    figure = style.new_figure(settings, height, title, simulated, 0.6 + 2.2 * n_columns)
    grid = figure.subplots(n_rows, n_columns, squeeze=False, sharey=True)
    limits = value_limits(rows)
    end = int(rows["layer"].max()) + 1
    for axes, metric in zip(grid.ravel(), metrics, strict=True):
        panel = rows[rows["metric"] == metric]
        for model in models:
            _draw_model(axes, panel[panel["model"] == model], end, styles[model], limits)
        _draw_axis(axes, panel, end, limits)
        axes.set_title(TITLES.get(metric, metric_label(metric)), loc="left")
        axes.set_ylabel(unit_label([metric]))
    label_below(grid, f"layer (block of the network){tree_label(rows)}")
    draw_legend(figure, styles.values(), rows)
    return figure


def _draw_model(axes: Axes, rows: pd.DataFrame, end: int, look: style.ModelStyle, limits: tuple[float, float]) -> None:
    layers = rows[rows["layer"].notna()].sort_values("layer")
    own = rows[rows["layer"].isna()]
    for part, x in ((layers, layers["layer"].to_numpy(int)), (own, np.full(len(own), end))):
        if len(part):
            draw_line(axes, x, part, look, limits)


def _draw_axis(axes: Axes, panel: pd.DataFrame, end: int, limits: tuple[float, float]) -> None:
    """Draw the mean chance level by layer, the grid, and the names of the axis."""
    chance = panel.assign(x=panel["layer"].fillna(end)).groupby("x")["chance"].mean()
    axes.plot(chance.index.to_numpy(float), chance.to_numpy(float), color=style.MUTED, linewidth=0.8, zorder=1)
    step = -(-end // 12)
    ticks = [layer for layer in range(1, end) if layer % step == 0 or layer == 1]
    has_own = panel["layer"].isna().any()
    axes.set_xticks([*ticks, *([end] if has_own else [])], [*map(str, ticks), *(["own"] if has_own else [])])
    axes.set_xlim(0.4, end + (0.6 if has_own else -0.4))
    axes.set_ylim(*limits)
    axes.grid(axis="y", color=style.GRID, linewidth=0.6)
    axes.set_axisbelow(True)


ENTRY = FigureEntry(
    "layers",
    "Agreement with the tree by layer",
    "CPCC, tree signal and 1-NN purity at family (among other species) of the vectors after each block of a model, "
    "and of its own embedding. For encoders named layer:N:MODEL. Grey: chance.",
    draw_layers,
    layer_rows,
)
