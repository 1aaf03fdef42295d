"""The rows of a figure: which are selected, what every figure refuses and prints."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bioclip_probe.errors import DataError
from bioclip_probe.plots import FigureSettings, by_rank, select
from bioclip_probe.plots.figures.headline import draw_headline
from bioclip_probe.plots.figures.staircase import draw_staircase
from bioclip_probe.plots.selection import FigureRows, check_one_each
from bioclip_probe.tables import RANKS
from tests.support.measurement_tables import measurements, texts


@pytest.mark.slow
@pytest.mark.parametrize(
    "draw",
    [
        lambda table, settings: by_rank(table, ["cluster_purity"], settings),
        draw_headline,
        draw_staircase,
    ],
    ids=["by_rank", "headline", "staircase"],
)
def test_every_figure_keeps_to_the_rules(draw, tmp_path):
    """A figure marks simulated data, leaves its input, draws 1 and 10 models, and refuses two rows for one point."""
    table = measurements()
    before = table.copy()
    assert "simulated data" not in texts(draw(table, FigureSettings()))
    assert "simulated data" in texts(draw(table, FigureSettings(simulated=True)))
    assert "simulated data" in texts(draw(measurements(simulated=True), FigureSettings()))
    assert "mine" in texts(draw(table, FigureSettings(title="mine")))
    pd.testing.assert_frame_equal(table, before)
    many = ["bioclip", "clip", *(f"hf-hub:somebody/a-model-with-a-rather-long-name-{k}" for k in range(7)), "pixels"]
    for names in (many[:1], many):
        draw(measurements(names), FigureSettings()).savefig(tmp_path / "figure.png")
    with pytest.raises(DataError, match="a figure draws one; they differ in run"):
        draw(pd.concat([table, table.assign(run="other")]), FigureSettings())
    with pytest.raises(DataError, match="no rows to draw"):
        draw(table.assign(metric="other"), FigureSettings())
    with pytest.raises(DataError, match="the encoder rcme"):
        draw(table, FigureSettings(["rcme"]))


def test_select_leaves_out_rows_about_one_taxon_and_pairs_of_encoders():
    table = measurements()
    extra = table[table["metric"] == "cluster_purity"].head(2).copy()
    extra["taxon"] = ["Animalia", np.nan]
    extra["encoder_b"] = [np.nan, "clip"]
    chosen = select(pd.concat([table, extra]), ["cluster_purity"], "raw")
    pd.testing.assert_frame_equal(chosen, select(table, ["cluster_purity"], "raw"))
    assert len(chosen) == 3 * len(RANKS)


def test_rows_of_a_figure_are_of_its_models_and_controls_come_last():
    table = measurements()
    rows = FigureRows.of(table, (), FigureSettings(("pixels", "clip"), controls=("pixels", "absent")))
    assert rows.encoders == ["clip", "pixels"]
    assert set(rows.table["encoder"]) == {"clip", "pixels"}
    assert [look.control for look in rows.styles.values()] == [False, True]
    assert not rows.simulated
    with pytest.raises(DataError, match="nothing to draw for the encoder dino; the table has: clip, bioclip, pixels"):
        FigureRows.of(table, (), FigureSettings(["dino"]))


def test_of_comparisons_both_encoders_are_models():
    table = pd.DataFrame({"encoder": ["clip", "clip"], "encoder_b": ["bioclip", "pixels"], "value": [0.5, 0.2]})
    rows = FigureRows.of(table, (), FigureSettings(["bioclip", "clip"]), ("encoder", "encoder_b"))
    assert rows.table["value"].tolist() == [0.5]


def test_equal_rows_are_said_to_be_equal():
    table = pd.DataFrame({"encoder": ["clip", "clip"], "value": [0.5, 0.5]})
    with pytest.raises(DataError, match="they are equal"):
        check_one_each(table, ["encoder"])
