import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioclip_probe.stats.all_pairs.variance import SpeciesSums
from bioclip_probe.stats.resampling import jackknife_groups
from tests.definitions import variance as definitions
from tests.support.made_up_vectors import vectors_on_trees
from tests.support.taxa import rng


@pytest.mark.slow
@settings(max_examples=60)
@given(vectors_on_trees(max_images=14), st.integers(1, 5))
def test_sums_without_a_jackknife_group_are_those_of_the_other_species(case, n_groups):
    vectors, placement = case
    _, species = np.unique(placement.node, return_inverse=True)
    k = species.max() + 1
    labels, jackknife_group = np.arange(k) % 3, jackknife_groups(k, rng(), n_groups)
    pick = (np.arange(k)[:, None] == species).astype(float)
    sums = SpeciesSums(pick.sum(axis=1), pick @ vectors, pick @ (vectors**2).sum(axis=1), jackknife_group)
    for number in range(-1, jackknife_group.max() + 1):
        kept = jackknife_group[species] != number
        x, own = list(vectors[kept]), labels[species[kept]].tolist()
        assert sums.n_images()[1 + number] == len(x)
        assert sums.squares_of_means(labels)[1][1 + number] == len(set(own))
        within = sums.squares() - sums.squares_of_means(labels)[0]
        assert within[1 + number] == pytest.approx(definitions.within(x, own), abs=1e-9)
        if x:
            assert sums.squares_of_means(np.zeros(k))[0][1 + number] == pytest.approx(
                len(x) * np.sum(np.mean(x, axis=0) ** 2), abs=1e-9
            )
            assert sums.total_squares[1 + number] == pytest.approx(definitions.sum_of_squares(x), abs=1e-9)
