"""Multinomial logistic regression by L-BFGS, for many images and many taxa.

The objective is C·Σ weight·loss + ‖W‖²/2; the intercepts are not penalised. Four things make the optimiser fast.
First, features are rotated into their principal axes; that changes no optimum, because the penalty does not depend on a
rotation. Second, in these axes the Hessian is nearly diagonal, w_k·λ_j + 1/(C·n) for taxon k and axis j, with w_k the
mean of p(1 − p) and λ_j the variance along the axis; L-BFGS works on variables that are scaled by its root, and needs a
fraction of the steps. Third, where several C are fitted, each fit starts from the last optima, extrapolated along
log C. Fourth, products are computed in float32, block by block; sums and weights are in float64.

Features are an array of NumPy, whose blocks are divided among the processors, or a tensor of torch on its device. The
same code runs on both, except for `objectives`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bioclip_probe.probes.objectives import Objective, objective_of

SMALLEST_CURVATURE = 1e-3  # lower bound on a taxon's mean of p(1 − p), as a share of 1/K
FARTHEST = 8.0  # a path of C is extrapolated with absolute shares of at most this sum; even steps have 1, 3 and 7
NEAR = 1e-3  # tolerance of a first fit, after which the curvature is computed anew


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
        Steps that L-BFGS remembers, with the precision of the features.
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
    n_steps_kept: int = 6
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


def fit(
    features: Any,
    taxon: np.ndarray,
    start: Softmax,
    c: float,
    optimiser: Optimiser = DEFAULT_OPTIMISER,
    weight: np.ndarray | None = None,
) -> Softmax:
    """Return the optimum at one C, starting from another model.

    Parameters
    ----------
    features : ndarray or torch.Tensor, shape (n, d), float32
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
    The fit goes on from a first one of little precision, with the curvature that is found there. Cost O(n·d·K) an
    iteration, memory O(cells + K·d·n_steps_kept). Of NumPy's arrays the blocks are divided among the
    processors, and each of these holds a block and a gradient.

    References
    ----------
    Liu & Nocedal 1989, Math. Program. 45, 503 (L-BFGS). Böhning 1992, Ann. Inst. Stat. Math. 44, 197 (Hessian).

    Examples
    --------
    >>> features, taxon = np.array([[1.0], [0.8], [-1.0], [-0.8]], dtype=np.float32), np.array([0, 0, 1, 1])
    >>> model = fit(features, taxon, Softmax.zeros(2, 1), c=1.0)
    >>> model.converged, np.sign(model.weights).ravel().tolist()
    (True, [1.0, -1.0])
    """
    objective = objective_of(features, taxon, len(start.intercept), optimiser.cells, weight)
    penalty = 1 / (c * len(taxon))
    near = _fit(objective, start, penalty, replace(optimiser, tolerance=max(NEAR, optimiser.tolerance)))
    rest = replace(optimiser, max_iterations=optimiser.max_iterations - near.n_iterations)
    model = _fit(objective, near, penalty, rest)
    return replace(model, n_iterations=near.n_iterations + model.n_iterations)


def fit_path(
    features: Any,
    taxon: np.ndarray,
    start: Softmax,
    strengths: Sequence[float],
    optimiser: Optimiser = DEFAULT_OPTIMISER,
    weight: np.ndarray | None = None,
) -> list[Softmax]:
    """Return the optimum at each C, each fit started from those before.

    Parameters
    ----------
    features, taxon, start, optimiser, weight
        As for `fit`; `start` is where the first fit starts.
    strengths : sequence of float
        Values of C, in the order in which they are fitted.

    Returns
    -------
    list of Softmax

    Examples
    --------
    >>> features, taxon = np.array([[1.0], [0.8], [-1.0], [-0.8]], dtype=np.float32), np.array([0, 0, 1, 1])
    >>> weak, strong = fit_path(features, taxon, Softmax.zeros(2, 1), (0.01, 1.0))
    >>> bool(np.abs(weak.weights).max() < np.abs(strong.weights).max())
    True
    """
    objective = objective_of(features, taxon, len(start.intercept), optimiser.cells, weight)
    models: list[Softmax] = []
    for c in strengths:
        models.append(_fit(objective, _start(models, strengths, start), 1 / (c * len(taxon)), optimiser))
    return models


def _start(models: Sequence[Softmax], strengths: Sequence[float], start: Softmax) -> Softmax:
    """Return where the next fit of a path starts, extrapolated from the last models along log C.

    It is halfway between the line through the last two and the parabola through the last three.
    """
    if not models:
        return start
    *past, ahead = np.log(strengths[: len(models) + 1])
    curves = [_extrapolation(past[-n:], ahead) for n in (2, 3) if n <= len(models)]
    near = [np.pad(shares, (3 - len(shares), 0)) for shares in curves if np.abs(shares).sum() <= FARTHEST]
    if not near:
        return models[-1]
    used = list(zip(reversed(np.mean(near, axis=0)), reversed(models), strict=False))
    weights = sum(share * model.weights for share, model in used)
    return Softmax(weights, sum(share * model.intercept for share, model in used))


def _extrapolation(nodes: Sequence[float], ahead: float) -> np.ndarray:
    """Return the shares of the values at some nodes in the value of their polynomial; infinite if two coincide."""
    if len(set(nodes)) < len(nodes):
        return np.full(len(nodes), np.inf)
    return np.array([np.prod([(ahead - b) / (a - b) for b in nodes if b != a]) for a in nodes])


def _fit(objective: Objective, start: Softmax, penalty: float, optimiser: Optimiser) -> Softmax:
    """Return the optimum at one penalty."""
    first = objective.array(np.column_stack([start.weights, start.intercept]))
    shape, d = first.shape, first.shape[1] - 1
    spread = (objective.spread(first)).clip(SMALLEST_CURVATURE / shape[0])[:, None]
    curvature = spread * objective.variance
    curvature[:, :d] += penalty
    unit = curvature**-0.5
    shrinkage = penalty * unit**2
    shrinkage[:, d] = 0.0
    unit, shrinkage = unit.reshape(-1), shrinkage.reshape(-1)

    def scaled(z: Any) -> tuple[float, Any]:
        value, gradient = objective((z * unit).reshape(shape))
        gradient, shrunk = gradient.reshape(-1), shrinkage * z
        gradient *= unit
        gradient += shrunk
        return value + float(z @ shrunk) / 2, gradient

    steps = _Steps(objective.room((optimiser.n_steps_kept, 2, len(unit))), objective.room((len(unit),)))
    optimum, converged, n_iterations = _minimise(scaled, first.reshape(-1) / unit, steps, optimiser)
    weights = objective.to_numpy((optimum * unit).reshape(shape))
    return Softmax(weights[:, :d], weights[:, d] - weights[:, d].mean(), converged, n_iterations)


def _minimise(
    objective: Callable[[Any], tuple[float, Any]], point: Any, steps: _Steps, optimiser: Optimiser
) -> tuple[Any, bool, int]:
    """Run L-BFGS, with a Hessian near the identity; return the last point, whether it converged, and the iterations."""
    value, gradient = objective(point)
    for n_iterations in range(optimiser.max_iterations):
        direction = steps.direction(gradient)
        slope = float(gradient @ direction)
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
        steps.add(new_point - point, new_gradient - gradient, new_gradient)
        point, value, gradient = new_point, new_value, new_gradient
    return point, False, optimiser.max_iterations


class _Steps:
    """The last steps of L-BFGS: changes s of the point and y of the gradient, and their products.

    The estimate H of the inverse Hessian is in its compact form (Byrd, Nocedal & Schnabel 1994, Math. Program. 63, 129,
    equation 3.1). So a direction reads the long vectors s and y twice, and what else it needs are small products. With
    p = R⁻¹Sᵀg, gᵀHg is Σ p²·s·y + γ‖g − Yp‖²; so errors of rounding in R never make it negative. The small matrices
    are in the order of the steps, the oldest first; the long vectors stay in their slots.

    Parameters
    ----------
    changes : ndarray or torch.Tensor, shape (n_kept, 2, N)
        Room for s and y of each step.
    vector : ndarray or torch.Tensor, shape (N,)
        Room for a vector that is multiplied by them.
    """

    def __init__(self, changes: Any, vector: Any) -> None:
        self.changes, self.vector = changes, vector
        self.slots: list[int] = []  # of the steps, the oldest first
        self.products = np.empty((2, 0))  # of s and of y with the last gradient
        self.yy = np.empty((0, 0))  # all products y·y
        self.inverse = np.empty((0, 0))  # R⁻¹, of the upper triangle R of all products s·y

    def add(self, point_change: Any, gradient_change: Any, gradient: Any) -> None:
        """Remember a step to a point with this gradient, and forget the oldest.

        A step along which the gradient does not grow is left out. The products of y are differences of those of the
        gradients.
        """
        last_sy = float(point_change @ gradient_change)
        if last_sy > 0:
            slot = len(self.slots)
            if slot == len(self.changes):
                slot = self.slots.pop(0)
                self.products, self.yy, self.inverse = self.products[:, 1:], self.yy[1:, 1:], self.inverse[1:, 1:]
            self.slots.append(slot)
            self.changes[slot, 0], self.changes[slot, 1] = point_change, gradient_change
        before, self.products = self.products, self._products(gradient)
        if last_sy > 0:
            sy, yy = self.products[:, :-1] - before
            self.yy = _bordered(self.yy, yy, yy, float(gradient_change @ gradient_change))
            self.inverse = _bordered(self.inverse, self.inverse @ sy / -last_sy, 0.0, 1 / last_sy)

    def direction(self, gradient: Any) -> Any:
        """Return −H·gradient at the last gradient, with H the inverse Hessian estimated from the steps."""
        if not self.slots:
            return -gradient
        sg, yg = self.products
        sy = 1 / np.diagonal(self.inverse)
        of_identity = sy[-1] / self.yy[-1, -1]  # γ
        of_y = self.inverse @ sg  # p
        of_s = (sy * of_y + of_identity * (self.yy @ of_y - yg)) @ self.inverse
        return self._sum(-of_s, of_identity * of_y) - of_identity * gradient

    def _products(self, vector: Any) -> np.ndarray:
        """Return the products of s and of y with a vector, (2, steps)."""
        n = len(self.slots)
        self.vector[:] = vector
        products = _floats(self.changes[:n].reshape(2 * n, len(self.vector)) @ self.vector).reshape(n, 2)
        return products[self.slots].T.astype(np.float64)

    def _sum(self, of_s: np.ndarray, of_y: np.ndarray) -> Any:
        """Return the sum of s and y with these weights."""
        n = len(self.slots)
        weights = np.empty((n, 2))
        weights[self.slots, 0], weights[self.slots, 1] = of_s, of_y
        return _array_like(weights.reshape(-1), self.changes) @ self.changes[:n].reshape(2 * n, len(self.vector))


def _bordered(matrix: np.ndarray, column: np.ndarray, row: np.ndarray | float, corner: float) -> np.ndarray:
    """Return a matrix with one more column and row."""
    n = len(matrix)
    larger = np.empty((n + 1, n + 1))
    larger[:n, :n], larger[:n, n], larger[n, :n], larger[n, n] = matrix, column, row, corner
    return larger


def _array_like(numbers: np.ndarray, vector: Any) -> Any:
    """Return a few numbers as an array of the kind and precision of another."""
    return numbers.astype(vector.dtype) if isinstance(vector, np.ndarray) else vector.new_tensor(numbers)


def _floats(numbers: Any) -> np.ndarray:
    """Return a few numbers as an array of NumPy."""
    return numbers if isinstance(numbers, np.ndarray) else numbers.cpu().numpy()
