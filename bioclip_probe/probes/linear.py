"""The linear probe: logistic regression on frozen embeddings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from bioclip_probe.errors import some
from bioclip_probe.probes.inputs import image_weights, val_accuracy
from bioclip_probe.probes.learning import DEFAULT_CHUNKS, DEFAULT_SETTINGS, Chunks, LearnSettings, LearnTask
from bioclip_probe.probes.predictions import Predictions, best_columns, rank_with_probability
from bioclip_probe.probes.scheduling import Learner, learn_one
from bioclip_probe.probes.softmax import DEFAULT_OPTIMISER, Optimiser, Softmax, fit, fit_path
from bioclip_probe.stats.devices import tensor, uses_torch

GRID = tuple(10.0**power for power in range(-2, 5))
ROUNDING = 1e-6  # embeddings with a standard deviation below this are equal but for the rounding of float32
SMALLEST_VARIANCE = 1e-12  # share of the largest variance below which an axis holds nothing but rounding


def linear(
    vectors: np.ndarray,
    labels: np.ndarray,
    split: np.ndarray,
    settings: LearnSettings = DEFAULT_SETTINGS,
    optimiser: Optimiser = DEFAULT_OPTIMISER,
) -> list[Predictions]:
    """Name the taxa of each rank by logistic regression.

    Parameters
    ----------
    vectors : ndarray, shape (n, d), float32
        Embeddings.
    labels : ndarray, shape (R, n), int64
        Taxon at each rank; an image without a label (−1) is left out there.
    split : ndarray, shape (R, n), of str
        ``train``, ``val``, ``test`` or empty, as from `splits.split_by_image`.
    settings : LearnSettings
        Its grid are values of C, by default 0.01, 0.1, … 10,000. The probe is fitted on its device.
    optimiser : Optimiser

    Returns
    -------
    list of R Predictions
        The taxa named for every image of the split, with their probability; the probe has learnt from the train and
        val images. With an empty subset, or fewer than two taxa in train, there are none and the note says why. The
        note also names every C at which the optimiser did not converge.

    Raises
    ------
    DataError
        If a vector is not finite.
    ValueError
        If the split holds another word, or the grid a C that is not positive.

    Notes
    -----
    Multinomial logistic regression with intercepts, minimising C·Σ loss + ‖W‖²/2, by `softmax.fit`. Two taxa have one
    row of W each, so that C means the same whatever the number of taxa; a binomial regression has the same optimum at
    C/2. The mean of the train images is subtracted and all features are divided by one number, so that the mean squared
    norm of the train images is 1: C means the same at every width, and a rotation of the embedding changes nothing. The
    C with the highest accuracy on val is chosen; ties go to the smallest. With `settings.balanced` the loss of each
    image has the weight n/(taxa·images of its taxon), and accuracy on val is the mean over taxa. Then the probe is
    fitted again on train and val together, as in CLIP's linear probe (Radford et al. 2021, Appendix A.3). Cost
    O(n·d·taxa) an iteration, some tens of iterations for each C; `costs.probe_seconds` estimates it. Memory: the
    features twice in float32, and taxa·d numbers in float64 some thirty times.

    References
    ----------
    Radford et al. 2021, Learning Transferable Visual Models From Natural Language Supervision, ICML.

    Examples
    --------
    >>> labels = np.array([[3, 7] * 3])
    >>> split = np.array([["train", "train", "val", "val", "test", "test"]])
    >>> linear(np.eye(2)[labels[0] // 4], labels, split)[0].predicted.tolist()
    [3, 7, 3, 7, 3, 7]
    """
    return learn_one(partial(LinearProbe, optimiser=optimiser), vectors, LearnTask(labels, split, settings))


class LinearProbe(Learner):
    """The linear probe of one encoder: all its splits share the features, which are rotated once.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)
    device : str
        ``cpu``, or a device of torch.
    optimiser : Optimiser

    Examples
    --------
    >>> LinearProbe(np.eye(3, dtype=np.float32)).features.shape
    (3, 2)
    """

    def __init__(self, vectors: np.ndarray, device: str = "cpu", optimiser: Optimiser = DEFAULT_OPTIMISER) -> None:
        super().__init__(vectors, device)
        self.optimiser = optimiser
        features = principal_features(vectors, dtype=optimiser.dtype)
        self.features: Any = tensor(features, device) if uses_torch(device) else features

    def check(self, settings: LearnSettings) -> LearnSettings:
        """Return the settings with a grid, or raise an error if it holds a C that is not positive."""
        settings = settings.or_grid(GRID)
        if not settings.grid or min(settings.grid) <= 0:
            raise ValueError(f"expected a grid of positive C, got {settings.grid}")
        return settings

    def learn(self, task: LearnTask) -> list[Predictions]:
        """Return the predictions of one rank."""
        labels, split, settings, optimiser = task.labels[0], task.split[0], task.settings, self.optimiser
        train, val = (np.flatnonzero(split == name) for name in ("train", "val"))
        learnt = np.concatenate([train, val]) if settings.refit else train
        grid, taxa, taxa_learnt = settings.grid or (), np.unique(labels[train]), np.unique(labels[learnt])
        mean, scale = _centre_and_scale(self.features, self._rows(train))
        accuracies, models = self._path(task, taxa, (mean, scale))
        chosen = max(sorted(grid), key=lambda c: accuracies[c])
        start = models[chosen]
        if len(taxa_learnt) > len(taxa):  # val holds taxa that train lacks
            start, known = Softmax.zeros(len(taxa_learnt), self.features.shape[1]), np.searchsorted(taxa_learnt, taxa)
            start.weights[known], start.intercept[known] = models[chosen].weights, models[chosen].intercept
        taxon = np.searchsorted(taxa_learnt, labels[learnt])
        x = (self.features[self._rows(learnt)] - mean) / scale
        model = fit(x, taxon, start, chosen, optimiser, image_weights(taxon, settings.balanced))
        named = np.flatnonzero(split == "test" if settings.only_test else split != "")
        n = len(labels)
        predicted, place, confidence = np.full(n, -1), np.zeros(n, dtype=np.int64), np.full(n, np.nan)
        for rows, scores in self._scores(model, named, (mean, scale)):
            answers = rank_with_probability(scores, taxa_learnt, labels[rows])
            predicted[rows], place[rows], confidence[rows] = answers
        not_converged = sorted({c for c in grid if not models[c].converged} | (set() if model.converged else {chosen}))
        choice = {
            "C": chosen,
            "grid": [float(c) for c in grid],
            "val_accuracy": [accuracies[c] for c in grid],
            "learnt_from": settings.learnt_from,
            "features": "train mean subtracted, one scale for all",
            "max_iterations": optimiser.max_iterations,
            "tolerance": optimiser.tolerance,
        }
        note = f"the optimiser did not converge at C = {some(not_converged)}" if not_converged else ""
        return [Predictions(predicted, split, choice, note, place, confidence)]

    def _path(
        self, task: LearnTask, taxa: np.ndarray, unit: tuple[Any, float]
    ) -> tuple[dict[float, float], dict[float, Softmax]]:
        """Return val accuracy and model at each C, from strong to weak penalty, each fit started from the last."""
        labels, split, settings = task.labels[0], task.split[0], task.settings
        train, val = (np.flatnonzero(split == name) for name in ("train", "val"))
        x = (self.features[self._rows(train)] - unit[0]) / unit[1]
        taxon = np.searchsorted(taxa, labels[train])
        loose = replace(self.optimiser, tolerance=self.optimiser.path_tolerance)
        grid, start = sorted(settings.grid or ()), Softmax.zeros(len(taxa), x.shape[1])
        models = fit_path(x, taxon, start, grid, loose, image_weights(taxon, settings.balanced))
        accuracies = {}
        for c, model in zip(grid, models, strict=True):
            named = [best_columns(scores) for _, scores in self._scores(model, val, unit)]
            right = taxa[np.concatenate(named)] == labels[val]
            accuracies[c] = val_accuracy(right, labels[val], settings.balanced)
        return accuracies, dict(zip(grid, models, strict=True))

    def _scores(self, model: Softmax, rows: np.ndarray, unit: tuple[Any, float]) -> Iterator[tuple[np.ndarray, Any]]:
        """Yield blocks of the rows, and the scores of all taxa for them, where the features are."""
        weights: Any = model.weights.T
        intercept: Any = model.intercept
        if not isinstance(self.features, np.ndarray):
            weights, intercept = tensor(weights, self.device), tensor(intercept, self.device)
        weights, intercept = _as(weights, self.features), _as(intercept, self.features)
        for chunk in Chunks(self.optimiser.cells, self.optimiser.cells).of(rows, len(model.intercept)):
            scores = ((self.features[self._rows(chunk)] - unit[0]) / unit[1]) @ weights
            scores += intercept
            yield chunk, scores

    def _rows(self, rows: np.ndarray) -> Any:
        """Return row numbers where the features are."""
        return rows if isinstance(self.features, np.ndarray) else tensor(rows, self.device)


def principal_features(vectors: np.ndarray, dtype: str = DEFAULT_OPTIMISER.dtype) -> np.ndarray:
    """Return vectors about their mean, along their principal axes.

    The rotation changes no optimum. The optimal weights lie in the span of the images, so an axis along which these do
    not differ is left out.

    Parameters
    ----------
    vectors : ndarray, shape (n, d), float
        The mean squared norm about their mean becomes 1.
    dtype : str

    Returns
    -------
    ndarray, shape (n, k)
        k is the number of axes with any variance. One column of zeros if the vectors coincide.

    Examples
    --------
    >>> principal_features(np.array([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0]])).shape
    (3, 1)
    """
    n, d = vectors.shape
    mean = vectors.mean(axis=0, dtype=np.float64)
    second = np.zeros((d, d))
    for rows in DEFAULT_CHUNKS.of(np.arange(n)):
        x = vectors[rows] - mean
        second += x.T @ x
    scale = float(np.sqrt(np.trace(second) / n))
    if scale < ROUNDING:
        return np.zeros((n, 1), dtype=dtype)
    variance, axes = np.linalg.eigh(second)
    axes = axes[:, variance > SMALLEST_VARIANCE * variance[-1]][:, ::-1]
    features = np.empty((n, axes.shape[1]), dtype=dtype)
    for rows in DEFAULT_CHUNKS.of(np.arange(n)):
        features[rows[0] : rows[-1] + 1] = (vectors[rows] - mean) / scale @ axes
    return features


def _centre_and_scale(features: Any, train: Any) -> tuple[Any, float]:
    """Return the mean of the train images, and the root of their mean squared norm about it.

    Infinite if the images coincide, so that all features are 0.
    """
    x = features[train]
    if isinstance(x, np.ndarray):
        mean = x.mean(axis=0, dtype=np.float64).astype(x.dtype)
    else:
        mean = x.double().mean(dim=0).to(x.dtype)
    scale = float((((x - mean) ** 2).sum(1).mean()) ** 0.5)
    return mean, scale if scale >= ROUNDING else np.inf


def _as(numbers: Any, features: Any) -> Any:
    """Return numbers with the number type of the features."""
    return numbers.astype(features.dtype) if isinstance(numbers, np.ndarray) else numbers.to(features.dtype)
