"""Colours that follow the tree: a hue a clade, shades inside it."""

from __future__ import annotations

from colorsys import rgb_to_hls

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from bioclip_probe.plots.colors import HUES, clade_colors, drilldown_colors
from bioclip_probe.plots.style import MUTED, PAPER_COLORS, POINT_ALPHA, SAFE_COLORS
from bioclip_probe.plots.vision import lab, separations


def test_clades_have_hues_and_the_clades_inside_them_are_paler_shades():
    colors, legend = clade_colors(["A|B|x", "A|C|x", "A|C|y", "D|E|x"])
    assert legend == {"A": HUES[0], "D": HUES[1]}
    assert colors[0] == HUES[0] != colors[1] == colors[2]
    hues = [rgb_to_hls(*to_rgb(color)) for color in colors]
    assert abs(hues[0][0] - hues[1][0]) < 0.02
    assert hues[1][1] > hues[0][1]


def test_hues_begin_where_the_taxa_part_and_the_seventh_clade_is_grey():
    colors, legend = clade_colors([f"Animalia|{letter}" for letter in "aabbccddeeffg"])
    assert set(HUES) == set(SAFE_COLORS)
    assert colors[-1] == legend["others"] == MUTED
    assert list(legend)[:6] == list("abcdef")


def test_one_taxon_alone_has_a_colour():
    assert clade_colors(["Animalia|Chordata"])[0] == [HUES[0]]


def drill(n: int, focus_number: int) -> list[tuple[str, list[str]]]:
    """A drill-down of n taxa a panel, always into the same one of them."""
    focus, panels = "", []
    for letter in "ABCDEF":
        taxa = [f"{focus}|{letter}{number}".strip("|") for number in range(n)]
        panels.append((focus, taxa))
        focus = taxa[focus_number]
    return panels


@pytest.mark.parametrize("n", range(1, 7))
def test_every_taxon_of_a_panel_can_be_told_apart_by_readers_with_deuteranopia(n):
    for focus_number in range(n):
        panels = drill(n, focus_number)
        colors = drilldown_colors(panels)
        for _, taxa in panels:
            drawn = separations(np.array([to_rgb(colors[taxon]) for taxon in taxa]), POINT_ALPHA)
            assert drawn[np.triu_indices(n, 1)].min(initial=99) >= 15


@pytest.mark.parametrize("focus_number", range(6))
def test_taxa_inside_a_clade_are_shades_around_its_hue(focus_number):
    (_, phyla), (focus, classes), *_ = drill(6, focus_number)
    colors = drilldown_colors([("", phyla), (focus, classes)])
    assert [colors[taxon] for taxon in phyla] == list(SAFE_COLORS)
    hues = {
        taxon: np.degrees(np.arctan2(b, a))
        for taxon in (focus, *classes)
        for _, a, b in lab(np.array([to_rgb(colors[taxon])]))
    }
    turned = [(hues[taxon] - hues[focus] + 180) % 360 - 180 for taxon in classes]
    assert max(map(abs, turned)) <= 61


def test_colours_of_the_paper_are_not_nested_and_a_rank_without_colours_passes_its_hue_on():
    panels = drill(3, 1)
    flat = drilldown_colors(panels, PAPER_COLORS)
    assert all([flat[taxon] for taxon in taxa] == list(PAPER_COLORS[:3]) for _, taxa in panels)
    left_out = drilldown_colors([panels[0], panels[2]])
    nested = drilldown_colors([panels[0], (panels[0][1][1], panels[1][1])])
    assert [left_out[taxon] for taxon in panels[2][1]] == [nested[taxon] for taxon in panels[1][1]]
