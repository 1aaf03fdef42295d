"""Results: the folder of tables that a study leaves, and the record of what made them.

::

    OUT/
      measurements.parquet, measurements.csv     every number
      predictions.parquet                        what the probes name
      coordinates.parquet                        the panels of the projection
      runs.json                                  what made them: command, dataset, encoders, software, machine
      figures/                                   drawn from the tables
      report.html                                bound from all of it

A folder holds one run: one dataset, embedded by one set of encoders. Its steps may come one after the other; each
replaces its own rows.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bioclip_probe.errors import DataError
from bioclip_probe.files import write_atomically
from bioclip_probe.tables import COORDINATES, MEASUREMENTS, PREDICTIONS, Table

TABLES: dict[str, Table] = {table.name: table for table in (MEASUREMENTS, PREDICTIONS, COORDINATES)}
#: The columns that say which number a row is; a new row takes the place of an old one that agrees in all of them.
KEYS: dict[str, list[str]] = {
    "measurements": [
        "encoder", "encoder_b", "dataset", "split", "space", "tree", "rank", "taxon", "probe", "protocol", "shots",
        "metric",
    ],
    "predictions": ["encoder", "dataset", "probe", "protocol", "shots", "fold", "rank", "image_id"],
    "coordinates": ["encoder", "dataset", "method", "mode", "rank", "image_id"],
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Results:
    """What a results folder holds; a table that is not there yet is None."""

    folder: Path
    record: dict
    measurements: pd.DataFrame | None = None
    predictions: pd.DataFrame | None = None
    coordinates: pd.DataFrame | None = None

    @property
    def simulated(self) -> bool:
        """The pictures came from the built-in world."""
        return bool(self.record["dataset"]["simulated"])


def read(folder: str | Path) -> Results:
    """The results in a folder.

    Raises
    ------
    DataError
        If it is no results folder, or a table in it is damaged.
    """
    folder = Path(folder)
    try:
        record = json.loads((folder / "runs.json").read_text(encoding="utf-8"))
        lacking = [key for key in ("run", "dataset", "encoders", "steps") if key not in record]
        if lacking:
            raise ValueError(f"it lacks {', '.join(lacking)}")
    except FileNotFoundError:
        raise DataError(
            f"{folder} holds no results (no runs.json); run `bioclip-probe measure --out {folder}`"
        ) from None
    except NotADirectoryError:
        raise DataError(f"{folder} is a file; expected a folder of results") from None
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{folder / 'runs.json'} is damaged ({error}); run the study again") from error
    tables = {
        name: table.read(folder / f"{name}.parquet")
        for name, table in TABLES.items()
        if (folder / f"{name}.parquet").exists()
    }
    return Results(folder, record, **tables)


def check_folder(folder: str | Path) -> Path:
    """`folder` as a path, or `DataError` if no results can be written there: to be asked before the long work."""
    folder = Path(folder)
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not there.is_dir():
        raise DataError(f"{there} is a file; expected a folder for the results")
    if not os.access(there, os.W_OK):
        raise DataError(f"{there} may not be written to; name another folder for the results")
    return folder


def held(folder: str | Path, run: str) -> Results | None:
    """What a folder holds of one run so far, None if nothing.

    Raises
    ------
    DataError
        If it holds another run.
    """
    folder = Path(folder)
    if not (folder / "runs.json").exists():
        return None
    found = read(folder)
    if found.record["run"] != run:
        encoders = ", ".join(encoder["name"] for encoder in found.record["encoders"])
        raise DataError(
            f"{folder} holds the results of another run ({found.record['dataset']['name']}: {encoders}); "
            "name another folder"
        )
    return found


def write(folder: str | Path, record: dict, fresh: bool = False, **tables: pd.DataFrame) -> Results:
    """Add tables to a results folder.

    Parameters
    ----------
    folder : str or Path
        Made if missing.
    record : dict
        What made the tables; ``record["run"]`` names the run. Steps of one run share the file.
    fresh : bool
        Begin anew: what the folder holds is replaced, even if it is another run's.
    **tables : DataFrame
        ``measurements``, ``predictions``, ``coordinates``.

    Raises
    ------
    DataError
        If the folder holds another run and `fresh` is not set, or is not a folder.
    """
    folder = check_folder(folder)
    before = None if fresh else held(folder, record["run"])
    folder.mkdir(parents=True, exist_ok=True)
    if fresh:
        for name in ("report.html", "measurements.csv", *(f"{name}.parquet" for name in TABLES)):
            (folder / name).unlink(missing_ok=True)
    for name, table in tables.items():
        old = getattr(before, name) if before else None
        rows = table if old is None else pd.concat([old, table], ignore_index=True)
        rows = rows.drop_duplicates(KEYS[name], keep="last").reset_index(drop=True)
        write_atomically(folder / f"{name}.parquet", lambda path, rows=rows: rows.to_parquet(path, index=False))
        if name == "measurements":
            write_atomically(folder / "measurements.csv", lambda path, rows=rows: rows.to_csv(path, index=False))
    if before:  # what an earlier step said stays beside its rows: how it was made, and the phylogenies it met
        kept = {key: {**before.record.get(key, {}), **record.get(key, {})} for key in ("steps", "trees")}
        record = {**record, **kept}
    text = json.dumps(record, indent=1, default=str)
    write_atomically(folder / "runs.json", lambda path: path.write_text(text, encoding="utf-8"))
    return read(folder)
