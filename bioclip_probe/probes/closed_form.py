"""Ridge regression and linear discriminant analysis, at all ranks at once from the moments of the training images.

Both probes score each taxon by a linear function of the vector. Its weights solve a linear system with a scatter
matrix: of all images about their mean (ridge regression), or of the images of each taxon about its own mean (LDA). The
moments hold both matrices, and the moments of a higher rank are sums of those of a lower one. So one pass over the
images serves all ranks, taxa and values of the grid; a value of the grid needs one Cholesky decomposition.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from bioclip_probe.probes.inputs import ranks_with_equal_splits, val_accuracy
from bioclip_probe.probes.learning import DEFAULT_SETTINGS, LearnSettings, LearnTask
from bioclip_probe.probes.predictions import Predictions, best_columns, rank_taxa, rank_with_probability
from bioclip_probe.probes.scheduling import Learner, learn_one
from bioclip_probe.probes.split_moments import ROUNDING, balanced_moments_of_splits, moments_of_splits, spread
from bioclip_probe.stats.all_pairs.moments import Moments
from bioclip_probe.stats.devices import tensor, uses_torch

ALPHAS = tuple(10.0**power for power in range(-4, 4))
SHRINKAGES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)


def ridge(
    vectors: np.ndarray, labels: np.ndarray, split: np.ndarray, settings: LearnSettings = DEFAULT_SETTINGS
) -> list[Predictions]:
    """Name the taxa of each rank by ridge regression on their indicators.

    Parameters
    ----------
    vectors : ndarray, shape (n, d), float32
        Embeddings.
    labels : ndarray, shape (R, n), int64
        Taxon at each rank; an image without a label (−1) is left out there.
    split : ndarray, shape (R, n), of str
        ``train``, ``val``, ``test`` or empty, as from `splits.split_by_image`.
    settings : LearnSettings
        Its grid are values of the penalty α; by default 0.0001, 0.001, … 1,000. With another device than
        ``cpu``, images are scored there.

    Returns
    -------
    list of R Predictions
        The taxa named for every image of the split; the probe has learnt from the train and val images. With an empty
        subset, or fewer than two taxa in train, there are none and the note says why. Scores are no probabilities:
        there is no confidence.

    Raises
    ------
    DataError
        If a vector is not finite.
    ValueError
        If the split holds another word, or the grid an α that is not positive.

    Notes
    -----
    Minimises Σ ‖Y − XW − b‖² + α‖W‖², where a column of Y is 1 for the images of one taxon and 0 for others, and the
    intercept b is not penalised. With S the scatter matrix of the images about their mean m, and n_k images of mean
    m_k, the score of taxon k is ::

        n_k/n + (x − m)ᵀ (S + α)⁻¹ n_k (m_k − m)

    As in `linear`, all features are divided by one number, so that the mean squared norm of the train images about
    their mean is 1 and α means the same at every width. The α with the highest accuracy on val is chosen; ties
    go to the largest. With `settings.balanced` every square, mean and n_k is weighted by n/(taxa·images of the taxon),
    and accuracy on val is the mean over taxa. Then the probe is fitted again on train and val together. Cost O(n·d²)
    for all ranks of equal split (for each rank, where taxa are balanced) and O(n·d·taxa) for the scores of each rank;
    memory O(taxa·d + d²) and chunks of scores.

    Examples
    --------
    >>> labels = np.array([[3, 7] * 3])
    >>> split = np.array([["train", "train", "val", "val", "test", "test"]])
    >>> predictions = ridge(np.eye(2)[labels[0] // 4], labels, split)
    >>> predictions[0].predicted.tolist(), predictions[0].settings["alpha"]
    ([3, 7, 3, 7, 3, 7], 1000.0)
    """
    return learn_one(RidgeProbe, vectors, LearnTask(labels, split, settings))


def lda(
    vectors: np.ndarray, labels: np.ndarray, split: np.ndarray, settings: LearnSettings = DEFAULT_SETTINGS
) -> list[Predictions]:
    """Name the taxa of each rank by linear discriminant analysis with shrinkage.

    Parameters
    ----------
    vectors, labels, split : ndarray
        The same as for `ridge`.
    settings : LearnSettings
        Its grid are values of the shrinkage, above 0 and up to 1; by default seven from 0.001 to 1.

    Returns
    -------
    list of R Predictions
        The same as for `ridge`, with the posterior probability of the predicted taxon as confidence. There are none,
        and the note says why, where the train images of each taxon coincide, for instance where each has one.

    Raises
    ------
    DataError
        If a vector is not finite.
    ValueError
        If the split holds another word, or the grid a shrinkage that is not in (0, 1].

    Notes
    -----
    Each taxon is a normal distribution about its mean m_k, all have one covariance S, and the prior probability of a
    taxon is its share n_k/n of the images. S is the mean square about the mean of the taxon, shrunk by s towards a
    sphere: (1 − s) S + s tr(S)/d I. The score of taxon k is the logarithm of n_k/n less half the squared Mahalanobis
    distance of the image from m_k, without the terms that are the same for all taxa. With `settings.balanced` all taxa
    have the same prior probability and the same weight in S. The shrinkage is chosen on val,
    ties go to the largest, and the probe is fitted again on train and val together. Cost and memory are those of
    `ridge`, and O(d³) for each rank.

    References
    ----------
    Hastie, Tibshirani & Friedman 2009, The Elements of Statistical Learning, section 4.3.

    Examples
    --------
    >>> vectors = np.array([[0.9, 0.0], [1.1, 0.1], [0.0, 0.9], [0.1, 1.1], [1.0, 0.0], [0.0, 1.0], [1.0, 0.1]])
    >>> labels = np.array([[3, 3, 7, 7, 3, 7, 3]])
    >>> split = np.array([["train"] * 4 + ["val"] * 2 + ["test"]])
    >>> lda(vectors, labels, split)[0].predicted.tolist()
    [3, 3, 7, 7, 3, 7, 3]
    """
    return learn_one(LdaProbe, vectors, LearnTask(labels, split, settings))


@dataclass(frozen=True, eq=False)
class LinearSystem:
    """The equations for the weights of some taxa, at every strength of the regularisation.

    Attributes
    ----------
    taxa : ndarray, shape (K,), int64
        Ascending.
    origin : ndarray, shape (d,)
        It is subtracted from a vector before it is scored.
    scatter : ndarray, shape (d, d)
    sides : ndarray, shape (d, K)
        The right-hand side of each taxon.
    shares : ndarray, shape (K,)
        Share of the images of each taxon.
    unit : float
        Root mean square distance of the train images from their mean.
    """

    taxa: np.ndarray
    origin: np.ndarray
    scatter: np.ndarray
    sides: np.ndarray
    shares: np.ndarray
    unit: float

    def solve(self, factor: float, added: float) -> np.ndarray:
        """Return the weights that solve (factor·scatter + added·I) W = sides, shape (d, K).

        Parameters
        ----------
        factor, added : float
            `added` is above 0; the weights are 0 where it is infinite.

        Returns
        -------
        ndarray, shape (d, K)

        Examples
        --------
        >>> system = LinearSystem(np.array([3]), np.zeros(1), np.eye(1), np.ones((1, 1)), np.ones(1), unit=1.0)
        >>> system.solve(factor=1.0, added=1.0).round(6).tolist()
        [[0.5]]
        """
        if np.isinf(added):
            return np.zeros_like(self.sides)
        matrix = factor * self.scatter
        matrix[np.diag_indices_from(matrix)] += added
        return cho_solve(cho_factor(matrix, overwrite_a=True, check_finite=False), self.sides, check_finite=False)


class ClosedFormProbe(Learner):
    """A probe whose weights solve a linear system.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)
    device : str
        Where images are scored: ``cpu``, or a device of torch. Moments and weights are computed on the processors.
    """

    strength: str

    def __init__(self, vectors: np.ndarray, device: str = "cpu") -> None:
        super().__init__(vectors, device)
        self.on_device: Any = tensor(vectors, device) if uses_torch(device) else vectors

    def groups(self, split: np.ndarray, settings: LearnSettings) -> list[list[int]]:
        """Return the ranks with equal splits, which share one pass over the images unless taxa are balanced."""
        return ranks_with_equal_splits(split)

    def work(self, task: LearnTask) -> float:
        """Return the multiply-adds of one pass over the images."""
        return super().work(task) + self.vectors.size * self.vectors.shape[1]

    def learn(self, task: LearnTask) -> list[Predictions]:
        """Return the predictions of ranks of equal split."""
        settings, split = task.settings, task.split[0]
        moments = balanced_moments_of_splits if settings.balanced else moments_of_splits
        results = []
        for labels, (train, final) in zip(
            task.labels, moments(self.vectors, task.labels, split, settings.refit), strict=True
        ):
            unit = spread(train[0])
            fits = [self.fit(*subset, unit) for subset in (train, final)]
            results.append(self._predictions(fits, labels, split, settings))
        return results

    @abstractmethod
    def fit(self, moments: Moments, taxa: np.ndarray, unit: float) -> LinearSystem | str:
        """Return the system whose solution are the weights of the taxa, or the reason why there is none."""

    @abstractmethod
    def weights(self, system: LinearSystem, strength: float) -> tuple[np.ndarray, np.ndarray]:
        """Return weights (d, K) and intercepts (K,) at a strength of the regularisation."""

    @staticmethod
    @abstractmethod
    def rank(scores: Any, taxa: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the predicted taxon, the place of the true one and the confidence of each row."""

    def _predictions(
        self, fits: list[LinearSystem | str], labels: np.ndarray, split: np.ndarray, settings: LearnSettings
    ) -> Predictions:
        """Choose the strength on val with the first of two fits, and name taxa with the second."""
        on_train, final = fits
        if isinstance(on_train, str) or isinstance(final, str):
            return Predictions.undefined(split, next(fit for fit in fits if isinstance(fit, str)))
        grid, val = settings.grid or (), np.flatnonzero(split == "val")
        accuracy: dict[float, float] = {}
        for strength in sorted(grid, reverse=True):
            best = [best_columns(scores) for _, scores in self._scores(on_train, val, strength, settings)]
            right = on_train.taxa[np.concatenate(best)] == labels[val]
            accuracy[strength] = val_accuracy(right, labels[val], settings.balanced)
        chosen = max(accuracy, key=lambda strength: accuracy[strength])  # ties go to the first, which is the largest
        predicted, place = np.full(len(labels), -1), np.zeros(len(labels), dtype=np.int64)
        confidence = np.full(len(labels), np.nan)
        named = np.flatnonzero(split == "test" if settings.only_test else split != "")
        for rows, scores in self._scores(final, named, chosen, settings):
            predicted[rows], place[rows], confidence[rows] = self.rank(scores, final.taxa, labels[rows])
        choice = {
            self.strength: float(chosen),
            "grid": [float(strength) for strength in grid],
            "val_accuracy": [accuracy[strength] for strength in grid],
            "learnt_from": settings.learnt_from,
        }
        return Predictions(predicted, split, choice, "", place, confidence)

    def _scores(
        self, system: LinearSystem, rows: np.ndarray, strength: float, settings: LearnSettings
    ) -> Iterator[tuple[np.ndarray, Any]]:
        """Yield chunks of the rows, and the scores of all taxa for them, in float64 and where the vectors are."""
        weights: Any
        intercepts: Any
        origin: Any = system.origin
        weights, intercepts = self.weights(system, strength)
        if self.on_device is not self.vectors:
            weights, intercepts, origin = (tensor(own, self.device) for own in (weights, intercepts, origin))
        for chunk in settings.chunks.of(rows, len(system.taxa)):
            where = chunk if self.on_device is self.vectors else tensor(chunk, self.device)
            scores = (self.on_device[where] - origin) @ weights
            scores += intercepts
            yield chunk, scores


class RidgeProbe(ClosedFormProbe):
    """Ridge regression for the vectors of one encoder.

    Examples
    --------
    >>> RidgeProbe(np.eye(2)).strength
    'alpha'
    """

    strength = "alpha"

    def check(self, settings: LearnSettings) -> LearnSettings:
        """Return the settings with a grid, or raise an error if it holds an α that is not positive."""
        settings = settings.or_grid(ALPHAS)
        if not settings.grid or min(settings.grid) <= 0:
            raise ValueError(f"expected a grid of positive alpha, got {settings.grid}")
        return settings

    def fit(self, moments: Moments, taxa: np.ndarray, unit: float) -> LinearSystem | str:
        """Return the equations of some taxa."""
        mean = moments.sums.sum(axis=0) / moments.n
        scatter = moments.second - moments.n * np.outer(mean, mean)
        sides = (moments.sums - moments.counts[:, None] * mean).T
        return LinearSystem(taxa, moments.origin + mean, scatter, sides, moments.counts / moments.n, unit)

    def weights(self, system: LinearSystem, strength: float) -> tuple[np.ndarray, np.ndarray]:
        """Return weights (d, K) and intercepts (K,) at an α."""
        return system.solve(1.0, strength * system.unit**2), system.shares

    @staticmethod
    def rank(scores: Any, taxa: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the predicted taxon and the place of the true one; the scores are no probabilities."""
        return *rank_taxa(scores, taxa, truth), np.full(len(truth), np.nan)


class LdaProbe(ClosedFormProbe):
    """Linear discriminant analysis for the vectors of one encoder.

    Examples
    --------
    >>> LdaProbe(np.eye(2)).strength
    'shrinkage'
    """

    strength = "shrinkage"

    def check(self, settings: LearnSettings) -> LearnSettings:
        """Return the settings with a grid, or raise an error if a shrinkage is not in (0, 1]."""
        settings = settings.or_grid(SHRINKAGES)
        if not settings.grid or min(settings.grid) <= 0 or max(settings.grid) > 1:
            raise ValueError(f"expected a grid of shrinkages above 0 and up to 1, got {settings.grid}")
        return settings

    def fit(self, moments: Moments, taxa: np.ndarray, unit: float) -> LinearSystem | str:
        """Return the equations of some taxa, or the reason why there are none."""
        means = moments.sums / moments.counts[:, None]
        covariance = (moments.second - means.T @ moments.sums) / moments.n
        if np.trace(covariance) < ROUNDING**2:
            return "the train images of each taxon coincide: no scatter within taxa to learn from"
        # About the mean of all images: the part that all squared distances share would cost digits.
        mean = moments.sums.sum(axis=0) / moments.n
        return LinearSystem(taxa, moments.origin + mean, covariance, (means - mean).T, moments.counts / moments.n, unit)

    def weights(self, system: LinearSystem, strength: float) -> tuple[np.ndarray, np.ndarray]:
        """Return weights (d, K) and intercepts (K,) at a shrinkage."""
        weights = system.solve(1 - strength, strength * np.trace(system.scatter) / len(system.scatter))
        return weights, np.log(system.shares) - np.einsum("ij,ij->j", weights, system.sides) / 2

    @staticmethod
    def rank(scores: Any, taxa: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the predicted taxon, the place of the true one, and the posterior probability of the first."""
        return rank_with_probability(scores, taxa, truth)
