"""Differences between two sets of answers on the same images: two protocols of one probe, or two models."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from bioclip_probe.errors import DataError
from bioclip_probe.metrics.answers import SPLIT, Answers
from bioclip_probe.metrics.measurement import Measurement, random_stream
from bioclip_probe.metrics.scores import mean_score, swap_p
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.tree.tree import Placement


@dataclass(frozen=True, eq=False)
class AnswersPair:
    """Two sets of answers at one rank about the same pictures.

    Attributes
    ----------
    first, second : Answers
        `Answers.image` means the same picture in both.

    Raises
    ------
    DataError
        If their ranks differ.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvid_answers
    >>> ModelPair(corvid_answers(), corvid_answers()).rank
    'genus'
    """

    subject: ClassVar[str]

    first: Answers
    second: Answers

    def __post_init__(self) -> None:
        if self.first.rank != self.second.rank:
            ranks = f"{self.first.rank} and {self.second.rank}"
            raise DataError(f"answers are compared at one rank; these are at {ranks}")

    @property
    def rank(self) -> str:
        """The rank of both."""
        return self.first.rank

    @property
    def placement(self) -> Placement | None:
        """The placement of the first."""
        return self.first.placement

    @property
    def has_ranks(self) -> bool:
        """True with a taxonomy."""
        return self.first.has_ranks

    @property
    def settings(self) -> MeasureSettings:
        """The settings of the first."""
        return self.first.settings


class UnseenPair(AnswersPair):
    """The answers of one probe about child taxa that it saw (`first`) and about child taxa held out (`second`).

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvid_answers
    >>> UnseenPair(corvid_answers(), corvid_answers()).subject
    'seen and unseen answers'
    """

    subject: ClassVar[str] = "seen and unseen answers"


class ShuffledPair(AnswersPair):
    """The answers of one probe (`first`) and those to the control task with shuffled labels (`second`).

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvid_answers
    >>> ShuffledPair(corvid_answers(), corvid_answers()).subject
    'seen and shuffled answers'
    """

    subject: ClassVar[str] = "seen and shuffled answers"


class ModelPair(AnswersPair):
    """The answers of one probe to the same questions on the embeddings of two models.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvid_answers
    >>> ModelPair(corvid_answers(), corvid_answers()).subject
    'answers of two models'
    """

    subject: ClassVar[str] = "answers of two models"


def unseen_gap(
    pair: AnswersPair, placement: Placement | None = None, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return the accuracy that is lost on child taxa which were held out of training.

    Parameters
    ----------
    pair : UnseenPair
        Answers of protocol ``seen``, then of ``unseen``.
    placement : Placement, optional
        Every metric takes one; it changes nothing here.
    settings : MeasureSettings, optional
        `n_bootstrap`, `level` and `seed` are used; by default the settings of the first answers.

    Returns
    -------
    list of Measurement
        One: the accuracy of the first less that of the second over the images tested in both, paired by image. In
        [-1, 1], lower is better; 0 where the probe knows the taxon, and not only those of its children that it saw.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvid_answers
    >>> unseen_gap(UnseenPair(corvid_answers(), corvid_answers()))[0].value
    0.0
    """
    return [_difference("unseen_gap", pair, settings, same_folds=False)]


def selectivity(
    pair: AnswersPair, placement: Placement | None = None, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return how much better a probe names taxa than made-up groups of their child taxa.

    Parameters
    ----------
    pair : ShuffledPair
        Answers of protocol ``seen``, then of the control task ``shuffled``.
    placement, settings
        As for `unseen_gap`.

    Returns
    -------
    list of Measurement
        One: the accuracy of the first less that of the second over the images tested in both, paired by image. In
        [-1, 1], higher is better; 0 where a probe learns a taxon only as a list of its children.

    References
    ----------
    Hewitt & Liang 2019, EMNLP, eq. 3.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvid_answers
    >>> selectivity(ShuffledPair(corvid_answers(), corvid_answers()))[0].value
    0.0
    """
    return [_difference("selectivity", pair, settings, same_folds=False)]


def top1_accuracy_difference(
    pair: AnswersPair, placement: Placement | None = None, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return the accuracy of the first model less that of the second, on the same images and the same questions.

    Parameters
    ----------
    pair : ModelPair
    placement : Placement, optional
        Every metric takes one; it changes nothing here.
    settings : MeasureSettings, optional
        `n_bootstrap`, `n_swaps`, `level` and `seed` are used; by default the settings of the first answers.

    Returns
    -------
    list of Measurement
        One, in [-1, 1], above 0 where the first is better, paired by image and fold. The interval resamples species;
        `p_value` is two-sided and swaps the two models species by species, see `scores.swap_p`.

    References
    ----------
    McNemar 1947, Psychometrika 12, 153.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvid_answers
    >>> top1_accuracy_difference(ModelPair(corvid_answers(), corvid_answers()))[0].estimate.p_value
    1.0
    """
    return [_difference("top1_accuracy_difference", pair, settings, same_folds=True)]


def _difference(metric: str, pair: AnswersPair, settings: MeasureSettings | None, same_folds: bool) -> Measurement:
    """Return the difference in accuracy; with the same folds the two sides can be swapped, so it has a p-value."""
    settings = settings or pair.settings
    n_folds = 1 + max(int(answers.fold.max(initial=0)) for answers in (pair.first, pair.second))
    sides = [_scores_by_question(answers.tested, n_folds if same_folds else 0) for answers in (pair.first, pair.second)]
    shared, *rows = np.intersect1d(sides[0][0], sides[1][0], return_indices=True)
    all_images = np.union1d(pair.first.image, pair.second.image)
    images = shared // n_folds if same_folds else shared
    n_images = len(np.unique(images))
    if not n_images:
        estimate = Estimate.undefined("no image is tested on both sides", n_excluded=len(all_images))
        return Measurement(metric, pair.rank, estimate, split=SPLIT)
    first, second = (scores[own] for (_, scores, _), own in zip(sides, rows, strict=True))
    units = sides[0][2][rows[0]]
    rng = random_stream(settings.seed, metric, pair.rank)
    estimate = mean_score(first - second, units, rng, settings, chance=0.0)
    p = swap_p(first - second, units, rng, settings.n_swaps) if same_folds else np.nan
    tested = pair.first.tested
    taxa = np.unique(tested.truth[np.isin(tested.image, images)])
    counts: dict[str, Any] = {"n_images": n_images, "n_taxa": len(taxa), "n_excluded": len(all_images) - n_images}
    return Measurement(metric, pair.rank, replace(estimate, p_value=p, **counts), split=SPLIT)


def _scores_by_question(tested: Answers, n_folds: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the numbers of the questions in ascending order, the mean score of each and its species.

    A question is an image or, where `n_folds` is not 0, an image in a fold.
    """
    question = tested.image * n_folds + tested.fold if n_folds else tested.image
    questions, first, inverse = np.unique(question, return_index=True, return_inverse=True)
    return questions, np.bincount(inverse, weights=tested.right) / np.bincount(inverse), tested.units[first]
