"""The rows of a table that a figure draws, and the checks that each point has one row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from bioclip_probe.errors import DataError, some
from bioclip_probe.metrics.endpoints import TAXONOMY, primary_tree
from bioclip_probe.metrics.registry import DIFFERENCE
from bioclip_probe.plots.layered import by_depth
from bioclip_probe.plots.settings import FigureSettings
from bioclip_probe.plots.style import ModelStyle, model_styles
from bioclip_probe.tables import RANKS, agrees

#: The tables of a study by name: ``measurements``, ``predictions`` after a probe, ``coordinates`` after a projection.
Tables = Mapping[str, pd.DataFrame]
DEFAULTS = FigureSettings()
#: Metrics that are about two encoders, and not about the difference of two numbers.
OF_TWO_MODELS = ("cka_calibrated", "rsa_calibrated", "mutual_knn_calibrated")


@dataclass(frozen=True, eq=False)
class FigureRows:
    """The rows that a figure draws, the encoders in them, and how each is drawn.

    Attributes
    ----------
    table : DataFrame
        Rows of the encoders drawn.
    encoders : list of str
        In the order of the figure: models, with their layers in order of depth, then controls.
    styles : dict from encoder to ModelStyle
    simulated : bool
        The figure must say that its data are simulated.

    Examples
    --------
    >>> table = pd.DataFrame({"encoder": ["pixels", "clip"], "value": [0.1, 0.4]})
    >>> FigureRows.of(table, ["encoder"], FigureSettings(controls=("pixels",))).encoders
    ['clip', 'pixels']
    """

    table: pd.DataFrame
    encoders: list[str]
    styles: dict[str, ModelStyle]
    simulated: bool

    @classmethod
    def of(
        cls,
        table: pd.DataFrame,
        keys: Sequence[str],
        settings: FigureSettings,
        encoder_columns: Sequence[str] = ("encoder",),
    ) -> FigureRows:
        """Return the rows of a table that belong to the models to draw.

        Parameters
        ----------
        table : DataFrame
            Rows of the metrics to draw.
        keys : sequence of str
            Columns that identify a point of the figure; without any, rows are not checked.
        settings : FigureSettings
        encoder_columns : sequence of str
            Columns that name an encoder: one, or the two of a comparison.

        Raises
        ------
        DataError
            If there is nothing to draw, or two rows fall on one point.
        """
        present = list(dict.fromkeys(pd.concat([table[column] for column in encoder_columns])))
        wanted = present if settings.models is None else list(settings.models)
        absent = [name for name in wanted if name not in present]
        if absent or not wanted:
            raise DataError(f"nothing to draw for the encoder {some(absent)}; the table has: {some(present, 10)}")
        ordered = by_depth(wanted) if settings.models is None else wanted
        encoders = sorted(ordered, key=lambda name: name in settings.controls)
        for column in encoder_columns:
            table = table[table[column].isin(encoders)]
        if keys:
            check_one_each(table, list(keys))
        simulated = settings.simulated or bool("simulated" in table and table["simulated"].any())
        return cls(table, encoders, model_styles(encoders, settings.controls), simulated)


def select(measurements: pd.DataFrame, metrics: Iterable[str], space: str | None = None) -> pd.DataFrame:
    """Return the rows of a `MEASUREMENTS` table that a figure of these metrics draws.

    Parameters
    ----------
    measurements : DataFrame
    metrics : iterable of str
        Names of metrics.
    space : str, optional
        ``raw`` or ``centred``; rows without a space are kept. All spaces by default.

    Returns
    -------
    DataFrame
        Rows of those metrics about all taxa (``taxon`` is missing) and about one encoder (``encoder_b`` is missing).
        Save it beside the figure.

    Raises
    ------
    DataError
        If no row is left.

    Examples
    --------
    >>> table = pd.DataFrame({"metric": ["cka", "silhouette"], "encoder_b": ["clip", None], "value": [0.5, 0.2]})
    >>> select(table, ["silhouette"])["value"].tolist()
    [0.2]
    """
    keep = measurements["metric"].isin(list(metrics))
    for column in ("taxon", "encoder_b"):
        if column in measurements:
            keep &= measurements[column].fillna("") == ""
    if space is not None and "space" in measurements:
        keep &= measurements["space"].fillna("").isin([space, ""])
    if not keep.any():
        has = measurements["metric"].unique()
        raise DataError(f"no rows to draw for the metric {some(metrics)}; the table has: {some(has, 12)}")
    return measurements[keep].reset_index(drop=True)


def measured(
    tables: Tables, metrics: tuple[str, ...], where: Mapping[str, object], settings: FigureSettings = DEFAULTS
) -> pd.DataFrame:
    """Return the measurements of some metrics on the tree of the settings, about all taxa and one encoder.

    Parameters
    ----------
    tables : mapping from str to DataFrame
    metrics : tuple of str
    where : mapping from column to value
        See `agrees`.
    settings : FigureSettings
        Its `tree` and `space` are used; a `space` in `where` goes first. Metrics of ranks are read on the taxonomy.

    Returns
    -------
    DataFrame

    Raises
    ------
    DataError
        If no value is defined, or the study has no such tree.

    Examples
    --------
    >>> from bioclip_probe.plots.examples import two_models
    >>> tables = {"measurements": two_models().assign(tree="taxonomy")}
    >>> len(measured(tables, ("cluster_purity",), {"rank": "species"}))
    2
    """
    table = tables["measurements"]
    where = {"space": [settings.space], **where}
    keep = table["metric"].isin(metrics) & on_tree(table, settings.tree or TAXONOMY) & table["taxon"].isna()
    keep &= (table["encoder_b"].isna() | table["metric"].isin(OF_TWO_MODELS)) & agrees(table, where)
    if not table.loc[keep, "value"].notna().any():
        raise DataError(f"there is no value of {' or '.join(metrics)} to draw")
    return table[keep].reset_index(drop=True)


def on_tree(table: pd.DataFrame, tree: str) -> pd.Series:
    """Return True for each measurement that a figure of one tree draws.

    Parameters
    ----------
    table : DataFrame
    tree : str
        As in the column ``tree``. Metrics that are defined on ranks only are read on the taxonomy.

    Returns
    -------
    Series of bool

    Raises
    ------
    DataError
        If no number was measured on that tree.

    Examples
    --------
    >>> table = pd.DataFrame({"metric": ["pagel_lambda", "heritable_share"], "tree": ["birds", "taxonomy"]})
    >>> on_tree(table, "birds").tolist()
    [True, True]
    """
    present = table["tree"].dropna().unique()
    if tree not in (TAXONOMY, *present):
        raise DataError(f"nothing was measured on the tree '{tree}'; the table has: {some(present)}")
    on_it = table["tree"].eq(tree)
    if tree == TAXONOMY:
        return on_it
    of_tree = set(table.loc[on_it, "metric"].str.removesuffix(DIFFERENCE))
    on_ranks = ~table["metric"].str.removesuffix(DIFFERENCE).isin(of_tree)
    return on_it | (table["tree"].eq(TAXONOMY) & on_ranks)


def endpoint_tree(tables: Tables, settings: FigureSettings) -> FigureSettings:
    """Return the settings with the tree that the primary endpoints are read on: that of the settings if they name one.

    Parameters
    ----------
    tables : mapping from str to DataFrame
    settings : FigureSettings

    Returns
    -------
    FigureSettings

    Examples
    --------
    >>> endpoint_tree({"measurements": pd.DataFrame({"tree": ["taxonomy", "birds"]})}, FigureSettings()).tree
    'birds'
    """
    trees = tables["measurements"]["tree"].dropna().unique().tolist()
    return replace(settings, tree=settings.tree or primary_tree(trees))


def defined_ranks(rows: pd.DataFrame) -> list[str]:
    """Return the ranks from the first to the last at which some row has a value, from the top down; all if none has.

    A study of one clade has no value at the ranks above it, and a rank without value between others leaves a gap.

    Parameters
    ----------
    rows : DataFrame

    Returns
    -------
    list of str

    Examples
    --------
    >>> defined_ranks(pd.DataFrame({"rank": ["genus", "order", "kingdom"], "value": [0.5, 0.2, float("nan")]}))
    ['order', 'genus']
    """
    known = rows[rows["value"].notna()] if rows["value"].notna().any() else rows
    places = [RANKS.index(rank) for rank in known["rank"].unique()]
    return [rank for rank in RANKS[min(places) : max(places) + 1] if rank in set(rows["rank"])]


def check_one_each(table: pd.DataFrame, keys: list[str]) -> None:
    """Raise an error if two rows would be drawn at one point.

    Parameters
    ----------
    table : DataFrame
    keys : list of str
        Columns that identify a point.

    Raises
    ------
    DataError
        The message names the columns in which the rows differ.

    Examples
    --------
    >>> check_one_each(pd.DataFrame({"encoder": ["clip", "clip"], "rank": ["order", "class"]}), ["encoder"])
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: 2 rows for clip, a figure draws one; they differ in rank: select first
    """
    twice = table.duplicated(keys, keep=False)
    if not twice.any():
        return
    first = table.loc[twice, keys].iloc[0]
    same = table[(table[keys].fillna("") == first.fillna("")).all(axis=1)]
    differ = [name for name in same if name not in keys and len(same[name].astype(str).unique()) > 1]
    point = ", ".join(str(value) for value in first)
    hint = f"they differ in {some(differ)}" if differ else "they are equal"
    raise DataError(f"{len(same)} rows for {point}, a figure draws one; {hint}: select first")
