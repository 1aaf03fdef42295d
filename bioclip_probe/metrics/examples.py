"""Three birds in the plane: the data of the examples in the docstrings of the metrics."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bioclip_probe.tree import taxonomy
from bioclip_probe.tree.tree import Placement


def corvids() -> tuple[np.ndarray, Placement]:
    """Return the embeddings of two magpies and a raven, shape (3, 2), and their placement in a taxonomy.

    Examples
    --------
    >>> vectors, placement = corvids()
    >>> vectors.shape, len(placement)
    ((3, 2), 3)
    """
    species = ["Pica pica", "Pica hudsonia", "Corvus corax"]
    placement = taxonomy(pd.DataFrame({"genus": ["Pica", "Pica", "Corvus"], "species": species}))
    return np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]], dtype=np.float32), placement
