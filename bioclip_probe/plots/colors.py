"""Colours of taxa that follow the tree: a clade has one hue, and the clades inside it are shades around it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.colors import to_hex, to_rgb

from bioclip_probe.plots.style import MUTED, POINT_ALPHA, SAFE_COLORS
from bioclip_probe.plots.vision import shades

#: The safe colours, dark ones first: lines of pale ones are hard to see.
HUES = tuple(SAFE_COLORS[number] for number in (0, 2, 4, 5, 1, 3))
#: The palest shade has so much white in it.
PALEST = 0.4
#: Least distance ΔE of two taxa of one panel, also for readers with deuteranopia, as they are drawn.
APART = 15.0


def drilldown_colors(panels: Sequence[tuple[str, Sequence[str]]], flat: Sequence[str] | None = None) -> dict[str, str]:
    """Return one colour for each taxon of a drill-down: those inside a clade are shades around its hue.

    Parameters
    ----------
    panels : sequence of (str, sequence of str)
        Focus of each panel and its taxa, as paths from the root, from the top of the tree down.
    flat : sequence of str, optional
        Colours of the taxa of each panel, without regard to the clade.

    Returns
    -------
    dict from path to color
        Where the hue of the focus does not hold so many shades that can be told apart, and where the focus has no
        colour, the panel has the safe colours.

    Examples
    --------
    >>> color = drilldown_colors([("", ["Animalia", "Plantae"]), ("Animalia", ["Animalia|Chordata"])])
    >>> [color[path] for path in ("Animalia", "Plantae")]
    ['#332288', '#88ccee']
    >>> color["Animalia|Chordata"] in ("#332288", "#88ccee")
    False
    """
    colors: dict[str, str] = {}
    for focus, taxa in panels:
        base = None if flat else nearest_color(colors, focus)
        nested = shades(base, len(taxa), POINT_ALPHA, APART) if base and taxa else None
        colors |= dict(zip(taxa, nested or flat or SAFE_COLORS, strict=False))
    return colors


def nearest_color(colors: Mapping[str, str], path: str) -> str | None:
    """Return the colour of a taxon, or of the nearest clade above it that has one.

    Parameters
    ----------
    colors : mapping from path to color
    path : str

    Examples
    --------
    >>> nearest_color({"Animalia": "#332288"}, "Animalia|Chordata")
    '#332288'
    """
    names = path.split("|")
    above = ("|".join(names[:depth]) for depth in range(len(names), 0, -1))
    return next((colors[clade] for clade in above if clade in colors), None)


def clade_colors(paths: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Return a colour for each taxon, and the colours of the clades that give the hues.

    Parameters
    ----------
    paths : sequence of str
        Names from the root down, separated by ``|``.

    Returns
    -------
    colors : list of str
        The six largest clades of the first rank with two or more have the `HUES`, in the order of their
        names, and the others are grey. The clades one rank below are shades: mixed with up to 40 % of white.
    legend : dict from name to color
        The clades that give the hues; "others" stands for the grey.

    Examples
    --------
    >>> clade_colors(["Animalia|Chordata", "Animalia|Mollusca"])
    (['#332288', '#117733'], {'Chordata': '#332288', 'Mollusca': '#117733'})
    """
    parts = [path.split("|") for path in paths]
    deepest = max(len(names) for names in parts)
    depth = next((depth for depth in range(1, deepest) if len({tuple(names[:depth]) for names in parts}) > 1), deepest)
    clades = [tuple(names[:depth]) for names in parts]
    largest = sorted(set(clades), key=lambda clade: (-clades.count(clade), clade))[: len(HUES)]
    hues = dict(zip(sorted(largest), HUES, strict=False))
    below = {clade: sorted({tuple(n[: depth + 1]) for n in parts if tuple(n[:depth]) == clade}) for clade in hues}
    colors = []
    for names, clade in zip(parts, clades, strict=True):
        if clade not in hues:
            colors.append(MUTED)
            continue
        shades = below[clade]
        white = PALEST * shades.index(tuple(names[: depth + 1])) / max(len(shades) - 1, 1)
        red, green, blue = (channel + white * (1 - channel) for channel in to_rgb(hues[clade]))
        colors.append(to_hex((red, green, blue)))
    legend = {clade[-1] or "no name": color for clade, color in hues.items()}
    return colors, legend | ({"others": MUTED} if len(set(clades)) > len(hues) else {})
