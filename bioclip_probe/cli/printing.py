"""Printing: tables and listings on standard output."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from bioclip_probe.study.results import Results


HEADLINE = "cophenetic_correlation"
MANTEL = (
    "\np of CPCC (Mantel test): near relatives are nearer than chance. One heritable habitat or colour is enough for "
    "that;\nread it with pagel_lambda, effective_dimension and cophenetic_correlation_within."
)


def print_table(table: pd.DataFrame) -> None:
    """Print a table, or one line if no number of it is defined."""
    if table.empty:
        print("no number of the summary is defined here; the notes in measurements.csv say why")
        return
    print(table.to_string(index=table.index.name is not None, na_rep="-", float_format="{:.3f}".format))


def print_entry(name: str, *lines: str) -> None:
    """Print a name, and beside it some lines, as wide as the terminal."""
    width = max(min(shutil.get_terminal_size().columns, 120), 60)
    beside = [part for line in lines for part in textwrap.wrap(line, width - 28, break_on_hyphens=False)]
    for first, part in zip((name, *[""] * len(beside)), beside, strict=False):
        print(f"{first:<28}{part}")


def print_measurements(results: Results, metrics: Collection[str]) -> None:
    """Print the numbers of some metrics, a row for each encoder, space, tree and rank."""
    table = results.table("measurements")
    rows = table[table["metric"].isin(metrics) & table["taxon"].isna()]
    rows = rows.assign(p_value=rows["p_value"].map("{:.4f}".format, na_action="ignore"))
    shown = [
        "metric",
        "encoder",
        "encoder_b",
        "column",
        "space",
        "tree",
        "split",
        "rank",
        "value",
        "chance",
        "ci_low",
        "ci_high",
    ]
    counts = ["p_value", "n_images", "n_taxa", "n_units"]
    print_table(rows[[*shown, *counts]].dropna(axis=1, how="all"))
    if HEADLINE in metrics and rows["p_value"].notna().any():
        print(MANTEL)


def print_summary(results: Results) -> None:
    """Print the headline numbers, and which models the data tell apart."""
    from bioclip_probe import report

    table = report.summary_table(results)
    print_table(table.loc[:, (table.iloc[:-2] != "–").any()])
    places = report.places_table(results)
    if len(places):
        print("\nPlace in each primary endpoint; models that the data do not tell apart share places:\n")
        print_table(places)


def print_phylogeny(results: Results, name: str) -> None:
    """Print how far embeddings follow a phylogeny; the summary is about the taxonomy."""
    from bioclip_probe import report

    matches = results.record["trees"][name]["matches"]
    matched = sum(match["matched"] for match in matches)
    print(f"\n{name}: {matched} of {len(matches)} species are tips of the tree\n")
    print_table(report.table_by_tree(results, name))


def print_published(results: Results) -> None:
    """Print published numbers that a run covers, beside its own."""
    from bioclip_probe.study import published

    beside = published.compare(results.table("measurements"), results.record)
    for row in beside.itertuples():
        shots = f"{row.shots}-shot" if row.shots == row.shots else ""
        about = ", ".join(
            str(part) for part in (row.probe, row.protocol, shots, row.rank, row.metric) if part and part == part
        )
        print_entry(
            str(row.encoder),
            f"{row.dataset}: {about}",
            f"published {row.published:.3f} ({row.source}), here {row.measured:.3f}, difference {row.difference:+.3f}",
            "done alike" if row.matches and not row.differs_in else f"differs in: {row.differs_in}",
        )
    print(published.coverage(beside, results.record))
