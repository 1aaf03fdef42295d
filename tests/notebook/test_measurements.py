"""Some of the numbers of a study, as tidy tables."""

from __future__ import annotations

import pandas as pd
import pytest

from bioclip_probe.errors import DataError, ProbeError
from bioclip_probe.notebook.measurements import TIDY, Measurements
from bioclip_probe.tables import MEASUREMENTS


@pytest.fixture(scope="module")
def measurements():
    rows = [
        {"metric": metric, "encoder": encoder, "space": space, "tree": "taxonomy", "rank": rank, "split": "all",
         "value": 0.5}
        for metric in ("silhouette", "pagel_lambda")
        for encoder in ("one", "two")
        for space in ("raw", "centred")
        for rank in ("family", "species")
    ]  # fmt: skip
    return Measurements(MEASUREMENTS.frame(rows))


def test_tidy_picks_rows_and_has_always_the_same_columns(measurements):
    assert len(measurements.tidy("silhouette")) == 8
    picked = measurements.tidy("silhouette", rank="species", space="raw", encoder="two")
    assert picked[["metric", "encoder", "space", "rank"]].iloc[0].tolist() == ["silhouette", "two", "raw", "species"]
    assert list(picked.columns) == TIDY
    both = pd.concat([picked, measurements.tidy("pagel_lambda", tree="taxonomy", split="all")])
    assert list(both.columns) == TIDY and len(both) == 9


@pytest.mark.parametrize("metric, where, line", [
    ("silhouete", {}, "no metric 'silhouete'; did you mean silhouette"),
    ("silhouette", {"rank": "clan"}, "no rank 'clan'; did you mean class|no rank 'clan'; expected"),
    ("silhouette", {"rank": "genus"}, "there is no silhouette of genus; it was measured at rank family, species"),
    ("silhouette", {"encoder": "three"}, "there is no silhouette of three; it was measured at encoder one, two"),
    ("knn_purity_1", {}, "knn_purity_1 was not measured in this study"),
])  # fmt: skip
def test_what_is_not_there_is_one_line(measurements, metric, where, line):
    with pytest.raises((DataError, ProbeError), match=line):
        measurements.tidy(metric, **where)


def test_it_says_what_it_holds(measurements):
    assert len(measurements) == 16
    assert measurements.metrics == ["silhouette", "pagel_lambda"]
    assert repr(measurements).startswith("Measurements: 16 numbers of 2 metrics and 2 encoders")
