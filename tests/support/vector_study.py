"""A small study of ready vectors, which takes about a second, and a process in which it is killed again and again."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from bioclip_probe import files, study
from bioclip_probe.extraction.settings import ExtractionSettings
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.probes.settings import ProbeSettings
from bioclip_probe.projections.settings import ProjectionSettings
from bioclip_probe.study.plan import Plan

SPECIES = ("Pica pica", "Pica nuttalli", "Corvus corax", "Corvus cornix", "Parus major", "Parus ater")
NEWICK = "(((Pica_pica:1,Pica_nuttalli:1):2,(Corvus_corax:1,Corvus_cornix:1):2):2,(Parus_major:1,Parus_ater:1):4);"
#: Few replicates of few metrics: the study is about its pieces, not about its numbers.
MEASURE = MeasureSettings(
    metrics=("cophenetic_correlation", "cophenetic_correlation_difference", "silhouette", "column_agreement"),
    n_permutations=9,
    n_primary_permutations=9,
    n_null_permutations=3,
    n_bootstrap=9,
)
ENCODERS = ("one", "two")


def write_vectors(folder: Path, each: int = 4) -> Plan:
    """Write the vectors of two encoders and a phylogeny into a folder, and return the plan of the study on them."""
    species = np.repeat(SPECIES, each)
    ids = np.array([f"{name}-{number}" for number, name in enumerate(species)])
    columns = {
        "ids": ids,
        "class": np.full(len(ids), "Aves"),
        "genus": np.array([name.split()[0] for name in species]),
        "species": species,
        "place": np.where(np.arange(len(ids)) % 3, "Oslo", "Rome"),
    }
    for number, encoder in enumerate(ENCODERS):
        rng = np.random.default_rng(number)
        means = {name: rng.normal(size=8) for name in (*SPECIES, *columns["genus"])}
        vectors = np.stack([means[name.split()[0]] + means[name] + rng.normal(0, 0.7, 8) for name in species])
        np.savez(folder / f"{encoder}.npz", vectors=vectors.astype(np.float32), **columns)
    (folder / "birds.nwk").write_text(NEWICK)
    return plan_of(folder)


def plan_of(folder: Path) -> Plan:
    """Return the plan of the study on the vectors that a folder holds."""
    return Plan(
        data=f"vectors:{folder / 'one.npz'}",
        models=tuple(f"vectors:{folder / encoder}.npz" for encoder in ENCODERS),
        tree=folder / "birds.nwk",
        tree_unit="Myr",
        confounds=("place",),
        extraction=ExtractionSettings(progress=False, shard_size=8),
        measure=MEASURE,
        probe=ProbeSettings(probes=("lda", "simpleshot"), protocols=("seen", "shuffled")),
        projection=ProjectionSettings(methods=("pca",)),
    )


@contextmanager
def stopped_at(write: int, stop: Callable[[], object]) -> Iterator[None]:
    """Call `stop` in place of the `write`-th time, from 0, that a file or a folder is synced to the disk."""
    fsync, left = os.fsync, [write]

    def counted(handle: int) -> None:
        left[0] -= 1
        if left[0] < 0:
            stop()
        fsync(handle)

    files.os.fsync = counted
    try:
        yield
    finally:
        files.os.fsync = fsync


def kill_again_and_again(folder: Path, most: int, seed: int) -> list[str]:
    """Run the study in processes that are killed, until one is not; return how each ended.

    Half of them kill themselves at a sync to the disk, the others are killed after a random time.
    """
    ends, rng, usual = [], random.Random(seed), 1.0
    for number in range(most + 1):
        last = number == most
        begun = time.perf_counter()
        child = os.fork()
        if not child:
            _run_and_exit(folder, write=rng.randrange(40) if number % 2 and not last else None)
        if not number % 2 and not last:
            time.sleep(rng.uniform(0, usual))
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            ends.append(f"killed by {os.WTERMSIG(status)}")
            continue
        ends.append(f"ended with {os.WEXITSTATUS(status)}")
        usual = time.perf_counter() - begun
        if not os.WEXITSTATUS(status) or last:
            return ends
    return ends


def _run_and_exit(folder: Path, write: int | None) -> None:
    """Run the study in a forked process and end it."""
    status = 1
    try:
        with stopped_at(sys.maxsize if write is None else write, lambda: os.kill(os.getpid(), signal.SIGKILL)):
            study.reproduce(plan_of(folder), folder / "store", folder / "out")
        status = 0
    finally:
        os._exit(status)


if __name__ == "__main__":
    print(*kill_again_and_again(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])), sep="\n")
