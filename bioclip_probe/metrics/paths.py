"""Answers across ranks: whether what a probe says at one rank agrees with what it says at the next.

All numbers are of one probe's answers at R ranks, from kingdom to species, for the same test images. A rank is known
for an image that has a name there and was tested there; a rank at which the probe could not be learnt is known for
none. Ranks that are not known are skipped: the rank below meets the next known one above. Chance gives the answers of
one image, at all ranks together, to another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from bioclip_probe.metrics.answers import Answers
from bioclip_probe.metrics.measurement import random_stream as stream
from bioclip_probe.metrics.measurement import row
from bioclip_probe.metrics.scores import mean_score
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.tables import RANKS
from bioclip_probe.tree.tree import Tree

N_SHUFFLES = 19


@dataclass(frozen=True, eq=False)
class PathAnswers:
    """The answers of one probe at all ranks.

    Attributes
    ----------
    truth, predicted : ndarray, shape (R, n), int64
        Nodes of `tree` at each of the R ranks of `RANKS`; −1 in `truth` where the image has no name or was not tested,
        in `predicted` where there is no answer.
    units : ndarray, shape (n,), int64
        The species of each image.
    tree : Tree
        A taxonomy.
    """

    truth: np.ndarray
    predicted: np.ndarray
    units: np.ndarray
    tree: Tree

    def __post_init__(self) -> None:
        shape = (len(RANKS), len(self.units))
        for name in ("truth", "predicted"):
            if np.shape(getattr(self, name)) != shape:
                raise ValueError(f"expected {name} of shape {shape}, got {np.shape(getattr(self, name))}")

    @classmethod
    def of(cls, answers: Mapping[str, Answers], tree: Tree) -> PathAnswers:
        """The test images of a probe's answers at some or all ranks, each of which it was asked about once.

        Raises
        ------
        ValueError
            If an image is asked in several folds.
        """
        tested = {rank: own.tested for rank, own in answers.items()}
        everything = np.concatenate([np.stack([own.image, own.units]) for own in tested.values()], axis=1)
        image, first = np.unique(everything[0], return_index=True)
        truth, predicted = np.full((2, len(RANKS), len(image)), -1)
        for rank, own in tested.items():
            if len(np.unique(own.image)) < len(own.image):
                raise ValueError("answers across ranks need images that are asked once, got several folds of one image")
            place = np.searchsorted(image, own.image)
            truth[RANKS.index(rank), place], predicted[RANKS.index(rank), place] = own.truth, own.predicted
        return cls(truth, predicted, everything[1, first], tree)

    @property
    def known(self) -> np.ndarray:
        """Where an answer was due and given, shape (R, n), bool."""
        return (self.truth >= 0) & (self.predicted >= 0)

    @property
    def right(self) -> np.ndarray:
        """Where the answer is right, shape (R, n), bool."""
        return self.known & (self.truth == self.predicted)

    def shuffled(self, rng: np.random.Generator) -> PathAnswers:
        """Each image with the answers of another; where either has none, there is none."""
        return replace(self, predicted=self.predicted[:, rng.permutation(len(self.units))])


def score_paths(answers: PathAnswers, seed: int = 0) -> list[dict]:
    """How answers at different ranks fit the truth, and each other.

    Parameters
    ----------
    answers : PathAnswers
    seed : int

    Returns
    -------
    list of dict
        Rows for `MEASUREMENTS`: metric, rank, split and the fields of an `Estimate`.

        ``path_accuracy``, rank ``species``: share of images that are right at every rank known. In [0, 1].
        ``right_prefix``, rank ``species``: how many ranks are right from the top down to the first error, of the ranks
        known. In [0, 7]; the note tells how many are known.
        ``consistent_pairs``, rank ``species``: of the pairs of consecutive known ranks of an image, the share in which
        both are right, mean over images. In [0, 1].
        ``rank_consistency``, from ``phylum`` to ``species``: share of images whose answer lies inside the answer at
        the next known rank up, right or wrong. In [0, 1]. Chance holds an answer against that of any other image.
        ``wrong_answer_severity``, at each rank: ranks from a wrong answer up to the taxon that it shares with the
        truth, mean over wrong answers. In [1, 7], lower is better: 1 is a sister taxon, at rank species 7 is another
        kingdom. Chance draws the wrong answer from those of other images.

    References
    ----------
    Tan et al. 2025, arXiv 2505.24840 (hierarchical consistent accuracy, here ``path_accuracy``; top overlap ratio, here
    ``consistent_pairs``); Bertinetto et al. 2020, CVPR, section 3 (severity of mistakes).
    """
    ancestors = np.stack([answers.tree.ancestor_at(rank) for rank in RANKS])
    found = [
        *_whole_paths(answers, seed),
        *_consistency(answers, ancestors, seed),
        *_severity(answers, ancestors, seed),
    ]
    return [row(metric, rank, estimate, split="test") for metric, rank, estimate in found]


def _whole_paths(answers: PathAnswers, seed: int) -> Iterator[tuple[str, str, Estimate]]:
    rank = RANKS[-1]
    kept = answers.known.any(axis=0)
    paired = answers.known.sum(axis=0) > 1
    for metric, of, images, fewest in (
        ("path_accuracy", _all_right, kept, "one rank"),
        ("right_prefix", _prefix, kept, "one rank"),
        ("consistent_pairs", _pairs, paired, "two ranks"),
    ):
        counts = {"n_excluded": int(np.sum(~images))}
        if not images.any():
            yield metric, rank, Estimate.undefined(f"no image is answered at {fewest} or more", **counts)
            continue
        rng = stream(seed, metric, rank)
        null = [_defined_mean(of(answers.shuffled(rng))) for _ in range(N_SHUFFLES)]
        estimate = mean_score(of(answers)[images], answers.units[images], rng, chance=_defined_mean(null), **counts)
        ranks = answers.known[:, images].sum(axis=0).mean()
        yield metric, rank, replace(estimate, note=f"of {ranks:.2f} ranks known on average")


def _all_right(answers: PathAnswers) -> np.ndarray:
    """1 where all known ranks are right, NaN where none is known, shape (n,)."""
    known = answers.known
    return np.where(known.any(axis=0), (answers.right | ~known).all(axis=0), np.nan)


def _prefix(answers: PathAnswers) -> np.ndarray:
    known = answers.known
    before_error = np.logical_and.accumulate(answers.right | ~known, axis=0)
    return np.where(known.any(axis=0), (before_error & known).sum(axis=0), np.nan)


def _pairs(answers: PathAnswers) -> np.ndarray:
    known, right = answers.known, answers.right
    above = np.zeros(known.shape[1], dtype=bool)  # whether the last known rank was right
    met, both = np.zeros((2, known.shape[1]))
    seen = np.zeros(known.shape[1], dtype=bool)
    for here, correct in zip(known, right, strict=True):
        met += here & seen
        both += here & seen & correct & above
        above = np.where(here, correct, above)
        seen = seen | here
    return np.divide(both, met, out=np.full(len(met), np.nan), where=met > 0)


def _consistency(answers: PathAnswers, ancestors: np.ndarray, seed: int) -> Iterator[tuple[str, str, Estimate]]:
    predicted, known = answers.predicted, answers.known
    for r, rank in enumerate(RANKS[1:], start=1):
        metric = "rank_consistency"
        # The next rank up at which both the tree places the answer and the probe gave one, for each image.
        above = np.full(predicted.shape[1], -1)
        for q in range(r):
            has = known[r] & known[q] & (ancestors[q, predicted[r]] >= 0)
            above[has] = q
        images = np.flatnonzero(above >= 0)
        counts = {"n_excluded": int(np.sum(answers.truth[r] >= 0)) - len(images)}
        if not len(images):
            yield metric, rank, Estimate.undefined("no image is answered at this rank and above", **counts)
            continue
        inside = ancestors[above[images], predicted[r, images]]
        upper = predicted[above[images], images]
        chance = _meeting_by_chance(inside, upper, above[images])
        taxa = len(np.unique(predicted[r, images]))
        score = (inside == upper).astype(np.float64)
        rng = stream(seed, metric, rank)
        yield metric, rank, mean_score(score, answers.units[images], rng, chance=chance, n_taxa=taxa, **counts)


def _meeting_by_chance(inside: np.ndarray, upper: np.ndarray, group: np.ndarray) -> float:
    """How often two taxa of any two images of a group are the same, the mean over images."""
    hits = 0.0
    for one in np.unique(group):
        a, b = inside[group == one], upper[group == one]
        taxa, times = np.unique(b, return_counts=True)
        place = np.minimum(np.searchsorted(taxa, a), len(taxa) - 1)
        hits += np.sum(times[place] * (taxa[place] == a)) / len(b)
    return float(hits / len(inside))


def _severity(answers: PathAnswers, ancestors: np.ndarray, seed: int) -> Iterator[tuple[str, str, Estimate]]:
    metric = "wrong_answer_severity"
    for r, rank in enumerate(RANKS):
        known = answers.known[r]
        truth, predicted, units = answers.truth[r, known], answers.predicted[r, known], answers.units[known]
        counts = {"n_excluded": int(np.sum(answers.truth[r] >= 0)) - len(truth)}
        wrong = truth != predicted
        if not wrong.any():
            reason = "no answer is wrong" if len(truth) else "no image is answered at this rank"
            yield metric, rank, Estimate.undefined(reason, **counts)
            continue
        rng = stream(seed, metric, rank)
        null = []
        for _ in range(N_SHUFFLES):
            drawn = rng.permutation(predicted)
            other = drawn != truth
            null.append(_defined_mean(ranks_apart(truth[other], drawn[other], ancestors[: r + 1])))
        apart = ranks_apart(truth[wrong], predicted[wrong], ancestors[: r + 1])
        taxa = len(np.unique(truth[wrong]))
        yield metric, rank, mean_score(apart, units[wrong], rng, chance=_defined_mean(null), n_taxa=taxa, **counts)


def ranks_apart(a: np.ndarray, b: np.ndarray, ancestors: np.ndarray) -> np.ndarray:
    """Ranks from two taxa of one rank up to the lowest that they share, shape (k,), float64.

    Parameters
    ----------
    a, b : ndarray, shape (k,), int64
        Nodes of rank r.
    ancestors : ndarray, shape (r + 1, m), int64
        The taxon of each rank at or above each node, −1 for none: ``tree.ancestor_at``.

    Returns
    -------
    ndarray
        0 for one taxon, 1 for two that meet at the next rank up, r + 1 for two kingdoms. At a hole none meet.
    """
    apart = np.full(len(a), float(len(ancestors)))
    for rank, of in enumerate(ancestors):
        apart[(of[a] == of[b]) & (of[a] >= 0)] = len(ancestors) - 1 - rank
    return apart


def _defined_mean(values: np.ndarray | list[float]) -> float:
    """The mean of what is defined, NaN of nothing."""
    values = np.asarray(values, dtype=np.float64)
    values = values[np.isfinite(values)]
    return float(values.mean()) if len(values) else float("nan")
