import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioclip_probe.stats.all_pairs.gram_squares import BlockSizes, CladeRows, gram_squares
from tests.support.made_up_vectors import images_on_tips, random_taxonomy, signal_vectors


def squares_by_hand(clades: CladeRows, node: int, left_out: int) -> float:
    low, high = clades.span[node]
    kept = clades.jackknife_group[low:high] != left_out
    x = (clades.rows[low:high] - clades.mean)[kept]
    return float(np.sum((x @ x.T) ** 2))


def check(clades: CladeRows, sizes: BlockSizes) -> None:
    found = gram_squares(clades, sizes)
    assert found.shape == (1 + clades.n_groups, len(clades.tree))
    for number in range(-1, clades.n_groups):
        for node in range(len(clades.tree)):
            expected = squares_by_hand(clades, node, number)
            assert found[1 + number, node] == pytest.approx(expected, rel=1e-7, abs=1e-9)


@pytest.mark.slow
@given(images_on_tips(12), st.integers(0, 3), st.sampled_from((1, 3, 64)))
def test_squared_norms_agree_with_products_of_all_pairs(made, n_groups, small_clade):
    vectors, tip, tree = made
    order = np.argsort(tip, kind="stable")
    group = np.arange(len(tree.tips)) % max(n_groups, 1)
    clades = CladeRows.of(tree, vectors[order], tip[order], group, n_groups)
    check(clades, BlockSizes(rows=2, small_clade=small_clade))


def test_clades_with_more_rows_than_dimensions_agree_too():
    rng = np.random.default_rng(0)
    placement = random_taxonomy(40, 300, rng)
    vectors = signal_vectors(placement, 70, 1.0, 0.5, rng).astype(float)
    tip = np.searchsorted(placement.tree.tips, placement.node)
    order = np.argsort(tip, kind="stable")
    check(CladeRows.of(placement.tree, vectors[order], tip[order], np.arange(40) % 3, 3), BlockSizes(rows=50))
