"""Submissions of made-up studies: valid ones to spoil, share and put on a board."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bioclip_probe.files import sha256_of_bytes
from bioclip_probe.metrics.endpoints import PRIMARY
from bioclip_probe.metrics.registry import DIFFERENCE
from bioclip_probe.study.families import rows_of, with_adjusted_p
from bioclip_probe.study.results import Results, write
from bioclip_probe.study.submission import submission_of
from tests.support.drawn_study import CONTROLS, MODELS, measurements

PROTOCOL = "treeoflife-alignment/1"
INSTANCE = sha256_of_bytes(b"these pictures")


def record(models: Sequence[str] = MODELS, controls: Sequence[str] = CONTROLS, instance: str = INSTANCE) -> dict:
    """Return the record of a study of made-up encoders."""
    encoders = [
        {
            "name": name,
            "id": f"control:{name}" if name in controls else f"hf-hub:lab/{name}",
            "control": name in controls,
            "revision": "" if name in controls else "0" * 40,
            "sha256": "" if name in controls else sha256_of_bytes(name.encode()),
            "fingerprint": sha256_of_bytes(name.encode())[:12],
            "preprocessing": {"size": 224, "mean": [0.5, 0.5, 0.5]},
            "precision": "fp32",
            "dimension": 512,
        }
        for name in (*models, *controls)
    ]
    step = {"finished": "2026-11-27T13:39:03+00:00", "plan": {"data": "inat21:/home/ada/val"}}
    return {
        "run": sha256_of_bytes(repr((models, controls)).encode())[:12],
        "protocol": {"id": PROTOCOL, "instance": instance, "parts": {"images": instance[:12], "seed": 0}},
        "dataset": {"name": "birds", "fingerprint": "0123456789ab", "simulated": True, "n_images": 90, "taxa": {}},
        "encoders": encoders,
        "software": {"python": "3.11.7", "bioclip_probe": "0.1.0"},
        "steps": {"measure": {**step, "command": "bioclip-probe measure --data inat21:/home/ada/val"}},
    }


def made_up_results(models: Sequence[str] = MODELS, controls: Sequence[str] = CONTROLS) -> Results:
    """Return the results of a made-up study with primary endpoints, in no folder."""
    return Results(Path("out"), record(models, controls), _table(tuple(models), tuple(controls)).copy())


def made_up_folder(folder: Path, models: Sequence[str] = MODELS, controls: Sequence[str] = CONTROLS) -> Results:
    """Write the results of a made-up study into a folder, and return them."""
    made = made_up_results(models, controls)
    return write(folder, made.record, {"measurements": made.measurements})


def of_values(
    values: Mapping[str, float],
    p_values: Mapping[tuple[str, str], float],
    controls: Sequence[str] = ("pixels",),
    **changes: Any,
) -> dict[str, Any]:
    """Return a valid submission with one endpoint: values of models and controls, and p-values of some differences."""
    content = valid(tuple(values), tuple(controls), **changes)
    for model in content["models"]:
        (number,) = (own for own in model["endpoints"] if own["metric"] == "cophenetic_correlation")
        value = values.get(model["name"], 0.05)
        model["endpoints"] = [{**number, "value": value, "interval": [value - 0.04, value + 0.04]}]
    row = next(own for own in content["differences"] if own["metric"] == "cophenetic_correlation")
    content["differences"] = [
        {**row, "first": first, "second": second, "value": values[first] - values[second], "p": p}
        for (first, second), p in p_values.items()
    ]
    return content


def valid(models: Sequence[str] = MODELS, controls: Sequence[str] = CONTROLS, **changes: Any) -> dict[str, Any]:
    """Return a valid submission of a made-up study, with some fields changed, that may be spoilt."""
    content: dict[str, Any] = json.loads(_text(tuple(models), tuple(controls)))
    return {**content, **changes}


@cache
def _table(models: tuple[str, ...], controls: tuple[str, ...]) -> pd.DataFrame:
    """Return the measurements of a made-up study, which are made once; only the primary ones, so that it is quick."""
    table = measurements(models, controls)
    primary = [rows_of(endpoint, table, suffix) for endpoint in PRIMARY for suffix in ("", DIFFERENCE)]
    beside = table["metric"].isin([name for endpoint in PRIMARY for name in endpoint.beside])
    return with_adjusted_p(table[np.logical_or.reduce([beside, *primary])].reset_index(drop=True), controls)


@cache
def _text(models: tuple[str, ...], controls: tuple[str, ...]) -> str:
    """Return the submission of a made-up study as text, which is made once."""
    return json.dumps(submission_of(made_up_results(models, controls)))
