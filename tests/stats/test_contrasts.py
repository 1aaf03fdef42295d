import numpy as np
import pytest
from hypothesis import assume, given, settings

from bioclip_probe.stats.all_pairs.clade_forms import column_blocks
from bioclip_probe.stats.contrasts import Contrasts, centred_traits
from bioclip_probe.tree.newick import parse_newick
from tests.support.made_up_vectors import random_taxonomy, vectors_on_trees
from tests.support.taxa import rng


@pytest.mark.slow
@settings(max_examples=40)
@given(vectors_on_trees())
def test_contrasts_of_some_tips_are_those_of_the_tree_without_the_others(case):
    tree = case[1].tree
    assume(len(tree.tips) >= 3)
    traits, kept = rng().standard_normal((len(tree.tips), 3)), np.arange(len(tree.tips)) % 3 > 0
    assume(kept.sum() > 1)
    one = Contrasts.of(tree, kept)
    smaller, _ = tree.subset(tree.tips[kept])
    two = Contrasts.of(smaller)
    assert one.coinciding == two.coinciding
    if not one.coinciding:
        few = two.signal(traits[kept])
        assert one.signal(traits) == pytest.approx(few, nan_ok=True)


def test_chains_of_nodes_and_branches_of_no_length_change_nothing():
    plain = parse_newick("((A:1,B:2):1,(C:1,D:2):3);")
    chained = parse_newick("((((A:0.5):0.5,B:2)x:0.25):0.75,((C:1,D:1.5):0,D2:2):3);")
    traits = rng().standard_normal((4, 3))
    traits = np.stack([*traits, traits[3]])
    one = Contrasts.of(plain).signal(traits[:4])
    four = np.array([True, True, True, False, True])
    two = Contrasts.of(chained, four).signal(traits)
    assert one == pytest.approx(two)


def test_contrasts_agree_with_the_inverse_of_the_covariance_matrix():
    tree = parse_newick("((A:1,B:2):1,(C:1,(D:2,E:0.5):0.5):3);")
    shared = np.array(
        [[2, 1, 0, 0, 0], [1, 3, 0, 0, 0], [0, 0, 4, 3, 3], [0, 0, 3, 5.5, 3.5], [0, 0, 3, 3.5, 4]], dtype=float
    )
    traits, inverse = rng().standard_normal((5, 3)), np.linalg.inv(shared)
    mean = inverse.sum(axis=0) @ traits / inverse.sum()
    contrasts = Contrasts.of(tree)
    found, squares = contrasts.fit(column_blocks(traits), np.arange(5)[None])
    np.testing.assert_allclose(found[0], mean)
    assert squares[0] == pytest.approx(np.trace((traits - mean).T @ inverse @ (traits - mean)))
    assert contrasts.root_variance == pytest.approx(1 / inverse.sum())


def test_permutations_summed_together_equal_those_summed_one_by_one():
    contrasts = Contrasts.of(random_taxonomy(12, 12, rng()).tree)
    traits = centred_traits(rng().standard_normal((12, 5)))
    together = contrasts.permuted_signal(traits, 9, rng(1))
    np.testing.assert_allclose(contrasts.permuted_signal(traits, 9, rng(1), most_numbers=1), together, rtol=1e-12)
