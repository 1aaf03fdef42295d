"""The sweep over all pairs of images with all its results, beside the bare matrix product and beside peers.

    python -m tests.benchmarks.bench_pairs [--images 25000 50000 100000] [--dimension 512] [--times 2]

Vectors and taxonomy are synthetic, with ten images per species. Each number of images runs in a process of its own.
First comes the product of the unit vectors with themselves in float32, in the same blocks. Then comes the sweep, with
the joint histogram in 20 jackknife groups, the scores of every anchor with all images and without each group, and those
of 2,000 anchors on 20 trees whose species are permuted. `ratio` compares the fastest runs of both, by wall time and by
CPU time over all threads.
Peak memory is the largest increase over the memory of the vectors. `growth` is the fitted exponent of n; that of time
must be near 2, that of memory near 1. Next, at a small size, the sweep by a pool of two processes that are already
running is compared with the sweep by this process; the results must be equal to the last bit. Finally come the peers,
at sizes that fit in memory: whole matrices with SciPy and scikit-learn, and a loop over sampled triplets. The benchmark
stops with an error if their values differ from ours.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np

from bioclip_probe.stats.resampling import jackknife_groups
from bioclip_probe.stats.rows import Rows
from bioclip_probe.stats.sweep import histograms
from bioclip_probe.stats.sweep.points import BLOCK
from bioclip_probe.stats.sweep.replicates import Replicates
from bioclip_probe.stats.sweep.scoring import AP, RIGHT, SIZE, TRIPLETS
from bioclip_probe.stats.sweep.sweep import Sweep, SweepWorkers, sweep
from bioclip_probe.tree import Placement, patristic_distances
from tests.benchmarks.bench_tree_correlation import in_a_fresh_process, synthetic_images

#: The ranges of the growth of CPU time and of memory with n that are accepted.
GROWTH, MEMORY_GROWTH = (1.7, 2.3), (0.5, 1.5)
#: The largest memory of the sweep beyond the vectors, in MiB.
MOST_MEMORY = 2_048
#: The largest number of images for peers.
MOST_IMAGES = 3_000
#: The largest number of images of the sweep by processes.
MOST_WITH_PROCESSES = 10_000
N_GROUPS, N_PERMUTATIONS, N_ANCHORS = 20, 20, 2000
N_TRIPLETS, WARM = 100_000, 600


def timed(function: Callable[[], object]) -> tuple[float, float, object]:
    """Return the wall time, the CPU time and the result of a function."""
    start, cpu = time.perf_counter(), time.process_time()
    value = function()
    return time.perf_counter() - start, time.process_time() - cpu, value


def product(vectors: np.ndarray) -> None:
    """Multiply all vectors with each other, block by block."""
    block = np.empty((min(BLOCK, len(vectors)), len(vectors)), dtype=np.float32)
    for start in range(0, len(vectors), BLOCK):
        rows = vectors[start : start + BLOCK]
        np.matmul(rows, vectors.T, out=block[: len(rows)])


def full_sweep(vectors: np.ndarray, placement: Placement, executor: Executor | None = None) -> Sweep:
    """Return the sweep with all its results."""
    rows, rng = Rows.images(vectors, placement), np.random.default_rng(0)
    group = jackknife_groups(len(rows.tree.tips), rng, N_GROUPS)[rows.tips]
    replicates = Replicates.jackknife(group, N_GROUPS).with_permutations(rows, rng, N_PERMUTATIONS, N_ANCHORS)
    return sweep(rows, replicates, anchors=True, workers=SweepWorkers(executor))


def run(n: int, d: int, times: int) -> tuple[float, ...]:
    """Return wall time and CPU time of the product, both of the sweep, and the memory in MiB."""
    vectors, placement = synthetic_images(n, d, np.random.default_rng(0))
    full_sweep(vectors[:WARM], placement.take(np.arange(min(WARM, n))))  # compile or load the loops
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = []
    for _ in range(times):
        seconds.append((*timed(lambda: product(vectors))[:2], *timed(lambda: full_sweep(vectors, placement))[:2]))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return (*np.min(seconds, axis=0), (peak - before) / 1024)


def compare_processes(n: int, d: int, times: int) -> None:
    """Compare the sweep by two processes with the sweep by this process."""
    vectors, placement = synthetic_images(n, d, np.random.default_rng(0))
    runs, few = [], placement.take(np.arange(min(WARM, n)))
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        full_sweep(vectors[:WARM], few), full_sweep(vectors[:WARM], few, pool)
        for _ in range(times):
            seconds, _, here = timed(lambda: full_sweep(vectors, placement))
            by_two, _, there = timed(lambda: full_sweep(vectors, placement, pool))
            runs.append((seconds, by_two))
    same_counts = np.array_equal(here.joint.by_group, there.joint.by_group)
    if not (
        same_counts and np.array_equal(here.scores, there.scores) and np.array_equal(here.permuted, there.permuted)
    ):
        raise SystemExit("two processes give other results")
    seconds, by_two = np.min(runs, axis=0)
    print(f"\n{n:,} images; here {seconds:.2f} s, by two processes {by_two:.2f} s: ratio {by_two / seconds:.2f}")


def check_equal(name: str, ours: float, theirs: float, within: float) -> None:
    """Stop with an error if a peer gives another value."""
    if not abs(ours - theirs) <= within:
        raise SystemExit(f"{name} gives another value: {theirs}, not {ours}")


def peers(n: int, d: int) -> None:
    """Compare the time of peers for single results with the time of the whole sweep."""
    from scipy.stats import kendalltau, spearmanr
    from sklearn.metrics import average_precision_score

    vectors, placement = synthetic_images(n, d, np.random.default_rng(0))
    full_sweep(vectors[:WARM], placement.take(np.arange(WARM)))
    seconds, _, swept = timed(lambda: full_sweep(vectors, placement))
    tree = swept.rows.tree
    t, upper = patristic_distances(tree)[np.ix_(swept.rows.tips, swept.rows.tips)], np.triu_indices(n, 1)
    c = 1 - vectors.astype(np.float64) @ vectors.astype(np.float64).T

    def precisions() -> float:
        scores = []
        for anchor in range(n):
            others = np.arange(n) != anchor
            relevant = t[anchor, others] == 0
            scores.append(average_precision_score(relevant, -c[anchor, others]) if relevant.any() else np.nan)
        return float(np.nanmean(scores))

    def triplets() -> float:
        rng, correct, n_drawn = np.random.default_rng(1), 0.0, 0
        while n_drawn < N_TRIPLETS:
            a, b, far = rng.integers(0, n, 3)
            if a not in (b, far) and t[a, b] < t[a, far]:
                correct += (c[a, b] < c[a, far]) + (c[a, b] == c[a, far]) / 2
                n_drawn += 1
        return correct / n_drawn

    scored = swept.scores[:, SIZE, 0] > 0
    counts = swept.joint.counts
    print(f"\n{n:,} images; ours, all at once: {seconds:.2f} s")
    for name, function, ours, within in (
        ("scipy spearmanr", lambda: spearmanr(t[upper], c[upper])[0], histograms.spearman(counts), 1e-4),
        ("scipy kendalltau", lambda: kendalltau(t[upper], c[upper])[0], histograms.kendall_tau_b(counts), 1e-3),
        ("scikit-learn AP, species", precisions, swept.scores[scored, AP, 0].mean(), 5e-3),
        (f"{N_TRIPLETS:,} sampled triplets", triplets, swept.sums[RIGHT].sum() / swept.sums[TRIPLETS].sum(), 0.01),
    ):
        took, _, theirs = timed(function)
        check_equal(name, float(ours), float(theirs), within)
        print(f"  {name:<28} {took:>8.2f} s {took / seconds:>7.1f} x  {theirs:.5f}, ours {ours:.5f}")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, nargs="+", default=[25_000, 50_000, 100_000])
    parser.add_argument("--dimension", type=int, default=512)
    parser.add_argument("--times", type=int, default=2)
    arguments = parser.parse_args()
    print(f"{'images':>9} {'product s':>10} {'sweep s':>10} {'ratio':>6} {'ratio, cpu':>11} {'peak MiB':>9}")
    growth_of = []
    for n in arguments.images:
        clock, cpu, our_clock, our_cpu, memory = in_a_fresh_process(run, n, arguments.dimension, arguments.times)
        growth_of.append((our_cpu, memory))
        ratios = f"{our_clock / clock:>6.2f} {our_cpu / cpu:>11.2f}"
        print(f"{n:>9,} {clock:>10.2f} {our_clock:>10.2f} {ratios} {memory:>9.0f}", flush=True)
        if memory > MOST_MEMORY:
            raise SystemExit(f"the sweep used {memory:.0f} MiB, more than {MOST_MEMORY}")
    if len(growth_of) > 1:
        (growth, memory_growth), _ = np.polyfit(np.log(arguments.images), np.log(growth_of), 1)
        print(f"growth with n: seconds {growth:.2f}, memory {memory_growth:.2f}")
        if not GROWTH[0] <= growth <= GROWTH[1]:
            raise SystemExit(f"seconds grow with n to the {growth:.2f}, expected {GROWTH}")
        if not MEMORY_GROWTH[0] <= memory_growth <= MEMORY_GROWTH[1]:
            raise SystemExit(f"memory grows with n to the {memory_growth:.2f}, expected {MEMORY_GROWTH}")
    compare_processes(min(MOST_WITH_PROCESSES, max(arguments.images)), arguments.dimension, arguments.times)
    peers(min(MOST_IMAGES, max(arguments.images)), arguments.dimension)


if __name__ == "__main__":
    main()
