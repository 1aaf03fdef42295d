"""The drill-down: the published panels, its definition, ties, and missing names."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioclip_probe.projections.drilldown import drill_down
from bioclip_probe.tables import RANKS
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


@pytest.mark.slow
def test_the_published_panels_are_reproduced_exactly(shared_data):
    taxa = pd.read_csv(shared_data / "inat21" / "inat21_taxa.csv")
    placement = taxonomy(taxa.loc[taxa.index.repeat(10)])
    panels = [named(placement, panel) for panel in drill_down(placement)]
    found = [(p["rank"], p["focus"] or "", p["n_images"], dict(p["plotted"]), p["n_taxa"]) for p in panels]
    assert found == PUBLISHED
    assert all([name for name, _ in p["plotted"]] == sorted(name for name, _ in p["plotted"]) for p in panels)


@pytest.mark.slow
@settings(max_examples=40)
@given(lineages())
def test_equals_its_definition(frame):
    placement = taxonomy(frame)
    assert [named(placement, panel) for panel in drill_down(placement)] == definition.drill_down(frame)


@pytest.mark.slow
@settings(max_examples=30)
@given(lineages(holes=True), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing_and_every_image_is_counted(frame, random):
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


def test_ties_go_to_the_first_in_alphabetical_order():
    rows = [(*"KPCOF", f"G{name}", f"G{name} s{k}") for name in "hgfedcba" for k in range(2)]
    placement = taxonomy(pd.DataFrame(rows, columns=list(RANKS)))
    *_, genus, species = [named(placement, panel) for panel in drill_down(placement)]
    assert [name for name, _ in genus["plotted"]] == ["Ga", "Gb", "Gc", "Gd", "Ge", "Gf"]
    assert species["focus"] == "Ga"


def test_a_rank_without_names_has_a_panel_without_taxa_and_keeps_the_focus():
    rows = [("K", "P", "C", None, "F", f"G{k % 2}", f"G{k % 2} s{k}") for k in range(8)]
    placement = taxonomy(pd.DataFrame(rows, columns=list(RANKS)))
    order, family = drill_down(placement, ("order", "family"))
    assert (order.plotted, order.n_taxa, order.n_unnamed) == ((), 0, 8)
    assert family.focus == order.focus
    assert named(placement, family)["plotted"] == [("F", 8)]


def test_panels_are_read_only():
    panel = drill_down(taxonomy(pd.DataFrame([("K", "P", "C", "O", "F", "G", "G s")], columns=list(RANKS))))[0]
    with pytest.raises(ValueError, match="read-only"):
        panel.rows[0] = 1
