"""The run of a plan: one function a step, one record a step, all into one results folder."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import pandas as pd

from bioclip_probe import datasets, executors, metrics, processes, provenance
from bioclip_probe.datasets import Dataset
from bioclip_probe.extraction.ready_vectors import VECTORS
from bioclip_probe.progress import weighted_bar
from bioclip_probe.store.earlier_versions import known_as
from bioclip_probe.store.store import Store
from bioclip_probe.study import piece_processes, protocol_id, results
from bioclip_probe.study.attributes import attributes_of, licences_of
from bioclip_probe.study.bundle.images import LICENCE, images_table
from bioclip_probe.study.bundle.registry import bundle_files
from bioclip_probe.study.checkpoints import Checkpoints, Outline
from bioclip_probe.study.collecting import check_several_taxa, collect
from bioclip_probe.study.compiling import compiling_meanwhile
from bioclip_probe.study.inputs import Inputs
from bioclip_probe.study.piece import Piece, PieceState
from bioclip_probe.study.piece_costs import PieceCosts
from bioclip_probe.study.piece_processes import MainPieces, Workers, number_of_processes, open_workers
from bioclip_probe.study.plan import Plan
from bioclip_probe.study.sample import Sample
from bioclip_probe.study.site_file import divided
from bioclip_probe.study.steps import STEPS, StepResult, compared_in, step_functions
from bioclip_probe.study.study_text import study_text

log = logging.getLogger(__name__)

LABELS = {"measure": "measuring", "probe": "probing", "project": "projecting"}


def collect_sample(
    plan: Plan, store: str | Path, executor: Executor | None = None, dataset: Dataset | None = None
) -> Sample:
    """Return the sample of a plan: embed what the store lacks, read it all, and balance it if the plan says so.

    Parameters
    ----------
    plan : Plan
    store : str or Path
        Where embeddings are kept.
    executor : Executor, optional
        Embeds in its workers; by default the engine of the plan is opened for it.
    dataset : Dataset, optional
        The dataset of the plan, if it is loaded already.

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
    dataset = dataset or datasets.load(plan.data, plan.lineages)
    sample = collect(dataset, plan.encoders, store, plan.phylogeny, plan.templates, settings)
    return as_planned(sample, plan)


def as_planned(sample: Sample, plan: Plan) -> Sample:
    """Return a sample with the columns of images that the plan needs and their licences, balanced if it says so.

    Columns that the sample has already stay as they are.

    Parameters
    ----------
    sample : Sample
    plan : Plan

    Raises
    ------
    ProbeError
        If there is no such column, or no species has enough images.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from bioclip_probe.study.examples import corvid_plan, corvid_sample
    >>> with TemporaryDirectory() as folder:
    ...     sample = corvid_sample()
    ...     as_planned(sample, corvid_plan(folder)) is sample
    True
    """
    lacking = [name for name in plan.columns if name not in sample.attributes]
    if lacking:
        columns = attributes_of(sample.images, lacking, plan.data, plan.attributes)
        sample = replace(sample, attributes=pd.concat([sample.attributes, columns], axis=1))
    licences = licences_of(sample.images, plan.data, plan.attributes)
    if licences is not None:
        sample = replace(sample, attributes=sample.attributes.assign(**{LICENCE: licences}))
    if plan.measure.per_species is None:
        return sample
    return sample.balanced(plan.measure.per_species, plan.measure.seed)


def run_steps(
    plan: Plan,
    store: str | Path,
    out: str | Path,
    steps: Collection[str] = STEPS,
    overwrite: bool = False,
    study: str = "",
) -> results.Results:
    """Run steps of a plan; each lands in the results folder when it is done, and each of its pieces before.

    Pieces that the folder holds already are not computed again, see `checkpoints`: a run that was interrupted goes on.

    Parameters
    ----------
    plan : Plan
    store : str or Path
        Where embeddings are kept; a second run embeds nothing again.
    out : str or Path
        The results folder. The steps of one run may come one after the other; each replaces its own rows.
    steps : collection of str
        Of ``measure``, ``probe`` and ``project``.
    overwrite : bool
        Replace the results of another run, or a damaged folder. Finished pieces are used in any case.
    study : str
        The resolved study as TOML, for the steps of a whole study: all tables of the run are replaced, so that the
        folder holds this study and nothing else, and the text is stored.

    Returns
    -------
    Results

    Raises
    ------
    ProbeError
        If the plan cannot be run, or the folder holds another run and `overwrite` is not set.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from bioclip_probe.study.examples import corvid_plan
    >>> with TemporaryDirectory() as folder:
    ...     results = run_steps(corvid_plan(folder), f"{folder}/store", f"{folder}/out", ["measure"])
    >>> list(results.record["steps"])
    ['measure']
    """
    out = results.check_folder(out)  # before the long work
    wanted = [name for name in STEPS if name in steps]
    processes.start_server([piece_processes.__name__])
    with executors.open_executor(plan.extraction.engine) as executor:  # opened once: SLURM jobs wait in the queue once
        dataset = known_as(Store(store), datasets.load(plan.data, plan.lineages))
        check_several_taxa(dataset)
        if not overwrite:
            results.check_dataset(out, dataset.fingerprint, dataset.name)
        n_pictures = 0 if plan.data.startswith(VECTORS) else len(dataset.images)
        with compiling_meanwhile(n_pictures, wanted):
            sample = collect_sample(plan, store, executor, dataset)
        if not overwrite:
            results.check_run(out, sample.run)
        fresh = bool(study) or not results.holds_run(out, sample.run)
        runner = StudyRunner(sample, plan, out, fresh, study)
        if "probe" in wanted:
            runner.warn_of_long_probing()
        if "measure" in wanted and executor is not None:
            runner.run("measure", step_functions(sample, plan, executor)["measure"])
            wanted.remove("measure")
    runner.run_together(wanted)
    return results.read(out)


@dataclass
class StudyRunner:
    """The steps of one study, one after the other into one results folder.

    Attributes
    ----------
    sample : Sample
    plan : Plan
        Its compared models are the first encoders of the sample.
    out : Path
        The results folder.
    fresh : bool
        Replace all that the folder holds, even if it is another run's.
    study : str
        The resolved study as TOML; empty if the steps are not those of a whole study.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from bioclip_probe.study.examples import corvid_plan
    >>> with TemporaryDirectory() as folder:
    ...     plan = corvid_plan(folder)
    ...     sample = collect_sample(plan, f"{folder}/store")
    ...     StudyRunner(sample, plan, Path(folder, "out"), fresh=True, study="").run_together(["project"])
    ...     list(results.read(f"{folder}/out").record["steps"])
    ['project']
    """

    sample: Sample
    plan: Plan
    out: Path
    fresh: bool
    study: str

    def __post_init__(self) -> None:
        self.inputs = Inputs(self.sample)
        dimensions = {name: embeddings.vectors.shape[1] for name, embeddings in self.sample.embeddings.items()}
        self.costs = PieceCosts.of(self.plan, self.sample.placement, dimensions)

    def warn_of_long_probing(self) -> None:
        """Log how many hours logistic regression will take, if it does, and what is fast."""
        warning = self.costs.long_probing
        outline = self._outline(step_functions(self.sample, self.plan)["probe"])
        if warning and not all(piece.exists for piece in outline.pieces):
            log.warning(warning)

    def seconds(self, piece: Piece | PieceState) -> float:
        """Return how long a piece is expected to take."""
        return self.costs.seconds(piece.step, piece.subject, piece.weight)

    def run_together(self, names: Sequence[str]) -> None:
        """Run several steps, by several processes where the pieces are small."""
        steps = step_functions(self.sample, self.plan)
        missing = [piece for name in names for piece in self._outline(steps[name]).pieces if not piece.exists]
        work = sum(map(self.seconds, missing)) * self.costs.n_cores
        number = number_of_processes(self.sample, self.plan, missing, work)
        if number == 1:
            for name in names:
                self.run(name, steps[name])
            return
        with open_workers(self.sample, self.plan, self.out, missing, number - 1) as workers:
            for number, name in enumerate(names, start=1):
                self.run(name, steps[name], workers, [steps[later] for later in names[number:]])

    def run(
        self,
        name: str,
        step: Callable[..., StepResult],
        workers: Workers | None = None,
        later_steps: Sequence[Callable[..., StepResult]] = (),
    ) -> None:
        """Run one step with a progress bar over its pieces, and write its tables.

        Where workers compute its last pieces, this process goes on with the pieces of later steps.
        """
        begun = time.perf_counter()
        outline = self._outline(step)
        there = [self.seconds(piece) for piece in outline.pieces if piece.exists]
        numbers, label = (len(there), len(outline.pieces)), LABELS[name]
        if there:
            log.info("%s: %d of %d pieces are there already", label, *numbers)
        sizes = (sum(there), sum(map(self.seconds, outline.pieces)))
        with weighted_bar(label, numbers, sizes, self.plan.extraction.progress) as bar:
            if workers is not None:
                together = MainPieces(self.out, self.inputs, workers, name, bar, self.seconds)
                step(checkpoints=together)
                together.wait(later_steps)
            checkpoints = Checkpoints(self.out, self.inputs, bar, self.seconds)
            result = step(checkpoints=checkpoints)
        record = run_record(self.sample, self.plan, name, result, time.perf_counter() - begun)
        others = partial(bundle_files, sample=self.sample)
        results.write(self.out, record, result.tables, self.fresh, self.study, others)
        checkpoints.remove_others(name)
        self.fresh = False

    def _outline(self, step: Callable[..., StepResult]) -> Outline:
        """Return the pieces of a step with their state."""
        outline = Outline(self.out, self.inputs)
        step(checkpoints=outline)
        return outline


def reproduce(
    plan: Plan, store: str | Path, out: str | Path, overwrite: bool = False, study: str = ""
) -> results.Results:
    """Reproduce Section 4.6 as numbers: embed, measure, probe and project; the tables go to the folder `out`.

    Figures and the report are made of them by `report.write`.

    Parameters
    ----------
    plan : Plan
    store, out : str or Path
        As for `run_steps`. What `out` holds of this run is replaced; pieces that are finished are not computed again.
    overwrite : bool
        Replace the results of another run.
    study : str
        The study as TOML, as it is stored in `out`; by default the study file of the plan, see `study_file`.

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
    study = study or study_text(divided(plan, Path(store))[0])
    return run_steps(plan, store, out, overwrite=overwrite, study=study)


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
    departures = protocol_id.deviations(plan, name, sample.record.get("encoders", ()))
    trees = {tree: placement.tree for tree, (placement, _) in sample.trees.items()}
    parts = protocol_id.instance_parts(images_table(sample), trees)
    own = {
        "command": provenance.command(),
        "finished": provenance.now(),
        "seconds": round(seconds, 1),
        "compared": compared_in(sample, plan),
        "plan": asdict(plan),
        "deviations": departures,
        **step.record,
    }
    return {
        "run": sample.run,
        **sample.record,
        "software": provenance.software(),
        "machine": provenance.machine(),
        "protocol": protocol_id.protocol_record(departures, parts),
        "steps": {name: own},
    }
