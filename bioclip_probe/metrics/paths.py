"""Scores of whole paths: the answers of one probe at all ranks together against the truth.

A rank is known for an image that has a name there and was tested there. A rank at which the probe could not be trained
is known for no image. Unknown ranks are skipped: the rank below is compared with the next known rank above. Chance
gives the answers of one image, at all ranks together, to another image (the null of images). Intervals recompute a mean
without each group of species, the probes being given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from bioclip_probe.metrics.answers import SPLIT, Answers
from bioclip_probe.metrics.measurement import Measurement, random_stream
from bioclip_probe.metrics.scores import estimate_mean
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.units import taxon_jackknife
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.jackknife import Jackknife
from bioclip_probe.tables import RANKS
from bioclip_probe.tree.tree import Placement, Tree

SPECIES = RANKS[-1]


@dataclass(frozen=True, eq=False)
class PathAnswers:
    """The answers of one probe at all ranks.

    Attributes
    ----------
    truth, predicted : ndarray, shape (R, n), int64
        Nodes of the taxonomy at each of the R ranks of `RANKS`. -1 in `truth` where the image has no name or was not
        tested, in `predicted` where there is no answer.
    placement : Placement
        The n images in a taxonomy, each at its species.
    settings : MeasureSettings
    jackknife : Jackknife, optional
        The groups of units of the n images that intervals leave out; by default groups of these images' species.

    Raises
    ------
    ValueError
        If an array has another shape.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvid_answers
    >>> answers = corvid_answers()
    >>> PathAnswers.of({"genus": answers}, answers.placement).truth.shape
    (7, 3)
    """

    subject: ClassVar[str] = "answers at all ranks"
    has_ranks: ClassVar[bool] = True

    truth: np.ndarray
    predicted: np.ndarray
    placement: Placement
    settings: MeasureSettings = field(default_factory=MeasureSettings)
    jackknife: Jackknife | None = None

    def __post_init__(self) -> None:
        shape = (len(RANKS), len(self.placement))
        for name, array in (("truth", self.truth), ("predicted", self.predicted)):
            if np.shape(array) != shape:
                raise ValueError(f"expected {name} of shape {shape}, got {np.shape(array)}")

    @classmethod
    def of(
        cls, answers: Mapping[str, Answers], placement: Placement, settings: MeasureSettings | None = None
    ) -> PathAnswers:
        """Return the answers of a probe at some or all ranks, joined by image.

        Parameters
        ----------
        answers : mapping from rank to Answers
            `Answers.image` is the number of a picture in `placement`.
        placement : Placement
            The pictures in a taxonomy.
        settings : MeasureSettings, optional

        Raises
        ------
        ValueError
            If an image is asked about in several folds.
        """
        tested = {rank: own.tested for rank, own in answers.items()}
        image = np.unique(np.concatenate([own.image for own in tested.values()]))
        truth, predicted = np.full((2, len(RANKS), len(image)), -1)
        for rank, own in tested.items():
            if len(np.unique(own.image)) < len(own.image):
                raise ValueError("answers across ranks need images that are asked once, got several folds of one image")
            column = np.searchsorted(image, own.image)
            truth[RANKS.index(rank), column], predicted[RANKS.index(rank), column] = own.truth, own.predicted
        jackknife = next(iter(answers.values())).jackknife.take(image)
        return cls(truth, predicted, placement.take(image), settings or MeasureSettings(), jackknife)

    @property
    def tree(self) -> Tree:
        """The taxonomy."""
        return self.placement.tree

    @cached_property
    def left_out(self) -> Jackknife:
        """The groups of units of the images that intervals leave out."""
        return self.jackknife or taxon_jackknife(self.placement, SPECIES, self.settings)

    @cached_property
    def ancestors(self) -> np.ndarray:
        """The taxon of each rank at or above each node of the taxonomy, shape (R, nodes), int64; -1 for none."""
        return np.stack([self.tree.ancestor_at(rank) for rank in RANKS])

    @property
    def known(self) -> np.ndarray:
        """True where an answer was due and given, shape (R, n), bool."""
        return (self.truth >= 0) & (self.predicted >= 0)

    @property
    def right(self) -> np.ndarray:
        """True where the answer is correct, shape (R, n), bool."""
        return self.known & (self.truth == self.predicted)

    def shuffled(self, rng: np.random.Generator) -> PathAnswers:
        """Return each image with the answers of another image; where either has no answer, there is none."""
        return replace(self, predicted=self.predicted[:, rng.permutation(self.predicted.shape[1])])


def path_accuracy(
    answers: PathAnswers, placement: Placement | None = None, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return the share of images whose answers are correct at every known rank.

    Parameters
    ----------
    answers : PathAnswers
    placement : Placement, optional
        Every metric takes one; here it is that of the answers.
    settings : MeasureSettings, optional
        `n_shuffles`, `level` and `seed` are used; by default the settings of the answers.

    Returns
    -------
    list of Measurement
        One, at species, in [0, 1], higher is better. The note gives the mean number of known ranks.

    References
    ----------
    Tan et al. 2025, arXiv 2505.24840 (hierarchical consistent accuracy).

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvid_paths
    >>> paths = corvid_paths()
    >>> round(path_accuracy(paths)[0].value, 2)
    0.67
    """
    return [_mean_over_images("path_accuracy", answers, settings, _all_right, fewest_ranks=1)]


def right_prefix(
    answers: PathAnswers, placement: Placement | None = None, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return the mean number of known ranks that are correct from the kingdom down to the first error.

    Parameters
    ----------
    answers, placement, settings
        As for `path_accuracy`.

    Returns
    -------
    list of Measurement
        One, at species, in [0, 7], higher is better. The note gives the mean number of known ranks.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvid_paths
    >>> paths = corvid_paths()
    >>> right_prefix(paths)[0].estimate.note.split(";")[0]
    'of 1.00 ranks known on average'
    """
    return [_mean_over_images("right_prefix", answers, settings, _right_prefix, fewest_ranks=1)]


def consistent_pairs(
    answers: PathAnswers, placement: Placement | None = None, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return the share of pairs of consecutive known ranks at which both answers are correct, averaged over images.

    Parameters
    ----------
    answers, placement, settings
        As for `path_accuracy`.

    Returns
    -------
    list of Measurement
        One, at species, in [0, 1], higher is better. Images with fewer than two known ranks are left out.

    References
    ----------
    Tan et al. 2025, arXiv 2505.24840 (top overlap ratio).

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvid_paths
    >>> paths = corvid_paths()
    >>> consistent_pairs(paths)[0].estimate.note
    'no image is answered at two ranks or more'
    """
    return [_mean_over_images("consistent_pairs", answers, settings, _both_right, fewest_ranks=2)]


def _mean_over_images(
    metric: str,
    answers: PathAnswers,
    settings: MeasureSettings | None,
    score: Callable[[PathAnswers], np.ndarray],
    fewest_ranks: int,
) -> Measurement:
    """Return the mean of a score over the images with enough known ranks; chance shuffles answers between images."""
    settings = settings or answers.settings
    images = answers.known.sum(axis=0) >= fewest_ranks
    n_excluded = int(np.sum(~images))
    if not images.any():
        ranks = "one rank" if fewest_ranks == 1 else "two ranks"
        estimate = Estimate.undefined(f"no image is answered at {ranks} or more", n_excluded=n_excluded)
        return Measurement(metric, SPECIES, estimate, split=SPLIT)
    rng = random_stream(settings.seed, metric, SPECIES)
    chance = mean_of_defined([mean_of_defined(score(answers.shuffled(rng))) for _ in range(settings.n_shuffles)])
    n_ranks = answers.known[:, images].sum(axis=0).mean()
    fields: dict[str, Any] = {
        "chance": chance,
        "null": "images",
        "n_excluded": n_excluded,
        "note": f"of {n_ranks:.2f} ranks known on average",
    }
    bounds = (0.0, float(len(RANKS)) if score is _right_prefix else 1.0)
    estimate = estimate_mean(score(answers)[images], answers.left_out.take(images), settings, bounds, **fields)
    return Measurement(metric, SPECIES, estimate, split=SPLIT)


def _all_right(answers: PathAnswers) -> np.ndarray:
    """Return 1 where all known ranks are correct, else 0, NaN where none is known, shape (n,)."""
    known = answers.known
    return np.where(known.any(axis=0), (answers.right | ~known).all(axis=0), np.nan)


def _right_prefix(answers: PathAnswers) -> np.ndarray:
    """Return the number of known ranks above the first error, NaN where none is known, shape (n,)."""
    known = answers.known
    before_error = np.logical_and.accumulate(answers.right | ~known, axis=0)
    return np.where(known.any(axis=0), (before_error & known).sum(axis=0), np.nan)


def _both_right(answers: PathAnswers) -> np.ndarray:
    """Return the share of consecutive known ranks that are both correct, NaN with fewer than two, shape (n,)."""
    n = answers.known.shape[1]
    n_pairs, n_right = np.zeros((2, n))
    above_known, above_right = np.zeros((2, n), dtype=bool)  # of the last known rank
    for known, right in zip(answers.known, answers.right, strict=True):
        n_pairs += known & above_known
        n_right += known & above_known & right & above_right
        above_right = np.where(known, right, above_right)
        above_known = above_known | known
    return np.divide(n_right, n_pairs, out=np.full(n, np.nan), where=n_pairs > 0)


def mean_of_defined(values: np.ndarray | list[float]) -> float:
    """Return the mean of the finite values.

    Parameters
    ----------
    values : ndarray or list of float

    Returns
    -------
    float
        NaN if no value is finite.

    Examples
    --------
    >>> mean_of_defined([1.0, float("nan")])
    1.0
    """
    numbers = np.asarray(values, dtype=np.float64)
    finite = numbers[np.isfinite(numbers)]
    return float(finite.mean()) if len(finite) else float("nan")
