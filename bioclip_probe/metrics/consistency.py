"""Consistency of answers across ranks, and the severity of wrong answers, at each rank.

The subject is `PathAnswers`: the answers of one probe at all ranks on the same test images.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bioclip_probe.metrics.answers import SPLIT
from bioclip_probe.metrics.measurement import Measurement, random_stream
from bioclip_probe.metrics.paths import PathAnswers, mean_of_defined
from bioclip_probe.metrics.scores import estimate_mean
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.tables import RANKS
from bioclip_probe.tree.tree import Placement


def rank_consistency(
    answers: PathAnswers, placement: Placement | None = None, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return the share of images whose answer lies inside the answer at the next known rank up.

    Parameters
    ----------
    answers, placement
        As for `paths.path_accuracy`.
    settings : MeasureSettings, optional
        `level` is used; by default the settings of the answers.

    Returns
    -------
    list of Measurement
        One for each rank from phylum to species, in [0, 1], higher is better. Correct and wrong answers count alike.
        Chance compares an answer with the answers above of all images (the null of images).

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvid_paths
    >>> paths = corvid_paths()
    >>> [row.rank for row in rank_consistency(paths)][-1]
    'species'
    """
    settings = settings or answers.settings
    measurements = []
    for rank in RANKS[1:]:
        estimate = estimate_rank_consistency(answers, rank, settings)
        measurements.append(Measurement("rank_consistency", rank, estimate, split=SPLIT))
    return measurements


def wrong_answer_severity(
    answers: PathAnswers, placement: Placement | None = None, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return the mean number of ranks from a wrong answer up to the taxon that it shares with the truth.

    Parameters
    ----------
    answers, placement
        As for `paths.path_accuracy`.
    settings : MeasureSettings, optional
        `n_shuffles`, `level` and `seed` are used; by default the settings of the answers.

    Returns
    -------
    list of Measurement
        One for each rank, in [1, 7], lower is better. 1 is a sister taxon; at species 7 is another kingdom. Chance
        takes the wrong answers from other images (the null of images). The interval is about the images that are named
        wrongly: the mean without each group of their species.

    References
    ----------
    Bertinetto et al. 2020, CVPR, section 3 (severity of mistakes).

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvid_paths
    >>> paths = corvid_paths()
    >>> wrong_answer_severity(paths)[5].estimate.n_images
    1
    """
    settings = settings or answers.settings
    measurements = []
    for rank in RANKS:
        rng = random_stream(settings.seed, "wrong_answer_severity", rank)
        estimate = estimate_severity(answers, rank, rng, settings)
        measurements.append(Measurement("wrong_answer_severity", rank, estimate, split=SPLIT))
    return measurements


def estimate_rank_consistency(answers: PathAnswers, rank: str, settings: MeasureSettings) -> Estimate:
    """Return `rank_consistency` at one rank.

    Parameters
    ----------
    answers : PathAnswers
    rank : str
        Below kingdom.
    settings : MeasureSettings
        `level` is used.

    Returns
    -------
    Estimate

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvid_paths
    >>> paths = corvid_paths()
    >>> estimate_rank_consistency(paths, "genus", MeasureSettings()).note
    'no image is answered at this rank and above'
    """
    predicted, known, ancestors, r = answers.predicted, answers.known, answers.ancestors, RANKS.index(rank)
    # The next rank up, for each image, at which the tree has the answer's ancestor and the probe gave an answer.
    above = np.full(predicted.shape[1], -1)
    for q in range(r):
        above[known[r] & known[q] & (ancestors[q, predicted[r]] >= 0)] = q
    images = np.flatnonzero(above >= 0)
    n_excluded = int(np.sum(answers.truth[r] >= 0)) - len(images)
    if not len(images):
        return Estimate.undefined("no image is answered at this rank and above", n_excluded=n_excluded)
    ancestor = ancestors[above[images], predicted[r, images]]
    answer_above = predicted[above[images], images]
    fields: dict[str, Any] = {
        "chance": _chance_agreement(ancestor, answer_above, above[images]),
        "null": "images",
        "n_taxa": len(np.unique(predicted[r, images])),
        "n_excluded": n_excluded,
    }
    return estimate_mean(ancestor == answer_above, answers.left_out.take(images), settings, **fields)


def _chance_agreement(ancestor: np.ndarray, answer_above: np.ndarray, rank_above: np.ndarray) -> float:
    """Return how often the ancestor of one image equals the answer above of any image with the same rank above."""
    hits = 0.0
    for rank in np.unique(rank_above):
        a, b = ancestor[rank_above == rank], answer_above[rank_above == rank]
        taxa, times = np.unique(b, return_counts=True)
        nearest = np.minimum(np.searchsorted(taxa, a), len(taxa) - 1)
        hits += np.sum(times[nearest] * (taxa[nearest] == a)) / len(b)
    return float(hits / len(ancestor))


def estimate_severity(answers: PathAnswers, rank: str, rng: np.random.Generator, settings: MeasureSettings) -> Estimate:
    """Return `wrong_answer_severity` at one rank.

    Parameters
    ----------
    answers : PathAnswers
    rank : str
    rng : numpy.random.Generator
    settings : MeasureSettings
        `n_shuffles` and `level` are used.

    Returns
    -------
    Estimate

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvid_paths
    >>> paths = corvid_paths()
    >>> estimate_severity(paths, "kingdom", np.random.default_rng(0), MeasureSettings()).note
    'no image is answered at this rank'
    """
    r = RANKS.index(rank)
    known, ancestors = answers.known[r], answers.ancestors[: r + 1]
    truth, predicted = answers.truth[r, known], answers.predicted[r, known]
    n_excluded = int(np.sum(answers.truth[r] >= 0)) - len(truth)
    wrong = truth != predicted
    if not wrong.any():
        reason = "no answer is wrong" if len(truth) else "no image is answered at this rank"
        return Estimate.undefined(reason, n_excluded=n_excluded)
    null = []
    for _ in range(settings.n_shuffles):
        shuffled = rng.permutation(predicted)
        other = shuffled != truth
        null.append(mean_of_defined(ranks_apart(truth[other], shuffled[other], ancestors)))
    fields: dict[str, Any] = {
        "chance": mean_of_defined(null),
        "null": "images",
        "n_taxa": len(np.unique(truth[wrong])),
        "n_excluded": n_excluded,
    }
    jackknife = answers.left_out.take(np.flatnonzero(known)[wrong])
    bounds = (1.0, float(len(RANKS)))
    return estimate_mean(ranks_apart(truth[wrong], predicted[wrong], ancestors), jackknife, settings, bounds, **fields)


def ranks_apart(a: np.ndarray, b: np.ndarray, ancestors: np.ndarray) -> np.ndarray:
    """Return the number of ranks from two taxa of one rank up to the lowest taxon that they share.

    Parameters
    ----------
    a, b : ndarray, shape (k,), int64
        Nodes of rank r.
    ancestors : ndarray, shape (r + 1, m), int64
        The taxon of each rank at or above each node, -1 for none: ``tree.ancestor_at``.

    Returns
    -------
    ndarray, shape (k,), float64
        0 for one taxon, 1 for two that share the next rank up, r + 1 for two kingdoms. A missing rank is never shared.

    Examples
    --------
    >>> ancestors = np.array([[-1, 1, 1, 1], [-1, -1, 2, 3]])  # a kingdom, node 1, and its phyla 2 and 3
    >>> ranks_apart(np.array([2, 2]), np.array([2, 3]), ancestors).tolist()
    [0.0, 1.0]
    """
    apart = np.full(len(a), float(len(ancestors)))
    for rank, taxon in enumerate(ancestors):
        apart[(taxon[a] == taxon[b]) & (taxon[a] >= 0)] = len(ancestors) - 1 - rank
    return apart
