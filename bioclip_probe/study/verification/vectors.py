"""The third depth: the named models give the vectors of the folder for the same pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bioclip_probe import datasets, encoders
from bioclip_probe.datasets import Dataset
from bioclip_probe.datasets.readers.pictures import PictureOpener
from bioclip_probe.encoders import geometry_of
from bioclip_probe.errors import ProbeError, StoreError, one_line, printable
from bioclip_probe.extraction.ready_vectors import VECTORS
from bioclip_probe.store.store import open_store
from bioclip_probe.study.results import Results
from bioclip_probe.study.verification.numbers import cosines, read_witness
from bioclip_probe.study.verification.outcome import Outcome
from bioclip_probe.study.verification.settings import VerifySettings
from bioclip_probe.study.verification.stored_sample import plan_of

if TYPE_CHECKING:
    from PIL.Image import Image

#: Schemes of models that are Python code, or objects of a process that has ended.
CODE = ("custom:", "module:")


def check_vectors(results: Results, store: str | Path | None, settings: VerifySettings) -> Outcome:
    """Check that pictures that are embedded again get the vectors of the folder, and of the store if one is named.

    Parameters
    ----------
    results : Results
    store : str or Path, optional
    settings : VerifySettings

    Returns
    -------
    Outcome

    Notes
    -----
    Weights that are not on this machine are downloaded, as by `embed`. The pictures are the first of ``witness.npz``,
    which nobody chose, see `bundle.vectors.witnesses`. They are embedded in fp32, which every machine has; a study
    uses half precision only where it gives the same vectors.

    Examples
    --------
    >>> check_vectors(Results(Path("out"), {"steps": {}}), None, VerifySettings()).obstacles
    ('no step of the folder names a dataset and models',)
    """
    steps = [step for step in results.record["steps"].values() if "plan" in step]
    if not steps:
        return Outcome("vectors", obstacles=("no step of the folder names a dataset and models",))
    try:
        ids, witness = read_witness(results.folder / "witness.npz")
        known = pd.read_parquet(results.folder / "images.parquet", columns=["image_id", "sha256"])
    except (StoreError, OSError, ValueError, KeyError) as error:
        return Outcome("vectors", failures=(one_line(error),))
    try:
        plan = plan_of(steps[-1])
        if (settings.data or plan.data).startswith(VECTORS):
            raise ProbeError("the study was made from ready vectors")
        dataset = datasets.load(settings.data or plan.data, plan.lineages)
        models = models_of(results, plan.encoders, settings.models)
    except ProbeError as error:
        return Outcome("vectors", obstacles=(f"the pictures or models are not here: {error}",))
    check = _Check(results, store, settings.cosine)
    check.open_pictures(dataset, ids[: settings.n_pictures], known.set_index("image_id")["sha256"])
    passed = [
        record["name"]
        for record in results.record["encoders"]
        if check.pictures and check.encoder(record, models.get(record["name"], ""), witness.get(record["name"]))
    ]
    n_encoders = len(results.record["encoders"])
    checked = f"{len(check.pictures)} pictures embedded again by {len(passed)} of {n_encoders} encoders"
    checked += f", cosine at least {settings.cosine:g}"
    return Outcome("vectors", checked if passed else "", tuple(check.failures), tuple(check.obstacles))


def models_of(results: Results, planned: tuple[str, ...], named: tuple[str, ...]) -> dict[str, str]:
    """Return the model by which each encoder of a folder is loaded: that of its plan, unless the user names another.

    Python code is left out where the folder alone names it: whoever wrote the folder would run it here.

    Parameters
    ----------
    results : Results
    planned : tuple of str
        The models of the plan, in the order of the encoders of the record.
    named : tuple of str
        ``NAME=ID``, or a name alone.

    Returns
    -------
    dict from str to str

    Raises
    ------
    ProbeError
        If the folder has no encoder of a name.

    Examples
    --------
    >>> results = Results(Path("out"), {"encoders": [{"name": "clip"}, {"name": "mine"}]})
    >>> models_of(results, ("clip", "mine=custom:net.py:make"), ())
    {'clip': 'clip'}
    """
    names = results.encoders
    models = dict(zip(names, planned, strict=False))
    models = {name: model for name, model in models.items() if not any(code in model for code in CODE)}
    for model in named:
        name = model.partition("=")[0]
        if name not in names:
            raise ProbeError(f"the folder has no encoder '{name}'; it has: {', '.join(names)}")
        models[name] = model
    return models


class _Check:
    """The check of the vectors of a folder, with its findings."""

    def __init__(self, results: Results, store: str | Path | None, cosine: float) -> None:
        self.results, self.store, self.cosine = results, store, cosine
        self.failures: list[str] = []
        self.obstacles: list[str] = []
        self.ids: list[str] = []
        self.rows: list[int] = []
        self.pictures: list[Image] = []

    def open_pictures(self, dataset: Dataset, ids: list[str], digests: pd.Series) -> None:
        """Open the pictures, and note those that are missing or have other bytes than those of the study."""
        source = dataset.images.set_index("image_id")["source"]
        for row, name in enumerate(ids):
            if name not in source.index:
                self.obstacles.append(f"the dataset here has no image {printable(name)}")
                continue
            try:
                expected = digests.get(name)
                opener = dataset.open if isinstance(dataset.open, PictureOpener) else None
                if opener and isinstance(expected, str) and opener.read(source[name]).sha256 != expected:
                    self.failures.append(f"{printable(name)}: the picture has other bytes here than in the study")
                    continue
                self.pictures.append(dataset.open(source[name]))
            except ProbeError as error:
                self.obstacles.append(f"{printable(name)}: {error}")
                continue
            self.ids.append(name)
            self.rows.append(row)

    def encoder(self, record: dict[str, Any], model: str, witness: np.ndarray | None) -> bool:
        """Check the vectors of one encoder; return True if the pictures were embedded again."""
        name = record["name"]
        if not model or VECTORS in model:
            why = (
                "ready vectors" if VECTORS in model else "Python code; to run it, name it: --models NAME=custom:FILE:F"
            )
            self.obstacles.append(f"{name}: not loaded, it is {why}")
            return False
        revision = record.get("revision") or None
        try:
            encoder = encoders.load(model, "auto", "fp32", revision if encoders.on_hub(model) else None)
            batch = encoder.collate([encoder.preprocess(picture) for picture in self.pictures])
            vectors = encoder.encode(batch)
        except ProbeError as error:
            self.obstacles.append(f"{name}: {error}")
            return False
        if encoder.record.get("sha256") != record.get("sha256"):
            self.failures.append(f"{name}: other weights here than in the study (their sha256 differs)")
        if witness is not None:
            self._compare(name, vectors, witness[self.rows], "witness.npz")
        elif geometry_of(record) == "cosine":
            self.failures.append(f"{name}: witness.npz has no vectors of it")
        if self.store is not None:
            self._compare_with_store(record, vectors)
        return True

    def _compare_with_store(self, record: dict[str, Any], vectors: np.ndarray) -> None:
        """Compare the vectors of one encoder with those in the store."""
        facts = self.results.record["dataset"]
        full_names = f"{facts['name']}@{facts.get('fingerprint')}", f"{record['name']}@{record.get('fingerprint')}"
        try:
            assert self.store is not None
            images, stored = open_store(self.store).read(*full_names)
        except ProbeError as error:
            self.obstacles.append(f"{record['name']}, in the store: {error}")
            return
        rows = pd.Index(images["image_id"]).get_indexer(self.ids)
        there = rows >= 0
        self._compare(record["name"], vectors[there], stored[rows[there]], "the store")

    def _compare(self, name: str, vectors: np.ndarray, expected: np.ndarray, where: str) -> None:
        """Note where vectors are not the expected ones."""
        if vectors.shape != expected.shape:
            self.failures.append(f"{name}: {vectors.shape[1]} dimensions here, {expected.shape[1]} in {where}")
            return
        cosine = cosines(vectors, expected)
        n_other = int(np.sum(cosine < self.cosine))
        if n_other:
            lowest = f"lowest cosine {cosine.min():.4f}"
            self.failures.append(f"{name}: {n_other} of {len(cosine)} vectors are not those in {where} ({lowest})")
