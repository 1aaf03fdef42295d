"""Differences between two sets of answers on the same images: two protocols of one probe."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

import numpy as np

from bioclip_probe.errors import DataError
from bioclip_probe.metrics.answers import SPLIT, Answers
from bioclip_probe.metrics.intervals import jackknife_p, with_interval
from bioclip_probe.metrics.measurement import Measurement
from bioclip_probe.metrics.scores import TaxaInFolds
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.jackknife import Jackknife
from bioclip_probe.tables import RANKS
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
    >>> UnseenPair(corvid_answers(), corvid_answers()).rank
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


def unseen_gap(
    pair: AnswersPair, placement: Placement | None = None, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return the accuracy over taxa that is lost on child taxa which were held out of training.

    Parameters
    ----------
    pair : UnseenPair
        Answers of protocol ``seen-children``, then of ``unseen``: the same probes are asked about both.
    placement : Placement, optional
        Every metric takes one; it changes nothing here.
    settings : MeasureSettings, optional
        `level` is used; by default the settings of the first answers.

    Returns
    -------
    list of Measurement
        One: `macro_accuracy` of the first less that of the second, over the images tested in both. In [-1, 1], lower is
        better. 0 for a probe that names a child it never saw as well as one that it saw, and for a probe without any
        signal. The interval recomputes both without each group of child taxa, and `p_value` is two-sided, of no gap.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvid_answers
    >>> unseen_gap(UnseenPair(corvid_answers(), corvid_answers()))[0].value
    0.0
    """
    settings = settings or pair.settings
    tested = pair.first.tested, pair.second.tested
    images = np.intersect1d(tested[0].image, tested[1].image)
    if not len(images):
        return [_nothing_shared("unseen_gap", pair)]
    sides = [answers.take(np.isin(answers.image, images)) for answers in tested]
    taxa = [TaxaInFolds.of(answers.truth, answers.fold) for answers in sides]
    value = taxa[0].mean(sides[0].right) - taxa[1].mean(sides[1].right)
    groups = [pair.first.jackknife.take(answers.image) for answers in sides]
    means = [
        each.without_each(partial(own.mean, answers.right))
        for each, own, answers in zip(groups, taxa, sides, strict=True)
    ]
    estimate = Estimate(value, chance=0.0, null=pair.second.null)
    estimate = _with_p(estimate, means[0] - means[1], groups[0], settings)
    return [_counted("unseen_gap", pair, estimate, images)]


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
        [-1, 1], higher is better; 0 where a probe learns a taxon only as a list of its children, since the control
        task shuffles whole children (the null, named by their rank). The interval recomputes both without each group of
        species, and `p_value` is two-sided, of no difference.

    References
    ----------
    Hewitt & Liang 2019, EMNLP, eq. 3.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvid_answers
    >>> selectivity(ShuffledPair(corvid_answers(), corvid_answers()))[0].value
    0.0
    """
    settings = settings or pair.settings
    sides = [_scores_by_image(answers.tested) for answers in (pair.first, pair.second)]
    images, *rows = np.intersect1d(sides[0][0], sides[1][0], return_indices=True)
    if not len(images):
        return [_nothing_shared("selectivity", pair)]
    difference = sides[0][1][rows[0]] - sides[1][1][rows[1]]
    jackknife = pair.first.jackknife.take(images)
    deleted = jackknife.without_each(lambda kept: difference[kept].mean() if kept.any() else np.nan)
    child_rank = RANKS[min(RANKS.index(pair.rank) + 1, len(RANKS) - 1)]
    estimate = Estimate(float(difference.mean()), chance=0.0, null=child_rank)
    estimate = _with_p(estimate, deleted, jackknife, settings)
    return [_counted("selectivity", pair, estimate, images)]


def _with_p(estimate: Estimate, deleted: np.ndarray, jackknife: Jackknife, settings: MeasureSettings) -> Estimate:
    """Return a difference with its interval and, where it has one, the two-sided p-value of no difference."""
    estimate = with_interval(estimate, deleted, jackknife, settings, (-1.0, 1.0))
    if np.isnan(estimate.ci_low):
        return estimate
    return replace(estimate, p_value=jackknife_p(estimate.value, deleted))


def _counted(metric: str, pair: AnswersPair, estimate: Estimate, images: np.ndarray) -> Measurement:
    """Return the measurement with the counts of the images that are tested on both sides."""
    tested = pair.first.tested
    n_taxa = len(np.unique(tested.truth[np.isin(tested.image, images)]))
    estimate = replace(estimate, n_images=len(images), n_taxa=n_taxa, n_excluded=_n_left_out(pair, images))
    return Measurement(metric, pair.rank, estimate, split=SPLIT)


def _n_left_out(pair: AnswersPair, images: np.ndarray) -> int:
    """Return the number of images that are neither tested on both sides nor learnt from."""
    learnt = [side.image[(side.split == "train") | (side.split == "val")] for side in (pair.first, pair.second)]
    used = np.unique(np.concatenate([images, *learnt]))
    return len(np.setdiff1d(np.union1d(pair.first.image, pair.second.image), used))


def _nothing_shared(metric: str, pair: AnswersPair) -> Measurement:
    """Return an undefined measurement: the two sides were asked about different images."""
    n_excluded = _n_left_out(pair, np.zeros(0, dtype=np.int64))
    estimate = Estimate.undefined("no image is tested on both sides", n_excluded=n_excluded)
    return Measurement(metric, pair.rank, estimate, split=SPLIT)


def _scores_by_image(tested: Answers) -> tuple[np.ndarray, np.ndarray]:
    """Return the tested images in ascending order, and the share of right answers about each over its folds."""
    images, inverse = np.unique(tested.image, return_inverse=True)
    return images, np.bincount(inverse, weights=tested.right) / np.bincount(inverse)
