"""What must hold for each model whose answer is known: the claims about its numbers."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from bioclip_probe.tables import RANKS
from tests.calibration.claims import CHANCE, Claim, Number
from tests.calibration.known import TREES

FAMILY = "family"
#: The ranks at which a memoriser of species knows nothing.
ABOVE_SPECIES = RANKS[:-1]
CPCC, LAMBDA, DIMENSION, SHARE = "cophenetic_correlation", "pagel_lambda", "effective_dimension", "heritable_share"
NEIGHBOR, MACRO, GAP = "knn_purity_1_other_species", "macro_accuracy", "unseen_gap"
RELATIVE, DISATTENUATED = "relative_cophenetic_correlation", "disattenuated_cophenetic_correlation"
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
#: Of CPCC over its attainable value: with 8 dimensions, single evolutions differ by 0.15.
RATIO_TOLERANCE = 0.15
#: Protocols of probes: other images of the same species; other images of the children in training; other children.
PROTOCOLS = ("seen", "seen-children", "unseen")


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
        for protocol in PROTOCOLS if rank != RANKS[-1] else PROTOCOLS[:1]:
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
    numbers = [difference(metric, "taxonomy", ("first", "second")) for metric in (CPCC, LAMBDA, DIMENSION, SHARE)]
    numbers += [
        Number(row.metric, row.rank, row.tree, row.encoder, row.encoder_b)
        for row in pairs.itertuples()
        if row.metric.endswith("_difference")
    ]
    return [Claim(number, kind, 0.0) for number in dict.fromkeys(numbers) for kind in ("interval", "uniform")]


def difference(metric: str, tree: str, models: tuple[str, str]) -> Number:
    """Return the difference of a number of two models."""
    return Number(f"{metric}_difference", tree=tree, encoder=models[0], encoder_b=models[1])


def unequal_claims(
    rows: pd.DataFrame, tree: str, models: tuple[str, str], apart: Sequence[str], ratios: str = "interval"
) -> list[Claim]:
    """Return what must hold for two models of one λ: some numbers are told apart, and λ is not.

    The ratios of CPCC to its ceiling and to its attainable value agree too, unless `ratios` is ``value``.
    """
    return [
        *(Claim(difference(metric, tree, models), "apart") for metric in apart),
        Claim(difference(LAMBDA, tree, models), "mean", 0.0, LAMBDA_TOLERANCE, "λ"),
        Claim(difference(LAMBDA, tree, models), "interval", 0.0),
        *(Claim(difference(metric, tree, models), ratios, 0.0) for metric in (DISATTENUATED, RELATIVE)),
    ]


def fully_heritable_claims(rows: pd.DataFrame, tree: str, models: tuple[str, str]) -> list[Claim]:
    """Return what must hold for two models of λ = 1 and unequal width: CPCC over its attainable value is 1 for both."""
    return [
        *(Claim(Number(RELATIVE, tree=tree, encoder=model), "mean", 1.0, RATIO_TOLERANCE) for model in models),
        Claim(difference(RELATIVE, tree, models), "mean", 0.0, RATIO_TOLERANCE),
        Claim(difference(LAMBDA, tree, models), "mean", 0.0, LAMBDA_TOLERANCE, "λ"),
    ]


def padded_claims(rows: pd.DataFrame, tree: str) -> list[Claim]:
    """Return what must hold for one model in two numbers of dimensions: equal numbers."""
    models = ("narrow", "padded")
    return [
        Claim(difference(metric, tree, models), kind, 0.0, 1e-4)
        for metric in (CPCC, LAMBDA, DIMENSION, RELATIVE)
        for kind in ("mean", "interval")
    ]
