"""Multinomial logistic regression by L-BFGS, along a path of C, for many images and many taxa.

The objective is C·Σ loss + ‖W‖²/2 with free intercepts. Three things make it quick. Features are turned into their
principal axes, which changes no optimum, since the penalty does not feel a rotation. There the Hessian is nearly
diagonal, w_k·λ_j + 1/(C·n) for taxon k and axis j, with w_k the mean of p(1 − p) and λ_j the variance along the axis;
L-BFGS works on variables scaled by its root, and needs a fraction of the steps. And products are in float32, by blocks
of rows; sums and weights are in float64.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

MAX_ITERATIONS = 2000
TOLERANCE = 1e-6
CELLS = 2**23  # images × taxa looked at together: 32 MiB of float32; fewer rows would add up gradients more often
FLATTEST = 1e-3  # least share of the largest possible p(1 − p) that a taxon's curvature is taken for
STEPS_KEPT = 10
ENOUGH = 1e-4  # share of the promised descent that a step must bring
SHORTEST = 1e-10


@dataclass(frozen=True, eq=False)
class Softmax:
    """A fitted model: scores are ``features @ weights.T + intercept``.

    Attributes
    ----------
    weights : ndarray, shape (K, d), float64
    intercept : ndarray, shape (K,), float64
        Mean 0: only differences matter.
    converged : bool
    n_iterations : int
    """

    weights: np.ndarray
    intercept: np.ndarray
    converged: bool = True
    n_iterations: int = 0

    @classmethod
    def zeros(cls, n_taxa: int, d: int) -> Softmax:
        return cls(np.zeros((n_taxa, d)), np.zeros(n_taxa))

    def scores(self, features: Any, rows: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Blocks of some rows, and their scores, shape (b, K)."""
        import torch

        weights, intercept = (
            torch.from_numpy(np.ascontiguousarray(array)).to(features) for array in (self.weights.T, self.intercept)
        )
        block = max(CELLS // max(len(self.intercept), 1), 1)
        for start in range(0, len(rows), block):
            part = rows[start : start + block]
            x = features[torch.from_numpy(part).to(features.device)]
            yield part, torch.addmm(intercept, x, weights).cpu().numpy()


def fit(
    features: Any,
    taxon: np.ndarray,
    start: Softmax,
    c: float,
    cells: int = CELLS,
    tolerance: float = TOLERANCE,
) -> Softmax:
    """The optimum at one C, from where another model stands.

    Parameters
    ----------
    features : torch.Tensor, shape (n, d), float32
        In principal axes, or nearly so: that is for speed, the optimum is the same in any. Products are as precise as
        these: float64 is for tests.
    taxon : ndarray, shape (n,), int64
        From 0 to K − 1; every taxon has images.
    start : Softmax
        Of K taxa.
    c : float
        Above 0.
    cells : int
        Images × taxa looked at together. It changes memory and speed, the result by rounding only.
    tolerance : float
        Share of the objective that a Newton step would still gain, by what is known of the curvature, where the
        optimiser stops.

    Returns
    -------
    Softmax
        Not `converged` if it did not get there in `MAX_ITERATIONS` steps, or rounding stopped it.

    Notes
    -----
    O(n·d·K) an iteration, memory O(cells + K·d·`STEPS_KEPT`).

    References
    ----------
    Liu & Nocedal 1989, Math. Program. 45, 503 (L-BFGS). Böhning 1992, Ann. Inst. Stat. Math. 44, 197 (Hessian).
    """
    import torch

    n, (n_taxa, d) = len(taxon), start.weights.shape
    objective = _Objective(features, taxon, n_taxa, 1 / (c * n), cells)
    first = torch.from_numpy(np.column_stack([start.weights, start.intercept])).to(features.device)
    scale = objective.curvature(first).sqrt_()

    def scaled(z: Any) -> tuple[float, Any]:
        value, gradient = objective(z / scale)
        return value, gradient.div_(scale)

    found, converged, n_iterations = _descend(scaled, first * scale, tolerance)
    weights = (found / scale).cpu().numpy()
    return Softmax(weights[:, :d], weights[:, d] - weights[:, d].mean(), converged, n_iterations)


def _descend(objective: Callable[[Any], tuple[float, Any]], at: Any, tolerance: float) -> tuple[Any, bool, int]:
    """L-BFGS from a point on, where the Hessian is near the identity; the end, whether it converged, and the steps."""
    value, slope = objective(at)
    steps: deque[tuple[Any, Any, float]] = deque(maxlen=STEPS_KEPT)
    for n_iterations in range(MAX_ITERATIONS):
        towards = _direction(slope, steps)
        descent = _inner(slope, towards)
        if -descent / 2 <= tolerance * value:  # what a Newton step would gain
            return at, True, n_iterations
        reach = 1.0
        while True:
            there = at + reach * towards
            new_value, new_slope = objective(there)
            if new_value <= value + ENOUGH * reach * descent:
                break
            bent = 2 * (new_value - value - reach * descent)  # of the parabola through what is known of this line
            reach = float(np.clip(-descent * reach**2 / bent, 0.1 * reach, 0.5 * reach))
            if reach < SHORTEST:
                return at, False, n_iterations
        moved, turned = there - at, new_slope - slope
        along = _inner(moved, turned)
        if along > 0:
            steps.append((moved, turned, along))
        at, value, slope = there, new_value, new_slope
    return at, False, MAX_ITERATIONS


def _direction(slope: Any, steps: deque[tuple[Any, Any, float]]) -> Any:
    """−H·slope, with H the inverse Hessian that the last steps tell of (Nocedal 1980, the two loops)."""
    towards, shares = slope.neg(), []
    for moved, turned, along in reversed(steps):
        shares.append(_inner(moved, towards) / along)
        towards -= shares[-1] * turned
    if steps:
        _, turned, along = steps[-1]
        towards *= along / _inner(turned, turned)
    for (moved, turned, along), share in zip(steps, reversed(shares), strict=True):
        towards += (share - _inner(turned, towards) / along) * moved
    return towards


def _inner(a: Any, b: Any) -> float:
    return float((a.ravel() @ b.ravel()).item())


class _Objective:
    """Mean loss + penalty·‖W‖²/2 and its gradient, at weights and intercepts of shape (K, d + 1), float64."""

    def __init__(self, features: Any, taxon: np.ndarray, n_taxa: int, penalty: float, cells: int):
        import torch

        self.features, self.penalty, self.n_taxa = features, penalty, n_taxa
        self.taxon = torch.from_numpy(np.ascontiguousarray(taxon)).to(features.device)
        self.block = max(cells // n_taxa, 1)

    def __call__(self, weights: Any) -> tuple[float, Any]:
        loss, gradient = 0.0, weights.new_zeros(weights.shape)
        for x, share, block_loss, _ in self._blocks(weights):
            loss += block_loss
            gradient[:, :-1] += share.T @ x
            gradient[:, -1] += share.sum(dim=0)
        gradient /= len(self.taxon)
        gradient[:, :-1] += self.penalty * weights[:, :-1]
        return loss / len(self.taxon) + self.penalty * float((weights[:, :-1] ** 2).sum()) / 2, gradient

    def curvature(self, weights: Any) -> Any:
        """What the diagonal of the Hessian would be were taxa and axes independent, shape (K, d + 1)."""
        import torch

        spread = weights.new_zeros(self.n_taxa)
        for _, share, _, own in self._blocks(weights):
            share.scatter_add_(1, own[:, None], share.new_ones((len(own), 1)))  # p − 1 becomes p again
            spread += (share * (1 - share)).sum(dim=0)
        spread = (spread / len(self.taxon)).clamp_(min=FLATTEST / self.n_taxa)[:, None]
        variance = (self.features**2).mean(dim=0).to(weights.dtype)
        return torch.cat([spread * variance + self.penalty, spread], dim=1)

    def _blocks(self, weights: Any) -> Iterator[tuple[Any, Any, float, Any]]:
        """Features, p less 1 for the own taxon, summed loss, and own taxon, of one block of rows after the other."""
        import torch

        transposed = weights[:, :-1].T.to(self.features.dtype).contiguous()
        intercept = weights[:, -1].to(self.features.dtype)
        for start in range(0, len(self.taxon), self.block):
            x, own = self.features[start : start + self.block], self.taxon[start : start + self.block]
            scores = torch.addmm(intercept, x, transposed)
            scores -= scores.amax(dim=1, keepdim=True)
            right = scores.gather(1, own[:, None]).squeeze(1)
            share = scores.exp_()
            total = share.sum(dim=1)
            loss = float((total.log() - right).sum(dtype=torch.float64))
            share /= total[:, None]
            share.scatter_add_(1, own[:, None], share.new_full((len(own), 1), -1.0))
            yield x, share, loss, own
