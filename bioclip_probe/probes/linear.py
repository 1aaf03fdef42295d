"""The linear probe: logistic regression on frozen embeddings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np

from bioclip_probe.errors import some
from bioclip_probe.probes.predictions import Predictions, ranked
from bioclip_probe.probes.softmax import MAX_ITERATIONS, Softmax, fit
from bioclip_probe.probes.splits import named_parts, unlearnable
from bioclip_probe.stats.threads import SMALL_WORK, one_thread

GRID = tuple(10.0**power for power in range(-2, 5))
ROUNDING = 1e-6  # embeddings that scatter less than this are equal but for the rounding of float32
THINNEST = 1e-12  # share of the widest axis' variance below which an axis holds nothing but rounding
PATH_TOLERANCE, TOLERANCE = 1e-4, 1e-6  # of `softmax.fit`: while C is chosen, and for the probe that answers
CHUNK = 8192
PRECISION = "float32"  # of products; tests go to the optimum in float64


def linear(
    vectors: np.ndarray,
    labels: np.ndarray,
    split: np.ndarray,
    grid: tuple[float, ...] = GRID,
    device: str = "cpu",
    refit: bool = True,
) -> list[Predictions]:
    """Learn to name the taxa of each rank from embeddings, and name them.

    Parameters
    ----------
    vectors : ndarray, shape (n, d), float32
        Embeddings.
    labels : ndarray, shape (R, n), int64
        Taxon at each rank; an image without a name (−1) is left out there.
    split : ndarray, shape (R, n), of str
        ``train``, ``val``, ``test`` or empty, as from `splits.split_by_image`.
    grid : tuple of float
        Values of C to choose from, by default 0.01, 0.1, … 10,000.
    device : str
        Where it is computed, a device of torch.
    refit : bool
        Learn anew on train and val once C is chosen; otherwise the probe that learnt on train answers.

    Returns
    -------
    list of R Predictions
        The taxa named for every image of the split, with their probability; train and val images were learnt from.
        With a part that is empty, or fewer than two taxa to learn, there are none and the note says why. The note also
        names every C at which the optimiser did not converge.

    Raises
    ------
    DataError
        If a vector is not finite.
    ValueError
        If the split holds another word, or the grid a C that is not positive.

    Notes
    -----
    Multinomial logistic regression with intercepts, minimising C·Σ loss + ‖W‖²/2, by `softmax.fit`. Two taxa have a
    row of W each as any others have, so that C means the same whatever their number; a binomial regression has the
    same optimum at C/2. The mean of the train images is subtracted and all features are divided by one number, so that
    the mean squared norm of the train images is 1: C means the same at every width, and no direction is favoured, so
    that a rotation of the embedding changes nothing. C is the one with the highest top-1 accuracy on val when learnt
    on train, of equal ones the smallest; the probe is then learnt anew on train and val together, as in CLIP's linear
    probe (Radford et al. 2021, Appendix A.3). Cost O(n·d·taxa) an iteration, some tens of iterations for each C.
    Memory: the features twice in float32, and taxa·d numbers in float64 some thirty times.
    """
    if not len(grid) or min(grid) <= 0:
        raise ValueError(f"expected a grid of positive C, got {grid}")
    jobs = _jobs(vectors, labels, named_parts(vectors, labels, split), device, refit)
    learn = partial(_learn, grid=grid)
    most_taxa = max((len(np.unique(own)) for own in labels), default=0)
    if len(vectors) * vectors.shape[1] * most_taxa < SMALL_WORK:
        return _side_by_side(learn, list(jobs))
    return [learn(*job) for job in jobs]  # one after the other: features make room for those of the next rank


def _jobs(vectors, labels, split, device, refit) -> Iterator[tuple]:
    """What `_learn` is told of each rank; ranks that learn from the same images share their features."""
    features, turned = None, None
    for own, part in zip(labels, split, strict=True):
        note = unlearnable(own, part)
        train, val = (np.flatnonzero(part == name) for name in ("train", "val"))
        learnt = np.concatenate([train, val]) if refit else train
        if not note and (train.tobytes(), learnt.tobytes()) != turned:
            features, turned = _features(vectors, train, learnt, device), (train.tobytes(), learnt.tobytes())
        yield features, own, part, learnt, note


def _side_by_side(learn: Callable[..., Predictions], jobs: list[tuple]) -> list[Predictions]:
    """What is learnt at all ranks, a thread each: alone, each is too small for more than one."""
    import torch

    threads = torch.get_num_threads()
    try:
        with one_thread, ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(pool.map(lambda job: learn(*job), jobs))
    finally:
        torch.set_num_threads(threads)


def _features(vectors: np.ndarray, train: np.ndarray, learnt: np.ndarray, device: str) -> Any:
    """All rows centred and scaled by those of train, along the principal axes of those learnt from; on `device`.

    The optimal weights lie in the span of the images learnt from: an axis on which these do not differ meets weight 0,
    and is left out.
    """
    import torch

    mean = vectors[train].mean(axis=0, dtype=np.float64)
    squares = sum(float(np.sum((vectors[rows] - mean) ** 2)) for rows in _chunks(train))
    scale = np.sqrt(squares / len(train))
    if scale < ROUNDING:
        return torch.zeros((len(vectors), 1), device=device)
    second = np.zeros((vectors.shape[1],) * 2)
    for rows in _chunks(learnt):
        x = (vectors[rows] - mean) / scale
        second += x.T @ x
    variance, axes = np.linalg.eigh(second)
    axes = axes[:, variance > THINNEST * variance[-1]][:, ::-1]
    features = torch.empty((len(vectors), axes.shape[1]), dtype=getattr(torch, PRECISION), device=device)
    for rows in _chunks(np.arange(len(vectors))):
        features[rows[0] : rows[-1] + 1] = torch.from_numpy((vectors[rows] - mean) / scale @ axes)
    return features


def _chunks(rows):
    return (rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK))


def _learn(features: Any, labels: np.ndarray, split: np.ndarray, learnt: np.ndarray, note: str, grid) -> Predictions:
    if note:
        return Predictions.undefined(split, note)
    train, val = (np.flatnonzero(split == name) for name in ("train", "val"))
    taxa = np.unique(labels[train])
    accuracies, models = _path(features, labels, train, val, taxa, grid)
    chosen = max(sorted(grid), key=lambda c: accuracies[c])
    start, every = models[chosen], np.unique(labels[learnt])
    if len(every) > len(taxa):  # val holds taxa that train lacks
        start, met = Softmax.zeros(len(every), features.shape[1]), np.searchsorted(every, taxa)
        start.weights[met], start.intercept[met] = models[chosen].weights, models[chosen].intercept
    model = fit(_of(features, learnt), np.searchsorted(every, labels[learnt]), start, chosen, tolerance=TOLERANCE)
    predicted, place, confidence = _named(model, features, labels, np.flatnonzero(split != ""), every)
    slow = sorted({c for c in grid if not models[c].converged} | (set() if model.converged else {chosen}))
    settings = {
        "C": chosen,
        "grid": [float(c) for c in grid],
        "val_accuracy": [accuracies[c] for c in grid],
        "learnt_from": "train and val" if len(learnt) > len(train) else "train",
        "features": "train mean subtracted, one scale for all",
        "max_iterations": MAX_ITERATIONS,
        "tolerance": TOLERANCE,
    }
    note = f"the optimiser did not converge at C = {some(slow)}" if slow else ""
    return Predictions(predicted, split, settings, note, place, confidence)


def _path(features, labels, train, val, taxa, grid):
    """Val accuracy and model at each C, from the strongest penalty to the weakest, each started from the last."""
    x, taxon = _of(features, train), np.searchsorted(taxa, labels[train])
    model = Softmax.zeros(len(taxa), features.shape[1])
    accuracies, models = {}, {}
    for c in sorted(grid):
        model = models[c] = fit(x, taxon, model, c, tolerance=PATH_TOLERANCE)
        predicted, _, _ = _named(model, features, labels, val, taxa)
        accuracies[c] = float(np.mean(predicted[val] == labels[val]))
    return accuracies, models


def _of(features, rows):
    import torch

    return features[torch.from_numpy(rows).to(features.device)]


def _named(model, features, labels, rows, taxa):
    """Predicted taxon, place of the truth and probability of the answer; those not of `rows` −1, 0 and NaN."""
    n = len(labels)
    predicted, place, confidence = np.full(n, -1), np.zeros(n, dtype=np.int64), np.full(n, np.nan)
    for part, scores in model.scores(features, rows):
        predicted[part], place[part] = ranked(scores, taxa, labels[part])
        beyond = scores - scores.max(axis=1, keepdims=True)
        confidence[part] = 1 / np.exp(beyond).sum(axis=1, dtype=np.float64)
    return predicted, place, confidence
