"""The intervals that are shown: those of which the calibration study found that they cover.

The study (``python -m tests.calibration coverage``) draws samples of species from a known population, and counts how
often each interval of 95 % holds its target. ``covered_intervals.csv``, which the study writes, lists the intervals
that hold it often enough: metric, rank, kind of protocol, kind of tree and number of species. An interval of a sample
is shown if it is on the list for the size nearest to that of the sample. All others are empty, and a note says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from bioclip_probe.extraction.prompts import TEXT_TYPES
from bioclip_probe.probes.settings import MODES

FILE = Path(__file__).with_name("covered_intervals.csv")
TAXONOMY, DATED = "taxonomy", "dated tree"
#: Kinds of protocols beside those of the probes that learn from all images.
FEW_SHOT, NAMES = "few-shot", "names"
KEY = ["metric", "rank", "protocol", "tree"]
COLUMNS = [*KEY, "n_species"]
#: Columns that an interval fills.
INTERVAL = ["ci_low", "ci_high", "band_low", "band_high"]
DIFFERENCE = "_difference"


@cache
def listed() -> pd.DataFrame:
    """Return the list: columns metric, rank, protocol (empty without one), tree and n_species.

    Returns
    -------
    DataFrame

    Examples
    --------
    >>> list(listed())
    ['metric', 'rank', 'protocol', 'tree', 'n_species']
    """
    return pd.read_csv(FILE, keep_default_na=False)


def protocols(table: pd.DataFrame) -> np.ndarray:
    """Return the kind of protocol of each measurement, as in the list.

    Parameters
    ----------
    table : DataFrame
        A `MEASUREMENTS` table.

    Returns
    -------
    ndarray, shape (n,), of str
        ``few-shot`` where a probe learns from some images of each taxon, ``names`` where names of taxa are compared
        with images or with each other, else the protocol; empty without one.

    Examples
    --------
    >>> protocols(pd.DataFrame({"protocol": ["seen", "seen", "taxonomic", None], "shots": [None, 1, None, None]}))
    array(['seen', 'few-shot', 'names', ''], dtype=object)
    """
    protocol = table["protocol"].astype(object).where(table["protocol"].notna(), "")
    few = table["shots"].notna().to_numpy() | protocol.isin(MODES).to_numpy()
    return np.where(few, FEW_SHOT, protocol.where(~protocol.isin(TEXT_TYPES), NAMES)).astype(object)


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


def without_others(table: pd.DataFrame, n_species: int, sizes: Iterable[int] = (40, 80, 300)) -> pd.DataFrame:
    """Return measurements without the intervals that are not on the list; their notes say so.

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
    >>> row = {"metric": "made_up", "rank": "genus", "protocol": None, "shots": None, "tree": "taxonomy", "note": None}
    >>> row |= {"p_value": 0.2, "ci_method": "jackknife", "ci_high": 0.3} | dict.fromkeys(INTERVAL, 0.1)
    >>> without_others(pd.DataFrame([row]), n_species=1000)["note"].tolist()
    ['no interval: not shown to cover with about 300 species (tests/calibration)']
    """
    has_interval = table["ci_low"].notna().to_numpy()
    if not has_interval.any():
        return table
    size = nearest_size(n_species, sizes)
    own = listed()
    own = own.loc[own["n_species"] == size, KEY].drop_duplicates()
    keys = pd.DataFrame({name: table[name].astype(object).fillna("") for name in ("metric", "rank")})
    keys = keys.assign(protocol=protocols(table), tree=np.where(table["tree"] == TAXONOMY, TAXONOMY, DATED))
    is_listed = keys.astype(str).merge(own.astype(str), how="left", indicator=True)["_merge"].to_numpy() == "both"
    hidden = has_interval & ~is_listed
    if not hidden.any():
        return table
    note = f"no interval: not shown to cover with about {size} species (tests/calibration)"
    table = table.copy()
    table.loc[hidden, INTERVAL] = np.nan
    table.loc[hidden, "ci_method"] = None
    table.loc[hidden, "note"] = [f"{own}; {note}" if own else note for own in table.loc[hidden, "note"].fillna("")]
    table.loc[hidden & table["metric"].str.endswith(DIFFERENCE).to_numpy(), "p_value"] = np.nan
    return table
