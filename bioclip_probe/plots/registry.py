"""The registry of figures: what each figure of a study shows, the rows it draws, and the function that draws it.

To add a figure, write a function that selects its rows from the tables of a study, one that draws them, and its line in
`REGISTRY`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd
from matplotlib.figure import Figure

from bioclip_probe.errors import DataError
from bioclip_probe.extraction.prompts import MAIN_TYPE, PLAIN_TYPE
from bioclip_probe.plots.by_layer import by_layer, layer_rows
from bioclip_probe.plots.by_rank import by_rank
from bioclip_probe.plots.curves import curves
from bioclip_probe.plots.differences import TITLE, difference_rows, differences
from bioclip_probe.plots.dots import dots
from bioclip_probe.plots.drilldown import drilldown
from bioclip_probe.plots.headline import headline
from bioclip_probe.plots.matrix import matrix
from bioclip_probe.plots.selection import OF_TWO_MODELS, Tables, agrees, measured
from bioclip_probe.plots.settings import FigureSettings
from bioclip_probe.plots.staircase import METRICS as STAIRCASE
from bioclip_probe.plots.staircase import staircase
from bioclip_probe.probes import SEEN, SEEN_CHILDREN, SHUFFLED, UNSEEN
from bioclip_probe.tables import Entry, check_name

Draw = Callable[[pd.DataFrame, FigureSettings, Tables], Figure]

#: The primary endpoints, and what is read beside them.
ENDPOINTS = (
    "cophenetic_correlation",
    "pagel_lambda",
    "effective_dimension",
    "heritable_share",
    "knn_purity_1_other_species",
    "macro_accuracy",
)
ENDPOINT_TITLES = {
    "knn_purity_1_other_species": "1-NN among other species, family",
    "macro_accuracy": "Family named, genus never seen",
}
AGREEMENT = (
    "relative_cophenetic_correlation",
    "disattenuated_cophenetic_correlation",
    "balanced_tree_correlation",
    "image_tree_correlation",
    "kendall_tau_b",
    "k_mult_z",
)
SHARES = ("variance_component", "cophenetic_correlation", "within_clade_correlation")
RELATIVES = ("triplet_accuracy", "average_precision_other_species", "lca_auc")
NEIGHBOURS = ("knn_purity_1_other_species", "cluster_purity_adjusted")
TEXT = ("text_cophenetic_correlation", "image_text_rsa", "image_text_accuracy")
#: The rows of the linear probe.
LINEAR = {"probe": "linear", "split": "test"}
#: The protocols of the linear probe, and the titles of their panels.
LINEAR_PANELS = {
    SEEN: "Other images of the same taxa",
    SEEN_CHILDREN: "Children seen in training",
    UNSEEN: "The same images, children never seen",
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
    >>> check_names(["headline"])
    """
    for name in names:
        check_name("figure", name, REGISTRY)


# Each figure: the rows it draws, and how it is drawn.


def _measured(metrics: tuple[str, ...], **where: object) -> Callable[[Tables], pd.DataFrame]:
    """Return the function that selects the measurements of some metrics."""
    return lambda tables: measured(tables, metrics, where)


def _panels_by_rank(metrics: tuple[str, ...], title: str) -> Draw:
    """Return the function that draws a panel by rank for each of some metrics."""
    return lambda rows, settings, tables: by_rank(rows, metrics, replace(settings, title=title))


def _panels_of_dots(metrics: tuple[str, ...], title: str, titles: Mapping[str, str] | None = None) -> Draw:
    """Return the function that draws a panel of dots for each of some metrics."""
    return lambda rows, settings, tables: dots(rows, metrics, replace(settings, title=title), titles=titles)


def _endpoint_rows(tables: Tables) -> pd.DataFrame:
    """Return the primary endpoints on the taxonomy, and the numbers that are read beside them."""
    rows = measured(tables, ENDPOINTS, {"space": ["raw"], "rank": ["species", "family"]})
    of_images = rows["rank"].eq("species") & rows["split"].eq("all") & rows["probe"].isna()
    neighbors = rows["metric"].eq("knn_purity_1_other_species") & rows["rank"].eq("family")
    probe = agrees(rows, {**LINEAR, "metric": "macro_accuracy", "rank": "family", "protocol": UNSEEN, "shots": None})
    kept = (of_images & ~rows["metric"].isin(["knn_purity_1_other_species"])) | neighbors | probe
    return rows[kept].reset_index(drop=True)


def _draw_headline(rows: pd.DataFrame, settings: FigureSettings, tables: Tables) -> Figure:
    """Draw the headline."""
    return headline(rows, settings)


def _drilldown_rows(methods: Sequence[str]) -> Callable[[Tables], pd.DataFrame]:
    """Return what selects the coordinates of some methods: of those in a study the last one, and its last mode."""

    def rows(tables: Tables) -> pd.DataFrame:
        table = tables["coordinates"]
        table = table[table["method"].isin(methods)]
        if not len(table):
            raise DataError(f"there are no coordinates of {' or '.join(methods)} to draw")
        last = table.iloc[-1]
        return table[(table["method"] == last["method"]) & (table["mode"] == last["mode"])].reset_index(drop=True)

    return rows


def _draw_drilldown(rows: pd.DataFrame, settings: FigureSettings, tables: Tables) -> Figure:
    """Draw the panels, with their purity if it was measured."""
    return drilldown(rows, settings, measurements=tables.get("measurements"))


def _draw_similarity(rows: pd.DataFrame, settings: FigureSettings, tables: Tables) -> Figure:
    """Draw a matrix for each measure of similarity."""
    return matrix(rows, OF_TWO_MODELS, settings)


def _accuracy_rows(tables: Tables) -> pd.DataFrame:
    """Return the macro accuracy of the linear probe under each protocol."""
    where = {**LINEAR, "protocol": list(LINEAR_PANELS), "shots": None}
    return measured(tables, ("macro_accuracy",), where)


def _draw_accuracy(rows: pd.DataFrame, settings: FigureSettings, tables: Tables) -> Figure:
    """Draw a panel for each protocol of the linear probe."""
    return by_rank(rows, ("macro_accuracy",), replace(settings, title="Linear probes by rank"), panels=LINEAR_PANELS)


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


def _draw_zero_shot(rows: pd.DataFrame, settings: FigureSettings, tables: Tables) -> Figure:
    """Draw a panel for each zero-shot probe."""
    titled = replace(settings, title="Named without learning")
    return by_rank(rows, ("top1_accuracy",), titled, panels=ZERO_SHOT_PANELS, by="probe")


def _draw_staircase(rows: pd.DataFrame, settings: FigureSettings, tables: Tables) -> Figure:
    """Draw the staircase."""
    return staircase(rows, settings)


_ENTRIES = (
    FigureEntry(
        "endpoints",
        "Does the embedding follow the tree?",
        "CPCC: correlation of tree distance and distance of species. Tree signal (Pagel's λ): share of what the "
        "embedding says about species that is inherited along the tree; read it with the effective dimension, the "
        "number of independent directions in which species differ, since one heritable trait has a high λ too. "
        "Heritable share: variance above species over variance between species. 1-NN: is the nearest image of another "
        "species of the same family? Unseen children: does a family probe name genera that it never saw? Bars: 95 % "
        "intervals. Grey: chance.",
        _panels_of_dots(ENDPOINTS, "Does the embedding follow the tree?", ENDPOINT_TITLES),
        _endpoint_rows,
    ),
    FigureEntry(
        "differences",
        TITLE,
        "The first model's number less the second's, in the four primary endpoints, on the same species. Bars: 95 % "
        "intervals. Full dots: p < 0.05, adjusted by Holm's method for all pairs of models and all four endpoints. "
        "Grey: differences from controls, which do not count among these.",
        lambda rows, settings, tables: differences(rows, settings),
        difference_rows,
    ),
    FigureEntry(
        "headline",
        "How far distances follow the tree",
        "Cophenetic correlation (CPCC): Pearson correlation, over all pairs of species, of the distance between two "
        "species' mean embeddings and the number of ranks below their lowest common ancestor. Embeddings as they are, "
        "and with their common mean removed. Bars: 95 % intervals, species resampled.",
        _draw_headline,
        _measured(("cophenetic_correlation",), rank="species", split="all"),
    ),
    FigureEntry(
        "drilldown",
        "The drill-down of Section 4.6",
        "Each panel is a projection of its own, of all images of the taxon in focus. The six taxa with most images are "
        "coloured, and the largest is the focus of the next panel. A taxon has the same colour in every model.",
        _draw_drilldown,
        _drilldown_rows(("tsne", "pca")),
        table="coordinates",
    ),
    FigureEntry(
        "drilldown_umap",
        "The drill-down of Section 4.6, by UMAP",
        "The same panels, drawn by UMAP, which keeps more of what lies between groups. Only what both methods show is "
        "there for sure.",
        _draw_drilldown,
        _drilldown_rows(("umap",)),
        table="coordinates",
    ),
    FigureEntry(
        "agreement",
        "Agreement with the tree, by other measures",
        "CPCC over the value that evolution along the tree would give an embedding of the same spectrum and noise; "
        "CPCC corrected for the scatter of images within species; CPCC with equal weights for the ranks of common "
        "ancestors (otherwise the deepest splits, which hold nearly all pairs, decide alone); the correlation over "
        "all pairs of images; Kendall's tau-b; and K_mult in standard deviations of its values with species permuted. "
        "Grey: chance.",
        _panels_of_dots(AGREEMENT, "Agreement with the tree, by other measures"),
        _measured(AGREEMENT, rank="species", split="all", space="raw"),
    ),
    FigureEntry(
        "within_ranks",
        "At which rank",
        "Share of the variance between images that arises at each rank, estimated without bias (what only recognises "
        "species has none above species); CPCC over the taxa of the rank; CPCC of the species inside each clade of the "
        "rank, mean over clades. Grey: chance.",
        _panels_by_rank(SHARES, "At which rank"),
        _measured(SHARES, split="all", space="raw"),
    ),
    FigureEntry(
        "relatives",
        "Are relatives nearer?",
        "The share of triplets (an image, a nearer and a farther relative) in which the nearer relative is the closer "
        "one, by the rank of its common ancestor with the image; average precision of finding images of the same "
        "taxon among other species; and how often a pair with its common ancestor at a rank is closer than a pair with "
        "its common ancestor at the next rank above, which may fall below chance where clades differ in scale. Grey: "
        "chance.",
        _panels_by_rank(RELATIVES, "Are relatives nearer?"),
        _measured(RELATIVES, split="all", space="raw"),
    ),
    FigureEntry(
        "similarity",
        "How alike two models are",
        "Debiased linear CKA, correlation of species distances (RSA), and the share of a species' 10 nearest species "
        "that both agree on; each above what 95 % of permutations reach, so that embeddings of different widths can be "
        "compared.",
        _draw_similarity,
        _measured(OF_TWO_MODELS, space="raw"),
    ),
    FigureEntry(
        "purity_by_rank",
        "Purity by rank",
        "Share of images whose nearest image of another species is of their own taxon, and share that lie in a k-means "
        "cluster of their taxon (k = number of taxa), beyond what a model reaches that recognises species and knows no "
        "tree. Grey: chance.",
        _panels_by_rank(NEIGHBOURS, "Purity by rank"),
        _measured(NEIGHBOURS, space="raw", split="all"),
    ),
    FigureEntry(
        "accuracy_by_rank",
        "Linear probes by rank",
        "Macro accuracy (mean over taxa) of a logistic regression on frozen embeddings. Other images: it learnt from "
        "other images of the same taxa. Children seen and never seen: the same images are asked about, by probes in "
        "which all taxa weigh the same; their child taxa (of a family: its genera) were in training, or were held out "
        "whole, so that the probe cannot know a taxon by its children. Control: each child taxon has the label of "
        "another. Grey: chance.",
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
        _measured(("top1_accuracy",), split="test", probe=list(ZERO_SHOT_PANELS), protocol=MAIN_TYPE),
    ),
    FigureEntry(
        "text_side",
        "The text side",
        "CPCC of the embeddings of names, without images; correlation between the distances of taxa by their images "
        "and by their names (RSA); share of taxa whose images lie nearest to their own name. For models that take "
        "text. Grey: chance.",
        _panels_by_rank(TEXT, "The text side"),
        _measured(TEXT, protocol=PLAIN_TYPE),
    ),
    FigureEntry(
        "staircase",
        "The staircase",
        "Cosine distance of two species' mean embeddings, by the rank of their lowest common ancestor. An embedding "
        "that follows the tree climbs from step to step.",
        _draw_staircase,
        _measured(STAIRCASE, space="raw"),
    ),
    FigureEntry(
        "layers",
        "Agreement with the tree by layer",
        "CPCC, tree signal and 1-NN purity at family (among other species) of the vectors after each block of a model, "
        "and of its own embedding. For encoders named layer:N:MODEL. Grey: chance.",
        lambda rows, settings, tables: by_layer(rows, settings),
        layer_rows,
    ),
)

REGISTRY: dict[str, FigureEntry] = {entry.name: entry for entry in _ENTRIES}
