"""Columns of the images beside the measurements of a sample."""

from dataclasses import replace

import pandas as pd
import pytest

from bioclip_probe.study.nuisances import WITHIN, measure_columns
from tests.support.settings import FEW


@pytest.fixture(scope="module")
def with_place(sample):
    places = pd.Series(["Rome", "Oslo"] * len(sample.images))[: len(sample.images)]
    return replace(sample, attributes=pd.DataFrame({"place": places, "kind": ["field"] * len(sample.images)}))


def test_every_encoder_is_measured_beside_every_column(with_place):
    table = measure_columns(with_place, ["place"], ["kind"], FEW)
    of_place, of_kind = table[table["column"] == "place"], table[table["column"] == "kind"]
    assert set(of_place["encoder"]) == set(with_place.embeddings)
    assert {"column_agreement", "column_agreement_other_species", "knn_purity_1_within_values", *WITHIN} == set(
        of_place["metric"]
    )
    assert set(of_kind["metric"]) == set(WITHIN)
    assert (of_kind["null"] == "within kind").all()


def test_without_columns_there_are_no_rows(sample):
    assert len(measure_columns(sample)) == 0


def test_a_column_follows_the_images_that_are_taken(with_place):
    part = with_place.take([3, 1])
    assert part.attributes["place"].tolist() == [with_place.attributes["place"][row] for row in (3, 1)]
