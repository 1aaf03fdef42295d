"""The matrix of models: every pair once, in the order of the models, and what it refuses."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from bioclip_probe.errors import DataError
from bioclip_probe.plots import FigureSettings, matrix
from bioclip_probe.tables import MEASUREMENTS
from tests.support.measurement_tables import measurements, texts

ENCODERS = ("clip", "pixels", "bioclip")


def compared(metrics=("cka", "rsa"), encoders=ENCODERS, **columns):
    rows = [
        {"encoder": a, "encoder_b": b, "metric": metric, "value": 0.1 * number + 0.01 * place, "space": "raw",
         "simulated": False, **columns}
        for place, metric in enumerate(metrics)
        for number, (a, b) in enumerate(combinations(encoders, 2), 1)
    ]  # fmt: skip
    return MEASUREMENTS.frame(rows)


def drawn(axes):
    return {(text.get_position()): text.get_text() for text in axes.texts}


def test_every_pair_is_a_cell_and_controls_come_last():
    first, second = matrix(compared(), ["cka", "rsa"], FigureSettings(controls=("pixels",))).axes
    # Models first: clip, bioclip, pixels; pairs in the table: clip-pixels .10, clip-bioclip .20, pixels-bioclip .30.
    assert [tick.get_text() for tick in first.get_xticklabels()] == ["CLIP", "BioCLIP"]
    assert [tick.get_text() for tick in first.get_yticklabels()] == ["BioCLIP", "pixels"]
    assert drawn(first) == {(0, 0): "0.20", (0, 1): "0.10", (1, 1): "0.30"}
    assert drawn(second)[(0, 0)] == "0.21"
    np.testing.assert_allclose(first.images[0].get_array().filled(np.nan), [[0.2, np.nan], [0.1, 0.3]])


def test_the_order_of_the_two_encoders_does_not_matter():
    table = compared()
    turned = table.assign(encoder=table["encoder_b"], encoder_b=table["encoder"])
    assert drawn(matrix(table, ["cka"], FigureSettings(ENCODERS)).axes[0]) == drawn(
        matrix(turned, ["cka"], FigureSettings(ENCODERS)).axes[0]
    )


def test_an_undefined_number_is_a_dash_and_a_number_below_zero_keeps_its_sign():
    table = compared(["cka"])
    table.loc[0, "value"], table.loc[1, "value"] = np.nan, -0.25
    assert set(drawn(matrix(table, ["cka"]).axes[0]).values()) == {"–", "−0.25", "0.30"}


def test_simulated_data_are_marked():
    assert "simulated data" in texts(matrix(compared(simulated=True), ["cka"]))
    assert "simulated data" not in texts(matrix(compared(), ["cka"]))


def test_two_encoders_are_one_cell():
    assert list(drawn(matrix(compared(encoders=("clip", "bioclip")), ["cka"]).axes[0]).values()) == ["0.10"]


def test_tables_without_pairs_and_two_rows_for_one_cell_are_refused():
    with pytest.raises(DataError, match="no rows between two encoders to draw for cka"):
        matrix(measurements(), ["cka"])
    table = compared(["cka"])
    with pytest.raises(DataError, match="2 rows for cka, clip, pixels"):
        matrix(pd.concat([table, table.head(1).assign(rank="genus")]), ["cka"])
    with pytest.raises(DataError, match="nothing to draw for the encoder dino"):
        matrix(table, ["cka"], FigureSettings(["dino"]))
