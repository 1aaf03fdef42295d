"""Results: the folder of tables that a study leaves, and the record of what made them.

::

    OUT/
      measurements.parquet, measurements.csv     every number
      predictions.parquet                        what the probes name
      coordinates.parquet                        the panels of the projection
      runs.json                                  what made them: command, dataset, encoders, software, machine
      study.toml                                 the whole study with every setting, if it ran as one
      images.parquet, embeddings.json, …         what another laboratory needs to check it, see `bundle.registry`
      SHA256SUMS                                 checksums of the files above, and of report.html
      pieces/                                    finished pieces of the work, see `checkpoints`
      figures/                                   drawn from the tables
      report.html                                bound from all of it
      explorer.html                              a page to walk through it, if it was asked for

A folder holds one run: one dataset, embedded by one set of encoders. The steps of a study may be run one after the
other; each replaces its own rows. The results of another run are replaced only if that is asked for.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd

from bioclip_probe.encoders import is_control
from bioclip_probe.errors import DataError, one_line
from bioclip_probe.files import sha256_of_bytes, sha256_of_file, write_together
from bioclip_probe.study import protocol_id
from bioclip_probe.study.checksums import SUMS, Writer, read_sums, with_sums
from bioclip_probe.study.families import with_adjusted_p
from bioclip_probe.study.run_record import first_problem
from bioclip_probe.tables import COORDINATES, MEASUREMENTS, PREDICTIONS, Table

TABLES: dict[str, Table] = {table.name: table for table in (MEASUREMENTS, PREDICTIONS, COORDINATES)}
STUDY_FILE = "study.toml"
#: Files of a run that those of another run replace; so are the files that its checksums name.
_OF_ANOTHER = (
    "runs.json", "report.html", "explorer.html", "measurements.csv", *(f"{name}.parquet" for name in TABLES), SUMS
)  # fmt: skip
#: Files that a study writes beside its tables; a test compares them with `bundle.registry`.
BESIDE = (
    "images.parquet", "embeddings.json", "witness.npz", "protocol.json", "requirements.txt", "submission.json",
    "CITATION.cff", "ro-crate-metadata.json",
)  # fmt: skip
#: Columns that identify a row: a new row replaces an old one that agrees in all of them.
KEYS: dict[str, list[str]] = {
    "measurements": [
        "encoder", "encoder_b", "dataset", "split", "space", "tree", "rank", "taxon", "column", "probe", "protocol",
        "shots", "metric",
    ],
    "predictions": ["encoder", "dataset", "probe", "protocol", "shots", "fold", "rank", "image_id"],
    "coordinates": ["encoder", "dataset", "method", "mode", "rank", "image_id"],
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Results:
    """The content of a results folder.

    Attributes
    ----------
    folder : Path
    record : dict
        What made the tables: command, dataset, encoders, software, machine, and under ``steps`` each step.
    measurements, predictions, coordinates : DataFrame, optional
        None where the table has not been written yet.

    Examples
    --------
    >>> from pathlib import Path
    >>> Results(Path("out"), {"dataset": {"simulated": True}, "encoders": []}).simulated
    True
    """

    folder: Path
    record: dict
    measurements: pd.DataFrame | None = None
    predictions: pd.DataFrame | None = None
    coordinates: pd.DataFrame | None = None

    @property
    def simulated(self) -> bool:
        """True if the pictures came from the built-in world."""
        return bool(self.record["dataset"]["simulated"])

    @property
    def encoders(self) -> list[str]:
        """Names of all encoders, in the order of the study."""
        return [encoder["name"] for encoder in self.record["encoders"]]

    @property
    def models(self) -> list[str]:
        """Names of the encoders that are not controls, in the order of the study."""
        return [name for name in self.encoders if name not in self.controls]

    @property
    def controls(self) -> tuple[str, ...]:
        """Names of the encoders that are controls."""
        return tuple(encoder["name"] for encoder in self.record["encoders"] if is_control(encoder))

    def table(self, name: str) -> pd.DataFrame:
        """Return a table, or refuse with the command that writes it.

        Raises
        ------
        DataError
            If the folder does not hold the table yet.
        """
        table = {"measurements": self.measurements, "predictions": self.predictions, "coordinates": self.coordinates}[
            name
        ]
        if table is None:
            verb = {"measurements": "measure", "predictions": "probe", "coordinates": "project"}[name]
            raise DataError(f"{self.folder} holds no {name} yet; run `bioclip-probe {verb} --out {self.folder}` first")
        return table


def read(folder: str | Path) -> Results:
    """Return the results in a folder.

    Parameters
    ----------
    folder : str or Path

    Raises
    ------
    DataError
        If it is no results folder, or a table in it is damaged.

    Examples
    --------
    >>> read("no/such/folder")
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: no/such/folder holds no results (no runs.json); run `bioclip-probe measure --out ...
    """
    folder = Path(folder)
    try:
        record = json.loads((folder / "runs.json").read_text(encoding="utf-8"))
        if problem := first_problem(record):
            raise ValueError(problem)
    except FileNotFoundError:
        raise DataError(
            f"{folder} holds no results (no runs.json); run `bioclip-probe measure --out {folder}`"
        ) from None
    except NotADirectoryError:
        raise DataError(f"{folder} is a file; expected a folder of results") from None
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise DataError(
            f"{folder / 'runs.json'} is damaged ({one_line(error)}); run the study again with --overwrite"
        ) from error
    tables = {
        name: table.read(folder / f"{name}.parquet")
        for name, table in TABLES.items()
        if (folder / f"{name}.parquet").exists()
    }
    return Results(folder, record, **tables)


def check_folder(folder: str | Path) -> Path:
    """Return `folder` as a path, or refuse it before the long work if no results can be written there.

    Raises
    ------
    DataError
        If it is a file, may not be written to, or holds files of somebody else's that the results would replace, such
        as the ``requirements.txt`` of a repository.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     check_folder(f"{folder}/new").name
    'new'
    """
    folder = Path(folder)
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not existing.is_dir():
        raise DataError(f"{existing} is a file; expected a folder for the results")
    if not os.access(existing, os.W_OK):
        raise DataError(f"{existing} may not be written to; name another folder for the results")
    if not any((folder / name).exists() for name in ("runs.json", "pieces")):
        names = [name for name in (*_OF_ANOTHER, *BESIDE) if (folder / name).exists()]
        if names:
            raise DataError(
                f"{folder} holds no results (no runs.json), but files that results would replace: {', '.join(names)}; "
                "name a new folder"
            )
    return folder


def check_run(folder: str | Path, run: str) -> Results | None:
    """Return what a folder holds of one run so far, None if nothing, and refuse the results of another run.

    Parameters
    ----------
    folder : str or Path
    run : str
        See `Sample.run`.

    Raises
    ------
    DataError
        If the folder holds another run.

    Examples
    --------
    >>> check_run("no/such/folder", "0123456789ab") is None
    True
    """
    folder = Path(folder)
    if not (folder / "runs.json").exists():
        return None
    results = read(folder)
    if results.record["run"] != run:
        raise _another_run(results)
    return results


def check_dataset(folder: str | Path, fingerprint: str = "", name: str = "") -> None:
    """Refuse a folder that holds results of another dataset, which is known before anything is embedded.

    Parameters
    ----------
    folder : str or Path
    fingerprint, name : str
        Of the dataset; what is empty is not compared.

    Raises
    ------
    DataError
        If the folder holds the results of another dataset, or is damaged.

    Examples
    --------
    >>> check_dataset("no/such/folder", "0123456789ab")
    """
    folder = Path(folder)
    if (folder / "runs.json").exists():
        results = read(folder)
        known = results.record["dataset"]
        if fingerprint not in ("", known.get("fingerprint")) or name not in ("", known["name"]):
            raise _another_run(results)


def holds_run(folder: str | Path, run: str) -> bool:
    """Return True if a folder holds results of a run that can be read.

    Parameters
    ----------
    folder : str or Path
    run : str
        See `Sample.run`.

    Examples
    --------
    >>> holds_run("no/such/folder", "0123456789ab")
    False
    """
    try:
        return check_run(folder, run) is not None
    except DataError:
        return False


def _another_run(results: Results) -> DataError:
    """Return the error that a folder holds another run."""
    encoders = ", ".join(results.encoders)
    return DataError(
        f"{results.folder} holds the results of another run ({results.record['dataset']['name']}: {encoders}); "
        "name another folder, or replace them with --overwrite"
    )


def write(
    folder: str | Path,
    record: dict,
    tables: Mapping[str, pd.DataFrame],
    fresh: bool = False,
    study: str = "",
    others: Callable[[Results], Mapping[str, Writer]] | None = None,
) -> Results:
    """Add tables to a results folder, and return all that it holds then; all p-values are adjusted anew.

    Parameters
    ----------
    folder : str or Path
        Made if missing.
    record : dict
        What made the tables; ``record["run"]`` identifies the run. The steps of one run share the file.
    tables : mapping from str to DataFrame
        ``measurements``, ``predictions``, ``coordinates``.
    fresh : bool
        Replace all that the folder holds, even if it is another run's.
    study : str
        The resolved study as TOML, if all tables are of one; it becomes ``study.toml``, and the record gets its hash.
    others : callable, optional
        Returns further files, by name, for the results as they will be: what writes each to a path, see
        `bundle.registry`.

    Raises
    ------
    DataError
        If the folder holds another run and `fresh` is not set, or is not a folder.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> record = {"run": "0123456789ab", "dataset": {"simulated": False}, "encoders": [], "steps": {}}
    >>> with TemporaryDirectory() as folder:
    ...     len(write(folder, record, {"measurements": MEASUREMENTS.frame()}).measurements)
    0
    """
    folder = check_folder(folder)
    before = None if fresh else check_run(folder, record["run"])
    folder.mkdir(parents=True, exist_ok=True)
    merged = {name: getattr(before, name) for name in TABLES} if before else {}
    merged |= _merged_tables(tables, before, record)
    if before:  # the records of earlier steps stay, and the phylogenies that they used
        kept = {key: {**before.record.get(key, {}), **record.get(key, {})} for key in ("steps", "trees")}
        record = {**record, **kept}
    record = protocol_id.with_protocol(record)
    files: dict[Path, Writer] = {}
    for name in tables:
        if name == "measurements":
            files[folder / "measurements.csv"] = partial(merged[name].to_csv, index=False)
        files[folder / f"{name}.parquet"] = partial(merged[name].to_parquet, index=False)
    if study:
        record = {**record, "study": {"file": STUDY_FILE, "sha256": sha256_of_bytes(study.encode())}}
        files[folder / STUDY_FILE] = lambda path: path.write_bytes(study.encode())
    text = json.dumps(record, indent=1, default=str)
    files[folder / "runs.json"] = lambda path: path.write_text(text, encoding="utf-8")
    results = Results(folder, json.loads(text), **merged)
    files |= {folder / name: write_to for name, write_to in (others(results) if others else {}).items()}
    listed = [name for name in read_sums(folder) if "/" not in name]
    obsolete = [*(() if study else (STUDY_FILE,)), *(() if before else (*_OF_ANOTHER, *listed))]
    staying = {} if before is None else _staying_sums(folder, {*(path.name for path in files), *obsolete})
    write_together(with_sums(folder, files, staying), [folder / name for name in obsolete])
    return read(folder)


def _merged_tables(tables: Mapping[str, pd.DataFrame], before: Results | None, record: dict) -> dict[str, pd.DataFrame]:
    """Return new tables below those of a folder, with new rows in place of the old rows of the same keys."""
    merged = {}
    for name, table in tables.items():
        if name == "measurements":
            table = protocol_id.with_ids(table, record)
        old = getattr(before, name) if before else None
        rows = table if old is None else TABLES[name].concat([old, table])
        rows = rows.drop_duplicates(KEYS[name], keep="last").reset_index(drop=True)
        if name == "measurements":  # over all rows so far: each step adds tests to the families
            rows = with_adjusted_p(rows, [encoder["name"] for encoder in record["encoders"] if is_control(encoder)])
        merged[name] = rows
    return merged


def _staying_sums(folder: Path, changed: set[str]) -> dict[str, str]:
    """Return the checksums of the files of a folder that a step leaves as they are.

    A table that an earlier version wrote without one is read for it, once.
    """
    sums = {name: digest for name, digest in read_sums(folder).items() if name not in changed}
    unlisted = [name for name in _OF_ANOTHER if name not in {*changed, *sums, SUMS} and (folder / name).is_file()]
    return sums | {name: sha256_of_file(folder / name) for name in unlisted}
