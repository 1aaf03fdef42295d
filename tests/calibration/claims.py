"""Claims about numbers whose truth is known, and their verdicts from a few draws.

A draw is one call of the public command, and gives one row for each number. A claim is about one number: it selects
the row of each draw, and judges all of them together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import nan

import numpy as np
import pandas as pd

from tests.calibration.verdicts import LEVEL, VERDICT_LEVEL, clopper_pearson, null_verdict

#: The truth of a number whose chance level is the truth.
CHANCE = "chance"
#: A difference is told apart if the interval leaves out 0 in this share of draws or more.
OFTEN = 0.8
HOLDS, FAILS, OPEN, MISSING, UNDEFINED = "holds", "fails", "open", "missing", "undefined"
SHOWN, NO_INTERVAL = "described", "no interval"
#: Standard errors by which a mean must be off before a claim fails.
ERRORS = 3.0


@dataclass(frozen=True)
class Number:
    """One number of a table of measurements; an empty field stands for a missing one."""

    metric: str
    rank: str = "species"
    tree: str = "taxonomy"
    encoder: str = ""
    encoder_b: str = ""
    protocol: str = ""

    def rows(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of the number, one for each draw; an empty `encoder` stands for the first of a draw."""
        rows = table[
            (table["metric"] == self.metric)
            & (table["rank"] == self.rank)
            & (table["tree"] == self.tree)
            & (table["encoder_b"] == self.encoder_b)
            & (table["protocol"] == self.protocol)
        ]
        if self.encoder:
            rows = rows[rows["encoder"] == self.encoder]
        return rows.drop_duplicates(["truth", "draw"])


@dataclass(frozen=True)
class Claim:
    """A claim about one number.

    Attributes
    ----------
    number : Number
    kind : str
        Name in `KINDS`.
    truth : float or ``"chance"``
        The known value.
    tolerance : float
        How far a mean may be off.
    primary : str
        Name of the primary endpoint; empty if the number is none.
    """

    number: Number
    kind: str
    truth: float | str = nan
    tolerance: float = nan
    primary: str = ""

    def judge(self, table: pd.DataFrame) -> dict:
        """Return the columns of the claim, with its verdict."""
        rows = self.number.rows(table)
        words, judged = KINDS[self.kind]
        defined = rows[rows["value"].notna()]
        columns = {
            "models": " less ".join(filter(None, (self.number.encoder, self.number.encoder_b))),
            "tree": self.number.tree,
            "metric": self.number.metric,
            "rank": self.number.rank,
            "protocol": self.number.protocol,
            "primary": self.primary,
            "claim": words.format(truth=self.truth, tolerance=self.tolerance),
            "draws": len(rows),
            "mean": defined["value"].mean(),
            "sd": defined["value"].std(),
            "chance": defined["chance"].mean(),
        }
        if not len(defined):
            return {**columns, "verdict": f"{UNDEFINED}: {rows['note'].iloc[0]}" if len(rows) else MISSING}
        return columns | judged(self, defined)


def _truths(claim: Claim, rows: pd.DataFrame) -> pd.Series:
    """Return the truth of each row."""
    return rows["chance"] if claim.truth == CHANCE else pd.Series(float(claim.truth), index=rows.index)


def interval_holds(claim: Claim, rows: pd.DataFrame) -> dict:
    """Judge how often the interval holds the truth: it fails if that is surely rarer than nominal."""
    shown = rows[rows["ci_low"].notna()]
    if not len(shown):
        return {"verdict": f"{NO_INTERVAL}: {rows['note'].iloc[0]}"}
    truth = _truths(claim, shown)
    holds = (shown["ci_low"] - 1e-9 <= truth) & (truth <= shown["ci_high"] + 1e-9)
    possible = clopper_pearson(int(holds.sum()), len(holds), VERDICT_LEVEL)[1]
    return {"share": holds.mean(), "n_shown": len(shown), "verdict": HOLDS if possible >= LEVEL else FAILS}


def mean_is(claim: Claim, rows: pd.DataFrame) -> dict:
    """Judge whether the mean lies within the tolerance of the truth, as far as the draws can tell."""
    off = rows["value"] - _truths(claim, rows)
    error = ERRORS * off.std(ddof=1) / np.sqrt(len(off)) if len(off) > 1 else np.inf
    mean = abs(off.mean())
    if mean <= claim.tolerance:
        return {"off": off.mean(), "verdict": HOLDS}
    return {"off": off.mean(), "verdict": FAILS if mean - error > claim.tolerance else OPEN}


def mean_is_below(claim: Claim, rows: pd.DataFrame) -> dict:
    """Judge whether the mean is at most the truth."""
    return {"verdict": HOLDS if rows["value"].mean() <= float(claim.truth) else FAILS}


def mean_is_above(claim: Claim, rows: pd.DataFrame) -> dict:
    """Judge whether the mean is at least the truth."""
    return {"verdict": HOLDS if rows["value"].mean() >= float(claim.truth) else FAILS}


def p_is_uniform(claim: Claim, rows: pd.DataFrame) -> dict:
    """Judge whether small p-values are not too frequent; without any p-value there is nothing to mislead."""
    p = rows["p_value"].dropna().to_numpy()
    if not len(p):
        return {"verdict": "no p"}
    verdict = null_verdict(p)
    return {
        "share": np.mean(p <= 0.05),
        "n_shown": len(p),
        "verdict": FAILS if verdict == "rejects too often" else HOLDS,
    }


def p_is_small(claim: Claim, rows: pd.DataFrame) -> dict:
    """Describe how often p is small, where it is no error and may be misread."""
    p = rows["p_value"].dropna()
    return {"share": (p <= 0.05).mean() if len(p) else nan, "n_shown": len(p), "verdict": SHOWN}


def told_apart(claim: Claim, rows: pd.DataFrame) -> dict:
    """Judge whether the interval of a difference that exists leaves out 0 in most draws."""
    shown = rows[rows["ci_low"].notna()]
    if not len(shown):
        return {"verdict": NO_INTERVAL}
    apart = (shown["ci_low"] > 0) | (shown["ci_high"] < 0)
    possible = clopper_pearson(int(apart.sum()), len(apart), VERDICT_LEVEL)[1]
    return {"share": apart.mean(), "n_shown": len(shown), "verdict": HOLDS if possible >= OFTEN else FAILS}


def described(claim: Claim, rows: pd.DataFrame) -> dict:
    """Give the number without a verdict."""
    return {"verdict": SHOWN}


#: The words of each kind of claim, and its judge.
KINDS: dict[str, tuple[str, Callable[[Claim, pd.DataFrame], dict]]] = {
    "interval": ("the interval holds {truth}", interval_holds),
    "mean": ("{truth} on average, within {tolerance}", mean_is),
    "below": ("at most {truth} on average", mean_is_below),
    "above": ("at least {truth} on average", mean_is_above),
    "uniform": ("small p-values are not too frequent", p_is_uniform),
    "p": ("share of p ≤ 0.05", p_is_small),
    "apart": ("the difference is told apart from 0", told_apart),
    "value": ("described", described),
}
COLUMNS = (
    "truth", "models", "tree", "metric", "rank", "protocol", "primary", "claim", "draws", "mean", "sd", "chance",
    "off", "share", "n_shown", "verdict",
)  # fmt: skip
