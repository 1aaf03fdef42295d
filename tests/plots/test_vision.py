"""Colours as readers see them."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from bioclip_probe.plots.style import PAPER_COLORS, SAFE_COLORS
from bioclip_probe.plots.vision import lab, separations, shades


def test_lab_of_known_colours():
    # CIE L*a*b* of sRGB primaries, D65, e.g. B. Lindbloom's tables
    expected = {"#ff0000": (53.24, 80.09, 67.20), "#00ff00": (87.73, -86.18, 83.18), "#808080": (53.59, 0, 0)}
    for color, values in expected.items():
        assert lab(np.array([to_rgb(color)]))[0] == pytest.approx(values, abs=0.1)


def test_red_and_green_are_near_for_deuteranopia_and_alpha_brings_all_nearer():
    pair = np.array([to_rgb("#cc3311"), to_rgb("#557700")])
    full, without = (np.linalg.norm(np.subtract(*lab(pair, deficiency))) for deficiency in (False, True))
    assert full > 60 > 25 > without
    assert separations(pair, 1.0)[0, 1] == pytest.approx(without)
    for colors, least in ((SAFE_COLORS, 15), (PAPER_COLORS, 4)):
        rgb = np.array([to_rgb(color) for color in colors])
        opaque, pale = (separations(rgb, alpha)[np.triu_indices(6, 1)].min() for alpha in (1.0, 0.85))
        assert opaque > pale >= least


def test_so_many_shades_as_a_hue_cannot_hold_are_none():
    assert shades("#332288", 40, 0.85, 15) is None
    assert shades("#332288", 1, 0.85, 15) is not None
