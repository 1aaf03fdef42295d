"""The settings of extraction, with their defaults and their help. The module is light: the command line reads it."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass, field

from bioclip_probe.errors import DataError, some
from bioclip_probe.tables import DTYPES, SHARD_SIZE
from bioclip_probe.torch_device import check_device

PRECISIONS = ("auto", "fp32", "bf16", "fp16")
PREPARATIONS = ("auto", "threads", "processes")
REDO = ("failed", "damaged")


@dataclass(frozen=True)
class ExtractionSettings:
    """Settings of embedding pictures: where the networks run, and how the store is written.

    No setting changes which images get a vector.

    Attributes
    ----------
    device : str
        ``cpu``, ``cuda``, ``cuda:N``, or ``auto`` for a GPU if there is one.
    precision : str
        Precision of the networks: ``fp32``, ``bf16``, ``fp16``, or ``auto`` for half precision if the hardware is fast
        at it and a comparison with fp32 passes. Vectors that the store has already are used at any precision.
    revision : str, optional
        Commit, tag or branch of the one model that is on the hub.
    engine : str or Executor
        Where pictures are embedded, see `executors`. An executor that is open already stays open.
    batch_size : int, optional
        Pictures that an encoder receives at once. By default 32, and on a GPU up to 256, by its memory. No batch
        reaches over the end of a shard, so that an interrupted and an uninterrupted run give the encoder the same
        batches.
    workers : int, optional
        Threads or processes that prepare pictures. By default one per processor, and half of them if an encoder runs on
        the same processors; see `resources`.
    preparation : str
        Where pictures are opened and resized: ``threads``, ``processes``, or ``auto`` for processes if all encoders run
        on GPUs and there are thousands of pictures.
    shard_size : int
        Images in a shard: what an interruption loses. The shards of an earlier run keep their size.
    dtype : str
        ``float32``, or ``float16`` for half the disk and vectors with three correct digits. The shards of an earlier
        run keep their type.
    max_failures : float, optional
        Stop when more images than this have failed: a number of images, or below 1 a share of the dataset. Finished
        shards are kept. By default a run goes on as long as one image can be used.
    redo : tuple of str
        Shards that are embedded again: ``failed`` (with failed images), ``damaged`` (changed on disk).
    progress : bool
        Show progress on standard error: a bar on a terminal, otherwise a line every half minute.

    Raises
    ------
    ProbeError
        If a number is out of its range or a name is unknown.

    Examples
    --------
    >>> ExtractionSettings(batch_size=64).batch_size
    64
    >>> ExtractionSettings(batch_size=0)
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: batch size and workers must be at least 1; got 0 and None
    """

    device: str = field(default="auto", metadata={"help": "auto, cpu, cuda, cuda:N"})
    precision: str = field(
        default="auto",
        metadata={
            "help": "precision of the networks; auto is half precision where the hardware is fast at it and a check "
            "against fp32 passes"
        },
    )
    revision: str | None = field(
        default=None, metadata={"help": "commit, tag or branch of the one model that is on the hub"}
    )
    engine: str | Executor = field(
        default="local",
        metadata={
            "help": "where pictures are embedded and pairs of images compared: local, processes[:N], "
            "dask:ADDRESS, slurm[:JOBS]"
        },
    )
    batch_size: int | None = field(
        default=None, metadata={"help": "pictures at a time; by default 32, on a GPU up to 256, by its memory"}
    )
    workers: int | None = field(
        default=None,
        metadata={"help": "threads or processes that prepare pictures; by default by the number of processors"},
    )
    preparation: str = field(
        default="auto",
        metadata={
            "help": "where pictures are opened and resized; auto is processes if a GPU embeds thousands of them, else "
            "threads"
        },
    )
    shard_size: int = field(
        default=SHARD_SIZE, metadata={"help": "images a shard: what an interruption loses, and the work of one worker"}
    )
    dtype: str = field(default=DTYPES[0], metadata={"help": "type of the stored vectors; float16 takes half the disk"})
    max_failures: float | None = field(
        default=None, metadata={"help": "stop once more images have failed: 100, or 1%%"}
    )
    redo: tuple[str, ...] = field(default=(), metadata={"help": "do shards again: failed, damaged"})
    progress: bool = field(default=True, metadata={"help": "show progress"})

    def __post_init__(self) -> None:
        check_device(self.device)
        if any(number is not None and number < 1 for number in (self.batch_size, self.workers)):
            raise DataError(f"batch size and workers must be at least 1; got {self.batch_size} and {self.workers}")
        if self.preparation not in PREPARATIONS:
            raise DataError(f"pictures cannot be prepared in '{self.preparation}'; expected {some(PREPARATIONS)}")
        if self.shard_size < 1:
            raise DataError(f"a shard holds at least 1 image; got {self.shard_size}")
        if self.max_failures is not None and self.max_failures < 0:
            raise DataError(f"the most failures must be 0 or more, or a share below 1; got {self.max_failures}")
        if unknown := [kind for kind in self.redo if kind not in REDO]:
            raise DataError(f"cannot redo '{unknown[0]}'; expected one of: {', '.join(REDO)}")


#: The settings of a run that names none.
DEFAULTS = ExtractionSettings()
