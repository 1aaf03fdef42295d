"""The tables of the primary endpoints: values, differences in the order of the models, and what was not measured."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd

from bioclip_probe.report.endpoints import difference_table, endpoint_table
from bioclip_probe.report.examples import two_models_measured
from bioclip_probe.study.results import Results


def measured(**pair: object) -> Results:
    """CPCC of two models on two trees, and its difference, which is stored as that of the second less the first."""
    found = two_models_measured()
    own = found.measurements[found.measurements["rank"] == "species"]
    cpcc = own.assign(metric="cophenetic_correlation", chance=0.0, n_taxa=9, n_images=40)
    ends = {"value": -0.3, "ci_low": -0.4, "ci_high": -0.2, "p_adjusted": 0.0004}
    names = {"metric": "cophenetic_correlation_difference", "encoder": "clip", "encoder_b": "bioclip"}
    difference = cpcc.head(1).assign(**{**ends, **names, **pair})
    on_tree = pd.concat([cpcc, difference]).assign(tree="birds")
    return dataclasses.replace(found, measurements=pd.concat([cpcc, on_tree], ignore_index=True))


def test_the_endpoints_are_read_on_the_phylogeny_with_chance_and_counts():
    table = endpoint_table(measured())
    assert table.columns.tolist() == ["CPCC, birds"]
    assert table.index.tolist() == ["bioclip", "clip", "chance", "taxa/images"]
    assert table["CPCC, birds"].iloc[2:].tolist() == ["0.000", "9/40"]
    assert table["CPCC, birds"].iloc[1] == "0.300 [0.200, 0.400]"


def test_a_difference_is_that_of_the_first_model_less_the_other():
    (cell,) = difference_table(measured())["CPCC, birds"]
    assert cell == "0.300 [0.200, 0.400]; adjusted p < 0.001"
    assert difference_table(measured()).index.tolist() == ["bioclip less clip"]


def test_a_difference_without_an_interval_shows_its_value_only():
    nothing = {"ci_low": np.nan, "ci_high": np.nan, "p_adjusted": np.nan}
    assert difference_table(measured(**nothing))["CPCC, birds"].tolist() == ["0.300"]
    assert difference_table(measured(value=np.nan)).empty
