"""Intervals that cover too rarely are not shown, and only those."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bioclip_probe.metrics.registry import REGISTRY
from bioclip_probe.probes import PROTOCOLS
from bioclip_probe.study import withheld
from bioclip_probe.tables import MEASUREMENTS, RANKS


@pytest.fixture
def listed(monkeypatch):
    """A list of three intervals, one of them of a probe, one of a difference."""
    rows = [("lca_auc", "species", "", "taxonomy", 80), ("top1_accuracy", "genus", "seen", "taxonomy", 80)]
    table = pd.DataFrame(
        [*rows, ("silhouette_difference", "genus", "", "dated tree", 40)], columns=list(withheld.EMPTY)
    )
    monkeypatch.setattr(withheld, "listed", lambda: table)


def measurements(**columns: object) -> pd.DataFrame:
    """One measurement with an interval and a p-value."""
    row = {"metric": "lca_auc", "rank": "species", "tree": "taxonomy", "value": 0.6, "p_value": 0.01, "note": "n = 4"}
    ends = {"ci_low": 0.5, "ci_high": 0.7, "ci_method": "jackknife", "band_low": 0.4, "band_high": 0.8}
    return MEASUREMENTS.frame([{**row, **ends, **columns}])


def shown(table: pd.DataFrame, n_species: int) -> bool:
    return bool(withheld.without_withheld_intervals(table, n_species)["ci_low"].notna().all())


def test_an_interval_on_the_list_is_empty_and_its_note_says_why(listed):
    row = withheld.without_withheld_intervals(measurements(), 100).iloc[0]
    assert np.isnan(row[["ci_low", "ci_high", "band_low", "band_high"]].to_numpy(dtype=float)).all()
    assert pd.isna(row["ci_method"]) and row["value"] == 0.6 and row["p_value"] == 0.01
    assert row["note"].startswith("n = 4; no interval: not shown to cover with about 80 species")


def test_the_list_is_read_at_the_nearest_size(listed):
    assert [shown(measurements(), n) for n in (3, 56, 57, 154, 155, 10_000)] == [True, True, False, False, True, True]


@pytest.mark.parametrize(
    "other", [{"rank": "genus"}, {"metric": "silhouette"}, {"tree": "mammals"}, {"protocol": "seen"}]
)
def test_other_intervals_stay(listed, other):
    assert shown(measurements(**other), 80)


def test_a_probe_has_the_interval_of_its_protocol(listed):
    score = {"metric": "top1_accuracy", "rank": "genus"}
    assert not shown(measurements(**score, protocol="seen"), 80)
    assert shown(measurements(**score, protocol="unseen"), 80)


def test_the_p_value_of_a_difference_goes_with_its_interval(listed):
    difference = measurements(metric="silhouette_difference", rank="genus", tree="mammals")
    row = withheld.without_withheld_intervals(difference, 40).iloc[0]
    assert np.isnan(row["p_value"]) and np.isnan(row["ci_low"])


def test_the_list_names_what_there_is():
    table = withheld.listed()
    assert list(table) == list(withheld.EMPTY)
    assert set(table["metric"]) <= set(REGISTRY) and set(table["rank"]) <= {"", *RANKS}
    assert set(table["protocol"]) <= {"", *PROTOCOLS}
    assert set(table["tree"]) <= {withheld.TAXONOMY, withheld.DATED}
    assert not table.duplicated().any()
