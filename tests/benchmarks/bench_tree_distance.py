"""Tree distance between all pairs of taxa, beside scikit-bio and ete3.

    python -m tests.benchmarks.bench_tree_distance [--taxa 2000 10000] [--newick FILE]

The taxonomy is synthetic. The numbers of species per genus, of genera per family and so on are uneven, as in nature.
Each case runs in a process of its own. The table shows the first call, which also requests its memory from the system,
and the fastest of three calls (scikit-bio caches results for later calls). Seconds are CPU time, which a busy machine
changes little; every case uses one thread. Peak memory is the largest increase over the memory before the first call.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import resource
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from bioclip_probe.tables import RANKS
from bioclip_probe.tree import Tree, patristic_distances, read_tree, taxonomy, to_ete3

#: The largest number of tips for a peer: ete3 needs five times as long for twice the tips, and stores lists of floats.
MOST_TIPS = {"scikit-bio": 20_000, "ete3": 2000}


@dataclass(frozen=True)
class Timing:
    """The result of one case."""

    tips: int
    first: float
    best: float
    mebibytes: float
    checksum: float


def synthetic_taxonomy(n_species: int, rng: np.random.Generator) -> Tree:
    """Return a taxonomy of n species over seven ranks, with large and small clades."""
    sizes = [n_species]
    for _ in RANKS[:-1]:
        sizes.append(max(2, round(sizes[-1] / 2.5)))
    taxon = np.arange(n_species)
    letters = str.maketrans("0123456789", "abcdefghij")  # a digit is no part of a name
    columns = {"species": [f"epithet{i}".translate(letters) for i in taxon]}
    for rank, (size, higher) in zip(RANKS[-2::-1], itertools.pairwise(sizes), strict=True):
        weight = rng.pareto(1.2, higher) + 0.1  # every higher taxon gets one taxon, the others follow the weights
        above = np.append(np.arange(higher), rng.choice(higher, size - higher, p=weight / weight.sum()))
        taxon = above[taxon]
        columns[rank] = [f"{rank.title()}{i}".translate(letters) for i in taxon]
    return taxonomy(pd.DataFrame(columns)).tree


def tree_of(source: int | Path) -> Tree:
    """Return the tree of a file, or a synthetic taxonomy of a number of species."""
    if isinstance(source, Path):
        return read_tree(source)
    return synthetic_taxonomy(source, np.random.default_rng(0))


def first_tips(tree: Tree, most: int) -> Tree:
    """Return the tree of at most `most` tips, evenly spaced."""
    k = len(tree.tips)
    return tree if k <= most else tree.subset(tree.tips[np.linspace(0, k - 1, most).astype(int)])[0]


def ours(tree: Tree, dtype: str = "float64") -> Callable[[], np.ndarray]:
    """Return the call of this package."""
    return lambda: patristic_distances(tree, dtype)


def ours_in_float32(tree: Tree) -> Callable[[], np.ndarray]:
    """Return the call of this package in float32."""
    return ours(tree, "float32")


def scikit_bio(tree: Tree) -> Callable[[], np.ndarray]:
    """Return the call of scikit-bio."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from skbio import TreeNode
    nodes = [TreeNode(name=str(i), length=float(length)) for i, length in enumerate(tree.length)]
    for node in range(1, len(tree)):
        nodes[tree.parent[node]].append(nodes[node], uncache=False)
    return lambda: nodes[0].cophenet().data


def ete3(tree: Tree) -> Callable[[], np.ndarray]:
    """Return the call of ete3."""
    peer = to_ete3(tree)
    for leaf in peer.iter_leaves():
        leaf.name = str(leaf.index)  # ete3 needs unique names
    return lambda: np.array(peer.cophenetic_matrix()[0])


CASES = {"bioclip_probe": ours, "bioclip_probe, float32": ours_in_float32, "scikit-bio": scikit_bio, "ete3": ete3}


def run(case: str, source: int | Path, most: int) -> Timing:
    """Return the timing of one case in this process, which should be a new one."""
    tree = first_tips(tree_of(source), most)
    matrix_of = CASES[case](tree)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = []
    for _ in range(3):
        matrix = None  # the previous matrix must not count as memory of this call
        start = time.process_time()
        matrix = matrix_of()
        seconds.append(time.process_time() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Timing(len(tree.tips), seconds[0], min(seconds), (peak - before) / 1024, float(matrix.sum(dtype=np.float64)))


def in_a_fresh_process(*arguments: object) -> Timing:
    """Return the timing of `run` in a new process, so that memory of earlier cases does not count."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=spawn) as executor:
        return executor.submit(run, *arguments).result()


def compare(source: int | Path) -> None:
    """Print every case on one tree; a peer that runs at a smaller size is compared with our time at that size."""
    first_case = None
    for case in CASES:
        most = MOST_TIPS.get(case, 10**9)
        timing = in_a_fresh_process(case, source, most)
        first_case = first_case or timing
        same = first_case if timing.tips == first_case.tips else in_a_fresh_process("bioclip_probe", source, most)
        if not np.isclose(timing.checksum, same.checksum, rtol=1e-5):
            raise SystemExit(f"{case} gives another matrix: its sum is {timing.checksum}, ours {same.checksum}")
        note = "" if timing.tips == first_case.tips else f"  run at {timing.tips:,} tips; ours there {same.best:.4f} s"
        print(
            f"{first_case.tips:>7,}  {case:<24} {timing.first:>9.3f} {timing.best:>9.3f} {timing.mebibytes:>9.0f} "
            f"{timing.first / same.first:>9.1f} {timing.best / same.best:>9.1f}{note}"
        )


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description="Tree distance beside scikit-bio and ete3")
    parser.add_argument("--taxa", type=int, nargs="+", default=[2000, 10_000], help="sizes of the synthetic taxonomies")
    parser.add_argument("--newick", type=Path, help="a phylogeny to measure as well")
    arguments = parser.parse_args()
    columns = ("first s", "best s", "peak MiB", "× ours", "× ours")
    print(f"{'tips':>7}  {'':<24} " + " ".join(f"{column:>9}" for column in columns))
    for source in [*arguments.taxa, *([arguments.newick] if arguments.newick else [])]:
        compare(source)


if __name__ == "__main__":
    main()
