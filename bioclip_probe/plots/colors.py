"""Colours of taxa that follow the tree: a clade has one hue, and the clades inside it are shades of it."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.colors import to_hex, to_rgb

from bioclip_probe.plots.style import MUTED, SAFE_COLORS

#: The safe colours, dark ones first: lines of pale ones are hard to see.
HUES = tuple(SAFE_COLORS[number] for number in (0, 2, 4, 5, 1, 3))
#: The palest shade has so much white in it.
PALEST = 0.4


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
