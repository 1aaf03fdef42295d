"""The order of models in the primary endpoints, as far as the data can tell."""

from __future__ import annotations

from collections.abc import Collection

import pandas as pd

from bioclip_probe.metrics.endpoints import PRIMARY, Endpoint
from bioclip_probe.metrics.registry import DIFFERENCE
from bioclip_probe.study.families import rows_of

COLUMNS = ("endpoint", "rank", "tree", "place", "encoder", "value", "ci_low", "ci_high", "p_adjusted")
#: Adjusted p-values below this tell two models apart.
ALPHA = 0.05


def model_places(measurements: pd.DataFrame, controls: Collection[str] = ()) -> pd.DataFrame:
    """Return the place of each model in each primary endpoint; models that are not told apart share places.

    Parameters
    ----------
    measurements : DataFrame
        A `MEASUREMENTS` table with adjusted p-values, see `families.with_adjusted_p`.
    controls : collection of str
        Names of the encoders that are controls; they have no place.

    Returns
    -------
    DataFrame
        A row for each endpoint that was measured and each model, best value first. `place` is the range of places that
        the data allow: ``1`` is a model that is told apart from all others, ``2–3`` one of two that share these. Its
        ends are 1 + the number of models that are better, and the number of models less those that are worse, by
        adjusted p < 0.05 of the paired difference. All ranges of a study hold the true places at once with 95 %
        confidence, since the differences are adjusted by Holm's method. A place is a dash where the number is
        undefined. `p_adjusted` tests the model's own value against its null.

    References
    ----------
    Mogstad, Romano, Shaikh & Wilhelm 2024, Rev. Econ. Stud. 91, 476 (confidence sets for ranks); Al Mohamad, Goeman &
    van Zwet 2022, Biometrics 78, 1045.

    Examples
    --------
    >>> from bioclip_probe.plots.examples import two_models
    >>> table = two_models("species").assign(metric="cophenetic_correlation", tree="taxonomy", split="all")
    >>> model_places(table)[["place", "encoder"]].to_numpy().tolist()  # no difference was tested
    [['1–2', 'bioclip'], ['1–2', 'clip']]
    """
    rows = [row for endpoint in PRIMARY for row in _places(endpoint, measurements, controls)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _places(endpoint: Endpoint, measurements: pd.DataFrame, controls: Collection[str]) -> list[dict]:
    """Return the rows of one endpoint, best value first."""
    own = measurements[rows_of(endpoint, measurements) & ~measurements["encoder"].isin(controls)]
    own = own.sort_values("value", ascending=False, kind="stable")  # more of an endpoint is better
    pairs = measurements[rows_of(endpoint, measurements, DIFFERENCE)]
    told_apart = pairs[pairs["p_adjusted"] < ALPHA]
    first_better = told_apart["value"] > 0
    better = told_apart["encoder"].where(first_better, told_apart["encoder_b"])
    worse = told_apart["encoder_b"].where(first_better, told_apart["encoder"])
    models = set(own.loc[own["value"].notna(), "encoder"])
    rows = []
    for row in own.itertuples():
        n_better = int((worse.eq(row.encoder) & better.isin(models)).sum())
        n_worse = int((better.eq(row.encoder) & worse.isin(models)).sum())
        best, last = 1 + n_better, len(models) - n_worse
        place = "–" if row.encoder not in models else str(best) if best == last else f"{best}–{last}"
        shown = {column: getattr(row, column) for column in COLUMNS if column not in ("endpoint", "place")}
        rows.append({"endpoint": endpoint.title, "place": place, **shown})
    return rows
