"""Points that a drawing leaves out: far from their own taxon in the plane. Coordinates keep every point."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bioclip_probe.errors import ProbeError, some

MODES = {"paper": 1, "corrected": 2}  # degrees of freedom of the χ² that cuts
P_CUT = 0.001


def squared_mahalanobis(points: np.ndarray) -> np.ndarray:
    """Squared Mahalanobis distance of each point from the mean of all, by their own sample covariance.

    Parameters
    ----------
    points : (n, 2) float

    Returns
    -------
    (n,) float64
        In [0, (n − 1)²/n], smaller is nearer. Where the points lie on a line, or are one point, the covariance has no
        inverse; the distance is then measured along the line (by the pseudo-inverse), and is 0 for a single point.
    """
    points = np.asarray(points, np.float64)
    if len(points) < 2:
        return np.zeros(len(points))
    centred = points - points.mean(0)
    inverse = np.linalg.pinv(centred.T @ centred / (len(points) - 1), rcond=1e-10, hermitian=True)
    # One number a row: the n × n matrix of all products is never needed.
    return np.einsum("ni,ij,nj->n", centred, inverse, centred)


def is_outlier(points: np.ndarray, mode: str = "corrected") -> np.ndarray:
    """Which points of one taxon lie so far out that the drawing hides them: 1 − χ² cdf < 0.001.

    Parameters
    ----------
    points : (n, 2) float
        The points of one taxon in the plane.
    mode : "corrected" or "paper"
        With two degrees of freedom, as the plane has (cut at 13.8), or with one, as the authors' script (10.8).

    Returns
    -------
    (n,) bool
        Never true for fewer than 13 points ("paper") or 16 ("corrected"): none can lie that far from its own mean.
    """
    from scipy.stats import chi2

    if mode not in MODES:
        raise ProbeError(f"unknown mode '{mode}'; expected one of: {', '.join(MODES)}")
    return squared_mahalanobis(points) > chi2.isf(P_CUT, MODES[mode])


def cut_outliers(coordinates: pd.DataFrame, mode: str = "corrected") -> pd.DataFrame:
    """The coordinates with their ``mode`` and ``hidden`` columns set anew by one mode's rule.

    The two modes differ in nothing else, so one fit serves both.

    Parameters
    ----------
    coordinates : DataFrame
        From `project`, or a whole `COORDINATES` table of several encoders.
    mode : "corrected" or "paper"

    Returns
    -------
    DataFrame
        A copy. Only plotted taxa have hidden points.
    """
    keys = [key for key in ("run", "encoder", "dataset", "method", "rank", "focus", "taxon") if key in coordinates]
    missing = [key for key in ("rank", "focus", "taxon", "plotted", "x", "y") if key not in coordinates]
    if missing:
        raise ProbeError(f"expected a table of coordinates, it lacks the column {some(missing)}")
    points = coordinates[["x", "y"]].to_numpy(np.float64)
    hidden = np.zeros(len(points), bool)
    drawn = np.flatnonzero(coordinates["plotted"].to_numpy(bool) & np.isfinite(points).all(1))
    taxon = coordinates.iloc[drawn].groupby(keys, dropna=False, sort=False).ngroup().to_numpy()
    for number in range(taxon.max(initial=-1) + 1):
        members = drawn[taxon == number]
        hidden[members] = is_outlier(points[members], mode)
    return coordinates.assign(mode=mode, hidden=hidden).astype({"mode": "str"})
