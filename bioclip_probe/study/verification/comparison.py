"""The comparison of stored tables with recomputed tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bioclip_probe.errors import printable
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.study.families import DIFFERENCES_FAMILY, PRIMARY_FAMILY
from bioclip_probe.study.results import KEYS

#: Columns of measurements that must be equal up to rounding, and columns that must be equal.
ROUNDED = ("value", "chance", "ci_low", "ci_high", "band_low", "band_high")
COUNTS = ("n_images", "n_taxa", "n_units", "n_excluded")
#: The most lines about one table.
MOST_LINES = 30


@dataclass(frozen=True)
class Rounding:
    """The differences that equal numbers may have.

    Attributes
    ----------
    rounding : float
        The largest absolute difference, to which the same share of the number is added.
    n_permutations, n_primary_permutations : int
        Of the study. A p-value may differ by one permutation, since two nearly equal numbers may change places.

    Examples
    --------
    >>> Rounding.of(MeasureSettings(), 1e-5).n_permutations
    999
    """

    rounding: float
    n_permutations: int
    n_primary_permutations: int

    @classmethod
    def of(cls, settings: MeasureSettings, rounding: float) -> Rounding:
        """Return the rounding that is allowed in a study with some settings."""
        return cls(rounding, settings.n_permutations, settings.n_primary_permutations)

    def of_p(self, families: pd.Series) -> np.ndarray:
        """Return the difference that each p-value may have, by its family."""
        primary = families.astype("str").str.startswith((PRIMARY_FAMILY, DIFFERENCES_FAMILY)).fillna(False)
        permutations = np.where(primary.to_numpy(bool), self.n_primary_permutations, self.n_permutations)
        return self.rounding + 1 / (permutations + 1)


def measurement_failures(stored: pd.DataFrame, computed: pd.DataFrame, rounding: Rounding) -> list[str]:
    """Return a line for each difference between stored and recomputed measurements.

    Parameters
    ----------
    stored, computed : DataFrame
        `MEASUREMENTS` tables of the same numbers.
    rounding : Rounding

    Returns
    -------
    list of str
        The lines name the number, the column, and both values. Numbers that only one table has are named too.

    Examples
    --------
    >>> from bioclip_probe.tables import MEASUREMENTS
    >>> row = {"encoder": "clip", "simulated": False, "metric": "silhouette", "rank": "family", "value": 0.25}
    >>> stored, computed = MEASUREMENTS.frame([row]), MEASUREMENTS.frame([{**row, "value": 0.5}])
    >>> measurement_failures(stored, computed, Rounding(1e-5, 999, 9999))
    ['silhouette of clip, family: value is 0.25, recomputed 0.5']
    """
    keys = KEYS["measurements"]
    both = stored.merge(computed, on=keys, how="outer", suffixes=("", "_anew"), indicator=True)
    lines = [f"{_name(row)}: {_ONE_SIDED[str(row['_merge'])]}" for row in _rows(both[both["_merge"] != "both"])]
    both = both[both["_merge"] == "both"]
    allowed = rounding.of_p(both["p_family"])
    for column in (*ROUNDED, "p_value", *COUNTS):
        old, new = (both[name].to_numpy("float64", na_value=np.nan) for name in (column, f"{column}_anew"))
        most = np.zeros(len(both)) if column in COUNTS else rounding.rounding * (1 + np.abs(old))
        most = allowed if column == "p_value" else most
        with np.errstate(invalid="ignore"):
            unequal = (np.isnan(old) != np.isnan(new)) | (np.abs(old - new) > most)
        for row, a, b in zip(_rows(both[unequal]), old[unequal], new[unequal], strict=True):
            lines.append(f"{_name(row)}: {column} is {a:.9g}, recomputed {b:.9g}")
    return cut(lines, "numbers")


def prediction_failures(stored: pd.DataFrame, computed: pd.DataFrame, rounding: float) -> list[str]:
    """Return a line for each probe whose stored and recomputed predictions differ.

    Parameters
    ----------
    stored, computed : DataFrame
        `PREDICTIONS` tables of the same answers.
    rounding : float
        Largest difference of equal confidences.

    Returns
    -------
    list of str

    Examples
    --------
    >>> from bioclip_probe.tables import PREDICTIONS
    >>> row = {"encoder": "clip", "probe": "linear", "protocol": "seen", "image_id": "a", "predicted": "Aves"}
    >>> prediction_failures(PREDICTIONS.frame([row]), PREDICTIONS.frame([{**row, "predicted": "Mammalia"}]), 1e-5)
    ['predictions of clip, linear, seen: 1 of 1 answers differ']
    """
    texts = ("predicted", "truth", "split", "chosen")
    both = _plain(stored).merge(
        _plain(computed), on=KEYS["predictions"], how="outer", suffixes=("", "_anew"), indicator=True
    )
    unequal = (both["_merge"] != "both").to_numpy(bool, copy=True)
    for column in texts:
        unequal |= (both[column].fillna("") != both[f"{column}_anew"].fillna("")).to_numpy(bool)
    for column, most in (("place", 0.0), ("confidence", max(rounding, 1e-4))):
        old, new = (both[name].to_numpy("float64", na_value=np.nan) for name in (column, f"{column}_anew"))
        with np.errstate(invalid="ignore"):
            unequal |= (np.isnan(old) != np.isnan(new)) | (np.abs(old - new) > most)
    groups = both.assign(unequal=unequal).groupby(["encoder", "probe", "protocol"], sort=True)["unequal"]
    return cut(
        [
            f"predictions of {printable(', '.join(map(str, name)))}: {int(own.sum()):,} of {len(own):,} answers differ"
            for name, own in groups
            if own.any()
        ],
        "probes",
    )


def cut(lines: Sequence[str], what: str) -> list[str]:
    """Return the first lines of many, and a line that counts the others.

    Examples
    --------
    >>> cut(["a"] * 32, "numbers")[-1]
    'and 2 more numbers'
    """
    more = [f"and {len(lines) - MOST_LINES:,} more {what}"] if len(lines) > MOST_LINES else []
    return [*lines[:MOST_LINES], *more]


_ONE_SIDED = {"left_only": "stored, but not recomputed", "right_only": "recomputed, but not in the folder"}


def _rows(table: pd.DataFrame) -> Iterator[dict]:
    """Yield the first rows of a table."""
    yield from table.to_dict("records")


def _name(row: dict) -> str:
    """Return the name of a number for a reader."""
    encoders = " and ".join(str(row[key]) for key in ("encoder", "encoder_b") if not pd.isna(row[key]))
    where = ("rank", "taxon", "tree", "space", "split", "column", "probe", "protocol", "shots")
    usual = {("tree", "taxonomy"), ("space", "raw"), ("split", "all")}
    parts = [str(row[key]) for key in where if not pd.isna(row[key]) and (key, row[key]) not in usual]
    return printable(f"{row['metric']} of {', '.join([encoders, *parts])}")


def _plain(table: pd.DataFrame) -> pd.DataFrame:
    """Return predictions with text in place of categories."""
    names = table.select_dtypes("category").columns
    return table.assign(**{name: table[name].astype("str") for name in names})
