"""The coverage of every interval that is shown: random samples of species from a population that does not change.

Run it with ``python -m tests.calibration coverage [--draws N] --out DIR``. One draw is one sample, and serves all
metrics, the scores of a probe, and the differences between two models.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from bioclip_probe import metrics
from bioclip_probe.metrics.measurement import Measurement
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import EmbeddingPair, SharedResults
from bioclip_probe.probes.settings import ProbeSettings
from bioclip_probe.stats.embeddings import Embeddings
from bioclip_probe.study.probing import probe
from bioclip_probe.study.sample import Sample
from bioclip_probe.study.scoring import score
from bioclip_probe.tables import IMAGES, RANKS
from bioclip_probe.tree import Placement, Tree, brownian, read_tree, taxonomy
from bioclip_probe.tree.newick import parse_newick
from tests.calibration.expectations import PROTOCOLS
from tests.calibration.grounds import INAT21, MAMMALS, subtree
from tests.calibration.known import made_up_species
from tests.calibration.publishing import markdown
from tests.calibration.randomness import generator
from tests.calibration.resumable import run
from tests.calibration.verdicts import LEVEL, clopper_pearson

KINDS = ("taxonomy", "dated tree")
SIZES, SIGNALS = (40, 80, 300), (0.0, 0.5, 1.0)
N_IMAGES, DIMENSIONS, SCATTER = 5, 32, 1.0
N_DRAWS, N_MADE_UP, DRAWS_PER_JOB = 500, 1000, 5
#: An interval that covers more rarely is withdrawn.
LOWEST = 0.93
#: p-values are not used; chance levels are, where numbers are adjusted to them.
SETTINGS = MeasureSettings(n_permutations=19, n_primary_permutations=1, n_model_permutations=1)
PROBES = ProbeSettings(probes=("lda",), protocols=PROTOCOLS)
COLUMNS = {
    "tree": "taxonomy or dated tree",
    "ground": "where its species are from",
    "n": "species in a sample",
    "signal": "Pagel's λ of both models",
    "metric": "the number; of two models where its name says so",
    "rank": "",
    "protocol": "of the probe",
    "draws": "samples in which the number exists",
    "shown": "share of them with an interval",
    "target": "mean of the number over the samples",
    "sd": "standard deviation of the number over the samples",
    "coverage": "share of intervals that hold the target",
    "coverage_low": "Clopper–Pearson, 95 %",
    "coverage_high": "",
    "below": "share of intervals that lie below the target",
    "width": "mean width",
    "verdict": "covers, doubtful, or covers too rarely",
}


@dataclass(frozen=True)
class Cell:
    """Samples of one size from one population."""

    tree: str
    n: int
    signal: float

    @property
    def key(self) -> str:
        """The name of the cell in the file of draws."""
        return f"{self.tree}|{self.n}|{self.signal:g}"


@dataclass(frozen=True)
class Block:
    """The draws of a cell from `start` up to `stop`."""

    cell: Cell
    start: int
    stop: int

    @property
    def key(self) -> str:
        """The name of the block in the file of draws."""
        return f"{self.cell.key}|{self.start}-{self.stop}"


@dataclass(frozen=True, eq=False)
class Population:
    """All species of a tree, and the vectors of their images in two models that evolved independently of each other.

    Attributes
    ----------
    ground : str
        Where the species are from.
    tree : Tree
    lineages : DataFrame, k rows, or None
        On a dated tree there are none.
    models : tuple of ndarray, shape (k, N_IMAGES, d)
        Unit vectors, species in the order of the tips.
    """

    ground: str
    tree: Tree
    lineages: pd.DataFrame | None
    models: tuple[np.ndarray, np.ndarray]


@lru_cache(maxsize=2)
def population(tree: str, signal: float) -> Population:
    """Return the population of a cell: iNat21's species or the mammals, or made-up species where there are no data."""
    ground, grown, lineages = _species(tree)
    rng = generator("coverage", tree, ground, f"{signal:g}")
    height = float(grown.depth.max())
    models = []
    for _ in range(2):
        species = brownian(grown, DIMENSIONS, rng, signal)[grown.tips][:, None]
        rows = species + SCATTER * np.sqrt(height) * rng.standard_normal((len(grown.tips), N_IMAGES, DIMENSIONS))
        models.append((rows / np.linalg.norm(rows, axis=2, keepdims=True)).astype(np.float32))
    return Population(ground, grown, lineages, (models[0], models[1]))


def _species(tree: str) -> tuple[str, Tree, pd.DataFrame | None]:
    """Return the name of the species of a population, their tree, and the lineage of each tip in a taxonomy."""
    if tree == KINDS[0]:
        real = INAT21.is_file()
        rows = pd.read_csv(INAT21) if real else made_up_species(N_MADE_UP, generator("species")).lineages
        placement = taxonomy(rows[list(RANKS)])
        order = np.argsort(placement.node)
        return "iNat21" if real else "made up", placement.tree, rows[list(RANKS)].iloc[order].reset_index(drop=True)
    if MAMMALS.is_file():
        return "mammals", read_tree(MAMMALS, "Myr"), None
    return "made up", parse_newick(made_up_species(N_MADE_UP, generator("species")).newick, "Myr"), None


def draw(cell: Cell, number: int) -> dict[str, list[float]]:
    """Return the numbers of one sample by name: metric, rank and protocol → value, and the ends of its interval."""
    everything = population(cell.tree, cell.signal)
    rng = generator("coverage", cell.tree, cell.n, number)
    picked = np.sort(rng.choice(len(everything.tree.tips), cell.n, replace=False))
    first, second = (model[picked].reshape(-1, DIMENSIONS) for model in everything.models)
    images = np.repeat(np.arange(cell.n), N_IMAGES)
    if everything.lineages is None:
        tree = subtree(everything.tree, picked)
        placement = Placement(tree, tree.tips[images])
        scores = {}
    else:
        lineages = everything.lineages.iloc[picked[images]].reset_index(drop=True)
        placement = taxonomy(lineages)
        scores = _probe_scores(lineages, placement, first, second)
    shared = [SharedResults(vectors, placement, SETTINGS) for vectors in (first, second)]
    own, other = (metrics.measure(results) for results in shared)
    pair = metrics.measure(EmbeddingPair(*shared))
    differences = metrics.paired_differences(own, other, SETTINGS, dated=everything.lineages is None)
    return _numbers(own) | _numbers(pair) | _numbers(differences) | scores


def _numbers(measurements: Iterable[Measurement]) -> dict[str, list[float]]:
    """Return the value and the ends of the interval of each measurement about all taxa."""
    return {
        f"{row.metric}|{row.rank}|": [row.value, row.estimate.ci_low, row.estimate.ci_high]
        for row in measurements
        if row.taxon is None
    }


def _probe_scores(
    lineages: pd.DataFrame, placement: Placement, first: np.ndarray, second: np.ndarray
) -> dict[str, list[float]]:
    """Return the scores of a probe on the first model, and its differences to the second."""
    ids = np.array([f"image{number:05}" for number in range(len(lineages))], dtype=object)
    images = IMAGES.frame(lineages.assign(image_id=ids))
    embeddings = {name: Embeddings.of(ids, vectors) for name, vectors in (("first", first), ("second", second))}
    sample = Sample("calibration", True, images, placement, embeddings)
    table = score(sample, probe(sample, PROBES), SETTINGS)
    own = table[(table["encoder"] == "first") & table["taxon"].isna()]
    return {
        f"{row.metric}|{row.rank}|{row.protocol}": [row.value, row.ci_low, row.ci_high]
        for row in own.itertuples(index=False)
    }


def work(block: Block) -> dict:
    """Return the line of a block: the numbers of its draws by name, and where the species are from."""
    draws = [draw(block.cell, number) for number in range(block.start, block.stop)]
    names = dict.fromkeys(name for numbers in draws for name in numbers)
    nothing = [np.nan] * 3
    rows = {name: [_rounded(numbers.get(name, nothing)) for numbers in draws] for name in names}
    return {"ground": population(block.cell.tree, block.cell.signal).ground, "numbers": rows}


def _rounded(numbers: Sequence[float]) -> list[float | None]:
    """Return numbers with six digits; None for one that does not exist."""
    return [float(f"{value:.6g}") if np.isfinite(value) else None for value in numbers]


def blocks(cells: Iterable[Cell], n_draws: int) -> list[Block]:
    """Return the blocks of all cells: an interrupted study is a smaller version of the whole study."""
    starts = range(0, n_draws, DRAWS_PER_JOB)
    return [Block(cell, start, min(start + DRAWS_PER_JOB, n_draws)) for start, cell in itertools.product(starts, cells)]


def table(jobs: Iterable[Block], lines: dict[str, dict]) -> pd.DataFrame:
    """Return the coverage of each number in each cell, with columns `COLUMNS`."""
    ends: dict[tuple[Cell, str, str], list[np.ndarray]] = {}
    for block in jobs:
        line = lines.get(block.key, {"ground": "", "numbers": {}})
        for name, numbers in line["numbers"].items():
            ends.setdefault((block.cell, line["ground"], name), []).append(np.array(numbers, dtype=np.float64))
    rows = []
    for (cell, ground, name), arrays in ends.items():
        metric, rank, protocol = name.split("|")
        about = {"tree": cell.tree, "ground": ground, "n": cell.n, "signal": cell.signal}
        row = _coverage(np.concatenate(arrays))
        rows.append({**about, "metric": metric, "rank": rank, "protocol": protocol, **row})
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _coverage(numbers: np.ndarray) -> dict:
    """Return the columns of one number from its values and the ends of its intervals, shape (draws, 3)."""
    numbers = numbers[np.isfinite(numbers[:, 0])]
    value, low, high = numbers.T
    is_shown = np.isfinite(low) & np.isfinite(high)
    row = {"draws": len(value), "shown": is_shown.mean() if len(value) else np.nan}
    if not is_shown.any():
        return row
    target = value.mean()
    low, high = low[is_shown], high[is_shown]
    slack = 1e-6 * max(1.0, abs(target))  # numbers in the file are rounded
    covers = (low <= target + slack) & (target - slack <= high)
    lowest, highest = clopper_pearson(int(covers.sum()), len(covers), LEVEL)
    verdict = "covers" if covers.mean() >= LOWEST else "doubtful" if highest >= LOWEST else "covers too rarely"
    return row | {
        "target": target,
        "sd": value.std(),
        "coverage": covers.mean(),
        "coverage_low": lowest,
        "coverage_high": highest,
        "below": np.mean(high < target - slack),
        "width": np.mean(high - low),
        "verdict": verdict,
    }


def withdrawn(covered: pd.DataFrame) -> list[dict]:
    """Return the intervals that cover too rarely, with n, λ and coverage of the cells in which they do."""
    wrong = covered[covered["verdict"] == "covers too rarely"]
    return [
        {
            "metric": metric,
            "rank": rank,
            "protocol": protocol,
            "tree": tree,
            "cells": [[int(row.n), float(row.signal), round(float(row.coverage), 3)] for row in rows.itertuples()],
        }
        for (metric, rank, protocol, tree), rows in wrong.groupby(["metric", "rank", "protocol", "tree"], sort=False)
    ]


def study(
    out: Path, processes: int, n_draws: int = N_DRAWS, sizes: Sequence[int] = SIZES, trees: Sequence[str] = KINDS
) -> pd.DataFrame:
    """Make the draws that a folder lacks, and write the table and the list of intervals to withdraw."""
    jobs = blocks([Cell(*cell) for cell in itertools.product(trees, sizes, SIGNALS)], n_draws)

    def write(lines: dict[str, dict]) -> pd.DataFrame:
        covered = table(jobs, lines)
        covered.to_csv(out / "coverage.csv", index=False, float_format="%.4g")
        (out / "withdrawn.json").write_text(json.dumps(withdrawn(covered), indent=1) + "\n")
        return covered

    lines = run(jobs, work, out / "draws-coverage.jsonl", processes, write)
    covered = write(lines)
    seconds = sum(line["seconds"] for line in lines.values())
    print(f"\n{len(covered)} rows, {seconds:,.0f} s of one core; written to {out / 'coverage.csv'}")
    return covered


def summary(covered: pd.DataFrame) -> str:
    """Return the least coverage of each number by tree and number of species, over ranks and λ, as Markdown."""
    shown = covered[covered["coverage"].notna()]
    of_probe = " (" + shown["protocol"] + ")"
    names = "`" + shown["metric"] + "`" + of_probe.where(shown["protocol"] != "", "")
    least = shown.assign(number=names).pivot_table("coverage", "number", ["tree", "n"], aggfunc="min", sort=False)
    least = least.sort_index(axis=1, ascending=[False, True])
    least.columns = [f"{tree}, {n}" for tree, n in least.columns]
    return markdown(least.reset_index())
