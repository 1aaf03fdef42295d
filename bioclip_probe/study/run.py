"""The run of a plan: one function a step, one record a step, all into one results folder."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection
from concurrent.futures import Executor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import pandas as pd

from bioclip_probe import executors, metrics, provenance
from bioclip_probe.study import results
from bioclip_probe.study.attributes import attributes_of
from bioclip_probe.study.comparing import compare
from bioclip_probe.study.measuring import measurements, table_of, texts
from bioclip_probe.study.nuisances import measure_columns
from bioclip_probe.study.plan import Plan
from bioclip_probe.study.probing import predict
from bioclip_probe.study.projecting import measure_panels, project
from bioclip_probe.study.sample import Phylogeny, Sample, collect
from bioclip_probe.study.scoring import score
from bioclip_probe.study.tree_samples import measure_tree_samples

log = logging.getLogger(__name__)

STEPS = ("measure", "probe", "project")


@dataclass(frozen=True, eq=False)
class StepResult:
    """The output of one step of a study.

    Attributes
    ----------
    tables : dict from str to DataFrame
        ``measurements``, ``predictions``, ``coordinates``: what goes into the results folder.
    record : dict
        JSON-able: the settings of the step, and what a reader must know of it.
    """

    tables: dict[str, pd.DataFrame]
    record: dict = field(default_factory=dict)


def collect_sample(plan: Plan, store: str | Path, executor: Executor | None = None) -> Sample:
    """Return the sample of a plan: embed what the store lacks, read it all, and balance it if the plan says so.

    Parameters
    ----------
    plan : Plan
    store : str or Path
        Where embeddings are kept.
    executor : Executor, optional
        Embeds in its workers; by default the engine of the plan is opened for it.

    Raises
    ------
    ProbeError
        If the data, a model, the tree or the store cannot be used, in one line.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from bioclip_probe.study.examples import corvid_plan
    >>> with TemporaryDirectory() as folder:
    ...     sample = collect_sample(corvid_plan(folder), f"{folder}/store")
    >>> list(sample.embeddings)
    ['corvids']
    """
    metrics.check_metrics(plan.measure.metrics)
    settings = plan.extraction if executor is None else replace(plan.extraction, engine=executor)
    phylogeny = Phylogeny(plan.tree, plan.tree_unit) if plan.tree else None
    sample = collect(plan.data, plan.encoders, store, phylogeny, plan.templates, settings)
    if plan.columns:
        columns = attributes_of(sample.images, plan.columns, plan.data, plan.attributes)
        sample = replace(sample, attributes=columns)
    if plan.measure.per_species is None:
        return sample
    return sample.balanced(plan.measure.per_species, plan.measure.seed)


def compared_in(sample: Sample, plan: Plan) -> list[str]:
    """Return the names of the plan's models in its sample, without the controls, which come last.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from bioclip_probe.study.examples import corvid_plan
    >>> with TemporaryDirectory() as folder:
    ...     plan = corvid_plan(folder)
    ...     compared_in(collect_sample(plan, f"{folder}/store"), plan)
    ['corvids']
    """
    return list(sample.embeddings)[: len(plan.compared)]


def measure_step(sample: Sample, plan: Plan, executor: Executor | None = None) -> StepResult:
    """Measure every encoder, every pair of encoders, the names of taxa, columns of the images and samples of trees.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from bioclip_probe.study.examples import corvid_plan
    >>> with TemporaryDirectory() as folder:
    ...     plan = corvid_plan(folder)
    ...     step = measure_step(collect_sample(plan, f"{folder}/store"), plan)
    >>> sorted(step.tables["measurements"]["metric"].unique())
    ['cophenetic_correlation', 'silhouette']
    """
    measured = measurements(sample, plan.measure, executor)
    tables = [
        table_of(sample, measured, plan.measure),
        compare(sample, plan.measure, measured),
        texts(sample, settings=plan.measure),
        measure_columns(sample, plan.confounds, plan.strata, plan.measure),
        measure_tree_samples(sample, plan.measure),
    ]
    return StepResult({"measurements": pd.concat(tables, ignore_index=True)}, {"settings": asdict(plan.measure)})


def probe_step(sample: Sample, plan: Plan) -> StepResult:
    """Ask the probes, and score their predictions.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from bioclip_probe.study.examples import corvid_plan
    >>> with TemporaryDirectory() as folder:
    ...     plan = corvid_plan(folder)
    ...     step = probe_step(collect_sample(plan, f"{folder}/store"), plan)
    >>> sorted(step.tables)
    ['measurements', 'predictions']
    """
    predictions = predict(sample, plan.probe)
    scores = score(sample, predictions, plan.measure)
    return StepResult({"predictions": predictions, "measurements": scores}, {"settings": asdict(plan.probe)})


def project_step(sample: Sample, plan: Plan) -> StepResult:
    """Project the compared models panel by panel, and measure the purity of the panels.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from bioclip_probe.study.examples import corvid_plan
    >>> with TemporaryDirectory() as folder:
    ...     plan = corvid_plan(folder)
    ...     step = project_step(collect_sample(plan, f"{folder}/store"), plan)
    >>> sorted(step.tables)
    ['coordinates', 'measurements']
    """
    drawn = project(sample, plan.projection, compared_in(sample, plan))
    purity = measure_panels(sample, drawn.coordinates, plan.measure)
    record = {"settings": asdict(plan.projection), "panels": drawn.panels}
    return StepResult({"coordinates": drawn.coordinates, "measurements": purity}, record)


def run_steps(
    plan: Plan, store: str | Path, out: str | Path, steps: Collection[str] = STEPS, fresh: bool = False
) -> results.Results:
    """Run steps of a plan; each lands in the results folder when it is done.

    Parameters
    ----------
    plan : Plan
    store : str or Path
        Where embeddings are kept; a second run embeds nothing again.
    out : str or Path
        The results folder. The steps of one run may come one after the other; each replaces its own rows.
    steps : collection of str
        Of ``measure``, ``probe`` and ``project``.
    fresh : bool
        Replace what the folder holds, even if it is another run's.

    Returns
    -------
    Results

    Raises
    ------
    ProbeError
        If the plan cannot be run, or the folder holds another run and `fresh` is not set.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from bioclip_probe.study.examples import corvid_plan
    >>> with TemporaryDirectory() as folder:
    ...     results = run_steps(corvid_plan(folder), f"{folder}/store", f"{folder}/out", ["measure"])
    >>> list(results.record["steps"])
    ['measure']
    """
    results.check_folder(out)  # before the long work
    begun = time.perf_counter()
    wanted = [name for name in STEPS if name in steps]

    def land(name: str, step: StepResult) -> None:
        nonlocal begun
        record = run_record(sample, plan, name, step, time.perf_counter() - begun)
        results.write(out, record, step.tables, fresh=fresh and name == wanted[0])
        begun = time.perf_counter()

    with executors.open_executor(plan.extraction.engine) as executor:  # opened once: SLURM jobs wait in the queue once
        sample = collect_sample(plan, store, executor)
        if not fresh:
            results.check_run(out, sample.run)
        if "measure" in wanted:
            land("measure", measure_step(sample, plan, executor))
    if "probe" in wanted:
        land("probe", probe_step(sample, plan))
    if "project" in wanted:
        land("project", project_step(sample, plan))
    return results.read(out)


def reproduce(plan: Plan, store: str | Path, out: str | Path) -> results.Results:
    """Reproduce Section 4.6 as numbers: embed, measure, probe and project; the tables go to the folder `out`.

    Figures and the report are made of them by `report.write`.

    Parameters
    ----------
    plan : Plan
    store, out : str or Path
        As for `run_steps`; what `out` holds is replaced.

    Raises
    ------
    ProbeError
        As for `run_steps`.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from bioclip_probe.study.examples import corvid_plan
    >>> with TemporaryDirectory() as folder:
    ...     results = reproduce(corvid_plan(folder), f"{folder}/store", f"{folder}/out")
    >>> list(results.record["steps"])
    ['measure', 'probe', 'project']
    """
    return run_steps(plan, store, out, fresh=True)


def run_record(sample: Sample, plan: Plan, name: str, step: StepResult, seconds: float) -> dict:
    """Return the record of a run with one of its steps, as `results.write` takes it.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from bioclip_probe.study.examples import corvid_plan
    >>> with TemporaryDirectory() as folder:
    ...     plan = corvid_plan(folder)
    ...     sample = collect_sample(plan, f"{folder}/store")
    ...     record = run_record(sample, plan, "measure", StepResult({}), seconds=0.5)
    >>> record["steps"]["measure"]["seconds"]
    0.5
    """
    own = {
        "command": provenance.command(),
        "finished": provenance.now(),
        "seconds": round(seconds, 1),
        "compared": compared_in(sample, plan),
        "plan": asdict(plan),
        **step.record,
    }
    return {
        "run": sample.run,
        **sample.record,
        "software": provenance.software(),
        "machine": provenance.machine(),
        "steps": {name: own},
    }
