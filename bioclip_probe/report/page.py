"""Figures and the report of a results folder: what the tables hold, bound into one page that needs no network."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from bioclip_probe import metrics, provenance
from bioclip_probe.extraction.prompts import MAIN_TYPE, NESTED_TYPE, PLAIN_TYPE
from bioclip_probe.files import write_atomically
from bioclip_probe.probes import SEEN, UNSEEN
from bioclip_probe.report.gallery import FIGURES, LINEAR, TEXT, agrees, check_names, draw, draw_all, table_of
from bioclip_probe.study import published, results
from bioclip_probe.study.results import Results
from bioclip_probe.tables import MEASUREMENTS, RANKS

__all__ = ["FIGURES", "by_probe", "by_rank", "by_tree", "check_names", "draw", "draw_all", "summary", "write"]

WHOLE = {"split": "all", "space": "raw"}
#: Columns of the summary: heading, metric, rank, and what else the row says.
SUMMARY = (
    ("CPCC", "cophenetic_correlation", "species", WHOLE),
    ("CPCC centred", "cophenetic_correlation", "species", {**WHOLE, "space": "centred"}),
    ("CPCC names", "text_cophenetic_correlation", "species", {"protocol": PLAIN_TYPE}),
    ("1-NN family", "knn_purity_1", "family", WHOLE),
    ("probe species", "top1_accuracy", "species", {**LINEAR, "protocol": SEEN}),
    ("probe family", "top1_accuracy", "family", {**LINEAR, "protocol": SEEN}),
    ("unseen genera", "top1_accuracy", "family", {**LINEAR, "protocol": UNSEEN}),
    ("zero-shot species", "top1_accuracy", "species", {"probe": "zero_shot", "protocol": MAIN_TYPE, "split": "test"}),
)
#: Columns of the agreement with a phylogeny, with their headings.
TREE = {
    "cophenetic_correlation": "CPCC",
    "image_tree_correlation": "all image pairs",
    "spearman": "Spearman",
    "k_mult": "K_mult",
}


def summary(found: Results) -> pd.DataFrame:
    """The study in a table: a row an encoder, the columns of `SUMMARY` that were asked for; missing where undefined."""
    table = table_of(found, "measurements")
    table = table[table["tree"] == "taxonomy"]
    table = table[table["encoder_b"].isna() & table["taxon"].isna() & table["shots"].isna()]
    columns = {}
    for heading, metric, rank, where in SUMMARY:
        part = table[(table["metric"] == metric) & (table["rank"] == rank) & agrees(table, where)]
        if len(part):  # nobody was asked otherwise
            columns[heading] = part.set_index("encoder")["value"]
    order = [encoder["name"] for encoder in found.record["encoders"]]
    return pd.DataFrame(columns).reindex(order).rename_axis("encoder")


def by_rank(found: Results, metric: str, **where: object) -> pd.DataFrame:
    """One metric with its interval, a row an encoder, a column a rank, as text; the last row is chance.

    `where` says which rows: the whole dataset and raw embeddings unless it says otherwise.
    """
    table = table_of(found, "measurements")
    table = table[(table["metric"] == metric) & (table["tree"] == "taxonomy") & table["taxon"].isna()]
    table = table[table["encoder_b"].isna() & agrees(table, {**WHOLE, **where})]
    cells = table.assign(cell=[_cell(row) for row in table.itertuples()]).pivot_table(
        index="encoder", columns="rank", values="cell", aggfunc="first", sort=False
    )
    if (table["chance"].fillna(0) > 0).any():
        cells.loc["chance"] = (
            table.groupby("rank")["chance"].mean().map("{:.3f}".format, na_action="ignore").fillna("–")
        )
    return cells.reindex(columns=[rank for rank in RANKS if rank in cells])


def by_probe(found: Results, metric: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """As `by_rank`, for each probe and protocol that was asked, with a heading."""
    table = table_of(found, "measurements")
    table = table[(table["metric"] == metric) & table["encoder_b"].isna()]
    for asked in table[["probe", "protocol", "shots"]].drop_duplicates().dropna(subset="probe").itertuples(index=False):
        shots = None if pd.isna(asked.shots) else int(asked.shots)
        heading = f"{asked.probe}, {asked.protocol.replace('_', ' and ')}"
        heading += "" if shots is None else f", {shots} image{'s' * (shots > 1)} a taxon"
        yield heading, by_rank(found, metric, split="test", probe=asked.probe, protocol=asked.protocol, shots=shots)


def by_tree(found: Results, tree: str) -> pd.DataFrame:
    """Agreement of raw embeddings with one tree, as text with intervals: a row an encoder, the columns of `TREE`."""
    table = table_of(found, "measurements")
    table = table[(table["tree"] == tree) & (table["space"] == "raw") & table["metric"].isin(TREE)]
    cells = table.assign(cell=[_cell(row) for row in table.itertuples()]).pivot_table(
        index="encoder", columns="metric", values="cell", aggfunc="first", sort=False
    )
    return (
        cells.reindex(columns=[name for name in TREE if name in cells]).rename(columns=TREE).rename_axis(columns=None)
    )


def _cell(row) -> str:
    if pd.isna(row.value):
        return "–"
    return f"{row.value:.3f}" + ("" if pd.isna(row.ci_low) else f" [{row.ci_low:.3f}, {row.ci_high:.3f}]")


def write(folder: str | Path) -> Path:
    """Draw the figures of a results folder and bind everything into ``report.html``.

    The page holds its pictures and needs no network; all names are escaped.

    Returns
    -------
    Path
        The page.
    """
    import jinja2

    found = results.read(folder)
    table = table_of(found, "measurements")
    pages = jinja2.Environment(
        loader=jinja2.PackageLoader("bioclip_probe.report"), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    drawn = draw_all(found)
    figures = [
        {"name": name, "figure": FIGURES[name], "missing": path if isinstance(path, str) else "", "png": _inline(path)}
        for name, path in drawn.items()
    ]
    shown = ("cophenetic_correlation", "knn_purity_1_adjusted", "cluster_purity_adjusted", "silhouette")
    beside = published.compare(table, found.record)
    page = pages.get_template("report.html").render(
        record=found.record,
        simulated=found.simulated,
        summary=summary(found),
        figures=figures,
        by_probe=list(by_probe(found, "top1_accuracy")),
        gaps=_gaps(found),
        texts=_texts(found),
        published=beside,
        coverage=published.coverage(beside, found.record),
        by_rank=[(metrics.CATALOGUE[name], by_rank(found, name)) for name in shown if name in set(table["metric"])],
        other_trees=_other_trees(table),
        parts=_parts(table),
        undefined=table[table["value"].isna()][["encoder", "space", "rank", "metric", "note"]],
        catalogue=[metrics.CATALOGUE[name] for name in metrics.CATALOGUE if name in set(table["metric"])],
        columns=MEASUREMENTS.columns,
        written=provenance.now(),
    )
    path = found.folder / "report.html"
    write_atomically(path, lambda temporary: temporary.write_text(page, encoding="utf-8"))
    return path


def _inline(path: Path | str) -> str:
    return base64.b64encode(path.read_bytes()).decode() if isinstance(path, Path) else ""


def _other_trees(table: pd.DataFrame) -> pd.DataFrame:
    """Agreement with trees other than the taxonomy, raw embeddings."""
    part = table[(table["tree"] != "taxonomy") & table["tree"].notna() & (table["space"] == "raw")]
    columns = ["tree", "encoder", "metric", "value", "ci_low", "ci_high", "p_value", "n_taxa", "n_images", "n_excluded"]
    return _whole(part[columns])


def _gaps(found: Results) -> list[tuple[object, pd.DataFrame]]:
    """What is lost on children never seen, and what the control task leaves, of the linear probe."""
    where = {"split": "test", "probe": "linear"}
    pairs = ((name, by_rank(found, name, **where)) for name in ("unseen_gap", "selectivity"))
    return [(metrics.CATALOGUE[name], table) for name, table in pairs if len(table)]


def _texts(found: Results) -> list[tuple[object, pd.DataFrame]]:
    pairs = [(name, by_rank(found, name, protocol=PLAIN_TYPE)) for name in TEXT]
    pairs.append(("text_radial_tau", by_rank(found, "text_radial_tau", protocol=NESTED_TYPE)))
    return [(metrics.CATALOGUE[name], table) for name, table in pairs if len(table)]


def _parts(table: pd.DataFrame) -> pd.DataFrame:
    """CPCC and zero-shot accuracy in each part of the dataset, e.g. species seen and unseen in training.

    Empty where it has one part.
    """
    cpcc = (table["metric"] == "cophenetic_correlation") & ~table["split"].isin(["all"])
    named = (
        (table["metric"] == "top1_accuracy")
        & (table["protocol"] == MAIN_TYPE)
        & table["split"].str.startswith("test, ")
    )
    part = table[(cpcc | named) & (table["space"] == "raw")]
    what = part["probe"].fillna("CPCC") + ", " + part["rank"]
    columns = ["part", "what", "encoder", "value", "chance", "ci_low", "ci_high", "n_taxa", "n_images"]
    return _whole(part.assign(part=part["split"].str.removeprefix("test, "), what=what)[columns])


def _whole(table: pd.DataFrame) -> pd.DataFrame:
    """Counts as text, so that they are printed without decimals."""
    return table.assign(**{name: table[name].map("{:,}".format) for name in table if name.startswith("n_")})
