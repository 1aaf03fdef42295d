"""Brownian motion along a tree: traits whose phylogenetic signal is known."""

from __future__ import annotations

import numpy as np

from bioclip_probe.tree.tree import Tree


def brownian(tree: Tree, n_traits: int, rng: np.random.Generator, signal: float = 1.0) -> np.ndarray:
    """Traits at every node after Brownian motion down the tree.

    Parameters
    ----------
    tree : Tree
        With m nodes.
    n_traits : int
        Independent traits, each with variance 1 per unit of branch length.
    rng : numpy.random.Generator
    signal : float, from 0 to 1
        Pagel's λ: every branch above an internal node is shortened to λ times its length and the tips get what is
        missing, so 0 makes tips independent and 1 is Brownian motion on the tree as it is.

    Returns
    -------
    ndarray, shape (m, n_traits), float64
        The root is at 0.

    References
    ----------
    Felsenstein 1973, Am. J. Hum. Genet. 25, 471; Pagel 1999, Nature 401, 877.
    """
    if not 0 <= signal <= 1:
        raise ValueError(f"signal (Pagel's lambda) lies between 0 and 1, not {signal}")
    variance = signal * tree.length
    variance[tree.tips] = tree.depth[tree.tips] - signal * tree.depth[tree.parent[tree.tips]]
    steps = rng.standard_normal((len(tree), n_traits)) * np.sqrt(variance)[:, None]
    for node in range(1, len(tree)):
        steps[node] += steps[tree.parent[node]]
    return steps
