"""Printing: the tables of a study, for a reader or for a program."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from bioclip_probe.cli.output import Output
from bioclip_probe.errors import shorten

if TYPE_CHECKING:
    import pandas as pd

    from bioclip_probe.datasets import Dataset
    from bioclip_probe.store.store import Store
    from bioclip_probe.study.estimates import Estimate
    from bioclip_probe.study.results import Results


HEADLINE = "cophenetic_correlation"
#: Pictures with copies that a reader is shown.
N_COPIES = 10
MANTEL = (
    "\np of CPCC (Mantel test): near relatives are nearer than chance. One heritable habitat or colour is enough for "
    "that;\nread it with pagel_lambda, effective_dimension and cophenetic_correlation_within."
)
#: Columns of measurements for a reader.
SHOWN = (
    "metric", "encoder", "encoder_b", "column", "space", "tree", "split", "rank", "value", "chance", "ci_low",
    "ci_high", "p_value", "n_images", "n_taxa", "n_units",
)  # fmt: skip


def print_copies(output: Output, dataset: Dataset) -> pd.DataFrame:
    """Print how many images are exact copies of others, and the pictures with most copies; return the whole table."""
    from bioclip_probe.datasets.duplicates import list_copies, notes_on_copies, picture_digests

    digests = picture_digests(dataset)
    copies, notes = list_copies(dataset.images, digests), notes_on_copies(dataset.images, digests)
    output.rows("copies", copies)
    output.fact("copies_notes", notes)
    for note in notes:
        output.line(f"\n{note}")
    if len(copies) and not output.as_json:
        short = copies.assign(sha256=copies["sha256"].str[:12], splits=copies["splits"].replace("", None))
        short = short.assign(images=short["images"].map(shorten)).dropna(axis=1, how="all")
        output.table("copies", short.head(N_COPIES))
        if len(copies) > N_COPIES:
            output.line(f"and {len(copies) - N_COPIES} more pictures; --out DIR writes all")
    return copies


def print_earlier_versions(output: Output, store: Store) -> None:
    """Print which datasets of a store an earlier version wrote; a damaged record is told elsewhere."""
    from bioclip_probe.errors import StoreError
    from bioclip_probe.store.earlier_versions import notes_on_earlier_versions

    try:
        notes = notes_on_earlier_versions(store)
    except StoreError:
        return
    output.fact("earlier_versions", notes)
    for note in notes:
        output.line(note)


def add_run(output: Output, results: Results) -> None:
    """Tell a program which run the tables are of."""
    output.fact("results", results.folder)
    output.fact("run", results.record["run"])
    output.fact("dataset", results.record["dataset"]["name"])
    output.fact("simulated", results.simulated)
    output.fact("protocol", results.record.get("protocol"))


def print_notes(output: Output, results: Results) -> None:
    """Print what was left out, filled, merged or read under another name in the dataset of a run."""
    notes = results.record["dataset"].get("notes", [])
    output.fact("dataset_notes", notes)
    if notes:
        output.line(f"\nNotes on the images of {results.record['dataset']['name']}:")
    for note in notes:
        output.line(f"  {note}")


def print_measurements(output: Output, results: Results, metrics: Collection[str]) -> None:
    """Print the numbers of some metrics, a row for each encoder, space, tree and rank."""
    table = results.table("measurements")
    rows = table[table["metric"].isin(metrics) & table["taxon"].isna()]
    shown = rows.assign(p_value=rows["p_value"].map("{:.4f}".format, na_action="ignore"))
    output.table("measurements", rows, shown[[*SHOWN]].dropna(axis=1, how="all"))
    if HEADLINE in metrics and rows["p_value"].notna().any():
        output.line(MANTEL)


def print_summary(output: Output, results: Results) -> None:
    """Print the headline numbers, which models the data tell apart, and what that says in sentences."""
    from bioclip_probe import report

    table = report.summary_table(results)
    output.table("summary", report.summary_rows(results), table.loc[:, (table.iloc[:-2] != "–").any()])
    places = report.places_table(results)
    output.rows("places", places)
    if len(places):
        output.line("\nPlace in each primary endpoint; models that the data do not tell apart share places:\n")
        output.table("places", places)
    sentences = report.verdict(results)
    output.fact("verdict", [sentence.text for sentence in sentences])
    if sentences:
        output.line()
    for sentence in sentences:
        output.line(sentence.text)


def print_matches(output: Output, results: Results, name: str) -> None:
    """Print how many taxa are tips of a phylogeny, and the notes on it."""
    from bioclip_probe.tree.placing import PLURALS

    tree = results.record["trees"][name]
    rank, notes, matches = tree.get("rank", "species"), tree.get("notes", []), tree["matches"]
    matched = sum(match["matched"] for match in matches)
    output.line(f"\n{name}: {matched} of {len(matches)} {PLURALS[rank]} are tips of the tree")
    for note in notes:
        output.line(f"  {note}")
    output.line()
    counts = {"name": name, "rank": rank, "n_species": len(matches), "n_matched": matched}
    output.fact("tree", {**counts, "notes": notes})


def print_phylogeny(output: Output, results: Results, name: str) -> None:
    """Print how far embeddings follow a phylogeny; the summary is about the taxonomy."""
    from bioclip_probe import report

    print_matches(output, results, name)
    measurements = results.table("measurements")
    rows = measurements[(measurements["tree"] == name) & (measurements["space"] == "raw")]
    rows = rows[rows["metric"].isin(report.TREE) & rows["encoder_b"].isna()]
    output.table("phylogeny", rows, report.table_by_tree(results, name))


def print_accuracies(output: Output, results: Results) -> None:
    """Print the macro accuracy of each probe, protocol and number of shots at each rank."""
    from bioclip_probe import report

    measurements = results.table("measurements")
    output.rows("accuracies", measurements[measurements["metric"] == "macro_accuracy"])
    for heading, table in () if output.as_json else report.tables_by_probe(results, "macro_accuracy"):
        output.line(f"{heading}\n")
        output.table("accuracies", table)
        output.line()


def print_purities(output: Output, results: Results) -> None:
    """Print the purity of the panels of the drill-down."""
    measurements = results.table("measurements")
    purity = measurements[measurements["metric"] == "panel_purity"]
    output.table("panels", purity, purity[["encoder", "rank", "taxon", "value", "chance", "n_images"]])


def print_published(output: Output, results: Results) -> None:
    """Print published numbers that a run covers, beside its own."""
    from bioclip_probe.study import published

    beside = published.compare(results.table("measurements"), results.record)
    output.rows("published", beside)
    for row in beside.itertuples():
        shots = f"{row.shots}-shot" if row.shots == row.shots else ""
        about = ", ".join(
            str(part) for part in (row.probe, row.protocol, shots, row.rank, row.metric) if part and part == part
        )
        output.entry(
            str(row.encoder),
            f"{row.dataset}: {about}",
            f"published {row.published:.3f} ({row.source}), here {row.measured:.3f}, difference {row.difference:+.3f}",
            "done alike" if row.matches and not row.differs_in else f"differs in: {row.differs_in}",
        )
    output.line(published.coverage(beside, results.record))


def status_for_readers(table: pd.DataFrame) -> pd.DataFrame:
    """Return the status of a store with the columns and the digits that a reader needs."""
    shown = table.assign(
        shards=table["shards_done"].astype("str") + "/" + table["n_shards"].astype("str"),
        MB=(table["bytes"] / 1e6).round(1),
        parity=table["parity"].map("{:.5f}".format).where(table["parity"].notna(), "-"),
    )
    columns = ["dataset", "encoder", "n_images", "n_ok", "n_failed", "n_missing", "state", "shards", "precision"]
    columns += ["parity", "dtype", "MB", "failures"]
    return shown[columns].rename(columns=lambda name: name.removeprefix("n_"))


def print_estimate(output: Output, estimate: Estimate) -> None:
    """Print what a study would take, a line for each part, then their sum and what a reader should know."""
    output.table("steps", estimate.table, estimate.shown)
    low, high = estimate.seconds
    output.fact("seconds", {"low": low, "high": high, "complete": estimate.complete})
    output.fact("memory_bytes", estimate.memory)
    output.fact("disk_bytes", estimate.disk)
    output.fact("notes", estimate.notes)
    output.fact("obstacle", estimate.obstacle or None)
    for note in estimate.notes:
        output.line(f"\n{note}")
