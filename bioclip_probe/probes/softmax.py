"""Multinomial logistic regression by L-BFGS, for many images and many taxa.

The objective is C·Σ weight·loss + ‖W‖²/2; the intercepts are not penalised. Three things make the optimiser fast.
First, features are rotated into their principal axes; that changes no optimum, because the penalty does not depend on a
rotation. Second, in these axes the Hessian is nearly diagonal, w_k·λ_j + 1/(C·n) for taxon k and axis j, with w_k the
mean of p(1 − p) and λ_j the variance along the axis; L-BFGS works on variables that are scaled by its root, and needs a
fraction of the steps. Third, products are computed in float32, block by block; sums and weights are in float64.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

    Step = tuple[torch.Tensor, torch.Tensor, float]  # change of the point, change of the gradient, their product

SMALLEST_CURVATURE = 1e-3  # lower bound on a taxon's mean of p(1 − p), as a share of 1/K


@dataclass(frozen=True)
class Optimiser:
    """Settings of the optimiser.

    Attributes
    ----------
    tolerance : float
        Share of the objective that one more Newton step would gain, as estimated from the curvature. The optimiser
        stops below it.
    path_tolerance : float
        The tolerance of the models that only serve to choose C.
    max_iterations : int
        The optimiser stops after so many steps.
    cells : int
        Scores (images times taxa) that are computed at once; 2²³ are 32 MiB of float32. It changes memory and speed,
        the result by rounding only. With fewer cells, gradients are added up more often.
    n_steps_kept : int
        Steps that L-BFGS remembers.
    sufficient_decrease : float
        Share of the predicted decrease that a step must bring (the Armijo condition).
    shortest_step : float
        The line search gives up below this length: rounding hides any decrease.
    dtype : str
        Type of the features, and so of the products: ``float32``, or ``float64`` to reach the optimum in tests.

    Examples
    --------
    >>> Optimiser(max_iterations=10).max_iterations
    10
    """

    tolerance: float = 1e-6
    path_tolerance: float = 1e-4
    max_iterations: int = 2000
    cells: int = 2**23
    n_steps_kept: int = 10
    sufficient_decrease: float = 1e-4
    shortest_step: float = 1e-10
    dtype: str = "float32"


DEFAULT_OPTIMISER = Optimiser()


@dataclass(frozen=True, eq=False)
class Softmax:
    """A fitted model, whose scores are ``features @ weights.T + intercept``.

    Attributes
    ----------
    weights : ndarray, shape (K, d), float64
    intercept : ndarray, shape (K,), float64
        Their mean is 0: only differences matter.
    converged : bool
    n_iterations : int

    Examples
    --------
    >>> Softmax.zeros(n_taxa=3, d=2).weights.shape
    (3, 2)
    """

    weights: np.ndarray
    intercept: np.ndarray
    converged: bool = True
    n_iterations: int = 0

    @classmethod
    def zeros(cls, n_taxa: int, d: int) -> Softmax:
        """Return the model that gives all taxa the same probability.

        Parameters
        ----------
        n_taxa, d : int

        Returns
        -------
        Softmax
        """
        return cls(np.zeros((n_taxa, d)), np.zeros(n_taxa))

    def scores(
        self, features: torch.Tensor, rows: np.ndarray, cells: int = DEFAULT_OPTIMISER.cells
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield blocks of the rows, and their scores.

        Parameters
        ----------
        features : torch.Tensor, shape (n, d)
        rows : ndarray, shape (m,), int64
        cells : int
            Scores that are computed at once.

        Yields
        ------
        rows : ndarray, shape (b,), int64
        scores : ndarray, shape (b, K)
        """
        import torch

        weights, intercept = (
            torch.from_numpy(np.ascontiguousarray(array)).to(features) for array in (self.weights.T, self.intercept)
        )
        block = max(cells // max(len(self.intercept), 1), 1)
        for start in range(0, len(rows), block):
            chunk = rows[start : start + block]
            x = features[torch.from_numpy(chunk).to(features.device)]
            yield chunk, torch.addmm(intercept, x, weights).cpu().numpy()


def fit(
    features: torch.Tensor,
    taxon: np.ndarray,
    start: Softmax,
    c: float,
    optimiser: Optimiser = DEFAULT_OPTIMISER,
    weight: np.ndarray | None = None,
) -> Softmax:
    """Return the optimum at one C, starting from another model.

    Parameters
    ----------
    features : torch.Tensor, shape (n, d), float32
        In principal axes, or nearly so; this matters for speed only, the optimum is the same in any axes. Products have
        the precision of the features.
    taxon : ndarray, shape (n,), int64
        From 0 to K − 1; every taxon has images.
    start : Softmax
        A model of K taxa.
    c : float
        Above 0; the larger, the weaker the penalty.
    optimiser : Optimiser
    weight : ndarray, shape (n,), float64, optional
        Weight of each row's loss, with a mean of 1; by default all are 1.

    Returns
    -------
    Softmax
        Its `converged` is false if the tolerance was not reached within the most iterations, or the line search gave
        up.

    Notes
    -----
    Cost O(n·d·K) an iteration, memory O(cells + K·d·n_steps_kept).

    References
    ----------
    Liu & Nocedal 1989, Math. Program. 45, 503 (L-BFGS). Böhning 1992, Ann. Inst. Stat. Math. 44, 197 (Hessian).

    Examples
    --------
    >>> import torch
    >>> features, taxon = torch.tensor([[1.0], [0.8], [-1.0], [-0.8]]), np.array([0, 0, 1, 1])
    >>> model = fit(features, taxon, Softmax.zeros(2, 1), c=1.0)
    >>> model.converged, np.sign(model.weights).ravel().tolist()
    (True, [1.0, -1.0])
    """
    import torch

    n, (n_taxa, d) = len(taxon), start.weights.shape
    objective = _Objective(features, taxon, n_taxa, 1 / (c * n), optimiser.cells)
    if weight is not None:
        objective.weight = torch.from_numpy(weight).to(features)
    first = torch.from_numpy(np.column_stack([start.weights, start.intercept])).to(features.device)
    scale = objective.curvature(first).sqrt_()

    def scaled(z: torch.Tensor) -> tuple[float, torch.Tensor]:
        value, gradient = objective(z / scale)
        return value, gradient.div_(scale)

    optimum, converged, n_iterations = _minimise(scaled, first * scale, optimiser)
    weights = (optimum / scale).cpu().numpy()
    return Softmax(weights[:, :d], weights[:, d] - weights[:, d].mean(), converged, n_iterations)


def _minimise(
    objective: Callable[[torch.Tensor], tuple[float, torch.Tensor]], point: torch.Tensor, optimiser: Optimiser
) -> tuple[torch.Tensor, bool, int]:
    """Run L-BFGS, with a Hessian near the identity; return the last point, whether it converged, and the iterations."""
    value, gradient = objective(point)
    steps: deque[Step] = deque(maxlen=optimiser.n_steps_kept)
    for n_iterations in range(optimiser.max_iterations):
        direction = _direction(gradient, steps)
        slope = _inner(gradient, direction)
        if -slope / 2 <= optimiser.tolerance * value:  # the gain of a Newton step
            return point, True, n_iterations
        length = 1.0
        while True:
            new_point = point + length * direction
            new_value, new_gradient = objective(new_point)
            if new_value <= value + optimiser.sufficient_decrease * length * slope:
                break
            # The minimum of the parabola through the value and slope here and the value there.
            bend = 2 * (new_value - value - length * slope)
            length = float(np.clip(-slope * length**2 / bend, 0.1 * length, 0.5 * length))
            if length < optimiser.shortest_step:
                return point, False, n_iterations
        point_change, gradient_change = new_point - point, new_gradient - gradient
        product = _inner(point_change, gradient_change)
        if product > 0:
            steps.append((point_change, gradient_change, product))
        point, value, gradient = new_point, new_value, new_gradient
    return point, False, optimiser.max_iterations


def _direction(gradient: torch.Tensor, steps: deque[Step]) -> torch.Tensor:
    """Return −H·gradient, with H the inverse Hessian estimated from the last steps (Nocedal 1980, two loops)."""
    direction, shares = gradient.neg(), []
    for point_change, gradient_change, product in reversed(steps):
        shares.append(_inner(point_change, direction) / product)
        direction -= shares[-1] * gradient_change
    if steps:
        _, gradient_change, product = steps[-1]
        direction *= product / _inner(gradient_change, gradient_change)
    for (point_change, gradient_change, product), share in zip(steps, reversed(shares), strict=True):
        direction += (share - _inner(gradient_change, direction) / product) * point_change
    return direction


def _inner(a: torch.Tensor, b: torch.Tensor) -> float:
    """Return the inner product of two arrays of the same shape."""
    return float((a.ravel() @ b.ravel()).item())


class _Objective:
    """Mean loss + penalty·‖W‖²/2 and its gradient, at weights and intercepts of shape (K, d + 1), float64."""

    def __init__(self, features: torch.Tensor, taxon: np.ndarray, n_taxa: int, penalty: float, cells: int) -> None:
        import torch

        self.features, self.penalty, self.n_taxa = features, penalty, n_taxa
        self.taxon = torch.from_numpy(np.ascontiguousarray(taxon)).to(features.device)
        self.block = max(cells // n_taxa, 1)
        self.weight = features.new_ones(len(taxon))

    def __call__(self, weights: torch.Tensor) -> tuple[float, torch.Tensor]:
        """Return the objective and its gradient, shape (K, d + 1)."""
        loss, gradient = 0.0, weights.new_zeros(weights.shape)
        for x, residual, block_loss, _, weight in self._blocks(weights):
            loss += block_loss
            residual *= weight[:, None]
            gradient[:, :-1] += residual.T @ x
            gradient[:, -1] += residual.sum(dim=0)
        gradient /= len(self.taxon)
        gradient[:, :-1] += self.penalty * weights[:, :-1]
        return loss / len(self.taxon) + self.penalty * float((weights[:, :-1] ** 2).sum()) / 2, gradient

    def curvature(self, weights: torch.Tensor) -> torch.Tensor:
        """Return the diagonal of the Hessian as if taxa and axes were independent, shape (K, d + 1)."""
        import torch

        spread = weights.new_zeros(self.n_taxa)
        for _, residual, _, own, weight in self._blocks(weights):
            p = residual.scatter_add_(1, own[:, None], residual.new_ones((len(own), 1)))
            spread += weight @ (p * (1 - p))
        spread = (spread / len(self.taxon)).clamp_(min=SMALLEST_CURVATURE / self.n_taxa)[:, None]
        variance = (self.features**2).mean(dim=0).to(weights.dtype)
        return torch.cat([spread * variance + self.penalty, spread], dim=1)

    def _blocks(
        self, weights: torch.Tensor
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor, float, torch.Tensor, torch.Tensor]]:
        """Yield features, p minus 1 for the own taxon, summed loss, own taxon and weight of each block of rows."""
        import torch

        transposed = weights[:, :-1].T.to(self.features.dtype).contiguous()
        intercept = weights[:, -1].to(self.features.dtype)
        for start in range(0, len(self.taxon), self.block):
            rows = slice(start, start + self.block)
            x, own, weight = self.features[rows], self.taxon[rows], self.weight[rows]
            scores = torch.addmm(intercept, x, transposed)
            scores -= scores.amax(dim=1, keepdim=True)
            own_score = scores.gather(1, own[:, None]).squeeze(1)
            p = scores.exp_()
            total = p.sum(dim=1)
            loss = float(((total.log() - own_score) * weight).sum(dtype=torch.float64))
            p /= total[:, None]
            p.scatter_add_(1, own[:, None], p.new_full((len(own), 1), -1.0))
            yield x, p, loss, own, weight
