"""The gallery: every figure of the study, and the rows of a results folder that it is drawn from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bioclip_probe import metrics
from bioclip_probe.errors import DataError, ProbeError
from bioclip_probe.extraction.prompts import MAIN_TYPE, PLAIN_TYPE
from bioclip_probe.probes import SEEN, SHUFFLED, UNSEEN
from bioclip_probe.study.results import Results

NEIGHBOURS = ("knn_purity_1", "cluster_purity")
AGREEMENT = (
    "cophenetic_correlation", "balanced_tree_correlation", "image_tree_correlation", "kendall_tau_b",
    "hierarchical_ap", "disattenuated_cophenetic_correlation",
)  # fmt: skip
RELATIVES = ("triplet_accuracy", "average_precision", "lca_auc")
SHARES = ("nested_r2", "cophenetic_correlation", "within_clade_correlation")
ZERO_SHOT = {"zero_shot": "Names of the rank", "zero_shot_summed": "Names of its species, summed"}
SIMILARITY = ("cka_calibrated", "rsa_calibrated", "mutual_knn_calibrated")
TEXT = ("text_cophenetic_correlation", "image_text_rsa", "image_text_accuracy")
LINEAR = {"probe": "linear", "split": "test"}
#: What the protocols of the linear probe are called above their panels.
LINEAR_PANELS = {
    SEEN: "Taxa and children seen",
    UNSEEN: "Children never seen",
    SHUFFLED: "Control: labels shuffled",
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
    table = table_of(found, "measurements")
    keep = table["metric"].isin(names) & (table["tree"] == "taxonomy") & table["taxon"].isna()
    keep &= (table["encoder_b"].isna() | table["metric"].isin(SIMILARITY)) & agrees(table, where)
    if not table.loc[keep, "value"].notna().any():
        raise DataError(f"there is no value of {' or '.join(names)} to draw")
    return table[keep].reset_index(drop=True)


def agrees(table: pd.DataFrame, where: dict) -> pd.Series:
    """The rows that agree with each value, or with one of a list; None is a missing one."""
    keep = pd.Series(True, index=table.index)
    for column, wanted in where.items():
        if wanted is None:
            keep &= table[column].isna()
        else:
            keep &= table[column].isin(wanted if isinstance(wanted, list) else [wanted])
    return keep


def _with_curve(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of the ranks that have a point after a number of images."""
    ranks = table.loc[table["shots"].notna(), "rank"].unique()
    if not len(ranks):
        raise DataError("no probe was asked after a number of images a taxon; ask with --shots 1 2 5 10")
    return table[table["rank"].isin(ranks)].reset_index(drop=True)


def table_of(found: Results, name: str) -> pd.DataFrame:
    table = getattr(found, name)
    if table is None:
        verb = {"measurements": "measure", "predictions": "probe", "coordinates": "project"}[name]
        raise DataError(f"{found.folder} holds no {name} yet; run `bioclip-probe {verb} --out {found.folder}` first")
    return table


def _projected_last(found: Results) -> pd.DataFrame:
    """The coordinates of the method and mode projected last: a folder may hold several, a figure draws one."""
    table = table_of(found, "coordinates")
    if not len(table):
        raise DataError(f"{found.folder} holds no coordinates to draw")
    last = table.iloc[-1]
    return table[(table["method"] == last["method"]) & (table["mode"] == last["mode"])].reset_index(drop=True)


def _draw(plot: str, *arguments: object, **more: object) -> Callable[[Results, pd.DataFrame], object]:
    def draw(found: Results, rows: pd.DataFrame) -> object:
        from bioclip_probe import plots

        return getattr(plots, plot)(rows, *arguments, simulated=found.simulated, controls=found.controls, **more)

    return draw


def _drilldown(found: Results, rows: pd.DataFrame) -> object:
    from bioclip_probe import plots

    shown = {"simulated": found.simulated, "controls": found.controls}
    return plots.drilldown(rows, measurements=found.measurements, **shown)


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
        "Accuracy of a logistic regression on frozen embeddings, on images held out. Seen: it learnt from other images "
        "of the same child taxa (a family probe: of the same genera). Never seen: whole child taxa were held out, so "
        "that it cannot add up the children that it knows. Control: each child taxon was given the label of another. "
        "Grey: chance.",
        lambda found: _measured(found, ("top1_accuracy",), **LINEAR, protocol=list(LINEAR_PANELS), shots=None),
        _draw("by_rank", ("top1_accuracy",), title="Linear probes by rank", panels=LINEAR_PANELS),
    ),
    "sample_efficiency": Figure(
        "How few images suffice",
        "Accuracy of the linear probe after so many images of each taxon, on the same test images (taxa with fewer "
        "give all they have). Right end: learnt from all images. Grey: chance.",
        lambda found: _with_curve(_measured(found, ("top1_accuracy",), **LINEAR, protocol=SEEN)),
        _draw("curves", title="How few images suffice"),
    ),
    "zero_shot": Figure(
        "Named without learning",
        "Accuracy of naming the taxon whose name, in a prompt, lies nearest to the image: names of the rank itself, "
        "and the taxon whose species' names are the most probable together. For models that take text. Grey: chance.",
        lambda found: _measured(found, ("top1_accuracy",), split="test", probe=list(ZERO_SHOT), protocol=MAIN_TYPE),
        _draw("by_rank", ("top1_accuracy",), title="Named without learning", panels=ZERO_SHOT, by="probe"),
    ),
    "text_side": Figure(
        "The text side",
        "CPCC of the embeddings of names, images apart; correlation between the distances of taxa by their images and "
        "by their names (RSA); share of taxa whose images lie nearest to their own name. For models that take text. "
        "Grey: chance.",
        lambda found: _measured(found, TEXT, protocol=PLAIN_TYPE),
        _draw("by_rank", TEXT, title="The text side"),
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
