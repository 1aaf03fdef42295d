import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioclip_probe.probes.splits import SPLITS, split_by_image


@settings(deadline=None, max_examples=150)
@given(st.integers(0, 2**32 - 1), st.integers(0, 60), st.integers(1, 8))
def test_every_taxon_is_in_all_parts_at_its_share(seed, n, n_taxa):
    random = np.random.default_rng(seed)
    labels = random.integers(-1, n_taxa, n)
    before = labels.copy()
    split = split_by_image(labels, random)
    np.testing.assert_array_equal(labels, before)
    assert set(split) <= {*SPLITS, ""}
    assert np.all(split[labels < 0] == "")
    for taxon in range(n_taxa):
        held = split[labels == taxon]
        if len(held) < 3:
            assert np.all(held == "")
            continue
        counts = np.array([np.sum(held == part) for part in SPLITS])
        assert counts.sum() == len(held)
        assert counts.min() >= 1
        assert np.all(np.abs(counts - len(held) * np.array([0.6, 0.2, 0.2])) <= 1.01)


@settings(deadline=None, max_examples=150)
@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(1, 5), st.integers(1, 30))
def test_groups_stay_together(seed, n, n_taxa, n_groups):
    random = np.random.default_rng(seed)
    labels, groups = random.integers(-1, n_taxa, n), random.integers(-1, n_groups, n)
    split = split_by_image(labels, random, groups=groups)
    for group in range(n_groups):
        assert len(set(split[groups == group]) - {""}) <= 1
    for taxon in range(n_taxa):
        assert set(split[labels == taxon]) in ({""}, set(SPLITS), set())


@pytest.mark.parametrize(("n", "expected"), [(3, [1, 1, 1]), (4, [2, 1, 1]), (5, [3, 1, 1]), (10, [6, 2, 2])])
def test_small_taxa(n, expected):
    split = split_by_image(np.zeros(n, dtype=np.int64), np.random.default_rng(0))
    assert [np.sum(split == part) for part in SPLITS] == expected


def test_repeats_with_the_seed_and_differs_without():
    labels = np.repeat(np.arange(5), 20)
    one, same, other = (split_by_image(labels, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert np.any(one != other)


@pytest.mark.parametrize("fractions", [(0.5, 0.5, 0.5), (0.8, 0.2, 0.0), (0.5, 0.5)])
def test_fractions_are_checked(fractions):
    with pytest.raises(ValueError, match="three positive fractions"):
        split_by_image(np.zeros(5, dtype=np.int64), np.random.default_rng(0), fractions)
