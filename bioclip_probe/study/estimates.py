"""What a study would take before it runs: what is there, what will run, seconds, memory and disk.

Times of embedding come from two timed batches; the others from the costs of metrics, probes and projections, corrected
by what earlier runs beside the results folder took. Each time is a range, with its source.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from bioclip_probe import datasets, executors, metrics
from bioclip_probe.probes.costs import SampleSize, long_work, probe_seconds
from bioclip_probe.stats.embeddings import Embeddings
from bioclip_probe.store.store import Store
from bioclip_probe.study import results
from bioclip_probe.study.attributes import attributes_of
from bioclip_probe.study.checkpoints import Outline, PieceState
from bioclip_probe.study.costs import REPORT_SECONDS, study_memory
from bioclip_probe.study.earlier_runs import Experience, experience_beside
from bioclip_probe.study.embedding_estimates import EmbeddingState, embedding_state
from bioclip_probe.study.inputs import Inputs
from bioclip_probe.study.piece_costs import PieceCosts
from bioclip_probe.study.plan import Plan
from bioclip_probe.study.run import STEPS, collect_sample, measure_step, probe_step, project_step
from bioclip_probe.study.sample import Phylogeny, Sample
from bioclip_probe.study.step_estimates import NAN, Estimate, StepEstimate, size
from bioclip_probe.tables import RANKS
from bioclip_probe.tree import place_on, taxonomy

#: The true time lies between these multiples of the estimate: after earlier runs, and without any.
SPREAD_WITH_EXPERIENCE, SPREAD = (0.6, 1.7), (0.4, 2.5)
#: Disk that must stay free for tables, figures and temporary files.
SPARE_DISK = 5e7
REPORT = "report"


def estimate(plan: Plan, store: str | Path, out: str | Path, steps: Sequence[str] = STEPS) -> Estimate:
    """Return what steps of a plan would take. Nothing is written.

    Parameters
    ----------
    plan : Plan
    store : str or Path
        Where embeddings are kept.
    out : str or Path
        The results folder.
    steps : sequence of str
        Of ``measure``, ``probe`` and ``project``; all of them also bind the report, none only embed.

    Returns
    -------
    Estimate
        Its obstacle is the reason why the study would stop, such as too little disk.

    Raises
    ------
    ProbeError
        If something that the study needs is missing or wrong: data, weights, a device, a package, the tree.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from bioclip_probe.study.examples import corvid_plan
    >>> with TemporaryDirectory() as folder:
    ...     estimated = estimate(corvid_plan(folder), f"{folder}/store", f"{folder}/out", ["measure"])
    >>> [(line.step, line.to_do) for line in estimated.lines]
    [('embed', '3 images'), ('measure', '2 pieces')]
    """
    store, out = Path(store), Path(out)
    metrics.check_metrics(plan.measure.metrics)
    if steps:
        results.check_folder(out)
    dataset = datasets.load(plan.data)
    embedding = embedding_state(dataset, plan, Store(store))
    lines, notes = list(embedding.lines), []
    if steps:
        results.check_dataset(out, dataset.fingerprint)
        sample, inputs = _sample(plan, dataset, embedding, store)
        if inputs is not None:
            results.check_run(out, sample.run)
        costs = _costs(plan, sample)
        experience = experience_beside(out)
        for step in (step for step in STEPS if step in steps):
            pieces = _pieces(step, sample, plan, out, inputs)
            lines += _lines(step, pieces, costs, experience.get(step, Experience()))
        if set(steps) == set(STEPS):
            lines.append(StepEstimate(REPORT, "figures and page", "", "all", REPORT_SECONDS, "usual", 0.0, NAN))
        if "probe" in steps:
            notes.append(_warning(lines, costs))
    return Estimate(tuple(lines), tuple(filter(None, notes)), _too_little_disk(lines, store))


def _sample(
    plan: Plan, dataset: datasets.Dataset, embedding: EmbeddingState, store: Path
) -> tuple[Sample, Inputs | None]:
    """Return the sample of a plan and its inputs; a stand-in without inputs while images are not embedded."""
    if embedding.complete:
        quiet = replace(plan.extraction, engine=executors.LOCAL, progress=False, redo=())
        sample = collect_sample(replace(plan, extraction=quiet), store, dataset=dataset)
        return sample, Inputs(sample)
    images, trees = dataset.images, {}
    if plan.tree is not None:
        phylogeny = Phylogeny(plan.tree, plan.tree_unit)
        trees[phylogeny.name] = place_on(phylogeny.read()[0], images["species"])
    if dataset.tree is not None:
        trees["true tree"] = place_on(dataset.tree, images["species"])
    ids = images["image_id"].to_numpy(dtype=object)
    embeddings = {
        source.name: Embeddings(ids, np.zeros((len(ids), source.dimension), dtype=np.float32))
        for source in embedding.sources.values()
    }
    encoders = [{**source.record, "name": source.name} for source in embedding.sources.values()]
    columns = attributes_of(images, plan.columns, plan.data, plan.attributes) if plan.columns else pd.DataFrame()
    sample = Sample(
        dataset.name, dataset.simulated, images, taxonomy(images), embeddings, trees, {"encoders": encoders}
    )
    return replace(sample, attributes=columns), None


def _pieces(step: str, sample: Sample, plan: Plan, out: Path, inputs: Inputs | None) -> list[PieceState]:
    """Return the pieces of a step, each with its state."""
    outline = Outline(None if inputs is None else out, inputs)
    functions = {"measure": partial(measure_step, executor=None), "probe": probe_step, "project": project_step}
    functions[step](sample, plan, checkpoints=outline)
    return outline.pieces


def _costs(plan: Plan, sample: Sample) -> PieceCosts:
    """Return the expected times of the pieces of a sample."""
    taxa = tuple(int(np.sum(np.unique(sample.placement.at(rank)) >= 0)) for rank in RANKS)
    device = executors.resolve_device(plan.measure.device)
    sizes = {
        name: SampleSize(len(sample.images), embeddings.vectors.shape[1], taxa)
        for name, embeddings in sample.embeddings.items()
    }
    return PieceCosts(sizes, replace(plan.measure, device=device), replace(plan.probe, device=device))


def _lines(step: str, pieces: Sequence[PieceState], costs: PieceCosts, experience: Experience) -> list[StepEstimate]:
    """Return a line for each encoder of a step."""
    by_encoder: dict[str, list[PieceState]] = {}
    for piece in pieces:
        by_encoder.setdefault(costs.encoder(piece.subject) or "all", []).append(piece)
    spread = SPREAD_WITH_EXPERIENCE if experience.n_pieces else SPREAD
    source = f"{experience.n_pieces} earlier pieces" if experience.n_pieces else "cost of each operation"
    lines = []
    for encoder, own in by_encoder.items():
        missing = [piece for piece in own if not piece.exists]
        there = f"{len(own) - len(missing)} of {len(own)} pieces"
        seconds = sum(costs.seconds(piece.step, piece.subject, piece.weight) for piece in missing) * experience.ratio
        to_do = f"{len(missing)} pieces" if missing else ""
        times = (spread[0] * seconds, spread[1] * seconds)
        memory = study_memory(costs.sizes) if missing else 0.0
        lines.append(StepEstimate(step, encoder, there, to_do, times, source, memory, NAN if missing else 0.0))
    return lines


def _warning(lines: Sequence[StepEstimate], costs: PieceCosts) -> str:
    """Return the sentence about hours of logistic regression, if it will run for hours."""
    if not any(line.to_do for line in lines if line.step == "probe"):
        return ""
    total: dict[str, float] = {}
    for of_encoder in costs.sizes.values():
        for name, seconds in probe_seconds(costs.probe, of_encoder, costs.n_cores).items():
            total[name] = total.get(name, 0.0) + seconds
    return long_work(total)


def _too_little_disk(lines: Sequence[StepEstimate], store: Path) -> str:
    """Return a sentence if the vectors do not fit on the disk of the store."""
    needed = sum(line.disk for line in lines if line.step in ("embed", "names") and line.disk == line.disk)
    existing = next(path for path in (store, *store.absolute().parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if not needed or needed + SPARE_DISK <= free:
        return ""
    return f"the store {store} needs {size(needed)} more, and {size(free)} are free; free some, or name another --store"
