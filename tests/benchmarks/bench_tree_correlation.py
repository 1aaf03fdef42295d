"""Image-level tree correlation over all pairs, beside brute force on whole matrices and scikit-bio's Mantel statistic.

    python -m tests.benchmarks.bench_tree_correlation [--images 2000 10000 100000] [--dimension 512]
        [--whole 10000] [--permutations 999] [--streamed 1000000] [--species 10000]

Vectors and taxonomy are synthetic, with ten images per species. Each case runs three times in a process of its own, and
the fastest run counts. `seconds` is wall time, `cpu s` is CPU time over all threads. Peak memory is the largest
increase over the memory of the vectors. `growth` is the exponent of n that fits the CPU time; it must be near 1. Then
these cases run once each: the permutations at the largest size; the whole metrics; and the correlation with its
interval of a store on disk that is read once, in a new process that must stay below 2 GiB in all.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bioclip_probe.datasets import Dataset
from bioclip_probe.metrics.balanced import balanced_image_tree_correlation, balanced_tree_correlation
from bioclip_probe.metrics.hierarchy import cophenetic_correlation
from bioclip_probe.metrics.image_pairs import image_tree_correlation
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.stats.all_pairs.jackknife_sums import JackknifeSums
from bioclip_probe.stats.all_pairs.tree_sums import TreeSums, permuted_correlations
from bioclip_probe.stats.centroids import image_moments
from bioclip_probe.store.shard_files import LEDGER
from bioclip_probe.store.store import Store
from bioclip_probe.study.streaming import stream_moments
from bioclip_probe.tables import IMAGES, RANKS
from bioclip_probe.tree import Placement, brownian, patristic_distances
from tests.benchmarks.bench_tree_distance import synthetic_taxonomy

IMAGES_PER_SPECIES = 10
#: The largest number of images for a peer, which stores matrices of n × n.
MOST_IMAGES = 2_000
BLOCK = 8_192
#: The range of the growth of CPU time with n that is accepted; the tree alone grows with n too.
GROWTH = (0.8, 1.2)
#: The largest memory of a process that streams, in MiB.
MOST_STREAMED = 2_048


@dataclass(frozen=True)
class Timing:
    """The result of one case."""

    seconds: float
    cpu_seconds: float
    mebibytes: float
    value: float


def synthetic_images(n: int, d: int, rng: np.random.Generator) -> tuple[np.ndarray, Placement]:
    """Return unit vectors, float32, of species that evolved along a taxonomy; images scatter around their species."""
    tree = synthetic_taxonomy(n // IMAGES_PER_SPECIES, rng)
    node = rng.choice(tree.tips, n)
    species = brownian(tree, d, rng).astype(np.float32)
    vectors = np.empty((n, d), dtype=np.float32)
    for start in range(0, n, BLOCK):  # in blocks, so that their computation does not raise the peak memory
        rows = species[node[start : start + BLOCK]]
        rows += 2 * rng.standard_normal(rows.shape, dtype=np.float32)
        vectors[start : start + BLOCK] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return vectors, Placement(tree, node)


def by_moments(vectors: np.ndarray, placement: Placement) -> float:
    """Return the correlation by the moments of the linear pass."""
    return TreeSums(*image_moments(vectors, placement)).correlation()


def both_matrices(vectors: np.ndarray, placement: Placement) -> tuple[np.ndarray, np.ndarray]:
    """Return tree distance and cosine distance of all pairs of images, shape (n, n) each."""
    tree = placement.tree
    tips = np.searchsorted(tree.tips, placement.node)
    vectors = vectors.astype(np.float64)
    return patristic_distances(tree)[np.ix_(tips, tips)], 1 - vectors @ vectors.T


def brute_force(vectors: np.ndarray, placement: Placement) -> float:
    """Return the correlation by NumPy on the two whole matrices."""
    upper = np.triu_indices(len(vectors), 1)
    return float(np.corrcoef(*(matrix[upper] for matrix in both_matrices(vectors, placement)))[0, 1])


def scikit_bio(vectors: np.ndarray, placement: Placement) -> float:
    """Return the correlation by scikit-bio's Mantel statistic on the two whole matrices."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from skbio.stats.distance import DistanceMatrix, mantel
    t, c = both_matrices(vectors, placement)
    np.fill_diagonal(c, 0)
    return float(mantel(DistanceMatrix(t), DistanceMatrix((c + c.T) / 2), permutations=0)[0])


def permutations(vectors: np.ndarray, placement: Placement, number: int) -> float:
    """Return the mean of the permuted correlations."""
    sums = TreeSums(*image_moments(vectors, placement))
    return float(permuted_correlations(sums, number, np.random.default_rng(0)).mean())


#: The whole metrics: value, chance level, p-value and interval.
WHOLE = {
    "all images": image_tree_correlation,
    "all images, balanced": balanced_image_tree_correlation,
    "species": cophenetic_correlation,
    "species, balanced": balanced_tree_correlation,
}


def whole(name: str) -> Callable[[np.ndarray, Placement], float]:
    """Return the call that computes a whole metric."""
    metric = WHOLE[name]

    def value(vectors: np.ndarray, placement: Placement) -> float:
        settings = MeasureSettings()
        settings = replace(settings, n_primary_permutations=settings.n_permutations)
        return metric(SharedResults(vectors, placement, settings, ranks=RANKS[-1:]), placement)[-1].value

    return value


CASES = {
    "bioclip_probe": by_moments,
    "bioclip_probe, p and interval": whole("all images"),
    "brute force": brute_force,
    "scikit-bio mantel": scikit_bio,
    **{name: whole(name) for name in WHOLE},
}


def run(case: str, n: int, d: int, times: int) -> Timing:
    """Return the timing of one case in this process, which should be a new one."""
    images = synthetic_images(n, d, np.random.default_rng(0))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    clock, cpu = [], []
    for _ in range(times):
        start, cpu_start = time.perf_counter(), time.process_time()
        value = CASES[case](*images)
        clock.append(time.perf_counter() - start)
        cpu.append(time.process_time() - cpu_start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Timing(min(clock), min(cpu), (peak - before) / 1024, value)


def in_a_fresh_process(function: Callable, *arguments: object) -> Any:
    """Return the result of a function in a new process, so that memory of earlier cases does not count."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=spawn) as executor:
        return executor.submit(function, *arguments).result()


def show(n: int, case: str, timing: Timing, ours: Timing) -> None:
    """Print one row of the table."""
    print(
        f"{n:>9,} {n * (n - 1) / 2:>8.1e}  {case:<36} {timing.seconds:>8.3f} {timing.cpu_seconds:>8.3f} "
        f"{timing.mebibytes:>9.0f} {timing.seconds / ours.seconds:>8.1f} {timing.value:>8.4f}",
        flush=True,
    )


def compare(n: int, d: int, whole: bool) -> Timing:
    """Print every case that n images allow, and return ours; all cases must give the same value."""
    ours = in_a_fresh_process(run, "bioclip_probe", n, d, 3)
    timings = {"bioclip_probe": ours}
    if whole:
        timings["bioclip_probe, p and interval"] = in_a_fresh_process(run, "bioclip_probe, p and interval", n, d, 1)
    if n <= MOST_IMAGES:
        timings |= {case: in_a_fresh_process(run, case, n, d, 3) for case in ("brute force", "scikit-bio mantel")}
    for case, timing in timings.items():
        if abs(timing.value - ours.value) > 1e-8:  # float32 vectors have a norm of 1 up to 1e-8 only
            raise SystemExit(f"{case} gives another value: {timing.value}, not {ours.value}")
        show(n, case, timing, ours)
    return ours


def permute(n: int, d: int, number: int) -> Timing:
    """Return the timing of the permutations."""
    images = synthetic_images(n, d, np.random.default_rng(0))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start, cpu_start = time.perf_counter(), time.process_time()
    value = permutations(*images, number)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Timing(time.perf_counter() - start, time.process_time() - cpu_start, (peak - before) / 1024, value)


class SyntheticEncoder:
    """The attributes of an encoder that the store needs."""

    name, fingerprint = "synthetic", "0" * 12

    def __init__(self, dimension: int) -> None:
        self.dimension, self.record = dimension, {}


def write_store(folder: str, n: int, d: int, n_species: int) -> None:
    """Write a store of n synthetic images in float32, shard by shard."""
    rng = np.random.default_rng(0)
    tree = synthetic_taxonomy(n_species, rng)
    node, species = rng.choice(tree.tips, n), brownian(tree, d, rng).astype(np.float32)
    np.save(Path(folder) / "node.npy", node)
    ids = [f"image{i}" for i in range(n)]
    images = IMAGES.frame(pd.DataFrame({"image_id": ids, "source": ids}))
    with Store(Path(folder) / "store").open_for_writing(
        Dataset("synthetic", images, print, "0" * 12), SyntheticEncoder(d), BLOCK
    ) as embedded:
        for shard in embedded.missing_shards():
            span = embedded.image_slice(shard)
            rows = species[node[span]]
            rows += 2 * rng.standard_normal(rows.shape, dtype=np.float32)
            ledger = pd.DataFrame({"image_id": ids[span], "row": range(len(rows)), "status": "ok"})
            embedded.write_shard(shard, LEDGER.frame(ledger), rows)


def read_store(folder: str, n_species: int) -> Timing:
    """Return the timing of the correlation and of its values without each group of species; memory is the total."""
    rng = np.random.default_rng(0)
    placement = Placement(synthetic_taxonomy(n_species, np.random.default_rng(0)), np.load(Path(folder) / "node.npy"))
    start, cpu_start = time.perf_counter(), time.process_time()
    tree, moments, _ = stream_moments(Store(Path(folder) / "store"), "synthetic", "synthetic", placement, rng)
    sums = JackknifeSums.of(tree, moments)
    value, _ = sums.correlation(), sums.without_each_group()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Timing(time.perf_counter() - start, time.process_time() - cpu_start, peak / 1024, value)


def stream(n: int, d: int, n_species: int) -> Timing:
    """Return the timing of a store that is written and then read once, each in a new process."""
    with tempfile.TemporaryDirectory() as folder:
        free = shutil.disk_usage(folder).free
        if free < 6 * n * d:
            raise SystemExit(f"{folder} has {free / 2**30:.1f} GiB free, too little for a store of {n:,} images")
        in_a_fresh_process(write_store, folder, n, d, n_species)
        return in_a_fresh_process(read_store, folder, n_species)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description="Image-level tree correlation beside brute force and scikit-bio")
    parser.add_argument("--images", type=int, nargs="+", default=[2_000, 10_000, 100_000])
    parser.add_argument("--dimension", type=int, default=512)
    parser.add_argument(
        "--whole",
        type=int,
        default=10_000,
        metavar="N",
        help="up to N images, run the metric with its p-value and interval",
    )
    parser.add_argument("--permutations", type=int, default=999, help="at the largest size; 0 for none")
    parser.add_argument("--streamed", type=int, default=1_000_000, metavar="N", help="images on disk; 0 for none")
    parser.add_argument("--species", type=int, default=10_000, help="number of species of the images on disk")
    arguments = parser.parse_args()
    d = arguments.dimension
    print(
        f"{'images':>9} {'pairs':>8}  {'':<32} {'seconds':>8} {'cpu s':>8} {'peak MiB':>9} {'× ours':>8} {'value':>8}"
    )
    ours = [compare(n, d, n <= arguments.whole) for n in arguments.images]
    largest = arguments.images[-1]
    if arguments.permutations:
        timing = in_a_fresh_process(permute, largest, d, arguments.permutations)
        show(largest, f"and {arguments.permutations} permutations", timing, ours[-1])
    for case in WHOLE if largest <= arguments.whole else ():
        show(largest, f"{case}, p and interval", in_a_fresh_process(run, case, largest, d, 1), ours[-1])
    if arguments.streamed:
        timing = stream(arguments.streamed, d, arguments.species)
        show(arguments.streamed, "streamed, and 40 groups left out", timing, ours[-1])
        if timing.mebibytes > MOST_STREAMED:
            raise SystemExit(f"streaming used {timing.mebibytes:.0f} MiB, more than {MOST_STREAMED}")
    if len(ours) > 1:
        growth = np.polyfit(np.log(arguments.images), np.log([timing.cpu_seconds for timing in ours]), 1)[0]
        print(f"growth: n to the power of {growth:.2f}, of {arguments.images[0]:,} to {largest:,} images")
        if not GROWTH[0] <= growth <= GROWTH[1]:
            raise SystemExit(f"time should grow with n to the power of 1, not {growth:.2f}")


if __name__ == "__main__":
    main()
