"""The pipeline: the pictures of one dataset through some encoders, each picture opened once.

Threads open and preprocess pictures ahead of the networks. One more thread runs the networks, so that the next batch is
collated while they compute. All queues are bounded: memory stays constant, however many pictures there are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bioclip_probe.errors import DataError, ModelError, PictureError, ProbeError, one_line, some
from bioclip_probe.extraction.settings import ExtractionSettings
from bioclip_probe.extraction.threads import default_workers, map_ahead, thread_pool
from bioclip_probe.store.shards import LEDGER

if TYPE_CHECKING:
    from PIL import Image

    from bioclip_probe.encoders import Encoder

#: The least cosine with float32 that an encoder of another precision must keep, and how many pictures are compared.
MIN_PARITY, N_COMPARED = 0.999, 8
#: After so many pictures in a row without a finite vector, in whole batches, the encoder is at fault and not a picture.
MAX_NOT_FINITE = 8

#: Opens a picture by its source, as `Dataset.open` does.
OpenPicture = Callable[[str], "Image.Image"]
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
    positions: list[int] = field(default_factory=list)  # the position in the task of each vector
    vectors: list[np.ndarray] = field(default_factory=list)

    def finish(self, dimension: int, parity: float | None) -> EncodedShard:
        """Return the result, with a row in the ledger for every image of the task."""
        row_of = dict(zip(self.positions, range(len(self.positions)), strict=True))
        rows: list[tuple[object, ...]] = []
        for position, image_id in enumerate(self.task.image_ids):
            error = self.errors.get(position)
            status = ("ok", None, None) if error is None else ("failed", error.kind, str(error))
            rows.append((image_id, row_of.get(position, -1), *status))
        vectors = np.concatenate([np.empty((0, dimension), np.float32), *self.vectors])
        ledger = LEDGER.frame(pd.DataFrame(rows, columns=LEDGER.names))
        return EncodedShard(self.task.shard, self.encoder, ledger, vectors, parity)


@dataclass(eq=False)
class _Batch:
    """A batch of pictures for one encoder. The last batch of a shard may be empty."""

    shard: _ShardInProgress
    positions: list[int]
    pictures: Any  # as the encoder's `collate` returned them
    single_pictures: list[Any] | None  # the same pictures one by one, while the parity of the encoder is not known
    last: bool

    @property
    def image_ids(self) -> list[str]:
        return [self.shard.task.image_ids[position] for position in self.positions]


def encode_tasks(
    open_picture: OpenPicture,
    encoders: Sequence[Encoder],
    tasks: Iterable[ShardTask],
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
    tasks : iterable of ShardTask
    settings : ExtractionSettings
        Its `batch_size` and `workers` are used. No batch reaches over the end of a task.
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
    n_threads = settings.workers or default_workers(encoders)
    parities = {} if parities is None else parities
    n_not_finite: Counter[int] = Counter()  # pictures since the last batch of an encoder that had a finite vector

    def prepare(item: tuple[ShardTask, int]) -> tuple[tuple[ShardTask, int], list[Any]]:
        task, position = item
        return item, _prepared(open_picture, [encoders[number] for number in task.encoders], task.sources[position])

    def encode(batch: _Batch) -> tuple[_Batch, np.ndarray]:
        return batch, _encoded(encoders[batch.shard.encoder], batch, parities)

    with thread_pool(n_threads) as pool, thread_pool(1) as networks:
        items = ((task, position) for task in tasks for position in range(len(task.sources)))
        pictures = map_ahead(pool, prepare, items, 2 * settings.batch_size + n_threads)
        batches = _batches(pictures, encoders, settings.batch_size, advance, parities)
        for batch, vectors in map_ahead(networks, encode, batches, 2):
            shard = batch.shard
            encoder = encoders[shard.encoder]
            if batch.positions:
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


def _prepared(open_picture: OpenPicture, encoders: Sequence[Encoder], source: str) -> list[Any]:
    """Return one picture preprocessed for each encoder, or in its place the error that says why it cannot be used."""
    try:
        image = open_picture(source)
    except DataError as error:
        refusal = error if isinstance(error, PictureError) else PictureError(str(error), "unreadable")
        return [refusal] * len(encoders)
    return [_preprocessed(encoder, image, source) for encoder in encoders]


def _preprocessed(encoder: Encoder, image: Image.Image, source: str) -> Any:
    """Return a picture preprocessed for one encoder, or a `PictureError`."""
    try:
        return encoder.preprocess(image)
    except (ProbeError, MemoryError):
        raise
    except Exception as error:  # the preprocessing may be anyone's code, and one odd picture must not stop the others
        reason = one_line(error, with_type=True)
        return PictureError(f"{source}: preprocessing failed: {reason}", "preprocessing")


def _batches(
    pictures: Iterator[tuple[tuple[ShardTask, int], list[Any]]],
    encoders: Sequence[Encoder],
    batch_size: int,
    advance: Callable[[], object],
    parities: Parities,
) -> Iterator[_Batch]:
    """Yield batches of preprocessed pictures, each for one encoder and one task."""
    shards: list[_ShardInProgress] = []
    waiting: list[tuple[list[int], list[Any]]] = []
    for (task, position), prepared in pictures:
        if position == 0:
            shards = [_ShardInProgress(task, number) for number in task.encoders]
            waiting = [([], []) for _ in shards]
        last = position == len(task.sources) - 1
        for shard, (positions, batch), picture in zip(shards, waiting, prepared, strict=True):
            if isinstance(picture, PictureError):
                shard.errors[position] = picture
            else:
                positions.append(position)
                batch.append(picture)
            if len(batch) == batch_size or last:
                encoder = encoders[shard.encoder]
                single_pictures = None if encoder.fingerprint in parities else list(batch)
                collated = encoder.collate(batch) if batch else None
                yield _Batch(shard, list(positions), collated, single_pictures, last)
                positions.clear()
                batch.clear()
        advance()


def _encoded(encoder: Encoder, batch: _Batch, parities: Parities) -> np.ndarray:
    """Return the (b, d) float32 vectors of one batch. This runs in the thread of the networks."""
    if not batch.positions:
        return np.empty((0, encoder.dimension), np.float32)
    output = np.asarray(encoder.encode(batch.pictures))
    expected = (len(batch.positions), encoder.dimension)
    if output.shape != expected or output.dtype.kind != "f":
        raise ModelError(
            f"encoder '{encoder.name}' returned {output.dtype} {output.shape}, expected floats of shape {expected}, "
            f"for the images {some(batch.image_ids)}"
        )
    with np.errstate(over="ignore"):
        vectors = output.astype(np.float32)
    finite = np.flatnonzero(np.all(np.isfinite(vectors), axis=1))
    if len(finite) and encoder.fingerprint not in parities and batch.single_pictures is not None:
        compared = [batch.single_pictures[index] for index in finite[:N_COMPARED]]
        parities[encoder.fingerprint] = _checked_parity(encoder, compared)
    return vectors


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
