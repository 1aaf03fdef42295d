import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioclip_probe.tables import RANKS
from bioclip_probe.tree import clean_lineages
from bioclip_probe.tree.filling import fill_lineages
from tests.support.strategies import lineage_tables

MAGPIE = ("Animalia", "Chordata", "Aves", "Passeriformes", "Corvidae", "Pica", "Pica hudsonia")
RAVEN = (*MAGPIE[:5], "Corvus", "Corvus corax")
GANNET = (*MAGPIE[:3], "Suliformes", "Sulidae", "Morus", "Morus bassanus")
MULBERRY = ("Plantae", "Tracheophyta", "Magnoliopsida", "Rosales", "Moraceae", "Morus", "Morus alba")


def table(*rows) -> pd.DataFrame:
    return pd.DataFrame([list(row) for row in rows], columns=list(RANKS), dtype="str")


def without(row, *ranks):
    return tuple(None if rank in ranks else name for rank, name in zip(RANKS, row, strict=True))


def lists(frame) -> list[tuple]:
    values = frame.astype(object)
    return list(values.where(values.notna(), None).itertuples(index=False, name=None))


@pytest.mark.parametrize("rank", RANKS[:-1])
def test_a_rank_that_others_of_the_species_give_is_filled_and_noted(rank):
    filled, filling = fill_lineages(table(MAGPIE, without(MAGPIE, rank), RAVEN))
    assert lists(filled) == [MAGPIE, MAGPIE, RAVEN]
    assert filling.rows[rank].tolist() == [1]
    assert filling.notes == [
        f"the {rank} of 1 images was filled, all others of their taxon agree: {MAGPIE[RANKS.index(rank)]}"
    ]
    assert filling.n_split == 1


def test_another_species_of_the_genus_or_of_the_family_fills_too():
    nuttalli = (*without(MAGPIE, "order", "class")[:6], "Pica nuttalli")
    monedula = (None, None, None, None, "Corvidae", "Coloeus", "Coloeus monedula")
    filled = lists(fill_lineages(table(MAGPIE, nuttalli, monedula))[0])
    assert filled[1][:6] == MAGPIE[:6]
    assert filled[2][:5] == MAGPIE[:5]


def test_rows_of_another_taxon_of_the_same_name_do_not_count():
    animal = ("Animalia", *[None] * 4, "Morus", "Morus capensis")
    plant = (*[None] * 4, "Moraceae", "Morus", None)
    filled = lists(fill_lineages(table(GANNET, MULBERRY, animal, plant))[0])
    assert filled[2] == (*GANNET[:6], "Morus capensis")
    assert filled[3] == (*MULBERRY[:6], None)


def test_a_name_under_several_parents_is_left_and_named():
    filled, filling = fill_lineages(table(GANNET, MULBERRY, (*[None] * 5, "Morus", None)))
    assert lists(filled)[2] == (*[None] * 5, "Morus", None)
    assert filling.contradictions["family"] == {"Morus": 1}
    assert (
        "the order of 1 images stays missing, other images of their taxon contradict each other: Morus" in filling.notes
    )


def test_sources_that_contradict_each_other_are_not_guessed():
    other = (*MAGPIE[:3], "Corviformes", *MAGPIE[4:])
    filled, filling = fill_lineages(table(MAGPIE, MAGPIE, other, without(MAGPIE, "order")))
    assert lists(filled)[3] == without(MAGPIE, "order")
    assert (filling.rows, filling.contradictions) == ({}, {"order": {"Pica hudsonia": 1}})
    # One species agrees, but says what nobody else says of its family.
    lonely = (*[None] * 3, "Piciformes", None, "Pica", "Pica hudsonia")
    filled, filling = fill_lineages(table(RAVEN, lonely, (*[None] * 4, "Corvidae", "Pica", "Pica hudsonia")))
    assert filling.contradictions["order"] == {"Pica hudsonia": 1}


def test_a_rank_that_no_row_gives_stays_missing():
    rows = [without(row, "kingdom", "order") for row in (MAGPIE, RAVEN, GANNET)]
    filled, filling = fill_lineages(table(*rows))
    assert lists(filled) == rows
    assert filling.notes == filling.notes_as_given == []


def test_rows_known_to_a_higher_rank_only_are_filled_above_it_and_not_below():
    filled = lists(fill_lineages(table(MAGPIE, (None, None, "Aves", *[None] * 4)))[0])
    assert filled[1] == (*MAGPIE[:3], *[None] * 4)


def test_half_filled_orders_of_many_species_split_none():
    rows = [(*MAGPIE[:3], f"O{i // 12}", f"F{i // 4}", f"G{i}", f"G{i} alba") for i in range(40)]
    filled, filling = fill_lineages(table(*rows, *[without(row, "order") for row in rows]))
    assert lists(filled) == rows + rows
    assert filling.n_split == 40
    assert "40 species count as more than one taxon" in filling.notes_as_given[1]


@settings(max_examples=25, deadline=None)
@given(lineage_tables(max_rows=10), st.data())
def test_filling_is_idempotent_keeps_names_and_does_not_depend_on_order_or_repeats(frame, data):
    given = clean_lineages(frame)
    filled = fill_lineages(given)[0]
    known = given.notna().to_numpy()
    assert (filled.to_numpy(dtype=object)[known] == given.to_numpy(dtype=object)[known]).all()
    pd.testing.assert_frame_equal(fill_lineages(filled)[0], filled)
    pd.testing.assert_frame_equal(clean_lineages(filled), filled)
    order = data.draw(st.permutations(range(len(given))))
    pd.testing.assert_frame_equal(fill_lineages(given.iloc[order])[0], filled.iloc[order])
    twice = fill_lineages(pd.concat([given, given], ignore_index=True))[0]
    assert lists(twice) == lists(filled) * 2


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.05, 0.6))
def test_lineages_that_agree_come_back_from_any_holes_that_leave_one_name_of_each_taxon(seed, share):
    rng = np.random.default_rng(seed)
    rows = [
        (f"K{i // 24}", f"P{i // 12}", f"C{i // 6}", f"O{i // 3}", f"F{i // 2}x{i // 3}", f"G{i}", f"G{i} alba")
        for i in range(48)
    ]
    full = table(*rows, *rows)
    holes = rng.random((len(full), len(RANKS) - 1)) < share
    holes[: len(rows)] = False  # each species is known once
    given = full.copy()
    for number, rank in enumerate(RANKS[:-1]):
        given[rank] = given[rank].mask(holes[:, number])
    pd.testing.assert_frame_equal(fill_lineages(given)[0], full)


def test_a_species_whose_images_disagree_about_its_order_is_said():
    other = (*MAGPIE[:3], "Piciformes", *MAGPIE[4:])
    filled, filling = fill_lineages(table(MAGPIE, other, MAGPIE))
    assert lists(filled) == [MAGPIE, other, MAGPIE]
    said = (
        f"1 species count as more than one taxon, as their images disagree about a rank above the species: {MAGPIE[-1]}"
    )
    assert filling.notes == filling.notes_as_given == [said]
