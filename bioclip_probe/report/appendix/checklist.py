"""The checklist of a reproduction: each question with the answer that the record of the run gives."""

from __future__ import annotations

from collections.abc import Iterator

from bioclip_probe.report.appendix.models_and_data import encoder_name
from bioclip_probe.report.appendix.source_code import SourceCode, repository
from bioclip_probe.report.appendix.tables import Column, PaperTable
from bioclip_probe.study.results import Results

YES, NO, PARTLY = "yes", "no", "in part"


def checklist(results: Results, code: SourceCode) -> PaperTable:
    """Return the checklist of a study.

    Parameters
    ----------
    results : Results
    code : SourceCode
        The code that writes the appendix.

    Returns
    -------
    PaperTable
        Question, answer, evidence.

    Raises
    ------
    DataError
        If the folder holds no measurements.

    Examples
    --------
    >>> from bioclip_probe.report.examples import two_models_measured
    >>> rows = checklist(two_models_measured(), SourceCode("0.1.0")).rows
    >>> [answer for question, answer, _ in rows if question.startswith("Are the weights")]
    ['no']
    """
    rows = [*_of_claims(results), *_of_inputs(results), *_of_code(results, code)]
    columns = (Column("question"), Column("answer"), Column("evidence"))
    return PaperTable("checklist", "Reproducibility checklist", columns, rows)


def _of_claims(results: Results) -> Iterator[tuple[str, str, str]]:
    """Yield the questions about what is claimed."""
    table = results.table("measurements")
    valued = table[table["value"].notna()]
    n_without = int(valued["ci_low"].isna().sum())
    answer = YES if not n_without else NO if n_without == len(valued) else PARTLY
    where = "The endpoints were declared in the code before the run; all other numbers are descriptions."
    yield "Are the claims fixed before the data are seen?", YES, where
    shown = f"{len(valued) - n_without:,} of {len(valued):,} numbers have one; the note of each other says why not."
    yield "Does every number have an interval?", answer, shown
    n_tests = int(table["p_value"].notna().sum())
    how = (
        f"{n_tests:,} numbers were tested; p by Holm’s method over the primary endpoints and models, else by families."
    )
    yield "Are p-values adjusted for the number of tests?", YES if n_tests else "nothing was tested", how
    has_controls = f"{len(results.controls)} controls: {', '.join(results.controls)}." if results.controls else "None."
    yield "Do controls stand beside the models?", YES if results.controls else NO, has_controls


def _of_inputs(results: Results) -> Iterator[tuple[str, str, str]]:
    """Yield the questions about data and weights."""
    fingerprint = results.record["dataset"].get("fingerprint")
    what = f"Fingerprint of their content: {fingerprint}." if fingerprint else "The record has no fingerprint."
    yield "Are the data identified by their content?", YES if fingerprint else NO, what
    encoders = results.record["encoders"]
    hashed = [encoder["name"] for encoder in encoders if encoder.get("sha256")]
    without_weights = [encoder["name"] for encoder in encoders if str(encoder.get("id", "")).startswith("control:")]
    lacking = [encoder["name"] for encoder in encoders if encoder["name"] not in (*hashed, *without_weights)]
    known = f"sha256 of {len(hashed)} of {len(encoders) - len(without_weights)} sets of weights"
    more = f"; none of {', '.join(lacking)}." if lacking else "."
    yield "Are the weights identified by their content?", _share(len(hashed), len(lacking)), known + more
    on_hub = [encoder for encoder in encoders if str(encoder.get("id", "")).startswith("hf-hub:")]
    pinned = [encoder for encoder in on_hub if encoder.get("revision")]
    hub = f"{len(pinned)} of {len(on_hub)} models of the hub." if on_hub else "No model comes from the hub."
    yield "Are revisions pinned?", _share(len(pinned), len(on_hub) - len(pinned)) if on_hub else "not needed", hub
    n_failed = sum(map(len, results.record.get("failures", {}).values()))
    yield "Are images that failed counted?", YES, f"{n_failed:,} failures."
    named = sum(bool(encoder_name(encoder)) for encoder in encoders)
    licences = f"Of {named} of {len(encoders)} models the origin is known; see the table of licences."
    yield "Are the licences of data and weights given?", YES if named == len(encoders) else PARTLY, licences


def _of_code(results: Results, code: SourceCode) -> Iterator[tuple[str, str, str]]:
    """Yield the questions about code, seeds and compute."""
    version = results.record.get("software", {}).get("bioclip_probe", "")
    yield "Is the code public?", YES if repository() else NO, repository() or "The package names no repository."
    where = f"The numbers were made by version {version or 'unknown'}; this appendix by {code.text}."
    yield "Is the version of the code known?", YES if code.commit and not code.changed else PARTLY, where
    steps = results.record["steps"]
    seeds = {name: step.get("settings", {}).get("seed") for name, step in steps.items()}
    known = ", ".join(f"{name} {seed}" for name, seed in seeds.items() if seed is not None)
    complete = bool(seeds) and None not in seeds.values()
    yield "Are all seeds fixed and recorded?", YES if complete else PARTLY, known or "None is recorded."
    command = "commands.sh" if steps else "No step is recorded."
    yield "Is there a script that makes everything?", YES if steps else NO, command
    timed = sum(step.get("seconds") is not None for step in steps.values())
    machine = results.record.get("machine", {})
    kind = (
        f"{machine.get('system')} {machine.get('processor')}, {machine.get('cores')} cores" if machine else "no machine"
    )
    times = f"{timed} of {len(steps)} steps; {kind}. The time of embedding is not part of it."
    yield "Are compute and run time recorded?", PARTLY if timed else NO, times


def _share(n_with: int, n_without: int) -> str:
    """Return yes if all have it, no if none has."""
    return YES if not n_without else PARTLY if n_with else NO
