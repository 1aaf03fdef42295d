import numpy as np
import pytest

from bioclip_probe.stats.all_pairs.balance import (
    balanced_correlation,
    balanced_correlations,
    permuted_balanced_correlations,
)
from bioclip_probe.stats.all_pairs.clades import NodeSums
from bioclip_probe.stats.all_pairs.tree_sums import TreeSums, permuted_orders
from bioclip_probe.stats.centroids import image_moments, tips_with_images
from tests.definitions import hierarchy as definitions
from tests.support.made_up_vectors import random_taxonomy, signal_vectors, unit_rows


def made_up(n_species=20, n_images=60):
    rng = np.random.default_rng(0)
    placement = random_taxonomy(n_species, n_images, rng)
    vectors = unit_rows(signal_vectors(placement, 8, 1.0, 0.5, rng).astype(float))
    tree, groups = tips_with_images(placement)
    return vectors, placement, TreeSums(*image_moments(vectors, placement)), NodeSums.of(vectors, groups, tree)


@pytest.mark.slow
def test_permuted_values_are_balanced_covariances_on_the_scale_of_the_observed():
    """The images of each species, in uneven numbers, move to the place of another species."""
    vectors, placement, sums, observed = made_up()
    drawn = np.random.default_rng(1)
    orders = np.stack([np.arange(20), *(drawn.permutation(20) for _ in range(4))])
    found = balanced_correlations(sums, observed, [orders[:2], orders[2:]])
    assert found[0] == pytest.approx(balanced_correlation(observed), abs=1e-12)

    def spreads(by_rank) -> tuple[float, float]:
        """Covariance, and the product of standard deviations."""
        means = np.array(
            [np.mean([(t, c, t * t, c * c, t * c) for t, c in pairs], axis=0) for pairs in by_rank.values()]
        )
        t, c, tt, cc, tc = means.mean(axis=0)
        return tc - t * c, np.sqrt((tt - t * t) * (cc - c * c))

    tips = placement.tree.tips
    own = np.searchsorted(tips, placement.node)
    _, scale = spreads(definitions.images_by_rank(vectors, placement))
    for order, value in zip(orders, found, strict=True):
        moved = type(placement)(placement.tree, tips[np.argsort(order)[own]])
        covariance, _ = spreads(definitions.images_by_rank(vectors, moved))
        assert value == pytest.approx(covariance / scale, abs=1e-10)


def test_no_permutations_give_an_empty_array():
    _, _, sums, observed = made_up()
    assert not len(permuted_balanced_correlations(sums, observed, 0, np.random.default_rng(0)))


def test_random_permutations_are_those_of_their_orders():
    _, _, sums, observed = made_up()
    found = permuted_balanced_correlations(sums, observed, 7, np.random.default_rng(3))
    orders = permuted_orders(20, 7, np.random.default_rng(3), at_once=4)
    np.testing.assert_array_equal(found, balanced_correlations(sums, observed, orders))
