"""Colours that follow the tree: a hue a clade, shades inside it."""

from __future__ import annotations

from colorsys import rgb_to_hls

from matplotlib.colors import to_rgb

from bioclip_probe.plots.colors import HUES, clade_colors
from bioclip_probe.plots.style import MUTED, SAFE_COLORS


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
