import contextlib
import os
import pickle
import signal
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from bioclip_probe import encoders, executors
from bioclip_probe.errors import ProbeError
from bioclip_probe.extraction import workers
from bioclip_probe.extraction.embed import embed
from bioclip_probe.extraction.extract import extract
from bioclip_probe.extraction.pipeline import ShardTask
from bioclip_probe.extraction.settings import ExtractionSettings
from bioclip_probe.store.store import Store
from tests.support.extraction import SlowColour, assert_same, embedded_here, painted_dataset, thirty_pictures
from tests.support.pictures import MeanColour

pytestmark = pytest.mark.slow

SMALL_SHARDS = ExtractionSettings(batch_size=1, shard_size=2, progress=False)


@pytest.fixture
def dataset(tmp_path):
    """Ten pictures, each of another colour."""
    return painted_dataset(tmp_path / "ten", 10)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.mark.parametrize(("tasks", "size", "expected"), [(256, 1 << 31, 5), (3, 1 << 31, 3), (256, 60, 2), (256, 1, 1)])
def test_the_tasks_under_way_are_limited_by_number_and_size(dataset, monkeypatch, tasks, size, expected):
    """Ten images in shards of two: a shard's vectors are 24 bytes."""
    given, taken, most = [], [], []

    class Counting(ThreadPoolExecutor):
        def submit(self, *work):
            given.append(work)
            most.append(len(given) - len(taken))
            return super().submit(*work)

    task_results = workers.task_results
    monkeypatch.setattr(workers, "task_results", lambda *done: taken.append(done) or task_results(*done))
    ids, sources = dataset.images["image_id"].tolist(), dataset.images["source"].tolist()
    shards = [ShardTask(i, ids[2 * i : 2 * i + 2], sources[2 * i : 2 * i + 2], (0,)) for i in range(5)]
    with Counting(1) as executor:
        queue = workers.WorkerQueue(executor, max_tasks=tasks, max_bytes=size)
        done = list(queue.encode_tasks(dataset.open, [MeanColour()], shards, ExtractionSettings(), lambda number: None))
    assert sum(len(shard.vectors) for shard in done) == 10
    assert max(most) == expected


class PicklingExecutor(ThreadPoolExecutor):
    """Threads that receive their work by pickle, as processes do."""

    def submit(self, function, *arguments):
        return super().submit(function, *pickle.loads(pickle.dumps(arguments)))


def test_an_open_executor_in_the_settings_is_not_sent_to_its_own_workers(dataset, store):
    with PicklingExecutor(1) as executor:
        settings = ExtractionSettings(engine=executor, progress=False)
        ((_, summary),) = embed(dataset, ["pixels"], store, settings)
    assert summary.n_ok == 10


@pytest.fixture
def thirty(tmp_path):
    return thirty_pictures(tmp_path / "thirty")


@pytest.fixture
def seen(tmp_path, monkeypatch):
    path = tmp_path / "workers"
    path.touch()
    monkeypatch.setenv("WORKERS_SEEN", str(path))
    return path


@pytest.mark.parametrize("name", ["processes:2", "dask"])
def test_workers_return_what_this_process_returns(thirty, tmp_path, seen, name, request):
    if name == "dask":
        name = f"dask:{request.getfixturevalue('cluster').scheduler_address}"
    store = Store(tmp_path / "store")
    with executors.open_executor(name) as executor:
        (found,) = extract(thirty, [SlowColour()], store, ExtractionSettings(shard_size=4, progress=False), executor)
    assert (found.n_ok, found.n_failed) == (29, 1)
    assert found.failures["error_class"].tolist() == ["empty"]
    assert_same(store.read(thirty, SlowColour()), embedded_here(thirty, tmp_path / "here"))


@pytest.fixture
def cluster(seen):
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0", silence_logs=50
    ) as cluster:
        yield cluster


def test_the_shards_of_a_killed_worker_are_embedded_by_the_others(thirty, tmp_path, seen, cluster):
    store, killed = Store(tmp_path / "store"), []
    with executors.open_executor(f"dask:{cluster.scheduler_address}") as executor:
        task_results = workers.task_results

        def land_and_kill(future, task):
            if not killed:
                killed.append(int(seen.read_text().split()[-1]))
                os.kill(killed[0], signal.SIGKILL)
            return task_results(future, task)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(workers, "task_results", land_and_kill)
            (found,) = extract(thirty, [SlowColour()], store, SMALL_SHARDS, executor)
    assert killed
    assert found.n_ok == 29
    assert_same(store.read(thirty, SlowColour()), embedded_here(thirty, tmp_path / "here"))


def test_a_lost_process_is_reported_in_one_line_and_the_next_run_goes_on(thirty, tmp_path, seen):
    store = Store(tmp_path / "store")
    with (
        executors.open_executor("processes:1") as executor,
        pytest.raises(ProbeError, match="a worker process was lost"),
    ):
        task_results = workers.task_results

        def land_and_kill(future, task):
            with contextlib.suppress(ProcessLookupError):  # killed by an earlier result
                os.kill(int(seen.read_text().split()[-1]), signal.SIGKILL)
            return task_results(future, task)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(workers, "task_results", land_and_kill)
            extract(thirty, [SlowColour()], store, SMALL_SHARDS, executor)
    (found,) = extract(thirty, [MeanColour()], store, ExtractionSettings(progress=False))
    assert found.n_reused >= 2
    assert_same(store.read(thirty, SlowColour()), embedded_here(thirty, tmp_path / "here"))


def test_real_encoders_are_sent_as_their_recipe(thirty, tmp_path):
    store = Store(tmp_path / "store")
    with executors.open_executor("processes:1") as executor:
        far = encoders.load_remote("world-generic", executor)
        extract(thirty, [far], store, ExtractionSettings(shard_size=16, progress=False), executor)
    other, near = Store(tmp_path / "other"), encoders.load("world-generic")
    extract(thirty, [near], other, ExtractionSettings(shard_size=16, progress=False))
    assert near.fingerprint == far.fingerprint
    np.testing.assert_allclose(store.read(thirty, far)[1], other.read(thirty, near)[1], rtol=1e-4, atol=1e-5)
