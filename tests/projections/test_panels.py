"""The drill-down: the published panels, its definition, ties, holes; and the table of coordinates."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioclip_probe.errors import ProbeError
from bioclip_probe.projections import FIGURE_RANKS, METHODS, catalogue, drill_down, is_outlier, project, record
from bioclip_probe.tables import COORDINATES, RANKS
from bioclip_probe.tree import taxonomy
from tests.definitions import projections as definition

#: FACTS of the published figure: rank, focus, images embedded, plotted taxa with their images, taxa at that rank.
PUBLISHED = [
    ("kingdom", "", 100_000, {"Animalia": 53_880, "Plantae": 42_710, "Fungi": 3_410}, 3),
    ("phylum", "Animalia", 53_880, {"Arthropoda": 27_520, "Chordata": 24_160, "Mollusca": 1_690, "Cnidaria": 260,
                                    "Echinodermata": 210, "Annelida": 40}, 6),
    ("class", "Arthropoda", 27_520, {"Insecta": 25_260, "Arachnida": 1_530, "Malacostraca": 540, "Hexanauplia": 70,
                                     "Diplopoda": 60, "Chilopoda": 50}, 7),
    ("order", "Insecta", 25_260, {"Lepidoptera": 14_300, "Odonata": 2_910, "Coleoptera": 2_360, "Hymenoptera": 1_770,
                                  "Hemiptera": 1_640, "Orthoptera": 980}, 17),
    ("family", "Lepidoptera", 14_300, {"Nymphalidae": 2_340, "Erebidae": 1_790, "Geometridae": 1_770,
                                       "Noctuidae": 1_770, "Lycaenidae": 1_060, "Crambidae": 930}, 43),
    ("genus", "Nymphalidae", 2_340, {"Junonia": 130, "Chlosyne": 100, "Vanessa": 100, "Polygonia": 80, "Danaus": 70,
                                     "Limenitis": 70}, 103),
    ("species", "Junonia", 130, {f"Junonia {epithet}": 10 for epithet in
                                 ("almana", "atlites", "coenia", "genoveva", "hedonia", "hierta")}, 13),
]  # fmt: skip

#: Names from a small set, so that ties are common; a name says its rank, so that no two taxa share one.
NAMES = {rank: [f"{rank.capitalize()}{letter}" for letter in "abcdefghi"] for rank in RANKS[:-1]}


def named(placement, panel) -> dict:
    """A panel by the names of its taxa."""
    name = placement.tree.name
    return {
        "rank": panel.rank,
        "focus": None if panel.focus == 0 else name[panel.focus],
        "n_images": panel.n_images,
        "n_unnamed": panel.n_unnamed,
        "plotted": [(name[node], count) for node, count in zip(panel.plotted, panel.n_plotted, strict=True)],
        "n_taxa": panel.n_taxa,
    }


@st.composite
def lineages(draw, holes: bool = False) -> pd.DataFrame:
    """Made-up lineages with ties; a taxon has one parent unless holes move it."""
    rows = []
    for number in draw(st.lists(st.integers(0, 400), min_size=1, max_size=60)):
        digits = [0, 0, 0, number % 3, (number % 3) * 3 + number % 2, number % 9, number]
        row = {rank: NAMES[rank][digit] for rank, digit in zip(RANKS[:-1], digits, strict=False)}
        row["genus"] = f"Genus{row['family'][-1]}{number % 9}"
        row["species"] = f"{row['genus']} s{number:03d}"
        if holes and number % 5 == 0:
            row[RANKS[number % 7]] = np.nan
        rows.append(row)
    return pd.DataFrame(rows, columns=list(RANKS), dtype="str")


def vectors_for(placement, seed: int = 0, dimension: int = 8) -> np.ndarray:
    """Embeddings that have something to do with the species."""
    rng = np.random.default_rng(seed)
    taxa = rng.normal(size=(len(placement.tree), dimension))
    vectors = taxa[placement.node] + 0.3 * rng.normal(size=(len(placement.node), dimension))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def beetles():
    """Seven orders' worth of species, some rows without a family, one without any name."""
    rows = []
    for number in range(90):
        order, family, genus = number % 7 % 4, number % 13 % 5, number % 5
        rows.append(
            ("Animalia", "Arthropoda", "Insecta", f"Order{order}", f"Fam{order}{family}", f"Gen{family}{genus}")
        )
    frame = pd.DataFrame(rows, columns=list(RANKS[:-1]), dtype="str")
    frame["species"] = frame["genus"] + " " + pd.Series(np.arange(90) % 3).map(lambda k: "abc"[k] * 3)
    frame.loc[[3, 10, 24], "family"] = np.nan
    frame.loc[5, :] = np.nan
    return taxonomy(frame)


def test_the_published_panels_come_out_exactly(shared_data):
    taxa = pd.read_csv(shared_data / "inat21" / "inat21_taxa.csv")
    placement = taxonomy(taxa.loc[taxa.index.repeat(10)])
    panels = [named(placement, panel) for panel in drill_down(placement)]
    found = [(p["rank"], p["focus"] or "", p["n_images"], dict(p["plotted"]), p["n_taxa"]) for p in panels]
    assert found == PUBLISHED
    assert all([name for name, _ in p["plotted"]] == sorted(name for name, _ in p["plotted"]) for p in panels)


@given(lineages())
def test_equals_its_definition(frame):
    placement = taxonomy(frame)
    assert [named(placement, panel) for panel in drill_down(placement)] == definition.drill_down(frame)


@settings(max_examples=40)
@given(lineages(holes=True), st.randoms(use_true_random=False))
def test_order_of_rows_is_irrelevant_and_no_image_is_lost(frame, random):
    order = list(range(len(frame)))
    random.shuffle(order)
    one = taxonomy(frame)
    other = taxonomy(frame.iloc[order].reset_index(drop=True))
    first, second = drill_down(one), drill_down(other)
    assert [named(one, panel) for panel in first] == [named(other, panel) for panel in second]
    for panel, shuffled in zip(first, second, strict=True):
        assert panel.rows.tolist() == sorted(order[row] for row in shuffled.rows)
        _, counts = np.unique(panel.taxon[panel.taxon >= 0], return_counts=True)
        assert counts.sum() + panel.n_unnamed == panel.n_images


def test_ties_go_to_the_alphabetically_first():
    rows = [(*"KPCOF", f"G{name}", f"G{name} sp{k}") for name in "hgfedcba" for k in range(2)]
    placement = taxonomy(pd.DataFrame(rows, columns=list(RANKS)))
    *_, genus, species = [named(placement, panel) for panel in drill_down(placement)]
    assert [name for name, _ in genus["plotted"]] == ["Ga", "Gb", "Gc", "Gd", "Ge", "Gf"]
    assert species["focus"] == "Ga"


def test_a_rank_without_names_has_a_panel_without_taxa_and_the_walk_goes_on():
    rows = [("K", "P", "C", None, "F", f"G{k % 2}", f"G{k % 2} s{k}") for k in range(8)]
    placement = taxonomy(pd.DataFrame(rows, columns=list(RANKS)))
    order, family = drill_down(placement, ("order", "family"))
    assert (order.plotted, order.n_taxa, order.n_unnamed) == ((), 0, 8)
    assert family.focus == order.focus
    assert named(placement, family)["plotted"] == [("F", 8)]


def test_panels_are_read_only(beetles):
    panel = drill_down(beetles)[0]
    with pytest.raises(ValueError, match="read-only"):
        panel.rows[0] = 1


def test_project_gives_the_declared_columns_and_every_image(beetles):
    vectors = vectors_for(beetles)
    before = vectors.copy()
    table = project(vectors, beetles, method="pca")
    assert np.array_equal(vectors, before)
    full = table.drop(columns="row").assign(run="r", encoder="e", dataset="d", image_id="i")
    COORDINATES.check(COORDINATES.frame(full))
    assert table["row"].dtype == np.int64
    for panel in drill_down(beetles, FIGURE_RANKS):
        part = table[table["rank"] == panel.rank]
        assert part["row"].tolist() == panel.rows.tolist()
        assert (part["focus"] == beetles.tree.path(panel.focus)).all()
        assert part["taxon"].isna().sum() == panel.n_unnamed
        assert part["plotted"].sum() == sum(panel.n_plotted)
        if panel.n_images < 5:
            continue
        own = METHODS["pca"].embed(vectors[panel.rows], np.random.default_rng(0))
        np.testing.assert_array_equal(part[["x", "y"]].to_numpy(), own)
        for _, taxon in part[part["plotted"]].groupby("taxon"):
            assert taxon["hidden"].tolist() == is_outlier(taxon[["x", "y"]].to_numpy(), "corrected").tolist()


def test_modes_share_their_coordinates_and_a_rank_left_out_changes_no_other(beetles):
    vectors = vectors_for(beetles)
    both = {
        mode: project(vectors, beetles, "tsne", mode, seed=7, ranks=("class", "order"))
        for mode in ("paper", "corrected")
    }
    pd.testing.assert_frame_equal(both["paper"][["x", "y", "row"]], both["corrected"][["x", "y", "row"]])
    alone = project(vectors, beetles, "tsne", "paper", seed=7, ranks=("order",))
    among = both["paper"][both["paper"]["rank"] == "order"].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, among)


def test_what_cannot_be_embedded_keeps_its_rows_and_says_why(beetles):
    vectors = vectors_for(beetles)
    rows = drill_down(beetles, ("genus",))[0].rows
    vectors[rows] = vectors[rows[0]]
    table = project(vectors, beetles, "pca")
    notes = {entry["rank"]: entry for entry in record(vectors, beetles, "pca")}
    assert notes["genus"]["note"] == "all embeddings are the same"
    assert notes["species"]["note"] == f"{notes['species']['n_images']} images; an embedding needs 5"
    assert notes["order"]["note"] == ""
    for rank in ("genus", "species"):
        part = table[table["rank"] == rank]
        assert len(part) == notes[rank]["n_images"] > 0
        assert part["x"].isna().all()
        assert not part["hidden"].any()
        assert notes[rank]["settings"] == {}


def test_record_is_json_and_states_the_settings_used(beetles):
    entries = json.loads(json.dumps(record(vectors_for(beetles), beetles, "tsne", seed=3)))
    assert [entry["rank"] for entry in entries] == list(FIGURE_RANKS)
    small = next(entry for entry in entries if 5 <= entry["n_images"] <= 30)
    assert small["settings"]["perplexity"] == pytest.approx((small["n_images"] - 1) / 3)
    assert small["seed"] == 3
    assert sum(entries[2]["plotted"].values()) <= entries[2]["n_images"]


@pytest.mark.parametrize(
    "change, message",
    [
        ({"method": "tnse"}, r"unknown projection 'tnse'.*tsne, umap, pca"),
        ({"mode": "fixed"}, r"unknown mode 'fixed'.*paper, corrected"),
    ],
)
def test_unknown_names_are_answered_with_the_known_ones(beetles, change, message):
    with pytest.raises(ProbeError, match=message):
        project(vectors_for(beetles), beetles, **change)


def test_rows_must_match_and_be_finite(beetles):
    vectors = vectors_for(beetles)
    with pytest.raises(ProbeError, match="one vector for each of 90 images"):
        project(vectors[1:], beetles)
    vectors[4, 0] = np.nan
    with pytest.raises(ProbeError, match="1 vectors have values that are not finite"):
        project(vectors, beetles)


def test_catalogue_lists_every_method():
    assert catalogue()["name"].tolist() == list(METHODS)
