"""Work for an executor: tasks whose results add up, and a large value that all tasks share.

Any `concurrent.futures.Executor` can be used; only its `submit` is called. Each task runs in one thread, so an executor
should have as many workers as there are processors. How work is divided depends on its size alone, and results are
taken in the order of the tasks. So they add up to the same bits for any number of workers and in any order of arrival.
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

#: Largest number of tasks. Each sends back sums, and the caller may have to hold all of them for a moment.
MOST_TASKS = 64
#: Arrays begin at multiples of this number of bytes; compiled loops need aligned arrays.
ALIGNMENT = 64


def even_ranges(n: int, least: int) -> list[range]:
    """Divide the numbers below `n` into at most `MOST_TASKS` ranges of even length.

    Parameters
    ----------
    n : int
    least : int
        Least length of a range; shorter only if `n` itself is smaller.

    Returns
    -------
    list of range

    Examples
    --------
    >>> even_ranges(7, least=3)
    [range(0, 3), range(3, 7)]
    """
    number = max(1, min(MOST_TASKS, n // max(least, 1)))
    return [range(start, stop) for start, stop in pairwise(n * i // number for i in range(number + 1))]


def ordered_results(executor: Executor, function: Callable[..., Any], tasks: Iterable[tuple]) -> Iterator[Any]:
    """Submit tasks to an executor, and yield their results in the order of the tasks.

    An error, or the end of the iteration, cancels the tasks that have not begun.

    Parameters
    ----------
    executor : concurrent.futures.Executor
    function : callable
    tasks : iterable of tuple
        The arguments of each call of `function`.

    Yields
    ------
    object
        What `function` returns.

    Examples
    --------
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> with ThreadPoolExecutor(2) as executor:
    ...     list(ordered_results(executor, pow, [(2, 3), (3, 2)]))
    [8, 9]
    """
    waiting = deque(executor.submit(function, *task) for task in tasks)
    try:
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


@dataclass(frozen=True)
class SharedValue:
    """A large value that is stored in a file; a task carries its path, and maps its arrays where it runs.

    Attributes
    ----------
    path : Path
    spans : tuple of (int, int)
        First byte and length of the pickled value without its arrays, then of each array.

    Examples
    --------
    >>> with share_with_workers({"numbers": [1, 2]}) as shared:
    ...     shared.load()
    {'numbers': [1, 2]}
    """

    path: Path
    spans: tuple[tuple[int, int], ...]

    def load(self) -> Any:
        """Return the value; its arrays are mapped from the file and are copied where they are written to.

        Returns
        -------
        object

        Raises
        ------
        ProbeError
            If the file cannot be read.
        """
        try:
            with open(self.path, "rb") as file:
                content = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
        except OSError as error:
            raise ProbeError(
                f"a worker cannot read {self.path} ({error.strerror}); set TMPDIR to a folder that all workers see"
            ) from error
        rest, *arrays = (content[start : start + length] for start, length in self.spans)
        return pickle.loads(rest, buffers=arrays)


@contextmanager
def share_with_workers(value: Any) -> Iterator[SharedValue]:
    """Store a value in a temporary file (in ``TMPDIR``) while workers need it.

    Parameters
    ----------
    value : object
        Anything that can be pickled.

    Yields
    ------
    SharedValue

    Raises
    ------
    ProbeError
        If the file cannot be written.

    Examples
    --------
    >>> import numpy as np
    >>> with share_with_workers(np.arange(3)) as shared:
    ...     shared.load()
    array([0, 1, 2])
    """
    buffers: list[pickle.PickleBuffer] = []
    rest = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    parts: list[bytes | memoryview] = [rest, *(buffer.raw() for buffer in buffers)]
    with TemporaryDirectory(prefix="bioclip_probe-", ignore_cleanup_errors=True) as folder:
        path, spans = Path(folder) / "value", []
        try:
            with open(path, "wb") as file:
                for part in parts:
                    spans.append((file.tell(), file.write(part)))
                    file.write(bytes(-file.tell() % ALIGNMENT))
        except OSError as error:
            raise ProbeError(f"cannot write {path}: {error.strerror}; set TMPDIR to a folder with room") from error
        yield SharedValue(path, tuple(spans))
