"""Work that can be interrupted: jobs run in several processes, and each line of results is appended to a file."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import current_process, get_context
from pathlib import Path
from typing import Protocol

#: The calibration study yields to all other work of the machine.
NICENESS = 15
SECONDS_BETWEEN_REPORTS = 20
#: A report that takes long comes seldom: the work between two takes so many times as long.
REPORTS_SHARE = 50


class Job(Protocol):
    """A part of a study that is computed in one piece; it can be pickled."""

    @property
    def key(self) -> str:
        """The name of the job in the file."""


def run(
    jobs: Sequence[Job],
    work: Callable[[Job], dict],
    path: Path,
    processes: int,
    report: Callable[[dict[str, dict]], None] = lambda lines: None,
) -> dict[str, dict]:
    """Do the jobs that a file lacks, append a line for each, and return the lines of all jobs by key.

    Parameters
    ----------
    jobs : sequence of Job
        They are begun in this order.
    work : callable
        A function of a module, which returns the line of a job: JSON-able, without its key.
    path : Path
        Lines of JSON. The field ``job`` is the key.
    processes : int
        With 1, this process does the work. With 0, nothing is done, and the lines that are there are returned.
    report : callable
        It is called with the lines so far, every 20 seconds, or more seldom if it takes long.

    Returns
    -------
    dict from str to dict
    """
    wanted = {job.key for job in jobs}
    lines = {key: line for key, line in read(path).items() if key in wanted}
    todo = [job for job in jobs if job.key not in lines] if processes else []
    print(f"{len(jobs):,} jobs, {len(todo):,} of them to do", flush=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    start = last_report = time.monotonic()
    pause = SECONDS_BETWEEN_REPORTS
    _end_incomplete_line(path)
    with path.open("a") as file, _computed(todo, work, processes) as computed:
        for n_done, line in enumerate(computed, 1):
            lines[line["job"]] = line
            file.write(json.dumps(line) + "\n")
            file.flush()
            if time.monotonic() - last_report > pause:
                begun = time.monotonic()
                seconds = begun - start
                left = seconds / n_done * (len(todo) - n_done)
                print(f"{n_done:,} of {len(todo):,} jobs, {seconds:.0f} s, about {left:.0f} s to go", flush=True)
                report(lines)
                last_report = time.monotonic()
                pause = max(SECONDS_BETWEEN_REPORTS, REPORTS_SHARE * (last_report - begun))
    return lines


def read(path: Path) -> dict[str, dict]:
    """Return the lines of a file by the key of their job; an incomplete last line is left out."""
    lines = {}
    for text in path.read_text().splitlines() if path.is_file() else ():
        try:
            line = json.loads(text)
        except json.JSONDecodeError:
            continue
        lines[line["job"]] = line
    return lines


def timed_line(job: Job, work: Callable[[Job], dict]) -> dict:
    """Return the line of a job, with its key and its seconds."""
    start = time.perf_counter()
    line = work(job)
    return {"job": job.key, "seconds": round(time.perf_counter() - start, 2), **line}


@contextmanager
def _computed(todo: list[Job], work: Callable[[Job], dict], processes: int) -> Iterator[Iterator[dict]]:
    """Give the lines of the jobs as they are computed, in this process or in several."""
    if processes <= 1:
        yield (timed_line(job, work) for job in todo)
        return
    with ProcessPoolExecutor(processes, get_context("spawn"), _one_thread) as pool:
        yield (future.result() for future in as_completed([pool.submit(timed_line, job, work) for job in todo]))


def _one_thread() -> None:
    """Limit a process to one processor and one thread, and let all other work go first."""
    import numba
    from threadpoolctl import threadpool_limits

    os.nice(NICENESS)
    if hasattr(os, "sched_setaffinity"):  # not on macOS
        processors = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {processors[current_process()._identity[-1] % len(processors)]})
    threadpool_limits(1)
    numba.set_num_threads(1)


def _end_incomplete_line(path: Path) -> None:
    """End an incomplete last line, so that the next one begins on a new line."""
    if path.is_file() and path.stat().st_size and not path.read_bytes().endswith(b"\n"):
        with path.open("a") as file:
            file.write("\n")
