"""Scores of a `PREDICTIONS` table: numbers with intervals for each encoder, probe and protocol, and between them.

The predictions come from `probing`, the scores are a `MEASUREMENTS` table.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial

import numpy as np
import pandas as pd

from bioclip_probe import metrics
from bioclip_probe.metrics.answers import Answers
from bioclip_probe.metrics.intervals import with_note
from bioclip_probe.metrics.measurement import Measurement
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.units import taxon_jackknife
from bioclip_probe.probes import SEEN, SEEN_CHILDREN, SHUFFLED, UNSEEN, ProbeSettings
from bioclip_probe.probes.children import N_FOLDS
from bioclip_probe.stats.jackknife import Jackknife, cross_validation_widening
from bioclip_probe.study.checkpoints import NOWHERE, Checkpoints, Content
from bioclip_probe.study.piece import Piece
from bioclip_probe.study.prediction_rows import taxon_paths
from bioclip_probe.study.sample import Sample
from bioclip_probe.study.stored_measurements import measurements_of_table, measurements_table, rows_of_sample
from bioclip_probe.tables import MEASUREMENTS, RANKS

#: Probes that do not learn class frequencies: they have as many images of each taxon, or its name only.
BALANCED = ("simpleshot", "zero_shot", "zero_shot_summed")
#: Protocols that ask about the children of taxa. Taxa weigh the same in training, and intervals leave out children.
OF_CHILDREN = (SEEN_CHILDREN, UNSEEN)
#: Probes that learn nothing from the images of the dataset, so that their scores on its parts can be compared.
BY_NAME = ("zero_shot", "zero_shot_summed")
#: Scores that every probe and protocol has. Accuracy inside clades is given for all training images of protocol `SEEN`.
SCORES = ("top1_accuracy", "top5_accuracy", "macro_accuracy", "calibration_error")
OTHER_SPECIES = "each part has other species, which may be easier or harder: compare models in a part, not parts"


@dataclass(frozen=True)
class Question:
    """The question that a probe answers: it identifies rows of a `PREDICTIONS` table.

    Attributes
    ----------
    encoder, probe, protocol : str
        As in the table.
    shots : int
        Images of a taxon that the probe learnt from; 0 for all there are.

    Examples
    --------
    >>> Question("bioclip", "linear", "seen", 0).columns["shots"] is None
    True
    """

    encoder: str
    probe: str
    protocol: str
    shots: int

    @property
    def columns(self) -> dict[str, object]:
        """Columns of a `MEASUREMENTS` row."""
        return {
            "encoder": self.encoder,
            "probe": self.probe,
            "protocol": self.protocol,
            "shots": self.shots or None,
        }

    def is_comparable(self, other: Question) -> bool:
        """Return True if another encoder was asked the same, and the two are compared.

        Points of a curve over the number of images are not compared, except for few-shot probes.

        Parameters
        ----------
        other : Question
        """
        same = replace(self, encoder=other.encoder) == other
        return same and (not self.shots or self.probe in BALANCED)


#: The measurements of each question.
Scores = dict[Question, list[Measurement]]


def score(
    sample: Sample,
    predictions: pd.DataFrame,
    settings: MeasureSettings | None = None,
    asked: ProbeSettings | None = None,
    checkpoints: Checkpoints = NOWHERE,
) -> pd.DataFrame:
    """Return the scores of predictions: at each rank, across ranks, between protocols, and between encoders.

    Parameters
    ----------
    sample : Sample
        The sample that was probed.
    predictions : DataFrame
        A `PREDICTIONS` table. Every two encoders in it are compared on the questions that both were asked.
    settings : MeasureSettings, optional
        Replicates, the level of intervals, the seed. All scores are given, whatever ``settings.metrics`` says.
    asked : ProbeSettings, optional
        The settings that the predictions were made with; needed with checkpoints.
    checkpoints : Checkpoints
        Where finished scores are stored; a piece is one encoder, or all comparisons of encoders. By default nowhere.

    Returns
    -------
    DataFrame
        A `MEASUREMENTS` table.

    Examples
    --------
    >>> from bioclip_probe.probes.settings import ProbeSettings
    >>> from bioclip_probe.study.examples import corvid_sample
    >>> from bioclip_probe.study.predicting import predict
    >>> sample = corvid_sample()
    >>> scores = score(sample, predict(sample, ProbeSettings(probes=("lda",), protocols=("seen",))))
    >>> scores["probe"].unique().tolist()
    ['lda']
    """
    settings = replace(settings or MeasureSettings(), metrics=())
    facts = {**asdict(settings), "asked": asked and {**asdict(asked), "device": ""}}
    names = [*sample.embeddings]
    inputs = {
        name: [("vectors", name), *((("names", name),) if name in sample.names else ())] for name in sample.embeddings
    }

    def piece(subject: str, encoders: Sequence[str]) -> Piece:
        own = itertools.chain.from_iterable(inputs[name] for name in encoders)
        return Piece("probe", subject, (("images", ""), *own), facts, weight=0.2, dependent=True)

    def of_encoder(name: str) -> Content:
        rows = predictions[predictions["encoder"] == name]
        answers = answers_by_question(sample, rows, settings)
        own = {question: list(_scores(sample, question, by_rank)) for question, by_rank in answers.items()}
        return _content(own, _protocols_compared(answers))

    def compared() -> Content:
        return Content(sample.table(_encoders_compared(scores, settings), space="raw", tree="taxonomy"))

    scores: Scores = {}
    between: Scores = {}
    for name in names:
        content = checkpoints.content(piece(f"scores of {name}", [name]), partial(of_encoder, name))
        own, of_protocols = _scores_of_content(content, name)
        scores |= own
        between |= of_protocols
    questions = _questions(predictions)
    scores, between = ({question: part.get(question, []) for question in questions} for part in (scores, between))
    rows = itertools.chain(
        *(_rows(metrics.with_bands(own, settings), question) for question, own in scores.items()),
        *(_rows(own, question) for question, own in between.items()),
    )
    tables = [MEASUREMENTS.frame(), sample.table(rows, space="raw", tree="taxonomy")]
    if len(names) > 1:
        stored = checkpoints.content(piece("differences between encoders", names), compared)
        tables.append(rows_of_sample(sample, stored.table))
    return pd.concat(tables, ignore_index=True)


def _questions(predictions: pd.DataFrame) -> list[Question]:
    """Return the questions of predictions in the order of the table."""
    columns = predictions[["encoder", "probe", "protocol", "shots"]].drop_duplicates()
    return [
        Question(str(row.encoder), str(row.probe), str(row.protocol), 0 if pd.isna(row.shots) else int(row.shots))
        for row in columns.itertuples()
    ]


def answers_by_question(
    sample: Sample, predictions: pd.DataFrame, settings: MeasureSettings
) -> dict[Question, dict[str, Answers]]:
    """Return the answers to each question, by rank.

    Parameters
    ----------
    sample : Sample
    predictions : DataFrame
        A `PREDICTIONS` table of the sample.
    settings : MeasureSettings

    Returns
    -------
    dict from Question to dict from rank to Answers
        In the order of the table.

    Examples
    --------
    >>> from bioclip_probe.probes.settings import ProbeSettings
    >>> from bioclip_probe.study.examples import corvid_sample
    >>> from bioclip_probe.study.predicting import predict
    >>> sample = corvid_sample()
    >>> answers = answers_by_question(sample, predict(sample, ProbeSettings(probes=("lda",))), MeasureSettings())
    >>> sorted(question.protocol for question in answers)
    ['seen', 'seen-children', 'shuffled', 'unseen']
    """
    node = pd.Index(taxon_paths(sample.placement.tree))
    images = pd.Index(sample.images["image_id"])
    jackknives: dict[tuple[str, bool], Jackknife] = {}
    table = predictions.assign(shots=predictions["shots"].fillna(0).astype(np.int64))
    answers: dict[Question, dict[str, Answers]] = {}
    for (*asked, rank), rows in table.groupby(["encoder", "probe", "protocol", "shots", "rank"], sort=False):
        question = Question(*asked)
        of_children = question.protocol in OF_CHILDREN
        unit = RANKS[RANKS.index(rank) + 1] if of_children else RANKS[-1]
        if (unit, of_children) not in jackknives:
            jackknife = taxon_jackknife(sample.placement, unit, settings)
            widening = cross_validation_widening(N_FOLDS) if of_children else 1.0
            jackknives[unit, of_children] = replace(jackknife, widening=widening)
        answers.setdefault(question, {})[rank] = Answers(
            image=images.get_indexer(rows["image_id"]),
            truth=node.get_indexer(rows["truth"]),
            predicted=node.get_indexer(rows["predicted"]),
            place=rows["place"].fillna(0).to_numpy(np.int64),
            confidence=rows["confidence"].to_numpy(np.float64),
            split=rows["split"].to_numpy(dtype=object).astype(str),
            fold=rows["fold"].fillna(0).to_numpy(np.int64),
            n_choices=rows["n_choices"].fillna(0).to_numpy(np.int64),
            jackknife=jackknives[unit, of_children],
            rank=rank,
            balanced=of_children or question.probe in BALANCED,
            unseen=question.protocol == UNSEEN,
            placement=sample.placement,
            settings=settings,
        )
    return answers


def _scores(sample: Sample, question: Question, by_rank: dict[str, Answers]) -> Iterator[Measurement]:
    """Yield the scores of one question at each of its ranks, and across ranks."""
    every_score = (question.protocol, question.shots) == (SEEN, 0)
    for answers in by_rank.values():
        wanted = replace(answers.settings, metrics=() if every_score else SCORES)
        yield from metrics.measure(replace(answers, settings=wanted))
        if question.probe in BY_NAME:
            yield from _accuracy_by_part(sample, answers)
    if len(by_rank) == len(RANKS) and not question.shots:
        yield from metrics.measure(metrics.PathAnswers.of(by_rank, sample.placement, answers.settings))


def _accuracy_by_part(sample: Sample, answers: Answers) -> Iterator[Measurement]:
    """Yield the accuracy in each part of a dataset that has several, e.g. on species that a model never saw.

    All taxa of the dataset are there to choose from, so chance is that of the whole dataset.
    """
    names = sorted(sample.images["split"].dropna().unique())
    part = sample.images["split"].to_numpy(dtype=object)[answers.image]
    n_taxa = len(np.unique(answers.tested.truth))
    for name in names if len(names) > 1 and n_taxa else ():
        (top1,) = metrics.top1_accuracy(answers.take(part == name), sample.placement)
        estimate = with_note(replace(top1.estimate, chance=1 / n_taxa), OTHER_SPECIES)
        yield replace(top1, split=f"test, {name}", estimate=estimate)


def _protocols_compared(answers: dict[Question, dict[str, Answers]]) -> Scores:
    """Return what compares two protocols of a probe."""
    compared: Scores = {}
    pairs = {SEEN_CHILDREN: (UNSEEN, metrics.UnseenPair), SEEN: (SHUFFLED, metrics.ShuffledPair)}
    for question, by_rank in answers.items():
        if question.protocol in pairs and not question.shots:
            protocol, pair = pairs[question.protocol]
            other = replace(question, protocol=protocol)
            for rank, others in answers.get(other, {}).items():
                if rank in by_rank:
                    compared.setdefault(other, []).extend(metrics.measure(pair(by_rank[rank], others)))
    return compared


def _encoders_compared(scores: Scores, settings: MeasureSettings) -> Iterator[dict]:
    """Yield the differences of every two encoders in the scores of the questions that both were asked."""
    for question, other in itertools.combinations(scores, 2):
        if question.is_comparable(other):
            differences = metrics.paired_differences(scores[question], scores[other], settings)
            yield from _rows(differences, question, encoder_b=other.encoder)


def _rows(measurements: Iterable[Measurement], question: Question, **columns: object) -> Iterator[dict]:
    """Yield the rows of measurements of one question."""
    return (row.as_row(**question.columns, **columns) for row in measurements)


def _content(scores: Scores, between: Scores) -> Content:
    """Return the scores of one encoder and the comparisons of its protocols as the content of a piece."""
    parts = [
        measurements_table(own).assign(
            part=part, probe=question.probe, protocol=question.protocol, shots=question.shots
        )
        for part, by_question in (("scores", scores), ("between", between))
        for question, own in by_question.items()
        if own
    ]
    return Content(pd.concat(parts, ignore_index=True) if parts else pd.DataFrame())


def _scores_of_content(content: Content, encoder: str) -> tuple[Scores, Scores]:
    """Return the scores of one encoder and the comparisons of its protocols from the content of a piece."""
    scores: Scores = {}
    between: Scores = {}
    if not content.table.empty:
        for (part, *asked), rows in content.table.groupby(["part", "probe", "protocol", "shots"], sort=False):
            of_part = scores if part == "scores" else between
            of_part[Question(encoder, *asked)] = measurements_of_table(rows)
    return scores, between
