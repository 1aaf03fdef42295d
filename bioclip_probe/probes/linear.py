"""The linear probe: logistic regression on frozen embeddings."""

from __future__ import annotations

import copy
import warnings

import numpy as np

from bioclip_probe.errors import DataError, some
from bioclip_probe.probes.predictions import Predictions
from bioclip_probe.probes.splits import SPLITS
from bioclip_probe.stats.threads import matched_threads

GRID = tuple(10.0**power for power in range(-2, 5))
MAX_ITERATIONS = 2000
TOLERANCE = 1e-4  # largest entry of the gradient of the mean loss at which the optimiser stops, scikit-learn's own
ROUNDING = 1e-6  # embeddings that scatter less than this are equal but for the rounding of float32


def linear_probe(
    vectors: np.ndarray, labels: np.ndarray, split: np.ndarray, grid: tuple[float, ...] = GRID
) -> Predictions:
    """Learn to name the taxa of one rank from embeddings, and name them.

    Parameters
    ----------
    vectors : ndarray, shape (n, d), float32
        Embeddings.
    labels : ndarray, shape (n,), int64
        Taxon at the rank; an image without a name (−1) is left out.
    split : ndarray, shape (n,), of str
        ``train``, ``val``, ``test`` or empty, as from `splits.split_by_image`.
    grid : tuple of float
        Values of C to choose from, by default 0.01, 0.1, … 10,000.

    Returns
    -------
    Predictions
        The taxa named for every image of the split; train and val images were learnt from. With a part that is
        empty, or fewer than two taxa to learn, there are none and the note says why. The note also names every C at
        which the optimiser did not converge.

    Raises
    ------
    DataError
        If a vector is not finite.
    ValueError
        If the split holds another word, or the grid a C that is not positive.

    Notes
    -----
    Multinomial logistic regression with intercept, minimising C·Σ loss + ‖W‖²/2 (two taxa: binomial), by L-BFGS. The
    mean of the train images is subtracted and all features are divided by one number, so that the mean squared norm
    of the train images is 1: C means the same at every width, and no direction is favoured, so that a rotation of the
    embedding changes nothing. C is the one with the highest top-1 accuracy on val when learnt on train, of equal ones
    the smallest; the probe is then learnt anew on train and val together, as in CLIP's linear probe (Radford et al.
    2021, Appendix A.3). More dimensions than images are first rotated away, which changes no prediction. Cost
    O(n·d·taxa) an iteration, some tens of iterations for each C.
    """
    _check(vectors, split, grid)
    split = np.where(labels >= 0, split, "")
    train, val, test = (np.flatnonzero(split == name) for name in SPLITS)
    empty = [name for name, rows in zip(SPLITS, (train, val, test), strict=True) if not len(rows)]
    if empty:
        return Predictions.undefined(split, f"no image in {' and '.join(empty)}: too few taxa with three images")
    if len(np.unique(labels[train])) < 2:
        return Predictions.undefined(split, "only one taxon to learn")
    rows = np.concatenate([train, val, test])
    with matched_threads(len(rows) * vectors.shape[1] * len(np.unique(labels[train]))):
        named, settings, note = _learn(vectors[rows], labels[rows], len(train), len(train) + len(val), grid)
    predicted = np.full(len(labels), -1, dtype=np.int64)
    predicted[rows] = named
    return Predictions(predicted, split, settings, note)


def _check(vectors, split, grid):
    broken = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(broken):
        raise DataError(f"embeddings must be finite; not so in row {some(broken)}")
    strange = sorted(set(np.unique(split).tolist()) - {*SPLITS, ""})
    if strange:
        raise ValueError(f"expected a split of {', '.join(SPLITS)} or empty, got {some(strange)}")
    if not len(grid) or min(grid) <= 0:
        raise ValueError(f"expected a grid of positive C, got {grid}")


def _learn(rows, taxa, n_train, n_learnt, grid):
    """Predictions for rows in the order train, val, test; what was chosen; and a note."""
    features = _features(rows.astype(np.float64), n_train, n_learnt)
    accuracies, model, slow = _path(features, taxa, n_train, n_learnt, grid)
    chosen = float(model.C)
    if len(np.unique(taxa[:n_learnt])) > len(model.classes_):
        model = _regression(chosen)  # val holds taxa that train lacks: weights of another shape, so from zero
    if not _converges(model, features[:n_learnt], taxa[:n_learnt]):
        slow.add(chosen)
    settings = {
        "C": chosen,
        "grid": [float(c) for c in grid],
        "val_accuracy": [accuracies[c] for c in grid],
        "refitted_on": "train and val",
        "features": "train mean subtracted, one scale for all",
        "max_iterations": MAX_ITERATIONS,
        "tolerance": TOLERANCE,
    }
    note = f"not converged after {MAX_ITERATIONS} iterations at C = {some(sorted(slow))}" if slow else ""
    return model.predict(features), settings, note


def _features(rows, n_train, n_learnt):
    """Rows centred and scaled by their first `n_train`, in no more dimensions than the first `n_learnt` span."""
    rows = rows - rows[:n_train].mean(axis=0)
    scale = np.sqrt(np.mean(np.sum(rows[:n_train] ** 2, axis=1)))
    if scale < ROUNDING:
        return np.zeros((len(rows), 1))
    rows /= scale
    if rows.shape[1] > n_learnt:
        # The optimal weights lie in the span of the images learnt from; what is orthogonal to it meets weight 0.
        rows = rows @ np.linalg.qr(rows[:n_learnt].T)[0]
    return rows


def _path(features, taxa, n_train, n_learnt, grid):
    """From the strongest regularisation to the weakest, each started from the last.

    Returns the val accuracy at each C, the model of the best C, and the C that did not converge.
    """
    train, val = slice(n_train), slice(n_train, n_learnt)
    model, best = _regression(1.0), None
    accuracies, slow = {}, set()
    for c in sorted(grid):
        model.C = c
        if not _converges(model, features[train], taxa[train]):
            slow.add(float(c))
        accuracies[c] = float(np.mean(model.predict(features[val]) == taxa[val]))
        if best is None or accuracies[c] > accuracies[best.C]:
            best = copy.deepcopy(model)
    return accuracies, best, slow


def _regression(c):
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=c, tol=TOLERANCE, max_iter=MAX_ITERATIONS, warm_start=True)


def _converges(model, features, taxa):
    """Fit the model, from where it stands, and tell whether it converged."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # told by what is returned
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)  # few images a taxon is no fault
        model.fit(features, taxa)
    return bool(np.max(model.n_iter_) < MAX_ITERATIONS)
