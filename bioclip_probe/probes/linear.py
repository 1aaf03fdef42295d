"""The linear probe: logistic regression on frozen embeddings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from bioclip_probe.errors import some
from bioclip_probe.probes.inputs import check_split, image_weights, learning_obstacle, val_accuracy
from bioclip_probe.probes.learning import DEFAULT_SETTINGS, LearnSettings
from bioclip_probe.probes.predictions import Predictions, rank_taxa
from bioclip_probe.probes.softmax import DEFAULT_OPTIMISER, Optimiser, Softmax, fit
from bioclip_probe.stats.threads import SMALL_WORK, one_thread

if TYPE_CHECKING:
    import torch

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
    O(n·d·taxa) an iteration, some tens of iterations for each C. Memory: the features twice in float32, and taxa·d
    numbers in float64 some thirty times.

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
    settings = settings.or_grid(GRID)
    if not settings.grid or min(settings.grid) <= 0:
        raise ValueError(f"expected a grid of positive C, got {settings.grid}")
    tasks = _rank_tasks(vectors, labels, check_split(vectors, labels, split), settings, optimiser)

    def learn(task: _RankTask | Predictions) -> Predictions:
        return task if isinstance(task, Predictions) else _learn(task, settings, optimiser)

    most_taxa = max((len(np.unique(own)) for own in labels), default=0)
    if len(vectors) * vectors.shape[1] * most_taxa < SMALL_WORK:
        return _run_in_threads(learn, list(tasks))
    return [learn(task) for task in tasks]  # one after the other: the features of one rank are in memory at a time


@dataclass(frozen=True, eq=False)
class _RankTask:
    """One rank that can be learnt.

    Attributes
    ----------
    features : torch.Tensor, shape (n, k)
    labels : ndarray, shape (n,), int64
    split : ndarray, shape (n,), of str
    learnt : ndarray, shape (m,), int64
        Rows that the final probe is fitted on, train before val.
    """

    features: torch.Tensor
    labels: np.ndarray
    split: np.ndarray
    learnt: np.ndarray


def _rank_tasks(
    vectors: np.ndarray, labels: np.ndarray, split: np.ndarray, settings: LearnSettings, optimiser: Optimiser
) -> Iterator[_RankTask | Predictions]:
    """Yield the task of each rank, or undefined predictions; ranks that learn from the same images share features."""
    features, rows_of_features = None, None
    for own, own_split in zip(labels, split, strict=True):
        obstacle = learning_obstacle(own, own_split)
        if obstacle:
            yield Predictions.undefined(own_split, obstacle)
            continue
        train, val = (np.flatnonzero(own_split == name) for name in ("train", "val"))
        learnt = np.concatenate([train, val]) if settings.refit else train
        if features is None or (train.tobytes(), learnt.tobytes()) != rows_of_features:
            features = principal_features(vectors, train, learnt, settings, optimiser.dtype)
            rows_of_features = (train.tobytes(), learnt.tobytes())
        yield _RankTask(features, own, own_split, learnt)


def _run_in_threads(
    learn: Callable[[_RankTask | Predictions], Predictions], tasks: list[_RankTask | Predictions]
) -> list[Predictions]:
    """Learn all ranks at once, one thread each: each is too small for more threads."""
    import torch

    threads = torch.get_num_threads()
    try:
        with one_thread, ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(pool.map(learn, tasks))
    finally:
        torch.set_num_threads(threads)


def principal_features(
    vectors: np.ndarray,
    train: np.ndarray,
    learnt: np.ndarray,
    settings: LearnSettings = DEFAULT_SETTINGS,
    dtype: str = DEFAULT_OPTIMISER.dtype,
) -> torch.Tensor:
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
    settings : LearnSettings
        Device and chunks.
    dtype : str

    Returns
    -------
    torch.Tensor, shape (n, k)
        k is the number of axes with any variance. One column of zeros if the train vectors coincide.

    Examples
    --------
    >>> rows = np.arange(3)
    >>> principal_features(np.array([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0]]), rows, rows).shape
    torch.Size([3, 1])
    """
    import torch

    chunks = settings.chunks
    mean = vectors[train].mean(axis=0, dtype=np.float64)
    squares = sum(float(np.sum((vectors[rows] - mean) ** 2)) for rows in chunks.of(train))
    scale = np.sqrt(squares / len(train))
    if scale < ROUNDING:
        return torch.zeros((len(vectors), 1), device=settings.device)
    second = np.zeros((vectors.shape[1],) * 2)
    for rows in chunks.of(learnt):
        x = (vectors[rows] - mean) / scale
        second += x.T @ x
    variance, axes = np.linalg.eigh(second)
    axes = axes[:, variance > SMALLEST_VARIANCE * variance[-1]][:, ::-1]
    shape, types = (len(vectors), axes.shape[1]), {"float32": torch.float32, "float64": torch.float64}
    features = torch.empty(shape, dtype=types[dtype], device=settings.device)
    for rows in chunks.of(np.arange(len(vectors))):
        features[rows[0] : rows[-1] + 1] = torch.from_numpy((vectors[rows] - mean) / scale @ axes)
    return features


def _learn(task: _RankTask, settings: LearnSettings, optimiser: Optimiser) -> Predictions:
    """Choose C on val, fit the final probe and name the taxa of all images."""
    grid, features, labels, split = settings.grid or (), task.features, task.labels, task.split
    taxa, taxa_learnt = np.unique(labels[split == "train"]), np.unique(labels[task.learnt])
    accuracies, models = _fit_path(task, taxa, settings, optimiser)
    chosen = max(sorted(grid), key=lambda c: accuracies[c])
    start = models[chosen]
    if len(taxa_learnt) > len(taxa):  # val holds taxa that train lacks
        start, known = Softmax.zeros(len(taxa_learnt), features.shape[1]), np.searchsorted(taxa_learnt, taxa)
        start.weights[known], start.intercept[known] = models[chosen].weights, models[chosen].intercept
    taxon = np.searchsorted(taxa_learnt, labels[task.learnt])
    weight = image_weights(taxon, settings.balanced)
    model = fit(_take(features, task.learnt), taxon, start, chosen, optimiser, weight)
    named = np.flatnonzero(split != "")
    predicted, place, confidence = _name_taxa(model, features, labels, named, taxa_learnt, optimiser.cells)
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
    return Predictions(predicted, split, choice, note, place, confidence)


def _fit_path(
    task: _RankTask, taxa: np.ndarray, settings: LearnSettings, optimiser: Optimiser
) -> tuple[dict[float, float], dict[float, Softmax]]:
    """Return val accuracy and model at each C, from strong to weak penalty, each fit started from the last."""
    features, labels, split = task.features, task.labels, task.split
    train, val = (np.flatnonzero(split == name) for name in ("train", "val"))
    x, taxon = _take(features, train), np.searchsorted(taxa, labels[train])
    model = Softmax.zeros(len(taxa), features.shape[1])
    loose = replace(optimiser, tolerance=optimiser.path_tolerance)
    accuracies, models = {}, {}
    weight = image_weights(taxon, settings.balanced)
    for c in sorted(settings.grid or ()):
        model = models[c] = fit(x, taxon, model, c, loose, weight)
        predicted, _, _ = _name_taxa(model, features, labels, val, taxa, optimiser.cells)
        accuracies[c] = val_accuracy(predicted[val] == labels[val], labels[val], settings.balanced)
    return accuracies, models


def _take(features: torch.Tensor, rows: np.ndarray) -> torch.Tensor:
    """Return some rows of the features."""
    import torch

    return features[torch.from_numpy(rows).to(features.device)]


def _name_taxa(
    model: Softmax, features: torch.Tensor, labels: np.ndarray, rows: np.ndarray, taxa: np.ndarray, cells: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return predicted taxon, place of the true taxon and probability; −1, 0 and NaN for images not in `rows`."""
    n = len(labels)
    predicted, place, confidence = np.full(n, -1), np.zeros(n, dtype=np.int64), np.full(n, np.nan)
    for chunk, scores in model.scores(features, rows, cells):
        predicted[chunk], place[chunk] = rank_taxa(scores, taxa, labels[chunk])
        below_best = scores - scores.max(axis=1, keepdims=True)
        confidence[chunk] = 1 / np.exp(below_best).sum(axis=1, dtype=np.float64)
    return predicted, place, confidence
