"""Summary tables: which rows they hold, how numbers are printed, where chance stands."""

from __future__ import annotations

import dataclasses
import re

import pandas as pd
import pytest

from bioclip_probe.errors import DataError
from bioclip_probe.metrics.endpoints import LINEAR
from bioclip_probe.report.endpoints import places_table
from bioclip_probe.report.examples import two_models_measured
from bioclip_probe.report.summary import (
    SUMMARY,
    TREE,
    headline_rank,
    summary_table,
    table_by_rank,
    table_by_tree,
    tables_by_probe,
)
from bioclip_probe.study import results
from bioclip_probe.tables import RANKS
from tests.support.small_study import CONTROLS

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def found(small_study):
    return results.read(small_study / "out")


def test_the_summary_holds_the_measurements_of_each_encoder(found):
    summary = summary_table(found)
    assert summary.index.tolist() == [*CONTROLS, "chance", "taxa/images"]
    headings = [column.heading for column in SUMMARY]
    assert summary.columns.tolist() == [heading for heading in headings if heading in set(summary.columns)]
    assert {"CPCC", "tree signal λ", "dimensions", "1-NN family", "probe species"} <= set(summary.columns)
    assert not {"CPCC names", "zero-shot species"} & set(summary.columns)  # no model takes text
    table = found.measurements
    row = table[
        (table["encoder"] == "pixels") & (table["metric"] == "cophenetic_correlation") & (table["space"] == "raw")
        & (table["tree"] == "taxonomy") & (table["rank"] == "species")
    ]  # fmt: skip
    assert summary.loc["pixels", "CPCC"] == f"{row['value'].item():.3f}"
    assert summary.loc["taxa/images", "CPCC"] == f"{row['n_taxa'].item()}/{row['n_images'].item()}"
    with_intervals = summary_table(found, intervals=True)
    assert with_intervals.loc["pixels", "1-NN family"].startswith(summary.loc["pixels", "1-NN family"])


def test_the_headline_takes_the_deepest_rank_that_most_images_have():
    table = two_models_measured().measurements.assign(metric="cophenetic_correlation")
    table["n_images"] = table["rank"].map({"family": 80, "species": 24})
    table["n_excluded"] = 100 - table["n_images"]
    assert headline_rank(table) == "family"
    few = dataclasses.replace(two_models_measured(), measurements=table.assign(n_taxa=10))
    assert summary_table(few).columns.tolist() == ["CPCC, family"]
    assert summary_table(few).loc["taxa/images", "CPCC, family"] == "10/80"


def test_models_that_are_not_told_apart_share_places(found):
    places = places_table(found)  # the small study has controls only
    assert places.empty
    models = two_models_measured()
    own = models.measurements[models.measurements["rank"] == "species"].assign(metric="cophenetic_correlation")
    pair = own.head(1).assign(metric="cophenetic_correlation_difference", encoder_b="clip", p_adjusted=0.2, value=0.3)
    table = pd.concat([own, pair], ignore_index=True)
    shown = places_table(dataclasses.replace(models, measurements=table))
    assert shown["CPCC"].tolist() == ["1–2", "1–2"]
    apart = dataclasses.replace(models, measurements=table.assign(p_adjusted=0.01))
    assert places_table(apart)["CPCC"].to_dict() == {"bioclip": "1", "clip": "2"}


def test_a_table_by_rank_has_encoders_in_order_then_chance(found):
    cells = table_by_rank(found, "knn_purity_1")
    assert cells.index.tolist() == [*CONTROLS, "chance", "taxa/images"]
    assert re.fullmatch(r"\d+/\d+", cells.loc["taxa/images", "family"])
    assert cells.columns.tolist() == list(RANKS)
    cell = re.fullmatch(r"(\d\.\d{3}) \[(\d\.\d{3}), (\d\.\d{3})\]", cells.loc["pixels", "family"])
    assert float(cell[2]) <= float(cell[1]) <= float(cell[3])
    assert re.fullmatch(r"\d\.\d{3}", cells.loc["chance", "family"])
    assert table_by_rank(found, "cophenetic_correlation").loc["pixels", "kingdom"] == "–"


def test_a_metric_without_chance_has_no_such_row():
    cells = table_by_rank(two_models_measured(), "cluster_purity")
    assert cells.index.tolist() == ["bioclip", "clip"]
    assert table_by_rank(two_models_measured(), "silhouette").empty


def test_a_part_of_the_dataset_called_test_is_not_the_test_split_of_probes(found):
    part = found.measurements[found.measurements["metric"] == "cophenetic_correlation"]
    measurements = pd.concat([part.assign(split="test", value=-1.0), found.measurements], ignore_index=True)
    mixed = dataclasses.replace(found, measurements=measurements)
    pd.testing.assert_frame_equal(summary_table(mixed), summary_table(found))
    for metric, where in (("cophenetic_correlation", {}), ("top1_accuracy", {**LINEAR, "protocol": "seen"})):
        pd.testing.assert_frame_equal(table_by_rank(mixed, metric, where), table_by_rank(found, metric, where))
    assert (summary_table(found)["probe species"] != "–").any()


def test_every_probe_protocol_and_number_of_shots_has_a_table(found):
    headings = [heading for heading, _ in tables_by_probe(found, "top1_accuracy")]
    assert len(headings) == len(set(headings))
    assert {"linear, seen", "linear, unseen", "linear, shuffled"} <= set(headings)
    assert {"linear, seen, 1 image a taxon", "linear, seen, 2 images a taxon"} <= set(headings)
    for _, table in tables_by_probe(found, "top1_accuracy"):
        assert set(table.index) <= {*CONTROLS, "chance", "taxa/images"}


def test_the_agreement_with_a_phylogeny_has_a_column_for_each_metric(found):
    cells = table_by_tree(found, "tree")
    assert cells.index.tolist() == list(CONTROLS)
    assert set(cells.columns) <= set(TREE.values()) and {"CPCC", "tree signal λ"} <= set(cells.columns)


def test_results_without_measurements_name_the_command():
    with pytest.raises(DataError, match="run `bioclip-probe measure"):
        summary_table(dataclasses.replace(two_models_measured(), measurements=None))
