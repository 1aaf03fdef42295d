import numpy as np
import pytest

from bioclip_probe.stats.brownian_likelihood import BrownianTree
from bioclip_probe.stats.pruning import contrast_pass, trait_pass, variance_pass
from tests.definitions import tree_signal as definitions
from tests.support.taxa import random_phylogeny, rng


def made(seed: int = 0):
    """Return a tree without branches of length 0, as arrays, and the variance above each of its nodes."""
    tree = random_phylogeny(12, seed)
    splits = BrownianTree(tree)
    lengths = rng(seed).uniform(0.1, 1.0, len(splits.parent))
    return tree, splits, lengths


def on_whole_tree(tree, lengths) -> np.ndarray:
    """Return variances above all nodes of a tree, 0 above the nodes with one child."""
    children = np.bincount(tree.parent[1:], minlength=len(tree))
    everywhere = np.zeros(len(tree))
    everywhere[children != 1] = lengths
    return everywhere


def test_contrasts_are_felsensteins():
    tree, splits, lengths = made()
    means, present = rng(1).standard_normal((12, 5)), np.ones(len(splits.parent), dtype=bool)
    log_det, share, precision, _ = variance_pass(splits.parent, lengths, present)
    z, sampling, mean = contrast_pass(means, np.full(12, 0.5), splits.parent, splits.tip, share, precision)
    weights = definitions.contrasts(tree, tree.tips, on_whole_tree(tree, lengths))
    np.testing.assert_allclose(np.sort(z, axis=0), np.sort(weights @ means, axis=0), rtol=1e-9)
    np.testing.assert_allclose(np.sort(sampling), np.sort(0.5 * np.square(weights).sum(axis=1)), rtol=1e-9)
    squares = trait_pass(means, splits.parent, splits.tip, present, share, precision)
    assert squares[0] == pytest.approx(np.square(z).sum())
    np.testing.assert_allclose(np.square(np.linalg.norm(weights, axis=1)).shape, z.shape[:1])
    constant = contrast_pass(means * 0 + 3, np.ones(12), splits.parent, splits.tip, share, precision)
    assert np.abs(constant[0]).max() < 1e-12 and constant[2] == pytest.approx(3)
    assert np.isfinite(log_det) and mean.shape == (5,)


def test_derivatives_by_each_branch():
    _, splits, lengths = made(2)
    means, present = rng(1).standard_normal((12, 5)), np.ones(len(splits.parent), dtype=bool)

    def sums(lengths):
        log_det, share, precision, by_length = variance_pass(splits.parent, lengths, present)
        squares = trait_pass(means, splits.parent, splits.tip, present, share, precision)
        return log_det, squares[0], by_length, -squares[1:]

    log_det, squares, by_length, minus = sums(lengths)
    for node in range(1, len(lengths)):
        longer = lengths.copy()
        longer[node] += 1e-6
        assert (sums(longer)[0] - log_det) / 1e-6 == pytest.approx(by_length[node - 1], rel=1e-4, abs=1e-6)
        assert (sums(longer)[1] - squares) / 1e-6 == pytest.approx(minus[node - 1], rel=1e-4, abs=1e-5)
