"""A sample of three birds: the data of the examples in the docstrings of the study."""

from __future__ import annotations

import pandas as pd

from bioclip_probe.metrics.examples import corvids
from bioclip_probe.stats.embeddings import Embeddings
from bioclip_probe.study.sample import Sample
from bioclip_probe.tables import IMAGES


def corvid_sample() -> Sample:
    """Return a sample of two magpies and a raven, embedded in the plane by an encoder called ``toy``.

    Examples
    --------
    >>> corvid_sample().images["species"].tolist()
    ['Pica pica', 'Pica hudsonia', 'Corvus corax']
    """
    vectors, placement = corvids()
    species = ["Pica pica", "Pica hudsonia", "Corvus corax"]
    genus = [name.split()[0] for name in species]
    images = IMAGES.frame(pd.DataFrame({"image_id": ["a", "b", "c"], "genus": genus, "species": species}))
    embeddings = {"toy": Embeddings.of(images["image_id"].to_numpy(dtype=object), vectors)}
    return Sample("corvids", False, images, placement, embeddings)
