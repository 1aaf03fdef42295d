"""The summary tables of a study: its headline numbers, one metric by rank, one table for each probe or phylogeny."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd

from bioclip_probe.extraction.prompts import MAIN_TYPE, PLAIN_TYPE
from bioclip_probe.plots.registry import LINEAR
from bioclip_probe.plots.selection import agrees
from bioclip_probe.probes import SEEN, UNSEEN
from bioclip_probe.study.results import Results
from bioclip_probe.tables import RANKS

#: The rows about all images of a dataset, of embeddings as they are.
ALL_IMAGES = {"split": "all", "space": "raw"}
#: Columns of the summary: heading, metric, rank, and the other values of its rows.
SUMMARY = (
    ("CPCC", "cophenetic_correlation", "species", ALL_IMAGES),
    ("CPCC centred", "cophenetic_correlation", "species", {**ALL_IMAGES, "space": "centred"}),
    ("CPCC names", "text_cophenetic_correlation", "species", {"protocol": PLAIN_TYPE}),
    ("1-NN family", "knn_purity_1", "family", ALL_IMAGES),
    ("probe species", "top1_accuracy", "species", {**LINEAR, "protocol": SEEN}),
    ("probe family", "top1_accuracy", "family", {**LINEAR, "protocol": SEEN}),
    ("unseen genera", "top1_accuracy", "family", {**LINEAR, "protocol": UNSEEN}),
    ("zero-shot species", "top1_accuracy", "species", {"probe": "zero_shot", "protocol": MAIN_TYPE, "split": "test"}),
)
#: Metrics of the agreement with a phylogeny, and the headings of their columns.
TREE = {
    "cophenetic_correlation": "CPCC",
    "image_tree_correlation": "all image pairs",
    "spearman": "Spearman",
    "k_mult": "K_mult",
}


def summary_table(results: Results) -> pd.DataFrame:
    """Return the headline numbers of a study: a row for each encoder, a column for each entry of `SUMMARY`.

    Parameters
    ----------
    results : Results

    Returns
    -------
    DataFrame
        Without the columns that nothing was measured for; missing where a number is undefined.

    Raises
    ------
    DataError
        If the folder holds no measurements.

    Examples
    --------
    >>> from bioclip_probe.report.examples import two_models_measured
    >>> summary_table(two_models_measured()).index.tolist()
    ['bioclip', 'clip']
    """
    table = results.table("measurements")
    table = table[table["tree"] == "taxonomy"]
    table = table[table["encoder_b"].isna() & table["taxon"].isna() & table["shots"].isna()]
    columns = {}
    for heading, metric, rank, where in SUMMARY:
        rows = table[(table["metric"] == metric) & (table["rank"] == rank) & agrees(table, where)]
        if len(rows):
            columns[heading] = rows.set_index("encoder")["value"]
    order = [encoder["name"] for encoder in results.record["encoders"]]
    return pd.DataFrame(columns).reindex(order).rename_axis("encoder")


def table_by_rank(results: Results, metric: str, where: Mapping[str, object] | None = None) -> pd.DataFrame:
    """Return one metric with its interval as text: a row for each encoder, a column for each rank.

    Parameters
    ----------
    results : Results
    metric : str
    where : mapping from column to value, optional
        Which rows, see `bioclip_probe.plots.selection.agrees`; by default those of `ALL_IMAGES`, which `where` may
        override.

    Returns
    -------
    DataFrame
        The last row, ``chance``, is the mean chance level, if the metric has one.

    Raises
    ------
    DataError
        If the folder holds no measurements.

    Examples
    --------
    >>> from bioclip_probe.report.examples import two_models_measured
    >>> table_by_rank(two_models_measured(), "cluster_purity").loc["clip", "species"]
    '0.300 [0.200, 0.400]'
    """
    table = results.table("measurements")
    table = table[(table["metric"] == metric) & (table["tree"] == "taxonomy") & table["taxon"].isna()]
    table = table[table["encoder_b"].isna() & agrees(table, {**ALL_IMAGES, **(where or {})})]
    cells = _cells(table, columns="rank")
    if (table["chance"].fillna(0) > 0).any():
        chance = table.groupby("rank")["chance"].mean()
        cells.loc["chance"] = chance.map("{:.3f}".format, na_action="ignore").fillna("–")
    return cells.reindex(columns=[rank for rank in RANKS if rank in cells])


def tables_by_probe(results: Results, metric: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield `table_by_rank` for each probe, protocol and number of shots, with a heading.

    Parameters
    ----------
    results : Results
    metric : str

    Yields
    ------
    heading : str
    table : DataFrame

    Raises
    ------
    DataError
        If the folder holds no measurements.

    Examples
    --------
    >>> from bioclip_probe.report.examples import two_models_measured
    >>> list(tables_by_probe(two_models_measured(), "top1_accuracy"))  # no probe was asked
    []
    """
    table = results.table("measurements")
    table = table[(table["metric"] == metric) & table["encoder_b"].isna()]
    asked = table[["probe", "protocol", "shots"]].drop_duplicates().dropna(subset="probe")
    for row in asked.itertuples(index=False):
        shots = None if pd.isna(row.shots) else int(row.shots)
        heading = f"{row.probe}, {row.protocol.replace('_', ' and ')}"
        heading += "" if shots is None else f", {shots} image{'s' * (shots > 1)} a taxon"
        where = {"split": "test", "probe": row.probe, "protocol": row.protocol, "shots": shots}
        yield heading, table_by_rank(results, metric, where)


def table_by_tree(results: Results, tree: str) -> pd.DataFrame:
    """Return the agreement of raw embeddings with one tree as text: a row for each encoder, the columns of `TREE`.

    Parameters
    ----------
    results : Results
    tree : str
        As in the column ``tree`` of measurements.

    Returns
    -------
    DataFrame

    Raises
    ------
    DataError
        If the folder holds no measurements.

    Examples
    --------
    >>> from bioclip_probe.report.examples import two_models_measured
    >>> len(table_by_tree(two_models_measured(), "birds"))  # nothing was measured on this tree
    0
    """
    table = results.table("measurements")
    table = table[(table["tree"] == tree) & (table["space"] == "raw") & table["metric"].isin(TREE)]
    cells = _cells(table, columns="metric")
    cells = cells.reindex(columns=[metric for metric in TREE if metric in cells])
    return cells.rename(columns=TREE).rename_axis(columns=None)


def _cells(table: pd.DataFrame, columns: str) -> pd.DataFrame:
    """Return values with their intervals as text, a row for each encoder."""
    text = [_number(value, low, high) for value, low, high in table[["value", "ci_low", "ci_high"]].to_numpy(float)]
    cells = table.assign(cell=text)
    return cells.pivot_table(index="encoder", columns=columns, values="cell", aggfunc="first", sort=False)


def _number(value: float, low: float, high: float) -> str:
    """Return a number with its interval, a dash if it is undefined."""
    if pd.isna(value):
        return "–"
    return f"{value:.3f}" + ("" if pd.isna(low) else f" [{low:.3f}, {high:.3f}]")
