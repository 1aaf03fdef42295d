import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest

from bioclip_probe.extraction import workers
from bioclip_probe.extraction.embed import embed
from bioclip_probe.extraction.pipeline import ShardTask
from bioclip_probe.extraction.settings import ExtractionSettings
from bioclip_probe.store.store import Store
from tests.support.extraction import (
    painted_dataset,
)
from tests.support.pictures import MeanColour


@pytest.fixture
def dataset(tmp_path):
    """Ten pictures, each of another colour."""
    return painted_dataset(tmp_path / "ten", 10)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.mark.parametrize(("tasks", "size", "expected"), [(256, 1 << 31, 5), (3, 1 << 31, 3), (256, 60, 2), (256, 1, 1)])
def test_results_of_workers_wait_by_number_and_size(dataset, monkeypatch, tasks, size, expected):
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
