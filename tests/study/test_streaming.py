from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

from bioclip_probe.errors import DataError, StoreError
from bioclip_probe.metrics.image_pairs import estimate_image_correlation, streamed_tree_correlation
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.stats.centroids import image_moments
from bioclip_probe.stats.embeddings import unit_rows
from bioclip_probe.stats.jackknife import Jackknife
from bioclip_probe.stats.rows import Rows
from bioclip_probe.store.store import Store
from bioclip_probe.study.streaming import Streaming, stream_moments
from bioclip_probe.tree import Placement
from tests.support.made_up_vectors import random_taxonomy, signal_vectors
from tests.support.pictures import MeanColour
from tests.support.stores import fill_store, made_up_dataset

N, D = 60, 3
FAILED = (0, 7, 31)


@pytest.fixture
def placement() -> Placement:
    return random_taxonomy(15, N, np.random.default_rng(0))


@pytest.fixture
def vectors(placement) -> np.ndarray:
    rng = np.random.default_rng(1)
    lengths = rng.uniform(0.1, 5, (N, 1)).astype(np.float32)
    return lengths * signal_vectors(placement, D, 1.0, 0.3, rng)


def stored(tmp_path, vectors, dtype="float32", shard_size=8) -> Store:
    store = Store(tmp_path / "store")
    fill_store(store, made_up_dataset(N), MeanColour(), vectors.astype(dtype), FAILED, shard_size)
    return store


@pytest.mark.slow
@pytest.mark.parametrize(("dtype", "at_once"), [("float32", 1), ("float32", 30), ("float32", 10**6), ("float16", 90)])
def test_moments_of_a_store_are_those_in_memory(tmp_path, placement, vectors, dtype, at_once):
    store, small = stored(tmp_path, vectors, dtype), Streaming(numbers_at_once=at_once)
    tree, split, n_excluded = stream_moments(store, "few", "mean/colour", placement, streaming=small)
    kept = np.setdiff1d(np.arange(N), FAILED)
    expected_tree, expected = image_moments(unit_rows(vectors[kept].astype(dtype)), placement.take(kept))
    assert n_excluded == 3 and len(tree) == len(expected_tree)
    found = split.total.about(expected.origin)
    for key in ("counts", "sums", "norms", "second", "third", "fourths"):
        np.testing.assert_allclose(getattr(found, key), getattr(expected, key), atol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("shard_size", [1, 7, 60])
def test_any_tasks_add_up_to_one_pass(tmp_path, placement, vectors, shard_size):
    """Tasks that meet few of the taxa, and not all of their parts."""
    store = stored(tmp_path, vectors, shard_size=shard_size)
    found, expected = [], stream_moments(store, "few", "mean/colour", placement, np.random.default_rng(3))
    for workers in (1, 3):
        with ThreadPoolExecutor(workers) as pool:
            rng = np.random.default_rng(3)
            found.append(stream_moments(store, "few", "mean/colour", placement, rng, Streaming(pool, images_per_sum=0)))
    assert found[0][2] == found[1][2] == expected[2]
    for one, three, alone in zip(found[0][1].by_group, found[1][1].by_group, expected[1].by_group, strict=True):
        for key in ("counts", "sums", "norms", "second", "third", "fourths"):
            np.testing.assert_array_equal(getattr(one, key), getattr(three, key))
            np.testing.assert_allclose(getattr(one.about(alone.origin), key), getattr(alone, key), atol=1e-11)


@pytest.mark.slow
def test_the_streamed_estimate_is_the_one_in_memory(tmp_path, placement, vectors):
    rng, store, small = np.random.default_rng(5), stored(tmp_path, vectors), Streaming(numbers_at_once=50)
    tree, split, n_excluded = stream_moments(store, "few", "mean/colour", placement, rng, small)
    found = streamed_tree_correlation(tree, split, rng, n_excluded)
    kept = np.setdiff1d(np.arange(N), FAILED)
    alone = Placement(placement.tree, np.where(np.isin(np.arange(N), FAILED), -1, placement.node))
    whole = unit_rows(np.where(np.isin(np.arange(N), kept)[:, None], vectors, 1.0))
    images, same = Rows.images(whole, alone), np.random.default_rng(5)
    jackknife = Jackknife.of("species", images.groups, same)
    expected = estimate_image_correlation(images, jackknife, same, MeasureSettings())
    for key, value in vars(expected).items():
        same_value = value if isinstance(value, str) else pytest.approx(value, abs=1e-9, nan_ok=True)
        assert getattr(found, key) == same_value


def test_images_at_no_tip_are_left_out_and_counted(tmp_path, placement, vectors):
    node = placement.node.copy()
    node[[1, 2]] = -1
    node[3] = placement.tree.parent[node[3]]
    _, split, n_excluded = stream_moments(
        stored(tmp_path, vectors), "few", "mean/colour", Placement(placement.tree, node)
    )
    assert n_excluded == 6 and split.total.n == N - 6


def test_a_tip_whose_images_all_failed_is_no_tip(tmp_path, vectors):
    placement = random_taxonomy(15, N, np.random.default_rng(0))
    node = np.where(np.isin(np.arange(N), FAILED), placement.tree.tips[0], placement.tree.tips[1 + np.arange(N) % 14])
    tree, split, _ = stream_moments(stored(tmp_path, vectors), "few", "mean/colour", Placement(placement.tree, node))
    assert len(tree.tips) == len(split.jackknife_group) == 14


def test_nothing_at_any_tip(tmp_path, placement, vectors):
    nowhere = Placement(placement.tree, np.full(N, -1))
    tree, split, n_excluded = stream_moments(stored(tmp_path, vectors), "few", "mean/colour", nowhere)
    assert n_excluded == N and not split.by_group
    found = streamed_tree_correlation(tree, split, np.random.default_rng(0), n_excluded)
    assert found.note == "needs at least 3 taxa, found 0" and found.n_excluded == N


@pytest.mark.parametrize("wrong", [np.nan, np.inf, 0.0])
def test_vectors_without_direction_are_named(tmp_path, placement, vectors, wrong):
    vectors[[12, 45]] = wrong
    with pytest.raises(DataError, match="i12"):
        stream_moments(stored(tmp_path, vectors), "few", "mean/colour", placement)


def test_another_number_of_images(tmp_path, placement, vectors):
    with pytest.raises(DataError, match="the placement has 59 images, the dataset 60"):
        stream_moments(stored(tmp_path, vectors), "few", "mean/colour", placement.take(np.arange(59)))


def test_a_store_with_images_it_does_not_list(tmp_path, placement, vectors, monkeypatch):
    store = stored(tmp_path, vectors)
    listed = store.images("few")
    others = listed.assign(image_id=pd.Series([f"j{i}" for i in range(N)], dtype=listed["image_id"].dtype))
    monkeypatch.setattr(Store, "images", lambda self, dataset: others)
    with pytest.raises(StoreError, match="images it does not list"):
        stream_moments(store, "few", "mean/colour", placement)
