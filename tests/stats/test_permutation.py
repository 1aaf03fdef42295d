"""Labels with whole species permuted."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bioclip_probe.stats.permutation import PermutedLabels

some_species = st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=1, max_size=30)


@given(some_species, st.integers(0, 99))
def test_images_stay_with_their_species_and_each_taxon_keeps_its_number_of_species(images, seed):
    species = np.array([number for number, _ in images])
    labels = np.where(species == 8, -1, species // 3)
    kept = np.isin(species, [number for number, keep in images if keep])
    permuted = PermutedLabels.of(labels, species, 4, np.random.default_rng(seed))
    for chosen, rows in ((labels >= 0, permuted.without()), (kept & (labels >= 0), permuted.without(kept))):
        names, first = np.unique(species[chosen], return_index=True)
        for row in rows:
            assert (row[~chosen] == -1).all()
            assert all(len(set(row[chosen & (species == name)])) == 1 for name in names)
            assert sorted(row[chosen][first]) == sorted(labels[chosen][first])


def test_all_permutations_are_equally_likely_without_some_species_too():
    labels, species = np.array([0, 1, 1, 2]), np.arange(4)
    permuted = PermutedLabels.of(labels, species, 6000, np.random.default_rng(0))
    rows = permuted.without(species < 3)
    orders, counts = np.unique(rows, axis=0, return_counts=True)
    assert len(orders) == 3 and np.abs(counts / 6000 - 1 / 3).max() < 0.03


def test_a_permutation_without_a_few_species_is_nearly_the_same():
    species = np.arange(200)
    permuted = PermutedLabels.of(species // 20, species, 5, np.random.default_rng(1))
    kept = species % 20 > 0
    assert np.mean(permuted.without()[:, kept] == permuted.without(kept)[:, kept]) > 0.8
