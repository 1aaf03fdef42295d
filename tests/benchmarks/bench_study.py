"""Time and memory of a whole study of ready vectors, step by step, as a user runs it.

    python -m tests.benchmarks.bench_study [--species 1000] [--images 10] [--dimension 512] [--models 1]
        [--taxa FILE] [--device cpu] [--steps measure probe project | reproduce] [--probes lda ridge]

Each step is a command of its own on simulated vectors; `reproduce` is all of them, with figures and report. A line has
its wall-clock seconds, CPU seconds of all processes, and the peak of resident memory of the largest one. Below stand
the pieces of the study that took longest, as its results folder records them. The line before the table says how fast
the machine is at that moment.
`--taxa` names a table with the seven ranks, e.g. of iNat21's 10,000 species; by default species are made up with as
many genera, families … for each species as iNat21 has.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from timeit import repeat

import numpy as np
import pandas as pd

from bioclip_probe.study.checkpoints import FOLDER, seconds_of
from bioclip_probe.tables import RANKS
from bioclip_probe.tree import brownian, taxonomy

#: Species for each taxon of a rank, kingdom to genus, in iNat21.
SPECIES_PER_TAXON = (3333, 770, 200, 37, 9, 2.05)
STEPS = ("measure", "probe", "project")
SIGNAL, SCATTER = 0.7, 1.0
LONGEST = 12
MIB = 2**20
#: Linux makes this process the parent of what a command leaves behind, so that its seconds are counted.
PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True)
class Usage:
    """Seconds by the clock, CPU seconds of all processes, and peak of resident memory in MiB of the largest one."""

    seconds: float
    cpu_seconds: float
    peak: float


def lineages(options: argparse.Namespace, rng: np.random.Generator) -> pd.DataFrame:
    """Return the lineage of each species, from a table or made up."""
    if options.taxa:
        rows = pd.read_csv(options.taxa)[list(RANKS)]
        return rows.iloc[np.sort(rng.permutation(len(rows))[: options.species])].reset_index(drop=True)
    columns, parent = {}, np.zeros(1, dtype=np.int64)
    for rank, each in zip(RANKS, (*SPECIES_PER_TAXON, 1), strict=True):
        number = max(len(parent), round(options.species / each))
        above = np.sort(np.concatenate([np.arange(len(parent)), rng.integers(0, len(parent), number - len(parent))]))
        columns = {name: values[above] for name, values in columns.items()}
        columns[rank] = np.array([f"{rank.capitalize()}{letters(i)}" for i in range(number)])
        parent = np.arange(number)
    columns["species"] = np.char.add(np.char.add(columns["genus"], " "), np.char.lower(columns["species"]))
    return pd.DataFrame(columns)


def letters(number: int) -> str:
    """Return a number in letters: a name with digits would be taken for an interim name, which names no taxon."""
    return f"{number:05}".translate(str.maketrans("0123456789", "abcdefghij"))


def write_models(folder: Path, options: argparse.Namespace) -> list[str]:
    """Write the vectors of models that evolved along the taxonomy; return them as the command line takes them."""
    rng = np.random.default_rng(0)
    rows = lineages(options, rng)
    placement = taxonomy(rows)
    images = np.repeat(np.arange(len(rows)), options.images)
    columns = {rank: rows[rank].to_numpy(dtype=np.str_)[images] for rank in RANKS}
    ids = np.array([f"image{number:07}" for number in range(len(images))])
    names = []
    for model in range(options.models):
        species = brownian(placement.tree, options.dimension, rng, SIGNAL)[placement.node].astype(np.float32)
        scatter = SCATTER * float(placement.tree.depth.max()) ** 0.5
        vectors = species[images] + scatter * rng.standard_normal((len(images), options.dimension), dtype=np.float32)
        path = folder / f"model{model + 1}.npz"
        np.savez(path, ids=ids, vectors=vectors, **columns)
        names.append(f"vectors:{path}")
    return names


def speed() -> str:
    """Return how fast this machine is now: virtual machines differ by half within hours."""
    matrix = np.ones((2000, 2000), dtype=np.float32)
    work = (lambda: matrix @ matrix, lambda: sum(range(10**7)))
    product, additions = (median(repeat(each, number=1, repeat=5)) for each in work)
    return f"product of two 2,000 × 2,000 matrices {product:.3f} s, ten million additions in Python {additions:.2f} s"


def run(arguments: list[str]) -> Usage:
    """Run one command of the package and return what it used; its error ends the benchmark."""
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "bioclip_probe", *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status:
        raise SystemExit(f"bioclip-probe {' '.join(arguments)} ended with status {os.waitstatus_to_exitcode(status)}")
    usages = [usage, *orphans()]
    cpu_seconds = sum(usage.ru_utime + usage.ru_stime for usage in usages)
    return Usage(seconds, cpu_seconds, max(usage.ru_maxrss for usage in usages) * 1024 / MIB)


def orphans() -> Iterator[resource.struct_rusage]:
    """Yield what the processes have used that the command started and did not wait for, and wait for them."""
    while True:
        try:
            yield os.wait4(-1, 0)[2]
        except ChildProcessError:
            return


def pieces(out: Path) -> Iterator[tuple[float, str, str]]:
    """Yield seconds, step and subject of each piece that a results folder holds."""
    import pyarrow.parquet as pq

    for path in (out / FOLDER).rglob("*.parquet"):
        attributes = json.loads(pq.read_schema(path).metadata[b"PANDAS_ATTRS"])
        yield seconds_of(path), path.parent.name, json.loads(attributes["bioclip_probe"])["subject"]


def main() -> None:
    """Print one line for each step, then the pieces that took longest."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--species", type=int, default=1000)
    parser.add_argument("--images", type=int, default=10, help="images of each species")
    parser.add_argument("--dimension", type=int, default=512)
    parser.add_argument("--models", type=int, default=1)
    parser.add_argument("--taxa", type=Path)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--steps", nargs="+", default=STEPS, choices=(*STEPS, "reproduce"))
    parser.add_argument("--probes", nargs="+", default=["lda", "ridge"])
    options = parser.parse_args()
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    print(
        f"{options.species:,} species × {options.images} images × {options.dimension}, {options.models} models, ",
        end="",
    )
    print(f"{os.cpu_count()} cores, device {options.device}\nspeed: {speed()}")
    print(f"{'step':<10}{'s':>9}{'cpu s':>9}{'peak MiB':>10}")
    with TemporaryDirectory() as name:
        folder = Path(name)
        models = write_models(folder, options)
        common = ["--data", models[0], "--models", *models, "--store", f"{folder}/store", "--out", f"{folder}/out"]
        for step in options.steps:
            own = ["--probes", *options.probes] if step in ("probe", "reproduce") else []
            usage = run([step, *common, *own, "--device", options.device, "--quiet"])
            print(f"{step:<10}{usage.seconds:>9.1f}{usage.cpu_seconds:>9.1f}{usage.peak:>10,.0f}", flush=True)
        print(f"\n{'s':>8}  piece")
        for seconds, step, subject in sorted(pieces(folder / "out"), reverse=True)[:LONGEST]:
            print(f"{seconds:>8.1f}  {step}: {subject}")


if __name__ == "__main__":
    main()
