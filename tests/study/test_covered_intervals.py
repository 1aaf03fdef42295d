"""Intervals are shown where the calibration study found that they cover, and nowhere else."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bioclip_probe.metrics.registry import REGISTRY
from bioclip_probe.probes import PROTOCOLS
from bioclip_probe.study import covered_intervals
from bioclip_probe.tables import MEASUREMENTS, RANKS


@pytest.fixture
def listed(monkeypatch):
    """A list of four intervals, three of them of probes, one of a difference."""
    rows = [
        ("lca_auc", "species", "", "taxonomy", 80),
        ("top1_accuracy", "genus", "seen", "taxonomy", 80),
        ("top1_accuracy", "order", "few-shot", "taxonomy", 80),
        ("silhouette_difference", "genus", "", "dated tree", 40),
    ]
    monkeypatch.setattr(covered_intervals, "listed", lambda: pd.DataFrame(rows, columns=covered_intervals.COLUMNS))


def measurements(**columns: object) -> pd.DataFrame:
    """One measurement with an interval and a p-value."""
    row = {"metric": "lca_auc", "rank": "species", "tree": "taxonomy", "value": 0.6, "p_value": 0.01, "note": "n = 4"}
    ends = {"ci_low": 0.5, "ci_high": 0.7, "ci_method": "jackknife", "band_low": 0.4, "band_high": 0.8}
    return MEASUREMENTS.frame([{**row, **ends, **columns}])


def shown(table: pd.DataFrame, n_species: int) -> bool:
    return bool(covered_intervals.without_others(table, n_species)["ci_low"].notna().all())


def test_an_interval_that_is_not_listed_is_empty_and_its_note_says_why(listed):
    row = covered_intervals.without_others(measurements(metric="panel_purity"), 100).iloc[0]
    assert np.isnan(row[["ci_low", "ci_high", "band_low", "band_high"]].to_numpy(dtype=float)).all()
    assert pd.isna(row["ci_method"]) and row["value"] == 0.6 and row["p_value"] == 0.01
    assert row["note"].startswith("n = 4; no interval: not shown to cover with about 80 species")


def test_the_list_is_read_at_the_nearest_size(listed):
    found = [shown(measurements(), n) for n in (3, 56, 57, 154, 155, 10_000)]
    assert found == [False, False, True, True, False, False]


@pytest.mark.parametrize(
    "other", [{"rank": "genus"}, {"metric": "silhouette"}, {"tree": "mammals"}, {"protocol": "seen"}]
)
def test_another_number_is_not_that_on_the_list(listed, other):
    assert shown(measurements(), 80) and not shown(measurements(**other), 80)


def test_a_probe_has_the_interval_of_its_kind_of_protocol(listed):
    score = {"metric": "top1_accuracy", "rank": "genus"}
    assert shown(measurements(**score, protocol="seen"), 80)
    assert not shown(measurements(**score, protocol="unseen"), 80)
    assert not shown(measurements(**score, protocol="seen", shots=1), 80)
    assert shown(measurements(metric="top1_accuracy", rank="order", protocol="seen", shots=1), 80)
    assert shown(measurements(metric="top1_accuracy", rank="order", protocol="corrected"), 80)


def test_the_p_value_of_a_difference_goes_with_its_interval(listed):
    difference = {"metric": "silhouette_difference", "rank": "genus", "tree": "mammals"}
    kept = covered_intervals.without_others(measurements(**difference), 40).iloc[0]
    row = covered_intervals.without_others(measurements(**difference), 300).iloc[0]
    assert np.isnan(row["p_value"]) and np.isnan(row["ci_low"])
    assert kept["p_value"] == 0.01 and kept["ci_low"] == 0.5


def test_a_table_without_intervals_stays_as_it_is(listed):
    table = measurements(metric="panel_purity", ci_low=np.nan)
    assert covered_intervals.without_others(table, 80) is table


def test_the_list_names_what_there_is():
    table = covered_intervals.listed()
    assert list(table) == covered_intervals.COLUMNS
    assert set(table["metric"]) <= set(REGISTRY) and set(table["rank"]) <= {"", "root", *RANKS}
    assert set(table["protocol"]) <= {"", *PROTOCOLS, covered_intervals.FEW_SHOT, covered_intervals.NAMES}
    assert set(table["tree"]) == {covered_intervals.TAXONOMY, covered_intervals.DATED}
    assert not table.duplicated().any()
