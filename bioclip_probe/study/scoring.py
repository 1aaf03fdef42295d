"""From answers to numbers: what a `PREDICTIONS` table says of each encoder, probe and protocol, with intervals.

>>> predictions = probing.probe(sample)
>>> scoring.score(sample, predictions)         # a MEASUREMENTS table
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator

import numpy as np
import pandas as pd

from bioclip_probe import metrics
from bioclip_probe.metrics.answers import Answers
from bioclip_probe.probes import SEEN, SHUFFLED, UNSEEN
from bioclip_probe.study.probing import taxon_paths
from bioclip_probe.study.sample import Sample
from bioclip_probe.tables import MEASUREMENTS, RANKS

log = logging.getLogger(__name__)

#: Probes that know as many images of each taxon, or none: nothing of how frequent it is.
BALANCED = ("simpleshot", "zero_shot", "zero_shot_summed")
BY_NAME = ("zero_shot", "zero_shot_summed")  # of these nothing was learnt here, so that parts of a dataset compare
ASKED = ["encoder", "probe", "protocol", "shots"]

Asked = tuple[str, str, str, int]  # encoder, probe, protocol, shots; 0 shots are all there are


def score(sample: Sample, predictions: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Accuracy of predictions at each rank, with chance; across ranks; between protocols; and between encoders.

    Parameters
    ----------
    sample : Sample
        The one that was probed.
    predictions : DataFrame
        A `PREDICTIONS` table; every encoder in it is compared with every other on what both were asked.
    seed : int

    Returns
    -------
    DataFrame
        A `MEASUREMENTS` table.
    """
    answers = _answers(sample, predictions)
    rows = []
    for asked, by_rank in answers.items():
        rows += _filled(_alone(sample, asked, by_rank, seed), asked)
        if len(by_rank) == len(RANKS) and not asked[-1]:
            paths = metrics.PathAnswers.of(by_rank, sample.placement.tree)
            rows += _filled(metrics.score_paths(paths, seed), asked)
    for (encoder, probe, protocol, shots), by_rank in answers.items():
        if (protocol, shots) == (SEEN, 0):
            for other, compared in ((UNSEEN, metrics.unseen_gap), (SHUFFLED, metrics.selectivity)):
                beside = answers.get((encoder, probe, other, 0), {})
                found = [compared(by_rank[rank], beside[rank], rank, seed) for rank in by_rank if rank in beside]
                rows += _filled(found, (encoder, probe, other, 0))
    for one, other in itertools.combinations(answers, 2):
        if one[1:] == other[1:] and (not one[-1] or one[1] in BALANCED):  # a curve is not compared point by point
            first, second = answers[one], answers[other]
            for rank in first:
                if rank in second:
                    found = metrics.compare_answers(first[rank], second[rank], rank, seed)
                    rows += _filled(found, one, encoder_b=other[0])
    return sample.table(rows, space="raw", tree="taxonomy") if rows else MEASUREMENTS.frame()


def _answers(sample: Sample, predictions: pd.DataFrame) -> dict[Asked, dict[str, Answers]]:
    """The answers of each encoder, probe, protocol and number of shots, by rank."""
    node = pd.Index(taxon_paths(sample.placement.tree))
    images, units = pd.Index(sample.images["image_id"]), sample.placement.node
    table = predictions.assign(shots=predictions["shots"].fillna(0).astype(np.int64))
    found: dict[Asked, dict[str, Answers]] = {}
    for (*asked, rank), part in table.groupby([*ASKED, "rank"], sort=False):
        image = images.get_indexer(part["image_id"])
        found.setdefault(tuple(asked), {})[rank] = Answers(
            image=image,
            truth=node.get_indexer(part["truth"]),
            predicted=node.get_indexer(part["predicted"]),
            place=part["place"].fillna(0).to_numpy(np.int64),
            confidence=part["confidence"].to_numpy(np.float64),
            split=part["split"].to_numpy(dtype=object).astype(str),
            fold=part["fold"].fillna(0).to_numpy(np.int64),
            units=units[image],
        )
    return found


def _alone(sample: Sample, asked: Asked, by_rank: dict[str, Answers], seed: int) -> Iterator[dict]:
    _, probe, protocol, shots = asked
    for rank, answers in by_rank.items():
        yield from metrics.score_answers(answers, rank, seed, balanced=probe in BALANCED)
        if probe in BY_NAME:
            yield from _by_part(sample, answers, rank, seed)
        if rank != RANKS[0] and (protocol, shots) == (SEEN, 0):
            above = sample.placement.at(RANKS[RANKS.index(rank) - 1])
            yield from metrics.clade_accuracies(answers, above[answers.image], sample.placement.tree.path, rank, seed)


def _by_part(sample: Sample, answers: Answers, rank: str, seed: int) -> Iterator[dict]:
    """Accuracy in each part of the dataset, e.g. on species that a model never saw, where it has several.

    All taxa are there to choose from, so that chance is that of the whole.
    """
    part = sample.images["split"].to_numpy(dtype=object)[answers.image]
    parts = sorted(sample.images["split"].dropna().unique())
    n_taxa = len(np.unique(answers.tested.truth))
    for name in parts if len(parts) > 1 and n_taxa else ():
        top1 = metrics.score_answers(answers.take(part == name), rank, seed, balanced=True)[0]
        yield {**top1, "split": f"test, {name}", "chance": 1 / n_taxa}


def _filled(rows, asked: Asked, **more: object) -> list[dict]:
    encoder, probe, protocol, shots = asked
    said = {"encoder": encoder, "probe": probe, "protocol": protocol, "shots": shots or None}
    return [{**row, **said, **more} for row in rows]
