"""Groups of images that are not independent: of one observation or photographer, or copies of one picture."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


def merge_groups(groups: np.ndarray, copies: np.ndarray) -> np.ndarray:
    """Return groups in which the copies of one picture are together with all images of their groups.

    Parameters
    ----------
    groups : ndarray, shape (n,), int64
        Observation or photographer of each image; −1 belongs to no group.
    copies : ndarray, shape (n,), int64
        Number of the picture that several images show; −1 for an image without a copy. Empty if copies are not known.

    Returns
    -------
    ndarray, shape (n,), int64
        −1 where an image has neither a group nor a copy. Where nothing is merged, the groups are as they were.

    Notes
    -----
    Groups are the connected components of the images, linked by a shared group or a shared picture. O(n) time and
    memory.

    Examples
    --------
    >>> merge_groups(np.array([0, 0, 1, -1, -1]), np.array([-1, 5, 5, -1, -1])).tolist()
    [0, 0, 0, -1, -1]
    """
    if not np.any(copies >= 0):
        return groups
    n = len(groups)
    links = [(np.flatnonzero(labels >= 0), pd.factorize(labels[labels >= 0])[0]) for labels in (groups, copies)]
    n_groups = int(links[0][1].max(initial=-1)) + 1
    image = np.concatenate([rows for rows, _ in links])
    node = n + np.concatenate([links[0][1], n_groups + links[1][1]])
    n_nodes = max(n, int(node.max(initial=-1)) + 1)
    graph = coo_array((np.ones(len(image), dtype=bool), (image, node)), shape=(n_nodes, n_nodes))
    component = connected_components(graph, directed=False)[1][:n]
    linked = (groups >= 0) | (copies >= 0)
    merged = np.full(n, -1, dtype=np.int64)
    merged[linked] = pd.factorize(component[linked])[0]
    return merged
