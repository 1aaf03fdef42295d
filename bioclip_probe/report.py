"""Figures and the report of a results folder: what the tables hold, bound into one page that needs no network."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bioclip_probe import metrics, provenance, results
from bioclip_probe.errors import DataError, ProbeError
from bioclip_probe.results import Results
from bioclip_probe.tables import MEASUREMENTS, RANKS

NEIGHBOURS, ACCURACY = ("knn_purity_1", "cluster_purity"), ("top1_accuracy", "macro_accuracy")
AGREEMENT = (
    "cophenetic_correlation", "balanced_tree_correlation", "image_tree_correlation", "kendall_tau_b",
    "hierarchical_ap", "disattenuated_cophenetic_correlation",
)  # fmt: skip
RELATIVES = ("triplet_accuracy", "average_precision", "lca_auc")
SHARES = ("nested_r2", "cophenetic_correlation", "within_clade_correlation")
SIMILARITY = ("cka_calibrated", "rsa_calibrated", "mutual_knn_calibrated")
#: Columns of the summary: heading, metric, rank, space.
SUMMARY = (
    ("CPCC", "cophenetic_correlation", "species", "raw"),
    ("CPCC centred", "cophenetic_correlation", "species", "centred"),
    ("all image pairs", "image_tree_correlation", "species", "raw"),
    ("1-NN species", "knn_purity_1", "species", "raw"),
    ("1-NN family", "knn_purity_1", "family", "raw"),
    ("probe species", "top1_accuracy", "species", "raw"),
    ("probe family", "top1_accuracy", "family", "raw"),
)
#: Columns of the agreement with a phylogeny, with their headings.
TREE = {
    "cophenetic_correlation": "CPCC",
    "image_tree_correlation": "all image pairs",
    "spearman": "Spearman",
    "k_mult": "K_mult",
}


@dataclass(frozen=True)
class Figure:
    """One figure of the study: what it shows, and the rows it is drawn from."""

    title: str
    caption: str
    rows: Callable[[Results], pd.DataFrame]
    draw: Callable[[Results, pd.DataFrame], object]


def _measured(found: Results, names: tuple[str, ...], **where: object) -> pd.DataFrame:
    """Rows of some metrics on the taxonomy that agree with `where`."""
    table = _table(found, "measurements")
    keep = table["metric"].isin(names) & (table["tree"] == "taxonomy") & table["taxon"].isna()
    keep &= table["encoder_b"].isna() | table["metric"].isin(SIMILARITY)
    for column, wanted in where.items():
        keep &= table[column] == wanted
    if not table.loc[keep, "value"].notna().any():
        raise DataError(f"{found.folder} holds no value of {' or '.join(names)} to draw")
    return table[keep].reset_index(drop=True)


def _table(found: Results, name: str) -> pd.DataFrame:
    table = getattr(found, name)
    if table is None:
        verb = {"measurements": "measure", "predictions": "probe", "coordinates": "project"}[name]
        raise DataError(f"{found.folder} holds no {name} yet; run `bioclip-probe {verb} --out {found.folder}` first")
    return table


def _projected_last(found: Results) -> pd.DataFrame:
    """The coordinates of the method and mode projected last: a folder may hold several, a figure draws one."""
    table = _table(found, "coordinates")
    if not len(table):
        raise DataError(f"{found.folder} holds no coordinates to draw")
    last = table.iloc[-1]
    return table[(table["method"] == last["method"]) & (table["mode"] == last["mode"])].reset_index(drop=True)


def _draw(plot: str, *arguments: object, **more: object) -> Callable[[Results, pd.DataFrame], object]:
    def draw(found: Results, rows: pd.DataFrame) -> object:
        from bioclip_probe import plots

        return getattr(plots, plot)(rows, *arguments, simulated=found.simulated, **more)

    return draw


def _drilldown(found: Results, rows: pd.DataFrame) -> object:
    from bioclip_probe import plots

    return plots.drilldown(rows, measurements=found.measurements, simulated=found.simulated)


FIGURES: dict[str, Figure] = {
    "headline": Figure(
        "How far distances follow the tree",
        "Cophenetic correlation (CPCC): Pearson correlation, over all pairs of species, of the distance between two "
        "species' mean embeddings and the number of ranks below their lowest common ancestor. Embeddings as they are, "
        "and with their common mean removed. Bars: 95 % intervals, species resampled.",
        lambda found: _measured(found, ("cophenetic_correlation",), rank="species", split="all"),
        _draw("headline"),
    ),
    "drilldown": Figure(
        "The drill-down of Section 4.6",
        "Each panel is a projection fitted anew to all images of the taxon in focus; the six taxa with most images are "
        "coloured, and the largest is the focus of the next panel. A colour is the same taxon in every model.",
        _projected_last,
        _drilldown,
    ),
    "agreement": Figure(
        "Agreement with the tree, by other measures",
        "CPCC as above; with every rank of a common ancestor at one weight (else the deepest splits, which hold nearly "
        "all pairs, decide alone); over all pairs of images; Kendall's tau-b; average precision of finding relatives, "
        "nearer ones being more relevant (H-AP); and CPCC over its noise ceiling, the most that the scatter of images "
        "within species lets it reach. Grey: mean chance level.",
        lambda found: _measured(found, AGREEMENT, rank="species", split="all", space="raw"),
        _draw("dots", AGREEMENT, title="Agreement with the tree, by other measures"),
    ),
    "within_ranks": Figure(
        "At which rank",
        "Share of the variance of images that each rank explains beyond the ranks above it; CPCC over the taxa of the "
        "rank; CPCC of the species inside each clade of the rank, mean over clades. Grey: chance.",
        lambda found: _measured(found, SHARES, split="all", space="raw"),
        _draw("by_rank", SHARES, title="At which rank"),
    ),
    "relatives": Figure(
        "Are relatives nearer?",
        "Of all triplets of an image, a nearer and a farther relative, the share in which the nearer is the closer, by "
        "the rank of the nearer one's common ancestor; average precision of finding images of the same taxon; and how "
        "often a pair that meets at a rank is closer than one that meets at the next rank above. Grey: chance.",
        lambda found: _measured(found, RELATIVES, split="all", space="raw"),
        _draw("by_rank", RELATIVES, title="Are relatives nearer?"),
    ),
    "similarity": Figure(
        "How alike two models are",
        "Debiased linear CKA, correlation of species distances (RSA), and the share of a species' 10 nearest species "
        "that both agree on; each above what 95 % of permutations reach, so that embeddings of other widths compare.",
        lambda found: _measured(found, SIMILARITY, space="raw"),
        _draw("matrix", SIMILARITY),
    ),
    "purity_by_rank": Figure(
        "Purity by rank",
        "Share of images whose nearest neighbour is of their own taxon, and share that lie in a k-means cluster of "
        "their taxon (k = number of taxa). Grey: chance.",
        lambda found: _measured(found, NEIGHBOURS, space="raw"),
        _draw("by_rank", NEIGHBOURS, title="Purity by rank"),
    ),
    "accuracy_by_rank": Figure(
        "Linear probes by rank",
        "Accuracy of a logistic regression on frozen embeddings, on images held out; taxa were seen in training. "
        "Grey: chance.",
        lambda found: _measured(found, ACCURACY),
        _draw("by_rank", ACCURACY, title="Linear probes by rank"),
    ),
    "staircase": Figure(
        "The staircase",
        "Cosine distance of two species' mean embeddings, by the rank of their lowest common ancestor. An embedding "
        "that follows the tree climbs from step to step.",
        lambda found: _measured(
            found, tuple(name for name in metrics.CATALOGUE if name.startswith("lca_distance")), space="raw"
        ),
        _draw("staircase"),
    ),
}  # fmt: skip


def check_names(names: Iterable[str]) -> None:
    """Raise `ProbeError` if one of the names is no figure of `FIGURES`."""
    unknown = [name for name in names if name not in FIGURES]
    if unknown:
        raise ProbeError(f"no figure '{unknown[0]}'; there are: {', '.join(FIGURES)}")


def draw(found: Results, name: str, stem: str | Path | None = None) -> Path:
    """Draw one figure of `FIGURES` from the tables, beside the table it draws and its record.

    Parameters
    ----------
    found : Results
    name : str
    stem : str or Path, optional
        Where to, without ending; ``figures/NAME`` in the results folder by default.

    Returns
    -------
    Path
        The PNG; ``.pdf``, ``.csv`` and ``.json`` stand beside it.

    Raises
    ------
    ProbeError
        If there is no figure of that name, or the tables do not hold what it draws.
    """
    check_names([name])
    from bioclip_probe import plots

    figure, stem = FIGURES[name], Path(stem or found.folder / "figures" / name)
    rows = figure.rows(found)
    record = {"figure": name, "title": figure.title, "caption": figure.caption, "simulated": found.simulated}
    record |= {key: found.record[key] for key in ("run", "dataset", "software", "steps")}
    plots.save(figure.draw(found, rows), rows, record, stem)
    return stem.with_suffix(".png")


def draw_all(found: Results) -> dict[str, Path | str]:
    """Draw every figure that the tables allow: the PNG of each, or the reason why it could not be drawn.

    What an earlier run drew of a figure that can no longer be drawn is deleted.
    """
    drawn: dict[str, Path | str] = {}
    for name in FIGURES:
        try:
            drawn[name] = draw(found, name)
        except DataError as error:
            drawn[name] = str(error)
            for old in (found.folder / "figures").glob(f"{name}.*"):
                old.unlink()
    return drawn


def summary(found: Results) -> pd.DataFrame:
    """The study in a table: a row an encoder, the columns of `SUMMARY`; missing where a number is undefined."""
    table = _table(found, "measurements")
    table = _of_all(table[table["tree"] == "taxonomy"])
    columns = {}
    for heading, metric, rank, space in SUMMARY:
        part = table[(table["metric"] == metric) & (table["rank"] == rank) & (table["space"] == space)]
        columns[heading] = part.set_index("encoder")["value"]
    order = [encoder["name"] for encoder in found.record["encoders"]]
    return pd.DataFrame(columns).reindex(order).rename_axis("encoder")


def _of_all(table: pd.DataFrame) -> pd.DataFrame:
    """Rows about the whole dataset, for probes its test images; a part of the dataset may be called ``test`` too."""
    return table[table["split"] == table["metric"].isin(ACCURACY).map({True: "test", False: "all"})]


def by_rank(found: Results, metric: str, space: str = "raw") -> pd.DataFrame:
    """One metric with its interval, a row an encoder, a column a rank, as text; the last row is chance."""
    table = _table(found, "measurements")
    table = table[(table["metric"] == metric) & (table["space"] == space) & (table["tree"] == "taxonomy")]
    table = _of_all(table[table["taxon"].isna()])
    cells = table.assign(cell=[_cell(row) for row in table.itertuples()]).pivot_table(
        index="encoder", columns="rank", values="cell", aggfunc="first", sort=False
    )
    if (table["chance"].fillna(0) > 0).any():
        cells.loc["chance"] = (
            table.groupby("rank")["chance"].mean().map("{:.3f}".format, na_action="ignore").fillna("–")
        )
    return cells.reindex(columns=[rank for rank in RANKS if rank in cells])


def by_tree(found: Results, tree: str) -> pd.DataFrame:
    """Agreement of raw embeddings with one tree, as text with intervals: a row an encoder, the columns of `TREE`."""
    table = _table(found, "measurements")
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
    table = _table(found, "measurements")
    pages = jinja2.Environment(
        loader=jinja2.PackageLoader("bioclip_probe"), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    drawn = draw_all(found)
    figures = [
        {"name": name, "figure": FIGURES[name], "missing": path if isinstance(path, str) else "", "png": _inline(path)}
        for name, path in drawn.items()
    ]
    shown = ("cophenetic_correlation", "knn_purity_1_adjusted", "cluster_purity_adjusted", "silhouette", *ACCURACY)
    page = pages.get_template("report.html").render(
        record=found.record,
        simulated=found.simulated,
        summary=summary(found),
        figures=figures,
        by_rank=[(metrics.CATALOGUE[name], by_rank(found, name)) for name in shown if name in set(table["metric"])],
        other_trees=_other_trees(table),
        parts=_parts(table),
        undefined=table[table["value"].isna()][["encoder", "space", "rank", "metric", "note"]],
        catalogue=[metrics.CATALOGUE[name] for name in metrics.CATALOGUE if name in set(table["metric"])],
        columns=MEASUREMENTS.columns,
        written=provenance.now(),
    )
    path = found.folder / "report.html"
    results.write_whole(path, lambda beside: beside.write_text(page, encoding="utf-8"))
    return path


def _inline(path: Path | str) -> str:
    return base64.b64encode(path.read_bytes()).decode() if isinstance(path, Path) else ""


def _other_trees(table: pd.DataFrame) -> pd.DataFrame:
    """Agreement with trees other than the taxonomy, raw embeddings."""
    part = table[(table["tree"] != "taxonomy") & table["tree"].notna() & (table["space"] == "raw")]
    columns = ["tree", "encoder", "metric", "value", "ci_low", "ci_high", "p_value", "n_taxa", "n_images", "n_excluded"]
    return _whole(part[columns])


def _parts(table: pd.DataFrame) -> pd.DataFrame:
    """CPCC in each part of the dataset, e.g. species seen and unseen in training; empty where it has one part."""
    part = table[
        (table["metric"] == "cophenetic_correlation") & ~table["split"].isin(["all"]) & (table["space"] == "raw")
    ]
    return _whole(part[["split", "encoder", "value", "ci_low", "ci_high", "p_value", "n_taxa", "n_images"]])


def _whole(table: pd.DataFrame) -> pd.DataFrame:
    """Counts as text, so that they are printed without decimals."""
    return table.assign(**{name: table[name].map("{:,}".format) for name in table if name.startswith("n_")})
