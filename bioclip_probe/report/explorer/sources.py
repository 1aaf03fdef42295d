"""The sample of a results folder, read back from the store: vectors and pictures, without any model."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bioclip_probe import datasets
from bioclip_probe.datasets import Dataset
from bioclip_probe.encoders import geometry_of
from bioclip_probe.errors import DataError
from bioclip_probe.stats.embeddings import Embeddings
from bioclip_probe.stats.geometry import unit_vectors
from bioclip_probe.store.earlier_versions import known_as
from bioclip_probe.store.store import Store, open_store
from bioclip_probe.study.collecting import StoredEncoder, digest_of, join
from bioclip_probe.study.results import Results
from bioclip_probe.study.sample import Sample


def dataset_of(results: Results, store: Store, data: str = "") -> Dataset:
    """Return the dataset of a results folder.

    Parameters
    ----------
    results : Results
    store : Store
    data : str
        The dataset as `datasets.load` takes it; by default as the study named it.

    Raises
    ------
    DataError
        If it cannot be read, or its content is not that of the study.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from bioclip_probe.study import run_steps
    >>> from bioclip_probe.study.examples import corvid_plan
    >>> with TemporaryDirectory() as folder:
    ...     results = run_steps(corvid_plan(folder), f"{folder}/store", f"{folder}/out", ["project"])
    ...     dataset_of(results, Store(f"{folder}/store")).name
    'corvids'
    """
    plan = _plan(results)
    dataset = known_as(store, datasets.load(data or plan["data"], plan["lineages"]))
    wanted = results.record["dataset"]
    if (dataset.name, dataset.fingerprint) != (wanted["name"], wanted["fingerprint"]):
        raise DataError(
            f"{results.folder} is about {wanted['name']}@{wanted['fingerprint']}, not about {dataset.name}@"
            f"{dataset.fingerprint}; name its pictures with --data"
        )
    return dataset


def stored_sample(results: Results, store: str | Path, dataset: Dataset) -> Sample:
    """Return the images of a results folder with the vectors that the study compared; nothing is embedded.

    Parameters
    ----------
    results : Results
    store : str or Path
    dataset : Dataset
        From `dataset_of`.

    Returns
    -------
    Sample
        Its images are those that every encoder of the study could embed, balanced if the study was.

    Raises
    ------
    StoreError
        If the store lacks the vectors of an encoder, or they are damaged.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from bioclip_probe.study import run_steps
    >>> from bioclip_probe.study.examples import corvid_plan
    >>> with TemporaryDirectory() as folder:
    ...     results = run_steps(corvid_plan(folder), f"{folder}/store", f"{folder}/out", ["project"])
    ...     dataset = dataset_of(results, Store(f"{folder}/store"))
    ...     stored_sample(results, f"{folder}/store", dataset).run == results.record["run"]
    True
    """
    opened = open_store(store)
    stored = {encoder["name"]: _stored_encoder(opened, dataset, encoder) for encoder in results.record["encoders"]}
    sample = join(dataset, stored)
    settings = _plan(results)["measure"]
    if settings["per_species"] is None:
        return sample
    return sample.balanced(settings["per_species"], settings["seed"])


def _stored_encoder(store: Store, dataset: Dataset, encoder: dict) -> StoredEncoder:
    """Return the vectors of one encoder that have a direction."""
    name = f"{encoder['name']}@{encoder['fingerprint']}"
    images, vectors = store.read(dataset, name)
    vectors = unit_vectors(vectors, geometry_of(encoder))
    directed = np.any(vectors, axis=1)
    embeddings = Embeddings.of(images["image_id"][directed].to_numpy(dtype=object), vectors[directed])
    folder = store.embedding_folder(dataset, name)
    return StoredEncoder(encoder, embeddings, digest=digest_of(folder, encoder), sha256=folder.sha256())


def _plan(results: Results) -> dict:
    """Return the settings of the latest step of a study, JSON-able."""
    return next(reversed(results.record["steps"].values()))["plan"]
