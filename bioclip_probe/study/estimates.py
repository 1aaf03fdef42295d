"""Estimates of a study before it runs: what is there, what will run, seconds, memory and disk.

Times of embedding come from two timed batches; the others from the costs of metrics, probes and projections, corrected
by what earlier runs beside the results folder took. Each time is a range, with its source.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bioclip_probe import datasets, metrics
from bioclip_probe.store.earlier_versions import known_as
from bioclip_probe.store.store import Store
from bioclip_probe.study import results
from bioclip_probe.study.costs import REPORT_SECONDS, study_memory
from bioclip_probe.study.earlier_runs import Experience, experience_beside
from bioclip_probe.study.embedding_estimates import EmbeddingState, embedding_state, peak_memory
from bioclip_probe.study.outline import outline_sample, pieces
from bioclip_probe.study.piece import PieceState
from bioclip_probe.study.piece_costs import PieceCosts
from bioclip_probe.study.plan import Plan
from bioclip_probe.study.step_estimates import NAN, Estimate, StepEstimate, size
from bioclip_probe.study.steps import STEPS

#: The true time lies between these multiples of the estimate: after earlier runs, and without any.
SPREAD_WITH_EXPERIENCE, SPREAD = (0.6, 1.7), (0.5, 2.0)
#: Disk that must stay free for tables, figures and temporary files.
SPARE_DISK = 5e7
REPORT = "report"


def estimate(
    plan: Plan, store: str | Path, out: str | Path, steps: Sequence[str] = STEPS, overwrite: bool = False
) -> Estimate:
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
    overwrite : bool
        The run may replace the results of another dataset.

    Returns
    -------
    Estimate
        Its obstacle is the reason why the study would stop, such as too little disk.

    Raises
    ------
    ProbeError
        If something that the study needs is missing or wrong: data, weights, a device, a package, the tree; or the
        folder holds the results of another dataset.

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
    dataset = known_as(Store(store), datasets.load(plan.data))
    embedding = embedding_state(dataset, plan, Store(store), names_of_controls=not steps)
    lines, notes = list(embedding.lines), []
    if steps:
        if not overwrite:
            results.check_dataset(out, dataset.fingerprint, dataset.name)
        absent = [model for model in plan.encoders if model not in embedding.sources]
        if absent:
            notes.append(f"without the pieces of {', '.join(absent)}, whose weights must be downloaded first")
        here = tuple(model for model in plan.compared if model in embedding.sources)
        if here:
            own, more = _step_lines(replace(plan, models=here), dataset, embedding, Store(store), (out, steps))
            lines, notes = [*lines, *own], [*notes, *more]
    return Estimate(tuple(lines), tuple(filter(None, notes)), _too_little_disk(lines, store))


def _step_lines(
    plan: Plan, dataset: datasets.Dataset, embedding: EmbeddingState, store: Store, of: tuple[Path, Sequence[str]]
) -> tuple[list[StepEstimate], list[str]]:
    """Return the lines of the steps after embedding, and what a reader should know of them."""
    out, steps = of
    sample = outline_sample(plan, dataset, {model: embedding.sources[model] for model in plan.encoders}, store)
    dimensions = {source.name: source.dimension for source in embedding.sources.values()}
    costs, experience = PieceCosts.of(plan, sample.placement, dimensions), experience_beside(out)
    known, lines = pieces(sample, plan, out, steps), []
    for step in (step for step in STEPS if step in steps):
        own = [piece for piece in known if piece.step == step]
        lines += _lines(step, own, costs, experience.get(step, Experience()))
    if set(steps) == set(STEPS):
        lines.append(StepEstimate(REPORT, "figures and page", "", "all", REPORT_SECONDS, "usual", 0.0, NAN))
    probing = any(line.to_do for line in lines if line.step == "probe")
    return lines, [costs.long_probing] if probing else []


def _lines(step: str, pieces: Sequence[PieceState], costs: PieceCosts, experience: Experience) -> list[StepEstimate]:
    """Return a line for each encoder of a step."""
    by_encoder: dict[str, list[PieceState]] = {}
    for piece in pieces:
        by_encoder.setdefault(costs.encoder(piece.subject) or "all", []).append(piece)
    spread = SPREAD_WITH_EXPERIENCE if experience.n_pieces else SPREAD
    source = f"{experience.n_pieces} earlier pieces" if experience.n_pieces else "cost of each operation"
    lines: list[StepEstimate] = []
    start = costs.start_seconds(piece.subject for piece in pieces if not piece.exists)
    for encoder, own in by_encoder.items():
        missing = [piece for piece in own if not piece.exists]
        there = f"{len(own) - len(missing)} of {len(own)} pieces"
        seconds = sum(costs.seconds(piece.step, piece.subject, piece.weight) for piece in missing) * experience.ratio
        if missing:  # methods are loaded with the first pieces
            seconds, start = seconds + start, 0.0
        to_do = f"{len(missing)} pieces" if missing else ""
        times = (spread[0] * seconds, spread[1] * seconds)
        predictions = costs.n_predictions if step == "probe" else 0.0
        memory = study_memory(costs.sizes, predictions, peak_memory()) if missing else 0.0
        lines.append(StepEstimate(step, encoder, there, to_do, times, source, memory, NAN if missing else 0.0))
    return lines


def _too_little_disk(lines: Sequence[StepEstimate], store: Path) -> str:
    """Return a sentence if the vectors do not fit on the disk of the store."""
    needed = sum(line.disk for line in lines if line.step in ("embed", "names") and line.disk == line.disk)
    existing = next(path for path in (store, *store.absolute().parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if not needed or needed + SPARE_DISK <= free:
        return ""
    return f"the store {store} needs {size(needed)} more, and {size(free)} are free; free some, or name another --store"
