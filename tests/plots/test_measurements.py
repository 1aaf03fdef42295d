"""Figures of measurements: what they draw, leave out, say and refuse."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bioclip_probe.errors import DataError
from bioclip_probe.metrics import REGISTRY
from bioclip_probe.plots import by_rank, headline, select, staircase
from bioclip_probe.plots.selection import METRIC_LABELS
from bioclip_probe.plots.style import model_styles
from bioclip_probe.tables import RANKS
from tests.support.measurement_tables import measurements, texts


def lines(axes, colour):
    return [line for line in axes.lines if line.get_color() == colour and len(line.get_xdata()) == len(RANKS)]


def test_by_rank_draws_every_value_and_leaves_the_undefined_out():
    table = measurements()
    figure = by_rank(table, ["cluster_purity", "top1_accuracy"], controls=("pixels",))
    purity, accuracy = figure.axes
    assert [axes.get_title(loc="left") for axes in (purity, accuracy)] == ["k-means purity", "Accuracy"]
    assert [tick.get_text() for tick in purity.get_xticklabels()] == list(RANKS)
    for name, look in model_styles(["clip", "bioclip", "pixels"], ("pixels",)).items():
        (line,) = lines(purity, look.colour)
        own = select(table[table["encoder"] == name], ["cluster_purity"], "raw")
        np.testing.assert_array_equal(line.get_ydata(), own["value"])
        assert np.isnan(line.get_ydata()[2])
    chance = next(
        c
        for c in purity.collections
        if len(c.get_segments()) == 6 and c.get_segments()[0][0][1] == c.get_segments()[0][1][1]
    )
    np.testing.assert_allclose([segment[0][1] for segment in chance.get_segments()], [0.5, 0.44, 0.32, 0.26, 0.2, 0.14])
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert sorted(legend) == sorted(["BioCLIP", "CLIP", "pixels", "chance", "95 % interval"])


def test_by_rank_draws_the_space_asked_for():
    table = measurements()
    table.loc[(table["space"] == "centred") & (table["metric"] == "cluster_purity"), "value"] = 0.123
    look = model_styles(["clip"])["clip"]
    (line,) = lines(by_rank(table, ["cluster_purity"], models=["clip"], space="centred").axes[0], look.colour)
    assert (line.get_ydata() == 0.123).all()


def test_by_rank_without_chance_or_intervals_has_no_such_legend():
    table = measurements().assign(chance=np.nan, ci_low=np.nan, ci_high=np.nan)
    legend = by_rank(table, ["cluster_purity"]).legends[0]
    assert {text.get_text() for text in legend.get_texts()} == {"BioCLIP", "CLIP", "pixels"}


def test_by_rank_shows_the_spread_of_chance_levels_that_differ():
    table = measurements()
    table.loc[table["encoder"] == "pixels", "chance"] += 0.1
    bars = [patch for patch in by_rank(table, ["cluster_purity"]).axes[0].patches if patch.get_height() > 0]
    assert len(bars) == 6


def test_a_metric_undefined_everywhere_is_drawn_empty():
    table = measurements()
    table.loc[table["metric"] == "cluster_purity", ["value", "chance", "ci_low", "ci_high"]] = np.nan
    by_rank(table, ["cluster_purity"])
    table.loc[table["metric"] == "cophenetic_correlation", ["value", "ci_low", "ci_high"]] = np.nan
    assert texts(headline(table)).count("undefined") == 6


def test_headline_prints_each_number_with_its_interval():
    figure = headline(measurements(), controls=("pixels",))
    axes = figure.axes[0]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["CLIP", "BioCLIP", "pixels"]
    assert axes.get_yticks().tolist() == sorted(axes.get_yticks(), reverse=True)
    said = texts(figure)
    assert said.count("0.50  [0.45, 0.54]") == 2  # raw and centred
    assert "raw" in said
    assert "centred" in said
    assert axes.get_xlabel() == "Cophenetic correlation (CPCC); bars: 95 % intervals over species"
    dots = [line for line in axes.lines if line.get_marker() == "o"]
    assert sorted(line.get_xdata()[0] for line in dots) == pytest.approx([0.3, 0.3, 0.4, 0.4, 0.5, 0.5])


def test_headline_of_one_space_and_of_negative_numbers():
    table = measurements().query("space == 'raw'")
    table.loc[table["metric"] == "cophenetic_correlation", ["value", "ci_low", "ci_high"]] *= -1
    figure = headline(table)
    assert any(text.startswith("−0.50") for text in texts(figure))
    assert not figure.legends
    assert figure.axes[0].get_xlim()[0] < -0.5


def test_staircase_has_a_panel_for_each_model_and_its_medians():
    figure = staircase(measurements(), controls=("pixels",))
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["CLIP", "BioCLIP", "pixels"]
    for axes in figure.axes:
        assert [tick.get_text() for tick in axes.get_xticklabels()] == ["genus", "order", "none"]
        medians = axes.collections[1].get_segments()
        assert [segment[0][1] for segment in medians] == pytest.approx([0.2, 0.4, 0.6])
        assert [bar.get_height() for bar in axes.patches] == pytest.approx([0.11] * 3)
    assert {text.get_text() for text in figure.legends[0].get_texts()} == {"median", "middle half", "5 to 95 %", "mean"}


def test_staircase_cuts_no_model_off_whichever_comes_first():
    table = measurements()
    distance = table["metric"].str.startswith("lca_distance") & (table["encoder"] == "pixels")
    table.loc[distance, "value"] *= 1.9
    for models in (("clip", "pixels"), ("pixels", "clip")):
        for axes in staircase(table, models).axes:
            bottom, top = axes.get_ylim()
            assert bottom == 0
            assert top > table.loc[distance, "value"].max()


def test_staircase_of_the_median_alone():
    table = measurements()
    figure = staircase(table[table["metric"] == "lca_distance_q50"])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["median"]
    with pytest.raises(DataError, match="the median"):
        staircase(table[table["metric"] == "lca_distance_mean"])
    with pytest.raises(DataError, match=r"unknown rank of a common ancestor: \['tribe'\]"):
        staircase(table.assign(rank="tribe").drop_duplicates(["encoder", "space", "metric"]))


@pytest.mark.parametrize(
    "draw",
    [lambda t, **k: by_rank(t, ["cluster_purity"], **k), headline, staircase],
    ids=["by_rank", "headline", "staircase"],
)
def test_every_figure(draw, tmp_path):
    """Says what is simulated, leaves its input, keeps the order of models, draws 1 and 9 models, refuses doubles."""
    table = measurements()
    before = table.copy()
    assert "simulated data" not in texts(draw(table))
    assert "simulated data" in texts(draw(table, simulated=True))
    assert "simulated data" in texts(draw(measurements(simulated=True)))
    assert "mine" in texts(draw(table, title="mine"))
    pd.testing.assert_frame_equal(table, before)
    many = ["bioclip", "clip", *(f"hf-hub:somebody/a-model-with-a-rather-long-name-{k}" for k in range(7)), "pixels"]
    for names in (many[:1], many):
        draw(measurements(names)).savefig(tmp_path / "figure.png")
    with pytest.raises(DataError, match="a figure draws one; they differ in run"):
        draw(pd.concat([table, table.assign(run="other")]))
    with pytest.raises(DataError, match="no rows to draw"):
        draw(table.assign(metric="other"))
    with pytest.raises(DataError, match="the encoder rcme"):
        draw(table, models=["rcme"])


def test_select_leaves_out_rows_about_one_taxon_and_pairs_of_encoders():
    table = measurements()
    extra = table[table["metric"] == "cluster_purity"].head(2).copy()
    extra["taxon"] = ["Animalia", np.nan]
    extra["encoder_b"] = [np.nan, "clip"]
    chosen = select(pd.concat([table, extra]), ["cluster_purity"], "raw")
    pd.testing.assert_frame_equal(chosen, select(table, ["cluster_purity"], "raw"))
    assert len(chosen) == 3 * len(RANKS)


def test_every_label_is_of_a_metric():
    assert set(METRIC_LABELS) <= set(REGISTRY)
