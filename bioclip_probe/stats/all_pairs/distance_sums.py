"""Two encoders' cosine distances of the same taxa, summed over all pairs without a matrix of pairs.

With c_i the unit vectors of one encoder about any common origin and p_i = ‖c_i‖², the cosine distance of two taxa is
D_ij = ‖c_i - c_j‖²/2 = (p_i + p_j)/2 - c_i·c_j; e_i, q_i and E_ij are those of the other encoder. Over all i and j::

    Σ_j D_ij       = (n p_i + P)/2 - c_i·s                                   with P = Σ p_i, s = Σ c_i
    Σ_ij D_ij E_ij = (n p·q + P Q)/2 - Σ p_i e_i·t - Σ q_i c_i·s + ‖CᵀE‖²     with Q = Σ q_i, t = Σ e_i

so everything costs O(n d₁ d₂), for any two dimensions. With the origin at the mean, the vectors are differences that
keep their digits, however close the embeddings are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bioclip_probe.stats.all_pairs.moments import pearson
from bioclip_probe.stats.devices import CPU, tensor, uses_torch
from bioclip_probe.stats.rotation import rotate_into_span

#: Smaller cosine distances are what rounding to float32 leaves of equal vectors.
SMALLEST_DISTANCE = 1e-12


@dataclass(frozen=True)
class DistanceSums:
    """Sums over ordered pairs of n taxa of two distances, D and E.

    Attributes
    ----------
    n : int
    first, second : float
        Σ D_ij and Σ E_ij.
    product : float
        Σ D_ij E_ij.
    rows : float
        Σ_i (Σ_j D_ij)(Σ_j E_ij).

    Examples
    --------
    >>> points = centred_points(np.eye(4))
    >>> distance_sums(points, points).n
    4
    """

    n: int
    first: float
    second: float
    product: float
    rows: float

    @property
    def u_product(self) -> float:
        """Inner product of the two U-centred matrices: n(n - 3) times the unbiased HSIC with a linear kernel.

        U-centring subtracts the means of rows and columns without bias. A Gram matrix and the matrix of its squared
        distances, halved, are equal after it but for their sign. See Song et al. 2012, J. Mach. Learn. Res. 13, 1393,
        eq. 5.
        """
        n = self.n
        return self.product - 2 * self.rows / (n - 2) + self.first * self.second / ((n - 1) * (n - 2))


def centred_points(vectors: np.ndarray) -> np.ndarray:
    """Return vectors minus their mean, in no more dimensions than there are vectors; a rotation keeps all distances.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)

    Returns
    -------
    ndarray, shape (n, min(n, d)), float64

    Examples
    --------
    >>> centred_points(np.array([[1.0], [3.0]])).tolist()
    [[-1.0], [1.0]]
    """
    return rotate_into_span(vectors - vectors.mean(axis=0))


def distance_sums(c: np.ndarray, e: np.ndarray, cross: np.ndarray | None = None) -> DistanceSums:
    """Return the sums of the distances of two sets of points.

    Parameters
    ----------
    c : ndarray, shape (n, d₁)
        Points of one encoder, as `centred_points` returns them.
    e : ndarray, shape (n, d₂)
        Points of the other encoder.
    cross : ndarray, shape (d₁, d₂), optional
        ``c.T @ e`` if it is known.

    Returns
    -------
    DistanceSums

    Examples
    --------
    >>> points = centred_points(np.array([[1.0, 0.0], [0.0, 1.0]]))
    >>> round(distance_sums(points, points).first, 6)
    2.0
    """
    cross = c.T @ e if cross is None else cross
    return _combined(_PointSums.of(c), _PointSums.of(e), float(np.vdot(cross, cross)))


def permuted_distance_sums(c: np.ndarray, e: np.ndarray, orders: np.ndarray, device: str = CPU) -> list[DistanceSums]:
    """Return the sums of the distances of two sets of points, for P orders of the second set.

    Parameters
    ----------
    c : ndarray, shape (n, d₁)
        Points of one encoder, as `centred_points` returns them.
    e : ndarray, shape (n, d₂)
        Points of the other encoder.
    orders : ndarray, shape (P, n), int64
        In order p, row ``orders[p, i]`` of `e` stands beside row i of `c`.
    device : str
        Where the products are computed.

    Returns
    -------
    list of DistanceSums

    Notes
    -----
    One product of O(n d₁ d₂) for each order; all other terms are sums over taxa that only change their order.

    Examples
    --------
    >>> points = centred_points(np.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]]))
    >>> both = permuted_distance_sums(points, points, np.array([[0, 1, 2], [1, 0, 2]]))
    >>> [round(sums.product, 3) for sums in both]
    [2.4, 2.32]
    """
    of_c, of_e = _PointSums.of(c), _PointSums.of(e)
    if uses_torch(device):
        left, right = tensor(c.T, device), tensor(e, device)
        norms = [(left @ right[tensor(order, device)]).square().sum() for order in orders]
        squares = [float(norm) for norm in norms]
    else:
        crosses = (c.T @ e[order] for order in orders)
        squares = [float(np.vdot(cross, cross)) for cross in crosses]
    return [_combined(of_c, of_e.take(order), square) for order, square in zip(orders, squares, strict=True)]


@dataclass(frozen=True, eq=False)
class _PointSums:
    """‖c_i‖², c_i·s and Σ_j D_ij of each point."""

    squares: np.ndarray
    along: np.ndarray
    rows: np.ndarray

    @classmethod
    def of(cls, c: np.ndarray) -> _PointSums:
        squares, along = np.einsum("ij,ij->i", c, c), c @ c.sum(axis=0)
        return cls(squares, along, (len(c) * squares + squares.sum()) / 2 - along)

    def take(self, order: np.ndarray) -> _PointSums:
        return _PointSums(self.squares[order], self.along[order], self.rows[order])


def _combined(c: _PointSums, e: _PointSums, square: float) -> DistanceSums:
    """Return the sums of the distances of two sets of points, from ‖CᵀE‖²."""
    n, p, q = len(c.squares), c.squares, e.squares
    product = (n * (p @ q) + p.sum() * q.sum()) / 2 - p @ e.along - q @ c.along + square
    return DistanceSums(n, float(c.rows.sum()), float(e.rows.sum()), float(product), float(c.rows @ e.rows))


def correlation_of_distances(both: DistanceSums, first: DistanceSums, second: DistanceSums) -> float:
    """Return the Pearson correlation of D and E over pairs.

    Parameters
    ----------
    both : DistanceSums
        Of the two encoders.
    first, second : DistanceSums
        Of each encoder with itself.

    Returns
    -------
    float
        In [-1, 1]; NaN where either distance does not vary.

    Examples
    --------
    >>> points = centred_points(np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]]))
    >>> sums = distance_sums(points, points)
    >>> round(correlation_of_distances(sums, sums, sums), 6)
    1.0
    """
    if _distances_vanish(first) or _distances_vanish(second):
        return np.nan
    n_pairs = both.n * (both.n - 1)
    return float(pearson(n_pairs, both.first, both.second, first.product, second.product, both.product))


def debiased_alignment(both: DistanceSums, first: DistanceSums, second: DistanceSums) -> float:
    """Return debiased linear CKA, the cosine of the two U-centred matrices.

    Parameters
    ----------
    both : DistanceSums
        Of the two encoders.
    first, second : DistanceSums
        Of each encoder with itself.

    Returns
    -------
    float
        In [-1, 1]; NaN where either matrix is zero, or with fewer than four taxa.

    References
    ----------
    Song et al. 2012, J. Mach. Learn. Res. 13, 1393; Kornblith et al. 2019, ICML, for CKA.

    Examples
    --------
    >>> points = centred_points(np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0], [-0.6, 0.8], [-1.0, 0.0]]))
    >>> sums = distance_sums(points, points)
    >>> round(debiased_alignment(sums, sums, sums), 6)
    1.0
    """
    if both.n < 4 or _distances_vanish(first) or _distances_vanish(second):
        return np.nan
    if any(sums.u_product <= 1e-12 * sums.product for sums in (first, second)):
        return np.nan
    return float(np.clip(both.u_product / np.sqrt(first.u_product * second.u_product), -1, 1))


def _distances_vanish(sums: DistanceSums) -> bool:
    return sums.product <= SMALLEST_DISTANCE**2 * sums.n * (sums.n - 1)
