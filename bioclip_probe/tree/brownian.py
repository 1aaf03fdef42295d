"""Brownian motion along a tree: traits whose phylogenetic signal is known."""

from __future__ import annotations

import numpy as np

from bioclip_probe.tree.tree import Tree


def brownian(tree: Tree, n_traits: int, rng: np.random.Generator, signal: float = 1.0) -> np.ndarray:
    r"""Return traits of every node after Brownian motion from the root to the tips.

    The trait of a node is that of its parent plus a normal step, whose variance is the length of the branch between
    them.

    Parameters
    ----------
    tree : Tree
        A tree of m nodes.
    n_traits : int
        Number of independent traits. Each has variance 1 per unit of branch length.
    rng : numpy.random.Generator
    signal : float, from 0 to 1
        Pagel's λ. Every branch above an internal node is shortened to λ times its length, and the branches above tips
        are lengthened by as much. At 0 the tips are independent; at 1 the tree is as it is.

    Returns
    -------
    ndarray, shape (m, n_traits), float64
        The root is at 0.

    Raises
    ------
    ValueError
        If `signal` is not between 0 and 1.

    References
    ----------
    Felsenstein 1973, Am. J. Hum. Genet. 25, 471; Pagel 1999, Nature 401, 877.

    Examples
    --------
    >>> from bioclip_probe.tree.newick import parse_newick
    >>> tree = parse_newick("((a:1,b:1):2,c:3);")
    >>> brownian(tree, n_traits=2, rng=np.random.default_rng(0)).shape
    (5, 2)
    """
    if not 0 <= signal <= 1:
        raise ValueError(f"signal (Pagel's lambda) lies between 0 and 1, not {signal}")
    variance = signal * tree.length
    variance[tree.tips] = tree.depth[tree.tips] - signal * tree.depth[tree.parent[tree.tips]]
    traits = rng.standard_normal((len(tree), n_traits)) * np.sqrt(variance)[:, None]
    for node in range(1, len(tree)):
        traits[node] += traits[tree.parent[node]]
    return traits
