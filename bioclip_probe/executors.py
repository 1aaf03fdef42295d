"""Engines: where work is done. By name, or any `concurrent.futures.Executor` of your own.

===================  ==================================================================================
``local``            this process: threads open pictures, one network runs on the device
``processes[:N]``    N processes on this machine, which share its processors
``dask:ADDRESS``     the workers of a Dask cluster, by the address of its scheduler
``slurm[:JOBS]``     Dask workers in SLURM jobs, as dask-jobqueue's configuration describes them
===================  ==================================================================================

Scheduling, retries and lost workers are the engine's: Dask gives the work of a lost worker to another one. Work is a
shard of images, or a run of rows; what comes back is landed or added up here.

SLURM jobs may wait in the queue as long as it takes. Once they have left it, all of them, and no worker has come or
none is left, nobody would ever do the work: then it fails.
"""

from __future__ import annotations

import getpass
import os
import subprocess
from collections.abc import Collection, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager, nullcontext

from bioclip_probe.errors import ModelError, ProbeError, one_line, some

FORMS = ("local", "processes[:N]", "dask:ADDRESS", "slurm[:JOBS]")
LOCAL = FORMS[0]
#: Seconds between looks into the queue of SLURM until a worker has come; how long work waits when all have gone.
_BETWEEN_LOOKS, _WITHOUT_WORKERS = 15, "5 minutes"


def check(name: str) -> None:
    """Raise `ProbeError` if `name` is no engine."""
    _parsed(name)


@contextmanager
def open_executor(name: str | Executor = LOCAL) -> Iterator[Executor | None]:
    """The executor that `name` stands for, closed at the end; None for ``local``.

    Parameters
    ----------
    name : str or Executor
        An executor stands for itself, and stays open: what needs one twice opens it once around both.

    Raises
    ------
    ProbeError
        If there is no such engine, what it needs is not installed, its scheduler does not answer, or its jobs end
        before a worker has come.
    """
    if isinstance(name, Executor):
        yield name
        return
    kind, where = _parsed(name)
    if kind == LOCAL:
        yield None
    elif kind == "processes":
        with _processes(int(where or processors())) as executor:
            yield executor
    else:
        connected = _jobs(int(where or 1)) if kind == "slurm" else nullcontext(where)
        with connected as cluster, _dask(cluster) as executor:
            yield executor


def _parsed(name: str) -> tuple[str, str]:
    kind, _, where = name.partition(":")
    counted = where == "" or (where.isdecimal() and int(where) > 0)
    right = {LOCAL: name == LOCAL, "processes": counted, "slurm": counted, "dask": where != ""}
    if not right.get(kind, False):
        raise ProbeError(f"no engine is called '{name}'; expected {', '.join(FORMS)}")
    return kind, where


def processors() -> int:
    """Processors this process may use, which on a cluster are fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def resolve_device(device: str) -> str:
    """Return the torch device that a name means on this machine.

    Parameters
    ----------
    device : str
        ``cpu``, ``cuda``, ``cuda:N`` for one of several GPUs, or ``auto`` for a GPU where there is one.

    Returns
    -------
    str
        A name that torch takes, never ``auto``.

    Raises
    ------
    ModelError
        If the name is unknown, or it names a GPU and torch finds none.

    Examples
    --------
    >>> resolve_device("cpu")
    'cpu'
    """
    if device == "cpu":
        return device
    if device != "auto" and device.partition(":")[0] != "cuda":
        raise ModelError(f"unknown device '{device}'; expected cpu, cuda, cuda:N or auto")
    import torch  # here, because the module must load quickly

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if not torch.cuda.is_available():
        raise ModelError(f"device '{device}' was asked for, but torch finds no GPU here; use --device cpu or auto")
    return device


@contextmanager
def _processes(number: int) -> Iterator[Executor]:
    from multiprocessing import get_context

    spawn = get_context("spawn")  # a fork would copy threads of torch that no longer run
    begun = spawn.Value("i", 0)
    executor = ProcessPoolExecutor(number, mp_context=spawn, initializer=_settle, initargs=(begun, number))
    try:
        yield executor
    finally:
        executor.shutdown(cancel_futures=True)


def _settle(begun, number: int) -> None:
    """Keep to this process's own share of the processors: every library then starts as many threads as it may use."""
    with begun.get_lock():
        place = begun.value
        begun.value += 1
    if hasattr(os, "sched_setaffinity"):
        allowed = sorted(os.sched_getaffinity(0))
        share = max(1, len(allowed) // number)
        first = place * share % len(allowed)
        os.sched_setaffinity(0, allowed[first : first + share])


@contextmanager
def _jobs(number: int) -> Iterator[object]:
    """A cluster of SLURM jobs, for Dask's client to connect to."""
    try:
        import dask
        from dask_jobqueue import SLURMCluster
        from distributed import Status
    except ImportError as error:
        raise _missing("dask-jobqueue") from error
    key = "distributed.scheduler.no-workers-timeout"
    with dask.config.set({key: dask.config.get(key, None) or _WITHOUT_WORKERS}):
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
            _await_worker(cluster)
            yield cluster
        finally:
            for job in cluster.workers.values():  # Dask asks whether they are, and dask-jobqueue does not say it
                job.status = Status.closed


def _await_worker(cluster) -> None:
    """Wait for the first worker, as long as a job is queued or runs: a dead one says nothing to Dask."""
    while True:
        try:
            return cluster.wait_for_workers(1, timeout=_BETWEEN_LOOKS)
        except TimeoutError:
            reason = _dead(cluster)
        if reason:
            raise ProbeError(reason)


def _dead(cluster) -> str:
    """Why no worker will ever come; empty as long as one may."""
    jobs = list(cluster.workers.values())
    given = [job for job in jobs if job.job_id is not None]
    if jobs and not given:
        return (
            "sbatch took none of the jobs (the log above has what it said); mend jobqueue.slurm in "
            "~/.config/dask/jobqueue.yaml"
        )
    if given and not _queued([job.job_id for job in given]):
        return f"all SLURM jobs ended before a worker came ({len(given)}); read why in {some(map(_log, given))}"
    return ""


def _log(job) -> str:
    """Where SLURM writes what a job says: by its default, or dask-jobqueue's ``log-directory``."""
    return f"{job.log_directory}/{job.job_name}-{job.job_id}.err" if job.log_directory else f"slurm-{job.job_id}.out"


def _queued(ids: Collection[str]) -> bool:
    """Whether SLURM still has one of the jobs; taken for granted where it does not say."""
    try:
        asked = ["squeue", "--noheader", "--format", "%i", "--user", getpass.getuser()]
        said = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=True).stdout
    except (KeyError, OSError, subprocess.SubprocessError):
        return True
    return not set(ids).isdisjoint(said.split())


@contextmanager
def _dask(where: object) -> Iterator[Executor]:
    try:
        import dask
        from distributed import Client
    except ImportError as error:
        raise _missing("distributed") from error
    try:
        client = Client(where, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise ProbeError(
            f"no Dask scheduler answers at {where} ({one_line(error)}); start one, or mend the address"
        ) from error
    # A task carries its images' ids and sources, tens of megabytes for large shards, and is sent once.
    with client, dask.config.set({"distributed.admin.large-graph-warning-threshold": "1GB"}):
        yield client.get_executor(pure=False, retries=2)


def _missing(package: str) -> ProbeError:
    return ProbeError(f"this engine needs the package {package}; pip install 'bioclip_probe[cluster]'")
