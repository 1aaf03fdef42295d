"""The linear probe beside scikit-learn's LogisticRegression at equal objective, its whole protocol, and large sizes.

    python -m tests.benchmarks.bench_probes [--images 20000] [--dimension 512] [--taxa 500] [--c 1 10 100]
        [--protocol] [--large 100000 1000] [--plan 500000 10000] [--costs]

The embeddings are synthetic unit vectors: species evolve along a taxonomy, and images scatter around them, both less
along each further axis, as in real embeddings. At each C both start from zero. scikit-learn stops by its default
tolerance, and by a hundredth of it. Ours then runs with tolerances from loose to tight; the first run counts whose
objective is not higher than scikit-learn's by more than 1e-6 of it. So × compares the times to reach one objective,
which is evaluated in float64 on the features of both; ours includes the rotation to principal axes. `--protocol` times
the whole protocol: C is chosen on val among seven values, the probe is fitted again, and all images are named;
scikit-learn starts each fit from zero with its default tolerance. `--large` times ours only. `--plan` measures one
evaluation of the objective on a slice of the images, and estimates the cost of all images from it. Each case runs once
in a process of its own. `cpu s` is CPU time over all threads, which a busy machine changes little. Peak memory is the
largest increase over the memory of the vectors.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib import import_module

import numpy as np
from threadpoolctl import threadpool_limits

from bioclip_probe.probes import linear as ours
from bioclip_probe.probes import softmax
from bioclip_probe.probes.objectives import objective_of
from bioclip_probe.probes.predictions import rank_with_probability
from bioclip_probe.probes.softmax import Optimiser, Softmax
from bioclip_probe.probes.splits import split_by_image
from bioclip_probe.tree import brownian
from tests.benchmarks.bench_tree_distance import synthetic_taxonomy

DECAY = 0.7  # the spread along axis j is j to the power of −DECAY
SCATTER = 2.0  # of images around their species, in units of a branch between ranks
TOLERANCES = tuple(10.0**-power for power in np.arange(2, 10, 0.5))
EQUAL = 1e-6  # objectives are equal up to this share
BLOCK = 8_192
SLICE = 4_096  # images of `--plan`
#: float32 operations per second of an H100 in large products: two thirds of its data sheet.
GPU_RATE = 40e12
GPU_BANDWIDTH = 2e12  # bytes per second
PASSES = 12  # reads and writes of a score in one evaluation


@dataclass(frozen=True)
class Timing:
    """The result of one case."""

    seconds: float
    cpu_seconds: float
    mebibytes: float
    value: float  # objective, or accuracy on test
    n_iterations: int
    tolerance: float = np.nan


def synthetic_embeddings(n: int, d: int, n_taxa: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return unit vectors, float32, and the taxon of each; every taxon has images."""
    tree = synthetic_taxonomy(n_taxa, rng)
    spread = (np.arange(1, d + 1) ** -DECAY).astype(np.float32)
    taxa = brownian(tree, d, rng)[tree.tips].astype(np.float32)
    taxon = rng.permutation(np.concatenate([np.arange(n_taxa), rng.integers(0, n_taxa, n - n_taxa)]))
    vectors = np.empty((n, d), dtype=np.float32)
    for start in range(0, n, BLOCK):
        rows = taxa[taxon[start : start + BLOCK]]
        rows += SCATTER * rng.standard_normal(rows.shape, dtype=np.float32)
        rows *= spread
        vectors[start : start + BLOCK] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return vectors, taxon


def objective(weights: np.ndarray, intercept: np.ndarray, x: np.ndarray, taxon: np.ndarray, c: float) -> float:
    """Return the objective C·Σ loss + ‖W‖²/2 in float64."""
    loss = 0.0
    for start in range(0, len(x), BLOCK):
        scores = x[start : start + BLOCK].astype(np.float64) @ weights.T.astype(np.float64) + intercept
        scores -= scores.max(axis=1, keepdims=True)
        true_scores = np.take_along_axis(scores, taxon[start : start + BLOCK, None], axis=1)
        loss += float(np.sum(np.log(np.exp(scores).sum(axis=1))) - true_scores.sum())
    return c * loss + float(np.sum(weights.astype(np.float64) ** 2)) / 2


class Clock:
    """Wall time and CPU time since the last `reset`, and the increase of peak memory since the clock was created."""

    def __init__(self) -> None:
        for library in ("sklearn.linear_model", "torch"):  # the memory of the libraries themselves does not count
            import_module(library)

        self.memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        self.reset()

    def reset(self) -> None:
        """Start to measure time."""
        self.start, self.cpu = time.perf_counter(), time.process_time()

    def read(self) -> tuple[float, float, float]:
        """Return wall time, CPU time and the increase of peak memory in MiB."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return time.perf_counter() - self.start, time.process_time() - self.cpu, (peak - self.memory) / 1024


def centred(vectors: np.ndarray, dtype: type) -> np.ndarray:
    """Return the vectors centred and scaled, as the protocol of the probe does."""
    x = vectors - vectors.mean(axis=0, dtype=np.float64)
    return (x / np.sqrt(np.mean(np.sum(x**2, axis=1)))).astype(dtype)


def peer(n: int, d: int, n_taxa: int, c: float, tolerance: float, dtype: type = np.float64) -> Timing:
    """Return the timing and the objective of scikit-learn."""
    from sklearn.linear_model import LogisticRegression

    vectors, taxon = synthetic_embeddings(n, d, n_taxa, np.random.default_rng(0))
    clock = Clock()
    x = centred(vectors, dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = LogisticRegression(C=c, tol=tolerance, max_iter=5000).fit(x, taxon)
    read = clock.read()
    x = centred(vectors, np.float64)
    return Timing(*read, objective(model.coef_, model.intercept_, x, taxon, c), int(model.n_iter_[0]), tolerance)


def ours_down_to(n: int, d: int, n_taxa: int, c: float, target: float) -> Timing:
    """Return our timing with the loosest tolerance that reaches the target."""
    vectors, taxon = synthetic_embeddings(n, d, n_taxa, np.random.default_rng(0))
    rows, clock = np.arange(n), Clock()
    for tolerance in TOLERANCES:
        clock.reset()
        features = ours.principal_axes(vectors, rows, rows).features
        start = Softmax.zeros(n_taxa, features.shape[1])
        model = softmax.fit(features, taxon, start, c, Optimiser(tolerance=tolerance))
        read = clock.read()
        value = objective(model.weights, model.intercept, features, taxon, c)
        if value <= target * (1 + EQUAL):
            return Timing(*read, value, model.n_iterations, tolerance)
    raise SystemExit(f"at C = {c} the objective ends at {value}, above {target}")


def our_protocol(n: int, d: int, n_taxa: int) -> Timing:
    """Return the timing of our whole protocol."""
    vectors, taxon = synthetic_embeddings(n, d, n_taxa, np.random.default_rng(0))
    split = split_by_image(taxon[None], np.random.default_rng(0))
    clock = Clock()
    (predictions,) = ours.linear(vectors, taxon[None], split)
    read = clock.read()
    if predictions.note:
        print(predictions.note)
    accuracy = float(np.mean(predictions.place[split[0] == "test"] == 1))
    return Timing(*read, accuracy, 0, predictions.settings["C"])


def their_protocol(n: int, d: int, n_taxa: int) -> Timing:
    """Return the timing of the whole protocol with scikit-learn."""
    from sklearn.linear_model import LogisticRegression

    vectors, taxon = synthetic_embeddings(n, d, n_taxa, np.random.default_rng(0))
    (split,) = split_by_image(taxon[None], np.random.default_rng(0))
    train, val, test = (split == subset for subset in ("train", "val", "test"))
    clock = Clock()
    x = vectors - vectors[train].mean(axis=0, dtype=np.float64)
    x /= np.sqrt(np.mean(np.sum(x[train] ** 2, axis=1)))

    def model(c: float, rows: np.ndarray) -> LogisticRegression:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return LogisticRegression(C=c, max_iter=5000).fit(x[rows], taxon[rows])

    chosen = max(ours.GRID, key=lambda c: np.mean(model(c, train).predict(x[val]) == taxon[val]))
    correct = model(chosen, train | val).predict(x) == taxon
    return Timing(*clock.read(), float(np.mean(correct[test])), 0, chosen)


def in_a_fresh_process(case: Callable, *arguments: object) -> Timing:
    """Return the timing of a case in a new process, so that memory of earlier cases does not count."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=spawn) as executor:
        return executor.submit(case, *arguments).result()


def beside_scikit_learn(size: tuple[int, int, int], strengths: list[float]) -> None:
    """Print the times to reach the same objective, for each C."""
    print(
        f"{'C':>6}  {'':<26} {'seconds':>8} {'×':>5} {'cpu s':>8} {'×':>5} {'peak MiB':>9} {'steps':>6} {'tol':>8} "
        f"{'objective':>16}"
    )
    for c in strengths:
        for name, tolerance, dtype in (
            ("scikit-learn", 1e-4, np.float64),
            ("scikit-learn, float32", 1e-4, np.float32),
            ("scikit-learn, tight", 1e-6, np.float64),
        ):
            theirs = in_a_fresh_process(peer, *size, c, tolerance, dtype)
            our_timing = in_a_fresh_process(ours_down_to, *size, c, theirs.value)
            for label, timing in ((name, theirs), ("  bioclip_probe down to it", our_timing)):
                print(
                    f"{c:>6g}  {label:<26} {timing.seconds:>8.2f} {timing.seconds / our_timing.seconds:>5.1f} "
                    f"{timing.cpu_seconds:>8.2f} {timing.cpu_seconds / our_timing.cpu_seconds:>5.1f} "
                    f"{timing.mebibytes:>9.0f} {timing.n_iterations:>6} {timing.tolerance:>8.1e} {timing.value:>16.3f}",
                    flush=True,
                )


def whole_protocol(size: tuple[int, int, int], cases: dict[str, Callable]) -> None:
    """Print the times of the whole protocol."""
    print(f"{'whole protocol':<20} {'seconds':>8} {'×':>5} {'cpu s':>8} {'×':>5} {'peak MiB':>9} {'C':>7} {'test':>7}")
    first = None
    for name, case in cases.items():
        timing = in_a_fresh_process(case, *size)
        first = first or timing
        print(
            f"{name:<20} {timing.seconds:>8.1f} {timing.seconds / first.seconds:>5.1f} {timing.cpu_seconds:>8.1f} "
            f"{timing.cpu_seconds / first.cpu_seconds:>5.1f} {timing.mebibytes:>9.0f} {timing.tolerance:>7g} "
            f"{timing.value:>7.4f}",
            flush=True,
        )


def slice_of(n: int, d: int, n_taxa: int) -> Timing:
    """Return the timing of one evaluation of the objective and its gradient, and the peak memory of a fit."""
    # Enough iterations to fill the memory of the optimiser.
    optimiser = Optimiser(max_iterations=2 * Optimiser().n_steps_kept)
    rng = np.random.default_rng(0)
    vectors, taxon = rng.standard_normal((n, d), dtype=np.float32), rng.integers(0, n_taxa, n)
    clock = Clock()
    model = softmax.fit(vectors, taxon, Softmax.zeros(n_taxa, d), 10.0, optimiser)
    peak = clock.read()[2]
    evaluate = objective_of(vectors, taxon, n_taxa, optimiser.cells)
    at = np.column_stack([model.weights, model.intercept])
    clock = Clock()
    evaluate(at)
    return Timing(*clock.read()[:2], peak, 0.0, model.n_iterations)


def plan(n: int, d: int, n_taxa: int, n_evaluations: int) -> None:
    """Print an estimate of time and memory for all images from the cost of a slice of them."""
    measured = in_a_fresh_process(slice_of, SLICE, d, n_taxa)
    memory = {
        "vectors, features and those of the fit": 3 * n * d * 4 / 2**30,
        "models along the path": (len(ours.GRID) + 1) * n_taxa * (d + 1) * 8 / 2**30,
        "optimiser, measured": measured.mebibytes / 1024,
    }
    gibibytes = ", ".join(f"{what} {size:.1f}" for what, size in memory.items())
    rounds = n / max(Optimiser().cells // n_taxa, 1)
    traffic = PASSES * n * n_taxa * 4 + rounds * 20 * n_taxa * d
    gpu = 4 * n * d * n_taxa / GPU_RATE + traffic / GPU_BANDWIDTH
    print(f"{n:,} × {d} × {n_taxa:,}: {sum(memory.values()):.1f} GiB ({gibibytes})")
    here = measured.seconds * n / SLICE
    print(f"an evaluation here, by {measured.seconds:.2f} s for {SLICE:,} images: {here:.0f} s")
    print(
        f"on an H100, an estimate: {gpu:.1f} s, so {gpu * n_evaluations / 60:.0f} minutes for {n_evaluations} of them"
    )


def costs() -> None:
    """Print the constants of `probes.costs`, in processor seconds of one thread."""
    rng, n, d, n_taxa = np.random.default_rng(0), 4_096, 512, 2_000
    x, taxon = rng.standard_normal((n, d), dtype=np.float32), rng.integers(0, n_taxa, n)

    def seconds(work: Callable[[], object]) -> float:
        """Return the least processor time of five runs after a first."""
        work()
        clock, times = Clock(), []
        for _ in range(5):
            clock.reset()
            work()
            times.append(clock.read()[1])
        return min(times)

    with threadpool_limits(1):
        weights = rng.standard_normal((d, n_taxa))
        scores, in_float32 = x @ weights, weights.astype(np.float32)
        print(f"FLOAT32_RATE {n * d * n_taxa / seconds(lambda: x @ in_float32):.1e}")
        print(f"FLOAT64_RATE {n * d * n_taxa / seconds(lambda: x.astype(np.float64) @ weights):.1e}")
        print(f"RANK_PASS {seconds(lambda: rank_with_probability(scores, np.arange(n_taxa), taxon)) / scores.size:.1e}")
        for k in (8, 200, n_taxa):
            objective = objective_of(x, taxon % k, k, Optimiser().cells)
            objective.n_threads = 1
            at = np.zeros((k, d + 1))
            taken = seconds(lambda objective=objective, at=at: objective(at))
            print(f"an evaluation with {k:,} taxa: {taken:.4f} s, {taken / n / k:.1e} a score")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description="The linear probe beside scikit-learn's logistic regression")
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--dimension", type=int, default=512)
    parser.add_argument("--taxa", type=int, default=500)
    parser.add_argument("--c", type=float, nargs="*", default=[1.0, 10.0, 100.0])
    parser.add_argument("--protocol", action="store_true")
    parser.add_argument("--large", type=int, nargs=2, metavar=("IMAGES", "TAXA"))
    parser.add_argument("--plan", type=int, nargs=2, metavar=("IMAGES", "TAXA"))
    parser.add_argument("--evaluations", type=int, default=400, help="number of evaluations that --plan assumes")
    parser.add_argument("--costs", action="store_true", help="print the constants of probes.costs and do nothing else")
    arguments = parser.parse_args()
    if arguments.costs:
        costs()
        return
    d = arguments.dimension
    size = (arguments.images, d, arguments.taxa)
    print(f"{size[0]:,} images, {d} dimensions, {size[2]:,} taxa", flush=True)
    if arguments.c:
        beside_scikit_learn(size, arguments.c)
    if arguments.protocol:
        whole_protocol(size, {"bioclip_probe": our_protocol, "scikit-learn": their_protocol})
    if arguments.large:
        n, n_taxa = arguments.large
        print(f"{n:,} images, {n_taxa:,} taxa")
        whole_protocol((n, d, n_taxa), {"bioclip_probe": our_protocol})
    if arguments.plan:
        n, n_taxa = arguments.plan
        plan(n, d, n_taxa, arguments.evaluations)


if __name__ == "__main__":
    main()
