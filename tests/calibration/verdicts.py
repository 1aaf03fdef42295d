"""From draws to the table: rates with their binomial intervals, uniformity, and what holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd
from scipy.stats import beta, kstest

from tests.calibration.draws import Chunk, chunks
from tests.calibration.methods import AS_GIVEN
from tests.calibration.plan import Setting

ALPHA = 0.05
LEVEL = 0.95
#: A verdict needs more than the 95 % interval that is printed: among a hundred rows five of those miss by chance.
SURE = 0.999

#: As the table has them: readers of csv take "null" for a missing value.
QUESTIONS = {"null": "type I"}
COLUMNS = {
    "question": "type I, hazard, coverage, power or order",
    "ground": "the tree",
    "design": "what was simulated",
    "n": "units in a sample",
    "units": "what was sampled as a whole",
    "d": "dimensions",
    "signal": "Pagel's λ; of the better model where two are ordered",
    "than": "order: λ of the other model",
    "method": "the metric",
    "interval": "coverage: how the interval was made",
    "draws": "simulations",
    "undefined": "those of them without a p or an interval",
    "rate": "share with p ≤ 0.05; coverage: share that hold the target; order: share ranked right",
    "rate_low": "Clopper–Pearson, 95 %",
    "rate_high": "",
    "ks_p": "type I, hazard: Kolmogorov–Smirnov test that p is uniform",
    "mean": "mean of the metric",
    "target": "coverage: the value in the whole population; its mean over the samples for the intervals as given",
    "below": "coverage: share of intervals that lie below the target",
    "above": "coverage: share of intervals that lie above the target",
    "width": "coverage: mean width",
    "verdict": "holds, or how it fails with 99.9 % confidence",
}


def clopper_pearson(hits: int, n: int, level: float = LEVEL) -> tuple[float, float]:
    """The exact binomial interval of a rate; the whole of [0, 1] where there are no draws."""
    if not n:
        return 0.0, 1.0
    tail = (1 - level) / 2
    low = float(beta.ppf(tail, hits, n - hits + 1)) if hits else 0.0
    high = float(beta.ppf(1 - tail, hits + 1, n - hits)) if hits < n else 1.0
    return low, high


def table(study: Iterable[tuple[Setting, int]], lines: dict[str, dict]) -> pd.DataFrame:
    """The rows of a study from the lines of its store, columns `COLUMNS`; what has no draws yet is left out."""
    study = list(study)
    rows = []
    for (setting, method, name), (values, goal) in _gathered(chunks(study), lines).items():
        row = {
            "question": QUESTIONS.get(setting.question, setting.question),
            "ground": setting.ground,
            "design": setting.design,
            "n": setting.n,
            "units": setting.units,
            "d": setting.d,
            "signal": setting.signal,
            "draws": len(values),
        }
        if setting.question == "coverage":
            given = name.endswith(AS_GIVEN)
            row["method"] = (name if given else "").removesuffix(AS_GIVEN) or method.removesuffix(AS_GIVEN)
            row["interval"] = "as given" if given else name
            rows.append(row | _coverage(values, goal))
        else:
            rows.append(row | {"method": name or method} | _test(setting.question, values))
    rows += _orders(_gathered(chunks(study), lines))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _gathered(parts: list[Chunk], lines: dict[str, dict]) -> dict[tuple, tuple[np.ndarray, float]]:
    """All draws of each setting, method and name, in the order of their numbers, and the target."""
    found: dict[tuple, list] = {}
    goals: dict[tuple, float] = {}
    for part in parts:
        line = lines.get(part.key)
        for name, values in (line or {"outcomes": {}})["outcomes"].items():
            key = (part.setting, part.method, name)
            found.setdefault(key, []).extend(values)
            goals[key] = line.get("target", np.nan)
    return {key: (np.array(values, dtype=np.float64), goals[key]) for key, values in found.items()}


def _mean(values: np.ndarray) -> float:
    """Of those that are defined; NaN if none is."""
    values = values[np.isfinite(values)]
    return float(values.mean()) if len(values) else np.nan


def _rate(hits: np.ndarray) -> dict:
    """The share of hits and its interval; nothing is known where nothing is defined."""
    low, high = clopper_pearson(int(hits.sum()), len(hits)) if len(hits) else (np.nan, np.nan)
    return {"rate": _mean(hits), "rate_low": low, "rate_high": high}


def _test(question: str, values: np.ndarray) -> dict:
    p, value = values.T
    defined = p[np.isfinite(p)]
    row = {"undefined": len(p) - len(defined), "mean": _mean(value)} | _rate(defined <= ALPHA + 1e-12)
    if question in ("null", "hazard"):
        row["ks_p"] = float(kstest(defined, "uniform").pvalue) if len(defined) else np.nan
        row["verdict"] = _null_verdict(defined, row["ks_p"])
    return row


def _null_verdict(p: np.ndarray, ks_p: float) -> str:
    if not len(p):
        return "undefined, as it should be"
    low, high = clopper_pearson(int(np.sum(p <= ALPHA + 1e-12)), len(p), SURE)
    if low > ALPHA or kstest(p, "uniform", alternative="greater").pvalue < 1 - SURE:
        return "rejects too often"
    return "holds" if high >= ALPHA and ks_p >= 1 - SURE else "rejects too rarely"


def _coverage(ends: np.ndarray, goal: float) -> dict:
    defined = ends[np.isfinite(ends).all(axis=1)]
    low, high, value = defined.T
    goal = _mean(ends[:, 2]) if np.isnan(goal) else goal
    hits = (low <= goal) & (goal <= high)
    least, most = clopper_pearson(int(hits.sum()), len(hits), SURE)
    verdict = "covers too rarely" if most < LEVEL else "covers too often" if least > LEVEL else "holds"
    return _rate(hits) | {
        "undefined": len(ends) - len(defined),
        "mean": _mean(value),
        "target": goal,
        "below": _mean(high < goal),
        "above": _mean(low > goal),
        "width": _mean(high - low),
        "verdict": verdict,
    }


def _orders(gathered: dict[tuple, tuple[np.ndarray, float]]) -> Iterator[dict]:
    """How often the model of the higher λ, of two neighbouring ones, has the higher value on the same species."""
    powers = {
        key: values[:, 1]
        for key, (values, _) in gathered.items()
        if key[0].question == "power" and key[1] != "CPCC within orders"  # whose value is that of CPCC
    }
    for (setting, *method), values in powers.items():
        higher = [
            (other, theirs)
            for (other, *name), theirs in powers.items()
            if name == method and other.sampling == setting.sampling and other.signal > setting.signal
        ]
        if not higher:
            continue
        other, theirs = min(higher, key=lambda found: found[0].signal)
        n = min(len(values), len(theirs))
        right = theirs[:n] > values[:n]
        yield {
            "question": "order",
            "ground": setting.ground,
            "design": setting.design,
            "n": setting.n,
            "units": setting.units,
            "d": setting.d,
            "signal": other.signal,
            "than": setting.signal,
            "method": method[1] or method[0],
            "draws": n,
            "undefined": 0,
            "mean": float(np.mean(theirs[:n] - values[:n])),
        } | _rate(right)
