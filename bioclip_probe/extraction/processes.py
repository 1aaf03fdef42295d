"""Processes that prepare pictures, for a GPU that takes more of them than the threads of one process can prepare.

A thread of the pipeline sends a chunk of sources to a process that is free and waits for the prepared pictures. The
processes are plain Python interpreters with a pipe on both sides, and not those of `multiprocessing` or torch's
DataLoader. So they end with this process, however it ends; they never run the user's script a second time; they take no
shared memory, of which a container may have little; and a picture that makes its process crash costs that picture and
not the run. The pipe takes 2 % of the time of a picture.

The first chunks are prepared by the threads themselves, until the processes have started.
"""

from __future__ import annotations

import logging
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import traceback
import weakref
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np

from bioclip_probe.errors import PictureError, ProbeError, one_line
from bioclip_probe.extraction.preparation import Chunk, Preparation, PreparedPicture

log = logging.getLogger(__name__)

#: After so many pictures in a row that each ended a process, no picture is at fault but the machine.
MAX_LOST = 4
_START = (
    "import pickle, sys; sys.path[:] = pickle.load(sys.stdin.buffer); "
    "from bioclip_probe.extraction.processes import serve; serve()"
)
_LARGE_PIPE = 1 << 20


class ProcessEndedError(Exception):
    """A process has ended while it prepared pictures.

    Parameters
    ----------
    status : int
        Its exit status; below 0, the signal that ended it.
    """

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(f"signal {-status}" if status < 0 else f"exit status {status}")


class RecycledBuffers:
    """Buffers that are used again when nobody holds them any more: to touch fresh memory costs more than to copy it.

    Examples
    --------
    >>> buffers = RecycledBuffers()
    >>> first = buffers.take(3)
    >>> first[:] = 7
    >>> del first
    >>> buffers.take(3).tolist()
    [7, 7, 7]
    """

    def __init__(self) -> None:
        self._free: defaultdict[int, list[np.ndarray]] = defaultdict(list)

    def take(self, size: int) -> np.ndarray:
        """Return a buffer of some bytes, with any content.

        Parameters
        ----------
        size : int

        Returns
        -------
        ndarray, shape (size,), uint8
        """
        free = self._free[size]
        try:
            memory = free.pop()
        except IndexError:
            memory = np.empty(size, np.uint8)
        buffer = memory[:]
        weakref.finalize(buffer, free.append, memory).atexit = False
        return buffer


class PreparingProcess:
    """A process that prepares pictures, one chunk after the other.

    Parameters
    ----------
    preparation : bytes
        The pickled `Preparation`.
    memory : RecycledBuffers
        Holds the prepared pictures.
    """

    def __init__(self, preparation: bytes, memory: RecycledBuffers) -> None:
        self._preparation, self._memory = preparation, memory
        command = [sys.executable, "-W", "ignore", "-c", _START]
        alone = {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ | alone)
        _enlarge(self._process.stdout)

    def start(self) -> None:
        """Wait until the process is ready.

        Raises
        ------
        ProcessEndedError
            If it has ended.
        Exception
            Why it cannot unpickle the preparation.
        """
        self._ask(pickle.dumps(sys.path) + self._preparation)

    def prepare(self, chunk: Chunk) -> list[PreparedPicture]:
        """Return what `Preparation.prepare` returns there.

        Parameters
        ----------
        chunk : Chunk

        Returns
        -------
        list of PreparedPicture

        Raises
        ------
        ProcessEndedError
            If the process has ended.
        Exception
            Whatever `Preparation.prepare` raised there.
        """
        return self._ask(pickle.dumps(chunk))

    def end(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.communicate()

    def _ask(self, message: bytes) -> Any:
        """Send a message and return the answer; raise it if it is an exception."""
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(message)
            self._process.stdin.flush()
            answer = _receive(self._process.stdout, self._memory)
        except (EOFError, OSError, ValueError, pickle.UnpicklingError):  # ValueError: the pipe was closed
            self._process.kill()
            raise ProcessEndedError(self._process.wait()) from None
        if isinstance(answer, Exception):
            raise answer
        return answer


class ProcessPool:
    """Processes that prepare pictures for the threads of this process.

    Parameters
    ----------
    preparation : Preparation
        It can be pickled.
    n_processes : int
    """

    def __init__(self, preparation: Preparation, n_processes: int) -> None:
        self._preparation = preparation
        self._pickled, self._memory = pickle.dumps(preparation), RecycledBuffers()
        self._idle: queue.SimpleQueue[PreparingProcess] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        self._processes: list[PreparingProcess] = []
        self._n_lost = 0  # pictures in a row that ended a process
        try:
            for _ in range(n_processes):
                threading.Thread(target=self._start, args=(self._new_process(),), daemon=True).start()
        except OSError as error:  # the system allows no more of them
            log.info("only %d processes prepare pictures: %s", len(self._processes), error)

    @property
    def n_idle(self) -> int:
        """Number of processes that are ready and have nothing to do."""
        return self._idle.qsize()

    def prepare(self, chunk: Chunk) -> list[PreparedPicture]:
        """Return the prepared pictures of a chunk, by the next process that is free, or by this thread if none is.

        Parameters
        ----------
        chunk : Chunk

        Returns
        -------
        list of PreparedPicture
            As `Preparation.prepare` returns it. A picture that ends its process is a `PictureError`.

        Raises
        ------
        ProbeError
            If several pictures in a row have ended their processes; and what `Preparation.prepare` raises.
        """
        try:
            process = self._idle.get_nowait()
        except queue.Empty:
            return self._preparation.prepare(chunk)
        try:
            prepared = process.prepare(chunk)
        except ProcessEndedError:
            process.end()
            return self._prepare_one_by_one(chunk)
        self._idle.put(process)
        return prepared

    def _prepare_one_by_one(self, chunk: Chunk) -> list[PreparedPicture]:
        """Prepare each picture alone in a new process, and find the one that ends it."""
        prepared: list[PreparedPicture] = []
        process = self._started()
        for source in chunk.sources:
            try:
                prepared += process.prepare(Chunk([source], chunk.groups))
                self._n_lost = 0
            except ProcessEndedError as error:
                process.end()
                self._n_lost += 1
                if self._n_lost >= MAX_LOST:
                    raise ProbeError(
                        f"processes that prepare pictures end again and again ({error}), the last one on {source}; out "
                        "of memory? take fewer with --workers, or --preparation threads; finished shards are kept"
                    ) from None
                refusal = PictureError(f"{source}: the process that opened it crashed ({error})", "corrupt")
                prepared.append(PreparedPicture([refusal] * len(chunk.groups)))
                process = self._started()
        self._idle.put(process)
        return prepared

    def close(self) -> None:
        """End all processes."""
        with self._lock:
            self._closed = True
        for process in self._processes:
            process.end()

    def _new_process(self) -> PreparingProcess:
        with self._lock:
            if self._closed:
                raise ProcessEndedError(0)
            self._processes.append(PreparingProcess(self._pickled, self._memory))
            return self._processes[-1]

    def _started(self) -> PreparingProcess:
        """Return a new process that is ready."""
        process = self._new_process()
        process.start()
        return process

    def _start(self, process: PreparingProcess) -> None:
        """Wait until a process is ready, in a thread of its own, and let others use it."""
        try:
            process.start()
        except Exception as error:  # the opener of pictures may be anyone's, and need not arrive there
            if not self._closed:
                reason = one_line(error, with_type=True)
                log.info("a process that prepares pictures did not start (%s); a thread does its work", reason)
        else:
            self._idle.put(process)


@contextmanager
def process_pool(preparation: Preparation, n_processes: int) -> Iterator[ProcessPool]:
    """Yield processes that prepare pictures, which end with the block.

    Parameters
    ----------
    preparation : Preparation
        It can be pickled.
    n_processes : int

    Yields
    ------
    ProcessPool

    Examples
    --------
    >>> from bioclip_probe import encoders
    >>> from bioclip_probe.datasets import load
    >>> preparation = Preparation(load("world").open, (encoders.load("pixels").preprocess,))
    >>> with process_pool(preparation, 1) as processes:
    ...     processes.prepare(Chunk(["000/0"], groups=(0,)))[0].by_group[0].shape
    (768,)
    """
    pool = ProcessPool(preparation, n_processes)
    try:
        yield pool
    finally:
        pool.close()


def serve() -> None:
    """Prepare chunks in this process until there is nobody who sends them.

    They come through standard input, after the pickled `Preparation`, and what they became goes to standard output.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Control-C ends the process that sends the chunks
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # so that nobody else prints among the answers
    try:
        preparation = _result(pickle.load, requests)
        _send(answers, preparation if isinstance(preparation, Exception) else None)
        while True:
            _send(answers, _result(preparation.prepare, pickle.load(requests)))
    except (EOFError, BrokenPipeError):
        os._exit(0)


def _result(function: Callable[[Any], Any], argument: Any) -> Any:
    """Return the result of a function, or the exception that it raised."""
    try:
        return function(argument)
    except EOFError:
        raise
    except Exception as error:
        return _portable(error)


def _send(stream: BinaryIO, answer: Any) -> None:
    """Write an answer; the pixels of its arrays follow it as they are, because pickling them would copy them."""
    buffers: list[pickle.PickleBuffer] = []
    header = pickle.dumps(answer, protocol=5, buffer_callback=buffers.append)
    contents = [buffer.raw() for buffer in buffers]
    pickle.dump((header, [content.nbytes for content in contents]), stream)
    for content in contents:
        stream.write(content)
    stream.flush()


def _receive(stream: Any, memory: RecycledBuffers) -> Any:
    """Read what `_send` has written."""
    header, sizes = pickle.load(stream)
    buffers = [memory.take(size) for size in sizes]
    if any(stream.readinto(buffer) < len(buffer) for buffer in buffers):
        raise EOFError
    return pickle.loads(header, buffers=buffers)


def _portable(error: Exception) -> Exception:
    """Return an exception as it can be sent, with the place where it was raised."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        error = RuntimeError(one_line(error, with_type=True))
    error.add_note(traceback.format_exc())
    return error


def _enlarge(pipe: Any) -> None:
    """Let a pipe hold several pictures, so that a process need not wait until they are read (Linux)."""
    try:
        import fcntl

        fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, _LARGE_PIPE)
    except (ImportError, AttributeError, OSError):
        pass
