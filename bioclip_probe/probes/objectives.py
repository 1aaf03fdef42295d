"""The objective of multinomial logistic regression and its gradient, on the processors or on a device of torch.

Both classes have the features with a column of ones, whose weights are the intercepts. So one product computes scores,
and another the gradient.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from bioclip_probe.processors import available_processors
from bioclip_probe.stats.threads import SMALL_WORK, one_thread

#: Up to this many numbers, features are stored a second time, transposed: small products are much faster.
SMALL_FEATURES = 2**20


def objective_of(
    features: Any, taxon: np.ndarray, n_taxa: int, cells: int, weight: np.ndarray | None = None
) -> Objective:
    """Return the objective of some features and taxa, where the features are.

    Parameters
    ----------
    features : ndarray or torch.Tensor, shape (n, d)
    taxon : ndarray, shape (n,), int64
        From 0 to K − 1.
    n_taxa : int
        K.
    cells : int
        Scores (images times taxa) that are computed at once.
    weight : ndarray, shape (n,), optional
        Weight of each row's loss; by default 1.

    Returns
    -------
    Objective

    Examples
    --------
    >>> objective = objective_of(np.eye(2, dtype=np.float32), np.array([0, 1]), 2, cells=4)
    >>> value, gradient = objective(np.zeros((2, 3)))
    >>> round(value, 4), gradient.tolist()
    (0.6931, [[-0.25, 0.25, 0.0], [0.25, -0.25, 0.0]])
    """
    weight = np.ones(len(taxon)) if weight is None else weight
    kind = Objective if isinstance(features, np.ndarray) else TorchObjective
    return kind(features, taxon, n_taxa, cells, weight)


class Objective:
    """The mean loss at weights and intercepts of shape (K, d + 1), float64, without the penalty.

    Parameters
    ----------
    features : ndarray, shape (n, d)
    taxon : ndarray, shape (n,), int64
    n_taxa, cells : int
    weight : ndarray, shape (n,)
        See `objective_of`.

    Attributes
    ----------
    variance : ndarray, shape (d + 1,), float64
        Mean square of each feature, and 1 for the intercept.

    Examples
    --------
    >>> objective_of(np.eye(2, dtype=np.float32), np.array([0, 1]), 2, cells=4).variance.tolist()
    [0.5, 0.5, 1.0]
    """

    features: Any
    taxon: Any
    weight: Any
    variance: Any

    def __init__(self, features: Any, taxon: np.ndarray, n_taxa: int, cells: int, weight: np.ndarray) -> None:
        n, d = features.shape
        self.features = np.ones((n, d + 1), dtype=features.dtype)
        self.features[:, :d] = features
        self.taxon, self.n_taxa = np.ascontiguousarray(taxon), n_taxa
        self.weight = weight.astype(features.dtype)
        self.variance = np.append(np.einsum("ij,ij->j", features, features, dtype=np.float64) / n, 1.0)
        self._transposed = self.features.T
        if self.features.size <= SMALL_FEATURES:
            self._transposed = np.ascontiguousarray(self._transposed)
        self.block = max(cells // n_taxa, 1)
        self.n_threads = 1 if n * d * n_taxa < SMALL_WORK else available_processors()
        self._room = np.empty(0, dtype=features.dtype)

    def __call__(self, weights: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the mean loss and its gradient, shape (K, d + 1)."""
        parts = self._in_threads(self._loss_and_gradient, weights)
        loss, gradient = parts[0]
        for other_loss, other in parts[1:]:
            loss, gradient = loss + other_loss, np.add(gradient, other, out=gradient)
        gradient /= len(self.taxon)
        return loss / len(self.taxon), gradient

    def spread(self, weights: np.ndarray) -> np.ndarray:
        """Return the mean of p(1 − p) of each taxon, shape (K,)."""
        return sum(self._in_threads(self._spread, weights)) / len(self.taxon)

    def array(self, numbers: np.ndarray) -> np.ndarray:
        """Return numbers as weights can be given."""
        return numbers

    def to_numpy(self, weights: np.ndarray) -> np.ndarray:
        """Return weights as an array of NumPy."""
        return weights

    def room(self, shape: tuple[int, ...]) -> Any:
        """Return room for numbers with the precision of the features, and where these are."""
        return np.empty(shape, dtype=self.features.dtype)

    def _in_threads(self, function: Any, weights: np.ndarray) -> list[Any]:
        """Return what a function returns for each even share of the rows; the shares are as many as threads."""
        weights, n = weights.astype(self.features.dtype), len(self.taxon)
        if self.n_threads == 1:
            if not self._room.size:
                self._room = np.empty(min(self.block, n) * self.n_taxa, dtype=self.features.dtype)
            return [function(range(n), weights, self._room)]
        block = min(self.block, -(-n // self.n_threads))
        shares = [range(n * i // self.n_threads, n * (i + 1) // self.n_threads) for i in range(self.n_threads)]

        def of_share(rows: range) -> Any:
            return function(rows, weights, np.empty(block * self.n_taxa, dtype=self.features.dtype))

        with one_thread, ThreadPoolExecutor(self.n_threads) as pool:
            return list(pool.map(of_share, shares))

    def _blocks(
        self, rows: range, weights: np.ndarray, room: np.ndarray
    ) -> Iterator[tuple[slice, np.ndarray, np.ndarray, np.ndarray]]:
        """Yield blocks of rows, exp of their scores less the best, (K, block), and places and scores of own taxa."""
        length = len(room) // self.n_taxa
        for start in range(rows.start, rows.stop, length):
            block = slice(start, min(start + length, rows.stop))
            n = block.stop - start
            scores = room[: self.n_taxa * n].reshape(self.n_taxa, n)
            np.matmul(weights, self._transposed[:, block], out=scores)
            scores -= scores.max(axis=0)
            places = self.taxon[block] * n + np.arange(n)
            own = scores.reshape(-1)[places]
            yield block, np.exp(scores, out=scores), places, own

    def _loss_and_gradient(self, rows: range, weights: np.ndarray, room: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the summed loss of some rows, and its gradient."""
        loss, gradient = 0.0, np.zeros(weights.shape)
        for block, p, places, own in self._blocks(rows, weights, room):
            total, weight = p.sum(axis=0, dtype=np.float64), self.weight[block]
            loss += float((np.log(total) - own) @ weight)
            p *= (weight / total).astype(p.dtype)
            p.reshape(-1)[places] -= weight
            gradient += p @ self.features[block]
        return loss, gradient

    def _spread(self, rows: range, weights: np.ndarray, room: np.ndarray) -> np.ndarray:
        """Return the weighted sum of p(1 − p) over some rows."""
        spread = np.zeros(self.n_taxa)
        for block, p, *_ in self._blocks(rows, weights, room):
            p /= p.sum(axis=0)
            p *= 1 - p
            spread += p @ self.weight[block]
        return spread


class TorchObjective(Objective):
    """The same objective, computed by torch where the features are.

    Examples
    --------
    >>> import torch
    >>> objective = objective_of(torch.eye(2), np.array([0, 1]), 2, cells=4)
    >>> round(objective(torch.zeros((2, 3), dtype=torch.float64))[0], 4)
    0.6931
    """

    def __init__(self, features: Any, taxon: np.ndarray, n_taxa: int, cells: int, weight: np.ndarray) -> None:
        import torch

        self.features = torch.cat([features, features.new_ones((len(features), 1))], dim=1)
        self.taxon = torch.from_numpy(np.ascontiguousarray(taxon)).to(features.device)
        self.weight = torch.from_numpy(weight).to(features)
        self.variance = self.features.double().square().mean(dim=0)
        self.n_taxa, self.block = n_taxa, max(cells // n_taxa, 1)

    def __call__(self, weights: Any) -> tuple[float, Any]:
        """Return the mean loss and its gradient, shape (K, d + 1)."""
        loss, gradient = weights.new_zeros(()), weights.new_zeros(weights.shape)
        for block, p, own in self._torch_blocks(weights):
            total, weight = p.sum(dim=0, dtype=weights.dtype), self.weight[block]
            loss += ((total.log() - own) * weight).sum()
            p *= (weight / total).to(p.dtype)
            p.scatter_add_(0, self.taxon[None, block], -weight[None])
            gradient += p @ self.features[block]
        return float(loss) / len(self.taxon), gradient.div_(len(self.taxon))

    def spread(self, weights: Any) -> Any:
        """Return the mean of p(1 − p) of each taxon, shape (K,)."""
        spread = weights.new_zeros(self.n_taxa)
        for block, p, _ in self._torch_blocks(weights):
            p /= p.sum(dim=0)
            spread += (p * (1 - p)) @ self.weight[block]
        return spread / len(self.taxon)

    def array(self, numbers: np.ndarray) -> Any:
        """Return numbers as weights can be given."""
        import torch

        return torch.from_numpy(numbers).to(self.features.device)

    def to_numpy(self, weights: Any) -> np.ndarray:
        """Return weights as an array of NumPy."""
        return weights.cpu().numpy()

    def room(self, shape: tuple[int, ...]) -> Any:
        """Return room for numbers with the precision of the features, and where these are."""
        return self.features.new_empty(shape)

    def _torch_blocks(self, weights: Any) -> Iterator[tuple[slice, Any, Any]]:
        """Yield blocks of rows, exp of their scores less the best, (K, block), and the scores of their own taxa."""
        weights = weights.to(self.features.dtype)
        for start in range(0, len(self.taxon), self.block):
            block = slice(start, start + self.block)
            scores = weights @ self.features[block].T
            scores -= scores.amax(dim=0)
            own = scores.gather(0, self.taxon[None, block]).squeeze(0)
            yield block, scores.exp_(), own
