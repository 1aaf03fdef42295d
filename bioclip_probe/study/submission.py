"""The submission of a study: one file for other laboratories with its primary endpoints and how they were made.

``submission.json`` is the form in which numbers leave a laboratory: small, without paths of a machine, and described
field by field by a JSON Schema that comes with the package (`SCHEMA_FILE`). Model cards and boards are made from it.
`submission_file` reads and checks such a file.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from bioclip_probe.encoders import is_control
from bioclip_probe.files import sha256_of_json
from bioclip_probe.metrics.endpoints import PRIMARY, Endpoint
from bioclip_probe.metrics.registry import DIFFERENCE, REGISTRY
from bioclip_probe.study.families import rows_of
from bioclip_probe.study.machine_paths import without_paths
from bioclip_probe.study.results import Results

FILE = "submission.json"
FORMAT = "bioclip-probe-submission/1"
SCHEMA_FILE = Path(__file__).with_name("submission.schema.json")
#: Prefix of the part of a note that says why there is no interval.
NO_INTERVAL = "no interval: "
USUAL_LEVEL = 0.95


def submission_of(results: Results, who: str = "", licence: str = "") -> dict[str, Any]:
    """Return the submission of a study.

    Parameters
    ----------
    results : Results
    who : str
        Person or laboratory that submits.
    licence : str
        Licence of the submission, an SPDX identifier such as ``CC-BY-4.0``.

    Returns
    -------
    dict
        As `SCHEMA_FILE` describes it, in the order of the file. It does not depend on when it is made: ``made`` is the
        time at which the study ended.

    Raises
    ------
    DataError
        If the folder holds no measurements.

    Examples
    --------
    >>> from bioclip_probe.plots.examples import two_models
    >>> table = two_models("species").assign(metric="cophenetic_correlation", tree="taxonomy", split="all")
    >>> encoders = [{"name": name, "id": name, "control": False} for name in ("bioclip", "clip")]
    >>> record = {"run": "r", "dataset": {"name": "birds", "simulated": False}, "encoders": encoders, "steps": {}}
    >>> made = submission_of(Results(Path("out"), record, table))
    >>> [(model["name"], model["endpoints"][0]["value"]) for model in made["models"]]
    [('bioclip', 0.6), ('clip', 0.3)]
    """
    record, table = results.record, results.table("measurements")
    dataset, numbers = record["dataset"], [*_numbers(table)]
    content = {
        "format": FORMAT,
        "protocol": record.get("protocol"),
        "run": record["run"],
        "simulated": results.simulated,
        "dataset": {
            "name": dataset["name"],
            "fingerprint": dataset.get("fingerprint"),
            "n_images": dataset.get("n_images"),
            "taxa": dataset.get("taxa", {}),
        },
        "models": [_model(encoder, numbers, record) for encoder in record["encoders"]],
        "differences": [*_differences(table, record)],
        "software": record.get("software", {}),
        "made": max((step["finished"] for step in record["steps"].values() if "finished" in step), default=None),
        "who": who or None,
        "licence": licence or None,
    }
    checked: dict[str, Any] = without_paths(content)
    return checked


def as_json(content: Mapping[str, Any]) -> str:
    r"""Return a submission as the text of its file: indented by two spaces, with a line break at the end.

    Parameters
    ----------
    content : mapping

    Returns
    -------
    str

    Examples
    --------
    >>> as_json({"who": None})
    '{\n  "who": null\n}\n'
    """
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def numbers_digest(content: Mapping[str, Any]) -> str:
    """Return the digest of the claims of a submission: its protocol, run, models and differences.

    The submitter, the licence and the time do not enter. A record of a verification names a submission by this digest.

    Parameters
    ----------
    content : mapping
        A submission.

    Returns
    -------
    str
        64 hexadecimal digits.

    Examples
    --------
    >>> one = dict.fromkeys(("protocol", "run", "models", "differences"))
    >>> numbers_digest({**one, "who": "Ada"}) == numbers_digest({**one, "who": None})
    True
    """
    return sha256_of_json([content[name] for name in ("protocol", "run", "models", "differences")])


@dataclass(frozen=True, eq=False)
class _Numbers:
    """The measurements of an endpoint, or of a metric that stands beside it.

    Attributes
    ----------
    endpoint : Endpoint
    beside : str or None
        Metric of the endpoint beside which it stands; None for an endpoint itself.
    rows : DataFrame
        A row for each encoder.
    """

    endpoint: Endpoint
    beside: str | None
    rows: pd.DataFrame


def _numbers(table: pd.DataFrame) -> Iterator[_Numbers]:
    """Yield the primary endpoints, each followed by the numbers that stand beside it."""
    for endpoint in PRIMARY:
        yield _Numbers(endpoint, None, table[rows_of(endpoint, table)])
        for name in endpoint.beside:
            other = replace(endpoint, title=REGISTRY[name].title, metric=name)
            yield _Numbers(other, endpoint.metric, table[rows_of(other, table)])


def _model(encoder: Mapping[str, Any], numbers: Sequence[_Numbers], record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the description of an encoder, with its primary endpoints."""
    name = encoder["name"]
    return {
        "name": name,
        "id": encoder["id"],
        "control": is_control(dict(encoder)),
        "revision": encoder.get("revision") or None,
        "sha256": encoder.get("sha256") or None,
        "fingerprint": encoder.get("fingerprint") or None,
        "precision": encoder.get("precision") or None,
        "dimension": encoder.get("dimension"),
        "geometry": encoder.get("geometry") or "cosine",
        "preprocessing": encoder.get("preprocessing"),
        "endpoints": [
            _endpoint(of, row, record)
            for of in numbers
            for row in of.rows[of.rows["encoder"] == name].head(1).to_dict("records")
        ],
    }


def _endpoint(numbers: _Numbers, row: Mapping[Any, Any], record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a number of one encoder."""
    endpoint = numbers.endpoint
    return {
        "metric": endpoint.metric,
        "title": endpoint.title,
        "beside": numbers.beside,
        "rank": row["rank"],
        "tree": row["tree"],
        "probe": endpoint.probe,
        "protocol": endpoint.protocol,
        **_value(row, _level(endpoint, record)),
        "chance": _number(row["chance"]),
        "null": _text(row["null"]),
        **_tested(row),
    }


def _differences(table: pd.DataFrame, record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the paired differences of every two encoders in the primary endpoints."""
    for endpoint in PRIMARY:
        for row in table[rows_of(endpoint, table, DIFFERENCE)].to_dict("records"):
            yield {
                "metric": endpoint.metric,
                "rank": row["rank"],
                "tree": row["tree"],
                "first": row["encoder"],
                "second": row["encoder_b"],
                **_value(row, _level(endpoint, record)),
                **_tested(row),
            }


def _value(row: Mapping[Any, Any], level: float) -> dict[str, Any]:
    """Return the value of a measurement, and its interval or the reason why there is none."""
    low, high = _number(row["ci_low"]), _number(row["ci_high"])
    has_interval = low is not None and high is not None
    reasons = [part for part in _notes(row) if part.startswith(NO_INTERVAL)]
    reason = "; ".join(part.removeprefix(NO_INTERVAL) for part in reasons) or "none was computed"
    return {
        "value": _number(row["value"]),
        "interval": [low, high] if has_interval else None,
        "level": level if has_interval else None,
        "interval_method": _text(row["ci_method"]) if has_interval else None,
        "no_interval_because": None if has_interval else reason,
    }


def _tested(row: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the p-values, the counts and the note of a measurement."""
    return {
        "p": _number(row["p_value"]),
        "p_adjusted": _number(row["p_adjusted"]),
        "p_family": _text(row["p_family"]),
        **{name: _count(row[name]) for name in ("n_images", "n_taxa", "n_units")},
        "unit": _text(row["resampled"]),
        "note": "; ".join(part for part in _notes(row) if not part.startswith(NO_INTERVAL)) or None,
    }


def _level(endpoint: Endpoint, record: Mapping[str, Any]) -> float:
    """Return the nominal coverage of the intervals of an endpoint, which the plan of its step says."""
    step = record["steps"].get("probe" if endpoint.probe else "measure", {})
    return float(step.get("plan", {}).get("measure", {}).get("level", USUAL_LEVEL))


def _notes(row: Mapping[Any, Any]) -> list[str]:
    """Return the parts of the note of a measurement."""
    return (_text(row["note"]) or "").split("; ")


def _number(value: Any) -> float | None:
    """Return a number for JSON: None where it is missing or infinite."""
    return None if pd.isna(value) or not math.isfinite(value) else float(value)


def _count(value: Any) -> int | None:
    """Return a count for JSON: None where it is missing."""
    return None if pd.isna(value) else int(value)


def _text(value: Any) -> str | None:
    """Return a text for JSON: None where it is missing or empty."""
    return None if pd.isna(value) or not value else str(value)
