"""Fonts in saved figures: TrueType, and of each font the glyphs that are drawn and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import matplotlib

#: Tables of a font that choose and place glyphs. matplotlib has done that already, and no reader of a PDF uses them.
LAYOUT_TABLES = ("GDEF", "GPOS", "GSUB", "MATH", "kern")


@contextmanager
def truetype_fonts() -> Iterator[None]:
    """Embed TrueType fonts in the PDF and PostScript files that the block saves, so that their text stays text.

    By default matplotlib draws glyphs as shapes (Type 3), which many journals refuse. It reduces TrueType fonts to the
    glyphs of a figure with fontTools, and keeps their layout tables. To reduce these takes two thirds of the time, so
    they are dropped.

    Examples
    --------
    >>> with truetype_fonts():
    ...     matplotlib.rcParams["pdf.fonttype"]
    42
    """
    from fontTools import subset  # here, because only saving needs it

    usual, reduced = _options()
    with matplotlib.rc_context({"pdf.fonttype": 42, "ps.fonttype": 42}):
        subset.Options = reduced
        try:
            yield
        finally:
            subset.Options = usual


@cache
def _options() -> tuple[type, type]:
    """Return the options with which fontTools reduces a font, and those that drop its layout tables too."""
    from fontTools import subset

    class GlyphOptions(subset.Options):
        """Options that keep the glyphs of a font, and not the rules of its layout."""

        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self.drop_tables += LAYOUT_TABLES

    return subset.Options, GlyphOptions
