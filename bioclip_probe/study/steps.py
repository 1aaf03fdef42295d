"""The steps of a study: measure, probe, project. Each makes tables of a sample, piece by piece."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import asdict, dataclass, field, replace
from functools import partial

import pandas as pd

from bioclip_probe import torch_device
from bioclip_probe.study.checkpoints import NOWHERE, Checkpoints
from bioclip_probe.study.comparing import compare
from bioclip_probe.study.measuring import measurements, table_of, texts
from bioclip_probe.study.nuisances import measure_columns
from bioclip_probe.study.plan import Plan
from bioclip_probe.study.predicting import predict
from bioclip_probe.study.projecting import panel_measurements, project
from bioclip_probe.study.sample import Sample
from bioclip_probe.study.scoring import score
from bioclip_probe.study.tree_samples import measure_tree_samples

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


def compared_in(sample: Sample, plan: Plan) -> list[str]:
    """Return the names of the plan's models in its sample, without the controls, which come last.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from bioclip_probe.study.examples import corvid_plan
    >>> from bioclip_probe.study.run import collect_sample
    >>> with TemporaryDirectory() as folder:
    ...     plan = corvid_plan(folder)
    ...     compared_in(collect_sample(plan, f"{folder}/store"), plan)
    ['corvids']
    """
    return list(sample.embeddings)[: len(plan.compared)]


def measure_step(
    sample: Sample, plan: Plan, executor: Executor | None = None, checkpoints: Checkpoints = NOWHERE
) -> StepResult:
    """Measure every encoder, every pair of encoders, the names of taxa, columns of the images and samples of trees.

    Parameters
    ----------
    sample : Sample
    plan : Plan
    executor : Executor, optional
        Its workers compare all pairs of images.
    checkpoints : Checkpoints
        Where finished pieces are stored; by default nowhere.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from bioclip_probe.study.examples import corvid_plan
    >>> from bioclip_probe.study.run import collect_sample
    >>> with TemporaryDirectory() as folder:
    ...     plan = corvid_plan(folder)
    ...     step = measure_step(collect_sample(plan, f"{folder}/store"), plan)
    >>> sorted(step.tables["measurements"]["metric"].unique())
    ['cophenetic_correlation', 'silhouette']
    """
    settings = replace(plan.measure, device=torch_device.resolve_device(plan.measure.device))
    measured = measurements(sample, settings, executor, checkpoints=checkpoints)
    tables = [
        table_of(sample, measured, settings),
        compare(sample, settings, measured, checkpoints),
        texts(sample, settings=settings, checkpoints=checkpoints),
        measure_columns(sample, plan.confounds, plan.strata, settings, checkpoints),
        measure_tree_samples(sample, settings, checkpoints),
    ]
    return StepResult({"measurements": pd.concat(tables, ignore_index=True)}, {"settings": asdict(plan.measure)})


def probe_step(sample: Sample, plan: Plan, checkpoints: Checkpoints = NOWHERE) -> StepResult:
    """Ask the probes, and score their predictions.

    Parameters
    ----------
    sample : Sample
    plan : Plan
    checkpoints : Checkpoints
        Where finished pieces are stored; by default nowhere.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from bioclip_probe.study.examples import corvid_plan
    >>> from bioclip_probe.study.run import collect_sample
    >>> with TemporaryDirectory() as folder:
    ...     plan = corvid_plan(folder)
    ...     step = probe_step(collect_sample(plan, f"{folder}/store"), plan)
    >>> sorted(step.tables)
    ['measurements', 'predictions']
    """
    predictions = predict(sample, plan.probe, checkpoints)
    scores = score(sample, predictions, plan.measure, plan.probe, checkpoints)
    return StepResult({"predictions": predictions, "measurements": scores}, {"settings": asdict(plan.probe)})


def project_step(sample: Sample, plan: Plan, checkpoints: Checkpoints = NOWHERE) -> StepResult:
    """Project the compared models panel by panel, and measure what the panels keep.

    Parameters
    ----------
    sample : Sample
    plan : Plan
    checkpoints : Checkpoints
        Where finished pieces are stored; by default nowhere.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from bioclip_probe.study.examples import corvid_plan
    >>> from bioclip_probe.study.run import collect_sample
    >>> with TemporaryDirectory() as folder:
    ...     plan = corvid_plan(folder)
    ...     step = project_step(collect_sample(plan, f"{folder}/store"), plan)
    >>> sorted(step.tables)
    ['coordinates', 'measurements']
    """
    models = compared_in(sample, plan)
    drawn = project(sample, plan.projection, models, checkpoints)
    methods = dict.fromkeys(models, plan.projection.methods)
    settings = replace(plan.measure, device=torch_device.resolve_device(plan.measure.device))
    panels = panel_measurements(sample, drawn, methods, settings, plan.projection, checkpoints)
    record = {"settings": asdict(plan.projection), "panels": drawn.panels}
    return StepResult({"coordinates": drawn.coordinates, "measurements": panels}, record)


def step_functions(
    sample: Sample, plan: Plan, executor: Executor | None = None
) -> dict[str, Callable[..., StepResult]]:
    """Return the function of each step, which takes the checkpoints.

    Parameters
    ----------
    sample : Sample
    plan : Plan
    executor : Executor, optional
        As for `measure_step`.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from bioclip_probe.study.examples import corvid_plan, corvid_sample
    >>> with TemporaryDirectory() as folder:
    ...     list(step_functions(corvid_sample(), corvid_plan(folder)))
    ['measure', 'probe', 'project']
    """
    return {
        "measure": partial(measure_step, sample, plan, executor),
        "probe": partial(probe_step, sample, plan),
        "project": partial(project_step, sample, plan),
    }
