"""Extraction: dataset × encoders → store.

A shard of images is a piece of work: the pipeline does one after the other here, or an executor's workers do many at
once. What comes back is landed by this process alone. What an earlier run left is kept: a second run does nothing, an
interrupted one goes on.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from bioclip_probe.errors import DataError, ProbeError, one_line
from bioclip_probe.extraction.pipeline import Done, Task, run, run_here
from bioclip_probe.progress import progress_bar
from bioclip_probe.store.shards import DTYPES, Embedded
from bioclip_probe.store.store import SHARD_SIZE, Store

if TYPE_CHECKING:
    from bioclip_probe.datasets import Dataset
    from bioclip_probe.encoders import Encoder

#: Tasks handed to an executor and not yet landed, and the bytes of their vectors, which may all wait in memory here.
MOST_AT_ONCE, MOST_BYTES = 256, 1 << 31


@dataclass(frozen=True)
class Extraction:
    """What a run of `embed` did for one encoder.

    Attributes
    ----------
    n_ok, n_failed : int
        Images with and without a vector, in all.
    n_reused : int
        Images, of both kinds, that an earlier run had done.
    images_per_s : float
        Images embedded a second, from the first picture opened to the last shard written; NaN if none was.
    failures : DataFrame
        Columns image_id, error_class, error: the images without a vector.
    folder : Path
        Where the vectors are.
    dtype : str
        What they are kept in.
    parity : float
        Smallest cosine with float32 that was seen, where the encoder computes in less; otherwise NaN.
    """

    n_ok: int
    n_failed: int
    n_reused: int
    images_per_s: float
    failures: pd.DataFrame
    folder: Path
    dtype: str
    parity: float


@dataclass(frozen=True)
class Settings:
    """How `embed` goes about its work; nothing of it changes which images get a vector.

    Attributes
    ----------
    batch_size : int
        Pictures an encoder is given at once. No batch reaches over the end of a shard, so that an interrupted and
        an uninterrupted run give the encoder the same batches.
    workers : int, optional
        Threads that open and prepare pictures; as many as there are processors, half of them where the encoder
        runs on them too, at most 16, unless said.
    shard_size : int
        Images a shard; what an interruption loses. An earlier run's shards keep theirs.
    dtype : str
        ``float32``, or ``float16`` for half the disk and vectors good to three digits. An earlier run's shards keep
        theirs.
    max_failures : float, optional
        Stop once more images than this have failed: a number of images, or below 1 a share of the dataset. What is
        done by then is kept. Without it a run goes on as long as one image can be used.
    redo : collection of str
        What an earlier run did and is to be done again: ``failed`` (shards with failed images), ``damaged`` (shards
        that are no longer what was written).
    progress : bool
        Show how far it is on standard error: a bar on a terminal, otherwise a line every half minute.

    Raises
    ------
    DataError
        If a number is out of its range.
    """

    batch_size: int = 32
    workers: int | None = None
    shard_size: int = SHARD_SIZE
    dtype: str = DTYPES[0]
    max_failures: float | None = None
    redo: Collection[str] = field(default=())
    progress: bool = True

    def __post_init__(self) -> None:
        if self.batch_size < 1 or (self.workers is not None and self.workers < 1):
            raise DataError(f"batch size and workers must be at least 1; got {self.batch_size} and {self.workers}")
        if self.shard_size < 1:
            raise DataError(f"a shard holds at least 1 image; got {self.shard_size}")
        if self.max_failures is not None and self.max_failures < 0:
            raise DataError(f"the most failures must be 0 or more, or a share below 1; got {self.max_failures}")


def embed(
    dataset: Dataset,
    encoders: Sequence[Encoder],
    store: Store,
    executor: Executor | None = None,
    **settings: object,
) -> list[Extraction]:
    """Embed every picture of `dataset` with each of `encoders` into `store`; every picture is opened once for all.

    Parameters
    ----------
    dataset, encoders, store
        What is embedded, by what, and where the vectors go.
    executor : Executor, optional
        Whose workers embed the shards, e.g. one that `executors.open_executor` gives; by default this process does. The
        dataset and the encoders are sent to them by pickle, and the pictures must be found there at the same place.
    **settings
        As `Settings` has them.

    Returns
    -------
    list of Extraction
        One for each encoder.

    Raises
    ------
    DataError
        If not one picture can be used, or more have failed than allowed. A picture that fails beside others that do
        not is a row of `failures`.
    ModelError
        If a model's vectors have another shape than it said, none is finite for many images in a row, or its precision
        is too far from float32.
    StoreError
        If the store is damaged, cannot be written, or another run is writing there.
    ProbeError
        If the executor lost a worker for good.
    """
    chosen = Settings(**settings)
    with ExitStack() as writing:
        folders = [
            writing.enter_context(store.writing(dataset, encoder, chosen.shard_size, chosen.dtype, chosen.redo))
            for encoder in encoders
        ]
        before = [folder.n_ok + folder.n_failed for folder in folders]
        tasks = _tasks(dataset, folders)
        n_new = sum(len(task.image_ids) for task in tasks)
        start = time.perf_counter()
        what = f"{encoders[0].name if len(encoders) == 1 else f'{len(encoders)} encoders'} on {dataset.name}"
        with (
            progress_bar(what, len(dataset.images) - n_new, len(dataset.images), chosen.progress) as advance,
            closing(_done(dataset.open, encoders, tasks, executor, chosen, advance)) as done,
            ThreadPoolExecutor(1) as writer,  # what is embedded is written, whatever happens next
        ):
            landing: Future | None = None
            for one in done:
                if landing is not None:
                    landing.result()
                _check_failures(folders, chosen.max_failures)
                landing = writer.submit(folders[one.encoder].land, one.shard, one.rows, one.vectors, one.parity)
            if landing is not None:
                landing.result()
        seconds = time.perf_counter() - start
        _check_failures(folders, chosen.max_failures)
        rate = n_new / seconds if n_new else float("nan")
        _discard_empty(folders, dataset.name)
        return [summary(folder, n, rate) for folder, n in zip(folders, before, strict=True)]


def _tasks(dataset: Dataset, folders: Sequence[Embedded]) -> list[Task]:
    """What is missing: the shards of each size in order, each with the encoders that miss it."""
    wanted: dict[tuple[int, int], list[int]] = {}
    for number, folder in enumerate(folders):
        for shard in folder.missing_shards():
            wanted.setdefault((folder.meta["shard_size"], shard), []).append(number)
    tasks = []
    for (_, shard), numbers in sorted(wanted.items()):
        images = dataset.images.iloc[folders[numbers[0]].span(shard)]
        tasks.append(Task(shard, images["image_id"].tolist(), images["source"].tolist(), tuple(numbers)))
    return tasks


def _done(
    open: Callable,
    encoders: Sequence[Encoder],
    tasks: Sequence[Task],
    executor: Executor | None,
    chosen: Settings,
    advance: Callable,
) -> Iterator[Done]:
    """The results of all tasks, in any order."""
    if executor is None:
        yield from run(open, encoders, tasks, chosen.batch_size, chosen.workers, advance)
        return
    waiting, under_way = list(reversed(tasks)), {}
    largest = max((_n_bytes(task, encoders) for task in tasks), default=1)
    at_once = max(1, min(MOST_AT_ONCE, MOST_BYTES // largest))
    try:
        while waiting or under_way:
            while waiting and len(under_way) < at_once:
                task = waiting.pop()
                future = executor.submit(run_here, open, encoders, task, chosen.batch_size, chosen.workers)
                under_way[future] = task
            for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                task = under_way.pop(future)
                yield from _result(future, task)
                advance(len(task.image_ids))
    finally:
        for future in under_way:
            future.cancel()


def _n_bytes(task: Task, encoders: Sequence[Encoder]) -> int:
    """Of the vectors that a task sends back."""
    return 4 * len(task.image_ids) * sum(encoders[number].dimension for number in task.encoders)


def _result(future: Future, task: Task) -> list[Done]:
    try:
        return future.result()
    except ProbeError:
        raise
    except BrokenExecutor as error:
        raise ProbeError(
            "a worker process was lost (out of memory?); what is finished is kept, the same command goes on from there"
        ) from error
    except Exception as error:  # an engine has its own for a worker lost too often
        reason = one_line(error)
        raise ProbeError(
            f"a worker failed on shard {task.shard} ({type(error).__name__}: {reason}); what is finished is kept, "
            "the same command goes on from there"
        ) from error


def _check_failures(folders: Sequence[Embedded], most: float | None) -> None:
    """Stop a run that has more failures than allowed; whoever runs it again allows more, or mends the pictures."""
    if most is None:
        return
    for folder in folders:
        allowed = most if most >= 1 else most * folder.n_images
        if folder.n_failed > allowed:
            failures = folder.failures()
            classes = Counter(failures["error_class"]).most_common()
            raise DataError(
                f"stopped: {folder.n_failed} of the {folder.n_ok + folder.n_failed} images so far failed, more than "
                f"the {allowed:g} allowed ({', '.join(f'{n} {kind}' for kind, n in classes)}); the first: "
                f"{failures['error'][0]}; what is done is kept, do the failed again with --retry-failed"
            )


def _discard_empty(folders: Sequence[Embedded], dataset: str) -> None:
    """Leave nothing of an embedding without a single vector, and say why it is one."""
    empty = [folder for folder in folders if folder.n_ok == 0]
    reasons = [folder.failures()["error"][0] for folder in empty]
    for folder in empty:
        folder.discard()
    if empty:
        raise DataError(f"dataset '{dataset}' has no usable image; the first failed so: {reasons[0]}")


def summary(folder: Embedded, n_reused: int, rate: float) -> Extraction:
    """What is in the folder of one encoder now; `n_reused` and `rate` are of the run that left it."""
    parities = [facts["parity"] for facts in folder.shards.values() if "parity" in facts]
    return Extraction(
        folder.n_ok,
        folder.n_failed,
        n_reused,
        rate if n_reused < folder.n_images else float("nan"),
        folder.failures(),
        folder.folder,
        str(folder.dtype),
        min(parities, default=float("nan")),
    )
