"""The pieces of a small study, computed by several processes at once.

The work of one piece fills one processor where the vectors are few: it is thousands of short calls, and threads would
wait for each other. So each process goes through the steps of the study and computes the pieces that no other process
has taken. All store them in the results folder, from which the main process then reads them. Pieces that are computed
from other pieces are left to the main process. A piece that fails in a worker is left to it too, so that errors are
raised where a user sees them.
"""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import parent_process
from pathlib import Path
from typing import Any

import pandas as pd

from bioclip_probe.processes import FORKED, may_start_processes, start_server
from bioclip_probe.processors import available_processors, share_of_processors, take_share_of_processors
from bioclip_probe.progress import WeightedProgress
from bioclip_probe.stats.devices import uses_torch
from bioclip_probe.stats.tasks import SharedValue, share_with_workers
from bioclip_probe.stats.threads import one_thread
from bioclip_probe.study.checkpoints import Checkpoints, Content
from bioclip_probe.study.claims import FAILED, STORED, Claims, group_of
from bioclip_probe.study.inputs import Inputs
from bioclip_probe.study.measuring import MOST_APART
from bioclip_probe.study.piece import Piece, PieceState
from bioclip_probe.study.plan import Plan
from bioclip_probe.study.sample import Sample
from bioclip_probe.study.steps import StepResult, step_functions
from bioclip_probe.torch_device import resolve_device

#: Processor seconds of work for each process, at least: where it is not forked, it takes seconds to start.
LEAST_SECONDS = 30.0
SECONDS_BETWEEN_LOOKS = 0.1


def number_of_processes(sample: Sample, plan: Plan, pieces: Iterable[PieceState], seconds: float) -> int:
    """Return how many processes should compute the missing pieces of a study.

    Parameters
    ----------
    sample : Sample
    plan : Plan
    pieces : iterable of PieceState
        Those that the results folder lacks.
    seconds : float
        Processor seconds of these pieces.

    Returns
    -------
    int
        1 for large vectors, whose pieces fill all processors by threads, where a device of torch computes, and where
        this process may not start others.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from bioclip_probe.study.examples import corvid_plan, corvid_sample
    >>> with TemporaryDirectory() as folder:
    ...     number_of_processes(corvid_sample(), corvid_plan(folder), [], seconds=0.0)
    1
    """
    sizes = [embeddings.vectors.size for embeddings in sample.embeddings.values()]
    are_large = max(sizes, default=0) > MOST_APART
    if are_large or uses_torch(resolve_device(plan.measure.device)) or not may_start_processes():
        return 1
    groups = {group_of(piece) for piece in pieces if not piece.dependent}
    return max(1, min(available_processors(), len(groups), int(seconds / LEAST_SECONDS)))


class ClaimedPieces(Checkpoints):
    """The checkpoints of one of several processes: it computes and stores the pieces that it can take.

    Contents are empty, as those of an `Outline` are: what they hold is read from the folder when all is done.

    Parameters
    ----------
    out : Path
        The results folder.
    inputs : Inputs
    claims : Claims
    process : int
        Number of this process, from 1.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from bioclip_probe.study.examples import corvid_sample
    >>> piece, inputs = Piece("measure", "toy", (("vectors", "toy"),)), Inputs(corvid_sample())
    >>> claims = Claims([PieceState("measure", "toy", piece.key(inputs), False)])
    >>> with TemporaryDirectory() as folder:
    ...     pieces = ClaimedPieces(Path(folder), inputs, claims, process=1)
    ...     _ = pieces.content(piece, lambda: Content(pd.DataFrame({"value": [0.5]})))
    >>> claims.is_stored(piece.key(inputs))
    True
    """

    def __init__(self, out: Path, inputs: Inputs, claims: Claims, process: int) -> None:
        super().__init__(out, inputs)
        self.claims, self.process = claims, process
        self.stored_here: set[str] = set()

    def content(self, piece: Piece, compute: Callable[[], Content]) -> Content:
        """Compute and store a piece that no other process has taken, and return an empty content.

        Parameters
        ----------
        piece, compute
            As for `Checkpoints.content`.

        Returns
        -------
        Content
        """
        assert self.inputs is not None
        key = piece.key(self.inputs)
        if self.claims.take(key, self.process):
            mark = FAILED
            try:
                super().content(piece, compute)
                self.stored_here.add(key)
                mark = STORED
            finally:
                self.claims.mark(key, mark)
        return Content(pd.DataFrame())

    def contents(self, pieces: Sequence[tuple[Piece, Callable[[], Content]]], threads: int = 1) -> list[Content]:
        """Compute and store those of several pieces that no other process has taken, one after the other.

        Parameters
        ----------
        pieces, threads
            As for `Checkpoints.contents`; other processes take the place of threads.

        Returns
        -------
        list of Content
        """
        return [self.content(*work) for work in pieces]


class LenientPieces(ClaimedPieces):
    """Checkpoints that raise no error: a piece that fails is left to the main process in its own step."""

    def content(self, piece: Piece, compute: Callable[[], Content]) -> Content:
        """Compute and store a piece as `ClaimedPieces` does, and raise no error.

        Parameters
        ----------
        piece, compute
            As for `Checkpoints.content`.

        Returns
        -------
        Content
        """
        try:
            return super().content(piece, compute)
        except Exception:  # the main process computes the piece again, and raises the error
            return Content(pd.DataFrame())


class WorkerPieces(LenientPieces):
    """The checkpoints of a worker, which ends with the main process."""

    def content(self, piece: Piece, compute: Callable[[], Content]) -> Content:
        """Compute and store a piece as `LenientPieces` does, or end if the study was killed.

        Parameters
        ----------
        piece, compute
            As for `Checkpoints.content`.

        Returns
        -------
        Content
        """
        parent = parent_process()
        if parent is not None and not parent.is_alive():
            raise SystemExit
        return super().content(piece, compute)


@dataclass(frozen=True, eq=False)
class Workers:
    """The workers of a study, and the pieces that they share with the main process.

    Attributes
    ----------
    pieces : tuple of PieceState
        The missing pieces of all steps.
    claims : Claims
    processes : tuple of Process
        Processes number 2 and following.
    """

    pieces: tuple[PieceState, ...]
    claims: Claims
    processes: tuple[Any, ...] = ()

    def are_at(self, key: str) -> bool:
        """Return True if a living worker computes a piece, or will because it has another one of the group.

        Parameters
        ----------
        key : str
        """
        number = self.claims.process_at(key)
        return number > 1 and bool(self.processes[number - 2].is_alive())


class MainPieces(ClaimedPieces):
    """The checkpoints of the main process in one step: it shows the progress of all processes, and waits for them.

    Parameters
    ----------
    out : Path
        The results folder.
    inputs : Inputs
    workers : Workers
    step : str
    progress : WeightedProgress
    size : callable
        Returns the size of a piece in that display.
    """

    def __init__(
        self,
        out: Path,
        inputs: Inputs,
        workers: Workers,
        step: str,
        progress: WeightedProgress,
        size: Callable[[Piece | PieceState], float],
    ) -> None:
        super().__init__(out, inputs, workers.claims, process=1)
        self.workers, self.progress, self._size = workers, progress, size
        own = [piece for piece in workers.pieces if piece.step == step and not piece.dependent]
        self._unfinished = {piece.key: size(piece) for piece in own}

    def content(self, piece: Piece, compute: Callable[[], Content]) -> Content:
        """Compute and store a piece as `ClaimedPieces` does, and count those that workers have stored.

        Parameters
        ----------
        piece, compute
            As for `Checkpoints.content`.

        Returns
        -------
        Content
        """
        content = super().content(piece, compute)
        self._count()
        return content

    def wait(self, later_steps: Iterable[Callable[..., StepResult]] = ()) -> None:
        """Wait until no worker computes a piece of the step any more, and compute pieces of later steps meanwhile.

        Parameters
        ----------
        later_steps : iterable of callable
            They take the checkpoints.
        """
        assert self.folder is not None and self.inputs is not None
        spare = SparePieces(self.folder.parent, self.inputs, self)
        with without_log():  # the steps log their messages when their turn comes
            for later_step in later_steps:
                if self.is_waiting():
                    later_step(checkpoints=spare)
        while self.is_waiting():
            time.sleep(SECONDS_BETWEEN_LOOKS)

    def is_waiting(self) -> bool:
        """Return True while a worker computes pieces of the step, and count those that it has stored."""
        self._count()
        return any(map(self.workers.are_at, self._unfinished))

    def _count(self) -> None:
        """Count the pieces that workers have stored since the last call as finished."""
        for key in [key for key in self._unfinished if self.claims.is_stored(key)]:
            size = self._unfinished.pop(key)
            if key not in self.stored_here:
                self.progress.finish(size)


class SparePieces(LenientPieces):
    """The checkpoints of the main process in later steps while workers finish the pieces of one step.

    Parameters
    ----------
    out : Path
    inputs : Inputs
    current : MainPieces
        Those of the step that workers finish.
    """

    def __init__(self, out: Path, inputs: Inputs, current: MainPieces) -> None:
        super().__init__(out, inputs, current.claims, current.process)
        self._current = current

    def content(self, piece: Piece, compute: Callable[[], Content]) -> Content:
        """Compute and store a piece as `LenientPieces` does, unless all pieces of the current step are finished.

        Parameters
        ----------
        piece, compute
            As for `Checkpoints.content`.

        Returns
        -------
        Content
        """
        return super().content(piece, compute) if self._current.is_waiting() else Content(pd.DataFrame())


@contextmanager
def without_log() -> Iterator[None]:
    """Log nothing while the block runs."""
    before = logging.root.manager.disable
    logging.disable()
    try:
        yield
    finally:
        logging.disable(before)


@contextmanager
def open_workers(sample: Sample, plan: Plan, out: Path, pieces: Iterable[PieceState], number: int) -> Iterator[Workers]:
    """Yield workers that go through the steps of a study and compute the pieces that they can take.

    Parameters
    ----------
    sample : Sample
    plan : Plan
    out : Path
        The results folder.
    pieces : iterable of PieceState
        The missing pieces.
    number : int
        Of workers; together with this process they share the processors.

    Yields
    ------
    Workers
        They end when there is nothing left to take, and are stopped when the context ends. Until then, this thread
        uses its share of the processors only, as each worker does.
    """
    pieces = tuple(pieces)
    claims, steps = Claims(pieces), list(dict.fromkeys(piece.step for piece in pieces))
    with share_with_workers((sample, plan)) as shared:
        processes = tuple(
            FORKED.Process(target=_work, args=(shared, out, claims, steps, process, number + 1), daemon=True)
            for process in range(2, number + 2)
        )
        try:
            start_server([__name__])
            for process in processes:
                process.start()
            with share_of_processors(0, number + 1), one_thread:  # more threads would wait for the workers
                yield Workers(pieces, claims, processes)
        finally:
            for process in processes:
                if process.pid is not None:
                    process.terminate()
                    process.join()


def _work(shared: SharedValue, out: Path, claims: Claims, steps: Sequence[str], process: int, n_processes: int) -> None:
    """Go through the steps of a study in a worker.

    The main process begins with the first step, the workers with the second, the third, and so on, so that processes
    seldom compile the same loops at the same time. Then a worker takes the steps in their order. So the main process
    can finish one step, which scores answers and writes tables, while workers compute the next.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the main process stops its workers
    logging.disable()  # the main process says what there is to say
    take_share_of_processors(process - 1, n_processes)
    sample, plan = shared.load()
    pieces = WorkerPieces(out, Inputs(sample), claims, process)
    first = steps[(process - 1) % len(steps)]
    for name in dict.fromkeys((first, *steps)):
        step_functions(sample, plan)[name](checkpoints=pieces)
