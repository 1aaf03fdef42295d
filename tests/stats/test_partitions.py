import time
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as peer

from bioclip_probe.stats.partitions import cluster_purities, expected_information, partition_agreements
from tests.definitions import separation as definition


def agreement(clusters, taxa):
    return partition_agreements(np.asarray(clusters), np.asarray(taxa)[None])[0]


def expected_mutual_information(rows, columns):
    """The mean over permutations of all images of the mutual information of sets of these sizes."""
    return expected_information(rows, columns, rows.sum()).sum()


def sizes(labels):
    return np.unique(labels, return_counts=True)[1]


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=7))
def test_expected_information_is_the_mean_over_all_permutations(images):
    clusters, taxa = (np.array(side) for side in zip(*images, strict=True))
    each = [definition.mutual_information(clusters, order) for order in permutations(taxa.tolist())]
    assert expected_mutual_information(sizes(clusters), sizes(taxa)) == pytest.approx(np.mean(each), abs=1e-12)


@pytest.mark.slow
@settings(max_examples=100)
@given(st.integers(0, 2**32 - 1), st.integers(2, 60), st.integers(1, 9), st.integers(1, 9))
def test_agreement_agrees_with_its_definition_and_scikit_learn(seed, n, k, n_taxa):
    draw = np.random.default_rng(seed)
    clusters, taxa = draw.integers(0, k, n), draw.integers(0, n_taxa, n)
    ami, ari = agreement(clusters, taxa)
    both = [f"c{c}" for c in clusters], [f"t{t}" for t in taxa]
    if min(len(sizes(clusters)), len(sizes(taxa))) == 1 or max(len(sizes(clusters)), len(sizes(taxa))) == n:
        assert ami <= 1 and ari <= 1  # where chance may be all there is, we say 0 and scikit-learn 1
        return
    assert ami == pytest.approx(peer.adjusted_mutual_info_score(*both), abs=1e-9)
    assert ari == pytest.approx(peer.adjusted_rand_score(*both), abs=1e-9)
    assert ari == pytest.approx(definition.adjusted_rand(clusters, taxa), abs=1e-9)


@pytest.mark.parametrize(("k", "n_taxa"), [(2, 2), (3, 400), (80, 80)])
def test_terms_left_out_of_large_tables_are_negligible(k, n_taxa):
    draw = np.random.default_rng(k)
    clusters, taxa = (draw.choice(m, 20_000, p=draw.dirichlet(np.full(m, 0.5))) for m in (k, n_taxa))
    table = peer.cluster.contingency_matrix(clusters, taxa, sparse=True)
    expected = peer.cluster.expected_mutual_information(table, len(taxa))
    assert expected_mutual_information(sizes(clusters), sizes(taxa)) == pytest.approx(expected, rel=1e-8)


def test_equal_partitions_agree():
    taxa = np.array([0, 0, 1, 1, 2])
    assert agreement(taxa + 5, taxa) == pytest.approx((1, 1))


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(2, 40), st.integers(1, 6))
def test_many_labellings_at_once_are_each_of_them_alone(seed, n, k):
    draw = np.random.default_rng(seed)
    clusters, labellings = draw.integers(0, k, n), draw.integers(0, 5, (4, n)) * draw.integers(0, 2, (4, 1))
    assert partition_agreements(clusters, labellings) == pytest.approx(
        np.array([agreement(clusters, labels) for labels in labellings])
    )
    expected = [[definition.cluster_purity(clusters, labels)] for labels in labellings]
    assert cluster_purities(clusters, labellings) == pytest.approx(np.array(expected))


def test_ten_thousand_clusters_of_ten_thousand_taxa_take_no_minutes():
    """Sizes as uneven as they come; summed over every count it took that long. Memory stays that of one table."""
    draw = np.random.default_rng(0)
    clusters, taxa = (draw.choice(10_000, 100_000, p=draw.dirichlet(np.full(10_000, 0.3))) for _ in range(2))
    start = time.process_time()
    ami, ari = agreement(clusters, taxa)
    assert time.process_time() - start < 5
    assert abs(ami) < 0.01 and abs(ari) < 0.01
