"""The embeddings of taxa: the mean of the vectors of their images."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bioclip_probe.stats.centroids import centroids
from bioclip_probe.study.sample import Sample


def taxa(sample: Sample, rank: str, encoder: str) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the embeddings of the taxa of a rank: their number of images, their spread, and their mean vector.

    Parameters
    ----------
    sample : Sample
    rank : str
    encoder : str
        Name of one of the encoders of the sample.

    Returns
    -------
    table : DataFrame, k rows
        Columns taxon (path from the root), name, n_images, spread (root mean squared distance of the unit vectors from
        their mean, in [0, 1]), in the order of the taxonomy.
    means : ndarray, shape (k, d), float64
        Mean of the unit vectors of each taxon; row i belongs to row i of the table.

    Examples
    --------
    >>> from bioclip_probe.study.examples import corvid_sample
    >>> table, means = taxa(corvid_sample(), "genus", "toy")
    >>> table["name"].tolist(), means.shape
    (['Corvus', 'Pica'], (2, 2))
    """
    means = centroids(sample.embeddings[encoder].vectors, sample.placement.coarsen(rank))
    tips = means.tree.tips.tolist() if len(means.counts) else []
    table = pd.DataFrame(
        {
            "taxon": [means.tree.path(tip) for tip in tips],
            "name": [str(means.tree.name[tip]) for tip in tips],
            "n_images": means.counts,
            "spread": means.spread,
        }
    )
    return table, means.means
