"""The first depth: the files of a results folder are those that were written, and do not contradict each other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from bioclip_probe.datasets.readers.json_files import read_json
from bioclip_probe.errors import DataError, one_line, printable, some
from bioclip_probe.files import sha256_of_file, sha256_of_json
from bioclip_probe.study import protocol_id, submission
from bioclip_probe.study.bundle import crate
from bioclip_probe.study.bundle.registry import REGISTRY
from bioclip_probe.study.checksums import SUMS, parse_sums, read_sums
from bioclip_probe.study.families import with_adjusted_p
from bioclip_probe.study.results import STUDY_FILE, Results
from bioclip_probe.study.submission_file import parse_submission
from bioclip_probe.study.verification.outcome import VERIFICATION, Outcome

#: Files that can be made again from the tables at any time; one without a checksum gives a note, not a failure.
MADE_AGAIN = (
    "report.html",
    "explorer.html",
    "strays.json",
    "figures",
    "pieces",
    "appendix",
    "share",
    "board.html",
    VERIFICATION,
)
#: The tables of each step.
TABLES_OF = {
    "measure": ("measurements.parquet", "measurements.csv"),
    "probe": ("predictions.parquet", "measurements.parquet", "measurements.csv"),
    "project": ("coordinates.parquet", "measurements.parquet", "measurements.csv"),
}
LARGEST_LIST = 1 << 22


def check_sums(folder: Path) -> Outcome:
    """Check that the files of a folder are exactly those that its ``SHA256SUMS`` lists, with the same content.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    Outcome

    Examples
    --------
    >>> check_sums(Path("no/such/folder")).failures
    ('SHA256SUMS: missing; an earlier version wrote the folder, or somebody removed it',)
    """
    path = folder / SUMS
    if not path.is_file():
        return Outcome(
            "files", failures=(f"{SUMS}: missing; an earlier version wrote the folder, or somebody removed it",)
        )
    if path.is_symlink() or path.stat().st_size > LARGEST_LIST:
        return Outcome("files", failures=(f"{SUMS}: it is a link, or too large for a list of checksums",))
    sums, problems = parse_sums(path.read_text(encoding="utf-8", errors="replace"))
    failures = [f"{SUMS}: {problem}" for problem in problems]
    for name, digest in sums.items():
        failures += [f"{name}: {finding}" for finding in _file_findings(folder, name, digest)]
    extra = sorted(entry.name for entry in folder.iterdir() if entry.name != SUMS and not _is_listed(entry.name, sums))
    failures += [f"{printable(name)}: not in {SUMS}" for name in extra if name not in MADE_AGAIN]
    unlisted = [name for name in extra if name in MADE_AGAIN]
    notes = [f"made again from the tables, not covered by {SUMS}: {', '.join(unlisted)}"] if unlisted else []
    return Outcome("files", f"{len(sums)} files", tuple(failures), notes=tuple(notes))


def check_agreement(results: Results) -> list[str]:
    """Return where the files of a folder contradict each other, a line each.

    Parameters
    ----------
    results : Results

    Returns
    -------
    list of str

    Examples
    --------
    >>> check_agreement(Results(Path("out"), {"encoders": [], "steps": {}}))
    []
    """
    checks = (
        _missing_files,
        _study_findings,
        _protocol_findings,
        _encoder_findings,
        _table_findings,
        _submission_findings,
    )
    failures = []
    for check in checks:
        try:
            failures += [*check(results)]
        except (OSError, ValueError, KeyError, TypeError, AttributeError, DataError) as error:
            failures.append(f"{results.folder.name}: the files cannot be compared: {one_line(error, with_type=True)}")
    return failures


def _file_findings(folder: Path, name: str, digest: str) -> Iterator[str]:
    """Yield what is wrong with one listed file."""
    path = folder / name
    if any((folder / part).is_symlink() for part in (*Path(name).parents, Path(name))):
        yield "it is a link, or inside one, which is not followed"
    elif not path.exists():
        yield "missing"
    elif not path.is_file():
        yield "it is not a file"
    elif sha256_of_file(path) != digest:
        yield "has changed since it was written (its sha256 differs)"


def _is_listed(name: str, sums: dict[str, str]) -> bool:
    """Return True if a file, or a file in a folder, is listed."""
    return name in sums or any(listed.startswith(f"{name}/") for listed in sums)


def _missing_files(results: Results) -> Iterator[str]:
    """Yield the files that the record asks for and the folder lacks; `check_sums` names those that are listed."""
    record, listed = results.record, read_sums(results.folder)
    expected = [name for step in record["steps"] for name in TABLES_OF.get(step, ())]
    if "study" in record:
        expected.append(STUDY_FILE)
    if record.get("protocol"):
        expected += [*REGISTRY, crate.FILE]
    for name in dict.fromkeys(expected):
        if name not in listed and not (results.folder / name).is_file():
            yield f"{name}: missing, though a step in runs.json wrote it"


def _study_findings(results: Results) -> Iterator[str]:
    """Yield where the study file is not the one that was run."""
    path, study = results.folder / STUDY_FILE, results.record.get("study")
    if study and path.is_file() and sha256_of_file(path) != study["sha256"]:
        yield f"{STUDY_FILE}: not the study that runs.json names (its sha256 differs)"


def _protocol_findings(results: Results) -> Iterator[str]:
    """Yield where the protocol id, its definition, the instance and the ids of numbers do not belong together."""
    record, folder = results.record, results.folder
    protocol = record.get("protocol")
    if not protocol:
        return
    expected = protocol_id.with_protocol(record)["protocol"]
    if protocol["parts"].get("definition") == expected["parts"]["definition"] and protocol != expected:
        yield "runs.json: its protocol id or instance does not follow from the deviations and parts that it lists"
    if (folder / "protocol.json").is_file():
        stated = read_json(folder / "protocol.json")
        if sha256_of_json(stated["definition"]) != protocol["parts"]["definition"] or stated["id"] != protocol["id"]:
            yield "protocol.json: not the protocol that runs.json names"
    if (folder / "images.parquet").is_file():
        images = pd.read_parquet(folder / "images.parquet")
        parts = protocol_id.instance_parts(images)
        wrong = [name for name in parts if parts[name] != protocol["parts"].get(name)]
        if wrong:
            yield f"images.parquet: not the images of the instance that runs.json names ({', '.join(wrong)})"
    if results.measurements is not None:
        ids = {protocol_id.id_of(step["deviations"]) for step in record["steps"].values()}
        own = results.measurements["protocol_id"].fillna(protocol_id.UNKNOWN)
        if not own.isin(ids).all():
            yield f"measurements.parquet: {(~own.isin(ids)).sum()} numbers have a protocol id that no step has"


def _encoder_findings(results: Results) -> Iterator[str]:
    """Yield where ``embeddings.json`` and ``runs.json`` name other encoders."""
    path = results.folder / "embeddings.json"
    if not path.is_file():
        return
    stated = [{key: entry[key] for key in entry if key != "vectors"} for entry in read_json(path)["encoders"]]
    known = json.loads(json.dumps(results.record["encoders"]))
    if stated != known:
        yield "embeddings.json: other encoders than in runs.json"


def _table_findings(results: Results) -> Iterator[str]:
    """Yield where the numbers as text, or the adjusted p-values, do not follow from the table of measurements."""
    table, path = results.measurements, results.folder / "measurements.csv"
    if table is None:
        return
    numbers = list(table.select_dtypes("number"))
    if path.is_file():
        text = pd.read_csv(path, dtype="str", keep_default_na=False, na_values=[""])
        names = [name for name in table if name in text or table[name].notna().any()]  # some columns came later
        same_shape = len(text) == len(table) and list(text) == names
        wrong = [name for name in names if same_shape and not _same(text[name], table[name], name in numbers)]
        if not same_shape or wrong:
            what = f"in {some(wrong)}" if wrong else "in its rows or columns"
            yield f"measurements.csv: differs from measurements.parquet {what}"
    adjusted = with_adjusted_p(table, results.controls)
    unequal = ~np.isclose(adjusted["p_adjusted"], table["p_adjusted"], rtol=1e-9, atol=1e-12, equal_nan=True)
    if unequal.any():
        yield f"measurements.parquet: {unequal.sum()} adjusted p-values do not follow from the p-values"


def _submission_findings(results: Results) -> Iterator[str]:
    """Yield where ``submission.json`` is not as its schema says, or has other numbers than the tables."""
    path = results.folder / submission.FILE
    if results.measurements is None or not path.is_file():
        return
    content, problems = parse_submission(path.read_bytes())
    if content is None or problems:
        yield f"{submission.FILE}: {problems[0]}"
    elif submission.numbers_digest(content) != submission.numbers_digest(submission.submission_of(results)):
        yield f"{submission.FILE}: its numbers are not those of the tables"


def _same(text: pd.Series, column: pd.Series, is_number: bool) -> bool:
    """Return True if a column that was read from text equals another."""
    if is_number:
        numbers = np.array([float(value) if isinstance(value, str) else np.nan for value in text])
        return np.array_equal(numbers, column.to_numpy("float64", na_value=np.nan), equal_nan=True)
    shown = [part.astype("str").fillna("").reset_index(drop=True) for part in (text, column)]
    return bool((shown[0] == shown[1]).all())
