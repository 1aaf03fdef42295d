"""Ridge regression and linear discriminant analysis, at all ranks at once from the moments of the images learnt from.

Both probes score a taxon by what is linear in the vector, and both have their weights along the principal axes of a
scatter matrix: of all images about their mean (ridge), or of the images of each taxon about its own mean (LDA). The
moments hold both, and those of a higher rank are sums of those of a lower one: so the images are passed over once,
whatever the number of ranks, taxa and values of the grid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from bioclip_probe.probes.predictions import Predictions, ranked
from bioclip_probe.probes.splits import alike, named_parts, unlearnable
from bioclip_probe.stats.all_pairs.moments import Moments, approximate_mean
from bioclip_probe.stats.threads import matched_threads

ALPHAS = tuple(10.0**power for power in range(-4, 4))
SHRINKAGES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
ROUNDING = 1e-6  # embeddings that scatter less than this are equal but for the rounding of float32
ROWS, CELLS = 8192, 1 << 22  # images, and scores of images and taxa, held at once


def ridge(
    vectors: np.ndarray, labels: np.ndarray, split: np.ndarray, grid: tuple[float, ...] = ALPHAS, refit: bool = True
) -> list[Predictions]:
    """Name the taxa of each rank by ridge regression on their indicators.

    Parameters
    ----------
    vectors : ndarray, shape (n, d), float32
        Embeddings.
    labels : ndarray, shape (R, n), int64
        Taxon at each rank; an image without a name (−1) is left out there.
    split : ndarray, shape (R, n), of str
        ``train``, ``val``, ``test`` or empty, as from `splits.split_by_image`.
    grid : tuple of float
        Values of α to choose from, by default 0.0001, 0.001, … 1,000.
    refit : bool
        Learn anew on train and val once α is chosen; otherwise the probe that learnt on train answers.

    Returns
    -------
    list of R Predictions
        The taxa named for every image of the split; train and val images were learnt from. With a part that is empty,
        or fewer than two taxa to learn, there are none and the note says why. Scores are no probabilities: there is no
        confidence.

    Raises
    ------
    DataError
        If a vector is not finite.
    ValueError
        If the split holds another word, or the grid an α that is not positive.

    Notes
    -----
    Minimises Σ ‖Y − XW − b‖² + α‖W‖², where a column of Y is 1 for the images of one taxon and 0 for others, and b is
    free. With A the principal axes of the images about their mean m, λ their sums of squares, and n_k images of mean
    m_k, the score of taxon k is ::

        n_k/n + (x − m)ᵀ A (λ + α)⁻¹ Aᵀ n_k (m_k − m)

    As in `linear`, features are divided by one number, so that the mean squared norm of the train images about their
    mean is 1 and α means the same at every width; the α with the highest top-1 accuracy on val is taken, of equal ones
    the largest, and the probe is then learnt anew on train and val together. Cost O(n·d²) for all ranks whose images
    are in the same parts and O(n·d·taxa) for the scores of each rank; memory O(taxa·d + d²) and chunks of scores.
    """
    if not len(grid) or min(grid) <= 0:
        raise ValueError(f"expected a grid of positive alpha, got {grid}")
    return _closed_form(_Ridge, vectors, labels, split, grid, refit)


def lda(
    vectors: np.ndarray, labels: np.ndarray, split: np.ndarray, grid: tuple[float, ...] = SHRINKAGES, refit: bool = True
) -> list[Predictions]:
    """Name the taxa of each rank by linear discriminant analysis with shrinkage.

    Parameters
    ----------
    vectors, labels, split, refit
        As for `ridge`.
    grid : tuple of float
        Values of the shrinkage to choose from, above 0 and up to 1; by default seven from 0.001 to 1.

    Returns
    -------
    list of R Predictions
        As for `ridge`, with the posterior probability of the taxon named as confidence. There are none, and the note
        says why, where the train images of each taxon coincide, as one image does with itself.

    Raises
    ------
    DataError
        If a vector is not finite.
    ValueError
        If the split holds another word, or the grid a shrinkage that is not in (0, 1].

    Notes
    -----
    Taxa are normal distributions of one covariance S about their means m_k, met as often as among the images learnt
    from. S is the mean square about the own mean, shrunk by s to a sphere: (1 − s) S + s tr(S)/d I. The score of taxon
    k is the logarithm of n_k/n less half the squared Mahalanobis distance of the image from m_k, but for what all taxa
    have in common. The shrinkage is chosen on val, of equal ones the largest, and the probe learnt anew on train and
    val together. Cost and memory as for `ridge`, and O(d³) for each rank.

    References
    ----------
    Hastie, Tibshirani & Friedman 2009, The Elements of Statistical Learning, section 4.3.
    """
    if not len(grid) or min(grid) <= 0 or max(grid) > 1:
        raise ValueError(f"expected a grid of shrinkages above 0 and up to 1, got {grid}")
    return _closed_form(_Lda, vectors, labels, split, grid, refit)


@dataclass(frozen=True, eq=False)
class _Fitted:
    """A probe of one rank before it is told how strongly to regularise.

    Attributes
    ----------
    taxa : ndarray, shape (K,), int64
        Ascending.
    origin : ndarray, shape (d,)
    axes : ndarray, shape (d, d)
        A column each.
    at : function
        Weights (K, d) along the axes and intercepts (K,) at a strength.
    """

    taxa: np.ndarray
    origin: np.ndarray
    axes: np.ndarray
    at: Callable[[float], tuple[np.ndarray, np.ndarray]]

    def scores(self, vectors: np.ndarray, rows: np.ndarray, strength: float) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Some of the rows, and the scores of all taxa for them; one chunk after the other."""
        weights, intercepts = self.at(strength)
        weights = self.axes @ weights.T  # rather than rows along the axes, of which there are more
        step = max(1, min(ROWS, CELLS // len(self.taxa)))
        for start in range(0, len(rows), step):
            part = rows[start : start + step]
            scores = (vectors[part] - self.origin) @ weights
            scores += intercepts
            yield part, scores


class _Ridge:
    """Ridge regression at ranks that learn from the same images: one pair of axes and variances serves all."""

    strength = "alpha"

    def __init__(self, moments: Moments, unit: float) -> None:
        self.mean = moments.sums.sum(axis=0) / moments.n
        self.variance, self.axes = _principal_axes(moments.second - moments.n * np.outer(self.mean, self.mean))
        self.unit = unit

    def fit(self, moments: Moments, taxa: np.ndarray) -> _Fitted:
        along = (moments.sums - moments.counts[:, None] * self.mean) @ self.axes
        share = moments.counts / moments.n

        def at(alpha: float) -> tuple[np.ndarray, np.ndarray]:
            return along / (self.variance + alpha * self.unit**2), share

        return _Fitted(taxa, moments.origin + self.mean, self.axes, at)

    @staticmethod
    def confidence(scores: np.ndarray) -> np.ndarray:
        return np.full(len(scores), np.nan)


class _Lda:
    """Linear discriminant analysis; what scatters within taxa is another thing at each rank."""

    strength = "shrinkage"

    def __init__(self, moments: Moments, unit: float) -> None:
        pass

    def fit(self, moments: Moments, taxa: np.ndarray) -> _Fitted | str:
        means = moments.sums / moments.counts[:, None]
        covariance = (moments.second - means.T @ moments.sums) / moments.n
        if np.trace(covariance) < ROUNDING**2:
            return "the train images of each taxon coincide: no scatter within taxa to learn from"
        variance, axes = _principal_axes(covariance)
        # About the mean of all: what distances from the means have in common cancels, and digits with it.
        mean = moments.sums.sum(axis=0) / moments.n
        along, log_share = (means - mean) @ axes, np.log(moments.counts / moments.n)

        def at(shrinkage: float) -> tuple[np.ndarray, np.ndarray]:
            weights = along / ((1 - shrinkage) * variance + shrinkage * variance.mean())
            return weights, log_share - np.einsum("ij,ij->i", weights, along) / 2

        return _Fitted(taxa, moments.origin + mean, axes, at)

    @staticmethod
    def confidence(scores: np.ndarray) -> np.ndarray:
        scores = scores - scores.max(axis=1, keepdims=True)
        return 1 / np.exp(scores, out=scores).sum(axis=1)


def _principal_axes(scatter: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    variance, axes = np.linalg.eigh(scatter)
    return np.maximum(variance, 0), axes  # below 0 by rounding only


def _closed_form(kind, vectors, labels, split, grid, refit) -> list[Predictions]:
    split = named_parts(vectors, labels, split)
    notes = [unlearnable(*rank) for rank in zip(labels, split, strict=True)]
    found = [Predictions.undefined(*rank) for rank in zip(split, notes, strict=True)]
    ready = np.flatnonzero([not note for note in notes])
    for together in alike(split[ready]):
        ranks = ready[together]
        with matched_threads(len(vectors) * vectors.shape[1] ** 2):
            moments, kinds = _moments(vectors, labels[ranks], split[ranks[0]], refit)
            fitters = [kind(part, _unit(moments[0])) for part in moments]
        for rank, own in zip(ranks, kinds, strict=True):
            with matched_threads(len(vectors) * vectors.shape[1] * len(np.unique(own))):
                fits = [fitter.fit(*_at_rank(part, own)) for fitter, part in zip(fitters, moments, strict=True)]
                found[rank] = _predictions(kind, fits, vectors, labels[rank], split[rank], grid, refit)
    return found


def _moments(vectors, labels, split, refit):
    """Moments of train, and of what is learnt from in the end, over the groups that all ranks have in common.

    Also the taxon of each group at each rank.
    """
    learnt = np.flatnonzero((split == "train") | (split == "val"))
    kinds, kind = np.unique(labels[:, learnt], axis=1, return_inverse=True)
    group = np.full(len(split), -1)
    group[learnt] = kind.ravel()
    origin = approximate_mean(vectors[learnt[:: max(1, len(learnt) // 1024)]])
    train, val = (
        Moments.of(vectors, np.where(split == part, group, -1), kinds.shape[1], origin=origin)
        for part in ("train", "val")
    )
    return (train, train + val if refit else train), kinds


def _at_rank(moments, kinds):
    """Moments of the taxa of a rank that have images, and those taxa; `kinds` is the taxon of each group."""
    taxa, into = np.unique(kinds[moments.counts > 0], return_inverse=True)
    every = np.zeros(len(kinds), dtype=np.int64)  # groups without images add nothing to the first taxon
    every[moments.counts > 0] = into
    return moments.coarsen(every, len(taxa)), taxa


def _unit(train: Moments) -> float:
    """Root mean square distance of the train images from their mean; infinite, so that no weight is left, if none."""
    total = train.sums.sum(axis=0)
    unit = float(np.sqrt(max(train.squares - total @ total / train.n, 0) / train.n))
    return unit if unit >= ROUNDING else np.inf


def _predictions(kind, fits, vectors, labels, split, grid, refit) -> Predictions:
    """Choose the strength on val with the first of two fits, and name taxa with the second."""
    for fitted in fits:
        if isinstance(fitted, str):
            return Predictions.undefined(split, fitted)
    on_train, on_both = fits
    val, asked = np.flatnonzero(split == "val"), np.flatnonzero(split != "")
    right = dict.fromkeys(sorted(grid, reverse=True), 0)
    for strength in right:
        for rows, scores in on_train.scores(vectors, val, strength):
            right[strength] += int(np.sum(on_train.taxa[scores.argmax(axis=1)] == labels[rows]))
    chosen = max(right, key=right.get)  # of equal ones the first, which is the largest
    predicted, place = np.full(len(labels), -1), np.zeros(len(labels), dtype=np.int64)
    confidence = np.full(len(labels), np.nan)
    for rows, scores in on_both.scores(vectors, asked, chosen):
        predicted[rows], place[rows] = ranked(scores, on_both.taxa, labels[rows])
        confidence[rows] = kind.confidence(scores)
    settings = {
        kind.strength: float(chosen),
        "grid": [float(strength) for strength in grid],
        "val_accuracy": [right[strength] / len(val) for strength in grid],
        "learnt_from": "train and val" if refit else "train",
    }
    return Predictions(predicted, split, settings, "", place, confidence)
