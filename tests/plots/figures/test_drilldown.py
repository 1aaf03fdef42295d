"""The drill-down figure: its panels, titles, n, legends, colours, and what it refuses."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from bioclip_probe.errors import DataError
from bioclip_probe.plots import PAPER_COLORS, SAFE_COLORS, FigureSettings
from bioclip_probe.plots.figures.drilldown import draw_drilldown, with_purity
from bioclip_probe.plots.settings import HEIGHTS
from bioclip_probe.plots.style import POINT_ALPHA
from bioclip_probe.tables import MEASUREMENTS
from tests.support.measurement_tables import PANELS, coordinates, texts


def panel(figure, encoder, rank):
    return next(axes for axes in figure.axes if axes.get_label() == f"{encoder} {rank}")


def plain(markup: str) -> str:
    """A label without its italics."""
    for sign, meaning in ((r"$\it{", ""), ("}$", ""), ("{.}", "."), (r"\:", " ")):
        markup = markup.replace(sign, meaning)
    return markup


def test_each_panel_names_its_taxa_and_counts_its_images():
    figure = draw_drilldown(coordinates())
    titles = [plain(axes.get_title()).replace("\n", " ") for axes in figure.axes if axes.get_title()]
    assert titles == [
        "Phyla of Animalia n = 17",
        "Orders of Insecta n = 18",
        "Genera of Carabidae n = 13",
        "Species of Carabus n = 8",
    ]
    for encoder in ("clip", "bioclip"):
        assert not any(panel(figure, encoder, rank).texts for rank in PANELS)  # no text covers a point
    assert panel(figure, "clip", "phylum").get_ylabel() == "CLIP"
    assert any("t-SNE" in text and "paper mode" in text for text in texts(figure))
    assert not any("simulated" in text for text in texts(figure))


def test_points_are_the_plotted_ones_that_are_not_hidden():
    table = coordinates()
    figure = draw_drilldown(table)
    for (encoder, rank), part in table.groupby(["encoder", "rank"]):
        (points,) = panel(figure, encoder, rank).collections
        drawn = part[part["plotted"] & ~part["hidden"]]
        assert sorted(points.get_offsets().tolist()) == sorted(drawn[["x", "y"]].to_numpy().tolist())
        assert points.get_rasterized()
        assert points.get_alpha() == POINT_ALPHA


@pytest.mark.parametrize("colors", [PAPER_COLORS, SAFE_COLORS])
def test_a_taxon_has_its_alphabetical_colour_in_every_model_and_in_the_legend(colors):
    table = coordinates()
    figure = draw_drilldown(table, colors=colors)
    for rank, (_, taxa) in PANELS.items():
        legend = panel(figure, "legend", rank).get_legend()
        entries = {plain(text.get_text()).split("  ")[0]: to_hex(handle.get_color())
                   for text, handle in zip(legend.get_texts(), legend.legend_handles, strict=True)}  # fmt: skip
        expected = dict(zip(sorted(taxa), colors, strict=False))
        shown = {name.replace("Carabus ", "C. ") if rank == "species" else name: c for name, c in expected.items()}
        assert entries == shown
        assert [plain(text.get_text()).split("  ")[1] for text in legend.get_texts()] == [
            str(taxa[n]) for n in sorted(taxa)
        ]
        for encoder in ("clip", "bioclip"):
            part = table[(table["encoder"] == encoder) & (table["rank"] == rank)].set_index(["x", "y"])
            (points,) = panel(figure, encoder, rank).collections
            for place, colour in zip(points.get_offsets(), points.get_facecolors(), strict=True):
                assert to_hex(colour) == expected[part.loc[tuple(place), "taxon"].split("|")[-1]]


@pytest.mark.slow
def test_models_stand_in_the_order_asked_for_and_controls_last():
    settings = FigureSettings(["bioclip", "pixels", "clip"], controls=("pixels",))
    figure = draw_drilldown(coordinates(("pixels", "clip", "bioclip")), settings)
    names = [axes.get_ylabel() for axes in figure.axes if axes.get_ylabel()]
    assert names == ["BioCLIP", "CLIP", "pixels"]


@pytest.mark.slow
def test_three_columns_put_the_ranks_in_two_blocks():
    six = draw_drilldown(coordinates(), columns=6)
    two = draw_drilldown(coordinates(), columns=2)
    assert len(six.axes) == len(two.axes) == 4 * 2 + 4
    left = {round(panel(two, "clip", rank).get_position().x0, 3) for rank in PANELS}
    assert len(left) == 2
    assert panel(two, "clip", "genus").get_position().y1 < panel(two, "legend", "phylum").get_position().y1
    assert two.get_figwidth() == six.get_figwidth()


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 8])
def test_axes_do_not_overlap_and_stay_on_the_page(count):
    names = [f"custom:/a/very/long/way/to/networks/{'x' * 30}{k}.py:make" for k in range(count)]
    figure = draw_drilldown(coordinates(names))
    boxes = [axes.get_position() for axes in figure.axes]
    assert all(0 <= box.x0 < box.x1 <= 1 and 0 <= box.y0 < box.y1 <= 1 for box in boxes)
    for number, one in enumerate(boxes):
        for other in boxes[:number]:
            apart = one.x1 <= other.x0 or other.x1 <= one.x0 or one.y1 <= other.y0 + 1e-9 or other.y1 <= one.y0 + 1e-9
            assert apart
    labels = [axes.get_ylabel() for axes in figure.axes if axes.get_ylabel()]
    assert len(set(labels)) == count


def test_panel_purity_is_printed_under_its_panel():
    rows = [
        {"encoder": encoder, "rank": "order", "taxon": PANELS["order"][0], "metric": metric, "value": value,
         "chance": 0.4, "space": "raw", "simulated": False}
        for encoder, metric, value in [("clip", "panel_purity", 0.61), ("bioclip", "panel_purity", 0.87),
                                       ("bioclip", "panel_purity_2d", 0.83)]
    ]  # fmt: skip
    rows += [{**rows[0], "space": "centred", "value": 0.11}, {**rows[0], "taxon": "Plantae", "value": 0.22}]
    rows.append({**rows[0], "rank": "phylum", "taxon": "Animalia", "value": np.nan})
    figure = draw_drilldown(with_purity(coordinates(), MEASUREMENTS.frame(rows)))
    assert panel(figure, "clip", "order").get_xlabel() == "purity 0.61, chance 0.40\nadjusted 0.35"
    assert panel(figure, "bioclip", "order").get_xlabel() == "purity 0.87, in plane 0.83\nchance 0.40, adjusted 0.78"
    assert panel(figure, "clip", "phylum").get_xlabel() == ""
    twice = MEASUREMENTS.frame([rows[0], rows[0]])
    with pytest.raises(DataError, match="more than one panel purity for clip at order"):
        with_purity(coordinates(), twice)


@pytest.mark.slow
def test_simulated_data_are_marked():
    assert "simulated data" in texts(draw_drilldown(coordinates(), FigureSettings(simulated=True)))
    assert "simulated data" in texts(draw_drilldown(coordinates().assign(simulated=True)))


def test_a_panel_without_a_name_says_so():
    table = coordinates()
    table.loc[table["rank"] == "order", ["taxon", "plotted"]] = [None, False]
    figure = draw_drilldown(table)
    assert "no name at\nthis rank" in [text.get_text() for text in panel(figure, "clip", "order").texts]
    assert not panel(figure, "clip", "genus").texts


def test_a_panel_that_could_not_be_embedded_says_so():
    table = coordinates()
    table.loc[table["rank"] == "species", ["x", "y"]] = np.nan
    figure = draw_drilldown(table)
    assert "cannot be\nembedded" in [text.get_text() for text in panel(figure, "clip", "species").texts]
    assert panel(figure, "clip", "species").get_title().endswith("\nn = 8")


@pytest.mark.slow
def test_a_panel_without_taxa_is_drawn_empty():
    table = coordinates(panels={**PANELS, "family": ("Animalia|Arthropoda|Insecta|Coleoptera", {})})
    figure = draw_drilldown(table)
    assert panel(figure, "legend", "family").get_legend() is None


def test_the_panel_of_all_life_names_no_focus():
    figure = draw_drilldown(coordinates(panels={"kingdom": ("", {"Animalia": 5, "Plantae": 4})}))
    assert panel(figure, "clip", "kingdom").get_title() == "Kingdoms\nn = 12"
    assert any(text.startswith("From kingdom to species") for text in texts(figure))


def test_ranks_of_one_taxon_are_left_out_and_named():
    one_taxon = {rank: (focus, dict(list(taxa.items())[:1])) for rank, (focus, taxa) in PANELS.items()}
    figure = draw_drilldown(coordinates(panels={**one_taxon, "species": PANELS["species"]}))
    assert {axes.get_label().split()[1] for axes in figure.axes} == {"species"}
    assert "one taxon each at phylum, order, genus" in " ".join(texts(figure)).replace("\n", " ")
    assert len(draw_drilldown(coordinates(panels=one_taxon)).axes) == 3  # two models and the legend of the last rank


def test_the_frame_of_a_panel_has_the_colour_of_its_focus_in_the_panel_before():
    panels = {"phylum": PANELS["phylum"], "class": ("Animalia|Arthropoda", {"Arachnida": 3, "Insecta": 5})}
    for mode, colors in (("corrected", SAFE_COLORS), ("paper", PAPER_COLORS)):
        figure = draw_drilldown(coordinates(panels=panels).assign(mode=mode))
        frames = {rank: to_hex(panel(figure, "clip", rank).spines["left"].get_edgecolor()) for rank in panels}
        assert frames["class"] == colors[0] != frames["phylum"]


@pytest.mark.parametrize(("width", "n_models"), [("single", 5), ("slide", 3)])
def test_many_models_fit_on_the_page_with_short_captions_and_their_key(width, n_models):
    models = ["clip", "bioclip", "openclip", "dino", "siglip"][:n_models]
    table = with_purity(coordinates(models).assign(mode="corrected"), PANEL_NUMBERS)
    settings = FigureSettings(width=width)
    figure = draw_drilldown(table, settings)
    assert figure.get_figheight() <= HEIGHTS[width] + 1e-9
    assert "Below each panel: k-means purity · in the plane · chance · adjusted for chance" in texts(figure)
    assert panel(figure, "clip", "phylum").get_xlabel() == "0.60 · – · 0.50 · 0.20"
    few = table[table["encoder"] == "clip"]
    assert "purity 0.60" in panel(draw_drilldown(few, settings), "clip", "phylum").get_xlabel()


PANEL_NUMBERS = pd.DataFrame(
    [{"encoder": encoder, "rank": rank, "taxon": focus, "metric": "panel_purity", "value": 0.6, "chance": 0.5}
     for encoder in ("clip", "bioclip", "openclip", "dino", "siglip") for rank, (focus, _) in PANELS.items()]
)  # fmt: skip


def test_input_is_unchanged_and_the_callers_style_too():
    import matplotlib

    before, size = coordinates(), matplotlib.rcParams["font.size"]
    table = before.copy()
    draw_drilldown(table)
    pd.testing.assert_frame_equal(table, before)
    assert matplotlib.rcParams["font.size"] == size


@pytest.mark.parametrize(
    "spoil, message",
    [
        (lambda t: t.assign(method=["umap"] + ["tsne"] * (len(t) - 1)), "one figure draws one method"),
        (lambda t: t.assign(mode=["corrected"] + ["paper"] * (len(t) - 1)), "one figure draws one mode"),
        (lambda t: t.drop(index=0), "phylum panels hold different images"),
        (lambda t: t[t["encoder"] == "nobody"], "nothing to draw"),
    ],
)
def test_tables_that_do_not_make_one_figure_are_refused(spoil, message):
    with pytest.raises(DataError, match=message):
        draw_drilldown(spoil(coordinates()))


def test_an_absent_model_is_named():
    with pytest.raises(DataError, match=r"the encoder siglip2; the table has: clip, bioclip"):
        draw_drilldown(coordinates(), FigureSettings(["clip", "siglip2"]))
