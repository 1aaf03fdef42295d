"""Times of pieces in earlier runs beside a results folder, compared with what `costs` expects for them.

The ratio corrects estimates for the machine: a study of another size, or with another encoder, on the same machine is
off by about the same factor.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, fields
from math import isnan
from pathlib import Path
from typing import Any

from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.probes.costs import SampleSize
from bioclip_probe.probes.settings import ProbeSettings
from bioclip_probe.study.checkpoints import ABOUT, FOLDER
from bioclip_probe.study.piece_costs import PieceCosts
from bioclip_probe.tables import RANKS

#: Folders beside the results folder that are looked into, the newest first.
MOST_FOLDERS = 12


@dataclass(frozen=True)
class Experience:
    """The ratio of real to expected times of one step in earlier runs.

    Attributes
    ----------
    expected, taken : float
        Seconds of the same pieces, as `costs` expects them and as they took.
    n_pieces : int

    Examples
    --------
    >>> Experience(10.0, 20.0, 5).ratio
    2.0
    """

    expected: float = 0.0
    taken: float = 0.0
    n_pieces: int = 0

    @property
    def ratio(self) -> float:
        """The time taken, relative to what was expected; 1 without earlier pieces."""
        return self.taken / self.expected if self.expected > 0 and self.taken > 0 else 1.0

    def and_piece(self, expected: float, taken: float) -> Experience:
        """Return the experience with one more piece."""
        return Experience(self.expected + expected, self.taken + taken, self.n_pieces + 1)


def experience_beside(out: Path) -> dict[str, Experience]:
    """Return what the results in a folder, in those beside it and in those below it say about each step.

    Parameters
    ----------
    out : Path

    Returns
    -------
    dict from step to Experience
        Without steps of which nothing is known. Runs on a machine with another number of cores are left out.

    Examples
    --------
    >>> experience_beside(Path("no/such/folder"))
    {}
    """
    found: dict[str, Experience] = {}
    for folder in _folders(out):
        record = _json(folder / "runs.json")
        if record.get("machine", {}).get("cores") != os.cpu_count():
            continue
        for step, facts in record.get("steps", {}).items():
            costs = _costs_of(record, facts)
            if costs is None:
                continue
            for about in _stored_pieces(folder / FOLDER / step):
                expected = costs.seconds(step, about["subject"], about["weight"])
                share = (about["processors"] or costs.n_cores) / costs.n_cores  # unknown of earlier versions
                if not isnan(expected):
                    found[step] = found.get(step, Experience()).and_piece(expected, about["seconds"] * share)
    return found


def _folders(out: Path) -> list[Path]:
    """Return the folders with results in, beside and below a folder, the newest first."""
    near = {out, *_subfolders(out), *_subfolders(out.absolute().parent)}
    records = [folder / "runs.json" for folder in near if (folder / "runs.json").is_file()]
    newest = sorted(records, key=lambda path: path.stat().st_mtime, reverse=True)
    return [path.parent for path in newest[:MOST_FOLDERS]]


def _subfolders(folder: Path) -> Iterator[Path]:
    """Yield the folders in a folder."""
    try:
        yield from (path for path in folder.iterdir() if path.is_dir())
    except OSError:
        return


def _json(path: Path) -> dict[str, Any]:
    """Return the content of a JSON file, empty if it is damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _costs_of(record: dict[str, Any], facts: dict[str, Any]) -> PieceCosts | None:
    """Return what the pieces of an earlier run were expected to take; None if its record does not tell."""
    try:
        n_images, taxa = record["dataset"]["n_usable"], tuple(record["dataset"]["taxa"][rank] for rank in RANKS)
        sizes = {
            encoder["name"]: SampleSize(n_images, int(encoder["dimension"]), taxa) for encoder in record["encoders"]
        }
        measure = _settings(MeasureSettings(), facts["plan"]["measure"])
        probe = _settings(ProbeSettings(), facts["plan"]["probe"])
    except (KeyError, TypeError, ValueError):
        return None
    return PieceCosts(sizes, measure, probe)


def _settings(usual: Any, values: dict[str, Any]) -> Any:
    """Return settings as a record has them; what this version does not know is left out."""
    known = {item.name for item in fields(usual)}
    kept = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items() if name in known}
    return type(usual)(**kept)


def _stored_pieces(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield what is stored about each piece in a folder, without reading its numbers."""
    import pyarrow as pa
    from pyarrow import parquet

    for path in sorted(folder.glob("*.parquet")):
        try:
            attributes = json.loads(parquet.read_schema(path).metadata[b"PANDAS_ATTRS"])
            about = json.loads(attributes[ABOUT])
            yield {
                **{name: about[name] for name in ("subject", "weight", "seconds")},
                "processors": about.get("processors"),
            }
        except (OSError, KeyError, TypeError, ValueError, pa.ArrowException):
            continue
