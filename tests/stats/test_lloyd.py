import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning

from bioclip_probe.stats.lloyd import Start, cluster_sums, lloyd, lloyd_from_each
from bioclip_probe.stats.nearest_centers import Assignment, Points


def plain_lloyd(rows: np.ndarray, centres: np.ndarray, max_iterations: int, tolerance: float = 1e-4) -> np.ndarray:
    """Every distance and every mean, in every iteration."""
    rows, centres = rows.astype(float), centres.astype(float)
    limit, before = tolerance * rows.var(axis=0).mean(), None

    def nearest() -> np.ndarray:
        return ((rows[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1)

    for _ in range(max_iterations):
        cluster, moves = nearest(), 0.0
        means = np.array(
            [rows[cluster == c].mean(axis=0) if (cluster == c).any() else centres[c] for c in range(len(centres))]
        )
        moves, centres = ((means - centres) ** 2).sum(), means
        if before is not None and np.array_equal(cluster, before):
            return cluster
        before = cluster
        if moves <= limit:
            break
    return nearest()


def gaussian(seed: int, n: int, k: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Points, and the first of them as centres, so that no cluster is empty."""
    rows = np.random.default_rng(seed).standard_normal((n, d)).astype(np.float32)
    rows -= rows.mean(axis=0)
    return rows, rows[:k].copy()


# In float32 a point may lie as near to one centre as to another: the same examples in every run.
@settings(derandomize=True)
@given(st.integers(0, 2**32 - 1), st.integers(1, 80), st.integers(1, 12), st.sampled_from([1, 2, 3, 50]), st.booleans())
def test_it_is_plain_lloyd(seed, n, d, max_iterations, given_clusters):
    k = int(np.random.default_rng(seed).integers(1, n + 1))
    rows, centres = gaussian(seed, n, k, d)
    points = Points(rows)

    def known() -> Assignment | None:
        return Assignment.of(points.nearest(centres).cluster) if given_clusters else None

    clusters = lloyd(points, centres, known(), max_iterations=max_iterations)
    assert np.array_equal(clusters, plain_lloyd(rows, centres, max_iterations))
    assert np.array_equal(clusters, lloyd(Points(rows, "cpu:0"), centres, known(), max_iterations=max_iterations))


@pytest.mark.parametrize(("n", "k"), [(600, 5), (600, 60), (2000, 400)])
@pytest.mark.parametrize("max_iterations", [3, 50])
def test_it_is_scikit_learns(n, k, max_iterations):
    rows, centres = gaussian(n + k, n, k, 20)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        peer = KMeans(k, init=centres, n_init=1, max_iter=max_iterations, tol=1e-4).fit(rows)
    assert np.array_equal(lloyd(Points(rows), centres, max_iterations=max_iterations), peer.labels_)


@given(st.integers(0, 2**32 - 1), st.integers(2, 80), st.integers(1, 6))
def test_images_that_are_left_out_have_no_part(seed, n, d):
    draw = np.random.default_rng(seed)
    rows, centres = gaussian(seed, n, int(draw.integers(1, n)), d)
    kept = (draw.random(n) < 0.7) | (np.arange(n) < len(centres))
    clusters = lloyd(Points(rows), centres, kept=kept)
    assert np.array_equal(clusters[kept], lloyd(Points(rows[kept]), centres)) and (clusters[~kept] == -1).all()


@settings(derandomize=True)
@given(st.integers(0, 2**32 - 1), st.integers(2, 80), st.integers(1, 6))
def test_runs_that_go_on_together_do_not_know_of_each_other(seed, n, n_runs):
    draw, points = np.random.default_rng(seed), Points(gaussian(seed, n, 1, 3)[0])
    starts = []
    for _ in range(n_runs):
        centres = points.rows[draw.permutation(n)[: draw.integers(1, n)]]
        kept = (draw.random(n) < 0.8) | (np.arange(n) < len(centres)) if draw.random() < 0.5 else None
        known = points.nearest(centres) if draw.random() < 0.5 else None
        starts.append(Start(centres, known, kept))
    alone = [lloyd(points, start.centres, kept=start.kept) for start in starts]
    for together, expected in zip(lloyd_from_each(points, starts), alone, strict=True):
        assert np.array_equal(together, expected)


def test_blocks_change_nothing(monkeypatch):
    rows, centres = gaussian(1, 500, 70, 10)
    whole = lloyd(Points(rows), centres)
    for name, size in (("TILE", 5000), ("TILE_ROWS", 64), ("DEVICE_TILE", 5000), ("FEW", 0)):
        monkeypatch.setattr(f"bioclip_probe.stats.nearest_centers.{name}", size)
    assert np.array_equal(lloyd(Points(rows), centres), whole)
    assert np.array_equal(lloyd(Points(rows, "cpu:0"), centres), whole)


def test_an_empty_cluster_begins_anew_at_the_image_farthest_from_its_centre():
    rows = np.array([[0.0], [0.2], [5.0], [5.1], [9.0]], dtype=np.float32)
    clusters = lloyd(Points(rows), np.array([[0.1], [5.0], [100.0]], dtype=np.float32))
    assert clusters[0] == clusters[1] != clusters[2] == clusters[3] and clusters[4] == 2


def test_fewer_distinct_images_than_clusters_leave_clusters_empty():
    rows = np.repeat(np.eye(3, dtype=np.float32), 4, axis=0)
    clusters = lloyd(Points(rows), rows[[0, 1, 4, 8, 9]])
    assert len(np.unique(clusters)) == 3 and all(len(set(clusters[i : i + 4])) == 1 for i in (0, 4, 8))


def test_sums_of_chosen_clusters():
    rows, cluster = np.random.default_rng(0).standard_normal((50, 3)).astype(np.float32), np.arange(50) % 7
    sums = cluster_sums(rows, cluster, np.array([5, 2]))
    np.testing.assert_allclose(sums, [rows[cluster == c].sum(axis=0) for c in (5, 2)], rtol=1e-6, atol=1e-6)
