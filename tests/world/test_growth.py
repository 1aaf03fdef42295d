"""The grown tree: its shape, its names, and the taxonomy as a view of it."""

import numpy as np
import pytest

from bioclip_probe import world
from bioclip_probe.tables import RANKS
from bioclip_probe.tree import patristic_distances, taxonomy
from bioclip_probe.world import growth
from bioclip_probe.world.growth import TAXA, grow
from tests.definitions.world import ranks_apart


@pytest.fixture(scope="module", params=[world.SEED, 11])
def tree(request):
    return grow(np.random.default_rng(request.param))


def test_every_rank_has_its_number_of_taxa(tree):
    taxa = growth.taxa(tree)
    assert [taxa[rank].nunique() for rank in RANKS] == list(TAXA.values())
    assert list(TAXA) == list(RANKS)


def test_the_tips_are_the_species_and_as_old_as_the_tree(tree):
    assert np.all(tree.rank[tree.tips] == RANKS.index("species"))
    assert len(tree.tips) == TAXA["species"]
    np.testing.assert_allclose(tree.depth[tree.tips], growth.HEIGHT)
    assert np.all(tree.length[1:] > 0)
    assert tree.unit == "Myr"


def test_names_are_unique_and_of_their_ranks_form(tree):
    named = [name for name in tree.name if name]
    assert len(named) == len(set(named)) == sum(TAXA.values())
    taxa = growth.taxa(tree)
    assert taxa["family"].str.fullmatch("[A-Z][a-z]+idae").all()
    assert taxa["order"].str.fullmatch("[A-Z][a-z]+iformes").all()
    assert taxa["species"].str.fullmatch("[A-Z][a-z]+ [a-z]+").all()
    assert (taxa["species"].str.split(" ").str[0] == taxa["genus"]).all()


def test_clades_are_uneven():
    assert world.taxa()["family"].value_counts().agg(["min", "max"]).tolist()[0] == 1
    assert world.taxa()["family"].value_counts().max() >= 12


def test_the_taxonomy_has_the_species_in_its_places(tree):
    placed = taxonomy(growth.taxa(tree))
    assert len(np.unique(placed.at("species"))) == TAXA["species"]
    assert len(np.unique(placed.at("order"))) == TAXA["order"]


def test_nearer_relatives_by_rank_are_nearer_in_time(tree):
    """Taxa are cut at one moment each, so that rank distance is a coarse, but never a reversed, patristic distance."""
    taxa = growth.taxa(tree).to_dict("records")
    apart = np.array([[ranks_apart(taxa[i], taxa[j]) for j in range(0, 240, 7)] for i in range(0, 240, 7)])
    age = patristic_distances(tree)[::7, ::7]
    for step in range(1, 8):
        assert age[apart < step].max() < age[apart >= step].min()


def test_one_seed_one_tree():
    one, again, other = (grow(np.random.default_rng(seed)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(one.length, again.length)
    assert list(one.name) == list(again.name) != list(other.name)
