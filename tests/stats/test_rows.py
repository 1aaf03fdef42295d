import numpy as np
import pytest

from bioclip_probe.errors import DataError
from bioclip_probe.stats.all_pairs.clades import NodeSums
from bioclip_probe.stats.rows import Rows, finite_rows, rank_of_tips
from bioclip_probe.tree import Placement, Tree
from tests.support.made_up_vectors import random_taxonomy, signal_vectors, unit_rows


def made_up(n_species: int = 20, n_images: int = 60) -> tuple[np.ndarray, Placement]:
    rng = np.random.default_rng(0)
    placement = random_taxonomy(n_species, n_images, rng)
    return signal_vectors(placement, 8, 0.8, 0.5, rng), placement


def three_tips() -> Tree:
    return Tree(np.array([-1, 0, 0, 0]), np.array([0, 1.0, 1, 1]), np.array(list("rabc"), dtype=object), [-1] * 4)


def test_taxa_are_unit_centroids_and_images_keep_their_vectors():
    vectors, placement = made_up()
    taxa, images = Rows.taxa(vectors, placement), Rows.images(vectors, placement)
    np.testing.assert_allclose(np.linalg.norm(taxa.vectors, axis=1), 1)
    assert taxa.tips.tolist() == list(range(20)) and images.vectors is vectors
    for tip in range(20):
        mean = vectors[images.tips == tip].astype(float).mean(axis=0)
        np.testing.assert_allclose(taxa.vectors[tip], mean / np.linalg.norm(mean))
    assert taxa.counts == images.counts == {"n_images": 60, "n_taxa": 20, "n_excluded": 0}


def test_images_at_no_tip_are_counted_as_excluded():
    rows = Rows.images(np.eye(4), Placement(three_tips(), np.array([1, 2, 0, -1])))
    assert rows.tips.tolist() == [0, 1, -1, -1]
    assert rows.counts == {"n_images": 2, "n_taxa": 2, "n_excluded": 2}


def test_sums_by_common_ancestor_without_a_group_are_those_of_the_other_taxa():
    vectors, placement = made_up()
    taxa = Rows.taxa(vectors, placement)
    group = np.arange(20) % 3
    sums = taxa.node_sums(group, 4)
    assert len(sums) == 5
    for number, found in enumerate(sums, start=-1):
        kept = np.where(group == number, -1, taxa.tips)
        np.testing.assert_allclose(found.by_node, NodeSums.of(taxa.vectors, kept, taxa.tree).by_node, atol=1e-9)


def test_the_reason_why_a_correlation_is_undefined_is_named():
    tree = three_tips()
    assert Rows.taxa(*made_up()).reason_undefined() == ""
    two = Rows.taxa(np.eye(2), Placement(tree, np.array([1, 2])))
    assert two.reason_undefined() == "needs at least 3 taxa, found 2"
    u = unit_rows(np.random.default_rng(0).standard_normal((3, 4)))
    opposite = Rows.taxa(np.concatenate([u, -u[:1]]), Placement(tree, np.array([1, 2, 3, 1])))
    assert opposite.reason_undefined() == "the images of 1 taxa cancel out: their centroid has no direction"
    star = Rows.taxa(u, Placement(tree, np.array([1, 2, 3])))
    assert star.reason_undefined() == "tree distance or embedding distance does not vary"


def test_rows_that_are_not_finite_are_named():
    vectors = np.ones((4, 2))
    assert finite_rows(vectors) is vectors
    vectors[2, 1] = np.inf
    with pytest.raises(DataError, match="1 are not, in rows 2"):
        finite_rows(vectors)


def test_tips_have_a_rank_or_are_taxa_of_several_ranks():
    _, placement = made_up()
    assert rank_of_tips(placement.tree) == "species" == rank_of_tips(three_tips())
    assert rank_of_tips(placement.coarsen("family").tree) == "family"
    mixed = Tree(np.array([-1, 0, 0]), np.array([0, 1.0, 1]), np.array(list("rab"), dtype=object), [-1, 5, 6])
    assert rank_of_tips(mixed) == "taxon"
