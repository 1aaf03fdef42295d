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
from bioclip_probe.tables import COORDINATES, MEASUREMENTS, PREDICTIONS, Table

TABLES: dict[str, Table] = {table.name: table for table in (MEASUREMENTS, PREDICTIONS, COORDINATES)}
#: The columns that say which number a row is; a new row takes the place of an old one that agrees in all of them.
KEYS = {
    "measurements": ["encoder", "encoder_b", "dataset", "split", "space", "tree", "rank", "taxon", "metric"],
    "predictions": ["encoder", "dataset", "probe", "rank", "image_id"],
    "coordinates": ["encoder", "dataset", "method", "mode", "rank", "image_id"],
}


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
        record = json.loads((folder / "runs.json").read_text())
    except FileNotFoundError:
        raise DataError(
            f"{folder} holds no results (no runs.json); run `bioclip-probe measure --out {folder}`"
        ) from None
    except (OSError, ValueError) as error:
        raise DataError(f"{folder / 'runs.json'} is damaged ({error}); run the study again") from error
    tables = {
        name: table.read(folder / f"{name}.parquet")
        for name, table in TABLES.items()
        if (folder / f"{name}.parquet").exists()
    }
    return Results(folder, record, **tables)


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
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder} is a file; expected a folder for the results")
    held = read(folder) if (folder / "runs.json").exists() and not fresh else None
    if held and held.record["run"] != record["run"]:
        raise DataError(
            f"{folder} holds the results of another run ({held.record['dataset']['name']}: "
            f"{', '.join(encoder['name'] for encoder in held.record['encoders'])}); name another folder"
        )
    folder.mkdir(parents=True, exist_ok=True)
    if fresh:
        for name in TABLES:
            (folder / f"{name}.parquet").unlink(missing_ok=True)
    for name, table in tables.items():
        old = getattr(held, name) if held else None
        rows = table if old is None else pd.concat([old, table], ignore_index=True)
        rows = rows.drop_duplicates(KEYS[name], keep="last").reset_index(drop=True)
        _replace(folder / f"{name}.parquet", lambda path, rows=rows: rows.to_parquet(path, index=False))
        if name == "measurements":
            _replace(folder / "measurements.csv", lambda path, rows=rows: rows.to_csv(path, index=False))
    steps = {**(held.record["steps"] if held else {}), **record["steps"]}
    text = json.dumps({**record, "steps": steps}, indent=1, default=str)
    _replace(folder / "runs.json", lambda path: path.write_text(text))
    return read(folder)


def _replace(path: Path, write_to) -> None:
    """Write beside, then rename: a reader never sees half a file."""
    beside = path.with_name(f".{path.name}.part")
    write_to(beside)
    os.replace(beside, path)
