r"""The headline numbers of a study as macros of LaTeX, so that the words of a paper cannot drift from its tables.

A macro is named by what it holds: ``\tolCpccBioclip`` is the CPCC of BioCLIP, ``\tolCpccBioclipInterval`` its
interval, ``\tolCpccBioclipLessClip`` the difference of the two models, ``\tolCpccBioclipLessClipP`` its p-value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from bioclip_probe.metrics.endpoints import PRIMARY
from bioclip_probe.metrics.registry import DIFFERENCE, REGISTRY
from bioclip_probe.report.endpoints import EndpointNumbers, p_as_text, with_interval
from bioclip_probe.report.sentences import Sentence, evidence
from bioclip_probe.study.published import WHOLE
from bioclip_probe.study.results import Results

PREFIX = "tol"
#: Names of the metrics of the verdict in macros.
WORDS = {
    "cophenetic_correlation": "Cpcc",
    "pagel_lambda": "Signal",
    "effective_dimension": "Dimension",
    "knn_purity_1_other_species": "Neighbor",
    "macro_accuracy": "Unseen",
}
_DIGITS = ("Zero", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine")


@dataclass(frozen=True)
class Number:
    """A number of the study, and the macro that holds it.

    Attributes
    ----------
    macro : str
        Without its backslash.
    text : str
    about : str
        What it is, for a reader of ``numbers.tex``.

    Examples
    --------
    >>> Number("tolImages", "1,200", "images").text
    '1,200'
    """

    macro: str
    text: str
    about: str


Piece = Number | str


class Numbers:
    """The macros of a study.

    Attributes
    ----------
    by_macro : dict from str to Number

    Examples
    --------
    >>> from bioclip_probe.report.examples import two_models_measured
    >>> numbers = Numbers.of(two_models_measured(), [])
    >>> [number.text for number in numbers.by_macro.values()]
    ['r', '2']
    """

    def __init__(self) -> None:
        self.by_macro: dict[str, Number] = {}
        self._of_row: dict[int, tuple[list[Piece], list[Piece]]] = {}

    @classmethod
    def of(cls, results: Results, sentences: Sequence[Sentence]) -> Numbers:
        """Return the macros of a study: its counts and settings, and every number that its verdict states.

        Parameters
        ----------
        results : Results
        sentences : sequence of Sentence
            The verdict of the study.

        Returns
        -------
        Numbers
        """
        numbers = cls()
        for name, text, about in _facts(results):
            numbers._add(name, text, about)
        for about, name, index, row, sign in _headlines(results, sentences):
            numbers._add_row(name, about, index, row, sign)
        return numbers

    def get(self, name: str) -> Number | None:
        """Return the number of a macro, named without its prefix; None if the study does not have it.

        Parameters
        ----------
        name : str

        Returns
        -------
        Number or None
        """
        return self.by_macro.get(PREFIX + name)

    def pieces(self, sentence: Sentence) -> list[Piece]:
        """Return a sentence of the verdict, in which the numbers that have a macro are such.

        Parameters
        ----------
        sentence : Sentence

        Returns
        -------
        list of Number or str
        """
        pieces: list[Piece] = [sentence.text]
        for row in sentence.rows:
            if row in self._of_row:
                pieces = _with_row(pieces, self._of_row[row])
        return [piece for piece in pieces if piece]

    def _add(self, name: str, text: str, about: str) -> Number:
        """Add a number under a name that is not taken."""
        macro, suffix = PREFIX + name, 0
        while macro in self.by_macro:
            suffix += 1
            macro = f"{PREFIX}{name}X{letters_of(str(suffix))}"
        self.by_macro[macro] = Number(macro, text, about)
        return self.by_macro[macro]

    def _add_row(self, name: str, about: str, index: int, row: pd.Series, sign: int) -> None:
        """Add the value, the interval and the p-value of a measurement."""
        value, _, interval = with_interval(row, sign).partition(" ")
        parts: list[Piece] = [self._add(name, value, about)]
        if interval:
            parts += [" ", self._add(f"{name}Interval", interval, "its interval")]
        p: list[Piece] = []
        if pd.notna(row["p_adjusted"]):
            words, relation, text = p_as_text(row["p_adjusted"]).rpartition(" ")
            before = words + relation
            if before.endswith("< "):
                before, text = before.removesuffix("< "), f"< {text}"
            p = [before, self._add(f"{name}P", text, "its adjusted p-value")]
        self._of_row[index] = (parts, p)


def letters_of(text: str) -> str:
    """Return a text as a part of the name of a macro: its letters of A to Z, and its digits as words.

    Parameters
    ----------
    text : str

    Returns
    -------
    str

    Examples
    --------
    >>> letters_of("bioclip-2.5"), letters_of("A & B_1"), letters_of("猫")
    ('BioclipTwoFive', 'ABOne', 'Other')
    """
    words = re.findall(r"[A-Za-z]+|[0-9]", text)
    return "".join(_DIGITS[int(word)] if word.isdigit() else word[0].upper() + word[1:] for word in words) or "Other"


def _facts(results: Results) -> Iterator[tuple[str, str, str]]:
    """Yield the counts and the settings of a study: name, text, meaning."""
    data, steps = results.record["dataset"], results.record["steps"]
    yield "Run", str(results.record["run"]), "the run"
    settings = steps.get("measure", {}).get("settings", {})
    if "n_images" in data:
        yield "AllImages", f"{data['n_images']:,}", "images of the dataset"
    if "n_usable" in data:
        yield "Images", f"{data['n_usable']:,}", "images that every model embedded"
    for rank, plural in (("species", "Species"), ("genus", "Genera"), ("family", "Families")):
        if rank in data.get("taxa", {}):
            yield plural, f"{data['taxa'][rank]:,}", f"taxa at rank {rank}"
    yield "Models", str(len(results.record["encoders"]) - len(results.controls)), "models, controls not counted"
    if "level" in settings:
        yield "Level", f"{100 * settings['level']:g}", "nominal coverage of the intervals, in per cent"
    for name, key, about in (
        ("Permutations", "n_permutations", "permutations of species"),
        ("PrimaryPermutations", "n_primary_permutations", "permutations for the p-values of the primary endpoints"),
        ("Bootstrap", "n_bootstrap", "bootstrap replicates"),
        ("Groups", "n_groups", "most groups that the jackknife leaves out"),
        ("Seed", "seed", "seed of resampling"),
    ):
        if key in settings:
            yield name, f"{settings[key]:,}", about


def _headlines(results: Results, sentences: Sequence[Sentence]) -> Iterator[tuple[str, str, int, pd.Series, int]]:
    """Yield the measurements that have a macro: what they are, a name, their index, the row, and the sign."""
    table = results.table("measurements")
    encoders = results.encoders
    models = [name for name in encoders if name not in results.controls]
    named: set[int] = set()
    for endpoint in PRIMARY:
        beside = (replace(endpoint, title=REGISTRY[name].title, metric=name) for name in endpoint.beside)
        for numbers in (EndpointNumbers.of(each, table) for each in (endpoint, *beside)):
            word = WORDS[numbers.endpoint.metric]
            for encoder in encoders:
                row = numbers.row(encoder)
                if row is not None:
                    named.add(int(row.name))
                    yield f"{numbers.heading}: {encoder}", word + letters_of(encoder), int(row.name), row, 1
            for other in models[1:] if numbers.endpoint is endpoint else ():
                pair, sign = numbers.difference(models[0], other)
                if pair is not None and pd.notna(pair["value"]):
                    named.add(int(pair.name))
                    about = f"{numbers.heading}: {models[0]} less {other}"
                    name = f"{word}{letters_of(models[0])}Less{letters_of(other)}"
                    yield about, name, int(pair.name), pair, sign
    for index, row in evidence(results, sentences).iterrows():
        texts = [sentence.text for sentence in sentences if index in sentence.rows]
        value = with_interval(row) if pd.notna(row["value"]) else None
        if int(index) not in named and value and any(value in text for text in texts):
            p = f"{value}, {p_as_text(row['p_adjusted'])}"
            shown = row if any(p in text for text in texts) else row.mask(row.index == "p_adjusted")
            yield (*_name_of(row), int(index), shown, 1)


def _name_of(row: pd.Series) -> tuple[str, str]:
    """Return what a measurement is, and the name of its macro."""
    metric = row["metric"].removesuffix(DIFFERENCE)
    title = REGISTRY[metric].title if metric in REGISTRY else metric
    name = WORDS.get(metric, "".join(map(letters_of, metric.split("_")))) + letters_of(row["rank"] or "")
    title = f"{title}, {row['rank']}"
    if row["split"] not in WHOLE:
        title, name = f"{title}, {row['split']}", name + letters_of(row["split"])
    about, name = f"{title}: {row['encoder']}", name + letters_of(row["encoder"])
    if pd.notna(row["encoder_b"]):
        return f"{about} less {row['encoder_b']}", f"{name}Less{letters_of(row['encoder_b'])}"
    return about, name


def _with_row(pieces: Iterable[Piece], numbers: tuple[list[Piece], list[Piece]]) -> list[Piece]:
    """Return the pieces of a sentence in which the first value of a row became its numbers, with the p behind it."""
    value, p = numbers
    pattern = rf"(?<![\d.,\w-]){re.escape(_text_of(value))}(?![\d\w]|[.,]\d)"
    behind = rf"(?P<between>(?:, chance [\d.-]+)?, ){re.escape(_text_of(p))}(?![\d])" if p else ""
    replaced: list[Piece] = []
    missing = True
    for piece in pieces:
        match = re.search(pattern, piece) if missing and isinstance(piece, str) else None
        if match is None:
            replaced.append(piece)
            continue
        before, after, missing = match.string[: match.start()], match.string[match.end() :], False
        replaced += [before, *value]
        tail = re.match(behind, after) if behind else None
        replaced += [tail["between"], *p, after[tail.end() :]] if tail else [after]
    return replaced


def _text_of(pieces: Iterable[Piece]) -> str:
    """Return pieces as text."""
    return "".join(piece.text if isinstance(piece, Number) else piece for piece in pieces)
