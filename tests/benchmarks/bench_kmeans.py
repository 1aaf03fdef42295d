"""K-means at growing numbers of clusters, beside scikit-learn's `KMeans` and `MiniBatchKMeans`.

    python -m tests.benchmarks.bench_kmeans [--images 100000] [--dimension 512] [--clusters 100 1000 10000]

The images are those of `bench_tree_correlation`, ten per species. Every method has one k-means++ start, and each case
runs once in a process of its own. `KMeans` gets at most 1,000 clusters, because each of its starting centres takes one
pass over all images. `inertia` is the sum of squared distances to the means of the clusters. `×` is the ratio to ours,
of the wall time and of the inertia. Peak memory is the largest increase over the memory of the vectors.
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
from scipy.sparse import csr_array

from bioclip_probe.stats.kmeans import kmeans
from tests.benchmarks.bench_tree_correlation import synthetic_images

#: The largest number of clusters for scikit-learn's exact k-means.
MOST_CLUSTERS = 1_000


@dataclass(frozen=True)
class Timing:
    """The result of one case."""

    seconds: float
    cpu_seconds: float
    mebibytes: float
    inertia: float


def ours(vectors: np.ndarray, k: int) -> np.ndarray:
    """Return the clusters of this package."""
    return kmeans(vectors, np.zeros(len(vectors), dtype=np.int64), np.random.default_rng(0), k, n_starts=1)[0]


def exact_peer(vectors: np.ndarray, k: int) -> np.ndarray:
    """Return the clusters of scikit-learn's `KMeans`."""
    from sklearn.cluster import KMeans

    return KMeans(k, n_init=1, random_state=0).fit(vectors).labels_


def batch_peer(vectors: np.ndarray, k: int) -> np.ndarray:
    """Return the clusters of scikit-learn's `MiniBatchKMeans`."""
    from sklearn.cluster import MiniBatchKMeans

    return MiniBatchKMeans(k, n_init=1, random_state=0).fit(vectors).labels_


CASES = {"bioclip_probe": ours, "scikit-learn KMeans": exact_peer, "scikit-learn MiniBatchKMeans": batch_peer}


def inertia(vectors: np.ndarray, clusters: np.ndarray) -> float:
    """Return Σ ‖x‖² − Σ n_c ‖mean of c‖²."""
    n = len(vectors)
    sums = csr_array((np.ones(n), (clusters, np.arange(n)))) @ vectors.astype(np.float64)
    counts = np.bincount(clusters)[: len(sums)]
    squares = np.einsum("ij,ij->i", sums, sums)
    return float(np.einsum("ij,ij->", vectors, vectors, dtype=np.float64) - np.sum(squares / np.maximum(counts, 1)))


def run(case: str, n: int, d: int, k: int) -> Timing:
    """Return the timing of one case in this process, which should be a new one."""
    vectors, _ = synthetic_images(n, d, np.random.default_rng(0))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start, cpu_start = time.perf_counter(), time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        clusters = CASES[case](vectors, k)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu_start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Timing(seconds, cpu, (peak - before) / 1024, inertia(vectors, clusters))


def in_a_fresh_process(*arguments: object) -> Timing:
    """Return the timing of `run` in a new process, so that memory of earlier cases does not count."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=spawn) as executor:
        return executor.submit(run, *arguments).result()


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description="K-means beside scikit-learn's")
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--dimension", type=int, default=512)
    parser.add_argument("--clusters", type=int, nargs="+", default=[100, 1_000, 10_000])
    arguments = parser.parse_args()
    n, d = arguments.images, arguments.dimension
    print(f"{n:,} images, {d} dimensions")
    print(f"{'clusters':>8}  {'':<28} {'seconds':>8} {'×':>6} {'cpu s':>8} {'peak MiB':>9} {'inertia':>10} {'×':>7}")
    for k in arguments.clusters:
        first = None
        for case in CASES:
            if case == "scikit-learn KMeans" and k > MOST_CLUSTERS:
                continue
            timing = in_a_fresh_process(case, n, d, k)
            first = first or timing
            print(
                f"{k:>8,}  {case:<28} {timing.seconds:>8.1f} {timing.seconds / first.seconds:>6.1f} "
                f"{timing.cpu_seconds:>8.1f} {timing.mebibytes:>9.0f} {timing.inertia:>10.1f} "
                f"{timing.inertia / first.inertia:>7.4f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
