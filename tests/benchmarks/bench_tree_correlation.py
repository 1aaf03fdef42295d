"""Image-level tree correlation over all pairs, beside brute force on whole matrices and scikit-bio's Mantel statistic.

    python -m tests.benchmarks.bench_tree_correlation [--images 2000 10000 100000] [--dimension 512] [--whole 10000]

Vectors and taxonomy are made up, ten images a species. Each case runs in a process of its own, three times, of which
the fastest counts: `seconds` are those of the clock, `cpu s` the processor's, over all threads. Peak memory is what the
process held at most beyond the vectors it was given. `growth` is the exponent of n that fits the processor's seconds.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np

from bioclip_probe.metrics.hierarchy import image_tree_correlation
from bioclip_probe.stats.centroids import image_moments
from bioclip_probe.stats.moments import TreeSums
from bioclip_probe.tree import Placement, brownian, patristic_distances
from tests.benchmarks.bench_tree_distance import made_up_taxonomy

IMAGES_PER_SPECIES = 10
#: The most images a peer is given: it holds matrices of n × n.
MOST_IMAGES = 2_000
BLOCK = 8_192


@dataclass(frozen=True)
class Timing:
    seconds: float
    cpu_seconds: float
    mebibytes: float
    value: float


def made_up_images(n: int, d: int, rng: np.random.Generator) -> tuple[np.ndarray, Placement]:
    """Unit vectors, float32, of species that evolved along a taxonomy, each image scattered about its species."""
    tree = made_up_taxonomy(n // IMAGES_PER_SPECIES, rng)
    node = rng.choice(tree.tips, n)
    species = brownian(tree, d, rng).astype(np.float32)
    vectors = np.empty((n, d), dtype=np.float32)
    for start in range(0, n, BLOCK):  # in blocks, so that making them leaves no peak of memory
        rows = species[node[start : start + BLOCK]]
        rows += 2 * rng.standard_normal(rows.shape, dtype=np.float32)
        vectors[start : start + BLOCK] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return vectors, Placement(tree, node)


def by_moments(vectors: np.ndarray, placement: Placement) -> float:
    return TreeSums(*image_moments(vectors, placement)).correlation()


def whole_estimate(vectors: np.ndarray, placement: Placement) -> float:
    return image_tree_correlation(vectors, placement, np.random.default_rng(0)).value


def both_matrices(vectors: np.ndarray, placement: Placement) -> tuple[np.ndarray, np.ndarray]:
    """Tree distance and cosine distance of all pairs of images, shape (n, n) each."""
    tree = placement.tree
    place = np.searchsorted(tree.tips, placement.node)
    vectors = vectors.astype(np.float64)
    return patristic_distances(tree)[np.ix_(place, place)], 1 - vectors @ vectors.T


def brute_force(vectors: np.ndarray, placement: Placement) -> float:
    upper = np.triu_indices(len(vectors), 1)
    return float(np.corrcoef(*(matrix[upper] for matrix in both_matrices(vectors, placement)))[0, 1])


def scikit_bio(vectors: np.ndarray, placement: Placement) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from skbio.stats.distance import DistanceMatrix, mantel
    t, c = both_matrices(vectors, placement)
    np.fill_diagonal(c, 0)
    return float(mantel(DistanceMatrix(t), DistanceMatrix((c + c.T) / 2), permutations=0)[0])


CASES = {
    "bioclip_probe": by_moments,
    "bioclip_probe, p and interval": whole_estimate,
    "brute force": brute_force,
    "scikit-bio mantel": scikit_bio,
}


def run(case: str, n: int, d: int, times: int) -> Timing:
    """One case in this process, which should be a fresh one."""
    images = made_up_images(n, d, np.random.default_rng(0))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    clock, cpu = [], []
    for _ in range(times):
        start, cpu_start = time.perf_counter(), time.process_time()
        value = CASES[case](*images)
        clock.append(time.perf_counter() - start)
        cpu.append(time.process_time() - cpu_start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Timing(min(clock), min(cpu), (peak - before) / 1024, value)


def in_a_fresh_process(*arguments) -> Timing:
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=spawn) as executor:
        return executor.submit(run, *arguments).result()


def compare(n: int, d: int, whole: bool) -> Timing:
    """Print every case that n images allow; all must give one value."""
    ours = in_a_fresh_process("bioclip_probe", n, d, 3)
    timings = {"bioclip_probe": ours}
    if whole:
        timings["bioclip_probe, p and interval"] = in_a_fresh_process("bioclip_probe, p and interval", n, d, 1)
    if n <= MOST_IMAGES:
        timings |= {case: in_a_fresh_process(case, n, d, 3) for case in ("brute force", "scikit-bio mantel")}
    for case, timing in timings.items():
        if abs(timing.value - ours.value) > 1e-10:
            raise SystemExit(f"{case} gives another value: {timing.value}, not {ours.value}")
        print(
            f"{n:>8,} {n * (n - 1) / 2:>10.1e}  {case:<30} {timing.seconds:>8.3f} {timing.cpu_seconds:>8.3f} "
            f"{timing.mebibytes:>9.0f} {timing.seconds / ours.seconds:>8.1f} {timing.value:>8.4f}",
            flush=True,
        )
    return ours


def main() -> None:
    parser = argparse.ArgumentParser(description="Image-level tree correlation beside brute force and scikit-bio")
    parser.add_argument("--images", type=int, nargs="+", default=[2_000, 10_000, 100_000])
    parser.add_argument("--dimension", type=int, default=512)
    parser.add_argument(
        "--whole", type=int, default=10_000, metavar="N", help="up to N images also with its p and its interval"
    )
    arguments = parser.parse_args()
    print(
        f"{'images':>8} {'pairs':>10}  {'':<30} {'seconds':>8} {'cpu s':>8} {'peak MiB':>9} {'× ours':>8} {'value':>8}"
    )
    ours = [compare(n, arguments.dimension, n <= arguments.whole) for n in arguments.images]
    if len(ours) > 1:
        growth = np.polyfit(np.log(arguments.images), np.log([timing.cpu_seconds for timing in ours]), 1)[0]
        print(f"growth: n to the power of {growth:.2f}, of {arguments.images[0]:,} to {arguments.images[-1]:,} images")


if __name__ == "__main__":
    main()
