import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as peer

from bioclip_probe.metrics.clusters import agreement_without_groups
from bioclip_probe.stats.kmeans import kmeans
from tests.definitions import separation as definition
from tests.support.labelled import cluster_agreement, cluster_purity, labelled_world


def rng():
    return np.random.default_rng(5)


@pytest.mark.slow
@settings(deadline=None, max_examples=100)
@given(st.integers(0, 2**32 - 1), st.integers(3, 30), st.integers(1, 6), st.integers(2, 8))
def test_cluster_numbers_equal_their_definitions_and_scikit_learn(seed, n, k, n_taxa):
    random = np.random.default_rng(seed)
    clusters, labels = random.integers(0, k, (2, n)), random.integers(-1, n_taxa, n)
    clusters[:, labels < 0] = -1
    purity = cluster_purity(clusters, labels, labels, rng())
    agreement = cluster_agreement(clusters, labels, labels, rng())
    if np.isnan(purity.value):
        assert purity.note and agreement["cluster_ami"].note == agreement["cluster_ari"].note == purity.note
        return
    taxa = labels[labels >= 0]
    starts = clusters[:, labels >= 0]
    assert purity.value == pytest.approx(np.mean([definition.cluster_purity(start, taxa) for start in starts]))
    ari = np.mean([definition.adjusted_rand(start, taxa) for start in starts])
    assert agreement["cluster_ari"].value == pytest.approx(ari, abs=1e-9)
    # Strings, for scikit-learn warns of many distinct numbers.
    names = [f"t{taxon}" for taxon in taxa]
    for name, outsider in (("ami", peer.adjusted_mutual_info_score), ("ari", peer.adjusted_rand_score)):
        expected = np.mean([outsider(names, [f"c{c}" for c in start]) for start in starts])
        assert agreement[f"cluster_{name}"].value == pytest.approx(expected, abs=1e-9)


@pytest.mark.slow
@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1), st.integers(9, 40))
def test_indices_without_a_group_of_species_are_those_of_the_images_that_are_left(seed, n):
    random = np.random.default_rng(seed)
    clusters, taxa, species = random.integers(0, 4, n), random.integers(0, 3, n), random.integers(0, 9, n)
    group = np.unique(species, return_inverse=True)[1] % 3
    found = agreement_without_groups(clusters, taxa, group)
    for (ami, ari), left in zip(found, [group >= 0, group != 0, group != 1, group != 2], strict=False):
        # Where every image is alone in both, chance is all there is: we say 0 and scikit-learn 1.
        if len(set(clusters[left])) > 1 and 1 < len(set(taxa[left])) < left.sum():
            both = [f"t{t}" for t in taxa[left]], [f"c{c}" for c in clusters[left]]
            assert ami == pytest.approx(peer.adjusted_mutual_info_score(*both), abs=1e-9)
            assert ari == pytest.approx(peer.adjusted_rand_score(*both), abs=1e-9)


def test_purity_of_kmeans_equals_scikit_learn_contingency():
    vectors, labels, species = labelled_world()
    clusters = kmeans(vectors, labels, rng())
    named = labels >= 0
    assert np.all(clusters[:, ~named] == -1)
    tables = [peer.cluster.contingency_matrix(labels[named], start[named]) for start in clusters]
    expected = np.mean([table.max(axis=0).sum() / named.sum() for table in tables])
    assert cluster_purity(clusters, labels, species, rng()).value == pytest.approx(expected)


@pytest.mark.slow
def test_intervals_of_agreement_cover_what_more_species_would_give():
    """Species of five families, each in its own place: most of them where their family is, all their images near."""
    random = np.random.default_rng(3)

    def sample(n_species):
        species = np.repeat(np.arange(n_species), 6)
        family = random.integers(0, 5, n_species)
        home = np.where(random.random(n_species) < 0.6, family, random.integers(0, 5, n_species))
        cluster = np.where(random.random(len(species)) < 0.8, home[species], random.integers(0, 5, len(species)))
        return cluster_agreement(cluster[None], family[species], species, random)

    truth = sample(4000)
    found = [sample(80) for _ in range(100)]
    for name in truth:
        covered = [each[name].ci_low <= truth[name].value <= each[name].ci_high for each in found]
        assert 88 <= sum(covered) <= 100
        assert found[0][name].ci_method.startswith("delete-group jackknife") and found[0][name].resampled == "species"


def test_majorities_that_tie_share():
    clusters, labels = np.zeros((1, 4), dtype=np.int64), np.array([0, 0, 1, 1])
    found = cluster_purity(clusters, labels, labels, rng())
    assert (found.value, found.ci_low, found.ci_high) == (0.5, 0.5, 0.5)
    assert found.note == "1 clusters; sd over 1 starts 0.0000"
