"""Fonts in PDF files: TrueType, reduced to the glyphs of the figure, and text that can be copied."""

from __future__ import annotations

import io
import re
import zlib

import pytest
from fontTools import subset
from fontTools.ttLib import TTFont

from bioclip_probe.plots.fonts import LAYOUT_TABLES, truetype_fonts
from bioclip_probe.plots.style import PrintedFigure

WORDS = "fish, AVATAR and Corvus"  # with a ligature of DejaVu Sans, and pairs of letters that are kerned


def streams(pdf: bytes) -> list[bytes]:
    """Return the streams of a PDF that are compressed."""
    found = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL)
    return [zlib.decompress(stream) for stream in found if stream[:1] == b"\x78"]


@pytest.fixture(scope="module")
def pdf() -> list[bytes]:
    figure = PrintedFigure(figsize=(3, 1))
    figure.text(0.1, 0.5, WORDS, fontfamily="DejaVu Sans")
    with io.BytesIO() as file:
        figure.savefig(file, format="pdf")
        return streams(file.getvalue())


def test_a_pdf_embeds_the_glyphs_of_a_font_and_no_rules_of_its_layout(pdf):
    content = next(stream for stream in pdf if stream[:4] == b"\x00\x01\x00\x00" and len(stream) > 1000)
    font = TTFont(io.BytesIO(content))
    assert {"glyf", "head", "hmtx", "loca", "maxp"} <= set(font.keys())
    assert not {*LAYOUT_TABLES, "FFTM"} & set(font.keys())  # matplotlib's choice stands, and so does ours
    assert len(font.getGlyphOrder()) < 40


def test_the_text_of_a_pdf_can_be_copied(pdf):
    names = b"".join(stream for stream in pdf if b"begincmap" in stream).lower()
    missing = [letter for letter in "AVTRCorvus" if f"<{ord(letter):04x}>".encode() not in names]
    assert not missing


def test_other_uses_of_fonttools_keep_its_options():
    usual = subset.Options
    with truetype_fonts():
        assert subset.Options is not usual
        assert set(LAYOUT_TABLES) <= set(subset.Options().drop_tables)
    assert subset.Options is usual
    assert "GPOS" not in subset.Options().drop_tables
