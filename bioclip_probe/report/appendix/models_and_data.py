"""The registry entries and the licences of the models and the data of a study."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from bioclip_probe.encoders.registry import REGISTRY as ENCODERS
from bioclip_probe.report.appendix.tables import Column, PaperTable
from bioclip_probe.study.results import Results

LICENCES = Path(__file__).with_name("licences.csv")
NOT_KNOWN = ("not known here: ask who offers it", "", "")


def encoder_name(encoder: dict) -> str:
    """Return the name in the registry of encoders that a record stands for, empty if there is none.

    Parameters
    ----------
    encoder : dict
        A record of `results.Results`.

    Returns
    -------
    str

    Examples
    --------
    >>> encoder_name({"name": "mine", "id": "hf-hub:imageomics/bioclip@7b4abf1"}), encoder_name({"name": "mine"})
    ('bioclip', '')
    """
    id = str(encoder.get("id", "")).partition("@")[0]
    return next((entry.name for entry in ENCODERS.values() if entry.id == id), "")


def dataset_name(results: Results) -> str:
    """Return the name in the registry of datasets that a study was planned with, else the name of its dataset.

    Parameters
    ----------
    results : Results

    Returns
    -------
    str

    Examples
    --------
    >>> from bioclip_probe.report.examples import two_models_measured
    >>> dataset_name(two_models_measured())
    'birds'
    """
    planned = [str(step.get("plan", {}).get("data") or "") for step in results.record["steps"].values()]
    return next((data.partition(":")[0] for data in planned if data), str(results.record["dataset"]["name"]))


def licence_table(results: Results) -> PaperTable:
    """Return the licences of the data and of the weights of each model.

    Parameters
    ----------
    results : Results

    Returns
    -------
    PaperTable
        It says so where a licence is not known.

    Examples
    --------
    >>> from bioclip_probe.report.examples import two_models_measured
    >>> [row[1] for row in licence_table(two_models_measured()).rows][0]
    'not known here: ask who offers it'
    """
    known = pd.read_csv(LICENCES, keep_default_na=False).set_index(["kind", "name"])
    data = results.record["dataset"]["name"]
    rows: list[tuple[str, ...]] = [(f"data: {data}", *_licence(known, "data", dataset_name(results)))]
    for encoder in results.record["encoders"]:
        rows.append((encoder["name"], *_licence(known, "weights", encoder_name(encoder))))
    columns = [Column("data or weights"), Column("licence"), Column("how it is known"), Column("source", "code")]
    if not any(row[-1] for row in rows):  # no column without an entry
        columns, rows = columns[:-1], [row[:-1] for row in rows]
    return PaperTable("licences", "Licences of the data and of the weights", columns, rows)


def _licence(known: pd.DataFrame, kind: str, name: str) -> tuple[str, str, str]:
    """Return a licence, how it is known, and its source."""
    if (kind, name) not in known.index:
        return NOT_KNOWN
    row = known.loc[(kind, name)]
    return row["licence"], row["how"], row["source"]
