"""The second depth: the numbers of a results folder follow from the vectors in the store."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from bioclip_probe import provenance, torch_device
from bioclip_probe.datasets.readers.json_files import read_json
from bioclip_probe.errors import ProbeError, StoreError, one_line
from bioclip_probe.metrics.endpoints import PRIMARY
from bioclip_probe.metrics.registry import DIFFERENCE, REGISTRY
from bioclip_probe.probes import ProbeSettings
from bioclip_probe.store.store import Store, open_store
from bioclip_probe.study import protocol_id
from bioclip_probe.study.checkpoints import NOWHERE, Checkpoints
from bioclip_probe.study.comparing import compare
from bioclip_probe.study.inputs import Inputs
from bioclip_probe.study.measuring import measurements, table_of
from bioclip_probe.study.plan import Plan
from bioclip_probe.study.results import Results
from bioclip_probe.study.sample import Sample
from bioclip_probe.study.scoring import score
from bioclip_probe.study.steps import step_functions
from bioclip_probe.study.verification.comparison import Rounding, measurement_failures, prediction_failures
from bioclip_probe.study.verification.outcome import Outcome
from bioclip_probe.study.verification.settings import VerifySettings
from bioclip_probe.study.verification.stored_sample import plan_of, stored_sample

log = logging.getLogger(__name__)

#: Metrics of embeddings among the primary endpoints, and what stands beside them.
GEOMETRY = tuple(name for endpoint in PRIMARY if not endpoint.probe for name in (endpoint.metric, *endpoint.beside))
#: Lowest cosine of two stored copies of one vector.
SAME = 1 - 1e-6
#: Most bytes of a witness file.
LARGEST_WITNESS = 1 << 28


def check_numbers(results: Results, store: str | Path | None, settings: VerifySettings) -> Outcome:
    """Check that the numbers of a folder follow from the vectors in a store.

    Parameters
    ----------
    results : Results
    store : str or Path, optional
        Without one, nothing is checked.
    settings : VerifySettings

    Returns
    -------
    Outcome

    Examples
    --------
    >>> check_numbers(Results(Path("out"), {}), None, VerifySettings()).obstacles
    ('no store was named: --store STORE',)
    """
    if store is None:
        return Outcome("numbers", obstacles=("no store was named: --store STORE",))
    steps = results.record["steps"]
    try:
        opened = open_store(store)
        plans = {name: plan_of(step) for name, step in steps.items() if name in ("measure", "probe", "project")}
        if not plans:
            return Outcome("numbers", obstacles=("no step of the folder has a plan that could be run again",))
        _check_there(results, opened)
    except ProbeError as error:
        return Outcome("numbers", obstacles=(str(error),))
    try:
        plan = next(iter(plans.values()))
        sample, obstacles = stored_sample(results, opened, plan, settings.tree)
    except StoreError as error:
        return Outcome("numbers", failures=(str(error),))
    except ProbeError as error:
        return Outcome("numbers", obstacles=(str(error),))
    failures, compared = [*_vector_failures(results, sample)], 0
    for stored, computed in _tables(results, sample, plans, settings):
        if "place" in stored:
            failures += prediction_failures(stored, computed, settings.rounding)
            continue
        failures += measurement_failures(stored, computed, Rounding.of(plan.measure, settings.rounding))
        compared += len(computed)
    obstacles += _unknown_encoders(results, sample)
    checked = f"{compared:,} numbers recomputed, equal within {settings.rounding:g}"
    return Outcome("numbers", checked, tuple(failures), tuple(obstacles), tuple(_notes(results, settings)))


def read_witness(path: Path) -> tuple[list[str], dict[str, np.ndarray]]:
    """Return the images of a ``witness.npz`` and their vectors by each encoder.

    Parameters
    ----------
    path : Path

    Returns
    -------
    ids : list of str
    vectors : dict from encoder name to ndarray, shape (n, d)

    Raises
    ------
    StoreError
        If the file cannot be read as one. Nothing in it is unpickled.

    Examples
    --------
    >>> read_witness(Path("no/witness.npz"))
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.StoreError: witness.npz cannot be read: ...
    """
    try:
        if path.stat().st_size > LARGEST_WITNESS:
            raise ValueError("it is too large")
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as arrays:
            ids, names = arrays["image_id"].tolist(), arrays["encoder"].tolist()
            vectors = {name: arrays[f"vectors_{number}"] for number, name in enumerate(names)}
        if any(len(rows) != len(ids) or rows.ndim != 2 or not np.isfinite(rows).all() for rows in vectors.values()):
            raise ValueError("its arrays do not fit each other")
        return ids, vectors
    except Exception as error:  # the file may come from anybody, and a damaged archive raises many kinds of exceptions
        raise StoreError(f"{path.name} cannot be read: {one_line(error)}") from None


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the cosine of each row of one array with the same row of another; 0 for a vector of length zero.

    Parameters
    ----------
    a, b : ndarray, shape (n, d)

    Returns
    -------
    ndarray, shape (n,), float64

    Examples
    --------
    >>> cosines(np.eye(2), np.array([[2.0, 0.0], [1.0, 0.0]])).tolist()
    [1.0, 0.0]
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.divide(np.sum(a * b, axis=1), norms, out=np.zeros(len(a)), where=norms > 0)


def _check_there(results: Results, store: Store) -> None:
    """Raise an error if the store lacks a dataset or an encoder of the folder."""
    facts = results.record["dataset"]
    for encoder in results.record["encoders"]:
        in_memory = encoder.get("family") == "array"
        if in_memory or not facts.get("fingerprint") or not encoder.get("fingerprint"):
            raise ProbeError("the study was made from arrays, which no store holds")
        store.embedding_folder(f"{facts['name']}@{facts['fingerprint']}", f"{encoder['name']}@{encoder['fingerprint']}")


def _vector_failures(results: Results, sample: Sample) -> Iterator[str]:
    """Yield where the vectors or images in the store are not those of the folder."""
    inputs, folder = Inputs(sample), results.folder
    try:
        stated = {
            entry["name"]: entry["vectors"]["digest"] for entry in read_json(folder / "embeddings.json")["encoders"]
        }
        for name in sample.embeddings:
            if stated.get(name) != inputs.digest(("vectors", name)):
                yield f"the vectors of {name} in the store are not those of embeddings.json (their digest differs)"
        ids, vectors = read_witness(folder / "witness.npz")
    except (ProbeError, KeyError, TypeError) as error:
        yield one_line(error)
        return
    rows = pd.Index(sample.images["image_id"]).get_indexer(ids)
    for name, witness in vectors.items():
        if name not in sample.embeddings or np.any(rows < 0):
            yield f"witness.npz: {name}, or an image of it, is not in the store"
            continue
        own = sample.embeddings[name].vectors[rows]
        n_unequal = len(own) if own.shape != witness.shape else int(np.sum(cosines(own, witness) < SAME))
        if n_unequal:
            yield f"witness.npz: {n_unequal} of {len(own)} vectors of {name} are not those in the store"


def _tables(
    results: Results, sample: Sample, plans: dict[str, Plan], settings: VerifySettings
) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """Yield stored tables, or parts of them, with the recomputed ones."""
    table = results.measurements
    if table is None:
        return
    checkpoints = NOWHERE if settings.progress else Checkpoints()
    if settings.everything:
        steps = [step_functions(sample, plans[name])[name](checkpoints).tables for name in plans]
        stored, anew = table, pd.concat([step["measurements"] for step in steps], ignore_index=True)
        if not _same_machine(results):
            in_plane = [name for name, entry in REGISTRY.items() if entry.subject == "panels"]
            stored, anew = (part[~part["metric"].isin(in_plane)] for part in (stored, anew))
        yield stored, anew
        yield from ((results.table("predictions"), step["predictions"]) for step in steps if "predictions" in step)
        return
    if "measure" in plans:
        yield _geometry(table, sample, plans["measure"], checkpoints)
    if "probe" in plans and results.predictions is not None:
        yield from _scores(results, table, sample, plans["probe"])


def _geometry(
    table: pd.DataFrame, sample: Sample, plan: Plan, checkpoints: Checkpoints
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the primary endpoints of embeddings, and the differences in them, stored and recomputed."""
    asked = plan.measure.metrics
    names = [name for metric in GEOMETRY for name in (metric, f"{metric}{DIFFERENCE}") if not asked or name in asked]
    settings = replace(plan.measure, metrics=tuple(names) or GEOMETRY[:1])
    settings = replace(settings, device=torch_device.resolve_device(settings.device))
    measured = measurements(sample, settings, spaces=("raw",))
    tables = [table_of(sample, measured, settings), compare(sample, settings, measured, checkpoints)]
    trees = {"taxonomy", *sample.trees}
    chosen = table["metric"].isin(names) & table["tree"].isin(trees) & table["column"].isna()
    stored = table[chosen & (table["space"] == "raw") & table["probe"].isna()]
    computed = pd.concat(tables, ignore_index=True)
    return stored, computed[computed["metric"].isin(names)]


def _scores(
    results: Results, table: pd.DataFrame, sample: Sample, plan: Plan
) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """Yield the primary endpoints of probes, stored and recomputed from the stored answers."""
    predictions = results.table("predictions")
    for endpoint in PRIMARY:
        mine = (predictions["probe"] == endpoint.probe) & (predictions["protocol"] == endpoint.protocol)
        if not endpoint.probe or not mine.any():
            continue
        asked = ProbeSettings(probes=(endpoint.probe,), protocols=(endpoint.protocol or "",), seed=plan.probe.seed)
        computed = score(sample, predictions[mine], plan.measure, replace(asked, n_deals=plan.probe.n_deals))
        names = (endpoint.metric, f"{endpoint.metric}{DIFFERENCE}")
        computed = computed[computed["metric"].isin(names)]
        same = (table["probe"] == endpoint.probe) & (table["protocol"] == endpoint.protocol)
        yield table[same & table["metric"].isin(names)], computed


def _unknown_encoders(results: Results, sample: Sample) -> list[str]:
    """Return a line if numbers of the folder are of encoders that it does not list."""
    table = results.measurements
    strange = set() if table is None else set(table["encoder"].dropna()) - set(sample.embeddings)
    return [f"numbers of encoders that runs.json does not list: {', '.join(sorted(strange))}"] if strange else []


def _same_machine(results: Results) -> bool:
    """Return True if the software and the kind of machine are those of the study."""
    record = results.record
    return record.get("software") == provenance.software() and record.get("machine") == provenance.machine()


def _notes(results: Results, settings: VerifySettings) -> Iterator[str]:
    """Yield what a reader should know about the recomputed numbers."""
    here, there = provenance.software(), results.record.get("software", {})
    other = [
        f"{name} {there[name]} there, {here.get(name, 'none')} here" for name in there if there[name] != here.get(name)
    ]
    if other:
        yield f"made with other software: {'; '.join(other)}"
    parts = (results.record.get("protocol") or {}).get("parts", {})
    if parts.get("definition") not in (None, protocol_id.definition_digest()):
        yield "the protocol has another definition here than in the folder: numbers may differ for that reason"
    if settings.everything and not _same_machine(results):
        yield "numbers in the plane are not compared: on another machine or software, projections differ"
    if not settings.everything:
        yield "the primary endpoints alone, and the answers of the probe as the folder has them: --all for everything"
