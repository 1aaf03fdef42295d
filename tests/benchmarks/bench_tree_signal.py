"""Speed of tree signal: Pagel's λ of a whole embedding, beside the covariance matrix of the species and its inverse.

    python -m tests.benchmarks.bench_tree_signal [--species 500 2000 10000] [--dimension 512] [--whole 1000]

Times are CPU times over all threads. Each size prints that of one value of the likelihood, ours (with its derivatives)
and by the dense matrix, up to the size that it can do, and that of a whole fit. Both must give the same likelihood to
1e-6. `--whole` adds the metric with 9,999 permutations, its chance and its interval.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.metrics.tree_signal import pagel_lambda
from bioclip_probe.stats.brownian_likelihood import BrownianLikelihood, BrownianTree
from bioclip_probe.stats.centroids import centroids
from bioclip_probe.stats.evolution import Evolution
from bioclip_probe.tree import Placement, Tree, brownian, patristic_distances
from tests.benchmarks.bench_tree_distance import synthetic_taxonomy

IMAGES_PER_SPECIES = 4
#: The dense matrix of more species takes minutes.
MOST_DENSE = 2_000
POINT = (0.6, 0.1)


def synthetic_images(k: int, d: int, rng: np.random.Generator) -> tuple[np.ndarray, Placement]:
    """Return unit vectors, float32, of species that evolved with λ = 0.6 along a taxonomy, and their placement."""
    tree = synthetic_taxonomy(k, rng)
    node = np.repeat(tree.tips, IMAGES_PER_SPECIES)
    images = brownian(tree, d, rng, 0.6)[node].astype(np.float32)
    images += 2 * rng.standard_normal(images.shape, dtype=np.float32)
    return images / np.linalg.norm(images, axis=1, keepdims=True), Placement(tree, node)


def dense_value(tree: Tree, means: np.ndarray, errors: np.ndarray) -> float:
    """Return the likelihood by the covariance matrix of the species and its inverse."""
    depth = tree.depth[tree.tips]
    v = POINT[0] * (depth[:, None] + depth - patristic_distances(tree)) / 2
    np.fill_diagonal(v, depth)
    v *= POINT[1]
    v[np.diag_indices(len(v))] += errors
    inverse = np.linalg.inv(v)
    weights = inverse.sum(axis=0)
    centred = means - weights @ means / weights.sum()
    squares = np.einsum("ij,ij->", centred, inverse @ centred)
    return float(-0.5 * (np.linalg.slogdet(v)[1] + np.log(weights.sum()) + squares))


def timed(function: Callable[[], float], times: int = 3) -> tuple[float, float]:
    """Return the shortest of several CPU times over all threads, in seconds, and the value."""
    seconds = []
    for _ in range(times):
        start = time.process_time()
        value = function()
        seconds.append(time.process_time() - start)
    return min(seconds), value


def compare(k: int, d: int) -> None:
    """Print the times of one size; the two likelihoods must be equal."""
    vectors, placement = synthetic_images(k, d, np.random.default_rng(0))
    taxa = centroids(vectors, placement)
    likelihood = Evolution(vectors, taxa, np.zeros(k, dtype=np.int64), 1).likelihood
    ours, value = timed(lambda: likelihood.value(*POINT))

    def whole_fit() -> float:
        evolution = Evolution(vectors, taxa, np.zeros(k, dtype=np.int64), 1)
        return evolution.fit.signal

    fit, signal = timed(whole_fit, 1)
    ratio = "not run"
    if k <= MOST_DENSE:
        dense, expected = timed(lambda: dense_value(taxa.tree, taxa.means, likelihood.errors), 1)
        if abs(value - expected) > 1e-6 * abs(expected):
            raise SystemExit(f"the dense matrix gives {expected}, not {value}")
        ratio = f"{dense:7.2f} s, {dense / ours:6.0f} × ours"
    print(f"{k:>7,} {ours:>10.3f} {ratio:>24} {fit:>8.2f} {signal:>6.3f}", flush=True)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description="Tree signal beside the dense covariance matrix of the species")
    parser.add_argument("--species", type=int, nargs="+", default=[500, 2_000, 10_000])
    parser.add_argument("--dimension", type=int, default=512)
    parser.add_argument(
        "--whole", type=int, default=1_000, help="species of the metric with p and interval; 0 for none"
    )
    arguments = parser.parse_args()
    BrownianLikelihood.of(BrownianTree(synthetic_taxonomy(9, np.random.default_rng(0))), np.eye(9), np.ones(9)).fit()
    print(f"{'species':>7} {'one try, s':>10} {'dense matrix':>24} {'fit, s':>8} {'λ':>6}")
    for k in arguments.species:
        compare(k, arguments.dimension)
    if arguments.whole:
        made = synthetic_images(arguments.whole, arguments.dimension, np.random.default_rng(0))
        seconds, _ = timed(lambda: pagel_lambda(SharedResults(*made, MeasureSettings()), made[1])[0].estimate.value, 1)
        print(f"{arguments.whole:,} species with 9,999 permutations, chance and interval: {seconds:.1f} s")


if __name__ == "__main__":
    main()
