"""Three birds as a sample and as a store: the data of the examples in the docstrings of the study."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from bioclip_probe import datasets
from bioclip_probe.extraction.embed import embed
from bioclip_probe.extraction.settings import ExtractionSettings
from bioclip_probe.metrics.examples import corvids
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.probes.settings import ProbeSettings
from bioclip_probe.projections.settings import ProjectionSettings
from bioclip_probe.stats.embeddings import Embeddings
from bioclip_probe.store.store import Store
from bioclip_probe.study.plan import Plan
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


def write_corvids(folder: str | Path) -> Path:
    """Write the three birds as a file of ready vectors, ``corvids.npz``, and return its path.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_corvids(folder).name
    'corvids.npz'
    """
    sample, file = corvid_sample(), Path(folder) / "corvids.npz"
    columns = {name: sample.images[name].to_numpy(dtype=np.str_) for name in ("genus", "species")}
    ids = sample.images["image_id"].to_numpy(dtype=np.str_)
    np.savez(file, ids=ids, vectors=sample.embeddings["toy"].vectors, **columns)
    return file


def corvid_store(folder: str | Path) -> Store:
    """Return a store in `folder` that holds the three birds: dataset and encoder are both called ``corvids``.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     corvid_store(folder).read("corvids", "corvids")[1].shape
    (3, 2)
    """
    vectors, store = f"vectors:{write_corvids(folder)}", Store(Path(folder) / "store")
    embed(datasets.load(vectors), [vectors], store, ExtractionSettings(progress=False))
    return store


def corvid_plan(folder: str | Path) -> Plan:
    """Return a small plan about the three birds, whose vectors are written to `folder`.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     corvid_plan(folder).measure.metrics
    ('cophenetic_correlation', 'silhouette')
    """
    return Plan(
        data=f"vectors:{write_corvids(folder)}",
        extraction=ExtractionSettings(progress=False),
        measure=MeasureSettings(metrics=("cophenetic_correlation", "silhouette")),
        probe=ProbeSettings(probes=("lda",), protocols=("seen",)),
        projection=ProjectionSettings(methods=("pca",)),
    )
