"""Strays: how they are counted, and which exchanges are drawn."""

from __future__ import annotations

import pandas as pd
import pytest

from bioclip_probe.errors import DataError
from bioclip_probe.plots import FigureSettings
from bioclip_probe.plots.figures.strays import draw_strays, stray_rows
from bioclip_probe.tables import PREDICTIONS

TRUTH = "Animalia|Chordata|Aves|Passeriformes|Corvidae|Pica|Pica pica"
NAMED = {
    "species": TRUTH,
    "genus": "Animalia|Chordata|Aves|Passeriformes|Corvidae|Pica|Pica hudsonia",
    "class": "Animalia|Chordata|Aves|||Turdus|Turdus merula",
    "kingdom": "Animalia|Mollusca|||||Conus textile",
    "none": "Plantae||||||Rosa canina",
}


def predictions(probe="knn", **changes) -> pd.DataFrame:
    rows = [
        {"run": "r", "encoder": encoder, "dataset": "d", "probe": probe, "protocol": "seen", "rank": "species",
         "image_id": step, "split": "test", "truth": TRUTH, "predicted": name, **changes}
        for encoder in ("clip", "bioclip") for step, name in NAMED.items()
    ]  # fmt: skip
    other = {**rows[0], "image_id": "z", "truth": NAMED["kingdom"], "predicted": NAMED["kingdom"]}
    return PREDICTIONS.frame([*rows, other])


def test_images_are_counted_by_the_lowest_rank_shared_and_two_holes_share_nothing():
    rows = stray_rows({"predictions": predictions()}, FigureSettings())
    shares = rows.query("kind == 'shares' and encoder == 'bioclip'").set_index("rank")["n_images"]
    assert shares.to_dict() == {"species": 1, "genus": 1, "class": 1, "kingdom": 1, "none": 1}
    crosses = rows.query("kind == 'crosses' and encoder == 'clip'")
    assert crosses[["rank", "taxon", "named", "n_images", "n_all"]].to_numpy().tolist() == [
        ["phylum", "Chordata", "Mollusca", 1, 4]
    ]


def test_bars_are_divided_and_exchanges_have_a_mark_for_each_model():
    figure = draw_strays(stray_rows({"predictions": predictions()}, FigureSettings()), FigureSettings())
    upper, lower = figure.axes
    widths = [bar.get_width() for bar in upper.patches]
    assert sum(widths) == pytest.approx(2)  # two models
    assert [tick.get_text() for tick in lower.get_yticklabels()] == ["Chordata → Mollusca"]
    assert [line.get_xdata().tolist() for line in lower.lines] == [[0.25], [0.25]]


def test_without_neighbours_the_linear_probe_is_drawn_and_without_either_nothing():
    assert set(stray_rows({"predictions": predictions("linear")}, FigureSettings())["probe"]) == {"linear"}
    with pytest.raises(DataError, match="no probe named species of test images"):
        stray_rows({"predictions": predictions(split="train")}, FigureSettings())
