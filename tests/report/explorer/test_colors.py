"""Colours of taxa on the page: told apart by readers with a colour-vision deficiency, and nested by clade."""

from __future__ import annotations

import pytest

from tests.support.color_vision import contrast, nearest_pair

pytestmark = pytest.mark.slow

RANKS = ("kingdom", "phylum", "class", "order", "family", "genus", "species")

SHOWN = """() => {
  const rgb = (pixel) => [pixel & 255, (pixel >> 8) & 255, (pixel >> 16) & 255];
  const { taxonomy, theme, taxonColor, colorRank, state } = explorer;
  const taxa = taxonomy.inside(state.values.clade, colorRank);
  return {
    card: rgb(theme.card), grey: rgb(theme.grey), palette: theme.palette.map(rgb),
    taxa: taxa.map((taxon) => [taxonomy.size(taxon), rgb(taxonColor[taxon])]),
    points: [...new Set(explorer.colors)].map(rgb),
  };
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colors_of_taxa_shown_at_once_are_told_apart(open_page, scheme):
    page = open_page(color_scheme=scheme)
    for clade in ("", "Ta", "Ta|Taa|Taaa"):
        for rank in RANKS:
            page.evaluate("(hash) => { location.hash = hash; }", f"clade={clade.replace('|', '%7C')}&color={rank}")
            page.wait_for_function("(rank) => explorer.taxonomy.ranks[explorer.colorRank] === rank", arg=rank)
            shown = page.evaluate(SHOWN)
            assert {tuple(color) for color in shown["points"]} <= {tuple(c) for c in [*shown["palette"], shown["grey"]]}
            for deficiency in ("deuteranopia", "protanopia", "none"):
                assert nearest_pair([*shown["palette"], shown["grey"]], deficiency) >= 15
            assert all(contrast(color, shown["card"]) >= 3 for color in [*shown["palette"], shown["grey"]])


def test_the_largest_taxa_have_colors_whose_hues_follow_the_tree(open_page):
    page = open_page("study.html#color=order")
    shown = page.evaluate(SHOWN)
    assert len(shown["taxa"]) == 24
    colored = [(size, color) for size, color in shown["taxa"] if color != shown["grey"]]
    assert len(colored) == 12
    places = [shown["palette"].index(color) for _, color in colored]
    assert places == sorted(set(places)), "each has its own colour, and relatives have neighbouring ones"
    assert min(size for size, _ in colored) >= max(size for size, c in shown["taxa"] if c == shown["grey"])
    assert page.locator(".chips").inner_text().endswith("and 12 more, all grey")


def test_a_chosen_taxon_is_colored_however_small(open_page):
    page = open_page("study.html#clade=Tc%7CTcb%7CTcbb%7CTcbbb&color=class")
    own = page.evaluate("explorer.taxonColor[explorer.state.values.clade]")
    assert own in page.evaluate("explorer.theme.palette")
