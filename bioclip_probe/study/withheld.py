"""Intervals that are not shown, because the calibration study did not find that they cover.

The study (``python -m tests.calibration coverage``) draws samples of species from a known population, and counts how
often each interval of 95 % holds its target. ``withheld.csv``, which the study writes, lists those that covered too
rarely or were made too rarely to tell: metric, rank, protocol of the probe, kind of tree and number of species. An
interval of a sample is withheld if it is on the list for the size nearest to that of the sample. Numbers that the study
does not draw keep their intervals.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

FILE = Path(__file__).with_name("withheld.csv")
TAXONOMY, DATED = "taxonomy", "dated tree"
KEY = ["metric", "rank", "protocol", "tree"]
EMPTY = pd.DataFrame(columns=[*KEY, "n_species"])
#: Columns that an interval fills.
INTERVAL = ["ci_low", "ci_high", "band_low", "band_high"]
DIFFERENCE = "_difference"


@cache
def listed() -> pd.DataFrame:
    """Return the list: columns metric, rank, protocol (empty without a probe), tree and n_species.

    Returns
    -------
    DataFrame

    Examples
    --------
    >>> list(listed())
    ['metric', 'rank', 'protocol', 'tree', 'n_species']
    """
    return pd.read_csv(FILE, keep_default_na=False)


def nearest_size(n_species: int, sizes: Iterable[int]) -> int:
    """Return the size of the calibration study that is nearest to that of a sample, as a ratio.

    Parameters
    ----------
    n_species : int
        Of the sample.
    sizes : iterable of int

    Returns
    -------
    int

    Examples
    --------
    >>> nearest_size(240, (40, 80, 300))
    300
    """
    return min(sizes, key=lambda size: abs(np.log(size / max(n_species, 1))))


def without_withheld_intervals(
    table: pd.DataFrame, n_species: int, sizes: Iterable[int] = (40, 80, 300)
) -> pd.DataFrame:
    """Return measurements without the intervals that are on the list; their notes say so.

    Parameters
    ----------
    table : DataFrame
        A `MEASUREMENTS` table.
    n_species : int
        Species in the sample.
    sizes : iterable of int
        Numbers of species in the samples of the calibration study.

    Returns
    -------
    DataFrame
        The p-value of a difference of two encoders comes from the same error as its interval, and is empty with it.

    Examples
    --------
    >>> row = {"metric": "silhouette", "rank": "genus", "protocol": None, "tree": "taxonomy", "ci_low": 0.1}
    >>> without_withheld_intervals(pd.DataFrame([row]), n_species=1000)["ci_low"].tolist()
    [0.1]
    """
    size = nearest_size(n_species, sizes)
    own = listed()
    own = own.loc[own["n_species"] == size, KEY].drop_duplicates()
    if own.empty or table.empty:
        return table
    tree = np.where(table["tree"] == TAXONOMY, TAXONOMY, DATED)
    keys = pd.DataFrame({name: table[name].astype("object").fillna("") for name in KEY[:3]}).assign(tree=tree)
    is_listed = keys.merge(own, how="left", indicator=True)["_merge"].to_numpy() == "both"
    hidden = is_listed & table["ci_low"].notna().to_numpy()
    if not hidden.any():
        return table
    note = f"no interval: not shown to cover with about {size} species (tests/calibration)"
    table = table.copy()
    table.loc[hidden, INTERVAL] = np.nan
    table.loc[hidden, "ci_method"] = None
    table.loc[hidden, "note"] = [f"{own}; {note}" if own else note for own in table.loc[hidden, "note"].fillna("")]
    table.loc[hidden & table["metric"].str.endswith(DIFFERENCE).to_numpy(), "p_value"] = np.nan
    return table
