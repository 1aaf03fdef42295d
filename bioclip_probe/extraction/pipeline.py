"""The pipeline: pictures of one dataset through some encoders, each picture opened once.

Threads open and prepare pictures ahead of the networks; one thread runs the networks, so that the next batch is put
together while they compute. All queues are bounded: memory stays flat however many pictures there are.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bioclip_probe.errors import DataError, ModelError, PictureError, ProbeError, one_line, some
from bioclip_probe.executors import processors
from bioclip_probe.store.shards import LEDGER

if TYPE_CHECKING:
    from bioclip_probe.encoders import Encoder

MOST_WORKERS = 16
#: Least cosine with float32 that an encoder of another precision must keep, and the pictures that are looked at.
PARITY, N_COMPARED = 0.999, 8
#: Where no vector of whole batches is finite, with so many pictures in a row, the encoder is at fault, not they.
MOST_IN_A_ROW = 8


@dataclass(frozen=True)
class Task:
    """The images of one shard, and the encoders (their numbers) that are to see them."""

    shard: int
    image_ids: list[str]
    sources: list[str]
    encoders: tuple[int, ...]


@dataclass
class Done:
    """One shard as one encoder saw it: what `Embedded.land` takes."""

    shard: int
    encoder: int
    rows: pd.DataFrame
    vectors: np.ndarray
    parity: float | None


@dataclass
class _Share:
    """What one encoder makes of one task, while it is being made."""

    task: Task
    encoder: int
    errors: dict[int, PictureError] = field(default_factory=dict)  # by position in the task
    positions: list[int] = field(default_factory=list)  # of the vectors
    vectors: list[np.ndarray] = field(default_factory=list)

    def done(self, dimension: int, parity: float | None) -> Done:
        row = dict(zip(self.positions, range(len(self.positions)), strict=True))
        rows = []
        for position, image_id in enumerate(self.task.image_ids):
            error = self.errors.get(position)
            what = ("ok", None, None) if error is None else ("failed", error.kind, str(error))
            rows.append((image_id, row.get(position, -1), *what))
        vectors = np.concatenate([np.empty((0, dimension), np.float32), *self.vectors])
        ledger = LEDGER.frame(pd.DataFrame(rows, columns=LEDGER.names))
        return Done(self.task.shard, self.encoder, ledger, vectors, parity)


@dataclass
class _Batch:
    """Pictures that one encoder sees at once; the last one of a share may have none."""

    share: _Share
    positions: list[int]
    pictures: object  # as the encoder's `collate` gave them
    singly: list | None  # the same pictures one by one, as long as the encoder's parity is not known
    last: bool


def run(
    open: Callable,
    encoders: Sequence[Encoder],
    tasks: Iterable[Task],
    batch_size: int,
    workers: int | None = None,
    advance: Callable[[], object] = lambda: None,
    parities: dict[str, float | None] | None = None,
) -> Iterator[Done]:
    """Embed the images of `tasks`, one after the other; a result for each task and each of its encoders, in order.

    Parameters
    ----------
    open : callable
        As `Dataset` has it.
    encoders : sequence of Encoder
    tasks : iterable of Task
    batch_size : int
        Pictures an encoder is given at once. No batch reaches over the end of a task.
    workers : int, optional
        Threads that open and prepare pictures; see `n_workers`.
    advance : callable
        Called after each picture.
    parities : dict, optional
        Parity by the fingerprint of an encoder, for those looked at before; what is found is added.

    Raises
    ------
    ModelError
        If an encoder's vectors have another shape than it said, none is finite in batches with 8 pictures or more in a
        row, or its precision is too far from float32.

    Notes
    -----
    A picture whose vector is not finite is a failed row like any other, be it the first or the millionth. Parity is of
    the first pictures whose vectors are finite.
    """
    workers = workers or n_workers(encoders)
    parities = {} if parities is None else parities
    in_a_row: Counter[int] = Counter()  # pictures since the last batch of an encoder with a finite vector

    def prepare(item: tuple[Task, int]) -> list:
        task, position = item
        return _prepared(open, [encoders[number] for number in task.encoders], task.sources[position])

    with _threads(workers) as pool, _threads(1) as networks:
        items = ((task, position) for task in tasks for position in range(len(task.sources)))
        pictures = ahead(pool, lambda item: (item, prepare(item)), items, 2 * batch_size + workers)
        batches = _batches(pictures, encoders, batch_size, advance, parities)
        for batch, vectors in ahead(networks, lambda batch: (batch, _encoded(encoders, batch, parities)), batches, 2):
            share = batch.share
            encoder = encoders[share.encoder]
            if batch.positions:
                n_finite = _take(share, batch.positions, vectors, encoder.name)
                in_a_row[share.encoder] = 0 if n_finite else in_a_row[share.encoder] + len(vectors)
                _check_finite(batch, in_a_row[share.encoder], encoder.name)
            if batch.last:
                yield share.done(encoder.dimension, parities.get(encoder.fingerprint))


_seen_here: dict[str, float | None] = {}


def run_here(
    open: Callable, encoders: Sequence[Encoder], task: Task, batch_size: int, workers: int | None
) -> list[Done]:
    """`run` for one task, as the worker of an engine does it: an encoder's parity is looked at once a process."""
    return list(run(open, encoders, [task], batch_size, workers, parities=_seen_here))


def n_workers(encoders: Sequence[Encoder]) -> int:
    """A thread a processor; half of them where a network runs on the same processors and would wait for its own."""
    on_cpu = any(str(encoder.record.get("device", "cpu")).startswith("cpu") for encoder in encoders)
    return min(max(processors() // (2 if on_cpu else 1), 1), MOST_WORKERS)


def _prepared(open: Callable, encoders: Sequence[Encoder], source: str) -> list:
    """One picture as each encoder takes it, or the error that says why not."""
    try:
        image = open(source)
    except DataError as error:
        refused = error if isinstance(error, PictureError) else PictureError(str(error), "unreadable")
        return [refused] * len(encoders)
    return [_preprocessed(encoder, image, source) for encoder in encoders]


def _preprocessed(encoder: Encoder, image, source: str) -> object:
    try:
        return encoder.preprocess(image)
    except (ProbeError, MemoryError):
        raise
    except Exception as error:  # anyone's code may be in there, and one odd picture must not stop the others
        reason = one_line(error, with_type=True)
        return PictureError(f"{source}: preprocessing failed: {reason}", "preprocessing")


def _batches(
    pictures: Iterator[tuple[tuple[Task, int], list]],
    encoders: Sequence[Encoder],
    batch_size: int,
    advance: Callable,
    parities: dict[str, float | None],
) -> Iterator[_Batch]:
    """Batches of prepared pictures, each of one encoder and one task."""
    shares: list[_Share] = []
    for (task, position), prepared in pictures:
        if position == 0:
            shares = [_Share(task, number) for number in task.encoders]
            waiting: list[tuple[list[int], list]] = [([], []) for _ in shares]
        last = position == len(task.sources) - 1
        for share, (positions, batch), picture in zip(shares, waiting, prepared, strict=True):
            if isinstance(picture, PictureError):
                share.errors[position] = picture
            else:
                positions.append(position)
                batch.append(picture)
            if len(batch) == batch_size or last:
                encoder = encoders[share.encoder]
                singly = None if encoder.fingerprint in parities else list(batch)
                collated = encoder.collate(batch) if batch else None
                yield _Batch(share, list(positions), collated, singly, last)
                positions.clear()
                batch.clear()
        advance()


def _encoded(encoders: Sequence[Encoder], batch: _Batch, parities: dict[str, float | None]) -> np.ndarray:
    """The vectors of one batch; runs in the networks' own thread."""
    encoder = encoders[batch.share.encoder]
    if not batch.positions:
        return np.empty((0, encoder.dimension), np.float32)
    given = np.asarray(encoder.encode(batch.pictures))
    expected = (len(batch.positions), encoder.dimension)
    if given.shape != expected or given.dtype.kind != "f":
        raise ModelError(
            f"encoder '{encoder.name}' gave {given.dtype} {given.shape}, expected floats of shape {expected}, "
            f"for the images {some(_image_ids(batch))}"
        )
    with np.errstate(over="ignore"):
        vectors = given.astype(np.float32)
    finite = np.flatnonzero(np.isfinite(vectors).all(axis=1))
    if len(finite) and encoder.fingerprint not in parities:
        parities[encoder.fingerprint] = _parity(encoder, [batch.singly[place] for place in finite[:N_COMPARED]])
    return vectors


def _image_ids(batch: _Batch) -> list[str]:
    return [batch.share.task.image_ids[position] for position in batch.positions]


def _parity(encoder: Encoder, pictures: list) -> float | None:
    """The encoder's parity with float32 on some pictures, or a `ModelError` if it is too small."""
    parity = encoder.parity(pictures)
    if parity is not None and not parity >= PARITY:
        precision = encoder.record.get("precision")
        raise ModelError(
            f"encoder '{encoder.name}' at precision {precision} is too far from fp32: the cosine of their vectors is "
            f"{parity:.5f} on the worst of {len(pictures)} pictures, expected at least {PARITY}; use --precision fp32"
        )
    return parity


def _take(share: _Share, positions: list[int], vectors: np.ndarray, encoder: str) -> int:
    """Add the finite vectors of one batch to their share, and say how many; the other images have failed."""
    finite = np.isfinite(vectors).all(axis=1)
    for position, good in zip(positions, finite, strict=True):
        if good:
            share.positions.append(position)
        else:
            name = share.task.image_ids[position]
            share.errors[position] = PictureError(f"{name}: '{encoder}' gave values that are not finite", "not finite")
    share.vectors.append(vectors[finite])
    return int(finite.sum())


def _check_finite(batch: _Batch, in_a_row: int, encoder: str) -> None:
    if in_a_row >= MOST_IN_A_ROW:
        raise ModelError(
            f"encoder '{encoder}' gave vectors that are not finite for {in_a_row} images in a row, all of "
            f"{some(_image_ids(batch))} among them; its weights are damaged, or its precision overflows: try "
            "--precision fp32"
        )


def ahead(pool: Executor, work: Callable, items: Iterable, number: int) -> Iterator:
    """The results of `work` on each item, in order, with at most `number` of them under way or waiting."""
    pending: deque[Future] = deque()
    for item in items:
        pending.append(pool.submit(work, item))
        if len(pending) >= number:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()


@contextmanager
def _threads(number: int) -> Iterator[Executor]:
    """A thread pool that, when something goes wrong, drops what has not begun instead of working it off."""
    pool = ThreadPoolExecutor(number)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
