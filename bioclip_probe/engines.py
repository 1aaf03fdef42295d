"""Engines: where work is done. By name, or any `concurrent.futures.Executor` of your own.

===================  ==================================================================================
``local``            this process: threads open pictures, one network runs on the device
``processes[:N]``    N processes on this machine, which share its processors
``dask:ADDRESS``     the workers of a Dask cluster, by the address of its scheduler
``slurm[:JOBS]``     Dask workers in SLURM jobs, as dask-jobqueue's configuration describes them
===================  ==================================================================================

Scheduling, retries and lost workers are the engine's: Dask gives the work of a lost worker to another one. Work is a
shard of images, or a run of rows; what comes back is landed or added up here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager

from bioclip_probe.errors import ProbeError

FORMS = ("local", "processes[:N]", "dask:ADDRESS", "slurm[:JOBS]")
LOCAL = FORMS[0]


def check(name: str) -> None:
    """Raise `ProbeError` if `name` is no engine."""
    _parsed(name)


@contextmanager
def engine(name: str = LOCAL) -> Iterator[Executor | None]:
    """The executor that `name` stands for, closed at the end; None for ``local``.

    Raises
    ------
    ProbeError
        If there is no such engine, what it needs is not installed, or its scheduler does not answer.
    """
    kind, where = _parsed(name)
    if kind == LOCAL:
        yield None
    elif kind == "processes":
        with _processes(int(where or processors())) as executor:
            yield executor
    else:
        with _cluster(kind, where) as cluster, _dask(cluster) as executor:
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
def _cluster(kind: str, where: str) -> Iterator[object]:
    """What Dask's client connects to: an address, or a cluster of SLURM jobs."""
    if kind == "dask":
        yield where
        return
    try:
        from dask_jobqueue import SLURMCluster
    except ImportError as error:
        raise _missing("dask-jobqueue") from error
    try:
        cluster = SLURMCluster()
    except (ValueError, OSError) as error:
        raise ProbeError(
            f"dask-jobqueue cannot describe a SLURM job ({' '.join(str(error).split())}); write cores, memory and "
            "walltime under jobqueue.slurm in ~/.config/dask/jobqueue.yaml"
        ) from error
    with cluster:
        cluster.scale(jobs=int(where or 1))
        yield cluster


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
        reason = " ".join(str(error).split())
        raise ProbeError(f"no Dask scheduler answers at {where} ({reason}); start one, or mend the address") from error
    # A task carries its images' ids and sources, tens of megabytes for large shards, and is sent once.
    with client, dask.config.set({"distributed.admin.large-graph-warning-threshold": "1GB"}):
        yield client.get_executor(pure=False, retries=2)


def _missing(package: str) -> ProbeError:
    return ProbeError(f"this engine needs the package {package}; pip install 'bioclip_probe[cluster]'")
