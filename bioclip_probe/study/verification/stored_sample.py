"""The sample of a finished study, made again from its store: no picture and no model is needed."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from bioclip_probe import datasets
from bioclip_probe.datasets import Dataset
from bioclip_probe.encoders import geometry_of
from bioclip_probe.errors import PictureError, ProbeError, StoreError
from bioclip_probe.extraction.settings import ExtractionSettings
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.probes.settings import ProbeSettings
from bioclip_probe.projections.settings import ProjectionSettings
from bioclip_probe.stats.embeddings import Embeddings
from bioclip_probe.stats.geometry import unit_vectors
from bioclip_probe.store.store import Store
from bioclip_probe.store.text_embeddings import NameEmbeddings, read_names
from bioclip_probe.study.collecting import StoredEncoder, digest_of, join
from bioclip_probe.study.plan import Plan
from bioclip_probe.study.results import Results
from bioclip_probe.study.run import as_planned
from bioclip_probe.study.sample import Sample

log = logging.getLogger(__name__)

_SECTIONS: dict[str, Any] = {
    "extraction": ExtractionSettings,
    "measure": MeasureSettings,
    "probe": ProbeSettings,
    "projection": ProjectionSettings,
}
_PATHS = ("tree", "tree_names", "attributes")


def plan_of(step: dict[str, Any]) -> Plan:
    """Return the plan of a step from its record.

    Parameters
    ----------
    step : dict
        Of ``runs.json``.

    Returns
    -------
    Plan
        Without an engine, and with the device of this machine.

    Raises
    ------
    ProbeError
        If the record has no plan, or one of another version of the package.

    Examples
    --------
    >>> from dataclasses import asdict
    >>> plan_of({"plan": asdict(Plan(models=("clip",)))}).models
    ('clip',)
    """
    try:
        facts = dict(step["plan"])
        sections = {}
        for name, kind in _SECTIONS.items():
            values = {key: tuple(value) if isinstance(value, list) else value for key, value in facts.pop(name).items()}
            values |= {"device": "auto"} if "device" in values else {}
            if name == "extraction":
                values |= {"engine": "local", "progress": False, "redo": ()}
            sections[name] = kind(**values)
        plain = {name: tuple(value) if isinstance(value, list) else value for name, value in facts.items()}
        paths = {name: Path(facts[name]) for name in _PATHS if facts.get(name)}
        return Plan(**{**plain, **paths, **sections})
    except (KeyError, TypeError, AttributeError) as error:
        raise ProbeError(f"the plan in runs.json is not one of this version of bioclip_probe ({error})") from None


def stored_sample(results: Results, store: Store, plan: Plan, tree: Path | None = None) -> tuple[Sample, list[str]]:
    """Return the sample of a study from its store, and the parts of it that cannot be made.

    Parameters
    ----------
    results : Results
    store : Store
    plan : Plan
        Of one of its steps.
    tree : Path, optional
        The file of the phylogeny; by default that of the plan.

    Returns
    -------
    sample : Sample
    obstacles : list of str
        Phylogenies and columns of the images that are not on this machine, and a tree that no number is on, a line
        each.

    Raises
    ------
    StoreError
        If the store lacks vectors, or they are damaged.
    ProbeError
        If the sample cannot be made.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from bioclip_probe.study.examples import corvid_plan
    >>> from bioclip_probe.study.run import run_steps
    >>> with TemporaryDirectory() as folder:
    ...     plan = corvid_plan(folder)
    ...     results = run_steps(plan, f"{folder}/store", f"{folder}/out", ["project"])
    ...     sample, obstacles = stored_sample(results, Store(f"{folder}/store"), plan)
    >>> len(sample.images), obstacles
    (3, [])
    """
    record, obstacles = results.record, []
    facts = record["dataset"]
    key = f"{facts['name']}@{facts['fingerprint']}"
    true_tree = None
    if facts["simulated"] and "true tree" in record.get("trees", {}):
        true_tree = datasets.load("world").tree
    images = store.images(key)
    dataset = Dataset(
        facts["name"], images, _no_picture, facts["fingerprint"], facts["simulated"], true_tree, tuple(facts["notes"])
    )
    stored = {encoder["name"]: _stored_encoder(store, key, encoder) for encoder in record["encoders"]}
    phylogenies = {}
    if plan.phylogeny:
        name = plan.phylogeny.name
        try:
            phylogenies[name] = replace(plan.phylogeny, path=tree or plan.phylogeny.path).read()
        except ProbeError as error:
            obstacles.append(f"numbers on the tree '{name}': {error}; --tree names its file")
    elif tree is not None:
        obstacles.append(f"numbers on the tree of {tree}: the study has none, and names no file of a tree")
    sample = join(dataset, stored, phylogenies, _names(store, key, record, plan))
    if plan.columns:
        try:
            return as_planned(sample, plan), obstacles
        except ProbeError as error:
            obstacles.append(f"numbers of the columns {', '.join(plan.columns)}: {error}")
    return as_planned(sample, replace(plan, confounds=(), strata=())), obstacles


def _stored_encoder(store: Store, dataset: str, record: dict[str, Any]) -> StoredEncoder:
    """Return the vectors of an encoder as the store has them."""
    known = {key: value for key, value in record.items() if key != "control"}
    name = f"{record['name']}@{record['fingerprint']}"
    images, vectors = store.read(dataset, name)
    folder = store.embedding_folder(dataset, name)
    vectors = unit_vectors(vectors, geometry_of(record))
    has = np.any(vectors, axis=1)
    embeddings = Embeddings.of(images["image_id"].to_numpy(dtype=object)[has], vectors[has])
    return StoredEncoder(known, embeddings, [], digest_of(folder, record), folder.sha256())


def _names(store: Store, dataset: str, record: dict[str, Any], plan: Plan) -> dict[str, NameEmbeddings]:
    """Return the embedded names of taxa of each encoder for which the store has them, if the plan uses names."""
    names = {}
    for encoder in record["encoders"] if plan.templates is not None else ():
        if encoder.get("control") or not encoder.get("text"):
            continue
        try:
            names[encoder["name"]] = read_names(
                store, dataset, f"{encoder['name']}@{encoder['fingerprint']}", plan.templates or ""
            )
        except StoreError as error:
            log.warning("%s", error)
    return names


def _no_picture(source: str) -> NoReturn:
    """Refuse to open a picture: a store has none."""
    raise PictureError(f"{source}: the store holds no pictures")
