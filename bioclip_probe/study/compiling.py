"""The compiled loops of a study, made ready before they are needed.

Numba compiles a loop when it is first called, and keeps it on disk. On a machine where nothing was computed yet, this
takes a minute of one processor. `make` spends it after installation. Otherwise a first study spends what it can of it
while pictures are embedded, which fills one processor where networks are small. A file beside the kept loops says
which program has compiled those of a step.
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Collection, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import numba
import numpy as np

from bioclip_probe import world
from bioclip_probe.processes import FORKED, may_start_processes
from bioclip_probe.projections.settings import ProjectionSettings
from bioclip_probe.provenance import fingerprint
from bioclip_probe.stats.permuted_loops import clade_form_pass
from bioclip_probe.study.arrays import from_arrays
from bioclip_probe.study.checkpoints import Checkpoints
from bioclip_probe.study.piece import program
from bioclip_probe.study.plan import Plan
from bioclip_probe.study.steps import STEPS, step_functions
from bioclip_probe.tree import taxonomy
from bioclip_probe.world.known_models import memoriser, noise

#: With fewer pictures to embed, another process would hardly have started before they are embedded.
LEAST_PICTURES = 1_000
N_SPECIES, N_IMAGES, N_DIMENSIONS = 24, 3, 16


def compile_loops(steps: Collection[str] = STEPS) -> None:
    """Run the steps of a study on a few made-up vectors, so that their loops are compiled and on disk.

    Parameters
    ----------
    steps : collection of str
        Of ``measure``, ``probe`` and ``project``.

    Examples
    --------
    The first call on a machine takes a minute, another one seconds::

        compile_loops(["measure"])
    """
    species = world.taxa().head(N_SPECIES)
    images = species.loc[species.index.repeat(N_IMAGES)].reset_index(drop=True)
    placement, rng = taxonomy(images), np.random.default_rng(0)
    vectors = {model.__name__: model(placement, rng, N_DIMENSIONS) for model in (memoriser, noise)}
    sample, plan = from_arrays(vectors, images, simulated=True), small_plan(tuple(vectors))
    for name, step in step_functions(sample, plan).items():
        if name in steps:
            step(checkpoints=Checkpoints())  # without progress
            with suppress(OSError):  # nothing is kept where the folder cannot be written to
                _mark(name).write_text(_compiler())


def are_compiled(steps: Collection[str]) -> bool:
    """Return True if the loops of some steps were compiled by this program, and kept.

    Parameters
    ----------
    steps : collection of str

    Examples
    --------
    >>> are_compiled([])
    True
    """
    with suppress(OSError):
        return all(_mark(step).read_text() == _compiler() for step in steps)
    return False


def _mark(step: str) -> Path:
    """Return the file, in a folder where Numba keeps loops, that says which program has compiled those of a step."""
    return Path(clade_form_pass.stats.cache_path or os.devnull, f"compiled-{step}")  # no file where no loop is kept


def _compiler() -> str:
    """Return what identifies this program and its compiler."""
    return fingerprint(program(), numba.__version__)


def compile_all() -> None:
    """Compile the loops of all steps, by two processes.

    Examples
    --------
    After installation, from the command line::

        python -c "from bioclip_probe.study.compiling import compile_all; compile_all()"
    """
    with ProcessPoolExecutor(2, FORKED, logging.disable) as executor:
        list(executor.map(compile_loops, (["measure", "probe"], ["project"])))


def small_plan(models: tuple[str, ...]) -> Plan:
    """Return a plan with all metrics and few draws, and one projection by the method that is compiled.

    Parameters
    ----------
    models : tuple of str

    Examples
    --------
    >>> small_plan(("mine",)).projection.methods
    ('umap',)
    """
    plan = Plan(models=models, projection=ProjectionSettings(methods=("umap",), n_seeds=1))
    measure = replace(plan.measure, n_permutations=19, n_primary_permutations=19, n_bootstrap=19)
    return replace(plan, measure=measure)


@contextmanager
def compiling_meanwhile(n_pictures: int, steps: Collection[str] = STEPS) -> Iterator[None]:
    """Compile the loops of some steps in another process while the block embeds pictures.

    The process is stopped when the block ends. What it has compiled stays, and the rest is compiled when it is needed.
    There is none if the loops are kept from an earlier time.

    Parameters
    ----------
    n_pictures : int
        Of the dataset. For few pictures there is no other process.
    steps : collection of str
        As for `compile_loops`.

    Examples
    --------
    >>> with compiling_meanwhile(n_pictures=3):
    ...     pass
    """
    if n_pictures < LEAST_PICTURES or not may_start_processes() or are_compiled(steps):
        yield
        return
    process = FORKED.Process(target=_compile_quietly, args=(tuple(steps),), daemon=True)
    process.start()
    try:
        yield
    finally:
        process.terminate()
        process.join()


def _compile_quietly(steps: Collection[str]) -> None:
    """Compile the loops in a process that says nothing."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the main process stops it
    logging.disable()
    compile_loops(steps)
