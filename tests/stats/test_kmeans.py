import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ortho_group
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from bioclip_probe.errors import DataError
from bioclip_probe.stats.kmeans import Clusters, Images, WholeClusters, clusters_without_each, kmeans
from bioclip_probe.stats.lloyd import lloyd
from bioclip_probe.stats.nearest_centers import Points
from bioclip_probe.stats.threads import matched_threads
from tests.support.made_up_vectors import unit_rows


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def scattered(n: int, n_taxa: int, d: int = 24, noise: float = 1.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Images of taxa of uneven sizes; every tenth has no name."""
    draw = rng(seed)
    labels = draw.choice(n_taxa, n, p=draw.dirichlet(np.full(n_taxa, 2.0)))
    vectors = draw.standard_normal((n_taxa, d))[labels] + noise * draw.standard_normal((n, d))
    return unit_rows(vectors).astype(np.float32), np.where(np.arange(n) % 10 == 9, -1, labels)


def inertia(vectors: np.ndarray, clusters: np.ndarray) -> float:
    """Sum of squared distances from the means of the clusters."""
    vectors, total = vectors.astype(float), 0.0
    for cluster in np.unique(clusters):
        members = vectors[clusters == cluster]
        total += np.sum((members - members.mean(axis=0)) ** 2)
    return total


@pytest.mark.slow
@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.integers(1, 12), st.booleans())
def test_every_named_image_has_a_cluster_and_lies_nearest_to_its_mean(seed, n, k, repeated):
    draw = rng(seed)
    vectors = draw.integers(-1, 2, (n, 2)).astype(np.float32) if repeated else draw.standard_normal((n, 3))
    labels = draw.integers(-1, 4, n)
    clusters = kmeans(vectors, labels, draw, k, n_starts=2)
    assert clusters.shape == (2, n) and np.array_equal(clusters >= 0, np.tile(labels >= 0, (2, 1)))
    for start in clusters:
        named, found = vectors[labels >= 0].astype(float), start[labels >= 0]
        if not 0 < k < len(named):
            assert len(np.unique(found)) == len(named)
            continue
        assert found.max() < k
        means = np.array([named[found == cluster].mean(axis=0) for cluster in np.unique(found)])
        distance = ((named[:, None] - means) ** 2).sum(axis=2)
        own = distance[np.arange(len(named)), np.searchsorted(np.unique(found), found)]
        assert np.all(own <= distance.min(axis=1) + 1e-4)  # Lloyd's fixed point: no image would move


@pytest.mark.slow
@pytest.mark.parametrize(("n_taxa", "n"), [(20, 600), (100, 1200)])
def test_inertia_is_no_worse_than_that_of_scikit_learn(n_taxa, n):
    """scikit-learn defaults to greedy k-means++, one start, 300 iterations; compare means of 12 starts."""
    vectors, labels = scattered(n, n_taxa)
    named = vectors[labels >= 0]
    k = len(np.unique(labels[labels >= 0]))
    with matched_threads(0):
        ours = [inertia(named, start[labels >= 0]) for start in kmeans(vectors, labels, rng(), n_starts=12)]
        theirs = [KMeans(k, n_init=1, random_state=seed).fit(named).inertia_ for seed in range(12)]
    error = np.sqrt((np.var(ours) + np.var(theirs)) / 12)
    assert np.mean(ours) < np.mean(theirs) + 3 * error and error < 0.005 * np.mean(theirs)


@pytest.mark.slow
def test_the_order_of_rows_does_not_matter():
    vectors, labels = scattered(400, 12)
    order = rng(1).permutation(400)
    assert np.array_equal(kmeans(vectors, labels, rng())[:, order], kmeans(vectors[order], labels[order], rng()))


def test_clusters_of_well_separated_taxa_are_the_taxa_after_rotation_and_shift_too():
    vectors, labels = scattered(300, 30, noise=0.05)
    turned = vectors @ ortho_group.rvs(24, random_state=3).astype(np.float32)
    moved = unit_rows(vectors + 300 * np.eye(24)[0]).astype(np.float32)  # all cosines above 0.9999
    for points in (vectors, turned, moved):
        for start in kmeans(points, labels, rng()):
            assert adjusted_rand_score(labels[labels >= 0], start[labels >= 0]) > 0.97


def test_k_may_be_given_and_with_large_k_every_image_has_its_own_cluster():
    vectors, labels = scattered(100, 6)
    assert len(np.unique(kmeans(vectors, labels, rng(), k=4)[0])) == 4 + 1
    alone = kmeans(vectors, labels, rng(), k=len(labels))
    assert len(np.unique(alone[0][labels >= 0])) == np.sum(labels >= 0)
    assert kmeans(vectors, np.full(100, -1), rng()).max() == -1


def test_fewer_distinct_points_than_clusters():
    vectors = np.repeat(np.eye(3, dtype=np.float32), 10, axis=0)
    clusters = kmeans(vectors, np.arange(30) % 7, rng())
    for start in clusters:
        assert adjusted_rand_score(np.arange(30) // 10, start) == 1
    assert kmeans(np.ones((9, 2), dtype=np.float32), np.arange(9) % 4, rng()).max() < 4


def test_inputs_are_unchanged_and_vectors_that_are_not_finite_are_refused():
    vectors, labels = scattered(60, 4)
    before = vectors.copy()
    vectors.flags.writeable = labels.flags.writeable = False
    kmeans(vectors, labels, rng())
    assert np.array_equal(vectors, before)
    broken = vectors.copy()
    broken[[9, 13], 1] = np.nan  # row 9 has no name and is ignored
    with pytest.raises(DataError, match=r"1 are not, in rows 13$"):
        kmeans(broken, labels, rng())


def test_clusters_without_some_images_begin_where_all_images_ended():
    vectors, labels = scattered(200, 8, noise=0.3)
    vectors, labels = vectors[labels >= 0], labels[labels >= 0]
    clusters, kept = kmeans(vectors, labels, rng(), n_starts=1)[0], np.arange(len(labels)) % 7 > 0
    again = clusters_without_each(WholeClusters.of(Points(vectors), clusters), [kept], [8])[0]
    assert np.array_equal(again >= 0, kept) and len(np.unique(again[kept])) == 8
    assert adjusted_rand_score(again[kept], clusters[kept]) > 0.9
    # As good as clusters that begin anew.
    anew = kmeans(vectors[kept], labels[kept], rng(), 8)
    assert inertia(vectors[kept], again[kept]) < 1.1 * min(inertia(vectors[kept], start) for start in anew)


@pytest.mark.parametrize("k", [1, 3, 6, 9])
def test_fewer_or_more_clusters_than_before_and_as_many_as_images(k):
    rows = np.repeat(np.eye(6, dtype=np.float32), 4, axis=0) + 0.01 * rng().standard_normal((24, 6), dtype=np.float32)
    clusters = np.repeat(np.arange(6), 4)
    whole = WholeClusters.of(Points(rows), clusters)
    again = clusters_without_each(whole, [clusters > 1], [k])[0]
    assert len(np.unique(again[clusters > 1])) == k and set(again[clusters < 2]) == {-1}
    alone = clusters_without_each(whole, [np.arange(24) < 3], [k])[0]
    assert len(np.unique(alone[:3])) == min(k, 3)


def test_groups_without_an_image_are_clustered_too_and_taxa_are_counted_again():
    vectors, labels = scattered(60, 4, noise=0.1)
    group = np.where(labels == 2, 1, 0)
    clusters = Clusters.of(vectors, labels, rng(), group, n_groups=3)
    assert clusters.without_groups.shape == (3, 60)
    assert np.array_equal(clusters.starts, kmeans(vectors, labels, rng()))
    assert len(np.unique(clusters.without_groups[1][(labels >= 0) & (labels != 2)])) == 3
    assert adjusted_rand_score(clusters.without_groups[2], clusters.starts[0]) == 1
    assert Clusters.of(vectors, labels, rng()).without_groups is None


def test_a_device_of_torch_gives_the_same_clusters():
    vectors, labels = scattered(400, 20, noise=0.5)
    group = np.arange(400) % 4
    here, there = (Clusters.of(Images(vectors, device), labels, rng(), group) for device in ("cpu", "cpu:0"))
    assert np.array_equal(here.starts, there.starts) and np.array_equal(here.without_groups, there.without_groups)


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.booleans())
def test_leaving_images_out_is_clustering_the_others_alone(seed, n_taxa, fewer):
    vectors, labels = scattered(80, n_taxa, noise=0.8, seed=seed)
    vectors, labels = vectors[labels >= 0], labels[labels >= 0]
    clusters = kmeans(vectors, labels, rng(seed), n_starts=1)[0]
    kept = rng(seed).random(len(labels)) < 0.6
    sizes = np.bincount(clusters[kept])
    k = max(1, np.count_nonzero(sizes) - fewer)
    largest = np.sort(np.argsort(-sizes, kind="stable")[:k])
    centres = np.array([vectors[kept & (clusters == c)].mean(axis=0, dtype=float) for c in largest], dtype=np.float32)
    if 0 < k < kept.sum():
        without = clusters_without_each(WholeClusters.of(Points(vectors), clusters), [kept], [k])[0]
        assert np.array_equal(without[kept], lloyd(Points(vectors[kept]), centres)) and set(without[~kept]) <= {-1}


@pytest.mark.parametrize("most_in_pairs", [0, 2000])
def test_ranks_share_distances_or_vicinities_which_change_no_cluster(most_in_pairs, monkeypatch):
    vectors, labels = scattered(2000, 200, noise=0.5)
    ranks = [np.where(labels >= 0, labels // 20, -1), labels, np.where(labels % 7 == 0, -1, labels), labels % 50]
    monkeypatch.setattr(Images, "known_distances", lambda *arguments: None)
    alone = [kmeans(vectors, of_rank, rng(), n_starts=2) for of_rank in ranks]
    monkeypatch.undo()
    monkeypatch.setattr("bioclip_probe.stats.kmeans.MOST_IN_PAIRS", most_in_pairs)
    images = Images(vectors, most_clusters=500)
    for of_rank, expected in zip(ranks, alone, strict=True):
        assert np.array_equal(kmeans(images, of_rank, rng(), n_starts=2), expected)
