"""Scores of the answers of one probe at one rank: accuracies and calibration.

`Answers` holds the rows of a `PREDICTIONS` table of one encoder, probe, protocol, number of shots and rank. Every
answer on a test image counts once. An image that several folds ask about counts once for each of them, so each number
is the mean over folds, weighted by the number of images in each fold. Intervals resample species.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from bioclip_probe.metrics.measurement import Measurement, random_stream
from bioclip_probe.metrics.scores import (
    constant_accuracy,
    estimate_calibration_error,
    estimate_macro_accuracy,
    estimate_top1_accuracy,
    mean_score,
)
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.tables import RANKS
from bioclip_probe.tree.tree import Placement, read_only

ROWS = ("image", "truth", "predicted", "place", "confidence", "split", "fold", "units")
SPLIT = "test"
Estimator = Callable[["Answers", np.random.Generator, MeasureSettings], Estimate]


@dataclass(frozen=True, eq=False)
class Answers:
    """The answers of one probe at one rank: m rows over all folds.

    Attributes
    ----------
    image : ndarray, shape (m,), int64
        The number of the picture, the same for every probe, protocol and encoder; each at most once per fold. With a
        `placement` it is the number of the picture there.
    truth, predicted : ndarray, shape (m,), int64
        Taxa; -1 for none.
    place : ndarray, shape (m,), int64
        Place of the truth among the taxa ranked, 1 is best; 0 where it is not among them.
    confidence : ndarray, shape (m,), float64
        The probability that the probe gives to its answer; NaN where it gives none.
    split : ndarray, shape (m,), of str
        ``train``, ``val``, ``test``, or empty for an image that is left out.
    fold : ndarray, shape (m,), int64
        From 0; 0 throughout if there is one split.
    units : ndarray, shape (m,), int64
        The species of each picture, which intervals resample.
    rank : str
        The rank of the taxa.
    balanced : bool
        True if the probe does not learn how frequent taxa are: it has as many images of each, or their names only.
        Chance is then the accuracy of naming one of the tested taxa at random. Otherwise it is the accuracy of always
        naming the taxon that is most frequent in train and val or, where `split` has neither, among the tested images.
    placement : Placement, optional
        The pictures in a taxonomy; needed for accuracy inside clades only.
    settings : MeasureSettings

    Raises
    ------
    ValueError
        If the arrays differ in length.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvid_answers
    >>> corvid_answers().tested.right.tolist()
    [1.0, 0.0, 1.0]
    """

    subject: ClassVar[str] = "answers"

    image: np.ndarray
    truth: np.ndarray
    predicted: np.ndarray
    place: np.ndarray
    confidence: np.ndarray
    split: np.ndarray
    fold: np.ndarray
    units: np.ndarray
    rank: str = RANKS[-1]
    balanced: bool = False
    placement: Placement | None = None
    settings: MeasureSettings = field(default_factory=MeasureSettings)

    def __post_init__(self) -> None:
        for name in ROWS:
            array = np.asarray(getattr(self, name))
            if array.shape != np.shape(self.image):
                raise ValueError(f"expected {name} of shape {np.shape(self.image)}, got {array.shape}")
            object.__setattr__(self, name, read_only(array))

    def take(self, rows: np.ndarray) -> Answers:
        """Return some of the answers.

        Parameters
        ----------
        rows : ndarray
            Row numbers, or one bool for each row.
        """
        arrays = {field.name: getattr(self, field.name) for field in fields(self)}
        return Answers(**{name: value[rows] if name in ROWS else value for name, value in arrays.items()})

    @property
    def has_ranks(self) -> bool:
        """True with a taxonomy, in which answers can be scored clade by clade."""
        return self.placement is not None

    @property
    def asked(self) -> np.ndarray:
        """Rows of test images with a name at the rank, shape (m,), bool."""
        return (self.split == SPLIT) & (self.truth >= 0)

    @property
    def answered(self) -> np.ndarray:
        """Rows with a question and an answer, shape (m,), bool; a fold whose probe could not be trained has none."""
        return self.asked & (self.predicted >= 0)

    @cached_property
    def tested(self) -> Answers:
        """The answers that count: those of the rows `answered`."""
        return self.take(self.answered)

    @property
    def right(self) -> np.ndarray:
        """1 for a correct answer, 0 for a wrong one, shape (m,), float64."""
        return ((self.predicted == self.truth) & (self.truth >= 0)).astype(np.float64)

    @property
    def learnt(self) -> np.ndarray:
        """Taxa of the images in train and val; empty if the rows hold neither.

        The regularisation of a probe is chosen on val; the final probe then learns from train and val together.
        """
        return self.truth[((self.split == "train") | (self.split == "val")) & (self.truth >= 0)]

    @cached_property
    def counts(self) -> dict[str, Any]:
        """Numbers of images and taxa tested, and of images left out.

        An image is left out if no split holds it, or only the test split of folds whose probe could not be trained.
        """
        kept = self.answered if self.answered.any() else self.asked
        used = kept | (self.split == "train") | (self.split == "val")
        n_images = len(np.unique(self.image[kept]))
        n_taxa = len(np.unique(self.truth[kept if n_images else self.truth >= 0]))
        n_excluded = len(np.unique(self.image)) - len(np.unique(self.image[used]))
        return {"n_images": n_images, "n_taxa": n_taxa, "n_excluded": n_excluded}


def top1_accuracy(
    answers: Answers, placement: Placement | None = None, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return the share of answers that name the correct taxon.

    Parameters
    ----------
    answers : Answers
    placement : Placement, optional
        Every metric takes one; it changes nothing here.
    settings : MeasureSettings, optional
        `n_bootstrap`, `level` and `seed` are used; by default the settings of the answers.

    Returns
    -------
    list of Measurement
        One, in [0, 1], higher is better; chance as `Answers.balanced` says. If images are asked about in several folds,
        the note gives the standard deviation over folds, as few-shot results are published.

    References
    ----------
    Alain & Bengio 2017, ICLR workshop, arXiv 1610.01644 (linear probes).

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvid_answers
    >>> round(top1_accuracy(corvid_answers())[0].value, 2)
    0.67
    """
    return _measure("top1_accuracy", answers, settings, _estimate_top1)


def top5_accuracy(
    answers: Answers, placement: Placement | None = None, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return the share of answers that have the correct taxon among the first five.

    Parameters
    ----------
    answers, placement, settings
        As for `top1_accuracy`.

    Returns
    -------
    list of Measurement
        One, in [0, 1], higher is better. Undefined with fewer than six taxa.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvid_answers
    >>> top5_accuracy(corvid_answers())[0].estimate.note
    'needs at least 6 taxa, found 2'
    """
    return _measure("top5_accuracy", answers, settings, _estimate_top5)


def macro_accuracy(
    answers: Answers, placement: Placement | None = None, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return the accuracy averaged over taxa, see `scores.estimate_macro_accuracy`.

    Parameters
    ----------
    answers, placement, settings
        As for `top1_accuracy`.

    Returns
    -------
    list of Measurement
        One, in [0, 1], higher is better; chance is 1/taxa.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvid_answers
    >>> macro_accuracy(corvid_answers())[0].value
    0.75
    """
    return _measure("macro_accuracy", answers, settings, _estimate_macro)


def calibration_error(
    answers: Answers, placement: Placement | None = None, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return the expected calibration error, see `scores.estimate_calibration_error`.

    Parameters
    ----------
    answers, placement
        As for `top1_accuracy`.
    settings : MeasureSettings, optional
        `n_groups`, `n_calibration_draws`, `level` and `seed` are used.

    Returns
    -------
    list of Measurement
        One, in [0, 1], lower is better. Undefined for probes that give no probabilities.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvid_answers
    >>> round(calibration_error(corvid_answers())[0].value, 2)
    0.33
    """
    return _measure("calibration_error", answers, settings, _estimate_calibration)


def clade_accuracy(
    answers: Answers, placement: Placement, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return the accuracy inside each clade of the next rank up.

    Parameters
    ----------
    answers : Answers
    placement : Placement
        The pictures in a taxonomy; `Answers.image` is the number of a picture there.
    settings : MeasureSettings, optional
        As for `top1_accuracy`.

    Returns
    -------
    list of Measurement
        One for each clade with at least two tested taxa, with `taxon` the path of the clade; in [0, 1], higher is
        better. An answer outside the clade is wrong. Empty at the highest rank.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvid_answers
    >>> answers = corvid_answers()
    >>> [row.taxon for row in clade_accuracy(answers, answers.placement)]  # no bird here has a family
    []
    """
    if answers.rank == RANKS[0]:
        return []
    above = placement.at(RANKS[RANKS.index(answers.rank) - 1])
    tested, settings = answers.tested, settings or answers.settings
    clade = above[tested.image]
    order = np.argsort(clade, kind="stable")
    clades, starts = np.unique(clade[order], return_index=True)
    measurements = []
    for node, members in zip(clades.tolist(), np.split(order, starts)[1:], strict=True):
        own = tested.take(members)
        n_taxa = len(np.unique(own.truth))
        if node < 0 or n_taxa < 2:
            continue
        path = placement.tree.path(node)
        rng = random_stream(settings.seed, "clade_accuracy", answers.rank, path)
        estimate = mean_score(own.right, own.units, rng, settings, n_taxa=n_taxa)
        estimate = replace(estimate, n_images=len(np.unique(own.image)))
        measurements.append(Measurement("clade_accuracy", answers.rank, estimate, taxon=path, split=SPLIT))
    return measurements


def _measure(
    metric: str, answers: Answers, settings: MeasureSettings | None, estimator: Estimator
) -> list[Measurement]:
    """Return the estimate of one metric with the counts and notes that all metrics of answers share."""
    settings = settings or answers.settings
    if len(answers.tested.image):
        estimate = estimator(answers, random_stream(settings.seed, metric, answers.rank), settings)
    else:
        estimate = Estimate.undefined(_reason_without_answers(answers))
    note = "; ".join(filter(None, (estimate.note, _missing_answers(answers))))
    return [Measurement(metric, answers.rank, replace(estimate, note=note, **answers.counts), split=SPLIT)]


def _estimate_top1(answers: Answers, rng: np.random.Generator, settings: MeasureSettings) -> Estimate:
    """Return the accuracy, with its scatter over folds in the note."""
    tested = answers.tested
    train = _favourites(answers)
    estimate = estimate_top1_accuracy(tested.truth, tested.predicted, tested.units, rng, settings, train)
    return replace(estimate, note=_scatter_over_folds(tested))


def _estimate_top5(answers: Answers, rng: np.random.Generator, settings: MeasureSettings) -> Estimate:
    """Return the share of answers with the truth among the first five."""
    tested = answers.tested
    taxa = np.union1d(tested.truth, answers.learnt)
    if len(taxa) < 6:
        return Estimate.undefined(f"needs at least 6 taxa, found {len(taxa)}")
    among = ((tested.place > 0) & (tested.place <= 5)).astype(np.float64)
    chance = constant_accuracy(tested.truth, _favourites(answers), 5)
    return mean_score(among, tested.units, rng, settings, chance=chance)


def _estimate_macro(answers: Answers, rng: np.random.Generator, settings: MeasureSettings) -> Estimate:
    """Return the accuracy averaged over taxa."""
    tested = answers.tested
    return estimate_macro_accuracy(tested.truth, tested.predicted, tested.units, rng, settings)


def _estimate_calibration(answers: Answers, rng: np.random.Generator, settings: MeasureSettings) -> Estimate:
    """Return the calibration error, undefined for probes without probabilities."""
    tested = answers.tested
    if np.isnan(tested.confidence).any():
        return Estimate.undefined("the probe gives no probabilities")
    return estimate_calibration_error(tested.confidence, tested.right, tested.units, rng, settings)


def _favourites(answers: Answers) -> np.ndarray:
    """Return the taxa from whose frequencies a constant answer is chosen, for the level of chance."""
    if answers.balanced:
        return np.unique(answers.tested.truth)
    return answers.learnt if len(answers.learnt) else answers.tested.truth


def _scatter_over_folds(tested: Answers) -> str:
    """Return the standard deviation of accuracy over folds that ask about the same images; else an empty string."""
    if len(np.unique(tested.image)) == len(tested.image):
        return ""
    _, fold = np.unique(tested.fold, return_inverse=True)
    accuracies = np.bincount(fold, weights=tested.right) / np.bincount(fold)
    return f"sd over folds {np.std(accuracies):.4f} (population)"


def _missing_answers(answers: Answers) -> str:
    """Return how many answers are missing where there are others; an empty string if none is."""
    missing = int(np.sum(answers.asked & ~answers.answered))
    if not missing or not answers.answered.any():
        return ""
    return f"{missing} answers are missing where the probe had too little to learn from"


def _reason_without_answers(answers: Answers) -> str:
    """Return why a probe gave no answer."""
    n_taxa = len(np.unique(answers.truth[answers.truth >= 0]))
    if n_taxa < 2:
        return "only one taxon" if n_taxa else "no image has a name at this rank"
    if not answers.asked.any():
        return "no taxon has the images or child taxa that the split needs"
    return "the probe had only one taxon to learn, or a part of its split is empty"
