"""The table of truths: models whose answer is known, each measured by the public command on ready vectors.

Run it with ``python -m tests.calibration truths [--quick] --out DIR``.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from bioclip_probe.cli.main import main
from bioclip_probe.metrics.registry import REGISTRY
from bioclip_probe.tables import MEASUREMENTS, RANKS
from tests.calibration import known
from tests.calibration.claims import CHANCE, COLUMNS, FAILS, Claim, Number
from tests.calibration.known import TREES, KnownModels
from tests.calibration.randomness import generator
from tests.calibration.resumable import run

#: Columns of a draw that claims may need. Texts are empty where they are missing.
TEXTS = ("encoder", "encoder_b", "tree", "rank", "protocol", "metric", "null", "note")
NUMBERS = ("value", "chance", "ci_low", "ci_high", "p_value", "n_images")
FAMILY = "family"
#: The ranks at which a memoriser of species knows nothing.
ABOVE_SPECIES = RANKS[:-1]
CPCC, LAMBDA, DIMENSION, SHARE = "cophenetic_correlation", "pagel_lambda", "effective_dimension", "heritable_share"
NEIGHBOR, MACRO, GAP = "knn_purity_1_other_species", "macro_accuracy", "unseen_gap"
RELATIVE, DISATTENUATED = "relative_cophenetic_correlation", "disattenuated_cophenetic_correlation"
#: Metrics of the cells that are many: the primary endpoints, and what stands beside them.
FEW_METRICS = (CPCC, LAMBDA, DIMENSION, SHARE, NEIGHBOR, RELATIVE, DISATTENUATED)
#: Numbers that are 0 for any model that knows no tree, however much its images scatter.
TREELESS_ZEROS = (
    CPCC,
    LAMBDA,
    SHARE,
    RELATIVE,
    DISATTENUATED,
    "balanced_tree_correlation",
    "spearman",
    "kendall_tau_b",
)
LAMBDA_TOLERANCE = 0.06
N_LAMBDA_SPECIES = 150


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
    arguments: tuple[str, ...] = ("measure",)
    pool: str = ""
    pooled: tuple[Claim, ...] = ()


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


def names_in(metrics: Iterable[str]) -> list[str]:
    """Return those of some metrics that the registry has: a metric that is missing is reported, and stops nothing."""
    return [name for name in metrics if name in REGISTRY]


def against_null(rows: pd.DataFrame) -> list[Claim]:
    """Return claims about numbers above species rank, which a model without a tree must leave at their chance level."""
    single = rows[(rows["encoder_b"] == "") & rows["rank"].isin(ABOVE_SPECIES)]
    claims = []
    for (metric, rank, tree, protocol), same in single.groupby(["metric", "rank", "tree", "protocol"], sort=False):
        for encoder in same["encoder"].unique():
            own = same[same["encoder"] == encoder]
            number = Number(metric, rank, tree, encoder, protocol=protocol)
            truth: float | str = 0.0 if metric.endswith("_adjusted") else CHANCE
            if (own["null"] == "species").any() and (own["ci_low"].notna().any()):
                claims.append(Claim(number, "interval", truth))
            if own["p_value"].notna().any() and (own["null"] == "species").any():
                claims.append(Claim(number, "uniform"))
    return claims


def primaries_without_tree(model: str) -> list[Claim]:
    """Return what must hold for the primary endpoints of a model that knows no tree."""
    claims = []
    for tree in TREES:
        cpcc, signal = Number(CPCC, tree=tree, encoder=model), Number(LAMBDA, tree=tree, encoder=model)
        claims += [
            Claim(cpcc, "interval", 0.0, primary="CPCC"),
            Claim(cpcc, "mean", CHANCE, 0.03, "CPCC"),
            Claim(cpcc, "uniform", primary="CPCC"),
            Claim(signal, "mean", 0.0, LAMBDA_TOLERANCE, "λ"),
            Claim(signal, "interval", 0.0, primary="λ"),
            Claim(signal, "uniform", primary="λ"),
        ]
    neighbor = Number(NEIGHBOR, FAMILY, encoder=model)
    return [
        *claims,
        Claim(neighbor, "interval", CHANCE, primary="1-NN"),
        Claim(neighbor, "mean", CHANCE, 0.02, "1-NN"),
        Claim(neighbor, "uniform", primary="1-NN"),
        Claim(Number(SHARE, encoder=model), "interval", 0.0),
        Claim(Number(SHARE, encoder=model), "mean", 0.0, LAMBDA_TOLERANCE),
    ]


def memoriser_claims(rows: pd.DataFrame) -> list[Claim]:
    """Return what must hold for a memoriser of species without a tree."""
    return primaries_without_tree("memoriser") + against_null(rows)


def tree_blind_claims(rows: pd.DataFrame) -> list[Claim]:
    """Return what must hold for two models without a tree whose images scatter unequally, and for their differences."""
    claims = [claim for model in rows["encoder"].unique() for claim in primaries_without_tree(model)]
    pairs = rows[rows["encoder_b"] != ""].drop_duplicates(["metric", "rank", "tree"])
    for row in pairs.itertuples():
        base = row.metric.removesuffix("_difference")
        number = Number(row.metric, row.rank, row.tree, row.encoder, row.encoder_b)
        above = row.rank != RANKS[-1] and (base.endswith("_adjusted") or "other_species" in base)
        if base in TREELESS_ZEROS or above:
            claims += [Claim(number, "interval", 0.0), Claim(number, "uniform")]
        elif base == "image_tree_correlation":
            claims.append(Claim(number, "uniform"))
    return claims + against_null(rows)


def evolving_claims(rows: pd.DataFrame, tree: str, signal: float) -> list[Claim]:
    """Return what must hold for a model of known λ."""
    of_tree = Number(LAMBDA, tree=tree)
    claims = [Claim(of_tree, "mean", signal, LAMBDA_TOLERANCE, "λ"), Claim(of_tree, "interval", signal)]
    beside = (DIMENSION, CPCC, RELATIVE, DISATTENUATED)
    claims += [Claim(Number(metric, tree=tree), "value") for metric in beside]
    if not signal:
        claims += [Claim(of_tree, "uniform", primary="λ"), Claim(Number(CPCC, tree=tree), "uniform", primary="CPCC")]
        claims.append(Claim(Number(NEIGHBOR, FAMILY), "interval", CHANCE, primary="1-NN"))
        claims.append(Claim(Number(SHARE), "interval", 0.0))
    return claims


def one_dimension_claims(rows: pd.DataFrame, tree: str) -> list[Claim]:
    """Return what must hold for a model that knows one heritable thing: signal, and hardly more than one direction."""
    return [
        Claim(Number(DIMENSION, tree=tree), "below", 2.0, primary="λ"),
        Claim(Number(LAMBDA, tree=tree), "above", 0.5, primary="λ"),
        Claim(Number(CPCC, tree=tree), "p", primary="CPCC"),
        Claim(Number(CPCC, tree=tree), "value", primary="CPCC"),
        Claim(Number(NEIGHBOR, FAMILY), "value", primary="1-NN"),
        Claim(Number(SHARE), "above", 0.1),
    ]


def noise_claims(rows: pd.DataFrame) -> list[Claim]:
    """Return what must hold for probes on noise: macro accuracy equals chance at every rank, and the gap is 0."""
    claims = []
    for rank in RANKS:
        for protocol in ("seen", "unseen") if rank != RANKS[-1] else ("seen",):
            number = Number(MACRO, rank, protocol=protocol)
            primary = "unseen" if (rank, protocol) == (FAMILY, "unseen") else ""
            claims += [
                Claim(number, "interval", CHANCE, primary=primary),
                Claim(number, "mean", CHANCE, 0.02, primary),
                Claim(number, "uniform", primary=primary),
            ]
        if rank != RANKS[-1]:
            gap = Number(GAP, rank, protocol="unseen")
            claims += [Claim(gap, "interval", 0.0), Claim(gap, "mean", 0.0, 0.02)]
    return claims


def probed_memoriser_claims(rows: pd.DataFrame) -> list[Claim]:
    """Return what must hold for probes on a memoriser: seen species are named, the taxa of unseen ones guessed."""
    claims = []
    for rank in ABOVE_SPECIES:
        unseen = Number(MACRO, rank, protocol="unseen")
        primary = "unseen" if rank == FAMILY else ""
        claims += [Claim(unseen, "interval", CHANCE, primary=primary), Claim(unseen, "mean", CHANCE, 0.03, primary)]
    claims.append(Claim(Number(MACRO, FAMILY, protocol="seen"), "above", 0.9))
    claims.append(Claim(Number(GAP, FAMILY, protocol="unseen"), "above", 0.5))
    return claims


def twin_claims(rows: pd.DataFrame) -> list[Claim]:
    """Return what must hold for two models that are equal but for one seed: no difference of any number."""
    pairs = rows[rows["encoder_b"] != ""].drop_duplicates(["metric", "rank", "tree"])
    return [
        Claim(Number(row.metric, row.rank, row.tree, row.encoder, row.encoder_b), kind, 0.0)
        for row in pairs.itertuples()
        if row.metric.endswith("_difference")
        for kind in ("interval", "uniform")
    ]


def difference(metric: str, tree: str, models: tuple[str, str]) -> Number:
    """Return the difference of a number of two models."""
    return Number(f"{metric}_difference", tree=tree, encoder=models[0], encoder_b=models[1])


def unequal_claims(rows: pd.DataFrame, tree: str, models: tuple[str, str], apart: Sequence[str]) -> list[Claim]:
    """Return what must hold for two models of one λ: some numbers are told apart, and λ is not."""
    same = [metric for metric in (LAMBDA, DISATTENUATED, RELATIVE) if metric not in apart]
    return [
        *(Claim(difference(metric, tree, models), "apart") for metric in apart),
        Claim(difference(LAMBDA, tree, models), "mean", 0.0, LAMBDA_TOLERANCE, "λ"),
        *(Claim(difference(metric, tree, models), "interval", 0.0) for metric in same),
    ]


def padded_claims(rows: pd.DataFrame, tree: str) -> list[Claim]:
    """Return what must hold for one model in two numbers of dimensions: equal numbers."""
    models = ("narrow", "padded")
    return [
        Claim(difference(metric, tree, models), kind, 0.0, 1e-4)
        for metric in (CPCC, LAMBDA, DIMENSION, RELATIVE)
        for kind in ("mean", "interval")
    ]


#: Sizes of the study: draws of a truth and of a cell of λ; the λ, dimensions, spectra and scatters of the cells.
SIZES = {
    "full": (40, 3, (0.0, 0.25, 0.5, 0.75, 1.0), (8, 64, 512, 1024), ("flat", "decaying", "steep"), (0.05, 1.0)),
    "quick": (3, 1, (0.0, 0.5, 1.0), (8, 64), ("flat", "steep"), (0.05, 1.0)),
}


def evolving_truth(tree: str, signal: float, d: int, shape: str, scatter: float, n_draws: int) -> Truth:
    """Return a cell of the truths about λ."""
    pooled = Claim(Number(LAMBDA, tree=tree), "mean", signal, LAMBDA_TOLERANCE, "λ")
    tests = (Claim(Number(LAMBDA, tree=tree), "uniform", primary="λ"), Claim(Number(CPCC, tree=tree), "uniform"))
    return Truth(
        f"λ = {signal:g}, {d} dimensions, {shape}, scatter {scatter:g}, {tree}",
        partial(
            known.evolving, n=N_LAMBDA_SPECIES, n_images=5, tree=tree, signal=signal, d=d, shape=shape, scatter=scatter
        ),
        partial(evolving_claims, tree=tree, signal=signal),
        n_draws,
        ("measure", "--metrics", *names_in(FEW_METRICS)),
        f"λ = {signal:g}, scatter {scatter:g}, {tree}",
        (pooled, Claim(Number(LAMBDA, tree=tree), "interval", signal), *(() if signal else tests)),
    )


@cache
def plan(size: str) -> dict[str, Truth]:
    """Return the truths of a study by name."""
    n_draws, n_cell_draws, *grid = SIZES[size]
    quickly = size == "quick"
    small = {"n": 60, "n_images": 6} if quickly else {"n": 100, "n_images": 10}
    pair = {"n": 60, "n_images": 5} if quickly else {"n": 100, "n_images": 5}
    few = ("measure", "--metrics", *names_in(FEW_METRICS))
    probe = ("probe", "--probes", "lda", "--protocols", "seen", "unseen")
    truths = [
        Truth("memoriser", partial(known.memoriser, **small), memoriser_claims, n_draws),
        Truth("tree-blind, unequal scatter", partial(known.tree_blind, **pair), tree_blind_claims, n_draws),
        Truth("noise, probed", partial(known.pure_noise, **small), noise_claims, n_draws, probe),
        Truth("memoriser, probed", partial(known.memoriser, **small), probed_memoriser_claims, n_draws, probe),
        Truth("equal but for a seed", partial(known.equal_but_for_seed, **pair), twin_claims, n_draws),
    ]
    noisy, wide = ("little", "much"), ("wide", "narrow")
    for tree in TREES:
        truths += [
            Truth(f"one trait, {tree}", partial(known.one_trait, **pair, tree=tree),
                  partial(one_dimension_claims, tree=tree), n_draws, few),
            Truth(f"habitat, {tree}", partial(known.habitat, **pair, tree=tree),
                  partial(one_dimension_claims, tree=tree), n_draws, few),
            Truth(f"equal but for noise, {tree}", partial(known.equal_but_for_noise, **pair, tree=tree),
                  partial(unequal_claims, tree=tree, models=noisy, apart=(CPCC,)), n_draws),
            Truth(f"equal but for dimension, {tree}", partial(known.equal_but_for_dimension, **pair, tree=tree),
                  partial(unequal_claims, tree=tree, models=wide, apart=(CPCC, DIMENSION)), n_draws),
            Truth(f"equal but for padding, {tree}", partial(known.equal_but_for_padding, **pair, tree=tree),
                  partial(padded_claims, tree=tree), min(n_draws, 3)),
        ]  # fmt: skip
    truths += [evolving_truth(tree, *cell, n_cell_draws) for tree in TREES for cell in itertools.product(*grid)]
    return {truth.name: truth for truth in truths}


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
