"""Processes of this package on this machine, and the server from which some of them are forked.

A new interpreter spends two seconds of a processor and hundreds of megabytes on imports. So on Linux, the processes
that compute pieces of a study and draw figures are forked from a server, which has imported what they need: they start
in milliseconds and share the memory of the modules. The server runs in one thread; a fork of this process would copy
threads that no longer run. The server and its processes do not hear Ctrl-C: this process stops them. They see the
environment variables of the time when the server was started. The processes of an engine are always new interpreters,
because networks are loaded as environment variables say.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from multiprocessing import current_process
from multiprocessing.context import SpawnContext, SpawnProcess
from multiprocessing.process import BaseProcess
from types import ModuleType
from typing import Any

from bioclip_probe.processors import available_processors


def may_start_processes() -> bool:
    """Return False in a worker of `multiprocessing.Pool` and in other daemonic processes, which cannot have children.

    Returns
    -------
    bool

    Examples
    --------
    >>> may_start_processes()
    True
    """
    return not current_process().daemon


class _ApartProcess(BaseProcess):
    """A process that does not import the module that was started: a script without a guard would run again."""

    def start(self) -> None:
        main = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            super().start()
        finally:
            sys.modules["__main__"] = main


class _SpawnedProcess(_ApartProcess, SpawnProcess):
    pass


class _SpawnContext(SpawnContext):
    Process = _SpawnedProcess


#: Starts processes that are new interpreters.
SPAWNED = _SpawnContext()
#: Starts processes that are forked from the server; new interpreters where libraries cannot be forked.
FORKED: Any = SPAWNED

if sys.platform == "linux":
    from multiprocessing import forkserver, resource_tracker
    from multiprocessing.context import ForkServerContext, ForkServerProcess

    class _ForkedProcess(_ApartProcess, ForkServerProcess):
        pass

    class _ForkContext(ForkServerContext):
        Process = _ForkedProcess

    FORKED = _ForkContext()


def start_server(modules: Sequence[str]) -> None:
    """Start the server of `FORKED`, if it does not run, and return while it imports modules.

    It is not started where processes are not forked, this process may not start any, or there is one processor only.

    Parameters
    ----------
    modules : sequence of str
        What the processes will import. A module that is missing here is imported by each process that needs it.

    Examples
    --------
    >>> start_server(["json"])
    >>> FORKED.Process(target=print).daemon
    False
    """
    if sys.platform == "linux" and may_start_processes() and available_processors() > 1:
        FORKED.set_forkserver_preload(list(modules))
        resource_tracker.ensure_running()  # here, because it changes the mask of signals too
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            forkserver.ensure_running()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
