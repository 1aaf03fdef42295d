"""Outliers, which a drawing hides: points far from the others of their taxon in the plane. Coordinates keep them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bioclip_probe.errors import ProbeError, some
from bioclip_probe.projections.modes import MODES, check_mode

OUTLIER_P_VALUE = 0.001


def squared_mahalanobis(points: np.ndarray) -> np.ndarray:
    """Return the squared Mahalanobis distance of each point from the mean, by the sample covariance.

    Parameters
    ----------
    points : ndarray, shape (n, 2), float

    Returns
    -------
    ndarray, shape (n,), float64
        In [0, (n − 1)²/n], smaller is nearer. Where the points lie on a line, or coincide, the covariance has no
        inverse; the distance is then measured along the line (by the pseudo-inverse), and is 0 for points that
        coincide.

    References
    ----------
    P. C. Mahalanobis. On the generalized distance in statistics. Proc. Natl. Inst. Sci. India 2, 1936.

    Examples
    --------
    >>> squared_mahalanobis(np.array([[0, 0], [2, 0], [0, 2], [2, 2]])).round(6).tolist()
    [1.5, 1.5, 1.5, 1.5]
    """
    points = np.asarray(points, np.float64)
    if len(points) < 2:
        return np.zeros(len(points))
    centred = points - points.mean(0)
    inverse = np.linalg.pinv(centred.T @ centred / (len(points) - 1), rcond=1e-10, hermitian=True)
    # One number a row: the n × n matrix of all products is never needed.
    return np.einsum("ni,ij,nj->n", centred, inverse, centred)


def is_outlier(points: np.ndarray, mode: str = "corrected") -> np.ndarray:
    """Return the points of one taxon that the drawing hides: 1 − χ² cdf of the squared Mahalanobis distance < 0.001.

    Parameters
    ----------
    points : ndarray, shape (n, 2), float
        The points of one taxon in the plane.
    mode : str
        ``corrected``: two degrees of freedom, the dimension of the plane (points beyond 13.8 are hidden). ``paper``:
        one, as in the authors' script (10.8).

    Returns
    -------
    ndarray, shape (n,), bool
        Never true for fewer than 13 points (``paper``) or 16 (``corrected``): no point can lie that far from a mean
        that it is part of.

    Raises
    ------
    ProbeError
        If there is no such mode.

    Examples
    --------
    >>> points = np.random.default_rng(0).normal(size=(100, 2))
    >>> points[0] = 9.0, 9.0
    >>> np.flatnonzero(is_outlier(points)).tolist()
    [0]
    """
    from scipy.stats import chi2

    check_mode(mode)
    return squared_mahalanobis(points) > chi2.isf(OUTLIER_P_VALUE, MODES[mode])


def cut_outliers(coordinates: pd.DataFrame, mode: str = "corrected") -> pd.DataFrame:
    """Return the coordinates with the columns ``mode`` and ``hidden`` set by the rule of one mode.

    The modes differ in the library of t-SNE too, which is not changed here.

    Parameters
    ----------
    coordinates : DataFrame
        From `project`, or a `COORDINATES` table of several encoders.
    mode : str
        ``corrected`` or ``paper``, see `is_outlier`.

    Returns
    -------
    DataFrame
        A copy. Only plotted taxa have hidden points.

    Raises
    ------
    ProbeError
        If a column is missing, or there is no such mode.

    Examples
    --------
    >>> table = pd.DataFrame({"rank": "genus", "focus": "", "taxon": "a", "plotted": True, "x": [0.0, 1.0], "y": 0.0})
    >>> cut_outliers(table, "paper")["hidden"].tolist()
    [False, False]
    """
    keys = [key for key in ("run", "encoder", "dataset", "method", "rank", "focus", "taxon") if key in coordinates]
    missing = [key for key in ("rank", "focus", "taxon", "plotted", "x", "y") if key not in coordinates]
    if missing:
        raise ProbeError(f"expected a table of coordinates, it lacks the column {some(missing)}")
    points = coordinates[["x", "y"]].to_numpy(np.float64)
    hidden = np.zeros(len(points), bool)
    plotted = np.flatnonzero(coordinates["plotted"].to_numpy(bool) & np.isfinite(points).all(1))
    taxon = coordinates.iloc[plotted].groupby(keys, dropna=False, sort=False).ngroup().to_numpy()
    for number in range(taxon.max(initial=-1) + 1):
        members = plotted[taxon == number]
        hidden[members] = is_outlier(points[members], mode)
    return coordinates.assign(mode=mode, hidden=hidden).astype({"mode": "str"})
