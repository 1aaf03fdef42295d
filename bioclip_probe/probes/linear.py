"""The linear probe: logistic regression on frozen embeddings."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, replace
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
N_SPACES_KEPT = 4  # splits whose features are in memory


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
    images learnt from twice in float32, and taxa·d numbers in float64 some thirty times.

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
    """The linear probe of one encoder; ranks that learn from the same images share their principal axes.

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
        self._spaces: OrderedDict[tuple[bytes, bytes], Future] = OrderedDict()

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
        space = self._space_of(train, learnt)
        grid, taxa, taxa_learnt = settings.grid or (), np.unique(labels[train]), np.unique(labels[learnt])
        accuracies, models = self._path(space, task, taxa)
        chosen = max(sorted(grid), key=lambda c: accuracies[c])
        start = models[chosen]
        if len(taxa_learnt) > len(taxa):  # val holds taxa that train lacks
            start, known = Softmax.zeros(len(taxa_learnt), space.features.shape[1]), np.searchsorted(taxa_learnt, taxa)
            start.weights[known], start.intercept[known] = models[chosen].weights, models[chosen].intercept
        taxon = np.searchsorted(taxa_learnt, labels[learnt])
        weight = image_weights(taxon, settings.balanced)
        model = fit(space.features, taxon, start, chosen, optimiser, weight)
        n, named = len(labels), np.flatnonzero(split == "test" if settings.only_test else split != "")
        predicted, place, confidence = np.full(n, -1), np.zeros(n, dtype=np.int64), np.full(n, np.nan)
        for rows, scores in self._scores(space, model, named):
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
        self, space: PrincipalAxes, task: LearnTask, taxa: np.ndarray
    ) -> tuple[dict[float, float], dict[float, Softmax]]:
        """Return val accuracy and model at each C, from strong to weak penalty."""
        labels, split, settings = task.labels[0], task.split[0], task.settings
        train, val = (np.flatnonzero(split == name) for name in ("train", "val"))
        taxon = np.searchsorted(taxa, labels[train])
        loose = replace(self.optimiser, tolerance=self.optimiser.path_tolerance)
        grid, start = sorted(settings.grid or ()), Softmax.zeros(len(taxa), space.features.shape[1])
        weight = image_weights(taxon, settings.balanced)
        models = fit_path(space.features[: len(train)], taxon, start, grid, loose, weight)
        together = Softmax(
            np.concatenate([model.weights for model in models], dtype=loose.dtype),
            np.concatenate([model.intercept for model in models]),
        )
        named = [
            best_columns(scores.reshape(-1, len(taxa))).reshape(-1, len(grid))
            for _, scores in self._scores(space, together, val)
        ]
        right = taxa[np.concatenate(named)] == labels[val, None]
        accuracies = {
            c: val_accuracy(own, labels[val], settings.balanced) for c, own in zip(grid, right.T, strict=True)
        }
        return accuracies, dict(zip(grid, models, strict=True))

    def _scores(self, space: PrincipalAxes, model: Softmax, rows: np.ndarray) -> Iterator[tuple[np.ndarray, Any]]:
        """Yield blocks of the rows, and their scores for every row of the weights, where the features are."""
        dtype, n_scores = self.optimiser.dtype, len(model.intercept)
        mean = space.mean.astype(np.result_type(self.vectors, dtype))
        weights: Any = space.in_dimensions(model.weights.astype(dtype, copy=False))
        intercept: Any = model.intercept.astype(dtype)
        if uses_torch(self.device):
            weights, intercept = tensor(weights, self.device), tensor(intercept, self.device)
        for chunk in Chunks(self.optimiser.cells, self.optimiser.cells).of(rows, max(n_scores, len(mean))):
            centred: Any = (self.vectors[chunk] - mean).astype(dtype, copy=False)
            if uses_torch(self.device):
                centred = tensor(centred, self.device)
            scores = centred @ weights
            scores += intercept
            yield chunk, scores

    def _space_of(self, train: np.ndarray, learnt: np.ndarray) -> PrincipalAxes:
        """Return the principal axes of a split; the thread that asks first computes them."""
        key = train.tobytes(), learnt.tobytes()
        with self._lock:
            is_first = key not in self._spaces
            space = self._spaces.setdefault(key, Future())
            while len(self._spaces) > N_SPACES_KEPT:
                self._spaces.popitem(last=False)
        if is_first:
            try:
                found = principal_axes(self.vectors, train, learnt, self.optimiser.dtype)
                if uses_torch(self.device):
                    found = replace(found, features=tensor(found.features, self.device))
                space.set_result(found)
            except BaseException as error:
                space.set_exception(error)
                raise
        return space.result()


@dataclass(frozen=True, eq=False)
class PrincipalAxes:
    """The images learnt from along their principal axes, and the way back to the dimensions of the vectors.

    Attributes
    ----------
    features : ndarray or torch.Tensor, shape (l, k)
        The images learnt from; k is the number of axes along which they differ.
    mean : ndarray, shape (d,), float64
        What was subtracted from the vectors.
    axes : tuple of ndarray
        Matrices whose product, (d, k), leads from the axes to the dimensions, and divides by the scale. They are not
        multiplied where the weights of some taxa cost less.

    Examples
    --------
    >>> space = PrincipalAxes(np.eye(2), np.zeros(3), (np.ones((3, 1)), np.array([[0.0, 2.0]])))
    >>> space.in_dimensions(np.array([[5.0, 1.0]])).tolist()
    [[2.0], [2.0], [2.0]]
    """

    features: Any
    mean: np.ndarray
    axes: tuple[np.ndarray, ...]

    def in_dimensions(self, weights: np.ndarray) -> np.ndarray:
        """Return weights along the axes as weights of the centred vectors.

        Parameters
        ----------
        weights : ndarray, shape (K, k)

        Returns
        -------
        ndarray, shape (d, K)
        """
        result = weights.T
        for matrix in reversed(self.axes):
            result = matrix @ result
        return result


def principal_axes(
    vectors: np.ndarray, train: np.ndarray, learnt: np.ndarray, dtype: str = DEFAULT_OPTIMISER.dtype
) -> PrincipalAxes:
    """Return the images learnt from, centred and scaled by those of train, along their principal axes.

    The optimal weights lie in the span of the images learnt from. So the weight along an axis on which these images do
    not differ is 0, and the axis is left out. The axes are eigenvectors of the products of dimensions, or follow from
    those of the products of images, whichever are fewer.

    Parameters
    ----------
    vectors : ndarray, shape (n, d), float
    train : ndarray, shape (m,), int64
        Rows whose mean is subtracted and whose mean squared norm becomes 1.
    learnt : ndarray, shape (l,), int64
        Rows whose principal axes are taken.
    dtype : str
        Type of the features.

    Returns
    -------
    PrincipalAxes
        The axis with the largest variance is first. There is one column of zeros if the train vectors coincide.

    Examples
    --------
    >>> rows = np.arange(3)
    >>> principal_axes(np.array([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0]]), rows, rows).features.shape
    (3, 1)
    """
    mean, d = vectors[train].mean(axis=0, dtype=np.float64), vectors.shape[1]
    squares = sum(float(np.sum((vectors[rows] - mean) ** 2)) for rows in DEFAULT_CHUNKS.of(train))
    scale = np.sqrt(squares / len(train))
    if scale < ROUNDING:
        return PrincipalAxes(np.zeros((len(learnt), 1), dtype=dtype), mean, (np.zeros((d, 1), dtype=dtype),))
    if len(learnt) < d:
        x = (vectors[learnt] - mean) / scale
        variance, of_images = _eigenvectors(x @ x.T)
        features = (of_images * np.sqrt(variance)).astype(dtype)
        back = (x.T / scale).astype(dtype), (of_images / np.sqrt(variance)).astype(dtype)
        return PrincipalAxes(features, mean, back)
    second = np.zeros((d, d))
    for rows in DEFAULT_CHUNKS.of(learnt):
        x = (vectors[rows] - mean) / scale
        second += x.T @ x
    _, axes = _eigenvectors(second)
    features, filled = np.empty((len(learnt), axes.shape[1]), dtype=dtype), 0
    for rows in DEFAULT_CHUNKS.of(learnt):
        features[filled : filled + len(rows)] = (vectors[rows] - mean) / scale @ axes
        filled += len(rows)
    return PrincipalAxes(features, mean, ((axes / scale).astype(dtype),))


def _eigenvectors(products: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the eigenvalues above rounding, the largest first, and their eigenvectors."""
    variance, vectors = np.linalg.eigh(products)
    kept = variance > SMALLEST_VARIANCE * variance[-1]
    return variance[kept][::-1], vectors[:, kept][:, ::-1]
