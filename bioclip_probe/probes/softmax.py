"""Multinomial logistic regression by L-BFGS, for many images and many taxa.

The objective is C·Σ weight·loss + ‖W‖²/2; the intercepts are not penalised. Three things make the optimiser fast.
First, features are rotated into their principal axes; that changes no optimum, because the penalty does not depend on a
rotation. Second, in these axes the Hessian is nearly diagonal, w_k·λ_j + 1/(C·n) for taxon k and axis j, with w_k the
mean of p(1 − p) and λ_j the variance along the axis; L-BFGS works on variables that are scaled by its root, and needs a
fraction of the steps. Third, products are computed in float32, block by block; sums and weights are in float64.

Features are an array of NumPy, whose blocks are divided among the processors, or a tensor of torch on its device. The
same code runs on both, except for `objectives`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bioclip_probe.probes.objectives import Objective, objective_of

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
    Cost O(n·d·K) an iteration, memory O(cells + K·d·n_steps_kept). Of NumPy's arrays the blocks are divided among the
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
    (model,) = fit_path(features, taxon, start, (c,), optimiser, weight)
    return model


def fit_path(
    features: Any,
    taxon: np.ndarray,
    start: Softmax,
    strengths: Sequence[float],
    optimiser: Optimiser = DEFAULT_OPTIMISER,
    weight: np.ndarray | None = None,
) -> list[Softmax]:
    """Return the optimum at each C, each fit started from the last.

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
    models, model = [], start
    for c in strengths:
        model = _fit(objective, model, 1 / (c * len(taxon)), optimiser)
        models.append(model)
    return models


def _fit(objective: Objective, start: Softmax, penalty: float, optimiser: Optimiser) -> Softmax:
    """Return the optimum at one penalty."""
    first = objective.array(np.column_stack([start.weights, start.intercept]))
    shape, d = first.shape, first.shape[1] - 1
    spread = (objective.spread(first)).clip(SMALLEST_CURVATURE / shape[0])[:, None]
    curvature = spread * objective.variance
    curvature[:, :d] += penalty
    scale = curvature.reshape(-1) ** 0.5

    def scaled(z: Any) -> tuple[float, Any]:
        weights = (z / scale).reshape(shape)
        value, gradient = objective(weights)
        gradient[:, :d] += penalty * weights[:, :d]
        own = weights[:, :d].reshape(-1)
        return value + penalty * float(own @ own) / 2, gradient.reshape(-1) / scale

    optimum, converged, n_iterations = _minimise(scaled, first.reshape(-1) * scale, optimiser)
    weights = objective.to_numpy((optimum / scale).reshape(shape))
    return Softmax(weights[:, :d], weights[:, d] - weights[:, d].mean(), converged, n_iterations)


def _minimise(objective: Callable[[Any], tuple[float, Any]], point: Any, optimiser: Optimiser) -> tuple[Any, bool, int]:
    """Run L-BFGS, with a Hessian near the identity; return the last point, whether it converged, and the iterations."""
    value, gradient = objective(point)
    steps = _Steps(optimiser.n_steps_kept)
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
        steps.add(new_point - point, new_gradient - gradient)
        point, value, gradient = new_point, new_value, new_gradient
    return point, False, optimiser.max_iterations


class _Steps:
    """The last steps of L-BFGS: changes s of the point and y of the gradient, and all products s·y and y·y.

    With the products at hand, the two loops of L-BFGS work on coefficients of the vectors s and y. So a direction needs
    few products of long vectors, all at once (Chen, Wang & Zhou 2014, NeurIPS).
    """

    def __init__(self, n_kept: int) -> None:
        self.n_kept = n_kept
        self.slots: list[int] = []  # the slots of the steps, the oldest first
        self.s: Any = None
        self.y: Any = None
        self.sy, self.yy = np.zeros((n_kept, n_kept)), np.zeros((n_kept, n_kept))

    def add(self, point_change: Any, gradient_change: Any) -> None:
        """Remember a step, and forget the oldest; a step along which the gradient does not grow is left out."""
        if not float(point_change @ gradient_change) > 0:
            return
        if self.s is None:
            self.s, self.y = (_empty_like(point_change, self.n_kept) for _ in range(2))
        slot = self.slots.pop(0) if len(self.slots) == self.n_kept else len(self.slots)
        self.s[slot], self.y[slot] = point_change, gradient_change
        self.slots.append(slot)
        n = len(self.slots)
        self.sy[:n, slot] = _floats(self.s[:n] @ gradient_change)
        self.sy[slot, :n] = _floats(self.y[:n] @ point_change)
        self.yy[:n, slot] = self.yy[slot, :n] = _floats(self.y[:n] @ gradient_change)

    def direction(self, gradient: Any) -> Any:
        """Return −H·gradient, with H the inverse Hessian estimated from the steps (Nocedal 1980, two loops)."""
        n = len(self.slots)
        if not n:
            return -gradient
        sg, yg = _floats(self.s[:n] @ gradient), _floats(self.y[:n] @ gradient)
        of_s, of_y = np.zeros(n), np.zeros(n)  # coefficients of s and y in the direction
        sy, yy = self.sy[:n, :n], self.yy[:n, :n]
        for slot in reversed(self.slots):
            of_y[slot] = -(sy[slot] @ of_y - sg[slot]) / sy[slot, slot]
        last = self.slots[-1]
        shrunk = sy[last, last] / yy[last, last]
        shares, of_y = -of_y, of_y * shrunk
        for slot in self.slots:
            of_s[slot] = shares[slot] - (of_s @ sy[:, slot] + yy[slot] @ of_y - shrunk * yg[slot]) / sy[slot, slot]
        direction = self.s[:n].T @ _array_like(of_s, gradient)
        direction += self.y[:n].T @ _array_like(of_y, gradient)
        direction -= shrunk * gradient
        return direction


def _empty_like(vector: Any, n: int) -> Any:
    """Return room for `n` vectors of the same length and kind."""
    return np.empty((n, len(vector))) if isinstance(vector, np.ndarray) else vector.new_empty((n, len(vector)))


def _array_like(numbers: np.ndarray, vector: Any) -> Any:
    """Return a few numbers as an array of the kind of a vector."""
    return numbers if isinstance(vector, np.ndarray) else vector.new_tensor(numbers)


def _floats(numbers: Any) -> np.ndarray:
    """Return a few numbers as an array of NumPy."""
    return numbers if isinstance(numbers, np.ndarray) else numbers.cpu().numpy()
