"""The linear probe beside scikit-learn, at equal objective.

    python -m tests.benchmarks.bench_probes [--images 20000] [--dimension 512] [--taxa 500] [--path 100000 1000]

Embeddings are made up: taxa evolve along a random tree, images scatter about them, variance falls along the axes as
that of real embeddings does, vectors are of length 1. For each C, each solver in a process of its own from zero: ours,
then scikit-learn's with its tolerance lowered by tenths until its objective, in float64, is no more than 1e-4 above
ours; what it took at that tolerance is its time. `×` is the ratio to ours. Peak memory is what the process held at most
beyond the features it was given. Then the whole protocol (seven C, val, learnt anew, all images named) at the size of
`--path`, and what a step takes at 500,000 images of 10,000 taxa, from a slice of its images: worked out, not measured.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np

from bioclip_probe.probes import softmax
from bioclip_probe.probes.linear import GRID, linear
from bioclip_probe.probes.softmax import Softmax
from tests.benchmarks.bench_tree_correlation import in_a_fresh_process

CS = (1.0, 10.0, 100.0)
CLOSE = 1e-4
TOLERANCES = (1e-4, 1e-5, 1e-6, 1e-7)
LARGE, SLICE = (500_000, 10_000), 4_096


def made_up(n: int, d: int, n_taxa: int) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors of n images and their taxa; taxa are tips of a random binary tree."""
    rng = np.random.default_rng(0)
    spread = np.arange(1, d + 1) ** -0.5
    means = np.zeros((1, d))
    while len(means) < n_taxa:
        means = np.repeat(means, 2, axis=0)
        means = means + 0.5 * rng.standard_normal(means.shape) * spread
    taxon = rng.permutation(np.arange(n) % n_taxa)
    vectors = means[taxon] + rng.standard_normal((n, d)) * spread + 0.3
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), taxon


def principal(vectors: np.ndarray) -> np.ndarray:
    """As `linear` gives them to the solver."""
    x = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    x /= np.sqrt(np.mean(np.sum(x**2, axis=1)))
    return (x @ np.linalg.eigh(x.T @ x)[1][:, ::-1]).astype(np.float32)


def objective(weights: np.ndarray, intercept: np.ndarray, x: np.ndarray, taxon: np.ndarray, c: float) -> float:
    total = float(np.sum(weights**2)) / 2
    for start in range(0, len(x), 2048):
        scores = x[start : start + 2048].astype(np.float64) @ weights.T + intercept
        scores -= scores.max(axis=1, keepdims=True)
        own = scores[np.arange(len(scores)), taxon[start : start + 2048]]
        total += c * float(np.sum(np.log(np.exp(scores).sum(axis=1)) - own))
    return total


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run(size: tuple[int, int, int], c: float, tolerance: float | None) -> tuple[float, int, float, float]:
    """Seconds, iterations, objective, MiB; ours without a tolerance, else scikit-learn's."""
    import torch
    from sklearn.linear_model import LogisticRegression

    vectors, taxon = made_up(*size)
    x = principal(vectors)
    if tolerance is None:
        features = torch.from_numpy(x)
        softmax.fit(features[:500], taxon[:500] % 7, Softmax.zeros(7, x.shape[1]), c)  # libraries are loaded
        before, start = peak(), time.perf_counter()
        model = softmax.fit(features, taxon, Softmax.zeros(size[2], x.shape[1]), c)
        weights, intercept, n_iterations = model.weights, model.intercept, model.n_iterations
    else:
        learner = LogisticRegression(C=c, tol=tolerance, max_iter=5000)
        x64 = x.astype(np.float64)
        before, start = peak(), time.perf_counter()
        learner.fit(x64, taxon)
        weights, intercept, n_iterations = learner.coef_, learner.intercept_, int(learner.n_iter_[0])
    seconds, held = time.perf_counter() - start, peak() - before
    return seconds, n_iterations, objective(weights, intercept, x, taxon, c), held


def beside_scikit_learn(size: tuple[int, int, int]) -> None:
    print(f"{'C':>6}  {'':<26} {'s':>7} {'steps':>6} {'objective':>14} {'MiB':>6} {'×':>6}")
    for c in CS:
        ours = in_a_fresh_process(run, size, c, None)
        show(c, "bioclip_probe", ours, ours)
        for tolerance in TOLERANCES:
            theirs = in_a_fresh_process(run, size, c, tolerance)
            show(c, f"scikit-learn, tol {tolerance:g}", theirs, ours)
            if theirs[2] <= ours[2] * (1 + CLOSE):
                break
        else:
            raise SystemExit("scikit-learn did not come near our objective")


def show(c: float, case: str, found: tuple, ours: tuple) -> None:
    seconds, steps, value, held = found
    print(
        f"{c:>6g}  {case:<26} {seconds:>7.2f} {steps:>6} {value:>14.3f} {held:>6.0f} {seconds / ours[0]:>6.1f}",
        flush=True,
    )


def whole(n: int, d: int, n_taxa: int) -> tuple[float, float, float]:
    """Seconds of the protocol, its accuracy, and MiB beyond the vectors."""
    vectors, taxon = made_up(n, d, n_taxa)
    split = np.random.default_rng(1).choice(["train", "train", "train", "val", "test"], n)
    before, start = peak(), time.perf_counter()
    (found,) = linear(vectors, taxon[None], split[None])
    seconds, test = time.perf_counter() - start, split == "test"
    print(f"  chosen C = {found.settings['C']:g}; {found.note or 'all converged'}")
    return seconds, float(np.mean(found.predicted[test] == taxon[test])), peak() - before


def iteration(n: int, d: int, n_taxa: int) -> float:
    """Seconds for one value and gradient over n images."""
    import torch

    features, taxon = torch.randn(n, d), np.arange(n) % n_taxa
    value = softmax._Objective(features, taxon, n_taxa, 1e-3, softmax.CELLS)
    weights = torch.zeros(n_taxa, d + 1, dtype=torch.float64)
    value(weights)
    start = time.perf_counter()
    value(weights)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--dimension", type=int, default=512)
    parser.add_argument("--taxa", type=int, default=500)
    parser.add_argument("--path", type=int, nargs=2, default=(100_000, 1_000), metavar=("IMAGES", "TAXA"))
    options = parser.parse_args()
    d = options.dimension
    beside_scikit_learn((options.images, d, options.taxa))
    n, n_taxa = options.path
    print(f"whole protocol, {n:,} × {d}, {n_taxa:,} taxa, C of {', '.join(f'{c:g}' for c in GRID)}")
    seconds, accuracy, held = in_a_fresh_process(whole, n, d, n_taxa)
    print(f"  {seconds:.0f} s, accuracy {accuracy:.3f}, {held:,.0f} MiB beyond the vectors")
    images, taxa = LARGE
    seconds = in_a_fresh_process(iteration, SLICE, d, taxa) * images / SLICE
    parameters, features = 8 * taxa * (d + 1), 4 * images * d
    tera, gib = 4 * images * d * taxa / 1e12, 2**30
    print(f"worked out: {images:,} × {d}, {taxa:,} taxa: {seconds:.0f} s a step here ({tera:.1f} TFLOP)")
    print(
        f"  features twice {2 * features / gib:.1f} GiB, weights and 30 of their like {31 * parameters / gib:.1f} GiB"
    )


if __name__ == "__main__":
    main()
