"""Tasks of an executor, and the two passes computed by its workers, some of which are killed."""

from __future__ import annotations

import os
import pickle
import signal
import time
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioclip_probe.errors import DataError, ProbeError, StoreError
from bioclip_probe.stats import tasks
from bioclip_probe.stats.rows import Rows
from bioclip_probe.stats.sweep import sweep
from bioclip_probe.stats.sweep.replicates import Replicates
from bioclip_probe.store.store import Store
from bioclip_probe.study.streaming import Streaming, stream_moments
from tests.support.made_up_vectors import random_taxonomy, signal_vectors
from tests.support.pictures import MeanColour
from tests.support.stores import fill_store, made_up_dataset

pytestmark = pytest.mark.slow

N, D, FAILED = 1500, 3, (0, 7, 31)
SUMS = ("counts", "sums", "norms", "second", "third", "fourths", "origin")


@pytest.fixture(scope="module")
def processes():
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        yield pool


@pytest.fixture(scope="module")
def dask():
    distributed = pytest.importorskip("distributed", reason="Dask is not installed: pip install distributed")
    two = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with distributed.LocalCluster(**two) as cluster, distributed.Client(cluster) as client:
        yield client.get_executor(pure=False)


@pytest.fixture(params=["threads", "processes", "dask"])
def executor(request):
    if request.param != "threads":
        yield request.getfixturevalue(request.param)
        return
    with ThreadPoolExecutor(3) as pool:
        yield pool


@pytest.fixture(scope="module")
def swept():
    """Rows, the arguments of a sweep, and its result in this process."""
    rng = np.random.default_rng(0)
    placement = random_taxonomy(200, N, rng)
    rows = Rows.images(signal_vectors(placement, 300, 0.8, 1.0, rng), placement)
    tips = np.where((rng.random(N) < 0.1) & (np.arange(N) >= 200), -1, rows.tips)
    rows = Rows(rows.tree, rows.vectors, tips, tips)
    replicates = Replicates.jackknife(tips % 2, 2).with_permutations(rows, rng, 2, 300)
    arguments = {"replicates": replicates, "anchors": True}
    return rows, arguments, sweep.sweep(rows, **arguments)


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A store of many shards, the placement of its images, and their moments computed in this process."""
    rng = np.random.default_rng(1)
    placement = random_taxonomy(15, 60, rng)
    vectors = signal_vectors(placement, D, 1.0, 0.3, rng)
    store = store_of(tmp_path_factory.mktemp("stored") / "store", vectors)
    return store, placement, moments((store, placement))


def store_of(folder: Path, vectors: np.ndarray) -> Store:
    store = Store(folder)
    fill_store(store, made_up_dataset(len(vectors)), MeanColour(), vectors, FAILED, 4)
    return store


def moments(stored, executor: Executor | None = None, images_per_sum: int = 0):
    """Return the moments of all images; with 0 images per sum, each shard is a task."""
    store, placement, *_ = stored
    streaming = Streaming(executor, images_per_sum=images_per_sum)
    return stream_moments(store, "few", "mean/colour", placement, np.random.default_rng(5), streaming)


def ids_of(stored) -> pd.Index:
    return pd.Index(stored[0].images("few")["image_id"])


class Watched(Executor):
    """An executor that submits to another one and records the arguments; task `deadly` kills its worker once."""

    def __init__(self, executor: Executor, deadly: int = -1, mark: Path | None = None) -> None:
        self.executor, self.deadly, self.mark, self.given = executor, deadly, mark, []

    def submit(self, function, /, *arguments) -> Future:
        self.given.append(arguments)
        if len(self.given) == self.deadly:
            return self.executor.submit(die_once, self.mark, function, *arguments)
        return self.executor.submit(function, *arguments)


def die_once(mark: Path, function, *arguments):
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return function(*arguments)


def assert_same_sweep(found: sweep.Sweep, expected: sweep.Sweep) -> None:
    for key in ("steps", "edges", "by_group", "within_group"):
        np.testing.assert_array_equal(getattr(found.joint, key), getattr(expected.joint, key))
    for key in ("scores", "without_group", "permuted", "permuted_counts", "tied"):
        np.testing.assert_array_equal(getattr(found, key), getattr(expected, key))


def assert_same_moments(found, expected, exactly: bool = False) -> None:
    assert found[0].name.tolist() == expected[0].name.tolist() and found[2] == expected[2]
    np.testing.assert_array_equal(found[1].jackknife_group, expected[1].jackknife_group)
    for ours, theirs in zip(found[1].by_group, expected[1].by_group, strict=True):
        ours = ours if exactly else ours.about(theirs.origin)
        for key in SUMS:
            np.testing.assert_allclose(getattr(ours, key), getattr(theirs, key), atol=0 if exactly else 1e-12, rtol=0)


def test_a_sweep_is_the_same_with_any_executor(swept, executor):
    rows, arguments, expected = swept
    watched = Watched(executor)
    assert_same_sweep(sweep.sweep(rows, **arguments, workers=sweep.SweepWorkers(watched)), expected)
    assert len(watched.given) > 2
    assert_same_sweep(sweep.sweep(rows, workers=sweep.SweepWorkers(executor)), sweep.sweep(rows))


def test_moments_are_the_same_with_any_executor(stored, executor):
    watched = Watched(executor)
    found = moments(stored, watched)
    assert len(watched.given) == 15
    assert_same_moments(found, stored[2])
    with ThreadPoolExecutor(1) as alone:
        assert_same_moments(found, moments(stored, alone), exactly=True)


def test_a_lost_worker_loses_no_pair_and_no_image(swept, stored, dask, tmp_path):
    rows, arguments, expected = swept
    assert_same_sweep(
        sweep.sweep(rows, **arguments, workers=sweep.SweepWorkers(Watched(dask, 2, tmp_path / "sweep"))), expected
    )
    assert_same_moments(moments(stored, Watched(dask, 6, tmp_path / "moments")), stored[2])
    assert (tmp_path / "sweep").exists() and (tmp_path / "moments").exists()


def test_a_killed_process_breaks_its_executor(stored, tmp_path):
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool, pytest.raises(BrokenExecutor):
        moments(stored, Watched(pool, 2, tmp_path / "killed"))


def test_tasks_carry_only_what_they_need(swept, stored):
    rows, arguments, _ = swept
    with ThreadPoolExecutor(1) as pool:
        watched, streamed = Watched(pool), Watched(pool)
        sweep.sweep(rows, **arguments, workers=sweep.SweepWorkers(watched))
        moments(stored, streamed)
    assert max(len(pickle.dumps(task)) for task in watched.given) < 10_000 < rows.vectors.nbytes
    assert not [len(ids) for _, _, ids, *_ in streamed.given if len(ids) != 4]
    assert max(len(pickle.dumps(ids)) for _, _, ids, *_ in streamed.given) < 600 < len(pickle.dumps(ids_of(stored)))
    assert all(place.max() < len(group) <= 4 for _, _, _, place, group, *_ in streamed.given)


def test_a_store_with_a_relative_path_is_found_by_workers_elsewhere(stored, processes, monkeypatch):
    store, placement, expected = stored
    processes.submit(os.getcwd).result()  # workers start in another folder
    monkeypatch.chdir(store.path.parent)
    assert_same_moments(moments((Store(store.path.name), placement), processes), expected)


def test_small_work_is_one_task(stored):
    with ThreadPoolExecutor(1) as pool:
        watched = Watched(pool)
        assert_same_moments(moments(stored, watched, Streaming().images_per_sum), stored[2])
    assert len(watched.given) == 1


def test_one_row_and_no_image_are_enough(stored):
    placement = random_taxonomy(1, 1, np.random.default_rng(0))
    one = Rows.images(np.ones((1, 1), dtype=np.float32), placement)
    store, placement, _ = stored
    nowhere = type(placement)(placement.tree, np.full(60, -1))
    with ThreadPoolExecutor(1) as pool:
        found = sweep.sweep(one, anchors=True, workers=sweep.SweepWorkers(pool))
        _, split, n_excluded = stream_moments(
            store, "few", "mean/colour", nowhere, streaming=Streaming(pool, images_per_sum=0)
        )
    assert_same_sweep(found, sweep.sweep(one, anchors=True))
    assert not split.by_group and n_excluded == 60


def test_errors_of_a_store_are_the_same_with_workers(tmp_path, stored, processes):
    _, placement, _ = stored
    vectors = np.ones((60, D), dtype=np.float32)
    vectors[45] = np.nan
    store = store_of(tmp_path / "store", vectors)
    with pytest.raises(DataError, match="i45"):
        moments((store, placement), processes)
    shard = store.embedding_folder("few", "mean/colour").files(9).vectors
    shard.write_bytes(shard.read_bytes()[:-1] + b"x")
    with pytest.raises(StoreError, match="sha256 differs"):
        moments((store, placement), processes)
    store.embedding_folder("few", "mean/colour").drop_shards([3])
    with pytest.raises(StoreError, match="14 of 15 shards"):
        moments((store, placement), processes)


@given(st.integers(0, 10**6), st.integers(0, 10**4))
def test_ranges_are_even_and_cover_all_numbers(n, least):
    ranges = tasks.even_ranges(n, least)
    assert [number for one in ranges for number in (one.start, one.stop)][1:-1:2] == [one.start for one in ranges[1:]]
    assert ranges[0].start == 0 and ranges[-1].stop == n and len(ranges) <= tasks.MOST_TASKS
    sizes = [len(one) for one in ranges]
    assert max(sizes) - min(sizes) <= 1 and min(sizes) >= min(n, least)


def test_results_come_in_the_order_of_the_tasks():
    with ThreadPoolExecutor(4) as pool:
        found = list(tasks.ordered_results(pool, lambda i: time.sleep((4 - i) / 100) or i, [(i,) for i in range(4)]))
    assert found == [0, 1, 2, 3]


def test_an_error_cancels_tasks_that_have_not_begun():
    begun = []

    def task(i: int) -> None:
        begun.append(i)
        time.sleep(0.01)
        raise DataError("no")

    with ThreadPoolExecutor(1) as pool, pytest.raises(DataError, match="no"):
        list(tasks.ordered_results(pool, task, [(i,) for i in range(100)]))
    assert len(begun) < 10


def test_a_shared_value_arrives_unchanged():
    frozen = np.arange(5.0)
    frozen.flags.writeable = False
    value = {"text": "a", "rows": [np.arange(7, dtype=np.int8), np.zeros((0, 3)), np.ones((4, 5)).T, frozen]}
    with tasks.share_with_workers(value) as shared:
        found = pickle.loads(pickle.dumps(shared)).load()
        second = shared.load()
        folder = shared.path.parent
    assert found["text"] == "a" and not folder.exists()
    for ours, theirs in zip(found["rows"], value["rows"], strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype and ours.flags.aligned
    found["rows"][0][:] = 9  # copy on write: no other copy changes
    np.testing.assert_array_equal(second["rows"][0], value["rows"][0])


def test_a_worker_that_cannot_see_the_file_gets_an_error_with_a_remedy():
    with tasks.share_with_workers(np.arange(3)) as shared:
        pass
    with pytest.raises(ProbeError, match="set TMPDIR to a folder that all workers see"):
        shared.load()
