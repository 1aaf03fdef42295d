"""From draws to the table: rates with their binomial intervals, tests of uniformity, and verdicts."""

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
#: A verdict uses a wider interval than the printed one of 95 %, which misses by chance in five of a hundred rows.
VERDICT_LEVEL = 0.999

#: Names in the table: a reader of CSV files would take "null" for a missing value.
QUESTIONS = {"null": "type I"}
COLUMNS = {
    "question": "type I, hazard, coverage, power or order",
    "ground": "the tree",
    "design": "the simulated embeddings",
    "n": "units in a sample",
    "units": "the sampled units",
    "d": "dimensions",
    "signal": "Pagel's λ; of the better model where two are ordered",
    "than": "order: λ of the other model",
    "method": "the metric",
    "interval": "coverage: the kind of interval",
    "draws": "simulations",
    "undefined": "simulations without a p-value or an interval",
    "rate": "share with p ≤ 0.05; coverage: share that covers the target; order: share ranked correctly",
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
    """Return the exact binomial interval of a rate; it is [0, 1] without any draws."""
    if not n:
        return 0.0, 1.0
    tail = (1 - level) / 2
    low = float(beta.ppf(tail, hits, n - hits + 1)) if hits else 0.0
    high = float(beta.ppf(1 - tail, hits + 1, n - hits)) if hits < n else 1.0
    return low, high


def table(study: Iterable[tuple[Setting, int]], lines: dict[str, dict]) -> pd.DataFrame:
    """Return the table of a study, with columns `COLUMNS`, from the lines of its draws.

    Rows without draws are left out.
    """
    study = list(study)
    rows = []
    for (setting, method, name), (values, target) in _draws_by_method(chunks(study), lines).items():
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
            is_given = name.endswith(AS_GIVEN)
            row["method"] = (name if is_given else "").removesuffix(AS_GIVEN) or method.removesuffix(AS_GIVEN)
            row["interval"] = "as given" if is_given else name
            rows.append(row | _coverage_columns(values, target))
        else:
            rows.append(row | {"method": name or method} | test_columns(setting.question, values))
    rows += _order_rows(_draws_by_method(chunks(study), lines))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _draws_by_method(study_chunks: list[Chunk], lines: dict[str, dict]) -> dict[tuple, tuple[np.ndarray, float]]:
    """Return all draws of each setting, method and name, in the order of their numbers, and the target."""
    draws: dict[tuple, list] = {}
    targets: dict[tuple, float] = {}
    for chunk in study_chunks:
        line = lines.get(chunk.key)
        for name, values in (line or {"outcomes": {}})["outcomes"].items():
            key = (chunk.setting, chunk.method, name)
            draws.setdefault(key, []).extend(values)
            targets[key] = line.get("target", np.nan)
    return {key: (np.array(values, dtype=np.float64), targets[key]) for key, values in draws.items()}


def _mean(values: np.ndarray) -> float:
    """Return the mean of the values that are defined, or NaN if none is."""
    values = values[np.isfinite(values)]
    return float(values.mean()) if len(values) else np.nan


def _rate(hits: np.ndarray) -> dict:
    """Return the share of hits and its interval; all are NaN without any draws."""
    low, high = clopper_pearson(int(hits.sum()), len(hits)) if len(hits) else (np.nan, np.nan)
    return {"rate": _mean(hits), "rate_low": low, "rate_high": high}


def test_columns(question: str, values: np.ndarray) -> dict:
    """Return the columns of a test from its p-values and values, shape (draws, 2)."""
    p, value = values.T
    defined = p[np.isfinite(p)]
    row = {"undefined": len(p) - len(defined), "mean": _mean(value)} | _rate(defined <= ALPHA + 1e-12)
    if question in ("null", "hazard"):
        row["ks_p"] = float(kstest(defined, "uniform").pvalue) if len(defined) else np.nan
        row["verdict"] = null_verdict(defined)
    return row


def null_verdict(p: np.ndarray) -> str:
    """Return the verdict about p-values of a design without signal."""
    if not len(p):
        return "undefined, as it should be"
    low, high = clopper_pearson(int(np.sum(p <= ALPHA + 1e-12)), len(p), VERDICT_LEVEL)
    if low > ALPHA or kstest(p, "uniform", alternative="greater").pvalue < 1 - VERDICT_LEVEL:
        return "rejects too often"
    return "holds" if high >= ALPHA and kstest(p, "uniform").pvalue >= 1 - VERDICT_LEVEL else "rejects too rarely"


def _coverage_columns(ends: np.ndarray, target: float) -> dict:
    """Return the columns of an interval from its ends and values, shape (draws, 3)."""
    defined = ends[np.isfinite(ends).all(axis=1)]
    low, high, value = defined.T
    target = _mean(ends[:, 2]) if np.isnan(target) else target
    hits = (low <= target) & (target <= high)
    lowest, highest = clopper_pearson(int(hits.sum()), len(hits), VERDICT_LEVEL)
    verdict = "covers too rarely" if highest < LEVEL else "covers too often" if lowest > LEVEL else "holds"
    return _rate(hits) | {
        "undefined": len(ends) - len(defined),
        "mean": _mean(value),
        "target": target,
        "below": _mean(high < target),
        "above": _mean(low > target),
        "width": _mean(high - low),
        "verdict": verdict,
    }


def _order_rows(draws: dict[tuple, tuple[np.ndarray, float]]) -> Iterator[dict]:
    """Yield how often the model with the higher of two neighbouring λ has the higher value on the same species."""
    powers = {
        key: values[:, 1]
        for key, (values, _) in draws.items()
        if key[0].question == "power" and key[1] != "CPCC within orders"  # its value is that of CPCC
    }
    for (setting, *method), values in powers.items():
        higher = [
            (other, theirs)
            for (other, *name), theirs in powers.items()
            if name == method and other.sampling == setting.sampling and other.signal > setting.signal
        ]
        if not higher:
            continue
        other, theirs = min(higher, key=lambda candidate: candidate[0].signal)
        n = min(len(values), len(theirs))
        correct = theirs[:n] > values[:n]
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
        } | _rate(correct)
