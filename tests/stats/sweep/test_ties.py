from pathlib import Path

import numpy as np
import pytest

from bioclip_probe.stats.sweep.pairs import spearman_correlation
from bioclip_probe.stats.sweep.ties import distance_rounding, with_tied_heights
from bioclip_probe.tree import Tree, brownian, patristic_distances
from bioclip_probe.tree.newick import parse_newick
from tests.support.made_up_vectors import unit_rows

MAMMALS = Path(__file__).parents[4] / "shared/data/trees/mammals_gumbs2023.nwk"


def dated_tree(n_tips: int, rng: np.random.Generator, digits: int | None = None) -> Tree:
    """An ultrametric tree of random splits; each branch is rounded on its own."""
    parent, height = [-1], [100.0]

    def grow(above: int, size: int) -> None:
        own = len(parent)
        parent.append(above)
        height.append(0.0 if size == 1 else height[above] * rng.uniform(0.6, 0.95))
        if size > 1:
            left = int(rng.integers(1, size))
            grow(own, left)
            grow(own, size - left)

    grow(0, n_tips)
    length = np.array([0.0 if above < 0 else height[above] - height[node] for node, above in enumerate(parent)])
    length = length if digits is None else np.round(length, digits)
    return Tree(np.array(parent), length, np.array([f"n{i}" for i in range(len(parent))], object), [-1] * len(parent))


def with_rounding(tree: Tree, digits: int) -> Tree:
    return Tree(tree.parent, np.round(tree.length, digits), tree.name, tree.rank, tree.unit)


def test_pairs_tie_where_their_ancestors_are_equally_high():
    rng = np.random.default_rng(0)
    exact = dated_tree(60, rng)
    tied = with_tied_heights(with_rounding(exact, 5))
    assert np.ptp(tied.depth[tied.tips]) == 0 and np.all(tied.length == np.rint(tied.length))
    upper = np.triu_indices(60, 1)
    heights, ranks = patristic_distances(exact)[upper], patristic_distances(tied)[upper]
    for a in range(0, len(heights), 7):
        clearly_lower = heights < heights[a] - 1e-3
        assert np.all(ranks[np.abs(heights - heights[a]) < 1e-9] == ranks[a])
        assert np.all(ranks[clearly_lower] < ranks[a])


def test_heights_that_rounding_tells_apart_are_one_class():
    """A taxonomy as a tree with branch lengths: all genera are equally old, up to the last digit."""
    tree = parse_newick("((a:1,b:1.00001):2,(c:1.00001,d:1):1.99999,e:3);")
    assert np.unique(with_tied_heights(tree).depth).tolist() == [0.0, 1.0, 2.0]


def test_a_tree_that_is_not_ultrametric_stays():
    tree = parse_newick("((a:1,b:2):2,c:3);")
    assert with_tied_heights(tree) is tree


def test_tied_heights_stay_tied():
    tied = with_tied_heights(dated_tree(40, np.random.default_rng(1), digits=4))
    np.testing.assert_array_equal(with_tied_heights(tied).length, tied.length)


def test_the_rounding_of_distances_follows_from_the_last_digit():
    coarse, fine = (parse_newick(f"((a:1.{digits},b:1):2,c:8.5);") for digits in ("2", "2345"))
    assert distance_rounding(coarse) == pytest.approx(0.1 * np.sqrt(4 / 3))
    assert distance_rounding(fine) == pytest.approx(1e-4 * np.sqrt(4 / 3))
    assert distance_rounding(parse_newick("((a:1.2345678901,b:1):2,c:8.5);")) == 0
    assert distance_rounding(dated_tree(10, np.random.default_rng(0), digits=4)) == 0


def spearman_of_rounded(tree: Tree, vectors: np.ndarray, digits: tuple[int, ...]) -> list[float]:
    return [spearman_correlation(vectors, with_rounding(tree, number)) for number in digits]


@pytest.mark.parametrize("signal", [0.0, 1.0])
def test_spearman_does_not_depend_on_the_digits_of_a_generated_tree(signal):
    rng = np.random.default_rng(2)
    tree = dated_tree(150, rng)
    vectors = unit_rows(brownian(tree, 16, rng, signal)[tree.tips])
    exact = spearman_correlation(vectors, tree)
    for number in spearman_of_rounded(tree, vectors, (7, 6, 5, 4, 3)):
        assert number == pytest.approx(exact, abs=2e-5)


@pytest.mark.slow
@pytest.mark.skipif(not MAMMALS.exists(), reason="needs ../shared/data/trees, the dated tree of mammals")
def test_spearman_does_not_depend_on_the_digits_of_a_published_tree():
    from scipy.stats import spearmanr

    rng = np.random.default_rng(3)
    whole = parse_newick(MAMMALS.read_text())
    tree, _ = whole.subset(np.sort(rng.choice(whole.tips, 300, replace=False)))
    for vectors in (rng.standard_normal((300, 16)), brownian(tree, 16, rng)[tree.tips]):
        vectors, upper = unit_rows(vectors), np.triu_indices(300, 1)
        rounded = np.round(patristic_distances(tree)[upper], 3)
        expected = spearmanr(rounded, (1 - vectors @ vectors.T)[upper]).statistic
        for number in spearman_of_rounded(tree, vectors, (8, 6, 5, 4)):
            assert number == pytest.approx(expected, abs=1e-4)
