"""The summary tables of a study: its headline numbers, one metric by rank, one table for each probe or phylogeny."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import pandas as pd

from bioclip_probe.extraction.prompts import MAIN_TYPE, PLAIN_TYPE
from bioclip_probe.metrics.endpoints import LINEAR
from bioclip_probe.probes import SEEN, SEEN_CHILDREN, UNSEEN
from bioclip_probe.study.results import Results
from bioclip_probe.tables import RANKS, agrees

#: The rows about all images of a dataset, of embeddings as they are.
ALL_IMAGES = {"split": "all", "space": "raw"}
#: The rank of the headline CPCC; see `headline_rank`.
DEEPEST = "deepest"
HEADLINE = "cophenetic_correlation"


@dataclass(frozen=True)
class SummaryColumn:
    """One column of the summary.

    Attributes
    ----------
    heading : str
    metric, rank : str
        `DEEPEST` stands for the deepest rank that most images have.
    where : mapping from column to value
        The other values of its rows.

    Examples
    --------
    >>> SUMMARY[0].metric
    'cophenetic_correlation'
    """

    heading: str
    metric: str
    rank: str
    where: Mapping[str, object] = field(default_factory=lambda: ALL_IMAGES)


#: Columns of the summary.
SUMMARY = (
    SummaryColumn("CPCC", HEADLINE, DEEPEST),
    SummaryColumn("tree signal λ", "pagel_lambda", "species"),
    SummaryColumn("dimensions", "effective_dimension", "species"),
    SummaryColumn("1-NN family", "knn_purity_1_other_species", "family"),
    SummaryColumn("seen genera", "macro_accuracy", "family", {**LINEAR, "protocol": SEEN_CHILDREN}),
    SummaryColumn("unseen genera", "macro_accuracy", "family", {**LINEAR, "protocol": UNSEEN}),
    SummaryColumn("probe species", "macro_accuracy", "species", {**LINEAR, "protocol": SEEN}),
    SummaryColumn(
        "zero-shot species",
        "top1_accuracy",
        "species",
        {"probe": "zero_shot", "protocol": MAIN_TYPE, "split": "test"},
    ),
    SummaryColumn("CPCC names", "text_cophenetic_correlation", "species", {"protocol": PLAIN_TYPE}),
)
#: Rows of the summary below those of the encoders.
CHANCE, COUNTS = "chance", "taxa/images"
#: Metrics of the agreement with a phylogeny, and the headings of their columns.
TREE = {
    "cophenetic_correlation": "CPCC",
    "pagel_lambda": "tree signal λ",
    "image_tree_correlation": "all image pairs",
    "spearman": "Spearman",
    "k_mult": "K_mult",
    "k_mult_z": "K_mult, z",
}


def headline_rank(table: pd.DataFrame) -> str:
    """Return the deepest rank that most images have a name at: that of the headline number.

    Parameters
    ----------
    table : DataFrame
        A `MEASUREMENTS` table.

    Returns
    -------
    str
        ``species`` where nothing was measured.

    Examples
    --------
    >>> from bioclip_probe.report.examples import two_models_measured
    >>> headline_rank(two_models_measured().measurements)
    'species'
    """
    rows = table[(table["metric"] == HEADLINE) & (table["tree"] == "taxonomy") & agrees(table, ALL_IMAGES)]
    rows = rows[rows["taxon"].isna() & rows["encoder_b"].isna() & rows["value"].notna()]
    most = set(rows.loc[rows["n_images"] >= rows["n_excluded"], "rank"])
    return next((rank for rank in reversed(RANKS) if rank in most), RANKS[-1])


def summary_rows(results: Results) -> pd.DataFrame:
    """Return the measurements behind `summary_table`, at full precision, with the heading of their column.

    Parameters
    ----------
    results : Results

    Returns
    -------
    DataFrame
        The columns of a `MEASUREMENTS` table behind the column ``heading``.

    Raises
    ------
    DataError
        If the folder holds no measurements.

    Examples
    --------
    >>> from bioclip_probe.report.examples import two_models_measured
    >>> len(summary_rows(two_models_measured()))  # no number of the summary was measured
    0
    """
    tables = [rows.assign(heading=heading) for heading, rows in _rows_of_columns(results)]
    whole = pd.concat(tables or [results.table("measurements").head(0).assign(heading="")], ignore_index=True)
    return whole[["heading", *(name for name in whole if name != "heading")]]


def summary_table(results: Results, intervals: bool = False) -> pd.DataFrame:
    """Return the headline numbers of a study as text: a row for each encoder, a column for each entry of `SUMMARY`.

    Parameters
    ----------
    results : Results
    intervals : bool
        Write the interval behind each number.

    Returns
    -------
    DataFrame
        Without the columns that nothing was measured for; a dash where a number is undefined. The row ``chance`` is the
        mean chance level over encoders, and the last row gives the numbers of taxa and images. The heading of CPCC
        names its rank where that is not species: the deepest rank that most images have a name at.

    Raises
    ------
    DataError
        If the folder holds no measurements.

    Examples
    --------
    >>> from bioclip_probe.report.examples import two_models_measured
    >>> summary_table(two_models_measured()).index.tolist()
    ['bioclip', 'clip', 'chance', 'taxa/images']
    """
    order = results.encoders
    columns = {
        heading: _summary_cells(rows.set_index("encoder"), intervals).reindex([*order, CHANCE, COUNTS])
        for heading, rows in _rows_of_columns(results)
    }
    return pd.DataFrame(columns, index=[*order, CHANCE, COUNTS]).fillna("–").rename_axis("encoder")


def _rows_of_columns(results: Results) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the heading of each column of the summary that has a number, and its measurements."""
    table = results.table("measurements")
    table = table[(table["tree"] == "taxonomy") & table["encoder_b"].isna()]
    table = table[table["taxon"].isna() & table["column"].isna() & table["shots"].isna()]
    deepest = headline_rank(table)
    for column in SUMMARY:
        rank = deepest if column.rank == DEEPEST else column.rank
        rows = table[(table["metric"] == column.metric) & (table["rank"] == rank) & agrees(table, column.where)]
        if rows["value"].notna().any():
            heading = column.heading if column.rank == rank or rank == RANKS[-1] else f"{column.heading}, {rank}"
            yield heading, rows


def _summary_cells(rows: pd.DataFrame, intervals: bool) -> pd.Series:
    """Return one number of each encoder as text, then its chance level and its counts."""
    cells = {
        row.Index: _number(row.value, row.ci_low if intervals else float("nan"), row.ci_high)
        for row in rows.itertuples()
    }
    chance = rows["chance"].mean()
    cells[CHANCE] = "–" if pd.isna(chance) else f"{chance:.3f}"
    cells[COUNTS] = counts_as_text(rows)
    return pd.Series(cells)


def counts_as_text(rows: pd.DataFrame) -> str:
    """Return the numbers of taxa and images of some rows, with a range where the rows differ.

    Parameters
    ----------
    rows : DataFrame
        Measurements.

    Returns
    -------
    str

    Examples
    --------
    >>> counts_as_text(pd.DataFrame({"value": [0.1, 0.2], "n_taxa": [9, 9], "n_images": [40, 50]}))
    '9/40–50'
    """
    defined = rows["value"].notna()
    counts = [rows.loc[defined, name].dropna() for name in ("n_taxa", "n_images")]
    if any(not len(values) for values in counts):
        return "–"
    ends = [(int(values.min()), int(values.max())) for values in counts]
    return "/".join(f"{low}" if low == high else f"{low}–{high}" for low, high in ends if high)


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
        The row ``chance`` is the mean chance level, if the metric has one, and the last row gives the numbers of taxa
        and images.

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
    table = table[table["metric"] == metric]  # few rows, of which the rest is asked
    table = table[(table["tree"] == "taxonomy") & table["taxon"].isna()]
    table = table[table["column"].isna() & table["encoder_b"].isna() & agrees(table, {**ALL_IMAGES, **(where or {})})]
    cells = _cells(table, columns="rank")
    if (table["chance"].fillna(0) > 0).any():
        chance = table.groupby("rank")["chance"].mean()
        cells.loc[CHANCE] = chance.map("{:.3f}".format, na_action="ignore").fillna("–")
    counts = pd.Series({rank: counts_as_text(rows) for rank, rows in table.groupby("rank")}, dtype=object)
    if (counts != "–").any():
        cells.loc[COUNTS] = counts
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


def seen_and_unseen(results: Results) -> pd.DataFrame:
    """Return how a linear probe answers about children that it learnt from, and about the same, held out.

    Parameters
    ----------
    results : Results

    Returns
    -------
    DataFrame
        Two rows for each encoder, a column for each rank: macro accuracy with its interval, as text. Chance and the
        numbers of taxa and images are those of the unseen children. Empty where no probe was asked.

    Raises
    ------
    DataError
        If the folder holds no measurements.

    Examples
    --------
    >>> from bioclip_probe.report.examples import two_models_measured
    >>> seen_and_unseen(two_models_measured()).empty  # no probe was asked
    True
    """
    asked = {"seen": SEEN_CHILDREN, "unseen": UNSEEN}
    seen, unseen = (
        table_by_rank(results, "macro_accuracy", {**LINEAR, "protocol": protocol}) for protocol in asked.values()
    )
    if unseen.empty:
        return unseen
    encoders = [name for name in results.encoders if name in unseen.index]
    rows = {
        f"{encoder}, {word}": table.loc[encoder]
        for encoder in encoders
        for word, table in zip(asked, (seen, unseen), strict=True)
        if encoder in table.index
    }
    last = {name: unseen.loc[name] for name in (CHANCE, COUNTS) if name in unseen.index}
    return pd.DataFrame({**rows, **last}).T.reindex(columns=unseen.columns).fillna("–")


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
