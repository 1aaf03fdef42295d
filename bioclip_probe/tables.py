"""Tidy tables, registries of named things, and a few constants that every room needs.

Every result of the toolkit is a row of one of these tables. They are pandas DataFrames, stored as Parquet. Each table
declares its columns with their types, units and meanings, and checks frames against them.

================= ================================================= =====================
table             one row is                                        written by
================= ================================================= =====================
``IMAGES``        one picture and what it shows                     datasets
``MEASUREMENTS``  one number with its interval                      metrics, through study
``PREDICTIONS``   one picture with the answer of one probe          probes
``COORDINATES``   one picture in one panel of a projection          projections
================= ================================================= =====================
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from bioclip_probe.errors import ProbeError, some
from bioclip_probe.schema import Column, Table

if TYPE_CHECKING:
    import pandas as pd

# pandas is imported where it is used: `--help` needs the ranks only, and would wait for it.
RANKS = ("kingdom", "phylum", "class", "order", "family", "genus", "species")
DEFAULT_SEED = 0
#: Smaller p-values are printed as smaller than this.
SMALLEST_P = 0.001
#: Images in a shard of the store, and the types of its vectors; the first one is the default.
SHARD_SIZE, DTYPES = 1024, ("float32", "float16")
#: Prompts that names of taxa stand in: one, or the 81 of published zero-shot numbers; the first is the default.
TEMPLATES = ("plain", "openai")
#: Treatments of holes in lineages: filled where other images of the same taxon agree, or not; the first is the default.
LINEAGES = ("filled", "as-given")


@dataclass(frozen=True)
class Entry:
    """One entry of a registry: what a reader must know of a thing, and the function that does it.

    Every shelf has a `registry.py` with ``REGISTRY``, a dict from name to entry. A shelf with more to say about its
    things derives its own class from this one.

    Attributes
    ----------
    name : str
        Name of the thing on the command line and in tables.
    title : str
        One line that says what the thing is, for the label of a figure and the line of a listing.
    notes : str
        What a reader must know beyond the title; may be empty.
    function : callable, optional
        Does the thing. None for an entry that only names a form, or that is done as part of another entry.

    Examples
    --------
    >>> Entry("tsne", "t-SNE").notes
    ''
    """

    name: str
    title: str
    notes: str = ""
    function: Callable[..., Any] | None = None


def catalogue(registry: Mapping[str, Entry], columns: Sequence[str] = ("name", "title", "notes")) -> pd.DataFrame:
    """Return the entries of a registry as a table.

    Parameters
    ----------
    registry : mapping from str to Entry
    columns : sequence of str
        Fields of the entries that become columns.

    Returns
    -------
    DataFrame
        One row for each entry, in the order of the registry.

    Examples
    --------
    >>> catalogue({"tsne": Entry("tsne", "t-SNE")})["title"].tolist()
    ['t-SNE']
    """
    import pandas as pd

    return pd.DataFrame([[getattr(entry, name) for name in columns] for entry in registry.values()], columns=[*columns])


def agrees(table: pd.DataFrame, where: Mapping[str, object]) -> pd.Series:
    """Return True for each row of a table that has the wanted values.

    Parameters
    ----------
    table : DataFrame
    where : mapping from column to value
        None wants a missing value; a list wants any of its values.

    Returns
    -------
    Series of bool

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"probe": ["knn", "linear"], "shots": [None, 5]})
    >>> agrees(table, {"probe": ["knn", "linear"], "shots": None}).tolist()
    [True, False]
    """
    import pandas as pd

    keep = pd.Series(True, index=table.index)
    for column, wanted in where.items():
        if wanted is None:
            keep &= table[column].isna()
        else:
            keep &= table[column].isin(wanted if isinstance(wanted, list) else [wanted])
    return keep


def check_name(kind: str, name: str, known: Iterable[str], error: type[ProbeError] = ProbeError) -> None:
    """Raise an error that suggests the nearest names if a name is not known.

    Parameters
    ----------
    kind : str
        Kind of the named thing, e.g. ``probe``.
    name : str
    known : iterable of str
    error : type
        The exception to raise.

    Raises
    ------
    ProbeError
        If `name` is not among `known`.

    Examples
    --------
    >>> check_name("probe", "liner", ["linear", "knn"])
    Traceback (most recent call last):
    bioclip_probe.errors.ProbeError: no probe 'liner'; did you mean linear?
    """
    names = list(known)
    if name in names:
        return
    nearest = get_close_matches(str(name).lower(), names, n=3, cutoff=0.4)
    hint = f"did you mean {', '.join(nearest)}?" if nearest else f"there is {some(names, 20)}"
    raise error(f"no {kind} '{name}'; {hint}")


def check_no_text(kind: str, names: object, error: type[ProbeError] = ProbeError) -> None:
    """Raise an error if one text stands where a list of names is meant: its letters would be read as names.

    Parameters
    ----------
    kind : str
        Kind of the named things, e.g. ``probes``.
    names : object
    error : type
        The exception to raise.

    Raises
    ------
    ProbeError
        If `names` is a text.

    Examples
    --------
    >>> check_no_text("probes", "linear")
    Traceback (most recent call last):
    bioclip_probe.errors.ProbeError: probes are given as a list; got the text 'linear': write ["linear"]
    """
    if isinstance(names, str):
        raise error(f"{kind} are given as a list; got the text '{names}': write [\"{names}\"]")


def _rank_columns(meaning: str) -> tuple[Column, ...]:
    return tuple(Column(rank, "str", meaning) for rank in RANKS)


IMAGES = Table(
    "images",
    (
        Column("image_id", "str", "unique name of the picture, by which all tables are joined"),
        Column("source", "str", "where the dataset finds the picture: a path or a key"),
        *_rank_columns("name at this rank, missing if it is not known; species is the binomial"),
        Column("common", "str", "common name of the species, in English, where the source has one"),
        Column(
            "label",
            "str",
            "class of the picture as its source writes it, if not every class is a taxon",
            later=True,
        ),
        Column("group", "str", "observation or photographer: pictures of one group are not independent"),
        Column("split", "str", "part of the dataset the picture belongs to, e.g. val"),
        Column(
            "status",
            "str",
            "how the names were resolved, as TaxonoPy writes it, e.g. EXACT_MATCH_PRIMARY_SOURCE_ACCEPTED",
            later=True,
        ),
    ),
)

MEASUREMENTS = Table(
    "measurements",
    (
        Column("run", "str", "the run that made the row; see runs.json"),
        Column(
            "protocol_id",
            "str",
            "the rules that the number was made by; numbers under other ids are not comparable, nor is one without id",
            "treeoflife-alignment/N",
            later=True,
        ),
        Column("encoder", "str", "the encoder measured"),
        Column("encoder_b", "str", "the second encoder, where two are compared"),
        Column("dataset", "str", "the dataset measured on"),
        Column("split", "str", "part of the dataset"),
        Column("simulated", "bool", "the pictures come from the built-in world"),
        Column("space", "str", "embeddings as they are, or mean removed and renormalised", "raw | centred"),
        Column("tree", "str", "the tree whose distances are used", "taxonomy | name of the phylogeny"),
        Column("rank", "str", "the rank of the taxa measured"),
        Column("taxon", "str", "the clade the number is about; missing for all"),
        Column("column", "str", "the column of the images the number is about, e.g. photographer", later=True),
        Column("probe", "str", "the probe whose answers are scored; missing if the number is of no probe"),
        Column("protocol", "str", "the protocol of the probe; see PREDICTIONS"),
        Column("shots", "Int64", "images of each taxon that the probe learnt from; missing if it learnt from all"),
        Column("metric", "str", "name in the registry of metrics"),
        Column("value", "float64", "the number; NaN if it is undefined, and `note` says why"),
        Column("chance", "float64", "value of the number under its null"),
        Column(
            "null",
            "str",
            "null of chance and p: whole species (or taxa of a higher rank) permuted over the tips, labels permuted "
            "over images, species permuted inside each taxon of a rank or value of a column, or coordinates on each "
            "principal axis shuffled over images",
            "species | images | within RANK | RANK | axes",
            later=True,
        ),
        Column("ci_low", "float64", "lower end of the 95 % interval"),
        Column("ci_high", "float64", "upper end of the 95 % interval"),
        Column("ci_method", "str", "method of the interval"),
        Column("band_low", "float64", "lower end of the 95 % simultaneous band over the ranks of a curve", later=True),
        Column("band_high", "float64", "upper end of the 95 % simultaneous band over the ranks of a curve", later=True),
        Column(
            "resampled",
            "str",
            "unit that was resampled or permuted; without a species, the deepest known taxon",
            "rank",
        ),
        Column("n_units", "Int64", "units that were resampled", later=True),
        Column("p_value", "float64", "one-sided permutation p = (b + 1)/(m + 1), or two-sided p of a difference"),
        Column("p_adjusted", "float64", "p adjusted for the other tests of its family", later=True),
        Column(
            "p_family",
            "str",
            "the tests that p is adjusted for: Holm's method in `primary`, Benjamini-Hochberg's in the others",
            later=True,
        ),
        Column("n_images", "Int64", "images that entered"),
        Column("n_taxa", "Int64", "taxa that entered"),
        Column("n_excluded", "Int64", "images that were left out, e.g. without a name at this rank"),
        Column("note", "str", "why the value is undefined, or what a reader must know of it"),
    ),
)

PREDICTIONS = Table(
    "predictions",
    (
        Column("run", "category", "the run that made the row"),
        Column("encoder", "category", "the encoder whose embeddings were probed"),
        Column("dataset", "category", "the dataset"),
        Column("probe", "category", "name in the registry of probes"),
        Column(
            "protocol",
            "category",
            "other images of the same taxa; one probe asked about child taxa that it saw and that were held out; "
            "labels shuffled between child taxa; few-shot as published or with independent folds; or the text type of "
            "a zero-shot classifier",
            "seen | seen-children | unseen | shuffled | paper | corrected | a text type",
        ),
        Column("shots", "Int64", "images of each taxon that the probe learnt from; missing if it learnt from all"),
        Column(
            "fold",
            "Int64",
            "number of the fold, from 0 (deal × 5 + fold where children are dealt); missing if there is one split only",
        ),
        Column("n_choices", "Int64", "number of taxa that the probe chose among", later=True),
        Column("rank", "category", "the rank predicted"),
        Column("image_id", "category", "the picture"),
        Column("split", "category", "split of the probe", "train | val | test"),
        Column("truth", "category", "the taxon: its path from the root", vocabulary="taxon"),
        Column("predicted", "category", "the taxon the probe names: its path from the root", vocabulary="taxon"),
        Column(
            "place", "Int64", "position of the truth among the ranked taxa, 1 is best; missing if it is not among them"
        ),
        Column("confidence", "float64", "probability the probe gives its answer; missing if it gives none"),
        Column("chosen", "category", "setting that the probe chose on val, e.g. C = 10"),
    ),
)

COORDINATES = Table(
    "coordinates",
    (
        Column("run", "str", "the run that made the row"),
        Column("encoder", "str", "the encoder"),
        Column("dataset", "str", "the dataset"),
        Column("method", "str", "the projection", "tsne | umap | pca"),
        Column("mode", "str", "procedure of Section 4.6", "paper | corrected"),
        Column("rank", "str", "rank of the plotted taxa"),
        Column("focus", "str", "the taxon in focus: its path from the root; empty for all life"),
        Column("taxon", "str", "the taxon of this picture at this rank: its path from the root"),
        Column("plotted", "bool", "the taxon is one of the panel's six"),
        Column("hidden", "bool", "cut from the drawing as an outlier of its taxon in the plane"),
        Column("image_id", "str", "the picture"),
        Column("x", "float64", "first coordinate"),
        Column("y", "float64", "second coordinate"),
    ),
)
