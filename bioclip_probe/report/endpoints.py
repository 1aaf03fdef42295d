"""The primary endpoints of a study: the rows that hold them, and the tables in which they are shown."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd

from bioclip_probe.metrics.endpoints import PRIMARY, TAXONOMY, Endpoint
from bioclip_probe.metrics.registry import DIFFERENCE, REGISTRY
from bioclip_probe.report.summary import CHANCE, COUNTS, counts_as_text
from bioclip_probe.study.families import rows_of
from bioclip_probe.study.ranking import model_places
from bioclip_probe.study.results import Results
from bioclip_probe.tables import RANKS, SMALLEST_P


@dataclass(frozen=True, eq=False)
class EndpointNumbers:
    """The measurements of one primary endpoint.

    Attributes
    ----------
    endpoint : Endpoint
    own : DataFrame
        A row for each encoder.
    pairs : DataFrame
        A row for each pair of encoders: the difference of the first less the second.

    Examples
    --------
    >>> from bioclip_probe.report.examples import two_models_measured
    >>> numbers = EndpointNumbers.of(PRIMARY[0], two_models_measured().measurements)
    >>> numbers.row("clip") is None  # it was not measured
    True
    """

    endpoint: Endpoint
    own: pd.DataFrame
    pairs: pd.DataFrame

    @classmethod
    def of(cls, endpoint: Endpoint, table: pd.DataFrame) -> EndpointNumbers:
        """Return the measurements of an endpoint in a `MEASUREMENTS` table.

        Parameters
        ----------
        endpoint : Endpoint
        table : DataFrame

        Returns
        -------
        EndpointNumbers
        """
        return cls(endpoint, table[rows_of(endpoint, table)], table[rows_of(endpoint, table, DIFFERENCE)])

    @property
    def heading(self) -> str:
        """The heading of its column: its title, the rank unless that is species, the tree unless the taxonomy."""
        trees = [tree for tree in self.own["tree"].dropna().unique() if tree != TAXONOMY]
        ranks = [self.endpoint.rank] if self.endpoint.rank != RANKS[-1] else []
        return ", ".join((self.endpoint.title, *ranks, *trees))

    def row(self, encoder: str) -> pd.Series | None:
        """Return the measurement of an encoder.

        Parameters
        ----------
        encoder : str

        Returns
        -------
        Series or None
            None if the number is undefined or was not measured.
        """
        found = self.own[(self.own["encoder"] == encoder) & self.own["value"].notna()]
        return found.iloc[0] if len(found) else None

    def difference(self, first: str, second: str) -> tuple[pd.Series | None, int]:
        """Return the difference of two encoders.

        Parameters
        ----------
        first, second : str

        Returns
        -------
        row : Series or None
        sign : int
            −1 if the row is the difference of the second less the first.
        """
        for one, other, sign in ((first, second, 1), (second, first, -1)):
            found = self.pairs[(self.pairs["encoder"] == one) & (self.pairs["encoder_b"] == other)]
            if len(found):
                return found.iloc[0], sign
        return None, 1


def endpoint_table(results: Results) -> pd.DataFrame:
    """Return the primary endpoints as text: a row for each encoder, a column for each endpoint.

    Parameters
    ----------
    results : Results

    Returns
    -------
    DataFrame
        Values with their intervals. The effective dimension stands behind tree signal. The last rows are the mean
        chance level over encoders, and the numbers of taxa and images. Without columns for what was not measured.

    Raises
    ------
    DataError
        If the folder holds no measurements.

    Examples
    --------
    >>> from bioclip_probe.report.examples import two_models_measured
    >>> endpoint_table(two_models_measured()).empty  # no primary endpoint was measured
    True
    """
    table, columns = results.table("measurements"), {}
    for endpoint in PRIMARY:
        beside = (replace(endpoint, title=REGISTRY[name].title, metric=name) for name in endpoint.beside)
        for numbers in (EndpointNumbers.of(each, table) for each in (endpoint, *beside)):
            rows = numbers.own[numbers.own["value"].notna()]
            if len(rows):
                cells = {row["encoder"]: with_interval(row) for _, row in rows.iterrows()}
                chance = rows["chance"].mean()
                cells[CHANCE] = "–" if pd.isna(chance) else f"{chance:.3f}"
                columns[numbers.heading] = cells | {COUNTS: counts_as_text(rows)}
    order = results.encoders
    if not columns:
        return pd.DataFrame()
    return pd.DataFrame(columns).reindex([*order, CHANCE, COUNTS]).fillna("–").rename_axis("encoder")


def difference_table(results: Results) -> pd.DataFrame:
    """Return how the first model differs from each other model in the primary endpoints, as text.

    Parameters
    ----------
    results : Results

    Returns
    -------
    DataFrame
        A row for each other model, a column for each endpoint: the difference with its interval, then the p-value,
        adjusted by Holm's method over all pairs of models and endpoints.

    Raises
    ------
    DataError
        If the folder holds no measurements.

    Examples
    --------
    >>> from bioclip_probe.report.examples import two_models_measured
    >>> difference_table(two_models_measured()).empty  # no primary endpoint was measured
    True
    """
    table, columns = results.table("measurements"), {}
    encoders = results.encoders
    models = [name for name in encoders if name not in results.controls]
    for numbers in (EndpointNumbers.of(endpoint, table) for endpoint in PRIMARY):
        cells = {}
        for other in models[1:]:
            row, sign = numbers.difference(models[0], other)
            if row is not None and pd.notna(row["value"]):
                p = f"; {p_as_text(row['p_adjusted'])}" if pd.notna(row["p_adjusted"]) else ""
                cells[f"{models[0]} less {other}"] = with_interval(row, sign) + p
        if cells:
            columns[numbers.heading] = cells
    return pd.DataFrame(columns).fillna("–").rename_axis("difference")


def places_table(results: Results) -> pd.DataFrame:
    """Return the place of each model in each primary endpoint; models that are not told apart share places.

    Parameters
    ----------
    results : Results

    Returns
    -------
    DataFrame
        A row for each model, a column for each endpoint that was measured; ``1–2`` for a model that may be first or
        second. Empty with fewer than two models.

    Raises
    ------
    DataError
        If the folder holds no measurements.

    Examples
    --------
    >>> from bioclip_probe.report.examples import two_models_measured
    >>> places_table(two_models_measured()).empty  # no primary endpoint was measured
    True
    """
    places = model_places(results.table("measurements"), results.controls)
    if places["encoder"].nunique() < 2:
        return pd.DataFrame()
    columns = list(dict.fromkeys(places["endpoint"]))
    models = results.models
    table = places.pivot_table(index="encoder", columns="endpoint", values="place", aggfunc="first")
    return table.reindex(index=models, columns=columns).fillna("–").rename_axis(columns=None)


def with_interval(row: pd.Series, sign: int = 1) -> str:
    """Return a value with its interval as text.

    Parameters
    ----------
    row : Series
        A measurement.
    sign : int
        −1 gives the difference of the other encoder.

    Returns
    -------
    str

    Examples
    --------
    >>> with_interval(pd.Series({"value": 0.25, "ci_low": 0.1, "ci_high": 0.4}), sign=-1)
    '-0.250 [-0.400, -0.100]'
    """
    low, high = sorted((sign * row["ci_low"], sign * row["ci_high"]))
    interval = "" if pd.isna(row["ci_low"]) else f" [{low:.3f}, {high:.3f}]"
    return f"{sign * row['value']:.3f}{interval}"


def p_as_text(adjusted: float) -> str:
    """Return an adjusted p-value as text.

    Parameters
    ----------
    adjusted : float

    Returns
    -------
    str

    Examples
    --------
    >>> p_as_text(0.00001), p_as_text(0.04)
    ('adjusted p < 0.001', 'adjusted p = 0.040')
    """
    return f"adjusted p < {SMALLEST_P}" if adjusted < SMALLEST_P else f"adjusted p = {adjusted:.3f}"
