"""Executors, which do work on this machine or on a cluster.

An engine is the name of a kind of executor:

===================  ==================================================================================
``local``            this process: threads open pictures, one network runs on the device
``processes[:N]``    N processes on this machine, which share its processors
``dask:ADDRESS``     the workers of a Dask cluster, by the address of its scheduler
``slurm[:JOBS]``     Dask workers in SLURM jobs, as dask-jobqueue's configuration describes them
===================  ==================================================================================

The engine schedules the work, retries it and replaces lost workers: Dask gives the work of a lost worker to another
one. A piece of work is a shard of images or a block of rows; the process that asked for it stores or adds the results.

SLURM jobs may wait in the queue for any time. When all of them have left the queue and no worker has come, or none is
left, the work fails, because nobody would ever do it.
"""

from __future__ import annotations

import getpass
import subprocess
from collections.abc import Collection, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from bioclip_probe.errors import ProbeError, one_line, some
from bioclip_probe.processes import SPAWNED
from bioclip_probe.processors import available_processors, take_share_of_processors

FORMS = ("local", "processes[:N]", "dask:ADDRESS", "slurm[:JOBS]")
LOCAL = FORMS[0]


@dataclass(frozen=True)
class SlurmPatience:
    """The patience of a run with the workers of SLURM jobs.

    Attributes
    ----------
    seconds_between_checks : float
        Time between two looks into the queue while no worker has come.
    time_without_workers : str
        Time, as Dask writes it, for which work waits when all workers have gone.

    Examples
    --------
    >>> SlurmPatience(seconds_between_checks=60).time_without_workers
    '5 minutes'
    """

    seconds_between_checks: float = 15
    time_without_workers: str = "5 minutes"


def check_engine(name: str) -> None:
    """Raise an error if no engine has this name.

    Parameters
    ----------
    name : str

    Raises
    ------
    ProbeError

    Examples
    --------
    >>> check_engine("processes:4")
    >>> try:
    ...     check_engine("spark")
    ... except ProbeError as error:
    ...     print(str(error).partition(";")[0])
    no engine is called 'spark'
    """
    _parse_engine(name)


@contextmanager
def open_executor(name: str | Executor = LOCAL, patience: SlurmPatience | None = None) -> Iterator[Executor | None]:
    """Open the executor of an engine for the time that the block runs.

    Parameters
    ----------
    name : str or Executor
        Name of an engine. An executor is yielded as it is and stays open, so that a caller can open one executor
        around several pieces of work.
    patience : SlurmPatience, optional
        How long to wait for the workers of SLURM jobs.

    Yields
    ------
    Executor or None
        None for ``local``.

    Raises
    ------
    ProbeError
        If no engine has this name, a package that it needs is not installed, its scheduler does not answer, or its
        jobs end before a worker has come.

    Examples
    --------
    >>> with open_executor("local") as executor:
    ...     executor is None
    True
    """
    if isinstance(name, Executor):
        yield name
        return
    kind, argument = _parse_engine(name)
    if kind == LOCAL:
        yield None
    elif kind == "processes":
        with _process_pool(int(argument or available_processors())) as executor:
            yield executor
    else:
        slurm = kind == "slurm"
        connection = _slurm_cluster(int(argument or 1), patience or SlurmPatience()) if slurm else nullcontext(argument)
        with connection as cluster, _dask_executor(cluster) as executor:
            yield executor


def check_packages(name: str) -> None:
    """Raise an error if a package that an engine needs is not installed, without starting the engine.

    Parameters
    ----------
    name : str
        Name of an engine.

    Raises
    ------
    ProbeError

    Examples
    --------
    >>> check_packages("processes:2")
    """
    needed = {"dask": ("dask", "distributed"), "slurm": ("dask", "distributed", "dask_jobqueue")}
    for package in needed.get(_parse_engine(name)[0], ()):
        if find_spec(package) is None:
            raise _missing_package(package.replace("_", "-"))


def _parse_engine(name: str) -> tuple[str, str]:
    """Return the kind of an engine and the argument behind its colon."""
    kind, _, argument = name.partition(":")
    is_count = argument == "" or (argument.isdecimal() and int(argument) > 0)
    valid = {LOCAL: name == LOCAL, "processes": is_count, "slurm": is_count, "dask": argument != ""}
    if not valid.get(kind, False):
        raise ProbeError(f"no engine is called '{name}'; expected {', '.join(FORMS)}")
    return kind, argument


@contextmanager
def _process_pool(number: int) -> Iterator[Executor]:
    n_started = SPAWNED.Value("i", 0)
    executor = ProcessPoolExecutor(number, SPAWNED, _take_processors, (n_started, number))
    try:
        yield executor
    finally:
        executor.shutdown(cancel_futures=True)


def _take_processors(n_started: Any, number: int) -> None:
    """Limit this process, one of several that start together, to its share of the processors."""
    with n_started.get_lock():
        index = n_started.value
        n_started.value += 1
    take_share_of_processors(index, number)


@contextmanager
def _slurm_cluster(number: int, patience: SlurmPatience) -> Iterator[Any]:
    """Submit SLURM jobs and yield their cluster, to which Dask's client connects."""
    try:
        import dask
        from dask_jobqueue import SLURMCluster
        from distributed import Status
    except ImportError as error:
        raise _missing_package("dask-jobqueue") from error
    key = "distributed.scheduler.no-workers-timeout"
    with dask.config.set({key: dask.config.get(key, None) or patience.time_without_workers}):
        try:
            cluster = SLURMCluster()
        except (ValueError, OSError) as error:
            raise ProbeError(
                f"dask-jobqueue cannot describe a SLURM job ({one_line(error)}); write cores, memory and "
                "walltime under jobqueue.slurm in ~/.config/dask/jobqueue.yaml"
            ) from error
    with cluster:
        cluster.scale(jobs=number)
        try:
            _await_first_worker(cluster, patience)
            yield cluster
        finally:
            for job in cluster.workers.values():  # Dask asks for the state of each, and dask-jobqueue does not set it
                job.status = Status.closed


def _await_first_worker(cluster: Any, patience: SlurmPatience) -> None:
    """Wait for the first worker as long as a job is queued or runs; Dask is not told when a job dies."""
    while True:
        try:
            return cluster.wait_for_workers(1, timeout=patience.seconds_between_checks)
        except TimeoutError:
            reason = _reason_without_workers(cluster)
        if reason:
            raise ProbeError(reason)


def _reason_without_workers(cluster: Any) -> str:
    """Return why no worker will ever come; an empty string while one may come."""
    jobs = list(cluster.workers.values())
    accepted = [job for job in jobs if job.job_id is not None]
    if jobs and not accepted:
        return (
            "sbatch took none of the jobs (the log above has its message); correct jobqueue.slurm in "
            "~/.config/dask/jobqueue.yaml"
        )
    if accepted and not _any_in_queue([job.job_id for job in accepted]):
        return (
            f"all SLURM jobs ended before a worker came ({len(accepted)}); read why in {some(map(_log_file, accepted))}"
        )
    return ""


def _log_file(job: Any) -> str:
    """Return where SLURM writes a job's output: its default, or dask-jobqueue's ``log-directory``."""
    return f"{job.log_directory}/{job.job_name}-{job.job_id}.err" if job.log_directory else f"slurm-{job.job_id}.out"


def _any_in_queue(ids: Collection[str]) -> bool:
    """Return True if SLURM still has one of the jobs, or cannot be asked."""
    try:
        question = ["squeue", "--noheader", "--format", "%i", "--user", getpass.getuser()]
        answer = subprocess.run(question, capture_output=True, text=True, timeout=60, check=True).stdout
    except (KeyError, OSError, subprocess.SubprocessError):
        return True
    return not set(ids).isdisjoint(answer.split())


@contextmanager
def _dask_executor(cluster: Any) -> Iterator[Executor]:
    """Connect to a cluster, or to a scheduler by its address, and yield an executor of its workers."""
    try:
        import dask
        from distributed import Client
    except ImportError as error:
        raise _missing_package("distributed") from error
    try:
        client = Client(cluster, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise ProbeError(
            f"no Dask scheduler answers at {cluster} ({one_line(error)}); start one, or correct the address"
        ) from error
    # A task carries its images' ids and sources, tens of megabytes for large shards, and is sent once.
    with client, dask.config.set({"distributed.admin.large-graph-warning-threshold": "1GB"}):
        yield client.get_executor(pure=False, retries=2)


def _missing_package(package: str) -> ProbeError:
    return ProbeError(f"this engine needs the package {package}; pip install 'bioclip_probe[cluster]'")
