"""The differences of two encoders, read from the measurements of a study."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from bioclip_probe.errors import DataError, ProbeError
from bioclip_probe.metrics.endpoints import PRIMARY
from bioclip_probe.metrics.registry import DIFFERENCE
from bioclip_probe.metrics.registry import REGISTRY as METRICS
from bioclip_probe.tables import RANKS, check_name, check_no_text

#: Columns that a difference and the two numbers that it is made of have in common.
SHARED = ["space", "tree", "rank", "split", "taxon", "column", "probe", "protocol", "shots", "metric"]
#: Columns of the table of differences.
COLUMNS = [
    "metric", "tree", "rank", "split", "probe", "protocol", "shots", "value", "value_b", "difference", "ci_low",
    "ci_high", "p_adjusted", "n_taxa", "n_images", "note",
]  # fmt: skip


def differences(table: pd.DataFrame, first: str, second: str, metrics: Sequence[str] = ()) -> pd.DataFrame:
    """Return how two encoders differ: the number of each, the paired difference, its interval and adjusted p.

    Parameters
    ----------
    table : DataFrame
        A `MEASUREMENTS` table, as `compare` returns it or a results folder holds it.
    first, second : str
        Names of two of its encoders.
    metrics : sequence of str
        Names of metrics, without ``_difference``; by default those of the primary endpoints.

    Returns
    -------
    DataFrame
        One row a metric, tree and rank, for embeddings as they are (not centred): ``metric``, ``tree``, ``rank``,
        ``split``, ``probe``, ``protocol``, ``shots``; ``value`` of `first` and ``value_b`` of `second` where they were
        measured; ``difference``, which is `first` less `second`, with ``ci_low`` and ``ci_high``; ``p_adjusted``,
        two-sided; ``n_taxa``, ``n_images``; and ``note``, which says why a number or an interval is missing.

    Raises
    ------
    ProbeError
        If there is no such encoder or metric, or the two are the same.
    DataError
        If the table does not hold the comparison.

    Examples
    --------
    >>> import numpy as np
    >>> from bioclip_probe.metrics.settings import MeasureSettings
    >>> from bioclip_probe.study import compare, from_arrays
    >>> frame = pd.DataFrame({"species": ["Pica pica", "Pica nuttalli", "Corvus corax", "Corvus corone"] * 2})
    >>> rng = np.random.default_rng(0)
    >>> sample = from_arrays({"mine": rng.normal(size=(8, 3)), "clip": rng.normal(size=(8, 3))}, frame)
    >>> table = compare(sample, MeasureSettings(metrics=("silhouette_difference",)))
    >>> differences(table, "mine", "clip", ["silhouette"])["rank"].tolist()
    ['genus', 'species']
    """
    named = [*table["encoder"].dropna(), *table["encoder_b"].dropna()]
    for name in (first, second):
        check_name("encoder", name, list(dict.fromkeys(named)))
    if first == second:
        raise ProbeError(f"expected two encoders; got '{first}' twice")
    check_no_text("metrics", metrics)
    for metric in metrics:
        check_name("metric", metric, METRICS)
    pairs = _pairs(table, first, second)
    wanted = list(metrics) or [endpoint.metric for endpoint in PRIMARY]
    pairs = pairs[pairs["metric"].isin(wanted)]
    if not metrics:
        pairs = pairs[_of_primary_probe(pairs)]
    if pairs.empty:
        names = ", ".join(f"{metric}{DIFFERENCE}" for metric in wanted)
        raise DataError(f"no difference of {first} and {second} was measured; name it among the metrics: {names}")
    own = table[table["encoder_b"].isna() & (table["space"] == "raw")]
    for encoder, column in ((first, "value"), (second, "value_b")):
        values = own[own["encoder"] == encoder][[*SHARED, "value"]].rename(columns={"value": column})
        pairs = pairs.merge(values, on=SHARED, how="left")
    order = {"metric": {name: i for i, name in enumerate(wanted)}, "rank": {name: i for i, name in enumerate(RANKS)}}
    keys = {name: pairs[name].map(places) for name, places in order.items()}
    trees = pairs["tree"].map({name: i for i, name in enumerate(pairs["tree"].unique())})
    sorted_rows = pd.DataFrame({**keys, "tree": trees}).sort_values(["metric", "tree", "rank"], kind="stable").index
    return pairs.loc[sorted_rows, COLUMNS].reset_index(drop=True)


def _pairs(table: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
    """Return the rows of all differences of two encoders, the first less the second, under the names of the metrics."""
    rows = table[(table["space"] == "raw") & table["metric"].str.endswith(DIFFERENCE) & table["taxon"].isna()]
    rows = rows[rows["column"].isna()]
    straight = rows[(rows["encoder"] == first) & (rows["encoder_b"] == second)]
    turned = rows[(rows["encoder"] == second) & (rows["encoder_b"] == first)]
    turned = turned.assign(value=-turned["value"], ci_low=-turned["ci_high"], ci_high=-turned["ci_low"])
    pairs = pd.concat([straight, turned], ignore_index=True)
    pairs["metric"] = pairs["metric"].str.removesuffix(DIFFERENCE)
    return pairs.rename(columns={"value": "difference"})


def _of_primary_probe(pairs: pd.DataFrame) -> pd.Series:
    """Return which rows are of the images as a whole, or of the probe of a primary endpoint."""
    of_endpoint = (pairs["split"] == "all") & pairs["probe"].isna()
    for endpoint in PRIMARY:
        if endpoint.probe is not None:
            asked = pairs[["metric", "split", "probe", "protocol"]].eq(
                [endpoint.metric, endpoint.split, endpoint.probe, endpoint.protocol]
            )
            of_endpoint |= asked.all(axis=1) & pairs["shots"].isna()
    return of_endpoint
