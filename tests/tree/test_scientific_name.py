"""A scientific name that was read, and what was changed on the way."""

import pytest

from bioclip_probe.tree.scientific_name import CHANGES, Name, changes_of


def test_a_hole_has_no_species_but_may_keep_its_genus():
    assert Name("Pica", "hudsonia").species == "Pica hudsonia"
    assert Name("Pica", reason="open nomenclature").species is None
    assert Name(taxon="Corvidae", reason="higher taxon").species is None


@pytest.mark.parametrize(("name", "written", "changes"), [
    ("Pica pica", "Pica pica", ()),
    ("Pica pica", "PICA PICA", ("case",)),
    ("Quercus ×bebbiana", "Quercus x bebbiana", ("hybrid",)),
    ("Quercus ×bebbiana", "Quercus × bebbiana", ("hybrid",)),
    ("Quercus ×bebbiana", "QUERCUS ×BEBBIANA", ("case",)),
    ("×Cuprocyparis leylandii", "×Cuprocyparis leylandii", ()),
])  # fmt: skip
def test_the_sign_of_a_hybrid_and_letter_case_are_seen_in_the_name(name, written, changes):
    assert changes_of(name, written) == changes


def test_changes_stand_in_one_order_each_once_and_those_given_stay_as_they_are():
    given = ["spelling", "author", "author"]
    assert changes_of("Pica pica", "PICA PICA", given) == ("author", "case", "spelling")
    assert given == ["spelling", "author", "author"]
    assert changes_of("Pica pica", "Pica pica", list(CHANGES)[::-1]) == tuple(CHANGES)
