"""The registry of figures: what each figure of a study shows, the rows it draws, and the function that draws it.

To add a figure, write a function that selects its rows from the tables of a study, one that draws them, and its line in
`REGISTRY`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import pandas as pd
from matplotlib.figure import Figure

from bioclip_probe.errors import DataError
from bioclip_probe.extraction.prompts import MAIN_TYPE, PLAIN_TYPE
from bioclip_probe.plots.by_rank import by_rank
from bioclip_probe.plots.curves import curves
from bioclip_probe.plots.dots import dots
from bioclip_probe.plots.drilldown import drilldown
from bioclip_probe.plots.headline import headline
from bioclip_probe.plots.matrix import matrix
from bioclip_probe.plots.selection import agrees
from bioclip_probe.plots.settings import FigureSettings
from bioclip_probe.plots.staircase import METRICS as STAIRCASE
from bioclip_probe.plots.staircase import staircase
from bioclip_probe.probes import SEEN, SHUFFLED, UNSEEN
from bioclip_probe.tables import Entry, check_name

#: The tables of a study by name: ``measurements``, and ``coordinates`` after a projection.
Tables = Mapping[str, pd.DataFrame]

AGREEMENT = (
    "cophenetic_correlation",
    "balanced_tree_correlation",
    "image_tree_correlation",
    "kendall_tau_b",
    "hierarchical_ap",
    "disattenuated_cophenetic_correlation",
)
SHARES = ("nested_r2", "cophenetic_correlation", "within_clade_correlation")
RELATIVES = ("triplet_accuracy", "average_precision", "lca_auc")
SIMILARITY = ("cka_calibrated", "rsa_calibrated", "mutual_knn_calibrated")
NEIGHBOURS = ("knn_purity_1", "cluster_purity")
TEXT = ("text_cophenetic_correlation", "image_text_rsa", "image_text_accuracy")
#: The rows of the linear probe.
LINEAR = {"probe": "linear", "split": "test"}
#: The protocols of the linear probe, and the titles of their panels.
LINEAR_PANELS = {
    SEEN: "Taxa and children seen",
    UNSEEN: "Children never seen",
    SHUFFLED: "Control: labels shuffled",
}
#: The zero-shot probes, and the titles of their panels.
ZERO_SHOT_PANELS = {"zero_shot": "Names of the rank", "zero_shot_summed": "Names of its species, summed"}


@dataclass(frozen=True)
class FigureEntry(Entry):
    """One figure of a study.

    Attributes
    ----------
    name : str
        Its name on the command line, and the stem of its files.
    title : str
        Its heading.
    notes : str
        Its caption.
    function : callable
        ``function(rows, settings, tables) -> matplotlib Figure``.
    select : callable
        ``select(tables) -> DataFrame``, the rows that the figure draws. It raises `DataError` if there are none.
    table : str
        The table that it selects from.

    Examples
    --------
    >>> REGISTRY["headline"].table
    'measurements'
    """

    select: Callable[[Tables], pd.DataFrame] | None = None
    table: str = "measurements"

    def draw(self, tables: Tables, settings: FigureSettings) -> tuple[pd.DataFrame, Figure]:
        """Return the rows that the figure draws, and the figure.

        Parameters
        ----------
        tables : mapping from str to DataFrame
        settings : FigureSettings

        Raises
        ------
        DataError
            If the tables do not hold what the figure draws.
        """
        if self.select is None or self.function is None:
            raise ValueError(f"figure '{self.name}' has no function that draws it")
        rows = self.select(tables)
        return rows, self.function(rows, settings, tables)


def measured(tables: Tables, metrics: tuple[str, ...], where: Mapping[str, object]) -> pd.DataFrame:
    """Return the measurements of some metrics on the taxonomy, about all taxa and one encoder.

    Parameters
    ----------
    tables : mapping from str to DataFrame
    metrics : tuple of str
    where : mapping from column to value
        See `selection.agrees`.

    Returns
    -------
    DataFrame

    Raises
    ------
    DataError
        If no value is defined.

    Examples
    --------
    >>> from bioclip_probe.plots.examples import two_models
    >>> tables = {"measurements": two_models().assign(tree="taxonomy")}
    >>> len(measured(tables, ("cluster_purity",), {"rank": "species"}))
    2
    """
    table = tables["measurements"]
    keep = table["metric"].isin(metrics) & (table["tree"] == "taxonomy") & table["taxon"].isna()
    keep &= (table["encoder_b"].isna() | table["metric"].isin(SIMILARITY)) & agrees(table, where)
    if not table.loc[keep, "value"].notna().any():
        raise DataError(f"there is no value of {' or '.join(metrics)} to draw")
    return table[keep].reset_index(drop=True)


def check_names(names: list[str] | tuple[str, ...]) -> None:
    """Raise an error if one of the names is not the name of a figure.

    Parameters
    ----------
    names : list of str

    Raises
    ------
    ProbeError
        With the nearest names.

    Examples
    --------
    >>> check_names(["stairs"])
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.ProbeError: no figure 'stairs'; did you mean staircase?
    """
    for name in names:
        check_name("figure", name, REGISTRY)


# Each figure: the rows it draws, and how it is drawn.


def _headline_rows(tables: Tables) -> pd.DataFrame:
    """Return CPCC of species, raw and centred."""
    return measured(tables, ("cophenetic_correlation",), {"rank": "species", "split": "all"})


def _draw_headline(rows: pd.DataFrame, settings: FigureSettings, tables: Tables) -> Figure:
    """Draw the headline."""
    return headline(rows, settings)


def _drilldown_rows(tables: Tables) -> pd.DataFrame:
    """Return the coordinates of the method and mode that were projected last: a study may hold several."""
    table = tables["coordinates"]
    if not len(table):
        raise DataError("there are no coordinates to draw")
    last = table.iloc[-1]
    return table[(table["method"] == last["method"]) & (table["mode"] == last["mode"])].reset_index(drop=True)


def _draw_drilldown(rows: pd.DataFrame, settings: FigureSettings, tables: Tables) -> Figure:
    """Draw the panels, with their purity if it was measured."""
    return drilldown(rows, settings, measurements=tables.get("measurements"))


def _agreement_rows(tables: Tables) -> pd.DataFrame:
    """Return agreement with the tree at species."""
    return measured(tables, AGREEMENT, {"rank": "species", "split": "all", "space": "raw"})


def _draw_agreement(rows: pd.DataFrame, settings: FigureSettings, tables: Tables) -> Figure:
    """Draw a panel for each measure of agreement."""
    return dots(rows, AGREEMENT, replace(settings, title="Agreement with the tree, by other measures"))


def _within_ranks_rows(tables: Tables) -> pd.DataFrame:
    """Return the shares of each rank."""
    return measured(tables, SHARES, {"split": "all", "space": "raw"})


def _draw_within_ranks(rows: pd.DataFrame, settings: FigureSettings, tables: Tables) -> Figure:
    """Draw the shares of each rank."""
    return by_rank(rows, SHARES, replace(settings, title="At which rank"))


def _relatives_rows(tables: Tables) -> pd.DataFrame:
    """Return the comparisons of nearer and farther relatives."""
    return measured(tables, RELATIVES, {"split": "all", "space": "raw"})


def _draw_relatives(rows: pd.DataFrame, settings: FigureSettings, tables: Tables) -> Figure:
    """Draw the comparisons of nearer and farther relatives."""
    return by_rank(rows, RELATIVES, replace(settings, title="Are relatives nearer?"))


def _similarity_rows(tables: Tables) -> pd.DataFrame:
    """Return the similarity of every two encoders."""
    return measured(tables, SIMILARITY, {"space": "raw"})


def _draw_similarity(rows: pd.DataFrame, settings: FigureSettings, tables: Tables) -> Figure:
    """Draw a matrix for each measure of similarity."""
    return matrix(rows, SIMILARITY, settings)


def _purity_rows(tables: Tables) -> pd.DataFrame:
    """Return the purity of neighbours and clusters."""
    return measured(tables, NEIGHBOURS, {"space": "raw"})


def _draw_purity(rows: pd.DataFrame, settings: FigureSettings, tables: Tables) -> Figure:
    """Draw the purity of neighbours and clusters."""
    return by_rank(rows, NEIGHBOURS, replace(settings, title="Purity by rank"))


def _accuracy_rows(tables: Tables) -> pd.DataFrame:
    """Return the accuracy of the linear probe under each protocol."""
    where = {**LINEAR, "protocol": list(LINEAR_PANELS), "shots": None}
    return measured(tables, ("top1_accuracy",), where)


def _draw_accuracy(rows: pd.DataFrame, settings: FigureSettings, tables: Tables) -> Figure:
    """Draw a panel for each protocol of the linear probe."""
    return by_rank(rows, ("top1_accuracy",), replace(settings, title="Linear probes by rank"), panels=LINEAR_PANELS)


def _efficiency_rows(tables: Tables) -> pd.DataFrame:
    """Return the accuracy of the linear probe by shots, at the ranks that have a point after a number of images."""
    rows = measured(tables, ("top1_accuracy",), {**LINEAR, "protocol": SEEN})
    ranks = rows.loc[rows["shots"].notna(), "rank"].unique()
    if not len(ranks):
        raise DataError("no probe was asked after a number of images a taxon; ask with --shots 1 2 5 10")
    return rows[rows["rank"].isin(ranks)].reset_index(drop=True)


def _draw_efficiency(rows: pd.DataFrame, settings: FigureSettings, tables: Tables) -> Figure:
    """Draw the curves of sample efficiency."""
    return curves(rows, replace(settings, title="How few images suffice"))


def _zero_shot_rows(tables: Tables) -> pd.DataFrame:
    """Return the zero-shot accuracy with the text type that says most about a taxon."""
    where = {"split": "test", "probe": list(ZERO_SHOT_PANELS), "protocol": MAIN_TYPE}
    return measured(tables, ("top1_accuracy",), where)


def _draw_zero_shot(rows: pd.DataFrame, settings: FigureSettings, tables: Tables) -> Figure:
    """Draw a panel for each zero-shot probe."""
    titled = replace(settings, title="Named without learning")
    return by_rank(rows, ("top1_accuracy",), titled, panels=ZERO_SHOT_PANELS, by="probe")


def _text_rows(tables: Tables) -> pd.DataFrame:
    """Return the numbers of the text side for the plain names of taxa."""
    return measured(tables, TEXT, {"protocol": PLAIN_TYPE})


def _draw_text(rows: pd.DataFrame, settings: FigureSettings, tables: Tables) -> Figure:
    """Draw the text side."""
    return by_rank(rows, TEXT, replace(settings, title="The text side"))


def _staircase_rows(tables: Tables) -> pd.DataFrame:
    """Return the distribution of the distance of two species."""
    return measured(tables, STAIRCASE, {"space": "raw"})


def _draw_staircase(rows: pd.DataFrame, settings: FigureSettings, tables: Tables) -> Figure:
    """Draw the staircase."""
    return staircase(rows, settings)


_ENTRIES = (
    FigureEntry(
        "headline",
        "How far distances follow the tree",
        "Cophenetic correlation (CPCC): Pearson correlation, over all pairs of species, of the distance between two "
        "species' mean embeddings and the number of ranks below their lowest common ancestor. Embeddings as they are, "
        "and with their common mean removed. Bars: 95 % intervals, species resampled.",
        _draw_headline,
        _headline_rows,
    ),
    FigureEntry(
        "drilldown",
        "The drill-down of Section 4.6",
        "Each panel is a projection of its own, of all images of the taxon in focus. The six taxa with most images are "
        "coloured, and the largest is the focus of the next panel. A taxon has the same colour in every model.",
        _draw_drilldown,
        _drilldown_rows,
        table="coordinates",
    ),
    FigureEntry(
        "agreement",
        "Agreement with the tree, by other measures",
        "CPCC as above; CPCC with equal weights for the ranks of common ancestors (otherwise the deepest splits, which "
        "hold nearly all pairs, decide alone); the correlation over all pairs of images; Kendall's tau-b; average "
        "precision of finding relatives, where nearer ones are more relevant (H-AP); and CPCC over its noise ceiling, "
        "the highest value that the scatter of images within species allows. Grey: mean chance level.",
        _draw_agreement,
        _agreement_rows,
    ),
    FigureEntry(
        "within_ranks",
        "At which rank",
        "Share of the variance of images that each rank explains beyond the ranks above it; CPCC over the taxa of the "
        "rank; CPCC of the species inside each clade of the rank, mean over clades. Grey: chance.",
        _draw_within_ranks,
        _within_ranks_rows,
    ),
    FigureEntry(
        "relatives",
        "Are relatives nearer?",
        "The share of triplets (an image, a nearer and a farther relative) in which the nearer relative is the closer "
        "one, by the rank of its common ancestor with the image; average precision of finding images of the same "
        "taxon; and how often a pair with its common ancestor at a rank is closer than a pair with its common ancestor "
        "at the next rank above. Grey: chance.",
        _draw_relatives,
        _relatives_rows,
    ),
    FigureEntry(
        "similarity",
        "How alike two models are",
        "Debiased linear CKA, correlation of species distances (RSA), and the share of a species' 10 nearest species "
        "that both agree on; each above what 95 % of permutations reach, so that embeddings of different widths can be "
        "compared.",
        _draw_similarity,
        _similarity_rows,
    ),
    FigureEntry(
        "purity_by_rank",
        "Purity by rank",
        "Share of images whose nearest neighbour is of their own taxon, and share that lie in a k-means cluster of "
        "their taxon (k = number of taxa). Grey: chance.",
        _draw_purity,
        _purity_rows,
    ),
    FigureEntry(
        "accuracy_by_rank",
        "Linear probes by rank",
        "Accuracy of a logistic regression on frozen embeddings, on images held out. Seen: it learnt from other images "
        "of the same child taxa (a family probe: of the same genera). Never seen: whole child taxa were held out, so "
        "that it cannot know a taxon by its children. Control: each child taxon was given the label of another. "
        "Grey: chance.",
        _draw_accuracy,
        _accuracy_rows,
    ),
    FigureEntry(
        "sample_efficiency",
        "How few images suffice",
        "Accuracy of the linear probe by the number of training images of each taxon, on the same test images (a taxon "
        "with fewer gives all that it has). Right end: trained on all images. Grey: chance.",
        _draw_efficiency,
        _efficiency_rows,
    ),
    FigureEntry(
        "zero_shot",
        "Named without learning",
        "Accuracy of naming the taxon whose name, in a prompt, lies nearest to the image: names of the rank itself, "
        "and the taxon whose species' names are the most probable together. For models that take text. Grey: chance.",
        _draw_zero_shot,
        _zero_shot_rows,
    ),
    FigureEntry(
        "text_side",
        "The text side",
        "CPCC of the embeddings of names, without images; correlation between the distances of taxa by their images "
        "and by their names (RSA); share of taxa whose images lie nearest to their own name. For models that take "
        "text. Grey: chance.",
        _draw_text,
        _text_rows,
    ),
    FigureEntry(
        "staircase",
        "The staircase",
        "Cosine distance of two species' mean embeddings, by the rank of their lowest common ancestor. An embedding "
        "that follows the tree climbs from step to step.",
        _draw_staircase,
        _staircase_rows,
    ),
)

REGISTRY: dict[str, FigureEntry] = {entry.name: entry for entry in _ENTRIES}
