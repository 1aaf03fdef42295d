"""Numbers by rank: lines, chance, legends, panels."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bioclip_probe.plots import FigureSettings, by_rank, select
from bioclip_probe.plots.style import model_styles
from bioclip_probe.tables import RANKS
from tests.support.measurement_tables import measurements


def lines_of(axes, color):
    """Return the lines of a color that have a point at every rank."""
    return [line for line in axes.lines if line.get_color() == color and len(line.get_xdata()) == len(RANKS)]


def test_every_value_is_drawn_and_undefined_ones_leave_a_gap():
    table = measurements()
    figure = by_rank(table, ["cluster_purity", "top1_accuracy"], FigureSettings(controls=("pixels",)))
    purity, accuracy = figure.axes
    assert [axes.get_title(loc="left") for axes in (purity, accuracy)] == ["k-means purity", "Accuracy"]
    assert [tick.get_text() for tick in purity.get_xticklabels()] == [f"{rank} (3)" for rank in RANKS]
    for name, look in model_styles(["clip", "bioclip", "pixels"], ("pixels",)).items():
        (line,) = lines_of(purity, look.color)
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


def test_the_wanted_space_is_drawn():
    table = measurements()
    table.loc[(table["space"] == "centred") & (table["metric"] == "cluster_purity"), "value"] = 0.123
    look = model_styles(["clip"])["clip"]
    (line,) = lines_of(
        by_rank(table, ["cluster_purity"], FigureSettings(["clip"], space="centred")).axes[0], look.color
    )
    assert (line.get_ydata() == 0.123).all()


def test_without_chance_or_intervals_the_legend_has_no_such_entry():
    table = measurements().assign(chance=np.nan, ci_low=np.nan, ci_high=np.nan)
    legend = by_rank(table, ["cluster_purity"]).legends[0]
    assert {text.get_text() for text in legend.get_texts()} == {"BioCLIP", "CLIP", "pixels"}


def test_chance_levels_that_differ_are_a_band():
    table = measurements()
    table.loc[table["encoder"] == "pixels", "chance"] += 0.1
    bars = [patch for patch in by_rank(table, ["cluster_purity"]).axes[0].patches if patch.get_height() > 0]
    assert len(bars) == 6


def test_protocols_are_panels_on_one_scale():
    table = measurements().query("metric == 'top1_accuracy' and space == 'raw'")
    both = pd.concat([table.assign(protocol="seen"), table.assign(protocol="unseen", value=table["value"] / 2)])
    panels = {"seen": "Seen children", "unseen": "Held out", "shuffled": "Not asked"}
    first, second = by_rank(both, ["top1_accuracy"], panels=panels).axes
    assert [axes.get_title(loc="left") for axes in (first, second)] == ["Seen children", "Held out"]
    assert first.get_ylim() == second.get_ylim()


def test_ranks_above_a_clade_which_have_no_value_are_left_out_and_a_gap_stays():
    table = measurements(["clip", "bioclip"])  # no value at class
    table.loc[table["rank"].isin(["kingdom", "phylum"]), "value"] = np.nan
    table.loc[table["rank"].eq("order") & table["encoder"].eq("clip"), "value"] = np.nan
    labels = [label.get_text().split()[0] for label in by_rank(table, ["cluster_purity"]).axes[0].get_xticklabels()]
    assert labels == ["order", "family", "genus", "species"]
    table.loc[table["rank"].eq("kingdom") & table["encoder"].eq("clip"), "value"] = 0.5
    labels = [label.get_text().split()[0] for label in by_rank(table, ["cluster_purity"]).axes[0].get_xticklabels()]
    assert labels == list(RANKS)
