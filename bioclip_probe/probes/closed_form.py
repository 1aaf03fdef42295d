"""Ridge regression and linear discriminant analysis, at all ranks at once from the moments of the training images.

Both probes score each taxon by a linear function of the vector. Both have weights along the principal axes of a scatter
matrix: of all images about their mean (ridge regression), or of the images of each taxon about its own mean (LDA). The
moments hold both matrices, and the moments of a higher rank are sums of those of a lower one. So one pass over the
images serves all ranks, taxa and values of the grid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from bioclip_probe.probes.inputs import (
    check_split,
    image_weights,
    learning_obstacle,
    ranks_with_equal_splits,
    val_accuracy,
)
from bioclip_probe.probes.learning import DEFAULT_CHUNKS, DEFAULT_SETTINGS, Chunks, LearnSettings
from bioclip_probe.probes.predictions import Predictions, rank_taxa
from bioclip_probe.stats.all_pairs.moments import Moments, approximate_mean
from bioclip_probe.stats.threads import matched_threads

ALPHAS = tuple(10.0**power for power in range(-4, 4))
SHRINKAGES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
ROUNDING = 1e-6  # embeddings with a standard deviation below this are equal but for the rounding of float32


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
        Its grid are values of the penalty α; by default 0.0001, 0.001, … 1,000. It does not use the device.

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
    intercept b is not penalised. With A the principal axes of the images about their mean m, λ their sums of squares,
    and n_k images of mean m_k, the score of taxon k is ::

        n_k/n + (x − m)ᵀ A (λ + α)⁻¹ Aᵀ n_k (m_k − m)

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
    settings = settings.or_grid(ALPHAS)
    if not settings.grid or min(settings.grid) <= 0:
        raise ValueError(f"expected a grid of positive alpha, got {settings.grid}")
    return _closed_form(_Ridge, vectors, labels, split, settings)


def lda(
    vectors: np.ndarray, labels: np.ndarray, split: np.ndarray, settings: LearnSettings = DEFAULT_SETTINGS
) -> list[Predictions]:
    """Name the taxa of each rank by linear discriminant analysis with shrinkage.

    Parameters
    ----------
    vectors, labels, split : ndarray
        The same as for `ridge`.
    settings : LearnSettings
        Its grid are values of the shrinkage, above 0 and up to 1; by default seven from 0.001 to 1. It does not use
        the device.

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
    settings = settings.or_grid(SHRINKAGES)
    if not settings.grid or min(settings.grid) <= 0 or max(settings.grid) > 1:
        raise ValueError(f"expected a grid of shrinkages above 0 and up to 1, got {settings.grid}")
    return _closed_form(_Lda, vectors, labels, split, settings)


@dataclass(frozen=True, eq=False)
class _Fitted:
    """A probe of one rank for every strength of the regularisation.

    Attributes
    ----------
    taxa : ndarray, shape (K,), int64
        Ascending.
    origin : ndarray, shape (d,)
    axes : ndarray, shape (d, d)
        One column each.
    weights_at : function
        Weights (K, d) along the axes and intercepts (K,) at a strength.
    """

    taxa: np.ndarray
    origin: np.ndarray
    axes: np.ndarray
    weights_at: Callable[[float], tuple[np.ndarray, np.ndarray]]

    def scores(
        self, vectors: np.ndarray, rows: np.ndarray, strength: float, chunks: Chunks
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield chunks of the rows, and the scores of all taxa for them."""
        along_axes, intercepts = self.weights_at(strength)
        weights = self.axes @ along_axes.T  # transforms the weights, because there are more images than taxa
        for chunk in chunks.of(rows, len(self.taxa)):
            scores = (vectors[chunk] - self.origin) @ weights
            scores += intercepts
            yield chunk, scores


class _Ridge:
    """Ridge regression at ranks of equal split: the axes and variances are the same for all of them."""

    strength = "alpha"

    def __init__(self, moments: Moments, unit: float) -> None:
        self.mean = moments.sums.sum(axis=0) / moments.n
        self.variance, self.axes = _principal_axes(moments.second - moments.n * np.outer(self.mean, self.mean))
        self.unit = unit

    def fit(self, moments: Moments, taxa: np.ndarray) -> _Fitted | str:
        """Return the probe of the taxa of one rank."""
        along_axes = (moments.sums - moments.counts[:, None] * self.mean) @ self.axes
        share = moments.counts / moments.n

        def weights_at(alpha: float) -> tuple[np.ndarray, np.ndarray]:
            return along_axes / (self.variance + alpha * self.unit**2), share

        return _Fitted(taxa, moments.origin + self.mean, self.axes, weights_at)

    @staticmethod
    def confidence(scores: np.ndarray) -> np.ndarray:
        """Return NaN: the scores are no probabilities."""
        return np.full(len(scores), np.nan)


class _Lda:
    """Linear discriminant analysis; the scatter within taxa, and so the axes, differ between ranks."""

    strength = "shrinkage"

    def __init__(self, moments: Moments, unit: float) -> None:
        pass

    def fit(self, moments: Moments, taxa: np.ndarray) -> _Fitted | str:
        """Return the probe of the taxa of one rank, or the reason why there is none."""
        means = moments.sums / moments.counts[:, None]
        covariance = (moments.second - means.T @ moments.sums) / moments.n
        if np.trace(covariance) < ROUNDING**2:
            return "the train images of each taxon coincide: no scatter within taxa to learn from"
        variance, axes = _principal_axes(covariance)
        # About the mean of all images: the part that all squared distances share would cost digits.
        mean = moments.sums.sum(axis=0) / moments.n
        along_axes, log_share = (means - mean) @ axes, np.log(moments.counts / moments.n)

        def weights_at(shrinkage: float) -> tuple[np.ndarray, np.ndarray]:
            weights = along_axes / ((1 - shrinkage) * variance + shrinkage * variance.mean())
            return weights, log_share - np.einsum("ij,ij->i", weights, along_axes) / 2

        return _Fitted(taxa, moments.origin + mean, axes, weights_at)

    @staticmethod
    def confidence(scores: np.ndarray) -> np.ndarray:
        """Return the posterior probability of the best taxon of each row."""
        scores = scores - scores.max(axis=1, keepdims=True)
        return 1 / np.exp(scores, out=scores).sum(axis=1)


_Kind = type[_Ridge] | type[_Lda]


def _principal_axes(scatter: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the eigenvalues of a scatter matrix, ascending, and its eigenvectors in columns."""
    variance, axes = np.linalg.eigh(scatter)
    return np.maximum(variance, 0), axes  # below 0 by rounding only


def _closed_form(
    kind: _Kind, vectors: np.ndarray, labels: np.ndarray, split: np.ndarray, settings: LearnSettings
) -> list[Predictions]:
    """Return the predictions of every rank; ranks of equal split share one pass over the images."""
    split = check_split(vectors, labels, split)
    obstacles = [learning_obstacle(*rank) for rank in zip(labels, split, strict=True)]
    results = [Predictions.undefined(*rank) for rank in zip(split, obstacles, strict=True)]
    learnable = np.flatnonzero([not obstacle for obstacle in obstacles])
    for same_split in ranks_with_equal_splits(split[learnable]):
        ranks = learnable[same_split]
        fits_of_ranks = (_balanced_fits if settings.balanced else _fits)(
            kind, vectors, labels[ranks], split[ranks[0]], settings.refit
        )
        for rank, fits in zip(ranks, fits_of_ranks, strict=True):
            results[rank] = _predictions(kind, fits, vectors, labels[rank], split[rank], settings)
    return results


def _fits(
    kind: _Kind, vectors: np.ndarray, labels: np.ndarray, split: np.ndarray, refit: bool
) -> Iterator[list[_Fitted | str]]:
    """Yield the probes of train and of the final fit at each rank; all ranks share one pass over the images."""
    with matched_threads(len(vectors) * vectors.shape[1] ** 2):
        moments, taxa_of_groups = _moments(vectors, labels, split, refit)
        fitters = [kind(subset, _unit(moments[0])) for subset in moments]
    for taxa in taxa_of_groups:
        with matched_threads(len(vectors) * vectors.shape[1] * len(np.unique(taxa))):
            yield [fitter.fit(*_at_rank(subset, taxa)) for fitter, subset in zip(fitters, moments, strict=True)]


def _balanced_fits(
    kind: _Kind, vectors: np.ndarray, labels: np.ndarray, split: np.ndarray, refit: bool
) -> Iterator[list[_Fitted | str]]:
    """Yield the probes of train and of the final fit at each rank, in which every taxon has the same weight."""
    train, learnt = split == "train", np.isin(split, ("train", "val") if refit else ("train",))
    rows = np.flatnonzero(learnt)
    origin = approximate_mean(vectors[rows[:: max(1, len(rows) // 1024)]])
    for own in labels:
        with matched_threads(len(vectors) * vectors.shape[1] ** 2):
            subsets = [_balanced_moments(vectors, own, np.flatnonzero(on), origin) for on in (train, learnt)]
            unit = _unit(subsets[0][0])
            yield [kind(moments, unit).fit(moments, taxa) for moments, taxa in subsets]


def _balanced_moments(
    vectors: np.ndarray, labels: np.ndarray, rows: np.ndarray, origin: np.ndarray
) -> tuple[Moments, np.ndarray]:
    """Return the moments of some images, weighted so that every taxon weighs the same, and the taxa."""
    d, weight = vectors.shape[1], image_weights(labels[rows], balanced=True)
    taxa, taxon = np.unique(labels[rows], return_inverse=True)
    counts, sums, norms = np.zeros(len(taxa)), np.zeros((len(taxa), d)), np.zeros(len(taxa))
    second = np.zeros((d, d))
    for chunk in DEFAULT_CHUNKS.of(np.arange(len(rows))):
        x = vectors[rows[chunk]] - origin
        weighted = x * weight[chunk, None]
        np.add.at(counts, taxon[chunk], weight[chunk])
        np.add.at(sums, taxon[chunk], weighted)
        np.add.at(norms, taxon[chunk], np.einsum("ij,ij->i", weighted, x))
        second += weighted.T @ x
    return Moments(counts, sums, norms, second, np.zeros(d), 0.0, origin), taxa


def _moments(
    vectors: np.ndarray, labels: np.ndarray, split: np.ndarray, refit: bool
) -> tuple[tuple[Moments, Moments], np.ndarray]:
    """Return the moments of train and of the images of the final fit, and the taxon of each group at each rank.

    The groups are the images that have the same taxon at every rank.
    """
    learnt = np.flatnonzero((split == "train") | (split == "val"))
    taxa_of_groups, group_of_learnt = np.unique(labels[:, learnt], axis=1, return_inverse=True)
    group = np.full(len(split), -1)
    group[learnt] = group_of_learnt.ravel()
    origin = approximate_mean(vectors[learnt[:: max(1, len(learnt) // 1024)]])
    train, val = (
        Moments.of(vectors, np.where(split == subset, group, -1), taxa_of_groups.shape[1], origin=origin)
        for subset in ("train", "val")
    )
    return (train, train + val if refit else train), taxa_of_groups


def _at_rank(moments: Moments, taxa_of_groups: np.ndarray) -> tuple[Moments, np.ndarray]:
    """Return the moments of the taxa of a rank that have images, and those taxa."""
    taxa, taxon = np.unique(taxa_of_groups[moments.counts > 0], return_inverse=True)
    taxon_of_group = np.zeros(len(taxa_of_groups), dtype=np.int64)  # groups without images add nothing to taxon 0
    taxon_of_group[moments.counts > 0] = taxon
    return moments.coarsen(taxon_of_group, len(taxa)), taxa


def _unit(train: Moments) -> float:
    """Return the root mean square distance of the train images from their mean.

    Infinite if the images coincide, so that the weights are 0.
    """
    total = train.sums.sum(axis=0)
    unit = float(np.sqrt(max(train.squares - total @ total / train.n, 0) / train.n))
    return unit if unit >= ROUNDING else np.inf


def _predictions(
    kind: _Kind,
    fits: list[_Fitted | str],
    vectors: np.ndarray,
    labels: np.ndarray,
    split: np.ndarray,
    settings: LearnSettings,
) -> Predictions:
    """Choose the strength on val with the first of two fits, and name taxa with the second."""
    on_train, final = fits
    if isinstance(on_train, str) or isinstance(final, str):
        return Predictions.undefined(split, next(fit for fit in fits if isinstance(fit, str)))
    grid, val = settings.grid or (), np.flatnonzero(split == "val")
    accuracy: dict[float, float] = {}
    for strength in sorted(grid, reverse=True):
        chunks = on_train.scores(vectors, val, strength, settings.chunks)
        right = [on_train.taxa[scores.argmax(axis=1)] == labels[rows] for rows, scores in chunks]
        accuracy[strength] = val_accuracy(np.concatenate(right), labels[val], settings.balanced)
    chosen = max(accuracy, key=lambda strength: accuracy[strength])  # ties go to the first, which is the largest
    predicted, place = np.full(len(labels), -1), np.zeros(len(labels), dtype=np.int64)
    confidence = np.full(len(labels), np.nan)
    for rows, scores in final.scores(vectors, np.flatnonzero(split != ""), chosen, settings.chunks):
        predicted[rows], place[rows] = rank_taxa(scores, final.taxa, labels[rows])
        confidence[rows] = kind.confidence(scores)
    choice = {
        kind.strength: float(chosen),
        "grid": [float(strength) for strength in grid],
        "val_accuracy": [accuracy[strength] for strength in grid],
        "learnt_from": settings.learnt_from,
    }
    return Predictions(predicted, split, choice, "", place, confidence)
