"""Two encoders' cosine distances of the same taxa, summed over all pairs without a matrix of pairs.

With c_i the unit vectors of one encoder about any common origin and p_i = ‖c_i‖², the cosine distance of two taxa is
D_ij = ‖c_i - c_j‖²/2 = (p_i + p_j)/2 - c_i·c_j; e_i, q_i and E_ij likewise for the other encoder. Over all i and j::

    Σ_j D_ij       = (n p_i + P)/2 - c_i·s                              with P = Σ p_i, s = Σ c_i
    Σ_ij D_ij E_ij = (n p·q + P Q)/2 - Σ p_i e_i·t - Σ q_i c_i·s + ‖CᵀE‖²     with Q = Σ q_i, t = Σ e_i

so that everything costs O(n d₁ d₂), whatever the two widths. The origin is put at the mean: what is left are
differences, which keep their digits however close the vectors lie.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bioclip_probe.stats.all_pairs.moments import pearson

#: Cosine distances below this are what rounding to float32 leaves of equal vectors.
FLAT = 1e-12


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
    """

    n: int
    first: float
    second: float
    product: float
    rows: float

    @property
    def u_product(self) -> float:
        """n(n - 3) times the unbiased HSIC of Song et al. 2012 (J. Mach. Learn. Res. 13, 1393, eq. 5), linear kernel.

        It is the inner product of the two matrices once the means of rows and columns are taken out, unbiasedly
        (U-centred), to which a Gram matrix and the matrix of its squared distances, halved, are equal but for sign.
        """
        n = self.n
        return self.product - 2 * self.rows / (n - 2) + self.first * self.second / ((n - 1) * (n - 2))


def centred_points(vectors: np.ndarray) -> np.ndarray:
    """Points with the origin at their mean, shape (n, min(n, d)), float64: a rotation keeps all distances."""
    points = vectors - vectors.mean(axis=0)
    return np.linalg.qr(points.T, mode="r").T if len(points) < points.shape[1] else points


def distance_sums(c: np.ndarray, e: np.ndarray, cross: np.ndarray | None = None) -> DistanceSums:
    """Sums of the distances of points `c`, shape (n, d₁), and `e`, shape (n, d₂); `cross` is ``c.T @ e`` if known."""
    n, cross = len(c), c.T @ e if cross is None else cross
    p, q = np.einsum("ij,ij->i", c, c), np.einsum("ij,ij->i", e, e)
    towards_s, towards_t = c @ c.sum(axis=0), e @ e.sum(axis=0)
    rows_d, rows_e = (n * p + p.sum()) / 2 - towards_s, (n * q + q.sum()) / 2 - towards_t
    product = (n * (p @ q) + p.sum() * q.sum()) / 2 - p @ towards_t - q @ towards_s + np.vdot(cross, cross)
    return DistanceSums(n, float(rows_d.sum()), float(rows_e.sum()), float(product), float(rows_d @ rows_e))


def correlation_of_distances(both: DistanceSums, first: DistanceSums, second: DistanceSums) -> float:
    """Pearson correlation of D and E over pairs; `first` and `second` are each encoder with itself.

    NaN where either does not vary.
    """
    if _flat(first) or _flat(second):
        return np.nan
    n_pairs = both.n * (both.n - 1)
    return pearson(n_pairs, both.first, both.second, first.product, second.product, both.product)


def debiased_alignment(both: DistanceSums, first: DistanceSums, second: DistanceSums) -> float:
    """Debiased linear CKA: the cosine of the two U-centred matrices, in [-1, 1]; NaN where either is zero."""
    if both.n < 4 or _flat(first) or _flat(second):
        return np.nan
    if any(sums.u_product <= 1e-12 * sums.product for sums in (first, second)):
        return np.nan
    return float(np.clip(both.u_product / np.sqrt(first.u_product * second.u_product), -1, 1))


def _flat(sums: DistanceSums) -> bool:
    return sums.product <= FLAT**2 * sums.n * (sums.n - 1)
