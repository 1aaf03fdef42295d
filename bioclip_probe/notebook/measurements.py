"""The numbers of a study, and tables of some of them."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from bioclip_probe.errors import DataError
from bioclip_probe.metrics.registry import REGISTRY as METRICS
from bioclip_probe.tables import RANKS, check_name

#: Columns of a tidy table.
TIDY = [
    "metric", "encoder", "encoder_b", "space", "tree", "split", "rank", "taxon", "probe", "protocol", "shots", "value",
    "ci_low", "ci_high", "chance", "null", "p_adjusted", "n_taxa", "n_images", "n_excluded", "note",
]  # fmt: skip


class Measurements:
    """The numbers of a study.

    Parameters
    ----------
    table : DataFrame
        A `MEASUREMENTS` table.

    Attributes
    ----------
    table : DataFrame
        All numbers with all columns, a `MEASUREMENTS` table.

    Examples
    --------
    >>> from bioclip_probe.report.examples import two_models_measured
    >>> measurements = Measurements(two_models_measured().measurements)
    >>> measurements
    Measurements: 4 numbers of 1 metric and 2 encoders; pick some with tidy(METRIC, rank=…)
    """

    def __init__(self, table: pd.DataFrame) -> None:
        self.table = table

    def __len__(self) -> int:
        return len(self.table)

    @property
    def metrics(self) -> list[str]:
        """Names of the metrics that were measured."""
        return self.table["metric"].unique().tolist()

    def tidy(
        self, metric: str, *, rank: str = "", space: str = "", tree: str = "", split: str = "", encoder: str = ""
    ) -> pd.DataFrame:
        """Return the numbers of one metric, one in each row, with its interval, chance, adjusted p and counts.

        Parameters
        ----------
        metric : str
            Its name, see `metrics` and `bioclip_probe.metrics.catalogue`.
        rank, space, tree, split, encoder : str
            Only these rows, e.g. ``rank="family"``, ``space="raw"``; by default all of them.

        Returns
        -------
        DataFrame
            Always the same columns, so that tables of several metrics can be put together.

        Raises
        ------
        ProbeError
            If there is no such metric or rank.
        DataError
            If the study holds no such number.

        Examples
        --------
        >>> from bioclip_probe.report.examples import two_models_measured
        >>> measurements = Measurements(two_models_measured().measurements)
        >>> measurements.tidy("cluster_purity", rank="family")["encoder"].tolist()
        ['bioclip', 'clip']
        """
        check_name("metric", metric, dict.fromkeys([*self.metrics, *METRICS]))
        if rank:
            check_name("rank", rank, RANKS)
        rows = self.table[self.table["metric"] == metric]
        wanted = {"rank": rank, "space": space, "tree": tree, "split": split, "encoder": encoder}
        for column, value in wanted.items():
            rows = rows[rows[column] == value] if value else rows
        if rows.empty:
            raise DataError(self._missing(metric, wanted))
        return rows.reindex(columns=TIDY).reset_index(drop=True)

    def _missing(self, metric: str, wanted: Mapping[str, str]) -> str:
        """Return a message that says why there is no row, with the values that the columns have."""
        rows = self.table[self.table["metric"] == metric]
        asked = [(column, value) for column, value in wanted.items() if value]
        if rows.empty:
            return f"{metric} was not measured in this study"
        there = [f"{column} {', '.join(map(str, rows[column].dropna().unique()))}" for column, _ in asked]
        return (
            f"there is no {metric} of {', '.join(value for _, value in asked)}; it was measured at {'; '.join(there)}"
        )

    def __repr__(self) -> str:
        n_metrics, n_encoders = len(self.metrics), self.table["encoder"].nunique()
        counted = f"{n_metrics} metric{'s' * (n_metrics > 1)} and {n_encoders} encoder{'s' * (n_encoders > 1)}"
        return f"Measurements: {len(self.table):,} numbers of {counted}; pick some with tidy(METRIC, rank=…)"
