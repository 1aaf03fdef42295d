"""Extraction of a dataset by loaded encoders: pictures → vectors in the store.

A task is a shard of images. The pipeline does one task after the other in this process, or the workers of an executor
do many at once. Only this process writes into the store. What an earlier run has written is kept: a second run does
nothing, and an interrupted run goes on where it stopped. `bioclip_probe.extraction.embed` does the same for encoders
that are given by their names.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from bioclip_probe.errors import DataError
from bioclip_probe.extraction.pipeline import EncodedShard, ShardTask, encode_tasks
from bioclip_probe.extraction.settings import DEFAULTS, ExtractionSettings
from bioclip_probe.extraction.workers import WorkerQueue
from bioclip_probe.progress import progress_bar
from bioclip_probe.store.shards import EmbeddingFolder
from bioclip_probe.store.store import Store

if TYPE_CHECKING:
    from bioclip_probe.datasets import Dataset
    from bioclip_probe.encoders import Encoder


@dataclass(frozen=True)
class ExtractionSummary:
    """Counts, speed and failures of the vectors of one encoder after a run.

    Attributes
    ----------
    n_ok, n_failed : int
        Images with and without a vector, in total.
    n_reused : int
        Images, with or without a vector, that an earlier run had finished.
    images_per_s : float
        Images embedded per second, from the first opened picture to the last written shard; NaN if none was embedded.
    failures : DataFrame
        The images without a vector: columns image_id, error_class, error.
    folder : Path
        The folder of the vectors.
    dtype : str
        The type of the stored vectors, ``float32`` or ``float16``.
    parity : float
        Smallest cosine with float32 on the pictures that were compared; NaN if the encoder computes in float32.
    """

    n_ok: int
    n_failed: int
    n_reused: int
    images_per_s: float
    failures: pd.DataFrame
    folder: Path
    dtype: str
    parity: float

    @classmethod
    def of(cls, embedded: EmbeddingFolder, n_reused: int, images_per_s: float) -> ExtractionSummary:
        """Return the summary of a folder as it is now.

        Parameters
        ----------
        embedded : EmbeddingFolder
            The folder of one encoder in the store.
        n_reused : int
            Images that were finished before the run.
        images_per_s : float
            Speed of the run.

        Returns
        -------
        ExtractionSummary
            Its `images_per_s` is NaN if all images were finished before.
        """
        parities = [facts["parity"] for facts in embedded.shards.values() if "parity" in facts]
        return cls(
            embedded.n_ok,
            embedded.n_failed,
            n_reused,
            images_per_s if n_reused < embedded.n_images else float("nan"),
            embedded.failures(),
            embedded.folder,
            str(embedded.dtype),
            min(parities, default=float("nan")),
        )


def extract(
    dataset: Dataset,
    encoders: Sequence[Encoder],
    store: Store,
    settings: ExtractionSettings = DEFAULTS,
    executor: Executor | None = None,
) -> list[ExtractionSummary]:
    r"""Embed every picture of a dataset with each encoder; each picture is opened once for all of them.

    Parameters
    ----------
    dataset : Dataset
        The pictures.
    encoders : sequence of Encoder
        Loaded encoders. Device, precision and revision of the settings do not change them any more.
    store : Store
        Receives the vectors.
    settings : ExtractionSettings
        Size of batches and shards, threads, type of the stored vectors, allowed failures, repairs, progress.
    executor : Executor, optional
        Its workers embed the shards, see `executors.open_executor`; by default this process does. Dataset and encoders
        are pickled, and a worker must find the pictures at the same place.

    Returns
    -------
    list of ExtractionSummary
        One for each encoder.

    Raises
    ------
    DataError
        If no picture can be used, or more pictures have failed than the settings allow. Otherwise a picture that fails
        is a row of `failures`.
    ModelError
        If an encoder returns vectors of a shape other than it declares, if none of them is finite for many images in a
        row, or if its precision is too far from float32.
    StoreError
        If the store is damaged, cannot be written, or another run is writing there.
    ProbeError
        If the executor lost a worker for good.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from PIL import Image
    >>> from bioclip_probe import datasets, encoders
    >>> with TemporaryDirectory() as folder:
    ...     Image.new("RGB", (8, 8), "white").save(Path(folder) / "a.png")
    ...     _ = (Path(folder) / "labels.csv").write_text("path,class\na.png,Aves\n")
    ...     dataset = datasets.load(f"table:{folder}/labels.csv")
    ...     store, quiet = Store(Path(folder) / "store"), ExtractionSettings(progress=False)
    ...     extract(dataset, [encoders.load("pixels")], store, quiet)[0].n_ok
    1
    """
    with ExitStack() as writing:
        folders = [
            writing.enter_context(
                store.open_for_writing(dataset, encoder, settings.shard_size, settings.dtype, settings.redo)
            )
            for encoder in encoders
        ]
        n_before = [folder.n_ok + folder.n_failed for folder in folders]
        tasks = _missing_tasks(dataset, folders)
        n_new = sum(len(task.image_ids) for task in tasks)
        n_images = len(dataset.images)
        start = time.perf_counter()
        label = f"{encoders[0].name if len(encoders) == 1 else f'{len(encoders)} encoders'} on {dataset.name}"
        with progress_bar(label, n_images - n_new, n_images, settings.progress) as advance:
            shards = _encoded_shards(dataset, encoders, tasks, settings, executor, advance)
            _write_shards(folders, shards, settings.max_failures)
        seconds = time.perf_counter() - start
        _check_failures(folders, settings.max_failures)
        _discard_empty(folders, dataset.name)
        rate = n_new / seconds if n_new else float("nan")
        return [ExtractionSummary.of(folder, n, rate) for folder, n in zip(folders, n_before, strict=True)]


def _missing_tasks(dataset: Dataset, folders: Sequence[EmbeddingFolder]) -> list[ShardTask]:
    """Return a task for each missing shard of each shard size, in order, with the encoders that lack it."""
    missing: dict[tuple[int, int], list[int]] = {}
    for number, folder in enumerate(folders):
        for shard in folder.missing_shards():
            missing.setdefault((folder.meta["shard_size"], shard), []).append(number)
    tasks = []
    for (_, shard), numbers in sorted(missing.items()):
        images = dataset.images.iloc[folders[numbers[0]].image_slice(shard)]
        tasks.append(ShardTask(shard, images["image_id"].tolist(), images["source"].tolist(), tuple(numbers)))
    return tasks


def _encoded_shards(
    dataset: Dataset,
    encoders: Sequence[Encoder],
    tasks: Sequence[ShardTask],
    settings: ExtractionSettings,
    executor: Executor | None,
    advance: Callable[..., object],
) -> Generator[EncodedShard, None, None]:
    """Return the results of all tasks as they come, by this process or by the workers of the executor."""
    if executor is None:
        return encode_tasks(dataset.open, encoders, tasks, settings, advance)
    return WorkerQueue(executor).encode_tasks(dataset.open, encoders, tasks, settings, advance)


def _write_shards(
    folders: Sequence[EmbeddingFolder], shards: Generator[EncodedShard, None, None], max_failures: float | None
) -> None:
    """Write every shard into the folder of its encoder, in a thread, while the next one is encoded."""
    # A shard that was handed to the writer is written even if the next one raises an error.
    with closing(shards), ThreadPoolExecutor(1) as writer:
        writing: Future[None] | None = None
        for shard in shards:
            if writing is not None:
                writing.result()
            _check_failures(folders, max_failures)
            folder = folders[shard.encoder]
            writing = writer.submit(folder.write_shard, shard.shard, shard.ledger, shard.vectors, shard.parity)
        if writing is not None:
            writing.result()


def _check_failures(folders: Sequence[EmbeddingFolder], max_failures: float | None) -> None:
    """Raise `DataError` if more images have failed than allowed."""
    if max_failures is None:
        return
    for folder in folders:
        allowed = max_failures if max_failures >= 1 else max_failures * folder.n_images
        if folder.n_failed > allowed:
            failures = folder.failures()
            classes = Counter(failures["error_class"]).most_common()
            raise DataError(
                f"stopped: {folder.n_failed} of the {folder.n_ok + folder.n_failed} images so far failed, more than "
                f"the {allowed:g} allowed ({', '.join(f'{n} {kind}' for kind, n in classes)}); the first: "
                f"{failures['error'][0]}; finished shards are kept; embed the failed images again with --retry-failed"
            )


def _discard_empty(folders: Sequence[EmbeddingFolder], dataset: str) -> None:
    """Delete every folder that holds no vector at all, and raise `DataError` with the first reason."""
    empty = [folder for folder in folders if folder.n_ok == 0]
    reasons = [folder.failures()["error"][0] for folder in empty]
    for folder in empty:
        folder.discard()
    if empty:
        raise DataError(f"dataset '{dataset}' has no usable image; the first error: {reasons[0]}")
