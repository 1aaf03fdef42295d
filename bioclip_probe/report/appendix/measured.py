"""Tables of what a study measured: its endpoints, claims beside published numbers, and metrics by rank."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import pandas as pd

from bioclip_probe.metrics.endpoints import LINEAR, PRIMARY, TAXONOMY
from bioclip_probe.metrics.registry import REGISTRY
from bioclip_probe.probes import SEEN, SEEN_CHILDREN, UNSEEN
from bioclip_probe.report.appendix.tables import Column, PaperTable
from bioclip_probe.report.endpoints import EndpointNumbers, p_as_text, places_table, with_interval
from bioclip_probe.report.page import BY_RANK
from bioclip_probe.report.summary import ALL_IMAGES, TREE
from bioclip_probe.study.results import Results
from bioclip_probe.tables import RANKS, agrees
from bioclip_probe.tree.placing import PLURALS

DASH = "–"
NUMBERS = (
    Column("value", "number"),
    Column("interval", "number"),
    Column("chance", "number"),
    Column("adj. p", "number"),
    Column("taxa", "number"),
    Column("images", "number"),
)
#: The protocols of the linear probe whose accuracies are printed, and what they are called.
PROTOCOLS = {
    SEEN: "other images of taxa that the probe learnt from",
    SEEN_CHILDREN: "images whose child taxa the probe learnt from",
    UNSEEN: "the same images, their child taxa held out",
}


def endpoint_table(results: Results) -> PaperTable:
    """Return the primary endpoints of each encoder, and the numbers that are read beside them.

    Parameters
    ----------
    results : Results

    Returns
    -------
    PaperTable

    Raises
    ------
    DataError
        If the folder holds no measurements.

    Examples
    --------
    >>> from bioclip_probe.report.examples import two_models_measured
    >>> endpoint_table(two_models_measured()).rows  # no primary endpoint was measured
    []
    """
    places, rows = places_table(results), []
    for endpoint in PRIMARY:
        beside = (replace(endpoint, title=REGISTRY[name].title, metric=name) for name in endpoint.beside)
        for each in (endpoint, *beside):
            numbers = EndpointNumbers.of(each, results.table("measurements"))
            for encoder in results.encoders:
                row = numbers.row(encoder)
                if row is not None:
                    has_place = each.title in places and encoder in places.index
                    place = str(places.loc[encoder, each.title]) if has_place else DASH
                    rows.append((numbers.heading, encoder, *_numbers(row), place))
    columns = (Column("endpoint"), Column("model"), *NUMBERS, Column("place", "number"))
    caption = "Primary endpoints of each model; models that are not told apart share places"
    return PaperTable("endpoints", caption, columns, rows, grouped=True)


def difference_table(results: Results) -> PaperTable:
    """Return how the first model differs from each other model in each primary endpoint.

    Parameters
    ----------
    results : Results

    Returns
    -------
    PaperTable

    Raises
    ------
    DataError
        If the folder holds no measurements.

    Examples
    --------
    >>> from bioclip_probe.report.examples import two_models_measured
    >>> difference_table(two_models_measured()).rows  # no primary endpoint was measured
    []
    """
    models, rows = [name for name in results.encoders if name not in results.controls], []
    for endpoint in PRIMARY:
        numbers = EndpointNumbers.of(endpoint, results.table("measurements"))
        for other in models[1:]:
            row, sign = numbers.difference(models[0], other)
            if row is not None and pd.notna(row["value"]):
                cells = (*_value(row, sign), _p(row), count(row["n_taxa"]), count(row["n_images"]))
                rows.append((numbers.heading, f"{models[0]} less {other}", *cells))
    columns = (Column("endpoint"), Column("difference of"), *NUMBERS[:2], *NUMBERS[3:])
    caption = "Differences of the first model from each other model; p by Holm’s method"
    return PaperTable("differences", caption, columns, rows, grouped=True)


def published_table(compared: pd.DataFrame) -> PaperTable:
    """Return the published numbers that a study covers, its own beside them, and the differences in procedure.

    Parameters
    ----------
    compared : DataFrame
        The result of `bioclip_probe.study.published.compare`.

    Returns
    -------
    PaperTable

    Examples
    --------
    >>> from bioclip_probe.report.examples import two_models_measured
    >>> from bioclip_probe.study import published
    >>> results = two_models_measured()
    >>> published_table(published.compare(results.measurements, results.record)).rows  # none is about these pictures
    []
    """
    rows = []
    for row in compared.itertuples():
        shots = f"{row.shots}-shot" if pd.notna(row.shots) else None
        about = (row.encoder, row.dataset, row.probe, row.protocol, shots, row.rank, row.metric)
        claim = ", ".join(str(part) for part in about if pd.notna(part))
        ours = with_interval(pd.Series({"value": row.measured, "ci_low": row.ci_low, "ci_high": row.ci_high}))
        theirs = f"{row.published:.3f}"
        rows.append((claim, ours, theirs, f"{row.difference:+.3f}", row.differs_in or "nothing known", row.source))
    columns = (
        Column("number"),
        Column("here", "number"),
        Column("published", "number"),
        Column("difference", "number"),
        Column("differs in"),
        Column("source"),
    )
    return PaperTable("published", "Published numbers, and those of this study", columns, rows)


def tables_by_rank(results: Results) -> Iterator[PaperTable]:
    """Yield the metrics that are printed at every rank, on the taxonomy, and the accuracies of the linear probe.

    Parameters
    ----------
    results : Results

    Yields
    ------
    PaperTable
        A row for each rank and encoder; only tables that have rows.

    Raises
    ------
    DataError
        If the folder holds no measurements.

    Examples
    --------
    >>> from bioclip_probe.report.examples import two_models_measured
    >>> [table.name for table in tables_by_rank(two_models_measured())]
    []
    """
    for metric in BY_RANK:
        title = f"{REGISTRY[metric].title}, by rank"
        yield from _by_rank(results, f"rank-{metric}", title, metric, ALL_IMAGES)
    for protocol, what in PROTOCOLS.items():
        where = {**ALL_IMAGES, **LINEAR, "protocol": protocol}
        title = f"Macro accuracy of the linear probe, by rank: {what}"
        yield from _by_rank(results, f"probe-{protocol}", title, "macro_accuracy", where)


def tables_by_tree(results: Results) -> Iterator[PaperTable]:
    """Yield how far raw embeddings follow each phylogeny.

    Parameters
    ----------
    results : Results

    Yields
    ------
    PaperTable
        A row for each metric and encoder.

    Raises
    ------
    DataError
        If the folder holds no measurements.

    Examples
    --------
    >>> from bioclip_probe.report.examples import two_models_measured
    >>> list(tables_by_tree(two_models_measured()))  # there is no phylogeny
    []
    """
    table = results.table("measurements")
    table = table[(table["space"] == "raw") & table["encoder_b"].isna() & table["value"].notna()]
    trees = [tree for tree in table["tree"].dropna().unique() if tree != TAXONOMY]
    for number, tree in enumerate(trees, start=1):
        own = table[(table["tree"] == tree) & table["metric"].isin(TREE) & table["taxon"].isna()]
        rows = [
            (f"{title}, {row['rank']}", row["encoder"], *_numbers(row))
            for metric, title in TREE.items()
            for _, row in own[own["metric"] == metric].iterrows()
        ]
        if rows:
            columns = (Column("metric"), Column("model"), *NUMBERS)
            caption = f"Agreement with the tree “{tree}”"
            yield PaperTable(f"tree-{number}", caption, columns, rows, grouped=True)


def count(number: object) -> str:
    """Return a count as text, a dash if it is missing.

    Examples
    --------
    >>> count(1200), count(float("nan"))
    ('1,200', '–')
    """
    return DASH if pd.isna(number) else f"{int(number):,}"  # type: ignore[call-overload]


def plural_of(rank: str) -> str:
    """Return the plural of a rank, in English.

    Examples
    --------
    >>> plural_of("genus")
    'genera'
    """
    return PLURALS.get(rank, f"{rank}s")


def _by_rank(results: Results, name: str, title: str, metric: str, where: Mapping[str, object]) -> Iterator[PaperTable]:
    """Yield the table of one metric by rank, if it has a number."""
    table = results.table("measurements")
    table = table[(table["metric"] == metric) & (table["tree"] == TAXONOMY) & agrees(table, where)]
    table = table[table["taxon"].isna() & table["encoder_b"].isna() & table["column"].isna() & table["shots"].isna()]
    order, rows = results.encoders, []
    for rank in RANKS:
        own = table[(table["rank"] == rank) & table["value"].notna()].set_index("encoder")
        rows += [(rank, encoder, *_numbers(own.loc[encoder])) for encoder in order if encoder in own.index]
    if rows:
        caption = f"{title}; raw embeddings"
        yield PaperTable(name, caption, (Column("rank"), Column("model"), *NUMBERS), rows, grouped=True)


def _numbers(row: pd.Series) -> tuple[str, ...]:
    """Return the cells of `NUMBERS`."""
    chance = DASH if pd.isna(row["chance"]) else f"{row['chance']:.3f}"
    return *_value(row), chance, _p(row), count(row["n_taxa"]), count(row["n_images"])


def _value(row: pd.Series, sign: int = 1) -> tuple[str, str]:
    """Return a value and its interval as text."""
    value, _, interval = with_interval(row, sign).partition(" ")
    return value, interval or DASH


def _p(row: pd.Series) -> str:
    """Return an adjusted p-value as text."""
    if pd.isna(row["p_adjusted"]):
        return DASH
    return p_as_text(row["p_adjusted"]).removeprefix("adjusted p ").removeprefix("= ")
