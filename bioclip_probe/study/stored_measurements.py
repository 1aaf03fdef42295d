"""Measurements as a table that a file can hold, with the replicates from which differences are made."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import fields

import numpy as np
import pandas as pd

from bioclip_probe.metrics.measurement import Measurement
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.study.sample import Sample
from bioclip_probe.tables import MEASUREMENTS

#: Columns that say what a number is about, and the fields of its estimate with their types.
ABOUT = ("metric", "rank", "taxon", "split", "column")
NUMBERS = {item.name: item.type for item in fields(Estimate) if item.name != "replicates"}
DTYPES = {"float": "float64", "int": "int64", "str": "str"}
REPLICATES = "replicates"


def measurements_table(measurements: Sequence[Measurement]) -> pd.DataFrame:
    """Return measurements as a table.

    Parameters
    ----------
    measurements : sequence of Measurement

    Returns
    -------
    DataFrame
        A row for each measurement: the columns `ABOUT`, those of `Estimate`, and ``replicates``, an array or None.

    Examples
    --------
    >>> measurements_table([Measurement("silhouette", "family", Estimate(0.25))])["value"].tolist()
    [0.25]
    """
    estimates = [row.estimate for row in measurements]
    columns: dict[str, object] = {
        name: pd.Series([getattr(row, name) for row in measurements], dtype="str") for name in ABOUT
    }
    for name, kind in NUMBERS.items():
        columns[name] = pd.Series([getattr(estimate, name) for estimate in estimates], dtype=DTYPES[str(kind)])
    replicates = np.empty(len(estimates), dtype=object)
    for row, estimate in enumerate(estimates):
        own = estimate.replicates
        replicates[row] = None if own is None else np.asarray(own, dtype=np.float64)
    return pd.DataFrame({**columns, REPLICATES: replicates})


def measurements_of_table(table: pd.DataFrame) -> list[Measurement]:
    """Return the measurements that `measurements_table` made a table of.

    Parameters
    ----------
    table : DataFrame
        One without columns has no measurements.

    Returns
    -------
    list of Measurement

    Examples
    --------
    >>> rows = [Measurement("silhouette", "family", Estimate(0.25, n_images=10))]
    >>> str(measurements_of_table(measurements_table(rows))) == str(rows)
    True
    """
    return [_measurement(row) for row in table.to_dict("records")]


def rows_of_sample(sample: Sample, stored: pd.DataFrame, wanted: Collection[str] = ()) -> pd.DataFrame:
    """Return stored rows of measurements as rows of a sample: of its run, and of the metrics that were asked for.

    Parameters
    ----------
    sample : Sample
    stored : DataFrame
        A `MEASUREMENTS` table, perhaps of more metrics, or a table without columns.
    wanted : collection of str
        Names of metrics; empty for all.

    Returns
    -------
    DataFrame
        A `MEASUREMENTS` table.

    Examples
    --------
    >>> from bioclip_probe.study.examples import corvid_sample
    >>> stored = MEASUREMENTS.frame([{"metric": "silhouette", "simulated": True}, {"metric": "k_mult"}])
    >>> rows_of_sample(corvid_sample(), stored, ["silhouette"])[["dataset", "simulated"]].values.tolist()
    [['corvids', False]]
    """
    if wanted and len(stored):
        stored = stored[stored["metric"].isin(wanted)]
    return MEASUREMENTS.frame(stored.assign(run=sample.run, dataset=sample.dataset, simulated=sample.simulated))


def _measurement(row: dict) -> Measurement:
    """Return the measurement of one row."""
    estimate = Estimate(**{name: row[name] for name in NUMBERS}, replicates=row[REPLICATES])
    taxon, split, column = (row[name] if isinstance(row[name], str) else None for name in ABOUT[2:])
    return Measurement(row["metric"], row["rank"], estimate, taxon, split, column)
