import numpy as np
import pytest

from bioclip_probe.errors import DataError
from bioclip_probe.metrics.embedding_pairs import ControlPair, EmbeddingPair
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.stats.rows import ResamplingUnits, Rows
from bioclip_probe.stats.sweep.search import neighbor_lists
from bioclip_probe.tables import RANKS
from bioclip_probe.tree import Placement
from tests.support.made_up_vectors import unit_rows
from tests.support.taxa import made_up, random_phylogeny, rng


def test_the_taxa_of_a_rank_are_the_centroids_of_that_rank():
    vectors, placement = made_up(20, 60)
    shared = SharedResults(vectors, placement)
    for rank in ("family", "species"):
        expected = Rows.taxa(vectors, placement.coarsen(rank))
        assert np.array_equal(shared.taxa(rank).vectors, expected.vectors)
        assert np.array_equal(shared.taxa(rank).tips, expected.tips)
        assert shared.taxa(rank).counts == expected.counts
        assert shared.taxa(rank) is shared.taxa(rank)


def test_neighbors_of_a_rank_are_found_among_the_images_with_a_name():
    vectors, placement = made_up(20, 60)
    node = placement.node.copy()
    node[::5] = placement.tree.parent[node[::5]]  # known to the genus only
    groups = rng().integers(-1, 20, 60)
    shared = SharedResults(vectors, Placement(placement.tree, node), groups=groups)
    named = np.arange(60) % 5 > 0
    expected = neighbor_lists(shared.vectors, shared.placement, shared.jackknife().group, 10, groups, named)
    found = shared.neighbors("species")
    assert np.array_equal(found.rows, np.flatnonzero(named))
    assert np.array_equal(found.shares(10), expected.shares(10))
    assert shared.neighbors("kingdom") is shared.neighbors("genus") is shared.neighbors("family", "genus")
    assert len(shared.neighbors("genus").rows) == 60 and shared.neighbors("family", "species") is found


def test_the_resampled_rank_decides_the_units():
    vectors, placement = made_up(20, 60)
    by_genus = SharedResults(vectors, placement, MeasureSettings(resample="genus"))
    found = by_genus.jackknife()
    assert found.rank == "genus" and found.n_units == len(np.unique(placement.at("genus")))
    assert len(by_genus.image_sweep.without_group) == found.n_groups


def test_on_a_phylogeny_the_units_are_given():
    tree = random_phylogeny(12)
    vectors, placement = unit_rows(rng().standard_normal((12, 3))), Placement(tree, tree.tips)
    assert SharedResults(vectors, placement).jackknife().rank == "species"
    genera = ResamplingUnits("genus", np.arange(12) // 3)
    found = SharedResults(vectors, placement, units=genera).jackknife()
    assert (found.rank, found.n_units, found.dated) == ("genus", 4, True)
    assert all(len(np.unique(found.group[genera.labels == genus])) == 1 for genus in range(4))


def test_a_phylogeny_has_species_only():
    tree = random_phylogeny(12)
    shared = SharedResults(unit_rows(rng().standard_normal((12, 3))), Placement(tree, tree.tips))
    assert not shared.has_ranks and shared.ranks == RANKS[-1:] and shared.species is shared.placement


def test_shared_results_about_another_placement_are_refused():
    vectors, placement = made_up(20, 60)
    other = placement.take(np.arange(60))
    shared = SharedResults(vectors, placement)
    assert SharedResults.of(shared, placement) is shared
    with pytest.raises(DataError, match="another placement"):
        SharedResults.of(shared, other)
    pair = EmbeddingPair.of((vectors, vectors), placement)
    assert EmbeddingPair.of(pair, placement) is pair
    with pytest.raises(DataError, match="another placement"):
        EmbeddingPair.of(pair, other)
    with pytest.raises(DataError, match="same placement"):
        ControlPair(shared, SharedResults(vectors, other))


def test_an_image_without_a_name_at_the_resampled_rank_is_in_a_unit_of_its_own_taxon():
    vectors, placement = made_up(20, 60)
    family = placement.tree.parent[placement.tree.parent[placement.node]]
    node = placement.node.copy()
    node[:2] = family[:2]  # no genus is known
    node[2] = -1
    jackknife = SharedResults(vectors, Placement(placement.tree, node), MeasureSettings(resample="genus")).jackknife()
    genus = np.where(np.arange(60) < 2, -1, placement.at("genus"))
    assert jackknife.unit[2] == jackknife.group[2] == -1
    own = {(int(unit), int(label)) for unit, label in zip(jackknife.unit[3:], genus[3:], strict=True)}
    assert len(own) == len({unit for unit, _ in own}) == len({label for _, label in own})
    assert not {unit for unit, _ in own} & set(jackknife.unit[:2].tolist())
    assert jackknife.n_units == len(own) + len(set(family[:2].tolist()))
