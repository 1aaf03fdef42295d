"""Variance components by projection matrices: every sum of squares and its expectation as a trace, dense."""

import numpy as np

from tests.definitions.tree import ancestors


def taxon_at(tree, node: int, rank: int) -> int:
    """The taxon of a rank on the way up from a node, or the next one below where the rank has no name."""
    below = [step for step in ancestors(tree, node) if step > 0 and tree.rank[step] >= rank]
    return below[-1]


def distinct_levels(tree, nodes, n_ranks: int) -> dict[int, list[int]]:
    """The taxon of each image at each rank that has a name and divides what the rank above does not."""
    levels: dict[int, list[int]] = {}
    n_above = 1
    for rank in range(n_ranks):
        labels = [taxon_at(tree, node, rank) for node in nodes]
        used = {node for start in nodes for node in ancestors(tree, start)}
        if any(tree.rank[node] == rank for node in used) and len(set(labels)) > n_above:
            levels[rank], n_above = labels, len(set(labels))
    return levels


def variance_components(vectors, levels: list[list[int]]) -> list[float]:
    """Solve E[tr(XᵀPX)] = tr(P 11ᵀ)‖μ‖² + Σ_q tr(P Z_q Z_qᵀ) σ²_q for the P of the mean, of each level, of images.

    NaN where the system has no single solution.
    """
    x = np.array([[float(a) for a in u] for u in vectors])
    designs = [np.ones((len(x), 1)), *(_indicators(labels) for labels in levels), np.eye(len(x))]
    projections = [z @ np.linalg.inv(z.T @ z) @ z.T for z in designs]
    if np.allclose(projections[-1], projections[-2]):  # one image of each species
        designs, projections = designs[:-1], projections[:-1]
    system = np.array([[np.trace(p @ z @ z.T) for z in designs] for p in projections])
    explained = np.array([np.trace(x.T @ p @ x) for p in projections])
    if np.linalg.matrix_rank(system, tol=1e-9) < len(system):
        return [float("nan")] * (len(system) - 1)
    return np.linalg.solve(system, explained)[1:].tolist()


def _indicators(labels) -> np.ndarray:
    return np.array([[float(label == taxon) for taxon in sorted(set(labels))] for label in labels])
