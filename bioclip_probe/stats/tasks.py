"""Work for an executor: cut into tasks whose results add up, with what all of them need handed over once.

Any `concurrent.futures.Executor` will do; of it only `submit` is used. A task is run by one thread: give an executor as
many workers as there are processors. How work is cut hangs on its size alone, and results are taken in the order of
the tasks, so that they add up to the same bits however many workers there are and whichever is first.
"""

from __future__ import annotations

import mmap
import pickle
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bioclip_probe.errors import ProbeError

#: Tasks at most: each sends back sums, all of which the caller may hold for a moment.
MOST_TASKS = 64
ALIGNED = 64  # bytes; compiled loops want arrays that begin at whole numbers


def even_ranges(n: int, least: int) -> list[range]:
    """The numbers below `n` in up to `MOST_TASKS` even runs, each of at least `least` where there are so many."""
    number = max(1, min(MOST_TASKS, n // max(least, 1)))
    return [range(start, stop) for start, stop in pairwise(n * i // number for i in range(number + 1))]


def ordered_results(executor: Executor, function: Callable, tasks: Iterable[tuple]) -> Iterator[Any]:
    """What `function` returns for the arguments of each task, in the order of the tasks; an error ends it all."""
    waiting = deque(executor.submit(function, *task) for task in tasks)
    try:
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


@dataclass(frozen=True)
class SharedValue:
    """Something large whose arrays lie in a file: a task carries the rest of it, and maps them where it runs.

    Attributes
    ----------
    path : Path
    spans : tuple of (int, int)
        First byte and length of each array.
    rest : bytes
        All but the arrays. It comes through the executor, as the function of the task does.
    """

    path: Path
    spans: tuple[tuple[int, int], ...]
    rest: bytes

    def load(self) -> Any:
        """The thing itself, as a copy on write: its arrays take no memory but that of the file."""
        try:
            with open(self.path, "rb") as file:
                content = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
        except OSError as error:
            raise ProbeError(
                f"a worker cannot read {self.path} ({error.strerror}); set TMPDIR to a folder that all workers see"
            ) from error
        return pickle.loads(self.rest, buffers=[content[start : start + length] for start, length in self.spans])


@contextmanager
def share_with_workers(value: Any) -> Iterator[SharedValue]:
    """`value` for the workers of any executor, by a file in the folder for temporary ones (TMPDIR), gone at the end."""
    buffers: list[pickle.PickleBuffer] = []
    rest = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    with TemporaryDirectory(prefix="bioclip_probe-", ignore_cleanup_errors=True) as folder:
        path, spans = Path(folder) / "arrays", []
        try:
            with open(path, "wb") as file:
                file.write(bytes(ALIGNED))  # an empty file cannot be mapped
                for buffer in buffers:
                    start = file.tell()
                    spans.append((start, file.write(buffer.raw())))
                    file.write(bytes(-file.tell() % ALIGNED))
        except OSError as error:
            raise ProbeError(f"cannot write {path}: {error.strerror}; set TMPDIR to a folder with room") from error
        yield SharedValue(path, tuple(spans), rest)
