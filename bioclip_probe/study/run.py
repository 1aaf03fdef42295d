"""The study: the run of a `Plan`.

>>> from bioclip_probe import collect, study
>>> sample = collect("world", ["world-taxonomic", "pixels"], store="store")
>>> study.measure(sample)                      # a MEASUREMENTS table; study.compare for pairs of encoders
>>> study.texts(sample)                        # the side of names
>>> study.project(sample, method="umap")       # a COORDINATES table

`reproduce` does all of it and leaves the tables in a folder, from which figures and the report are made.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from bioclip_probe import executors, metrics, projections, provenance
from bioclip_probe.errors import DataError
from bioclip_probe.extraction.prompts import NESTED_TYPE, PLAIN_TYPE
from bioclip_probe.projections.panels import drill_down
from bioclip_probe.stats.centroids import centroids
from bioclip_probe.stats.embeddings import Embeddings
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.rows import ResamplingUnits
from bioclip_probe.stats.threads import matched_threads
from bioclip_probe.study import probing, results, scoring
from bioclip_probe.study.plan import Plan
from bioclip_probe.study.sample import Sample, collect
from bioclip_probe.tables import COORDINATES, MEASUREMENTS

log = logging.getLogger(__name__)

SPACES = ("raw", "centred")


def taxa(sample: Sample, rank: str, encoder: str) -> tuple[pd.DataFrame, np.ndarray]:
    """Embeddings of the taxa of a rank: how many images each has, how far they scatter, and their mean.

    Returns
    -------
    table : DataFrame, k rows
        Columns taxon (path from the root), name, n_images, spread (root mean squared distance of its unit vectors from
        their mean, in [0, 1]), in the order of the taxonomy.
    means : ndarray, shape (k, d), float64
        Mean of the unit vectors of each taxon; row i belongs to row i of the table.
    """
    found = centroids(sample.embeddings[encoder].vectors, sample.placement.coarsen(rank))
    tips = found.tree.tips if len(found.counts) else []
    table = pd.DataFrame(
        {
            "taxon": [found.tree.path(tip) for tip in tips],
            "name": [str(found.tree.name[tip]) for tip in tips],
            "n_images": found.counts,
            "spread": found.spread,
        }
    )
    return table, found.means


def measure(sample: Sample, seed: int = 0, resample: str = "species", executor: Executor | None = None) -> pd.DataFrame:
    """All metrics of every encoder, raw and centred, at every rank, on the taxonomy and on the sample's phylogenies.

    Where the dataset has parts (``split``, e.g. species seen and unseen in training), tree agreement is also given for
    each part. `compare` does the same for pairs of encoders.

    Parameters
    ----------
    sample : Sample
    seed : int
    resample : str
        The rank whose taxa intervals of tree agreement resample whole.
    executor : Executor, optional
        Whose workers look at all pairs of images, e.g. one that `executors.open_executor` gives.

    Returns
    -------
    DataFrame
        A `MEASUREMENTS` table.
    """
    splits = sorted(sample.images["split"].dropna().unique())
    parts = {name: sample.take(np.flatnonzero(sample.images["split"] == name)) for name in splits} if splits[1:] else {}
    tables = []
    for name, embeddings in sample.embeddings.items():
        log.info("measuring %s", name)
        with matched_threads(embeddings.vectors.size * len(sample.placement.tree.tips)):
            for space in SPACES:
                rows = _in_space(embeddings, space, partial(_measure_all, sample, seed, resample, executor))
                for split, part in parts.items():
                    found = _in_space(
                        part.embeddings[name], space, partial(_measure_part, part, seed, resample, executor)
                    )
                    rows += [{**row, "split": split} for row in found]
                tables.append(sample.table(rows, encoder=name, space=space))
    return pd.concat(tables, ignore_index=True)


def _measure_all(
    sample: Sample, seed: int, resample: str, executor: Executor | None, vectors: np.ndarray
) -> list[dict]:
    units = _units(sample, resample)
    rows = metrics.measure(vectors, sample.placement, sample.groups, seed, units, executor)
    for tree, (placement, _) in sample.trees.items():
        rows += metrics.agreement(vectors, placement, tree, seed, units, executor)
        rows += metrics.structure(vectors, placement, tree, seed, units)
    return rows


def _measure_part(part: Sample, seed: int, resample: str, executor: Executor | None, vectors: np.ndarray) -> list[dict]:
    species, units = part.placement.coarsen("species"), _units(part, resample)
    return metrics.agreement(vectors, species, "taxonomy", seed, units, executor)


def _units(sample: Sample, rank: str) -> ResamplingUnits | None:
    return None if rank == "species" else ResamplingUnits(rank, sample.placement.at(rank))


def compare(sample: Sample, seed: int = 0, resample: str = "species") -> pd.DataFrame:
    """Every two encoders beside each other, and what each one's agreement is worth beyond the controls.

    Returns
    -------
    DataFrame
        A `MEASUREMENTS` table with ``encoder_b``, of raw embeddings: differences in tree agreement (above 0 where
        `encoder` follows the tree more closely), similarity, and, beside each control, the residual correlation.
    """
    tables = []
    vectors = {name: embeddings.vectors for name, embeddings in sample.embeddings.items()}
    with matched_threads(max(map(np.size, vectors.values())) * len(sample.placement.tree.tips)):
        for first, second in itertools.combinations(vectors, 2):
            log.info("comparing %s and %s", first, second)
            rows = metrics.compare(vectors[first], vectors[second], sample.placement, seed, _units(sample, resample))
            tables.append(sample.table(rows, encoder=first, encoder_b=second, space="raw"))
        for control in sample.controls:
            for name in vectors:
                if name != control:
                    rows = metrics.compare_with_control(vectors[name], vectors[control], sample.placement, seed)
                    tables.append(sample.table(rows, encoder=name, encoder_b=control, space="raw"))
    return pd.concat([MEASUREMENTS.frame(), *tables], ignore_index=True)


def _in_space(embeddings: Embeddings, space: str, rows_of: Callable[[np.ndarray], list[dict]]) -> list[dict]:
    """Rows of one space; where centring leaves an image without direction, the same rows, undefined."""
    try:
        vectors = (embeddings if space == "raw" else embeddings.centred()).vectors
    except DataError as error:
        counts = ("n_images", "n_taxa", "n_excluded")
        return [
            {**row, **vars(Estimate.undefined(str(error), *(row[count] for count in counts)))}
            for row in rows_of(embeddings.vectors)
        ]
    return rows_of(vectors)


def texts(sample: Sample, types: Sequence[str] = (PLAIN_TYPE, NESTED_TYPE), seed: int = 0) -> pd.DataFrame:
    """How the names of taxa follow the tree, and how the images of taxa lie to their names.

    Parameters
    ----------
    sample : Sample
        With `names`; without any there are no rows.
    types : sequence of str
        Text types; in the measurements they are the `protocol`.
    seed : int

    Returns
    -------
    DataFrame
        A `MEASUREMENTS` table.
    """
    tables = [MEASUREMENTS.frame()]
    tree = sample.placement.tree
    for name, kind in itertools.product(sample.names, types):
        log.info("measuring the names of %s, type %s", name, kind)
        names = sample.named(name, kind)
        root = sample.named_root(name, kind) if kind == NESTED_TYPE else None
        rows = metrics.measure_text(names, tree, root, seed)
        rows += metrics.measure_image_text(sample.embeddings[name].vectors, sample.placement, names, seed)
        tables.append(sample.table(rows, encoder=name, space="raw", protocol=kind))
    return pd.concat(tables, ignore_index=True)


def project(
    sample: Sample,
    method: str = "tsne",
    mode: str = "corrected",
    seed: int = 0,
    models: Sequence[str] | None = None,
) -> pd.DataFrame:
    """The drill-down of Section 4.6 for some of the encoders (all by default); a `COORDINATES` table."""
    tables = []
    for name in sample.embeddings if models is None else models:
        log.info("projecting %s (%s)", name, method)
        found = projections.project(sample.embeddings[name].vectors, sample.placement, method, mode, seed)
        ids = sample.images["image_id"].to_numpy(dtype=object)[found["row"]]
        shared = {"run": sample.run, "encoder": name, "dataset": sample.dataset, "image_id": ids}
        tables.append(COORDINATES.frame(found.drop(columns="row").assign(**shared)))
    return pd.concat(tables, ignore_index=True)


def panels(
    sample: Sample,
    method: str = "tsne",
    mode: str = "corrected",
    seed: int = 0,
    models: Sequence[str] | None = None,
) -> dict[str, list[dict]]:
    """What `project` does with the same arguments, for the record: each encoder's panels, settings, and notes."""
    return {
        name: projections.record(sample.embeddings[name].vectors, sample.placement, method, mode, seed)
        for name in (sample.embeddings if models is None else models)
    }


def measure_panels(sample: Sample, coordinates: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Cluster purity in each panel of the drill-down, in full dimension and in the plane; a `MEASUREMENTS` table."""
    panels = drill_down(sample.placement, projections.FIGURE_RANKS)
    path = sample.placement.tree.path
    labels = [np.where(np.isin(panel.taxon, panel.plotted), panel.taxon, -1) for panel in panels]
    units = [sample.placement.node[panel.rows] for panel in panels]

    def rows(points: list[np.ndarray], metric: str) -> list[dict]:
        inside = [
            (panel.rank, path(panel.focus), point, label)
            for panel, point, label in zip(panels, points, labels, strict=True)
        ]
        return metrics.measure_panels(inside, units, metric, seed)

    tables = []
    for name, drawn in coordinates.groupby("encoder", sort=False):
        vectors = sample.embeddings[name].vectors
        by_rank = dict(list(drawn.groupby("rank", sort=False)))
        plane = [by_rank[panel.rank][["x", "y"]].to_numpy() for panel in panels]
        found = rows([vectors[panel.rows] for panel in panels], "panel_purity") + rows(plane, "panel_purity_2d")
        tables.append(sample.table(found, encoder=name, space="raw"))
    return pd.concat(tables, ignore_index=True)


def step(sample: Sample, name: str, seconds: float, **settings: object) -> dict:
    """The record of one step of a run, as `results.write` takes it."""
    return {
        "run": sample.run,
        **sample.record,
        "software": provenance.software(),
        "machine": provenance.machine(),
        "steps": {
            name: {
                "command": provenance.command(),
                "finished": provenance.now(),
                "seconds": round(seconds, 1),
                **settings,
            }
        },
    }


def sample_of(plan: Plan, store: str | Path, progress: bool = True, executor: Executor | None = None) -> Sample:
    """The sample that a plan asks for, see `collect`; embedded by an `executor` of the plan's engine if one is open."""
    how = {**plan.extraction(), "engine": executor or plan.engine, "progress": progress}
    found = collect(plan.data, plan.encoders(), store, plan.tree, plan.tree_unit, plan.prompts(), **how)
    return found if plan.per_species is None else found.balanced(plan.per_species, plan.seed)


def compared_in(sample: Sample, plan: Plan) -> list[str]:
    """The names of the plan's models in its sample, without the controls, which come last."""
    return list(sample.embeddings)[: len(plan.compared())]


def reproduce(plan: Plan, store: str | Path, out: str | Path, progress: bool = True) -> results.Results:
    """Section 4.6 as numbers: embed, measure, probe, project; the tables go to the folder `out`.

    Figures and the report are made of them by `report.write`.
    """
    start = time.perf_counter()
    results.check_folder(out)  # before the long work
    with executors.open_executor(plan.engine) as executor:  # opened once: on SLURM its jobs wait in the queue once
        found = sample_of(plan, store, progress, executor)
        measured = measure(found, plan.seed, plan.resample, executor)
    predictions = probing.ask(found, plan)
    compared = compared_in(found, plan)
    coordinates = project(found, plan.method, plan.mode, plan.seed, compared)
    tables = [
        measured,
        compare(found, plan.seed, plan.resample),
        scoring.score(found, predictions, plan.seed),
        texts(found, seed=plan.seed),
        measure_panels(found, coordinates, plan.seed),
    ]
    drawn = panels(found, plan.method, plan.mode, plan.seed, compared)
    settings = {"plan": asdict(plan), "compared": compared, "panels": drawn}
    return results.write(
        out,
        step(found, "reproduce", time.perf_counter() - start, **settings),
        fresh=True,
        measurements=pd.concat(tables, ignore_index=True),
        predictions=predictions,
        coordinates=coordinates,
    )
