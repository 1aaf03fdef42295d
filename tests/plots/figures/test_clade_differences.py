"""The difference of two models on the tree: where boxes lie, their colours and names, and which pair is drawn."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bioclip_probe.errors import DataError
from bioclip_probe.plots import FigureSettings
from bioclip_probe.plots.figures.clade_differences import METRIC, clade_rows, draw_clade_differences, place_boxes
from bioclip_probe.tables import MEASUREMENTS, RANKS

CLADES = {"A": 30, "A|B": 20, "A|C": 8, "A|B||D": 12, "E": 10}


def compared(**changes) -> pd.DataFrame:
    rows = [
        {"encoder": "clip", "encoder_b": "bioclip", "metric": METRIC, "tree": "taxonomy", "space": "raw", "taxon": path,
         "rank": RANKS[path.count("|")], "value": 0.1, "ci_low": 0.0, "ci_high": 0.3, "p_adjusted": 0.2, "n_taxa": n,
         "simulated": False, **changes}
        for path, n in CLADES.items()
    ]  # fmt: skip
    return MEASUREMENTS.frame(rows)


def test_a_clade_lies_beside_the_nearest_clade_that_holds_it():
    assert place_boxes(pd.Series(CLADES, dtype=float)) == {"A": 0, "A|B": 0, "A|B||D": 0, "A|C": 20, "E": 30}


def test_each_clade_is_a_box_as_high_as_its_species_are_many():
    figure = draw_clade_differences(compared(), FigureSettings())
    boxes = [(box.get_x(), box.get_y(), box.get_height()) for box in figure.axes[0].patches]
    assert sorted(boxes) == [(0, 0, 30), (0, 30, 10), (1, 0, 20), (1, 20, 8), (2, 0, 12)]
    assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()] == ["kingdom", "phylum", "order"]
    assert {text.get_text() for text in figure.axes[0].texts} == {f"{name} +0.10" for name in "ABCDE"}


@pytest.mark.parametrize(("p", "weight"), [(0.04, "bold"), (0.05, "normal"), (np.nan, "normal")])
def test_significant_differences_are_bold(p, weight):
    axes = draw_clade_differences(compared(p_adjusted=p), FigureSettings()).axes[0]
    assert {text.get_fontweight() for text in axes.texts} == {weight}


def test_undefined_differences_are_hatched():
    table = compared()
    table.loc[table["taxon"] == "E", "value"] = np.nan
    axes = draw_clade_differences(table, FigureSettings()).axes[0]
    assert [box.get_hatch() for box in axes.patches if box.get_y() == 30] == ["////"]
    assert "E –" in {text.get_text() for text in axes.texts}


def test_a_pair_asked_for_the_other_way_round_has_the_other_sign():
    tables = {"measurements": compared()}
    rows = clade_rows(tables, FigureSettings(models=["bioclip", "clip"]))
    assert set(rows["value"]) == {-0.1}
    assert (set(rows["ci_low"]), set(rows["ci_high"])) == ({-0.3}, {0.0})
    with pytest.raises(DataError, match="clip and dino were not compared inside clades"):
        clade_rows(tables, FigureSettings(models=["clip", "dino"]))


def test_negative_differences_are_dotted_so_that_their_sign_survives_without_colour():
    table = compared()
    table.loc[table["taxon"] == "A|B", "value"] = -0.1
    figure = draw_clade_differences(table, FigureSettings())
    dotted = [box for box in figure.axes[0].patches if box.get_hatch() == "..."]
    assert [(box.get_x(), box.get_y(), box.get_height()) for box in dotted] == [(1, 0, 20)]
    (half,) = [patch for patch in figure.axes[1].patches if patch.get_hatch() == "..."]
    assert (half.get_x(), half.get_x() + half.get_width()) == (-0.1, 0)
