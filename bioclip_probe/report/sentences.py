"""The verdict of a study in sentences, which are made from its numbers by rule.

The wording follows the interval and the adjusted p-value of a paired difference: a model follows the tree *more
closely* than another, the two are *not told apart*, or there are *too few species* to tell. Each sentence gives
the numbers that it rests on, and the rows of the measurements that hold them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from bioclip_probe.errors import some
from bioclip_probe.metrics.endpoints import PRIMARY, TAXONOMY, TRUE_TREE, Endpoint
from bioclip_probe.metrics.registry import DIFFERENCE
from bioclip_probe.report.endpoints import EndpointNumbers, p_as_text, with_interval
from bioclip_probe.study.ranking import ALPHA
from bioclip_probe.study.results import Results
from bioclip_probe.tables import RANKS

#: Words for the better one of two models in each primary endpoint; ``{tree}`` is the tree.
CLAIMS = {
    "cophenetic_correlation": "follows the {tree} more closely than",
    "pagel_lambda": "carries more signal of the {tree} than",
    "knn_purity_1_other_species": "finds a relative among other species more often than",
    "macro_accuracy": "places genera that its probe has never seen in their families better than",
}
#: Name of the number of each primary endpoint in a sentence.
NUMBERS = {
    "cophenetic_correlation": "CPCC",
    "pagel_lambda": "tree signal λ",
    "knn_purity_1_other_species": "1-NN at family",
    "macro_accuracy": "macro accuracy at family",
}
#: The part of a dataset whose species no model was trained on, where the dataset has such a part.
UNSEEN_PART = "unseen"
#: The metric whose differences say at which ranks two models differ.
BY_RANK = "knn_purity_1_other_species"


@dataclass(frozen=True)
class Sentence:
    """One sentence of the verdict.

    Attributes
    ----------
    subject : str
        ``primary``, ``unseen``, ``null``, ``ranks``, ``controls`` or ``unread``.
    text : str
    rows : tuple of int
        The rows of the measurements that it states.

    Examples
    --------
    >>> Sentence("primary", "A and B are not told apart.", (3,)).rows
    (3,)
    """

    subject: str
    text: str
    rows: tuple[int, ...]


def verdict(results: Results) -> list[Sentence]:
    """Return what a study says, in sentences.

    Parameters
    ----------
    results : Results
        With measurements of a whole study or of some steps.

    Returns
    -------
    list of Sentence
        First how the first model compares with each other model in each primary endpoint, and among species that no
        model was trained on where the dataset has them; then which models are not beyond chance, at which ranks the
        first two models differ, which models are beyond the controls, and which ranks cannot be read. There is no
        sentence about what was not measured.

    Raises
    ------
    DataError
        If the folder holds no measurements.

    Examples
    --------
    >>> from bioclip_probe.report.examples import two_models_measured
    >>> verdict(two_models_measured())  # no primary endpoint was measured
    []
    """
    table = results.table("measurements")
    encoders = results.encoders
    models = [name for name in encoders if name not in results.controls]
    numbers = [EndpointNumbers.of(endpoint, table) for endpoint in PRIMARY]
    return [
        *(sentence for own in numbers for other in models[1:] for sentence in _compared(own, models[0], other)),
        *(sentence for other in models[1:] for sentence in _among_unseen(table, models[0], other)),
        *(sentence for own in numbers for sentence in _at_chance(own, models)),
        *(sentence for other in models[1:2] for sentence in _by_rank(table, models[0], other)),
        *(sentence for model in models for sentence in _beyond(numbers[0], model, results.controls)),
        *_unread(table),
    ]


def evidence(results: Results, sentences: Sequence[Sentence]) -> pd.DataFrame:
    """Return the measurements that sentences state, in the order in which they are first stated.

    Parameters
    ----------
    results : Results
    sentences : sequence of Sentence

    Returns
    -------
    DataFrame
        Rows of the measurements, with their index.

    Examples
    --------
    >>> from bioclip_probe.report.examples import two_models_measured
    >>> evidence(two_models_measured(), [Sentence("primary", "A and B are not told apart.", (3, 1))]).index.tolist()
    [3, 1]
    """
    return results.table("measurements").loc[list(dict.fromkeys(row for one in sentences for row in one.rows))]


def _compared(numbers: EndpointNumbers, first: str, second: str) -> Iterator[Sentence]:
    """Yield how two encoders compare in a primary endpoint, if both have the number."""
    one, other = numbers.row(first), numbers.row(second)
    if one is None or other is None:
        return
    pair, sign = numbers.difference(first, second)
    rows = tuple(int(row.name) for row in (one, other, pair) if row is not None)
    name, counts = NUMBERS[numbers.endpoint.metric], _counts(numbers.endpoint.rank, one, other)
    values = f"{with_interval(one)} against {with_interval(other)}"
    if pair is None or pd.isna(pair["ci_low"]) or pd.isna(pair["p_adjusted"]):
        unknown = f"There are too few species to compare {first} and {second} by {name}, no interval is shown to cover"
        if pair is None:
            unknown = f"{first} and {second} were not compared by {name}"
        yield Sentence("primary", f"{unknown}: {values}, {counts}.", rows)
        return
    better, worse = (first, second) if sign * pair["value"] > 0 else (second, first)
    claim = f"{better} {_claim(numbers.endpoint, one['tree'])} {worse}: {name}"
    if not pair["p_adjusted"] < ALPHA:
        claim = f"{first} and {second} are not told apart by {name}:"
    difference = f"difference {with_interval(pair, sign)}, {p_as_text(pair['p_adjusted'])}"
    yield Sentence("primary", f"{claim} {values}, {difference}, {counts}.", rows)


def _among_unseen(table: pd.DataFrame, first: str, second: str) -> Iterator[Sentence]:
    """Yield how two encoders compare in CPCC among species that no model was trained on."""
    endpoint = replace(PRIMARY[0], split=UNSEEN_PART, on_phylogeny=False)
    for sentence in _compared(EndpointNumbers.of(endpoint, table), first, second):
        text = sentence.text.replace("There are", "there are", 1)
        yield Sentence("unseen", f"Of species never seen in training, {text}", sentence.rows)


def _beyond(numbers: EndpointNumbers, model: str, controls: Sequence[str]) -> Iterator[Sentence]:
    """Yield whether a model is beyond all controls, as far as the data can tell."""
    own, rows = numbers.row(model), set[int]()
    beyond: list[str] = []
    not_beyond: list[str] = []
    for control in controls:
        other, (pair, sign) = numbers.row(control), numbers.difference(model, control)
        if own is None or other is None or pair is None:
            continue
        rows |= {int(own.name), int(other.name), int(pair.name)}
        text = f"{control} {with_interval(other)}"
        (beyond if pair["p_adjusted"] < ALPHA and sign * pair["value"] > 0 else not_beyond).append(text)
    if own is None or not rows:
        return
    number = f"{NUMBERS[numbers.endpoint.metric]} {with_interval(own)}"
    if not_beyond:
        text = f"{model} is not shown to be beyond {some(not_beyond, len(controls))}: its {number}."
    else:
        text = f"{model} is beyond every control: its {number} against {some(beyond, len(controls))}."
    yield Sentence("controls", text, tuple(sorted(rows)))


def _at_chance(numbers: EndpointNumbers, models: Sequence[str]) -> Iterator[Sentence]:
    """Yield which models are not told apart from the chance level of a primary endpoint."""
    name, own = NUMBERS[numbers.endpoint.metric], numbers.own
    for number, row in own[own["encoder"].isin(models) & (own["p_adjusted"] >= ALPHA)].iterrows():
        known = f"{name} {with_interval(row)}, chance {row['chance']:.3f}, {p_as_text(row['p_adjusted'])}"
        yield Sentence("null", f"{row['encoder']} is not told apart from chance: {known}.", (int(number),))


def _claim(endpoint: Endpoint, tree: str) -> str:
    """Return what is said of the better of two encoders."""
    return CLAIMS[endpoint.metric].format(tree=tree if tree in (TAXONOMY, TRUE_TREE) else f"tree {tree}")


def _counts(rank: str, *rows: pd.Series) -> str:
    """Return the numbers of taxa and images of some rows, the smaller ones where they differ."""
    n_taxa, n_images = (int(min(row[name] for row in rows)) for name in ("n_taxa", "n_images"))
    return f"{n_taxa:,} {_plural(rank)}, {n_images:,} images"


def _by_rank(table: pd.DataFrame, first: str, second: str) -> Iterator[Sentence]:
    """Yield at which rank two models differ most, and at which no difference is shown."""
    rows = table[(table["metric"] == BY_RANK + DIFFERENCE) & (table["space"] == "raw") & (table["split"] == "all")]
    rows = rows[(rows["encoder"] == first) & (rows["encoder_b"] == second) & rows["taxon"].isna()]
    rows = rows[rows["p_adjusted"].notna() & rows["ci_low"].notna()]
    shown = rows[rows["p_adjusted"] < ALPHA]
    if rows.empty:
        return
    unshown = [rank for rank in RANKS if rank in set(rows["rank"]) - set(shown["rank"])]
    none = f"none is shown at {some(unshown, len(RANKS))}" if unshown else ""
    if shown.empty:
        text = f"By nearest neighbours of other species, no difference of {first} and {second} is shown at any rank."
        yield Sentence("ranks", text, tuple(map(int, rows.index)))
        return
    most = shown.loc[shown["value"].abs().idxmax()]
    largest = f"largest at {most['rank']}: {with_interval(most)}, {p_as_text(most['p_adjusted'])}"
    known = f"{largest}; {none}" if none else largest
    text = f"By nearest neighbours of other species, the difference of {first} less {second} is {known}."
    yield Sentence("ranks", text, tuple(map(int, rows.index)))


def _unread(table: pd.DataFrame) -> Iterator[Sentence]:
    """Yield which ranks have too few taxa or species for an interval."""
    rows = table[(table["metric"] == BY_RANK) & (table["space"] == "raw") & (table["split"] == "all")]
    rows = rows[rows["taxon"].isna() & rows["column"].isna() & rows["encoder_b"].isna() & rows["ci_low"].isna()]
    rows = rows.drop_duplicates("rank")
    if rows.empty:
        return
    ranks = [f"{row.rank} (n = {row.n_taxa})" for row in rows.itertuples()]
    text = f"Do not read neighbours at {some(ranks, len(RANKS))}: too few for an interval that is shown to cover."
    yield Sentence("unread", text, tuple(map(int, rows.index)))


def _plural(rank: str) -> str:
    """Return the plural of a rank."""
    return {"genus": "genera", "phylum": "phyla", "family": "families", "species": "species"}.get(rank, f"{rank}s")
