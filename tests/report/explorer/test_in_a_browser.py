"""The explorer in the browser of the system: what it draws, and how it answers pointer and keys."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from tests.support.color_vision import contrast
from tests.support.explorer_study import made_up_contents, thumbnail_color
from tests.support.page_texts import TEXTS
from tests.support.panel_picture import GOLDEN, panel_picture

pytestmark = pytest.mark.slow  # 20 s together

CONTENTS = made_up_contents()
TREE, NODE = CONTENTS.placement.tree, CONTENTS.placement.node
N = len(NODE)
KINGDOM = np.isin(NODE, range(1, TREE.stop[1]))


def state(page, name):
    return page.evaluate(f"explorer.state.values.{name}")


def clade(page):
    return page.evaluate("explorer.taxonomy.path(explorer.state.values.clade)")


def box_of(page, taxon):
    """Return the middle of the box of a taxon of the icicle, in the window."""
    box = page.locator("#icicle").bounding_box()
    left, width = page.evaluate(f"explorer.icicle.columns[explorer.taxonomy.rank[{taxon}]]")
    first, last = page.evaluate(f"[explorer.taxonomy.first[{taxon}], explorer.taxonomy.last[{taxon}]]")
    return box["x"] + left + width / 2, box["y"] + box["height"] * (first + last) / 2 / N


def point_of(page, picture, panel=0):
    """Return where a picture is in a panel, in the window."""
    box = page.locator(".points").nth(panel).bounding_box()
    own = f"explorer.panels[{panel}]"
    x, y = page.evaluate(f"['x', 'y'].map((axis) => {own}.points[axis][{picture}] / {own}.pixels)")
    return box["x"] + x, box["y"] + y


def test_every_picture_is_in_every_panel_and_in_the_taxonomy(open_page):
    page = open_page()
    assert page.evaluate("explorer.panels.map((panel) => panel.nDrawn)") == [N] * 3
    assert page.evaluate("[...explorer.taxonomy.rank.keys()].map((t) => explorer.taxonomy.size(t))") == [
        int(np.isin(NODE, range(t, TREE.stop[t])).sum()) for t in range(len(TREE))
    ]
    assert page.evaluate("[...explorer.taxonomy.stop]") == TREE.stop.tolist()
    assert page.evaluate(f"Array.from({{length: {len(TREE)}}}, (_, t) => explorer.taxonomy.path(t))") == TREE.paths
    assert page.locator("#panels .model-name").all_inner_texts() == ["Model 0", "Model 1", "Model 2"]
    assert f"{N} pictures of 192 species" in page.locator("header").inner_text()


def mean_colors(x, y, colors, size, radius):
    """The definition: each pixel has the mean colour of the discs that cover it, weighted by how far they do."""
    cover = np.hypot(np.arange(size)[:, None, None] - np.round(y), np.arange(size)[None, :, None] - np.round(x))
    weight = np.round(np.clip(radius + 0.5 - cover, 0, 1) * 16) * (np.clip(radius + 0.5 - cover, 0, 1) > 0.08)
    total = weight.sum(axis=2)
    mean = weight @ colors / np.maximum(total, 1)[:, :, None]
    return np.where(total[:, :, None] > 0, mean, 0), np.round(255 * np.minimum(total / 16, 1))


def drawn_points(page, x, y, colors, size, radius):
    """Return the pixels (size, size, 4) of points that the page's rasteriser has drawn at rest."""
    draw = """([x, y, colors, size, radius]) => {
      const raster = new explorer.panels[0].raster.constructor(document.createElement("canvas"));
      raster.resize(size, size);
      const n = x.length;
      const color = Uint32Array.from(colors, ([r, g, b]) => ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0);
      raster.draw({ x, y, color, begin: 0, end: n, first: 0, last: n, fade: 0 }, radius, true);
      return [...raster.image.data];
    }"""
    image = page.evaluate(draw, [list(map(float, x)), list(map(float, y)), np.array(colors).tolist(), size, radius])
    return np.array(image).reshape(size, size, 4)


def test_each_pixel_takes_the_mean_colour_of_its_points_in_any_order(open_page):
    rng, size, radius = np.random.default_rng(0), 24, 2.5
    x, y, colors = rng.uniform(4, 20, 30), rng.uniform(4, 20, 30), rng.integers(0, 256, (30, 3))
    page = open_page()
    mean, alpha = mean_colors(x, y, colors, size, radius)
    for order in (np.arange(30), rng.permutation(30)):
        image = drawn_points(page, x[order], y[order], colors[order], size, radius)
        assert np.abs(image[:, :, 3] - alpha).max() <= 1
        assert np.abs(image[:, :, :3] - mean).max() <= 1


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_two_points_at_one_place_show_the_mean_of_their_colours(open_page, order):
    red, blue = (200, 40, 10), (20, 60, 240)
    colors = [(red, blue)[number] for number in order]
    image = drawn_points(open_page(), [10, 10], [10, 10], colors, 24, 3)
    assert image[10, 10].tolist() == [110, 50, 125, 255]
    apart = drawn_points(open_page(), [6, 18], [10, 10], colors, 24, 3)
    assert apart[10, 6].tolist() == [*colors[0], 255]
    assert apart[10, 18].tolist() == [*colors[1], 255]


def test_the_canvas_is_the_golden_picture(open_page):
    # Made by `python -m tests.support.panel_picture`. Rounding may move a point: 1 % of the pixels may differ.
    golden = np.asarray(Image.open(GOLDEN)).astype(int)
    drawn = panel_picture(open_page()).astype(int)
    assert drawn.shape == golden.shape
    assert np.mean(np.abs(drawn - golden).max(axis=2) > 8) < 0.01
    other = panel_picture(open_page("study.html#color=order")).astype(int)
    assert np.mean(np.abs(other - golden).max(axis=2) > 8) > 0.05, "other colours are not the golden picture"


def test_the_pictures_of_a_box_stay_and_others_fade(open_page):
    page = open_page()
    page.mouse.move(*box_of(page, 1))
    assert state(page, "hoverClade") == 1
    assert page.locator("#about-box").inner_text().startswith("Kingdom Ta: 256 pictures, 64 species")
    page.wait_for_timeout(300)
    counts = """(() => {
      const { raster } = explorer.panels[0], { fade } = explorer.theme, own = explorer.taxonColor[1];
      return [fade, own].map((color) => raster.pixels.filter((pixel) => pixel === color).length);
    })()"""
    faded, bright = page.evaluate(counts)
    assert faded > bright > 100
    page.mouse.move(2, 2)
    page.wait_for_timeout(300)
    assert page.evaluate(counts)[0] == 0


def test_a_click_descends_into_the_refitted_clade_and_escape_goes_up(open_page):
    page = open_page()
    page.mouse.click(*box_of(page, 1))
    assert clade(page) == "Ta"
    assert page.locator("#crumbs").inner_text().split("\n") == ["All pictures", "Ta"]
    assert page.locator(".panel-caption").all_inner_texts() == ["refitted to this clade"] * 3
    assert page.evaluate("explorer.panels.map((panel) => panel.nDrawn)") == [KINGDOM.sum()] * 3
    page.mouse.click(*box_of(page, 2)[:1], page.locator("#icicle").bounding_box()["y"] + 30)
    assert clade(page) == "Ta|Taa"
    assert page.locator(".panel-caption").first.inner_text() == "a part of the map of all"
    page.keyboard.press("Escape")
    assert clade(page) == "Ta"
    page.go_back()
    assert clade(page) == "Ta|Taa"


def test_the_hash_holds_what_is_chosen(open_page):
    page = open_page("study.html#clade=Tb%7CTba&map=umap&color=order&model=Model+1&model=model-1&picture=picture-300")
    assert clade(page) == "Tb|Tba"
    assert (state(page, "method"), state(page, "color"), state(page, "picture")) == ("umap", 4, 300)
    page.keyboard.press("m")
    again = open_page(f"study.html{page.evaluate('location.hash')}")
    assert clade(again) == "Tb|Tba"
    assert state(again, "method") == "tsne"
    assert clade(open_page("study.html#clade=nowhere&picture=none&map=x&color=y&tint=z&model=w")) == ""


def test_a_picture_shows_its_lineage_and_its_true_neighbors_in_every_panel(open_page):
    page = open_page()
    page.mouse.move(*point_of(page, 5, panel=2))
    picture = state(page, "hoverPicture")
    nearest = page.evaluate("explorer.models.map((model) => explorer.neighborsOf(model, explorer.state.shownPicture))")
    assert nearest == [model.neighbors.nearest[picture].tolist() for model in CONTENTS.models]
    for panel in range(3):
        assert page.locator(".marks").nth(panel).locator(".line").count() == 5
    names = [TREE.name[node] for node in (NODE[picture], TREE.parent[NODE[picture]])]
    assert page.locator(".lineage li").all_inner_texts()[::-1][:2] == names
    assert page.locator(".neighbors").count() == 3
    page.mouse.click(*point_of(page, picture, panel=2))
    page.mouse.move(2, 2)
    assert (state(page, "hoverPicture"), state(page, "picture")) == (-1, picture)
    thumbnail = page.locator(".picture-head .thumbnail[data-drawn]")
    thumbnail.wait_for()
    color = thumbnail.evaluate("(canvas) => [...canvas.getContext('2d').getImageData(50, 50, 1, 1).data]")
    assert np.abs(np.array(color[:3]) - thumbnail_color(picture)).max() < 12


def test_search_finds_taxa_common_names_and_pictures(open_page):
    page = open_page()
    page.keyboard.press("/")
    page.keyboard.type("TAAB")
    assert page.locator("#hits li").first.inner_text().split() == ["Taab", "class"]
    page.keyboard.press("Enter")
    assert clade(page) == "Ta|Taa|Taab"
    page.fill("#search", "magpie")
    assert "magpie" in page.locator("#hits li").inner_text()
    page.fill("#search", "picture-767")
    page.keyboard.press("Enter")
    assert (state(page, "picture"), clade(page)) == (767, "")
    page.fill("#search", "no such name")
    assert page.locator("#hits").inner_text() == "nothing of that name"


def test_everything_works_by_keys(open_page):
    page = open_page()
    page.focus("#icicle")
    for key in ("ArrowRight", "ArrowDown", "ArrowRight"):
        page.keyboard.press(key)
    assert page.locator("#said").inner_text().startswith("phylum Tba: 128 pictures")
    page.keyboard.press("Enter")
    assert clade(page) == "Tb|Tba"
    page.keyboard.press("]")
    assert state(page, "picture") == 256
    page.keyboard.press("[")
    assert state(page, "picture") == 256 + 127
    page.keyboard.press("Escape")
    assert (state(page, "picture"), clade(page)) == (-1, "Tb|Tba")
    page.focus(".points")
    scale = page.evaluate("explorer.panels[0].view.scale")
    page.keyboard.press("+")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("explorer.panels[0].view.scale") > scale
    page.keyboard.press("0")
    assert page.evaluate("explorer.panels[0].view.scale") == pytest.approx(scale)
    page.keyboard.press("?")
    assert page.locator("#help").is_visible()


def test_purity_and_strays_are_those_of_the_neighbors(open_page):
    page = open_page("study.html#clade=Ta&model=model-2")
    neighbors = CONTENTS.models[2].neighbors
    page.locator("#purity summary").click()
    shown = page.locator("#purity tbody tr").nth(2).locator("td").all_inner_texts()
    for rank in range(6):
        own = CONTENTS.placement.at(("kingdom", "phylum", "class", "order", "family", "genus")[rank])
        assert float(shown[rank]) == pytest.approx((own == own[neighbors.relative])[KINGDOM].mean(), abs=6e-4)
    nearest = neighbors.nearest[:, 0]
    assert float(shown[6]) == pytest.approx((NODE[nearest] == NODE)[KINGDOM].mean(), abs=6e-4)
    strays = np.flatnonzero(KINGDOM & ~KINGDOM[nearest])
    assert f"of {len(strays)} of 256 pictures is outside this clade" in page.locator("#strays").inner_text()
    worst = strays[np.argmax(neighbors.similarity[strays, 0])]
    page.locator(".stray").first.click()
    assert state(page, "picture") == worst


def test_strays_of_all_are_those_of_another_kingdom(open_page):
    page = open_page("study.html#model=model-1")
    kingdom, nearest = CONTENTS.placement.at("kingdom"), CONTENTS.models[1].neighbors.nearest[:, 0]
    n_strays = int((kingdom != kingdom[nearest]).sum())
    assert f"the nearest picture of {n_strays} of {N} pictures is of another kingdom" in page.inner_text("#strays")
    few = open_page("birds.html")  # of no kingdom, and of two genera
    assert few.inner_text("#strays").startswith("In the eyes of corvids, the nearest picture of 1 of 3 pictures is of")
    few.fill("#search", "Corvus corax")
    few.keyboard.press("Enter")
    assert "is outside this clade" in few.inner_text("#strays")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_and_every_control_has_a_name(open_page, scheme):
    page = open_page("study.html#picture=picture-5&clade=Ta", color_scheme=scheme)
    page.keyboard.press("?")
    texts = page.evaluate(TEXTS)
    assert len(texts) > 100
    assert [(tag, ink, paper) for tag, ink, paper in texts if contrast(ink[:3], paper[:3]) < 4.5] == []
    card = page.evaluate("[0, 8, 16].map((shift) => (explorer.theme.card >> shift) & 255)")
    for color in page.evaluate("explorer.study.models.map((model) => model.color)"):
        assert contrast([int(color[at : at + 2], 16) for at in (1, 3, 5)], card) >= 3
    unnamed = """[...document.querySelectorAll("button, select, input, canvas[tabindex]")].filter(
      (one) => !(one.ariaLabel || one.labels?.length || one.textContent.trim() || one.title)).length"""
    assert page.evaluate(unnamed) == 0
    assert page.evaluate("document.querySelectorAll('th:not([scope])').length") == 0


def test_dark_and_paper(open_page):
    page = open_page(color_scheme="dark")
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert sum(map(int, dark[4:-1].split(","))) < 150
    page.evaluate("addEventListener('beforeprint', () => (window.printed = document.documentElement.dataset.theme))")
    assert page.pdf(format="A4").startswith(b"%PDF")
    assert page.evaluate("window.printed") == "light"
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_nothing_is_cut_on_a_phone(open_page):
    page = open_page(viewport={"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert page.locator(".points").first.bounding_box()["width"] > 300


def test_hostile_names_are_text(open_page):
    page = open_page("hostile.html")
    assert page.title() != "hacked"
    assert page.evaluate("document.images.length") == 0
    assert page.locator("h1").inner_text().startswith("</script><script>document.title='hacked'</script>")
    page.keyboard.press("/")
    page.keyboard.type("</script>")
    assert page.locator("#hits li").first.inner_text().startswith("</script><script>")
    page.keyboard.press("Enter")
    page.mouse.move(*point_of(page, 3))
    assert page.evaluate("document.images.length") == 0
    assert page.evaluate("document.scripts.length") == 4, "study, data, one atlas, and the program"


def test_few_birds_without_pictures_measurements_and_kingdoms(open_page):
    page = open_page("birds.html")
    assert page.locator(".panel-caption").inner_text() == "too few pictures for a map"
    assert state(page, "tint") == "stay", "nothing was measured"
    assert page.locator("#thumbnail, .thumbnail").count() == 0
    page.fill("#search", "Pica")
    page.keyboard.press("Enter")
    assert clade(page) == "|||||Pica"
    page.keyboard.press("]")
    assert page.locator(".lineage li").all_inner_texts() == ["Pica", "Pica hudsonia"]
    assert [text.split("\n")[0] for text in page.locator(".neighbor").all_inner_texts()] == [
        "Pica pica",
        "Corvus corax",
    ]


def test_a_notebook_shows_the_page_in_a_frame(open_page, pages):
    from bioclip_probe.report.explorer import Explorer

    explorer = Explorer((pages / "study.html").read_text("utf-8"))
    (pages / "notebook.html").write_text(f"<html data-ready>{explorer._repr_html_()}", "utf-8")
    page = open_page("notebook.html")
    frame = page.frame_locator("iframe")
    frame.locator("html[data-ready]").wait_for()
    frame.locator("#crumbs").get_by_text("All pictures").wait_for()
    frame.locator(".chip").first.click()
    assert frame.locator("#crumbs li").count() == 2
