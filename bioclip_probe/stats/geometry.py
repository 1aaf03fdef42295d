"""Geometries of embeddings: vectors of any of them become unit vectors whose distances are those of the geometry.

All numbers of this toolkit are computed from unit vectors u, v and their distance 1 − u·v = ‖u − v‖²/2. That is the
cosine distance of the vectors of most models. A model whose vectors are compared in another way is mapped here, once,
so that the same distance is its own, times one factor:

=============  ==============================================  =============================================
geometry       distance of two vectors x, y                    how it is mapped
=============  ==============================================  =============================================
``cosine``     1 − cos(x, y)                                   divided by their norms
``euclidean``  ‖x − y‖²/2                                      lifted onto a small cap of the sphere
``lorentz``    arcosh(√(1+‖x‖²)·√(1+‖y‖²) − x·y)               into Euclidean space by its kernel, then lifted
=============  ==============================================  =============================================
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bioclip_probe.errors import DataError

#: Largest distance from its pole of a vector on the cap. Distances on the cap are right to the square of this.
CAP = 0.05
#: Vectors whose hyperbolic distances are exact; with more of them the others are mapped by these.
N_LANDMARKS = 1024
#: Axes of the kernel that carry less than this share of the largest one are rounding.
SMALLEST_SHARE = 1e-9
_ROWS = 8192


def unit_vectors(vectors: np.ndarray, geometry: str = "cosine") -> np.ndarray:
    """Return vectors for which 1 − u·v is the distance of a geometry, times one factor.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)
        Of ``lorentz``, points of the hyperboloid of curvature −1 by their d space components; multiply those of a
        hyperboloid of curvature −c by √c.
    geometry : str
        ``cosine``, ``euclidean`` or ``lorentz``.

    Returns
    -------
    ndarray, shape (n, d'), float32
        Of norm 1; of ``cosine`` the vectors as they are, which are normalised later.

    Raises
    ------
    DataError
        If there is no such geometry, or a vector is not finite.

    Notes
    -----
    The hyperbolic distance is of negative type, so there is a map φ into Euclidean space with ‖φ(x) − φ(y)‖² equal to
    it [1]_. φ is computed from the kernel (d(x, o) + d(y, o) − d(x, y))/2 of `N_LANDMARKS` vectors, drawn with a fixed
    seed [2]_. For no more vectors than these it is exact; of others it is the projection onto the space of the
    landmarks, whose distances are too small, most so between vectors that are close to each other and far from all
    landmarks.

    References
    ----------
    .. [1] Faraut & Harzallah 1974, Distances hilbertiennes invariantes sur un espace homogène. Ann. Inst. Fourier 24.
    .. [2] Williams & Seeger 2001, Using the Nyström method to speed up kernel machines. NIPS 13.

    Examples
    --------
    >>> x = np.array([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]])
    >>> u = unit_vectors(x, "euclidean").astype(float)
    >>> distances = 1 - u @ u.T
    >>> round(float(distances[0, 1] / distances[0, 2]), 1)  # 25 and 1
    25.0
    """
    maps: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "cosine": np.asarray,
        "euclidean": on_cap,
        "lorentz": lambda points: on_cap(hyperbolic_features(points)),
    }
    if geometry not in maps:
        raise DataError(f"unknown geometry '{geometry}'; expected one of {', '.join(maps)}")
    vectors = np.asarray(vectors)
    if geometry != "cosine" and not np.isfinite(vectors).all():
        raise DataError(f"vectors of the geometry {geometry} must be finite")
    return maps[geometry](vectors)


def on_cap(points: np.ndarray) -> np.ndarray:
    """Return points of Euclidean space on a small cap of the unit sphere, where 1 − u·v is ‖x − y‖²/2 times one factor.

    Parameters
    ----------
    points : ndarray, shape (n, d)

    Returns
    -------
    ndarray, shape (n, d + 1), float32
        Of norm 1. The mean of the points is at the pole, the farthest of them `CAP` away from it, so that distances are
        right to 0.25 % of the largest.

    Examples
    --------
    >>> np.round(on_cap(np.array([[1.0], [3.0]])).astype(float), 3).tolist()
    [[-0.05, 0.999], [0.05, 0.999]]
    """
    if not len(points):
        return np.empty((0, points.shape[1] + 1), np.float32)
    centred = points - points.mean(axis=0, dtype=np.float64)
    largest = np.sqrt((centred**2).sum(axis=1).max())
    cap = centred * (CAP / largest if largest > 0 else 0.0)
    height = np.sqrt(1 - (cap**2).sum(axis=1, keepdims=True))
    return np.hstack([cap, height]).astype(np.float32)


def hyperbolic_distances(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the distances of points of the hyperboloid of curvature −1, by their space components.

    Parameters
    ----------
    x : ndarray, shape (n, d), float64
    y : ndarray, shape (m, d), float64

    Returns
    -------
    ndarray, shape (n, m), float64
        At least 0. Close points keep their digits: the distance is 2·arsinh(√((‖x − y‖² − (x₀ − y₀)²)/4)), with the
        time component x₀ = √(1 + ‖x‖²).

    Examples
    --------
    >>> along = np.sinh([[0.0], [1.0], [3.0]])
    >>> np.round(hyperbolic_distances(along, along)[0], 6).tolist()
    [0.0, 1.0, 3.0]
    """
    x0, y0 = np.sqrt(1 + (x**2).sum(axis=1)), np.sqrt(1 + (y**2).sum(axis=1))
    origin = y.mean(axis=0)  # differences do not depend on it, and rounding does
    near, far = x - origin, y - origin
    squares = (near**2).sum(axis=1)[:, None] + (far**2).sum(axis=1) - 2 * near @ far.T
    return 2 * np.arcsinh(np.sqrt(np.maximum(squares - np.subtract.outer(x0, y0) ** 2, 0)) / 2)


def hyperbolic_features(points: np.ndarray) -> np.ndarray:
    """Return vectors whose squared Euclidean distances are the hyperbolic distances of points.

    Parameters
    ----------
    points : ndarray, shape (n, d)
        Space components, see `unit_vectors`.

    Returns
    -------
    ndarray, shape (n, at most N_LANDMARKS), float32

    Examples
    --------
    >>> features = hyperbolic_features(np.sinh([[0.0], [1.0], [3.0]])).astype(float)
    >>> round(float(((features[0] - features[2]) ** 2).sum()), 5)
    3.0
    """
    points = np.asarray(points, dtype=np.float64)
    n = len(points)
    if not n:
        return np.empty((0, 0), np.float32)
    chosen = np.arange(n) if n <= N_LANDMARKS else np.random.default_rng(0).choice(n, N_LANDMARKS, replace=False)
    landmarks = points[np.sort(chosen)]
    to_origin = np.arcsinh(np.linalg.norm(landmarks, axis=1))
    values, axes = np.linalg.eigh(_kernel(landmarks, landmarks, to_origin))
    kept = values > SMALLEST_SHARE * max(values[-1], 0)
    weights = axes[:, kept] / np.sqrt(values[kept])
    features = np.empty((n, int(kept.sum())), np.float32)
    for start in range(0, n, _ROWS):
        block = points[start : start + _ROWS]
        features[start : start + _ROWS] = _kernel(block, landmarks, to_origin) @ weights
    return features


def _kernel(x: np.ndarray, landmarks: np.ndarray, to_origin: np.ndarray) -> np.ndarray:
    """Return (d(x, o) + d(y, o) − d(x, y))/2 for the origin o of the hyperboloid."""
    from_x = np.arcsinh(np.linalg.norm(x, axis=1))
    return (from_x[:, None] + to_origin - hyperbolic_distances(x, landmarks)) / 2
