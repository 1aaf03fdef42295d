"""Extraction: dataset × encoder → store.

Threads open and prepare pictures ahead of the model, and a bounded number of them, so that memory stays flat; one
thread writes what is done. What an earlier run left is kept: a second run does nothing, an interrupted one goes on.
"""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bioclip_probe.errors import DataError, ModelError, ProbeError, some
from bioclip_probe.shards import DTYPES, LEDGER
from bioclip_probe.store import SHARD_SIZE, Store

if TYPE_CHECKING:
    from bioclip_probe.datasets import Dataset
    from bioclip_probe.encoders import Encoder

MOST_WORKERS = 16
SECONDS_BETWEEN_LINES = 30.0


@dataclass(frozen=True)
class Extraction:
    """What a run of `embed` did.

    Attributes
    ----------
    n_ok, n_failed : int
        Images with and without a vector, in all.
    n_reused : int
        Images, of both kinds, that an earlier run had done.
    images_per_s : float
        Images embedded a second, from the first picture opened to the last shard written; NaN if none was.
    failures : DataFrame
        Columns image_id, error: the images without a vector.
    folder : Path
        Where the vectors are.
    dtype : str
        What they are kept in.
    """

    n_ok: int
    n_failed: int
    n_reused: int
    images_per_s: float
    failures: pd.DataFrame
    folder: Path
    dtype: str


def embed(
    dataset: Dataset,
    encoder: Encoder,
    store: Store,
    *,
    batch_size: int = 32,
    workers: int | None = None,
    shard_size: int = SHARD_SIZE,
    dtype: str = DTYPES[0],
    progress: bool = True,
) -> Extraction:
    """Embed every picture of `dataset` with `encoder` into `store`.

    Parameters
    ----------
    dataset, encoder, store
        What is embedded, by what, and where the vectors go.
    batch_size : int
        Pictures the model is given at once. No batch reaches over the end of a shard, so that an interrupted and
        an uninterrupted run give the model the same batches.
    workers : int, optional
        Threads that open and prepare pictures; as many as there are processors, half of them where the model
        runs on them too, at most 16, unless said.
    shard_size : int
        Images a shard; what an interruption loses. An earlier run's shards keep theirs.
    dtype : str
        ``float32``, or ``float16`` for half the disk and vectors good to three digits. An earlier run's shards keep
        theirs.
    progress : bool
        Show how far it is on standard error: a bar on a terminal, otherwise a line every half minute.

    Raises
    ------
    DataError
        If not one picture can be used. A picture that fails beside others that do not is a row of `failures`.
    ModelError
        If the model's vectors have another shape than it said, or are not finite; names the images.
    StoreError
        If the store is damaged, or another run is writing there.
    """
    if batch_size < 1 or (workers is not None and workers < 1):
        raise DataError(f"batch_size and workers must be at least 1; got {batch_size} and {workers}")
    workers = workers or _workers(encoder)
    with store.writing(dataset, encoder, shard_size, dtype) as embedded:
        shards = embedded.missing_shards()
        spans = [dataset.images[["image_id", "source"]].iloc[embedded.span(shard)] for shard in shards]
        n_new = sum(map(len, spans))
        n_reused = len(dataset.images) - n_new
        start = time.perf_counter()
        with (
            _said(f"{encoder.name} on {dataset.name}", n_reused, len(dataset.images), progress) as advance,
            _threads(workers) as pool,
            ThreadPoolExecutor(1) as writer,  # what is embedded is written, whatever happens next
        ):
            sources = (source for span in spans for source in span["source"])
            pictures = _ahead(
                pool, lambda source: _prepared(dataset, encoder, source), sources, 2 * batch_size + workers
            )
            landing: Future | None = None
            for shard, span in zip(shards, spans, strict=True):
                rows, vectors = _embed_shard(encoder, span["image_id"], pictures, batch_size, advance)
                if landing is not None:
                    landing.result()
                landing = writer.submit(embedded.land, shard, rows, vectors)
            if landing is not None:
                landing.result()
        seconds = time.perf_counter() - start
        failures = embedded.failures()
        if embedded.n_ok == 0:
            embedded.discard()
            raise DataError(
                f"dataset '{dataset.name}' has no usable image; the first failed so: {failures['error'][0]}"
            )
        return Extraction(
            embedded.n_ok,
            embedded.n_failed,
            n_reused,
            n_new / seconds if n_new else float("nan"),
            failures,
            embedded.folder,
            str(embedded.dtype),
        )


def _workers(encoder: Encoder) -> int:
    """A thread a processor; half of them where the model runs on the same processors and would wait for its own."""
    on_cpu = str(encoder.record.get("device", "cpu")).startswith("cpu")
    return min(max(_processors() // (2 if on_cpu else 1), 1), MOST_WORKERS)


def _processors() -> int:
    """Processors this process may use, which on a cluster are fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _prepared(dataset: Dataset, encoder: Encoder, source: str) -> object:
    """One picture as the model takes it, or the error that says why not."""
    try:
        image = dataset.open(source)
    except DataError as error:
        return error
    try:
        return encoder.preprocess(image)
    except (ProbeError, MemoryError):
        raise
    except Exception as error:  # anyone's code may be in there, and one odd picture must not stop the others
        return DataError(f"{source}: preprocessing failed: {type(error).__name__}: {' '.join(str(error).split())}")


def _ahead(pool: Executor, work, items: Iterable, ahead: int) -> Iterator:
    """The results of `work` on each item, in order, with at most `ahead` of them under way or waiting."""
    pending: deque[Future] = deque()
    for item in items:
        pending.append(pool.submit(work, item))
        if len(pending) >= ahead:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()


def _embed_shard(encoder, image_ids: pd.Series, pictures: Iterator, batch_size: int, advance) -> tuple:
    """The ledger of one shard and the (n ok, d) vectors of its pictures, which are the next ones of `pictures`."""
    rows: list[dict] = []
    vectors: list[np.ndarray] = []
    batch: list = []
    names: list[str] = []
    n_ok = 0
    for image_id in image_ids:
        picture = next(pictures)
        if isinstance(picture, DataError):
            rows.append(
                {
                    "image_id": image_id,
                    "row": -1,
                    "status": "failed",
                    "error_class": getattr(picture, "kind", "unreadable"),
                    "error": str(picture),
                }
            )
        else:
            rows.append({"image_id": image_id, "row": n_ok, "status": "ok", "error": None})
            n_ok += 1
            batch.append(picture)
            names.append(image_id)
        if len(batch) == batch_size or (batch and len(rows) == len(image_ids)):
            vectors.append(_encoded(encoder, batch, names))
            batch, names = [], []
        advance()
    return LEDGER.frame(rows), np.concatenate(vectors) if vectors else np.empty((0, encoder.dimension), np.float32)


def _encoded(encoder: Encoder, batch: list, image_ids: list[str]) -> np.ndarray:
    """The vectors of one batch, or a `ModelError` if they are not what the encoder said."""
    given = np.asarray(encoder.encode(batch))
    expected = (len(batch), encoder.dimension)
    if given.shape != expected or given.dtype.kind != "f":
        raise ModelError(
            f"encoder '{encoder.name}' gave {given.dtype} {given.shape}, expected floats of shape {expected}, "
            f"for the images {some(image_ids)}"
        )
    with np.errstate(over="ignore"):
        vectors = given.astype(np.float32)
    bad = [name for name, finite in zip(image_ids, np.isfinite(vectors).all(axis=1), strict=True) if not finite]
    if bad:
        raise ModelError(f"encoder '{encoder.name}' gave vectors that are not finite for the images {some(bad)}")
    return vectors


@contextmanager
def _threads(number: int) -> Iterator[Executor]:
    """A thread pool that, when something goes wrong, drops what has not begun instead of working it off."""
    pool = ThreadPoolExecutor(number)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _said(what: str, done: int, total: int, progress: bool) -> Iterator:
    """A function to call after each image, that shows how far the run is."""
    if not progress or done == total:
        yield lambda: None
    elif sys.stderr.isatty():
        from tqdm import tqdm

        with tqdm(total=total, initial=done, desc=what, unit="image", smoothing=0.05) as bar:
            yield bar.update
    else:
        lines = _Lines(what, done, total)
        yield lines
        if lines.said < lines.done:
            lines.say()


class _Lines:
    """Progress where there is no terminal: plain lines, seldom enough for a log file."""

    def __init__(self, what: str, done: int, total: int) -> None:
        self.what, self.first, self.total = what, done, total
        self.done = self.said = done
        self.start = self.last = time.perf_counter()

    def __call__(self) -> None:
        self.done += 1
        if time.perf_counter() - self.last > SECONDS_BETWEEN_LINES:
            self.say()

    def say(self) -> None:
        self.last, self.said = time.perf_counter(), self.done
        rate = (self.done - self.first) / max(self.last - self.start, 1e-9)
        print(f"{self.what}: {self.done} of {self.total} images, {rate:.1f}/s", file=sys.stderr, flush=True)
