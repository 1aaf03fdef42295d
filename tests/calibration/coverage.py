"""The coverage of every interval that is shown: random samples of species from a population that does not change.

Run it with ``python -m tests.calibration coverage [--draws N] --out DIR``. One draw is one sample, and serves all
metrics, the scores of a probe, and the differences between two models.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd

from bioclip_probe import metrics
from bioclip_probe.metrics.embedding_pairs import EmbeddingPair
from bioclip_probe.metrics.measurement import Measurement
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.probes import SHUFFLED, ProbeSettings
from bioclip_probe.stats.embeddings import Embeddings
from bioclip_probe.study import covered_intervals
from bioclip_probe.study import sample as of_study
from bioclip_probe.study.measuring import texts
from bioclip_probe.study.predicting import predict
from bioclip_probe.study.sample import Sample
from bioclip_probe.study.scoring import score
from bioclip_probe.tables import IMAGES
from bioclip_probe.tree import Placement, taxonomy
from tests.calibration.expectations import PROTOCOLS
from tests.calibration.grounds import subtree
from tests.calibration.populations import DIMENSIONS, KINDS, N_IMAGES, Population, population
from tests.calibration.publishing import markdown
from tests.calibration.randomness import generator
from tests.calibration.resumable import run
from tests.calibration.verdicts import LEVEL, clopper_pearson

PARTS = ("metrics", "probes")
SIZES, SIGNALS = (40, 80, 300), (0.0, 0.5, 1.0)
N_DRAWS, DRAWS_PER_JOB = 250, 5
#: Both models are measured in each draw, and the intervals of either are counted; a word marks those of the second.
MODELS = {"first": "", "second": "second"}
#: An interval that covers more rarely is not shown, nor one that was made fewer times over all λ.
LOWEST, FEWEST_INTERVALS = 0.93, 100
#: A clade that fewer draws hold has no target.
FEWEST_OF_CLADE = 20
#: p-values are not used, and the delta has no interval; chance levels are used, where numbers are adjusted to them.
SETTINGS = MeasureSettings(n_permutations=19, n_primary_permutations=1, n_model_permutations=1, n_hyperbolicity_draws=1)
#: Scores whose chance level depends on the number of taxa, and whose best value is 1.
ACCURACIES = ("macro_accuracy", "top1_accuracy", "top5_accuracy")
PROBES = ProbeSettings(("lda", "knn", "simpleshot", "zero_shot"), (*PROTOCOLS, SHUFFLED), shots=(1,))
COLUMNS = {
    "tree": "taxonomy or dated tree",
    "ground": "where its species are from",
    "n": "species in a sample",
    "signal": "Pagel's λ of both models",
    "metric": "the number; of two models where its name says so",
    "rank": "",
    "protocol": "of the probes, or few-shot, or names",
    "draws": "samples in which the number exists, of both models and all probes or clades together",
    "shown": "share of them with an interval",
    "target": "mean of the number over the samples; of an accuracy, of its share of the way from chance to 1",
    "sd": "standard deviation of the same; both of the first model",
    "coverage": "share of intervals that hold the target",
    "coverage_low": "Clopper–Pearson, 95 %",
    "coverage_high": "",
    "below": "share of intervals that lie below the target",
    "width": "mean width",
    "verdict": "covers, doubtful, or covers too rarely",
}


@dataclass(frozen=True)
class Cell:
    """Samples of one size from one population, and what is measured of them."""

    tree: str
    n: int
    signal: float
    part: str = PARTS[0]

    @property
    def key(self) -> str:
        """The name of the cell in the file of draws."""
        return f"{self.tree}|{self.n}|{self.signal:g}|{self.part}"


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


def draw(cell: Cell, number: int) -> dict[str, list[float]]:
    """Return the numbers of one sample: ``metric|rank|protocol|model`` → value, ends of its interval, and chance."""
    everything = population(cell.tree, cell.signal)
    rng = generator("coverage", cell.tree, cell.n, number)
    picked = np.sort(rng.choice(len(everything.tree.tips), cell.n, replace=False))
    first, second = (model[picked].reshape(-1, DIMENSIONS) for model in everything.models)
    images = np.repeat(np.arange(cell.n), N_IMAGES)
    if everything.lineages is None:
        tree = subtree(everything.tree, picked)
        return _metrics(Placement(tree, tree.tips[images]), first, second)
    lineages = everything.lineages.iloc[picked[images]].reset_index(drop=True)
    placement = taxonomy(lineages)
    if cell.part == PARTS[0]:
        return _metrics(placement, first, second)
    return _probe_scores(everything, lineages, placement, first, second)


def _metrics(placement: Placement, first: np.ndarray, second: np.ndarray) -> dict[str, list[float]]:
    """Return all metrics of two models, and their differences."""
    shared = [SharedResults(vectors, placement, SETTINGS) for vectors in (first, second)]
    own, other = (metrics.measure(results) for results in shared)
    pair = metrics.measure(EmbeddingPair(*shared))
    differences = metrics.paired_differences(own, other, SETTINGS, dated=placement.tree.unit != "rank")
    return _numbers(own) | _numbers(other, MODELS["second"]) | _numbers([*pair, *differences])


def _numbers(measurements: Iterable[Measurement], model: str = "") -> dict[str, list[float]]:
    """Return the value, the ends of the interval and a chance of 0 for each measurement."""
    return {
        _name(row.metric, row.rank, "", model, row.taxon): [row.value, row.estimate.ci_low, row.estimate.ci_high, 0.0]
        for row in measurements
    }


def _name(metric: str, rank: str, protocol: str, model: str, taxon: str | None) -> str:
    """Return the name of a number in the file of draws; a single clade comes last."""
    clade = () if taxon is None or pd.isna(taxon) else (taxon.replace("|", ">"),)
    return "|".join((metric, rank, protocol, model, *clade))


def _probe_scores(
    everything: Population, lineages: pd.DataFrame, placement: Placement, first: np.ndarray, second: np.ndarray
) -> dict[str, list[float]]:
    """Return the scores of probes on each of two models, how names lie to images, and the differences of the models."""
    ids = np.array([f"image{number:05}" for number in range(len(lineages))], dtype=object)
    images = IMAGES.frame(lineages.assign(image_id=ids))
    embeddings = {name: Embeddings.of(ids, vectors) for name, vectors in zip(MODELS, (first, second), strict=True)}
    here = set(placement.tree.paths)
    names = {
        name: replace(embedded, table=embedded.table[embedded.table["taxon"].isin(here)])
        for name, embedded in zip(MODELS, everything.names, strict=True)
    }
    sample = Sample("calibration", True, images, placement, embeddings, names=names)
    with patch.object(of_study, "without_others", lambda table, n_species: table):  # count all that there are
        scores = score(sample, predict(sample, PROBES), SETTINGS)
        rows = pd.concat([scores, texts(sample, settings=SETTINGS)], ignore_index=True)
    rows["protocol"], rows["shots"] = covered_intervals.protocols(rows), rows["shots"].fillna(0)
    rows["asked"] = [
        " ".join(filter(None, (MODELS[row.encoder], row.probe, f"{row.shots}" if row.shots else "")))
        for row in rows.fillna({"probe": ""}).itertuples()
    ]
    rows["of"] = rows["chance"].where(rows["metric"].isin(ACCURACIES), 0.0)
    return {
        _name(row.metric, row.rank, row.protocol, row.asked, row.taxon): [row.value, row.ci_low, row.ci_high, row.of]
        for row in rows.itertuples(index=False)
    }


def work(block: Block) -> dict:
    """Return the line of a block: the numbers of its draws by name, and where the species are from."""
    draws = [draw(block.cell, number) for number in range(block.start, block.stop)]
    names = dict.fromkeys(name for numbers in draws for name in numbers)
    nothing = [np.nan] * 4
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
    """Return the coverage of each number in each cell, with columns `COLUMNS`.

    Both models, all probes and all clades of a rank count together; each has its own target.
    """
    draws: dict[tuple[Cell, str, str, str, str], dict[tuple[str, ...], list[np.ndarray]]] = {}
    for block in jobs:
        line = lines.get(block.key, {"ground": "", "numbers": {}})
        for key, numbers in line["numbers"].items():
            metric, rank, protocol, *series = key.split("|")
            of_number = draws.setdefault((block.cell, line["ground"], metric, rank, protocol), {})
            of_number.setdefault(tuple(series), []).append(np.array(numbers, dtype=np.float64))
    rows = []
    for (cell, ground, metric, rank, protocol), of_number in draws.items():
        about = {"tree": cell.tree, "ground": ground, "n": cell.n, "signal": cell.signal}
        row = _coverage([values for series, parts in of_number.items() if len(values := _made(series, parts))])
        rows.append({**about, "metric": metric, "rank": rank, "protocol": protocol, **row})
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _made(series: tuple[str, ...], parts: Sequence[np.ndarray]) -> np.ndarray:
    """Return the draws of a number of one model and probe that exist, (draws, 4); none for a clade in few draws."""
    numbers = np.concatenate(parts)
    numbers = numbers[np.isfinite(numbers[:, 0])]
    is_clade = len(series) > 1
    return numbers[: 0 if is_clade and len(numbers) < FEWEST_OF_CLADE else None]


def _coverage(models: Sequence[np.ndarray]) -> dict:
    """Return the columns of one number from its values, ends of intervals and chance, (draws, 4), one array a series.

    The target is the mean over samples; for accuracies, of their share of the way from chance to 1.
    """
    models = [_comparable(numbers) for numbers in models]
    shown = [numbers[np.isfinite(numbers).all(axis=1)] for numbers in models]
    n_draws, n_shown = sum(map(len, models)), sum(map(len, shown))
    row = {"draws": n_draws, "shown": n_shown / n_draws if n_draws else np.nan}
    if not n_shown:
        return row
    target = np.concatenate([np.full(len(own), all_.mean(axis=0)[0]) for own, all_ in zip(shown, models, strict=True)])
    _, low, high = np.concatenate(shown).T
    slack = 1e-6 * np.maximum(1.0, np.abs(target))  # numbers in the file are rounded
    covers = (low <= target + slack) & (target - slack <= high)
    lowest, highest = clopper_pearson(int(covers.sum()), len(covers), LEVEL)
    verdict = "covers" if covers.mean() >= LOWEST else "doubtful" if highest >= LOWEST else "covers too rarely"
    return row | {
        "target": models[0][:, 0].mean(),
        "sd": models[0][:, 0].std(),
        "coverage": covers.mean(),
        "coverage_low": lowest,
        "coverage_high": highest,
        "below": np.mean(high < target - slack),
        "width": np.mean(high - low),
        "verdict": verdict,
    }


def _comparable(numbers: np.ndarray) -> np.ndarray:
    """Return values and the ends of intervals, (draws, 3), as shares of the way from chance, where there is one, to 1.

    The chance of an accuracy depends on the number of taxa, which differs between samples.
    """
    chance = np.nan_to_num(numbers[:, 3:])
    return (numbers[:, :3] - chance) / np.where(chance < 1, 1 - chance, 1)


def pooled(covered: pd.DataFrame) -> pd.DataFrame:
    """Return the coverage over all λ of each number, tree and number of species.

    Parameters
    ----------
    covered : DataFrame
        From `table`.

    Returns
    -------
    DataFrame
        `intervals` that were made, their `coverage`, and the `lowest` coverage at one λ. `reason` says why the package
        withholds the interval; it is empty where the interval is shown.
    """
    known = covered[covered["coverage"].notna()].fillna({"rank": "", "protocol": ""})
    intervals = (known["draws"] * known["shown"]).round().astype(int)
    counts = known.assign(
        intervals=intervals, held=intervals * known["coverage"], rare=known["verdict"] == "covers too rarely"
    )
    groups = counts.groupby([*covered_intervals.KEY, "n"], sort=False)
    sums = {"intervals": ("intervals", "sum"), "held": ("held", "sum"), "lowest": ("coverage", "min")}
    rows = groups.agg(**sums, rare=("rare", "any")).reset_index()
    rows["coverage"] = rows.pop("held") / rows["intervals"]
    reasons = {
        "too few intervals to tell": rows["intervals"] < FEWEST_INTERVALS,
        f"covers less than {LOWEST:g}": rows["coverage"] < LOWEST,
        f"covers surely less than {LOWEST:g} at one λ": rows.pop("rare"),
    }
    return rows.assign(reason=np.select(list(reasons.values()), list(reasons), default=""))


def covered_list(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the intervals of `pooled` that the package shows, with the columns of its list."""
    return rows.loc[rows["reason"] == ""].rename(columns={"n": "n_species"})[covered_intervals.COLUMNS]


def study(
    out: Path,
    processes: int,
    n_draws: int = N_DRAWS,
    sizes: Sequence[int] = SIZES,
    trees: Sequence[str] = KINDS,
    parts: Sequence[str] = PARTS,
) -> pd.DataFrame:
    """Make the draws that a folder lacks, write the table, with and without λ, and return that with λ."""
    cells = [Cell(*cell) for cell in itertools.product(trees, sizes, SIGNALS, parts)]
    jobs = blocks([cell for cell in cells if cell.part == PARTS[0] or cell.tree == KINDS[0]], n_draws)

    def write(lines: dict[str, dict]) -> pd.DataFrame:
        covered = table(jobs, lines)
        covered.to_csv(out / "coverage.csv", index=False, float_format="%.4g")
        pooled(covered).to_csv(out / "pooled.csv", index=False, float_format="%.4g")
        return covered

    lines = run(jobs, work, out / "draws-coverage.jsonl", processes, write)
    covered = write(lines)
    seconds = sum(line["seconds"] for line in lines.values())
    print(f"\n{len(covered)} rows, {seconds:,.0f} s of one core; written to {out / 'coverage.csv'}")
    return covered


def summary(rows: pd.DataFrame) -> str:
    """Return the least coverage over ranks of each number of `pooled` that is shown, as Markdown."""
    rows = rows[rows["reason"] == ""]
    of_probe = " (" + rows["protocol"] + ")"
    names = "`" + rows["metric"] + "`" + of_probe.where(rows["protocol"] != "", "")
    least = rows.assign(number=names).pivot_table("coverage", "number", ["tree", "n"], aggfunc="min", sort=False)
    least = least.sort_index(axis=1, ascending=[False, True])
    least.columns = [f"{tree}, {n}" for tree, n in least.columns]
    return markdown(least.reset_index())
