"""Places of models: ranges that the paired differences allow."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_rel

from bioclip_probe.study.families import with_adjusted_p
from bioclip_probe.study.ranking import COLUMNS, model_places
from bioclip_probe.tables import MEASUREMENTS

COMMON = {"space": "raw", "tree": "taxonomy", "split": "all", "rank": "species", "simulated": False}


def study_of(values: dict[str, float], p_of_pairs: dict[tuple[str, str], float]) -> pd.DataFrame:
    """Return CPCC of some models and the p-values of their differences, adjusted."""
    rows = [{**COMMON, "metric": "cophenetic_correlation", "encoder": name, "value": value, "p_value": 0.001}
            for name, value in values.items()]  # fmt: skip
    rows += [
        {**COMMON, "metric": "cophenetic_correlation_difference", "encoder": a, "encoder_b": b,
         "value": values[a] - values[b], "p_value": p}
        for (a, b), p in p_of_pairs.items()
    ]  # fmt: skip
    return with_adjusted_p(MEASUREMENTS.frame(rows), ["pixels"])


def places(table: pd.DataFrame) -> dict[str, str]:
    return model_places(table, ["pixels"]).set_index("encoder")["place"].to_dict()


def test_models_that_are_not_told_apart_share_places():
    values = {"clip": 0.2, "bioclip": 0.6, "inat": 0.25, "pixels": 0.1}
    pairs = {("clip", "bioclip"): 0.001, ("bioclip", "inat"): 0.002, ("clip", "inat"): 0.4, ("bioclip", "pixels"): 1e-9}
    found = model_places(study_of(values, pairs), ["pixels"])
    assert list(found.columns) == list(COLUMNS)
    assert found["encoder"].tolist() == ["bioclip", "inat", "clip"], "best first, without the control"
    assert found["place"].tolist() == ["1", "2–3", "2–3"]
    assert set(found["endpoint"]) == {"CPCC"}


def test_the_order_of_a_pair_does_not_matter():
    values = {"a": 0.1, "b": 0.5, "c": 0.9}
    names = list(itertools.combinations(values, 2))
    one = places(study_of(values, dict.fromkeys(names, 0.001)))
    other = places(study_of(values, dict.fromkeys([pair[::-1] for pair in names], 0.001)))
    assert one == other == {"c": "1", "b": "2", "a": "3"}


def test_a_place_needs_an_adjusted_p():
    values = {"a": 0.1, "b": 0.5, "c": 0.9}
    assert set(places(study_of(values, dict.fromkeys(itertools.combinations(values, 2), 0.03))).values()) == {"1–3"}
    assert set(places(study_of(values, {})).values()) == {"1–3"}, "no difference was tested"


def test_an_undefined_number_has_no_place():
    found = places(study_of({"a": 0.1, "b": np.nan, "c": 0.9}, {("a", "c"): 0.01}))
    assert found == {"c": "1", "a": "2", "b": "–"}


def test_without_measurements_there_are_no_rows():
    assert model_places(MEASUREMENTS.frame()).empty


@pytest.mark.slow
@pytest.mark.parametrize("gap", [0.0, 1.0])
def test_the_ranges_hold_the_true_places(gap):
    """Five models, thirty species: all ranges at once hold the true places in at least 95 % of draws."""
    random, names, held = np.random.default_rng(0), [*"abcde"], []
    for _ in range(50):
        scores = random.standard_normal((5, 30)) + gap * np.arange(5)[:, None] + random.standard_normal(30)
        pairs = {
            (names[i], names[j]): ttest_rel(scores[i], scores[j]).pvalue for i, j in itertools.combinations(range(5), 2)
        }
        found = places(study_of(dict(zip(names, scores.mean(axis=1), strict=True)), pairs))
        ends = [(int(found[name].split("–")[0]), int(found[name].split("–")[-1])) for name in names]
        true = [(1, 5)] * 5 if gap == 0 else [(5 - i, 5 - i) for i in range(5)]
        held.append(all(low <= a and b <= high for (low, high), (a, b) in zip(ends, true, strict=True)))
    assert np.mean(held) >= 0.9
