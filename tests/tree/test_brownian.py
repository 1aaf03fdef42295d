import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bioclip_probe.tree import Tree, brownian
from tests.definitions import tree as definitions
from tests.support.strategies import trees

#: Two clades, one of them with a polytomy, a unary node and tips at unequal heights.
LEANING = Tree(
    np.array([-1, 0, 1, 1, 1, 0, 5, 6, 6]),
    np.array([0, 2.0, 1.0, 0.5, 0.0, 1.0, 1.0, 0.5, 3.0]),
    np.array(list("rabcdefgh"), dtype=object),
    np.full(9, -1),
)


@pytest.mark.parametrize("signal", [0.0, 0.4, 1.0])
def test_covariance_of_tips_is_the_path_they_share_scaled_by_lambda(signal):
    n = 40_000
    traits = brownian(LEANING, n, np.random.default_rng(1), signal)[LEANING.tips]
    expected = np.array(
        [[definitions.brownian_covariance(LEANING, a, b, signal) for b in LEANING.tips] for a in LEANING.tips]
    )
    variance = np.diag(expected)
    error = np.sqrt((expected**2 + variance[:, None] * variance) / n)  # of a sample covariance of normal variables
    assert np.all(np.abs(traits @ traits.T / n - expected) <= 5 * error)
    assert np.all(np.abs(traits.mean(axis=1)) <= 5 * np.sqrt(variance / n))


def test_steps_along_branches_are_normal_and_independent():
    traits = brownian(LEANING, 5000, np.random.default_rng(2))
    branches = [node for node in range(1, len(LEANING)) if LEANING.length[node] > 0]
    steps = [(traits[node] - traits[LEANING.parent[node]]) / np.sqrt(LEANING.length[node]) for node in branches]
    assert stats.kstest(np.concatenate(steps), "norm").pvalue > 0.001
    assert np.abs(np.corrcoef(steps) - np.eye(len(steps))).max() < 5 / np.sqrt(5000)
    assert np.array_equal(traits[4], traits[1])  # a branch of length 0 changes nothing


@pytest.mark.slow
@given(trees(), st.integers(0, 3), st.floats(0, 1))
def test_the_root_is_at_zero_and_the_generator_alone_decides(tree, n_traits, signal):
    length = tree.length.copy()
    one = brownian(tree, n_traits, np.random.default_rng(5), signal)
    assert one.shape == (len(tree), n_traits)
    assert not one[0].any()
    assert np.isfinite(one).all()
    assert np.array_equal(one, brownian(tree, n_traits, np.random.default_rng(5), signal))
    assert np.array_equal(tree.length, length)


@pytest.mark.parametrize("signal", [-0.1, 1.1, np.nan])
def test_a_signal_outside_zero_to_one_is_refused(signal):
    with pytest.raises(ValueError, match="between 0 and 1"):
        brownian(LEANING, 1, np.random.default_rng(0), signal)
