"""Colours and order of models, and how far apart the colours are for readers with colour-vision deficiencies."""

from __future__ import annotations

import matplotlib
import numpy as np
import pytest

from bioclip_probe.plots import PAPER_COLORS, SAFE_COLORS
from bioclip_probe.plots.style import (
    INK,
    MUTED,
    POINT_ALPHA,
    FigureSettings,
    model_styles,
    new_figure,
)


def test_eight_models_have_colours_of_their_own_and_the_ninth_another_marker():
    names = ["bioclip", "clip", "inat21-only", "openclip", *(f"m{k}" for k in range(5))]
    styles = model_styles(names)
    assert len({styles[name].color for name in names[:8]}) == 8
    assert len({(look.color, look.marker) for look in styles.values()}) == 9
    assert styles["clip"].color == model_styles(["clip"])["clip"].color
    assert model_styles(["world-taxonomic"])["world-taxonomic"].color == styles["bioclip"].color
    both = model_styles(["bioclip", "world-taxonomic"])
    assert both["bioclip"].color != both["world-taxonomic"].color


@pytest.mark.parametrize(
    "name", ["pixels", "color-histogram", "untrained-vit-b-16", "world-untrained", "untrained:ViT-B-16"]
)
def test_controls_are_muted_and_last(name):
    styles = model_styles([name, "clip"], controls=[name])
    assert list(styles) == ["clip", name]
    assert styles[name].control
    assert (styles[name].text_color, styles["clip"].text_color) == (MUTED, INK)
    assert not styles["clip"].control


def test_a_name_alone_makes_no_control():
    names = ["random-crop-vit", "pixels", "reference"]
    styles = model_styles(names, controls=["reference"])
    assert list(styles) == names
    assert [styles[name].control for name in names] == [False, False, True]


def lab_of(color: str, deficiency: np.ndarray) -> np.ndarray:
    """Return CIE L*a*b* of a colour as seen with a colour-vision deficiency (matrix in linear RGB)."""
    rgb = np.array([int(color[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = to_xyz @ np.clip(deficiency @ linear, 0, 1) / [0.9505, 1, 1.089]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


#: Machado, Oliveira & Fernandes 2009, severity 1: deuteranopia, protanopia, tritanopia.
DEFICIENCIES = np.array(
    [
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
    ]
)


def nearest(colors, deficiency) -> float:
    """Return the smallest distance of two of the colours, as seen with a deficiency."""
    seen = [lab_of(color, deficiency) for color in colors]
    return min(np.linalg.norm(a - b) for k, a in enumerate(seen) for b in seen[:k])


def as_drawn(color: str, alpha: float) -> str:
    """Return a colour on white paper."""
    channels = (round(int(color[at : at + 2], 16) * alpha + 255 * (1 - alpha)) for at in (1, 3, 5))
    return "#" + "".join(f"{channel:02x}" for channel in channels)


def test_colours_of_points_stay_apart_as_they_are_drawn():
    drawn = [as_drawn(color, POINT_ALPHA) for color in SAFE_COLORS]
    assert all(nearest(drawn, deficiency) >= 15 for deficiency in DEFICIENCIES)


def test_colours_of_eight_models_stay_apart_for_readers_with_deuteranopia():
    looks = model_styles([f"m{k}" for k in range(8)])
    assert nearest([look.color for look in looks.values()], DEFICIENCIES[0]) >= 15


def test_a_slide_is_the_page_enlarged():
    page, slide = (new_figure(FigureSettings(width=width), 2, "Purity") for width in ("double", "slide"))
    assert slide.get_size_inches() == pytest.approx(page.get_size_inches() * 13.33 / 7.1)


def test_safe_colours_stay_apart_and_the_papers_do_not():
    assert all(nearest(SAFE_COLORS, deficiency) >= 20 for deficiency in DEFICIENCIES)
    assert nearest(PAPER_COLORS, np.eye(3)) > 30
    assert nearest(PAPER_COLORS, DEFICIENCIES[0]) < 10  # why the others are offered


def test_text_stays_text_in_a_pdf_however_it_is_saved(tmp_path):
    figure = new_figure(FigureSettings(), 2, "Purity")
    with matplotlib.rc_context({"pdf.fonttype": 3}):
        figure.savefig(tmp_path / "figure.pdf")
    content = (tmp_path / "figure.pdf").read_bytes()
    assert b"/Type3" not in content.replace(b" ", b"") and b"/CIDFontType2" in content.replace(b" ", b"")
