"""What `bioclip_probe.metrics.signal` means: K_mult by the matrix of shared depths and its inverse."""

from __future__ import annotations

import math

import numpy as np

from tests.definitions.tree import mrca


def shared_depths(tree, tips) -> np.ndarray:
    """C: how far from the root the common ancestor of each two tips is."""
    return np.array([[tree.depth[mrca(tree, a, b)] if a != b else tree.depth[a] for b in tips] for a in tips])


def coincide(tree, tips) -> bool:
    """Whether two tips are at one point of the tree."""
    c = shared_depths(tree, tips)
    n = len(tips)
    return any(c[i, i] + c[j, j] - 2 * c[i, j] <= 1e-9 for i in range(n) for j in range(i))


def k_mult(traits, c) -> float:
    """Adams 2014, eq. 7, with C of full rank; NaN where the traits do not vary."""
    n, one = len(c), np.ones(len(c))
    inverse = np.linalg.inv(c)
    total = float(one @ inverse @ one)
    mean = one @ inverse @ traits / total
    observed = sum(math.dist(row, mean) ** 2 for row in traits)
    squares = float(np.trace((traits - mean).T @ inverse @ (traits - mean)))
    if observed < 1e-12:
        return math.nan
    return observed / squares / ((float(np.trace(c)) - n / total) / (n - 1))
