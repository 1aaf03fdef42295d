"""The linear probe: logistic regression on frozen embeddings."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from threading import Lock
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
N_FEATURES_KEPT = 4  # splits whose features are in memory


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
    """The linear probe of one encoder; ranks that learn from the same images share the rotated features.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)
    device : str
        ``cpu``, or a device of torch.
    optimiser : Optimiser

    Examples
    --------
    >>> LinearProbe(np.eye(3, dtype=np.float32)).check(LearnSettings()).grid == GRID
    True
    """

    def __init__(self, vectors: np.ndarray, device: str = "cpu", optimiser: Optimiser = DEFAULT_OPTIMISER) -> None:
        super().__init__(vectors, device)
        self.optimiser, self._lock = optimiser, Lock()
        self._features: OrderedDict[tuple[bytes, bytes], Future] = OrderedDict()

    def check(self, settings: LearnSettings) -> LearnSettings:
        """Return the settings with a grid, or raise an error if it holds a C that is not positive."""
        settings = settings.or_grid(GRID)
        if not settings.grid or min(settings.grid) <= 0:
            raise ValueError(f"expected a grid of positive C, got {settings.grid}")
        return settings

    def learn(self, task: LearnTask) -> list[Predictions]:
        """Return the predictions of one rank: choose C on val, fit the final probe and name the taxa."""
        labels, split, settings, optimiser = task.labels[0], task.split[0], task.settings, self.optimiser
        train, val = (np.flatnonzero(split == name) for name in ("train", "val"))
        learnt = np.concatenate([train, val]) if settings.refit else train
        features = self._features_of(train, learnt)
        grid, taxa, taxa_learnt = settings.grid or (), np.unique(labels[train]), np.unique(labels[learnt])
        accuracies, models = self._path(features, task, taxa)
        chosen = max(sorted(grid), key=lambda c: accuracies[c])
        start = models[chosen]
        if len(taxa_learnt) > len(taxa):  # val holds taxa that train lacks
            start, known = Softmax.zeros(len(taxa_learnt), features.shape[1]), np.searchsorted(taxa_learnt, taxa)
            start.weights[known], start.intercept[known] = models[chosen].weights, models[chosen].intercept
        taxon = np.searchsorted(taxa_learnt, labels[learnt])
        weight = image_weights(taxon, settings.balanced)
        model = fit(self._take(features, learnt), taxon, start, chosen, optimiser, weight)
        n, named = len(labels), np.flatnonzero(split == "test" if settings.only_test else split != "")
        predicted, place, confidence = np.full(n, -1), np.zeros(n, dtype=np.int64), np.full(n, np.nan)
        for rows, scores in self._scores(features, model, named):
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
        self, features: Any, task: LearnTask, taxa: np.ndarray
    ) -> tuple[dict[float, float], dict[float, Softmax]]:
        """Return val accuracy and model at each C, from strong to weak penalty, each fit started from the last."""
        labels, split, settings = task.labels[0], task.split[0], task.settings
        train, val = (np.flatnonzero(split == name) for name in ("train", "val"))
        taxon = np.searchsorted(taxa, labels[train])
        loose = replace(self.optimiser, tolerance=self.optimiser.path_tolerance)
        grid, start = sorted(settings.grid or ()), Softmax.zeros(len(taxa), features.shape[1])
        weight = image_weights(taxon, settings.balanced)
        models = fit_path(self._take(features, train), taxon, start, grid, loose, weight)
        accuracies = {}
        for c, model in zip(grid, models, strict=True):
            named = [best_columns(scores) for _, scores in self._scores(features, model, val)]
            right = taxa[np.concatenate(named)] == labels[val]
            accuracies[c] = val_accuracy(right, labels[val], settings.balanced)
        return accuracies, dict(zip(grid, models, strict=True))

    def _scores(self, features: Any, model: Softmax, rows: np.ndarray) -> Iterator[tuple[np.ndarray, Any]]:
        """Yield blocks of the rows, and the scores of all taxa for them, where the features are."""
        weights: Any = model.weights.T.astype(self.optimiser.dtype)
        intercept: Any = model.intercept.astype(self.optimiser.dtype)
        if uses_torch(self.device):
            weights, intercept = tensor(weights, self.device), tensor(intercept, self.device)
        for chunk in Chunks(self.optimiser.cells, self.optimiser.cells).of(rows, len(model.intercept)):
            scores = self._take(features, chunk) @ weights
            scores += intercept
            yield chunk, scores

    def _take(self, features: Any, rows: np.ndarray) -> Any:
        """Return some rows of the features."""
        return features[tensor(rows, self.device) if uses_torch(self.device) else rows]

    def _features_of(self, train: np.ndarray, learnt: np.ndarray) -> Any:
        """Return the features of a split; the thread that asks first computes them."""
        key = train.tobytes(), learnt.tobytes()
        with self._lock:
            is_first = key not in self._features
            features = self._features.setdefault(key, Future())
            while len(self._features) > N_FEATURES_KEPT:
                self._features.popitem(last=False)
        if is_first:
            try:
                rotated = principal_features(self.vectors, train, learnt, self.optimiser.dtype)
                features.set_result(tensor(rotated, self.device) if uses_torch(self.device) else rotated)
            except BaseException as error:
                features.set_exception(error)
                raise
        return features.result()


def principal_features(
    vectors: np.ndarray, train: np.ndarray, learnt: np.ndarray, dtype: str = DEFAULT_OPTIMISER.dtype
) -> np.ndarray:
    """Return all vectors, centred and scaled by those of train, along the principal axes of those learnt from.

    The optimal weights lie in the span of the images learnt from. So the weight along an axis on which these images do
    not differ is 0, and the axis is left out.

    Parameters
    ----------
    vectors : ndarray, shape (n, d), float
    train : ndarray, shape (m,), int64
        Rows whose mean is subtracted and whose mean squared norm becomes 1.
    learnt : ndarray, shape (l,), int64
        Rows whose principal axes are taken.
    dtype : str

    Returns
    -------
    ndarray, shape (n, k)
        k is the number of axes with any variance. One column of zeros if the train vectors coincide.

    Examples
    --------
    >>> rows = np.arange(3)
    >>> principal_features(np.array([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0]]), rows, rows).shape
    (3, 1)
    """
    mean = vectors[train].mean(axis=0, dtype=np.float64)
    squares = sum(float(np.sum((vectors[rows] - mean) ** 2)) for rows in DEFAULT_CHUNKS.of(train))
    scale = np.sqrt(squares / len(train))
    if scale < ROUNDING:
        return np.zeros((len(vectors), 1), dtype=dtype)
    axes = _principal_axes(vectors, learnt, mean, scale)
    features = np.empty((len(vectors), axes.shape[1]), dtype=dtype)
    for rows in DEFAULT_CHUNKS.of(np.arange(len(vectors))):
        features[rows[0] : rows[-1] + 1] = (vectors[rows] - mean) / scale @ axes
    return features


def _principal_axes(vectors: np.ndarray, learnt: np.ndarray, mean: np.ndarray, scale: float) -> np.ndarray:
    """Return the axes along which the images learnt from differ, (d, k), the one with the largest variance first.

    They are eigenvectors of the products of dimensions, or follow from those of the products of images, whichever are
    fewer.
    """
    if len(learnt) < vectors.shape[1]:
        x = (vectors[learnt] - mean) / scale
        variance, of_images = np.linalg.eigh(x @ x.T)
        kept = variance > SMALLEST_VARIANCE * variance[-1]
        return np.asarray((x.T @ of_images[:, kept] / np.sqrt(variance[kept]))[:, ::-1])
    second = np.zeros((vectors.shape[1],) * 2)
    for rows in DEFAULT_CHUNKS.of(learnt):
        x = (vectors[rows] - mean) / scale
        second += x.T @ x
    variance, axes = np.linalg.eigh(second)
    return np.asarray(axes[:, variance > SMALLEST_VARIANCE * variance[-1]][:, ::-1])
