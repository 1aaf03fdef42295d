"""The study of a sample: it is measured, probed and projected, and the tables are written to a results folder."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import pandas as pd

from bioclip_probe import encoders, metrics
from bioclip_probe.datasets.readers.content import cache_folder
from bioclip_probe.datasets.registry import IN_MEMORY
from bioclip_probe.encoders.ids import public_id
from bioclip_probe.errors import DataError, ModelError
from bioclip_probe.extraction.settings import ExtractionSettings
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.notebook.columns import ColumnSettings
from bioclip_probe.notebook.study import Study
from bioclip_probe.probes.settings import ProbeSettings
from bioclip_probe.projections.settings import ProjectionSettings
from bioclip_probe.study import results
from bioclip_probe.study.attributes import attributes_of_frame
from bioclip_probe.study.collecting import check_several_taxa_of, default_store
from bioclip_probe.study.phylogeny import TRUE_TREE
from bioclip_probe.study.plan import Plan
from bioclip_probe.study.run import StudyRunner, as_planned
from bioclip_probe.study.sample import Sample
from bioclip_probe.study.site_file import divided
from bioclip_probe.study.steps import STEPS
from bioclip_probe.study.study_text import study_text
from bioclip_probe.tables import check_name


def run_study(
    sample: Sample,
    out: str | Path | None = None,
    *,
    measure: MeasureSettings | None = None,
    probe: ProbeSettings | None = None,
    projection: ProjectionSettings | None = None,
    columns: ColumnSettings | None = None,
    steps: Collection[str] = STEPS,
    progress: bool = True,
) -> Study:
    """Measure, probe and project a sample, and return the study.

    Each piece of the work is written to the results folder when it is done. A call that was interrupted goes on from
    there, and a call with the same arguments computes nothing again.

    Parameters
    ----------
    sample : Sample
        From `collect` or `from_arrays`. Its controls stand beside the models, and are not compared as models.
    out : str or Path, optional
        The results folder. By default ``studies/RUN`` in the user's cache, where RUN identifies pictures and encoders.
        The cache is ``~/.cache/bioclip_probe``, or the folder in the environment variable ``BIOCLIP_PROBE_CACHE``.
        Afterwards the folder holds this study alone; `Study.save` copies it to a place of its own.
    measure : MeasureSettings, optional
        Which metrics, permutations, bootstrap replicates, the resampled unit, the seed.
    probe : ProbeSettings, optional
        Which probes and protocols.
    projection : ProjectionSettings, optional
        Which methods, e.g. t-SNE and UMAP, and the mode.
    columns : ColumnSettings, optional
        Columns of the images, such as photographer, that embeddings may follow instead of the tree.
    steps : collection of str
        Of ``measure``, ``probe`` and ``project``.
    progress : bool
        Show a bar with an estimate of the time that is left.

    Returns
    -------
    Study

    Raises
    ------
    ProbeError
        If `sample` is not a sample, a setting is not known, there is no such column, or `out` holds the results of
        another run.

    Examples
    --------
    >>> import bioclip_probe as bp
    >>> from bioclip_probe.study.examples import corvid_sample
    >>> from tempfile import TemporaryDirectory
    >>> few = bp.MeasureSettings(metrics=("cophenetic_correlation",))
    >>> frame = corvid_sample().images[["species"]]
    >>> with TemporaryDirectory() as folder:
    ...     sample = bp.from_arrays({"mine": [[1.0, 0.1], [1.0, 0.2], [0.0, 1.0]]}, frame)
    ...     study = bp.study(sample, folder, measure=few, steps=["measure"], progress=False)
    >>> study
    Study of 'arrays'
      images: 3
      taxa: 2 genera, 3 species
      models: mine
      steps: measure
      folder: ...
    """
    if not isinstance(sample, Sample):
        raise DataError(
            "expected a sample, as bioclip_probe.collect or bioclip_probe.from_arrays returns it; "
            f"got a {type(sample).__name__}"
        )
    if not steps or isinstance(steps, str):
        raise DataError(f"expected a list of steps, some of {', '.join(STEPS)}; got {steps!r}")
    for step in steps:
        check_name("step", step, STEPS)
    check_several_taxa_of(sample.images, sample.dataset)
    sample = _controls_last(sample)
    plan = _plan(sample, measure, probe, projection, columns, progress)
    metrics.check_metrics(plan.measure.metrics)
    if columns is not None and isinstance(columns.table, pd.DataFrame):
        sample = replace(sample, attributes=attributes_of_frame(sample.images, plan.columns, columns.table))
    study = _text(sample, plan)
    sample = as_planned(sample, plan)
    folder = results.check_folder(default_folder(sample) if out is None else out)
    results.check_run(folder, sample.run)
    runner = StudyRunner(sample, plan, folder, fresh=True, study=study)
    runner.run_together([step for step in STEPS if step in steps])
    return Study(results.read(folder), sample)


def default_folder(sample: Sample) -> Path:
    """Return the results folder of a study that names none, in the user's cache.

    Parameters
    ----------
    sample : Sample

    Returns
    -------
    Path

    Examples
    --------
    >>> from bioclip_probe.study.examples import corvid_sample
    >>> default_folder(corvid_sample()).parent.name
    'studies'
    """
    return cache_folder() / "studies" / sample.run


def _controls_last(sample: Sample) -> Sample:
    """Return a sample whose controls come after its models; if all encoders are controls, they are the models."""
    controls = set(sample.controls)
    names = sorted(sample.embeddings, key=lambda name: name in controls)
    if names == list(sample.embeddings):
        return sample
    by_name = {encoder["name"]: encoder for encoder in sample.record["encoders"]}
    record = {**sample.record, "encoders": [by_name[name] for name in names]}
    return replace(sample, embeddings={name: sample.embeddings[name] for name in names}, record=record)


def _plan(
    sample: Sample,
    measure: MeasureSettings | None,
    probe: ProbeSettings | None,
    projection: ProjectionSettings | None,
    columns: ColumnSettings | None,
    progress: bool,
) -> Plan:
    """Return the plan of a study of a sample; settings that are not given have their defaults."""
    given = {MeasureSettings: measure, ProbeSettings: probe, ProjectionSettings: projection, ColumnSettings: columns}
    for kind, settings in given.items():
        if settings is not None and not isinstance(settings, kind):
            raise DataError(f"expected {kind.__name__} of bioclip_probe; got a {type(settings).__name__}")
    controls = set(sample.controls)
    models = [name for name in sample.embeddings if name not in controls] or list(sample.embeddings)
    columns = columns or ColumnSettings()
    return Plan(
        data=sample.spec or f"{IN_MEMORY}:{sample.dataset}",
        models=tuple(models),
        controls=len(models) < len(sample.embeddings),
        confounds=tuple(columns.confounds),
        strata=tuple(columns.strata),
        attributes=Path(columns.table) if isinstance(columns.table, str | Path) else None,
        extraction=ExtractionSettings(progress=progress),
        measure=measure or MeasureSettings(),
        probe=probe or ProbeSettings(),
        projection=projection or ProjectionSettings(),
    )


def _text(sample: Sample, plan: Plan) -> str:
    """Return the study as a study file, with which the command line runs it again; empty where that is not possible.

    Columns that `sample` has already are of no file.
    """
    known = {encoder["name"]: encoder["id"] for encoder in sample.record["encoders"]}
    in_memory = set(sample.trees) - {TRUE_TREE} or set(sample.attributes) & set(plan.columns)
    if not sample.spec or in_memory or plan.encoders != tuple(known):
        return ""
    try:
        same = all(public_id(encoders.resolve(name)[1]) == id for name, id in known.items())
    except ModelError:
        return ""
    return study_text(divided(plan, default_store())[0]) if same else ""
