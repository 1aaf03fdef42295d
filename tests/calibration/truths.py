"""The table of truths: models whose answer is known, each measured by the public command on ready vectors.

Run it with ``python -m tests.calibration truths [--quick] --out DIR``.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from bioclip_probe.cli.main import main
from bioclip_probe.metrics.registry import REGISTRY
from bioclip_probe.tables import MEASUREMENTS
from tests.calibration import known
from tests.calibration.claims import COLUMNS, FAILS, Claim, Number
from tests.calibration.expectations import (
    CPCC,
    DIMENSION,
    DISATTENUATED,
    LAMBDA,
    LAMBDA_TOLERANCE,
    NEIGHBOR,
    PROTOCOLS,
    RELATIVE,
    SHARE,
    evolving_claims,
    fully_heritable_claims,
    memoriser_claims,
    noise_claims,
    one_dimension_claims,
    padded_claims,
    probed_memoriser_claims,
    tree_blind_claims,
    twin_claims,
    unequal_claims,
)
from tests.calibration.known import TREES, Evolution, KnownModels
from tests.calibration.publishing import markdown
from tests.calibration.randomness import generator
from tests.calibration.resumable import run

#: Columns of a draw that claims may need. Texts are empty where they are missing.
TEXTS = ("encoder", "encoder_b", "tree", "rank", "protocol", "metric", "null", "note")
NUMBERS = ("value", "chance", "ci_low", "ci_high", "p_value", "n_images")
#: The primary endpoints and what stands beside them, as far as there are such metrics; all metrics; and fewer.
IMPORTANT = (CPCC, LAMBDA, DIMENSION, SHARE, NEIGHBOR, RELATIVE, DISATTENUATED)
ALL_METRICS = ("measure",)
IMPORTANT_METRICS = ("measure", "--metrics", *(name for name in IMPORTANT if name in REGISTRY))
FEW_METRICS = tuple(name for name in IMPORTANT_METRICS if name not in (RELATIVE, DISATTENUATED))
FEW_PERMUTATIONS = ("--n-permutations", "199", "--n-primary-permutations", "199")
N_LAMBDA_SPECIES = 150


def with_differences(*arguments: str) -> tuple[str, ...]:
    """Return the arguments of a command that measures metrics, with the differences of two models in each."""
    return (*arguments, *(f"{name}_difference" for name in arguments if f"{name}_difference" in REGISTRY))


@dataclass(frozen=True)
class Truth:
    """A model whose answer is known, the command that measures it, and what must hold.

    Attributes
    ----------
    name : str
    make : callable
        ``make(rng) -> KnownModels``.
    claims : callable
        ``claims(rows of the draws) -> claims``; some depend on which metrics there are.
    n_draws : int
    arguments : tuple of str
        Of the command, beside data, models, store, seed and results folder.
    pool : str
        Truths of one pool are judged together too, by `pooled`.
    pooled : tuple of Claim
    """

    name: str
    make: Callable[[np.random.Generator], KnownModels]
    claims: Callable[[pd.DataFrame], list[Claim]]
    n_draws: int
    arguments: tuple[str, ...] = ALL_METRICS
    pool: str = ""
    pooled: tuple[Claim, ...] = ()

    def asks(self, metric: str) -> bool:
        """Return True if the command measures a metric, or if there is no such metric, which must be reported."""
        base = metric.removesuffix("_difference")
        return "--metrics" not in self.arguments or base in self.arguments or base not in REGISTRY


@dataclass(frozen=True)
class Draw:
    """One draw of a truth."""

    size: str
    truth: str
    number: int

    @property
    def key(self) -> str:
        """The name of the draw in the file."""
        return f"{self.truth}|{self.number}"


def measured(truth: Truth, number: int) -> pd.DataFrame:
    """Return the measurements of one draw, raw, about all taxa and images: what the public command writes."""
    models = truth.make(generator("truths", truth.name, number))
    with TemporaryDirectory() as folder:
        names, tree = models.write(Path(folder))
        arguments = [*truth.arguments, "--data", names[0], "--models", *names, "--seed", str(number), "--quiet"]
        arguments += ["--store", f"{folder}/store", "--out", f"{folder}/out"]
        if truth.arguments[0] == "measure":
            arguments += ["--tree", str(tree), "--tree-unit", "Myr"]
        said = io.StringIO()
        with redirect_stdout(said), redirect_stderr(said):
            status = main(arguments)
        if status:
            raise RuntimeError(f"{truth.name}, draw {number}: {said.getvalue()}")
        table = MEASUREMENTS.read(Path(folder) / "out" / "measurements.parquet")
    table = table[(table["space"] == "raw") & table["taxon"].isna() & table["split"].isin(["all", "test"])]
    table = table.assign(**{name: table[name].fillna("").astype(object) for name in TEXTS})
    return table[[*TEXTS, *NUMBERS]].reset_index(drop=True)


def work(draw: Draw) -> dict:
    """Return the line of a draw: its rows, column by column."""
    table = measured(plan(draw.size)[draw.truth], draw.number)
    numbers = table.astype(dict.fromkeys(NUMBERS, "float64")).round(6)
    rows = {name: numbers[name].astype(object).where(numbers[name].notna(), None).tolist() for name in numbers}
    return {"rows": rows}


def table(truths: Iterable[Truth], lines: dict[str, dict]) -> pd.DataFrame:
    """Return a row for each claim of each truth that has draws, then of each pool."""
    truths = list(truths)
    rows_of = {truth.name: _rows(truth, lines) for truth in truths}
    judged = [
        {"truth": truth.name} | claim.judge(rows)
        for truth in truths
        if len(rows := rows_of[truth.name])
        for claim in truth.claims(rows)
        if truth.asks(claim.number.metric)
    ]
    for pool in dict.fromkeys(truth.pool for truth in truths if truth.pool):
        members = [truth for truth in truths if truth.pool == pool]
        rows = pd.concat([rows_of[truth.name] for truth in members])
        if len(rows):
            judged += [{"truth": f"all: {pool}"} | claim.judge(rows) for claim in members[0].pooled]
    return pd.DataFrame(judged, columns=list(COLUMNS))


def _rows(truth: Truth, lines: dict[str, dict]) -> pd.DataFrame:
    """Return the rows of all draws of a truth that are there."""
    tables = [pd.DataFrame(columns=["truth", "draw", *TEXTS, *NUMBERS])]
    for number in range(truth.n_draws):
        line = lines.get(Draw("", truth.name, number).key)
        if line:
            tables.append(pd.DataFrame(line["rows"]).assign(truth=truth.name, draw=number))
    rows = pd.concat(tables[1:] or tables, ignore_index=True)
    return rows.astype(dict.fromkeys(NUMBERS, "float64"))


@dataclass(frozen=True)
class Size:
    """How large a study is.

    Attributes
    ----------
    n_draws, n_cell_draws : int
        Draws of a truth, and of a cell of the truths about λ.
    n, n_images, n_pair_images : int
        Species; images of each for one model, and for two.
    signals, dimensions, shapes, scatters : tuple
        The cells: λ, dimensions, spectra, and scatter of images.
    probes : tuple of str
    pairs, cells_ask : tuple of str
        The command that measures two models, and a cell: with all metrics, or with the most important.
    without : tuple of str
        Truths that are left out.
    """

    n_draws: int
    n_cell_draws: int
    n: int
    n_images: int
    n_pair_images: int
    signals: tuple[float, ...]
    dimensions: tuple[int, ...]
    shapes: tuple[str, ...] = ("flat", "decaying", "steep")
    scatters: tuple[float, ...] = (0.05, 1.0)
    probes: tuple[str, ...] = ("linear", "lda")
    pairs: tuple[str, ...] = ALL_METRICS
    cells_ask: tuple[str, ...] = IMPORTANT_METRICS
    without: tuple[str, ...] = ()

    @property
    def cells(self) -> Iterable[Evolution]:
        """λ, dimensions, spectrum and scatter of each cell."""
        return itertools.starmap(
            Evolution, itertools.product(self.signals, self.dimensions, self.shapes, self.scatters)
        )


SIZES = {
    "full": Size(40, 3, 100, 10, 5, (0.0, 0.25, 0.5, 0.75, 1.0), (8, 64, 512, 1024)),
    "quick": Size(3, 1, 60, 6, 5, (0.0, 0.5, 1.0), (8, 64), ("flat", "steep")),
    "short": Size(
        *(1, 1, 40, 5, 5, (0.0, 0.5, 1.0), (64,), ("flat",), (1.0,), ("lda",)),
        pairs=(*with_differences(*FEW_METRICS, DISATTENUATED), *FEW_PERMUTATIONS),
        cells_ask=(*FEW_METRICS, *FEW_PERMUTATIONS),
        without=(
            "one trait, taxonomy",
            "habitat, dated",
            "equal but for noise, taxonomy",
            "equal but for dimension, taxonomy",
            "equal but for dimension, dated",
            "equal but for dimension, λ = 1, dated",
            "equal but for padding, dated",
        ),
    ),
}


def evolving_truth(tree: str, cell: Evolution, sizes: Size) -> Truth:
    """Return a cell of the truths about λ."""
    signal = cell.signal
    pooled = Claim(Number(LAMBDA, tree=tree), "mean", signal, LAMBDA_TOLERANCE, "λ")
    tests = (Claim(Number(LAMBDA, tree=tree), "uniform", primary="λ"), Claim(Number(CPCC, tree=tree), "uniform"))
    return Truth(
        f"λ = {signal:g}, {cell.d} dimensions, {cell.shape}, scatter {cell.scatter:g}, {tree}",
        partial(known.evolving, n=N_LAMBDA_SPECIES, n_images=5, evolution=cell, tree=tree),
        partial(evolving_claims, tree=tree, signal=signal),
        sizes.n_cell_draws,
        sizes.cells_ask,
        f"λ = {signal:g}, scatter {cell.scatter:g}, {tree}",
        (pooled, Claim(Number(LAMBDA, tree=tree), "interval", signal), *(() if signal else tests)),
    )


@cache
def plan(size: str) -> dict[str, Truth]:
    """Return the truths of a study by name."""
    sizes = SIZES[size]
    n, pairs = sizes.n_draws, sizes.pairs
    single = {"n": sizes.n, "n_images": sizes.n_images}
    pair = {"n": sizes.n, "n_images": sizes.n_pair_images}
    truths = [
        Truth("memoriser", partial(known.memoriser, **single), memoriser_claims, n),
        Truth("tree-blind, unequal scatter", partial(known.tree_blind, **pair), tree_blind_claims, n, pairs),
        Truth("equal but for a seed", partial(known.equal_but_for_seed, **pair), twin_claims, n, pairs),
    ]
    for probe in sizes.probes:
        asked = ("probe", "--probes", probe, "--protocols", *PROTOCOLS)
        noise, memoriser = partial(known.pure_noise, **single), partial(known.memoriser, **single)
        truths += [
            Truth(f"noise, {probe} probe", noise, noise_claims, n, asked),
            Truth(f"memoriser, {probe} probe", memoriser, probed_memoriser_claims, n, asked),
        ]
    for tree in TREES:
        here = {**pair, "tree": tree}
        one = partial(one_dimension_claims, tree=tree)
        noisy = partial(unequal_claims, tree=tree, models=("little", "much"), apart=(CPCC,))
        widths = ("wide", "narrow")
        wide = partial(unequal_claims, tree=tree, models=widths, apart=(CPCC, DIMENSION), ratios="value")
        heritable = partial(fully_heritable_claims, tree=tree, models=widths)
        truths += [
            Truth(f"one trait, {tree}", partial(known.one_trait, **here), one, n, sizes.cells_ask),
            Truth(f"habitat, {tree}", partial(known.habitat, **here), one, n, sizes.cells_ask),
            Truth(f"equal but for noise, {tree}", partial(known.equal_but_for_noise, **here), noisy, n, pairs),
            Truth(f"equal but for dimension, {tree}", partial(known.equal_but_for_dimension, **here), wide, n, pairs),
            Truth(
                f"equal but for dimension, λ = 1, {tree}",
                partial(known.equal_but_for_dimension, **here, signal=1.0),
                heritable,
                n,
                with_differences("measure", "--metrics", LAMBDA, RELATIVE),
            ),
            Truth(
                f"equal but for padding, {tree}",
                partial(known.equal_but_for_padding, **here),
                partial(padded_claims, tree=tree),
                min(n, 3),
                pairs,
            ),
        ]
        truths += [evolving_truth(tree, cell, sizes) for cell in sizes.cells]
    return {truth.name: truth for truth in truths if truth.name not in sizes.without}


def study(size: str, out: Path, processes: int, only: str = "") -> pd.DataFrame:
    """Make the draws that a folder lacks, write the table and return it.

    `only` is a part of the names of the truths that are wanted.
    """
    truths = [truth for truth in plan(size).values() if only in truth.name]
    draws = [Draw(size, truth.name, number) for truth in truths for number in range(truth.n_draws)]
    draws.sort(key=lambda draw: draw.number)  # an interrupted study is a smaller version of the whole study

    def write(lines: dict[str, dict]) -> pd.DataFrame:
        judged = table(truths, lines)
        judged.to_csv(out / "truths.csv", index=False, float_format="%.4g")
        return judged

    lines = run(draws, work, out / f"truths-{size}.jsonl", processes, write)
    judged = write(lines)
    seconds = sum(line["seconds"] for line in lines.values())
    print(f"\n{len(judged)} claims, {len(lines)} draws, {seconds:,.0f} s of one core; written to {out / 'truths.csv'}")
    return judged


def report(judged: pd.DataFrame) -> str:
    """Return the verdicts by truth, and the claims that fail or are missing, as text."""
    verdict = judged["verdict"].str.split(":").str[0]
    counts = pd.crosstab(judged["truth"], verdict).reindex(judged["truth"].unique())
    wrong = judged[verdict.isin([FAILS])]
    columns = ["truth", "models", "tree", "metric", "rank", "protocol", "claim", "draws", "mean", "chance", "share"]
    failed = wrong[columns].to_string(index=False) if len(wrong) else "no claim fails"
    return f"{counts.to_string()}\n\n{failed}"


def summary(judged: pd.DataFrame) -> str:
    """Return the claims about primary endpoints, those that fail, and the number of others that hold, as Markdown.

    The cells of λ are in the table by pools only.
    """
    pools = set(judged.loc[judged["truth"].str.startswith("all: "), "truth"])
    is_cell = judged["truth"].str.startswith("λ = ")
    shown = judged[(judged["primary"] != "") & ~is_cell | (judged["verdict"] == FAILS) | judged["truth"].isin(pools)]
    columns = ["truth", "models", "tree", "metric", "rank", "claim", "draws", "mean", "chance", "share", "verdict"]
    counts = judged["verdict"].str.split(":").str[0].value_counts()
    counted = ", ".join(f"{n} {verdict}" for verdict, n in counts.items())
    return f"{len(judged):,} claims: {counted}.\n\n{markdown(shown[columns])}"
