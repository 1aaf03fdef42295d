"""Answers of probes, and the numbers made of them: one probe, two protocols or two models on the same images.

`Answers` are the rows of a `PREDICTIONS` table of one encoder, probe, protocol, number of shots and rank. Every answer
on a test image counts once. Where folds repeat, an image that is asked in several of them counts as often: so the
number is the mean over folds, weighted by how many images each asked. Intervals resample species.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np

from bioclip_probe.metrics.measurement import random_stream as stream
from bioclip_probe.metrics.measurement import row
from bioclip_probe.metrics.scores import (
    calibration_error,
    constant_accuracy,
    macro_accuracy,
    mean_score,
    swap_p,
    top1_accuracy,
)
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.tree.tree import read_only

SCORES = ("top1_accuracy", "top5_accuracy", "macro_accuracy", "calibration_error")


@dataclass(frozen=True, eq=False)
class Answers:
    """What one probe answers at one rank, m rows over all folds.

    Attributes
    ----------
    image : ndarray, shape (m,), int64
        The number of the picture, the same for every probe, protocol and encoder; each at most once a fold.
    truth, predicted : ndarray, shape (m,), int64
        Taxa; −1 for none.
    place : ndarray, shape (m,), int64
        Place of the truth among the taxa ranked, 1 is best; 0 where it is not among them.
    confidence : ndarray, shape (m,), float64
        The probability that the probe gives its answer; NaN where it gives none.
    split : ndarray, shape (m,), of str
        ``train``, ``val``, ``test``, or empty for an image left out.
    fold : ndarray, shape (m,), int64
        From 0; 0 throughout where there is one split.
    units : ndarray, shape (m,), int64
        The species of each picture.
    """

    image: np.ndarray
    truth: np.ndarray
    predicted: np.ndarray
    place: np.ndarray
    confidence: np.ndarray
    split: np.ndarray
    fold: np.ndarray
    units: np.ndarray

    def __post_init__(self) -> None:
        for field in fields(self):
            array = np.asarray(getattr(self, field.name))
            if array.shape != np.shape(self.image):
                raise ValueError(f"expected {field.name} of shape {np.shape(self.image)}, got {array.shape}")
            object.__setattr__(self, field.name, read_only(array))

    def take(self, rows: np.ndarray) -> Answers:
        """Some of the rows: numbers, or a bool for each."""
        return Answers(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    @property
    def asked(self) -> np.ndarray:
        """Rows of test images with a name at the rank, shape (m,), bool."""
        return (self.split == "test") & (self.truth >= 0)

    @property
    def answered(self) -> np.ndarray:
        """Rows that were asked and answered, shape (m,), bool: a fold whose probe could not be learnt answers none."""
        return self.asked & (self.predicted >= 0)

    @cached_property
    def tested(self) -> Answers:
        """The answers that count."""
        return self.take(self.answered)

    @property
    def right(self) -> np.ndarray:
        """1 for a right answer, 0 for a wrong one, shape (m,), float64."""
        return ((self.predicted == self.truth) & (self.truth >= 0)).astype(np.float64)

    @property
    def learnt(self) -> np.ndarray:
        """Taxa of the images learnt from, C being chosen on val and learnt with it; empty if they are not told."""
        return self.truth[((self.split == "train") | (self.split == "val")) & (self.truth >= 0)]


def score_answers(answers: Answers, rank: str, seed: int = 0, balanced: bool = False) -> list[dict]:
    """How good the answers of one probe are at one rank.

    Parameters
    ----------
    answers : Answers
    rank : str
    seed : int
    balanced : bool
        The probe knows nothing of how frequent taxa are: it has as many images of each, or their names. Chance is then
        that of naming one of the tested taxa at random. Otherwise it is that of always naming what is most frequent in
        train and val or, where `answers` do not hold them, among the images tested.

    Returns
    -------
    list of dict
        Rows for `MEASUREMENTS`: metric, rank, split and the fields of an `Estimate`.
        ``top1_accuracy``, and ``top5_accuracy``, the share of answers with the truth among the first five, which is
        undefined below six taxa; ``macro_accuracy``, the mean over taxa; ``calibration_error``, see `scores`, which is
        undefined for probes without a confidence. If images are asked in several folds, the note of ``top1_accuracy``
        tells its standard deviation over folds, as few-shot results are published.
    """
    tested = answers.tested
    counts = _counts(answers)
    if not len(tested.image):
        found = dict.fromkeys(SCORES, Estimate.undefined(_no_answers(answers)))
    else:
        found = _scored(answers, {name: stream(seed, name, rank) for name in SCORES}, balanced)
    note = _unanswered(answers)
    rows = []
    for name, estimate in found.items():
        notes = "; ".join(filter(None, (estimate.note, note)))
        rows.append(row(name, rank, replace(estimate, note=notes, **counts), split="test"))
    return rows


def _scored(answers: Answers, rng: dict[str, np.random.Generator], balanced: bool) -> dict[str, Estimate]:
    tested = answers.tested
    truth, units = tested.truth, tested.units
    learnt = answers.learnt if len(answers.learnt) else truth
    if balanced:
        learnt = np.unique(truth)
    top1 = top1_accuracy(truth, tested.predicted, units, rng["top1_accuracy"], learnt)
    taxa = np.union1d(truth, answers.learnt)
    top5 = Estimate.undefined(f"needs at least 6 taxa, found {len(taxa)}")
    if len(taxa) > 5:
        among = ((tested.place > 0) & (tested.place <= 5)).astype(np.float64)
        top5 = mean_score(among, units, rng["top5_accuracy"], chance=constant_accuracy(truth, learnt, 5))
    calibration = Estimate.undefined("the probe gives no probabilities")
    if not np.isnan(tested.confidence).any():
        calibration = calibration_error(tested.confidence, tested.right, units, rng["calibration_error"])
    return {
        "top1_accuracy": replace(top1, note=_over_folds(tested)),
        "top5_accuracy": top5,
        "macro_accuracy": macro_accuracy(truth, tested.predicted, units, rng["macro_accuracy"]),
        "calibration_error": calibration,
    }


def clade_accuracies(
    answers: Answers, clade: np.ndarray, path: Callable[[int], str], rank: str, seed: int = 0
) -> list[dict]:
    """Accuracy inside each clade of the next rank up that has at least two tested taxa.

    Parameters
    ----------
    answers : Answers
    clade : ndarray, shape (m,), int64
        The clade of the picture of each row at the next rank up, −1 for none.
    path : callable
        From a clade to its name: ``tree.path``.
    rank : str
        Of the answers.

    Returns
    -------
    list of dict
        Rows for `MEASUREMENTS`, with `taxon` the clade. An answer outside the clade is wrong.
    """
    tested, inside = answers.tested, clade[answers.answered]
    order = np.argsort(inside, kind="stable")
    clades, starts = np.unique(inside[order], return_index=True)
    rows = []
    for one, members in zip(clades.tolist(), np.split(order, starts)[1:], strict=True):
        own = tested.take(members)
        n_taxa = len(np.unique(own.truth))
        if one < 0 or n_taxa < 2:
            continue
        rng = stream(seed, "clade_accuracy", rank, path(one))
        found = replace(mean_score(own.right, own.units, rng, n_taxa=n_taxa), n_images=len(np.unique(own.image)))
        rows.append(row("clade_accuracy", rank, found, taxon=path(one), split="test"))
    return rows


def unseen_gap(seen: Answers, unseen: Answers, rank: str, seed: int = 0) -> dict:
    """What accuracy loses where the children of a taxon were never seen: a row for `MEASUREMENTS`.

    Accuracy of protocol ``seen`` less that of ``unseen``, over the images tested in both, paired by image. In [-1, 1],
    lower is better: 0 where the probe knows the taxon, and not just those of its children that it met.
    """
    return _paired_row("unseen_gap", seen, unseen, rank, seed)


def selectivity(seen: Answers, shuffled: Answers, rank: str, seed: int = 0) -> dict:
    """How much better a probe names taxa than made-up groups of their children: a row for `MEASUREMENTS`.

    Accuracy of protocol ``seen`` less that of the control task ``shuffled``, over the images tested in both, paired by
    image. In [-1, 1], higher is better; 0 where a probe learns a taxon only as a list of its children.

    References
    ----------
    Hewitt & Liang 2019, EMNLP, eq. 3.
    """
    return _paired_row("selectivity", seen, shuffled, rank, seed)


def compare_answers(a: Answers, b: Answers, rank: str, seed: int = 0) -> list[dict]:
    """How much more often one model is right than another on the same images, asked in the same way.

    Returns
    -------
    list of dict
        Rows for `MEASUREMENTS`. ``top1_accuracy_difference``: in [-1, 1], above 0 where the first is better, paired by
        image and fold. The interval resamples species; `p_value` is two-sided and swaps the two models species by
        species, see `scores.swap_p`.
    """
    return [_paired_row("top1_accuracy_difference", a, b, rank, seed, same_folds=True)]


def _paired_row(metric: str, a: Answers, b: Answers, rank: str, seed: int, same_folds: bool = False) -> dict:
    """Accuracy of `a` less that of `b`, with a p-value where the two may be swapped: asked alike, in the same folds."""
    folds = 1 + max(int(answers.fold.max(initial=0)) for answers in (a, b))
    sides = [_by_number(answers.tested, folds if same_folds else 0) for answers in (a, b)]
    shared, *places = np.intersect1d(sides[0][0], sides[1][0], return_indices=True)
    met = np.union1d(a.image, b.image)
    images = shared // folds if same_folds else shared
    n_images = len(np.unique(images))
    if not n_images:
        found = Estimate.undefined("no image is tested on both sides", n_excluded=len(met))
        return row(metric, rank, found, split="test")
    first, second = (scores[place] for (_, scores, _), place in zip(sides, places, strict=True))
    units = sides[0][2][places[0]]
    rng = stream(seed, metric, rank)
    found = mean_score(first - second, units, rng, chance=0.0)
    p = swap_p(first - second, units, rng) if same_folds else np.nan
    taxa = np.unique(a.tested.truth[np.isin(a.tested.image, images)])
    counts = {"n_images": n_images, "n_taxa": len(taxa), "n_excluded": len(met) - n_images}
    return row(metric, rank, replace(found, p_value=p, **counts), split="test")


def _by_number(tested: Answers, folds: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images, or with `folds` images in each fold, their mean score and their species."""
    number = tested.image * folds + tested.fold if folds else tested.image
    numbers, first, inverse = np.unique(number, return_index=True, return_inverse=True)
    return numbers, np.bincount(inverse, weights=tested.right) / np.bincount(inverse), tested.units[first]


def _counts(answers: Answers) -> dict[str, int]:
    """Images and taxa tested, and images that are in no part of any split, or of one whose probe was not learnt."""
    kept = answers.answered if answers.answered.any() else answers.asked
    part = kept | (answers.split == "train") | (answers.split == "val")
    n_images = len(np.unique(answers.image[kept]))
    n_taxa = len(np.unique(answers.truth[kept if n_images else answers.truth >= 0]))
    everything = len(np.unique(answers.image))
    return {"n_images": n_images, "n_taxa": n_taxa, "n_excluded": everything - len(np.unique(answers.image[part]))}


def _over_folds(tested: Answers) -> str:
    """The scatter of accuracy over folds that ask the same images; empty where an image is asked once."""
    if len(np.unique(tested.image)) == len(tested.image):
        return ""
    _, fold = np.unique(tested.fold, return_inverse=True)
    accuracies = np.bincount(fold, weights=tested.right) / np.bincount(fold)
    return f"sd over folds {np.std(accuracies):.4f} (population)"


def _unanswered(answers: Answers) -> str:
    """How many answers are missing where there are others; empty if none."""
    missing = int(np.sum(answers.asked & ~answers.answered))
    if not missing or not answers.answered.any():
        return ""
    return f"{missing} answers are missing where the probe had too little to learn from"


def _no_answers(answers: Answers) -> str:
    """Why a probe named no taxon."""
    n_taxa = len(np.unique(answers.truth[answers.truth >= 0]))
    if n_taxa < 2:
        return "only one taxon" if n_taxa else "no image has a name at this rank"
    if not answers.asked.any():
        return "no taxon has the images or child taxa that the split needs"
    return "the probe had only one taxon to learn, or a part of its split is empty"
