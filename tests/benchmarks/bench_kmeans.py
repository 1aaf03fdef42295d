"""K-means at growing numbers of clusters, beside scikit-learn's `KMeans` and `MiniBatchKMeans`.

    python -m tests.benchmarks.bench_kmeans [--images 100000] [--dimension 512] [--clusters 100 1000 10000]
        [--most 1000]

The images are those of `bench_tree_correlation`, ten per species. Every method has one k-means++ start, and each case
runs once in a process of its own. The peers get at most `--most` clusters, because each of the starting centres of
`KMeans` takes one pass over all images. "from our starts" is plain Lloyd from our starting centres, whose inertia must
be ours. `inertia` is the sum of squared distances to the means of the clusters. `×` is the ratio to ours, of CPU time
and of the inertia. Peak memory is the largest increase over the memory of the vectors.
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

from bioclip_probe.stats.kmeans import Images, kmeans
from bioclip_probe.stats.lloyd import MAX_ITERATIONS, TOLERANCE
from bioclip_probe.stats.starting_centers import starting_centers
from tests.benchmarks.bench_tree_correlation import synthetic_images


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


def plain_lloyd(vectors: np.ndarray, k: int) -> np.ndarray:
    """Return the clusters of scikit-learn's Lloyd iterations from the starting centres of this package."""
    from sklearn.cluster import KMeans

    rng = np.random.default_rng(0)
    order = np.argsort(np.einsum("ij,j->i", vectors, rng.standard_normal(vectors.shape[1])), kind="stable")
    images, clusters = Images(vectors), np.empty(len(vectors), dtype=np.int64)
    points = images.points(order)
    start = starting_centers(points, k, rng, images.known_distances(points, order, k, n_starts=1))
    peer = KMeans(k, init=points.rows[start.rows], n_init=1, max_iter=MAX_ITERATIONS, tol=TOLERANCE)
    clusters[order] = peer.fit(points.rows).labels_
    return clusters


def exact_peer(vectors: np.ndarray, k: int) -> np.ndarray:
    """Return the clusters of scikit-learn's `KMeans`."""
    from sklearn.cluster import KMeans

    return KMeans(k, n_init=1, random_state=0).fit(vectors).labels_


def batch_peer(vectors: np.ndarray, k: int) -> np.ndarray:
    """Return the clusters of scikit-learn's `MiniBatchKMeans`."""
    from sklearn.cluster import MiniBatchKMeans

    return MiniBatchKMeans(k, n_init=1, random_state=0).fit(vectors).labels_


CASES = {
    "bioclip_probe": ours,
    "scikit-learn from our starts": plain_lloyd,
    "scikit-learn KMeans": exact_peer,
    "scikit-learn MiniBatchKMeans": batch_peer,
}


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
    ours(vectors[:200], 5)  # loads the compiled loops
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
    parser.add_argument("--most", type=int, default=1_000, help="largest number of clusters for the peers")
    arguments = parser.parse_args()
    n, d = arguments.images, arguments.dimension
    print(f"{n:,} images, {d} dimensions")
    print(f"{'clusters':>8}  {'':<28} {'seconds':>8} {'cpu s':>8} {'×':>6} {'peak MiB':>9} {'inertia':>10} {'×':>7}")
    for k in arguments.clusters:
        first = None
        for case in CASES:
            if case != "bioclip_probe" and k > arguments.most:
                continue
            timing = in_a_fresh_process(case, n, d, k)
            first = first or timing
            print(
                f"{k:>8,}  {case:<28} {timing.seconds:>8.1f} {timing.cpu_seconds:>8.1f} "
                f"{timing.cpu_seconds / first.cpu_seconds:>6.1f} {timing.mebibytes:>9.0f} {timing.inertia:>10.1f} "
                f"{timing.inertia / first.inertia:>7.4f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
