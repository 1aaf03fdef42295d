"""The differences of two encoders, as they stand in the measurements."""

from __future__ import annotations

import numpy as np
import pytest

from bioclip_probe.metrics.endpoints import PRIMARY
from bioclip_probe.metrics.registry import DIFFERENCE
from bioclip_probe.study.pairs import COLUMNS, differences
from bioclip_probe.tables import MEASUREMENTS

RAW = {"space": "raw", "tree": "taxonomy", "split": "all"}
UNSEEN = {"space": "raw", "split": "test", "probe": "linear", "protocol": "unseen"}


def table(rows):
    return MEASUREMENTS.frame(rows)


def rows_of(metric, value, other, **where):
    """The numbers of two encoders and their difference, as a study has them."""
    return [
        {"metric": metric, "encoder": "one", "value": value, **where},
        {"metric": metric, "encoder": "two", "value": other, **where},
        {"metric": metric + DIFFERENCE, "encoder": "one", "encoder_b": "two", "value": value - other,
         "ci_low": value - other - 0.125, "ci_high": value - other + 0.25, "p_adjusted": 0.5, **where},
    ]  # fmt: skip


def test_rows_come_by_metric_tree_and_rank():
    rows = [
        *rows_of("silhouette", 0.5, 0.25, rank="species", **RAW),
        *rows_of("silhouette", 0.5, 0.25, rank="genus", **RAW),
        *rows_of("pagel_lambda", 0.5, 0.25, rank="species", **RAW),
        *rows_of("pagel_lambda", 0.75, 0.25, rank="species", **{**RAW, "tree": "birds"}),
    ]
    found = differences(table(rows), "one", "two", ["pagel_lambda", "silhouette"])
    assert list(found.columns) == COLUMNS
    assert found[["metric", "tree", "rank"]].agg(" ".join, axis=1).tolist() == [
        "pagel_lambda taxonomy species", "pagel_lambda birds species", "silhouette taxonomy genus",
        "silhouette taxonomy species",
    ]  # fmt: skip
    np.testing.assert_array_equal(found["difference"], found["value"] - found["value_b"])


def test_the_other_way_round_turns_the_sign_and_the_interval():
    found = differences(table(rows_of("silhouette", 0.5, 0.25, rank="species", **RAW)), "two", "one", ["silhouette"])
    row = found.iloc[0]
    assert (row["value"], row["value_b"], row["difference"]) == (0.25, 0.5, -0.25)
    assert (row["ci_low"], row["ci_high"]) == (-0.5, -0.125)


def test_by_default_the_primary_endpoints_with_their_own_probe_are_compared():
    rows = [
        *rows_of("cophenetic_correlation", 0.5, 0.25, rank="species", **RAW),
        *rows_of("cophenetic_correlation", 0.5, 0.25, rank="species", **{**RAW, "split": "unseen"}),
        *rows_of("silhouette", 0.5, 0.25, rank="species", **RAW),
        *rows_of("macro_accuracy", 0.5, 0.25, rank="family", **UNSEEN),
        *rows_of("macro_accuracy", 0.5, 0.25, rank="family", **{**UNSEEN, "probe": "lda"}),
        *rows_of("macro_accuracy", 0.5, 0.25, rank="family", shots=5, **UNSEEN),
    ]
    found = differences(table(rows), "one", "two")
    assert found["metric"].tolist() == ["cophenetic_correlation", "macro_accuracy"]
    assert found["split"].tolist() == ["all", "test"] and found["probe"].iloc[1] == PRIMARY[-1].probe
    assert len(differences(table(rows), "one", "two", ["macro_accuracy"])) == 3


def test_clades_columns_of_images_and_centred_embeddings_are_left_out():
    rows = [
        *rows_of("silhouette", 0.5, 0.25, rank="species", **RAW),
        *rows_of("silhouette", 0.5, 0.25, rank="species", taxon="Animalia", **RAW),
        *rows_of("silhouette", 0.5, 0.25, rank="species", column="place", **RAW),
        *rows_of("silhouette", 0.5, 0.25, rank="species", **{**RAW, "space": "centred"}),
    ]
    assert len(differences(table(rows), "one", "two", ["silhouette"])) == 1


@pytest.mark.parametrize("missing", [0, 1])
def test_a_number_that_is_not_there_is_missing_beside_the_difference(missing):
    rows = rows_of("silhouette", 0.5, 0.25, rank="species", **RAW)
    del rows[missing]
    row = differences(table(rows), "one", "two", ["silhouette"]).iloc[0]
    assert np.isnan(row[("value", "value_b")[missing]]) and row["difference"] == 0.25
