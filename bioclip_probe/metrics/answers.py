"""Answers of one probe at one rank: the subject of accuracies and calibration.

`Answers` holds the rows of a `PREDICTIONS` table of one encoder, probe, protocol, number of shots and rank. An image
that several folds ask about counts in each of them. Intervals are those of the delete-group jackknife: a score is
computed again without the answers about each group of units, the probes being given. The units are species, or the
children of taxa where probes are asked about children; intervals are then widened, since other children would also give
other images to learn from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from bioclip_probe.metrics.intervals import with_note
from bioclip_probe.metrics.measurement import Measurement, random_stream
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.jackknife import Jackknife
from bioclip_probe.tables import RANKS
from bioclip_probe.tree.tree import Placement, read_only

ROWS = ("image", "truth", "predicted", "place", "confidence", "split", "fold", "n_choices")
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
    n_choices : ndarray, shape (m,), int64
        Number of taxa that the probe of the fold chose among; 0 where it is not known.
    jackknife : Jackknife
        The groups of units that intervals leave out, of all pictures: `image` points into them.
    rank : str
        The rank of the taxa.
    balanced : bool
        True if taxa weigh the same in training, or the probe learns from their names only. Chance of `top1_accuracy` is
        then 1/(taxa to choose from), and the calibration error weighs taxa the same. Otherwise chance is the accuracy
        of always naming the taxon that is most frequent in train and val or, where `split` has neither, among the
        tested images.
    unseen : bool
        True if the tested images are of child taxa that the probe has not seen. Chance is then that of whole child taxa
        permuted over the taxa (of species, at genus): a probe that knows every child and no kin reaches no more.
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
    n_choices: np.ndarray
    jackknife: Jackknife
    rank: str = RANKS[-1]
    balanced: bool = False
    unseen: bool = False
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
    def left_out(self) -> Jackknife:
        """The groups of units that intervals leave out, of the rows; it counts the units of the rows."""
        return self.jackknife.take(self.image)

    @property
    def null(self) -> str:
        """The null of the chance levels: images permuted, or the child taxa that were held out, named by their rank."""
        return RANKS[RANKS.index(self.rank) + 1] if self.unseen else "images"

    @cached_property
    def choices(self) -> np.ndarray:
        """Number of taxa that each answer chose among, shape (m,), int64; where it is not known, that of all taxa."""
        n_taxa = len(np.unique(self.truth[self.truth >= 0]))
        return np.where(self.n_choices > 0, self.n_choices, n_taxa)

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


def measure_answers(
    metric: str, answers: Answers, settings: MeasureSettings | None, estimator: Estimator
) -> list[Measurement]:
    """Return the estimate of one metric with the counts and notes that all metrics of answers share.

    Parameters
    ----------
    metric : str
        Name in the metric registry.
    answers : Answers
    settings : MeasureSettings, optional
        By default those of the answers.
    estimator : callable
        Takes the answers, of which some are tested, a random generator and the settings, and returns an `Estimate`.

    Returns
    -------
    list of Measurement
        One. Undefined without an answer, and the note says why. The note also says where most images are left out.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvid_answers
    >>> measure_answers("top1_accuracy", corvid_answers(), None, lambda answers, rng, settings: Estimate(1.0))[0].value
    1.0
    """
    settings = settings or answers.settings
    if len(answers.tested.image):
        estimate = estimator(answers, random_stream(settings.seed, metric, answers.rank), settings)
    else:
        estimate = Estimate.undefined(_reason_without_answers(answers))
    estimate = with_note(with_note(estimate, _missing_answers(answers)), _most_left_out(answers))
    return [Measurement(metric, answers.rank, replace(estimate, **answers.counts), split=SPLIT)]


def _missing_answers(answers: Answers) -> str:
    """Return how many answers are missing where there are others; an empty string if none is."""
    missing = int(np.sum(answers.asked & ~answers.answered))
    if not missing or not answers.answered.any():
        return ""
    return f"{missing} answers are missing where the probe had too little to learn from"


def _most_left_out(answers: Answers) -> str:
    """Return how many images are left out, where that is most of them; else an empty string."""
    n_left_out, n_images = answers.counts["n_excluded"], len(np.unique(answers.image))
    return f"{n_left_out} of {n_images} images are left out" if 2 * n_left_out > n_images else ""


def _reason_without_answers(answers: Answers) -> str:
    """Return why a probe gave no answer."""
    n_taxa = len(np.unique(answers.truth[answers.truth >= 0]))
    if n_taxa < 2:
        return "only one taxon" if n_taxa else "no image has a name at this rank"
    if not answers.asked.any():
        return "no taxon has the images or child taxa that the split needs"
    return "the probe had only one taxon to learn, or a part of its split is empty"
