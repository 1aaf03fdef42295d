"""Extraction by workers: the tasks of a run in the processes of an executor."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bioclip_probe.errors import ProbeError, one_line
from bioclip_probe.executors import LOCAL
from bioclip_probe.extraction.pipeline import EncodedShard, ShardTask, encode_task_in_worker
from bioclip_probe.extraction.preparation import OpenPicture
from bioclip_probe.extraction.settings import ExtractionSettings

if TYPE_CHECKING:
    from bioclip_probe.encoders import Encoder


@dataclass(frozen=True)
class WorkerQueue:
    """A bounded queue of tasks for the workers of an executor.

    Attributes
    ----------
    executor : Executor
        Runs the tasks; see `executors.open_executor`.
    max_tasks : int
        Tasks that are with the executor at once, at most.
    max_bytes : int
        Bytes of the vectors of these tasks, at most. All of them may wait in the memory of this process. One task is
        always allowed, however large it is.

    Examples
    --------
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> from bioclip_probe.encoders import load
    >>> with ThreadPoolExecutor(1) as executor:
    ...     list(WorkerQueue(executor).encode_tasks(open, [load("pixels")], [], ExtractionSettings(), print))
    []
    """

    executor: Executor
    max_tasks: int = 256
    max_bytes: int = 1 << 31

    def encode_tasks(
        self,
        open_picture: OpenPicture,
        encoders: Sequence[Encoder],
        tasks: Sequence[ShardTask],
        settings: ExtractionSettings,
        advance: Callable[..., object],
    ) -> Generator[EncodedShard, None, None]:
        """Yield the results of all tasks, in the order in which they are finished.

        Parameters
        ----------
        open_picture : callable
            Opens a picture by its source, as `Dataset.open` does. It is pickled.
        encoders : sequence of Encoder
            They are pickled, and arrive loaded.
        tasks : sequence of ShardTask
        settings : ExtractionSettings
            Its `batch_size` and `workers` are used, by each worker.
        advance : callable
            Called after each task with its number of images.

        Yields
        ------
        EncodedShard

        Raises
        ------
        ProbeError
            If a worker is lost for good or fails. Errors of this package arrive as they are.
        """
        settings = replace(settings, engine=LOCAL)  # an executor in the settings could not be pickled
        waiting = list(reversed(tasks))
        under_way: dict[Future[list[EncodedShard]], ShardTask] = {}
        largest = max((_n_bytes(task, encoders) for task in tasks), default=1)
        limit = max(1, min(self.max_tasks, self.max_bytes // largest))
        try:
            while waiting or under_way:
                while waiting and len(under_way) < limit:
                    task = waiting.pop()
                    future = self.executor.submit(encode_task_in_worker, open_picture, encoders, task, settings)
                    under_way[future] = task
                for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                    task = under_way.pop(future)
                    yield from task_results(future, task)
                    advance(len(task.image_ids))
        finally:
            for future in under_way:
                future.cancel()


def task_results(future: Future[list[EncodedShard]], task: ShardTask) -> list[EncodedShard]:
    """Return the results of a finished task, or raise what went wrong as an error of one line.

    Parameters
    ----------
    future : Future
        A finished future of the executor.
    task : ShardTask
        Its task; the error names the shard.

    Returns
    -------
    list of EncodedShard

    Raises
    ------
    ProbeError
        If the worker is lost or failed.

    Examples
    --------
    >>> future = Future()
    >>> future.set_exception(ValueError("no memory"))
    >>> task_results(future, ShardTask(3, ["a"], ["a.png"], (0,)))
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.ProbeError: a worker failed on shard 3 (ValueError: no memory); finished shards are kept, \
the same command goes on from there
    """
    try:
        return future.result()
    except ProbeError:
        raise
    except BrokenExecutor as error:
        raise ProbeError(
            "a worker process was lost (out of memory?); finished shards are kept, the same command goes on from there"
        ) from error
    except Exception as error:  # an executor has an exception of its own for a worker that was lost too often
        raise ProbeError(
            f"a worker failed on shard {task.shard} ({one_line(error, with_type=True)}); finished shards are kept, "
            "the same command goes on from there"
        ) from error


def _n_bytes(task: ShardTask, encoders: Sequence[Encoder]) -> int:
    """Return the bytes of the vectors that a task sends back."""
    return 4 * len(task.image_ids) * sum(encoders[number].dimension for number in task.encoders)
