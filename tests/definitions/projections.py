"""Plain definitions of the drill-down and of the outlier cut."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import chi2

from bioclip_probe.tables import RANKS


def drill_down(lineages: pd.DataFrame) -> list[dict]:
    """The panels of Section 4.6 by name, one row of clean names after another (names unique within a rank)."""
    inside = lineages.to_dict("records")
    focus, panels = None, []
    for rank in RANKS:
        counts: dict[str, int] = {}
        for row in inside:
            if isinstance(row[rank], str):
                counts[row[rank]] = counts.get(row[rank], 0) + 1
        largest = sorted(sorted(counts), key=lambda name: counts[name], reverse=True)[:6]
        panels.append(
            {
                "rank": rank,
                "focus": focus,
                "n_images": len(inside),
                "n_unnamed": len(inside) - sum(counts.values()),
                "plotted": [(name, counts[name]) for name in sorted(largest)],
                "n_taxa": len(counts),
            }
        )
        if counts:
            focus = largest[0]
            inside = [row for row in inside if row[rank] == focus]
    return panels


def is_outlier(points: np.ndarray, degrees_of_freedom: int) -> np.ndarray:
    """1 − χ² cdf of the squared Mahalanobis distance < 0.001, by the n × n product; needs a covariance of full rank."""
    centred = points - points.mean(0)
    products = centred @ np.linalg.inv(np.cov(points.T)) @ centred.T
    return 1 - chi2.cdf(np.diagonal(products), degrees_of_freedom) < 0.001


def trustworthiness(vectors: np.ndarray, points: np.ndarray, k: int) -> float:
    """1 − 2/(n k (2n − 3k − 1)) · the ranks beyond k of the k nearest points, in full dimension, image by image."""
    n, excess = len(vectors), 0
    for i in range(n):
        others = [j for j in range(n) if j != i]
        by_vectors = sorted(others, key=lambda j: float(np.sum((vectors[i] - vectors[j]) ** 2)))
        by_points = sorted(others, key=lambda j: float(np.sum((points[i] - points[j]) ** 2)))
        excess += sum(max(by_vectors.index(j) + 1 - k, 0) for j in by_points[:k])
    return 1 - 2 / (n * k * (2 * n - 3 * k - 1)) * excess
