"""The settings that all figures share: models, width, space, tree and heading."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bioclip_probe.errors import ProbeError
from bioclip_probe.tables import check_no_text

#: Width of a figure on paper or on a screen, in inches: a column of a journal, its page, a slide of 16:9.
WIDTHS = {"single": 3.4, "double": 7.1, "slide": 13.33}
#: Heights in inches that no figure exceeds as long as its panels keep a size that can be read.
HEIGHTS = {"single": 9.0, "double": 9.0, "slide": 7.5}
SPACES = ("raw", "centred")


@dataclass(frozen=True)
class FigureSettings:
    """The models that a figure draws, the rows it draws of them, its width, and what stands at its head.

    Attributes
    ----------
    models : sequence of str, optional
        Encoders to draw, in this order; all encoders of the table by default. Controls come last.
    controls : sequence of str
        Names of the encoders that are controls, as the record of the run says. They are drawn in grey.
    title : str
        Heading; every figure has one of its own by default.
    simulated : bool
        Print the words "simulated data" on the figure. A table that says so in its rows prints them too.
    width : str
        ``single`` (3.4 in, one column), ``double`` (7.1 in, a page) or ``slide`` (13.33 in: the page with everything
        enlarged, and not higher than 7.5 in).
    space : str
        ``raw`` or ``centred`` embeddings.
    tree : str
        The tree, as in the column ``tree`` of measurements. Empty: the primary endpoints are read on the phylogeny
        where there is one, and all other numbers on the taxonomy. Numbers that are defined on ranks only are always
        read on the taxonomy.

    Raises
    ------
    ProbeError
        If there is no such width or space.

    Examples
    --------
    >>> FigureSettings(width="slide").page
    7.1
    >>> FigureSettings(width="triple")
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.ProbeError: no width 'triple'; expected one of: single, double, slide
    """

    models: Sequence[str] | None = None
    controls: Sequence[str] = ()
    title: str = ""
    simulated: bool = False
    width: str = "double"
    space: str = "raw"
    tree: str = ""

    def __post_init__(self) -> None:
        check_no_text("models", self.models)
        for kind, value, known in (("width", self.width, WIDTHS), ("space", self.space, SPACES)):
            if value not in known:
                raise ProbeError(f"no {kind} '{value}'; expected one of: {', '.join(known)}")

    @property
    def page(self) -> float:
        """Width in inches for which the figure is laid out; a slide is laid out as a page."""
        return min(WIDTHS[self.width], WIDTHS["double"])

    @property
    def tallest(self) -> float:
        """Height in inches of the layout that a figure does not exceed: a page of a journal, or a slide."""
        return HEIGHTS[self.width] / self.scale

    @property
    def scale(self) -> float:
        """Factor by which everything is enlarged after the layout."""
        return WIDTHS[self.width] / self.page
