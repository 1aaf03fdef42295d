"""The pipeline: the pictures of one dataset through some encoders, each picture opened once.

Threads or processes prepare pictures ahead of the networks, once for all encoders that see the same pixels. Further
threads run the networks, so that the next batch is collated while they compute, and a GPU has its next batch before it
has done with the last. All queues are bounded: memory stays constant, however many pictures there are.
"""

from __future__ import annotations

import pickle
import sys
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from bioclip_probe.errors import ModelError, PictureError, ProbeError, one_line, some
from bioclip_probe.extraction.preparation import (
    Chunk,
    EncoderGroup,
    OpenPicture,
    Preparation,
    PreparedPicture,
    group_encoders,
)
from bioclip_probe.extraction.processes import ProcessPool, process_pool
from bioclip_probe.extraction.resources import Resources, resources_for
from bioclip_probe.extraction.settings import ExtractionSettings
from bioclip_probe.extraction.threads import map_ahead, thread_pool
from bioclip_probe.store.shard_files import LEDGER

if TYPE_CHECKING:
    from bioclip_probe.encoders import Encoder

#: The least cosine with float32 that an encoder of another precision must keep, and how many pictures are compared.
MIN_PARITY, N_COMPARED = 0.999, 8
#: After so many pictures in a row without a finite vector, in whole batches, the encoder is at fault and not a picture.
MAX_NOT_FINITE = 8

#: Parity by the fingerprint of an encoder. None: the encoder computes in float32.
Parities = dict[str, float | None]


@dataclass(frozen=True)
class ShardTask:
    """The images of one shard, and the encoders that must embed them.

    Attributes
    ----------
    shard : int
        Number of the shard in the store.
    image_ids, sources : list of str
        Id and source of each image.
    encoders : tuple of int
        Positions in the list of encoders.
    """

    shard: int
    image_ids: list[str]
    sources: list[str]
    encoders: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class EncodedShard:
    """The result of one task for one encoder, as `EmbeddingFolder.write_shard` takes it.

    Attributes
    ----------
    shard : int
        Number of the shard in the store.
    encoder : int
        Position in the list of encoders.
    ledger : DataFrame
        A `LEDGER` table: a row for each image, ok or failed.
    vectors : (n ok, d) float32 array
    parity : float, optional
        Smallest cosine with float32; None if the encoder computes in float32.
    """

    shard: int
    encoder: int
    ledger: pd.DataFrame
    vectors: np.ndarray
    parity: float | None


@dataclass(eq=False)
class _ShardInProgress:
    """The vectors and errors of one encoder for one task, as far as they are known."""

    task: ShardTask
    encoder: int
    errors: dict[int, PictureError] = field(default_factory=dict)  # by position in the task
    sha256: dict[int, str] = field(default_factory=dict)  # by position in the task
    positions: list[int] = field(default_factory=list)  # the position in the task of each vector
    vectors: list[np.ndarray] = field(default_factory=list)

    def finish(self, dimension: int, parity: float | None) -> EncodedShard:
        """Return the result, with a row in the ledger for every image of the task."""
        row_of = dict(zip(self.positions, range(len(self.positions)), strict=True))
        rows: list[tuple[object, ...]] = []
        for position, image_id in enumerate(self.task.image_ids):
            error = self.errors.get(position)
            status = ("ok", None, None) if error is None else ("failed", error.kind, str(error))
            rows.append((image_id, row_of.get(position, -1), *status, self.sha256.get(position)))
        vectors = np.concatenate([np.empty((0, dimension), np.float32), *self.vectors])
        ledger = LEDGER.frame(pd.DataFrame(rows, columns=LEDGER.names))
        return EncodedShard(self.task.shard, self.encoder, ledger, vectors, parity)


@dataclass(eq=False)
class _Batch:
    """A batch of pictures for one encoder. The last batch of a shard may be empty."""

    shard: _ShardInProgress
    positions: list[int]
    pictures: Any  # as `collate` of an encoder of its group returned them
    single_pictures: list[Any] | None  # the same pictures one by one, while the parity of the encoder is not known
    last: bool

    @property
    def image_ids(self) -> list[str]:
        return [self.shard.task.image_ids[position] for position in self.positions]


class _PreparedChunk(NamedTuple):
    """Some prepared pictures of a task."""

    task: ShardTask
    first: int  # position in the task of the first of them
    chunk: Chunk
    pictures: list[PreparedPicture]


@dataclass(eq=False)
class _WaitingPictures:
    """The prepared pictures of one task and one group of encoders that wait until they are a batch."""

    shards: list[_ShardInProgress]
    positions: list[int] = field(default_factory=list)
    pictures: list[Any] = field(default_factory=list)

    @classmethod
    def of(cls, task: ShardTask, group: EncoderGroup) -> _WaitingPictures:
        """Return the pictures of a task, none so far, for the encoders of a group that the task has."""
        return cls([_ShardInProgress(task, number) for number in task.encoders if number in group.encoders])

    def add(self, position: int, picture: Any, sha256: str | None) -> None:
        """Add a prepared picture, or its error."""
        if sha256 is not None:
            for shard in self.shards:
                shard.sha256[position] = sha256
        if isinstance(picture, PictureError):
            for shard in self.shards:
                shard.errors[position] = picture
        else:
            self.positions.append(position)
            self.pictures.append(picture)

    def batches(self, encoders: Sequence[Encoder], parities: Parities, last: bool) -> Iterator[_Batch]:
        """Yield a batch for each encoder, and begin anew."""
        positions, pictures = self.positions, self.pictures
        self.positions, self.pictures = [], []
        collated = encoders[self.shards[0].encoder].collate(pictures) if pictures else None
        for shard in self.shards:
            known = encoders[shard.encoder].fingerprint in parities
            yield _Batch(shard, positions, collated, None if known else pictures, last)


def encode_tasks(
    open_picture: OpenPicture,
    encoders: Sequence[Encoder],
    tasks: Sequence[ShardTask],
    settings: ExtractionSettings,
    advance: Callable[[], object] = lambda: None,
    parities: Parities | None = None,
) -> Generator[EncodedShard, None, None]:
    """Embed the images of some tasks, and yield a result for each task and each of its encoders, in order.

    Parameters
    ----------
    open_picture : callable
        Opens a picture by its source, as `Dataset.open` does.
    encoders : sequence of Encoder
    tasks : sequence of ShardTask
    settings : ExtractionSettings
        Its `batch_size`, `workers` and `preparation` are used. No batch reaches over the end of a task.
    advance : callable
        Called after each picture.
    parities : dict, optional
        Parity by the fingerprint of an encoder, for encoders that have been compared before. New ones are added.

    Yields
    ------
    EncodedShard

    Raises
    ------
    ModelError
        If an encoder returns vectors of a shape other than it declares, if none is finite in batches that together
        have 8 pictures or more in a row, or if its precision is too far from float32.

    Notes
    -----
    A picture whose vector is not finite is a failed row like any other, be it the first or the millionth. Parity is
    computed on the first pictures whose vectors are finite.

    Examples
    --------
    >>> from PIL import Image
    >>> from bioclip_probe.encoders import load
    >>> task = ShardTask(0, ["a", "b"], ["white", "red"], encoders=(0,))
    >>> settings = ExtractionSettings(workers=1)
    >>> (shard,) = encode_tasks(lambda color: Image.new("RGB", (8, 8), color), [load("pixels")], [task], settings)
    >>> shard.vectors.shape, shard.ledger["status"].tolist()
    ((2, 768), ['ok', 'ok'])
    """
    groups = group_encoders(encoders)
    preparation = Preparation(open_picture, tuple(group.transform for group in groups))
    portable = all(group.portable for group in groups) and _can_be_sent(preparation)
    n_pictures = sum(len(task.sources) for task in tasks)
    resources = resources_for(encoders, portable, n_pictures, settings)
    parities = {} if parities is None else parities
    n_not_finite: Counter[int] = Counter()  # pictures since the last batch of an encoder that had a finite vector

    def encode(batch: _Batch) -> tuple[_Batch, np.ndarray]:
        return batch, _encoded(encoders[batch.shard.encoder], batch)

    with (
        _preparer(preparation, resources) as preparer,
        thread_pool(resources.n_workers) as pool,
        thread_pool(resources.n_batches) as networks,
    ):

        def prepare(item: tuple[ShardTask, int, Chunk]) -> _PreparedChunk:
            task, first, chunk = item
            return _PreparedChunk(task, first, chunk, preparer.prepare(chunk))

        chunks = map_ahead(pool, prepare, _chunks(tasks, groups, resources.chunk_size), resources.chunks_ahead)
        batches = _batches(chunks, encoders, groups, resources.batch_size, advance, parities)
        for batch, vectors in map_ahead(networks, encode, batches, resources.n_batches + 1):
            shard = batch.shard
            encoder = encoders[shard.encoder]
            if batch.positions:
                _check_parity(encoder, batch, vectors, parities)
                n_finite = _add_vectors(shard, batch.positions, vectors, encoder.name)
                n_not_finite[shard.encoder] = 0 if n_finite else n_not_finite[shard.encoder] + len(vectors)
                _check_finite(batch, n_not_finite[shard.encoder], encoder.name)
            if batch.last:
                yield shard.finish(encoder.dimension, parities.get(encoder.fingerprint))


_parities_of_this_process: Parities = {}


def encode_task_in_worker(
    open_picture: OpenPicture, encoders: Sequence[Encoder], task: ShardTask, settings: ExtractionSettings
) -> list[EncodedShard]:
    """Embed the images of one task in a worker process, which computes the parity of an encoder only once.

    Parameters
    ----------
    open_picture, encoders, settings
        As for `encode_tasks`.
    task : ShardTask

    Returns
    -------
    list of EncodedShard
        One for each encoder of the task.

    Examples
    --------
    >>> from bioclip_probe.encoders import load
    >>> missing = ShardTask(0, ["a"], ["a.png"], encoders=(0,))
    >>> def open_picture(source):
    ...     raise PictureError(f"{source}: no such file", "missing")
    >>> encode_task_in_worker(open_picture, [load("pixels")], missing, ExtractionSettings())[0].ledger["error"].tolist()
    ['a.png: no such file']
    """
    return list(encode_tasks(open_picture, encoders, [task], settings, parities=_parities_of_this_process))


def _can_be_sent(preparation: Preparation) -> bool:
    """Return True if another process could be started and receive the preparation."""
    try:
        return bool(sys.executable and pickle.dumps(preparation))
    except Exception:  # pickle raises errors of many kinds
        return False


def _preparer(
    preparation: Preparation, resources: Resources
) -> AbstractContextManager[Preparation] | AbstractContextManager[ProcessPool]:
    """Open what the threads that prepare pictures call: the preparation itself, or processes that do it for them."""
    return process_pool(preparation, resources.n_workers) if resources.processes else nullcontext(preparation)


def _chunks(
    tasks: Sequence[ShardTask], groups: Sequence[EncoderGroup], size: int
) -> Iterator[tuple[ShardTask, int, Chunk]]:
    """Yield the pictures of all tasks in chunks, each with its task and the position of its first picture."""
    for task in tasks:
        wanted = tuple(number for number, group in enumerate(groups) if set(group.encoders) & set(task.encoders))
        for first in range(0, len(task.sources), size):
            yield task, first, Chunk(task.sources[first : first + size], wanted)


def _batches(
    chunks: Iterator[_PreparedChunk],
    encoders: Sequence[Encoder],
    groups: Sequence[EncoderGroup],
    batch_size: int,
    advance: Callable[[], object],
    parities: Parities,
) -> Iterator[_Batch]:
    """Yield batches of prepared pictures, each for one encoder and one task. A group of encoders shares its batches."""
    waiting: list[_WaitingPictures] = []
    for task, first, chunk, pictures in chunks:
        if first == 0:
            waiting = [_WaitingPictures.of(task, groups[number]) for number in chunk.groups]
        for position, prepared in enumerate(pictures, start=first):
            last = position == len(task.sources) - 1
            for group, picture in zip(waiting, prepared.by_group, strict=True):
                group.add(position, picture, prepared.sha256)
                if len(group.pictures) == batch_size or last:
                    yield from group.batches(encoders, parities, last)
            advance()


def _encoded(encoder: Encoder, batch: _Batch) -> np.ndarray:
    """Return the (b, d) float32 vectors of one batch. This runs in a thread of the networks."""
    if not batch.positions:
        return np.empty((0, encoder.dimension), np.float32)
    try:
        output = np.asarray(encoder.encode(batch.pictures))
    except (ProbeError, MemoryError):
        raise
    except Exception as error:  # the code of a network may be anyone's
        message = f"encoder '{encoder.name}' failed on {some(batch.image_ids)}: {one_line(error, 240, with_type=True)}"
        raise ModelError(message) from error
    expected = (len(batch.positions), encoder.dimension)
    if output.shape != expected or output.dtype.kind != "f":
        raise ModelError(
            f"encoder '{encoder.name}' returned {output.dtype} {output.shape}, expected floats of shape {expected}, "
            f"for the images {some(batch.image_ids)}"
        )
    with np.errstate(over="ignore"):
        return output.astype(np.float32)


def _check_parity(encoder: Encoder, batch: _Batch, vectors: np.ndarray, parities: Parities) -> None:
    """Compute the parity of an encoder on the first batch that has finite vectors."""
    finite = np.flatnonzero(np.all(np.isfinite(vectors), axis=1))
    if len(finite) and encoder.fingerprint not in parities and batch.single_pictures is not None:
        compared = [batch.single_pictures[index] for index in finite[:N_COMPARED]]
        parities[encoder.fingerprint] = _checked_parity(encoder, compared)


def _checked_parity(encoder: Encoder, pictures: list[Any]) -> float | None:
    """Return the parity of the encoder with float32 on some pictures, or raise `ModelError` if it is too small."""
    parity = encoder.parity(pictures)
    if parity is not None and not parity >= MIN_PARITY:
        precision = encoder.record.get("precision")
        raise ModelError(
            f"encoder '{encoder.name}' at precision {precision} is too far from fp32: the cosine of their vectors is "
            f"{parity:.5f} on the worst of {len(pictures)} pictures, expected at least {MIN_PARITY}; "
            "use --precision fp32"
        )
    return parity


def _add_vectors(shard: _ShardInProgress, positions: list[int], vectors: np.ndarray, encoder: str) -> int:
    """Add the finite vectors of a batch to their shard, note the others as failed, and return how many are finite."""
    finite = np.all(np.isfinite(vectors), axis=1)
    for position, is_finite in zip(positions, finite, strict=True):
        if is_finite:
            shard.positions.append(position)
        else:
            name = shard.task.image_ids[position]
            reason = f"{name}: '{encoder}' returned values that are not finite"
            shard.errors[position] = PictureError(reason, "not finite")
    shard.vectors.append(vectors[finite])
    return int(finite.sum())


def _check_finite(batch: _Batch, n_not_finite: int, encoder: str) -> None:
    """Raise `ModelError` if so many pictures in a row have no finite vector that the encoder must be at fault."""
    if n_not_finite >= MAX_NOT_FINITE:
        raise ModelError(
            f"encoder '{encoder}' returned vectors that are not finite for {n_not_finite} images in a row, all of "
            f"{some(batch.image_ids)} among them; its weights are damaged, or its precision overflows: try "
            "--precision fp32"
        )
