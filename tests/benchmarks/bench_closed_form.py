"""Ridge and LDA at all ranks beside scikit-learn's rank by rank, and SimpleShot beside plain loops.

    python -m tests.benchmarks.bench_closed_form [--images 20000] [--dimension 512] [--few 2000]

The images are those of `bench_tree_correlation`, ten per species, with seven ranks. Each case runs once in a process of
its own. Peers follow the same protocol: the regularisation is chosen on val, the probe is fitted again on train and
val, and every image is named. LDA has one shrinkage, in scikit-learn and here. SimpleShot is one fold of five images
per species. It runs beside a loop over queries, and with `--few` images beside the broadcasting of the published run,
which makes an array of taxa × queries × dimensions. `same` is the share of predictions that equal ours; the run stops
if it is below 0.999. `×` is the ratio to ours. Peak memory is the largest increase over the memory of the vectors.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np

from bioclip_probe.probes.centroid import few_shot
from bioclip_probe.probes.closed_form import ALPHAS, lda, ridge
from bioclip_probe.probes.folds import independent_folds
from bioclip_probe.probes.learning import LearnSettings
from bioclip_probe.probes.splits import split_by_image
from bioclip_probe.tables import RANKS
from tests.benchmarks.bench_tree_correlation import synthetic_images
from tests.definitions.few_shot import simpleshot as broadcast

SHOTS, SHRINKAGE, MIN_SAME = 5, 0.1, 0.999


@dataclass(frozen=True)
class Task:
    """The input of every case."""

    vectors: np.ndarray
    labels: np.ndarray
    split: np.ndarray
    folds: np.ndarray

    @classmethod
    def synthetic(cls, n: int, d: int) -> Task:
        """Return the task of n synthetic images."""
        rng = np.random.default_rng(0)
        vectors, placement = synthetic_images(n, d, rng)
        labels = np.stack([placement.at(rank) for rank in RANKS])
        return cls(vectors, labels, split_by_image(labels, rng), independent_folds(labels[-1], SHOTS, rng, 1))


@dataclass(frozen=True)
class Timing:
    """The result of one case."""

    seconds: float
    cpu_seconds: float
    mebibytes: float
    predicted: np.ndarray


def our_ridge(task: Task) -> np.ndarray:
    """Return the predictions of our ridge probe."""
    return np.stack([of_rank.predicted for of_rank in ridge(task.vectors, task.labels, task.split)])


def our_lda(task: Task) -> np.ndarray:
    """Return the predictions of our LDA probe."""
    settings = LearnSettings(grid=(SHRINKAGE,))
    return np.stack([of_rank.predicted for of_rank in lda(task.vectors, task.labels, task.split, settings)])


def our_simpleshot(task: Task) -> np.ndarray:
    """Return the predictions of our SimpleShot."""
    (of_fold,) = few_shot(task.vectors, task.labels[-1], task.folds)
    return of_fold.predicted[task.folds[0] == "test"]


def their_ridge(task: Task, dtype: type = np.float64) -> np.ndarray:
    """Return the predictions of scikit-learn's ridge regression, rank by rank."""
    from sklearn.linear_model import Ridge

    def model(rows: np.ndarray, labels: np.ndarray, alpha: float) -> tuple[np.ndarray, Ridge]:
        taxa, taxon = np.unique(labels, return_inverse=True)
        targets = np.zeros((len(labels), len(taxa)), dtype=dtype)
        targets[np.arange(len(labels)), taxon] = 1
        return taxa, Ridge(alpha=alpha).fit(rows, targets)

    def names(fitted: tuple[np.ndarray, Ridge], rows: np.ndarray) -> np.ndarray:
        return fitted[0][fitted[1].predict(rows).reshape(len(rows), -1).argmax(axis=1)]

    return _rank_by_rank(task, model, names, ALPHAS, dtype)


def their_ridge_in_float32(task: Task) -> np.ndarray:
    """Return the predictions of scikit-learn's ridge regression in float32."""
    return their_ridge(task, np.float32)


def their_lda(task: Task) -> np.ndarray:
    """Return the predictions of scikit-learn's LDA, rank by rank."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    def model(rows: np.ndarray, labels: np.ndarray, shrinkage: float) -> LinearDiscriminantAnalysis:
        return LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage).fit(rows, labels)

    return _rank_by_rank(task, model, lambda fitted, rows: fitted.predict(rows), (SHRINKAGE,), np.float64)


def _rank_by_rank(task: Task, model: Callable, names: Callable, grid: tuple[float, ...], dtype: type) -> np.ndarray:
    """Return the predictions of a peer that is fitted rank by rank, with the protocol of our probes."""
    predicted = np.full(task.labels.shape, -1)
    for labels, split, of_rank in zip(task.labels, task.split, predicted, strict=True):
        train, val, in_split = split == "train", split == "val", split != ""
        if len(np.unique(labels[train])) < 2:
            continue
        rows = (task.vectors - task.vectors[train].mean(axis=0, dtype=np.float64)).astype(dtype)
        rows /= np.sqrt(np.mean(np.sum(rows[train] ** 2, axis=1)))
        accuracy = {}
        for strength in sorted(grid, reverse=True) if len(grid) > 1 else ():
            named = names(model(rows[train], labels[train], strength), rows[val])
            accuracy[strength] = np.mean(named == labels[val])
        chosen = max(accuracy, key=accuracy.get) if accuracy else grid[0]
        of_rank[in_split] = names(model(rows[train | val], labels[train | val], chosen), rows[in_split])
    return predicted


def loop_over_queries(task: Task) -> np.ndarray:
    """Return the predictions of SimpleShot by a loop over queries."""
    labels, support = task.labels[-1], task.folds[0] == "train"
    mean = task.vectors[support].mean(axis=0, dtype=np.float64)
    rows = task.vectors - mean
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    taxa = np.unique(labels[support])
    centroids = np.stack([rows[support & (labels == taxon)].mean(axis=0) for taxon in taxa])
    queries = np.flatnonzero(task.folds[0] == "test")
    return np.array([taxa[np.argmin(np.linalg.norm(centroids - rows[query], axis=1))] for query in queries])


def broadcasting(task: Task) -> np.ndarray:
    """Return the predictions of SimpleShot by broadcasting, as in the published run."""
    support, queries = (np.flatnonzero(task.folds[0] == subset) for subset in ("train", "test"))
    return broadcast(task.vectors, task.labels[-1], support, queries)[0]


#: The functions of each task; the first one is ours.
CASES = {
    "ridge, seven ranks": (our_ridge, their_ridge, their_ridge_in_float32),
    "LDA, seven ranks": (our_lda, their_lda),
    "SimpleShot": (our_simpleshot, loop_over_queries),
    "SimpleShot, few": (our_simpleshot, loop_over_queries, broadcasting),
}


def run(case: Callable, n: int, d: int) -> Timing:
    """Return the timing of one case in this process, which should be a new one."""
    task = Task.synthetic(n, d)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start, cpu_start = time.perf_counter(), time.process_time()
    predicted = case(task)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu_start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Timing(seconds, cpu, (peak - before) / 1024, predicted)


def in_a_fresh_process(*arguments: object) -> Timing:
    """Return the timing of `run` in a new process, so that memory of earlier cases does not count."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=spawn) as executor:
        return executor.submit(run, *arguments).result()


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description="Closed-form probes beside scikit-learn's, SimpleShot beside loops")
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--dimension", type=int, default=512)
    parser.add_argument("--few", type=int, default=2_000)
    arguments = parser.parse_args()
    print(f"{arguments.images:,} images ({arguments.few:,} where few), {arguments.dimension} dimensions")
    print(f"{'':<44} {'seconds':>8} {'×':>6} {'cpu s':>8} {'×':>6} {'peak MiB':>9} {'same':>8}")
    for task, cases in CASES.items():
        n, first = arguments.few if task.endswith("few") else arguments.images, None
        for case in cases:
            timing = in_a_fresh_process(case, n, arguments.dimension)
            first = first or timing
            same = np.mean(timing.predicted == first.predicted)
            print(
                f"{task:<20} {case.__name__:<23} {timing.seconds:>8.2f} {timing.seconds / first.seconds:>6.1f} "
                f"{timing.cpu_seconds:>8.2f} {timing.cpu_seconds / first.cpu_seconds:>6.1f} {timing.mebibytes:>9.0f} "
                f"{same:>8.5f}",
                flush=True,
            )
            if same < MIN_SAME:
                raise SystemExit(f"{case.__name__}: only {same:.5f} of the predictions equal ours")


if __name__ == "__main__":
    main()
