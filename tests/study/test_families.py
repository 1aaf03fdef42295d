"""Families of tests: which p-values belong together, and that each is adjusted within its own."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bioclip_probe.metrics.endpoints import PRIMARY
from bioclip_probe.study.families import family_names, with_adjusted_p
from bioclip_probe.tables import MEASUREMENTS
from tests.definitions import multiplicity as definition

PROBE = {"probe": "linear", "protocol": "unseen", "split": "test"}


def row(metric: str, p: float, encoder: str = "bioclip", rank: str = "species", **columns: object) -> dict:
    """Return a row of raw embeddings and all images in the taxonomy."""
    common = {"space": "raw", "tree": "taxonomy", "split": "all", "simulated": False, "value": 0.5}
    return {**common, "metric": metric, "p_value": p, "encoder": encoder, "rank": rank, **columns}


def primaries(encoder: str, *p: float, **columns: object) -> list[dict]:
    """Return the four primary endpoints of an encoder, with these p-values."""
    return [
        row(endpoint.metric, each, encoder, endpoint.rank, **(PROBE if endpoint.probe else {}), **columns)
        for endpoint, each in zip(PRIMARY, p, strict=True)
    ]


def test_primary_endpoints_of_all_models_are_adjusted_by_holm_and_controls_apart():
    p = {"bioclip": (0.001, 0.002, 0.01, 0.2), "clip": (0.003, 0.04, 0.5, 0.02), "pixels": (0.01, 0.02, 0.03, 0.9)}
    table = MEASUREMENTS.frame([each for encoder, own in p.items() for each in primaries(encoder, *own)])
    found = with_adjusted_p(table, ["pixels"])
    assert found["p_family"].tolist() == ["primary"] * 8 + ["primary, controls"] * 4
    models, control = found["p_adjusted"][:8], found["p_adjusted"][8:]
    np.testing.assert_allclose(models, definition.holm([*p["bioclip"], *p["clip"]]))
    np.testing.assert_allclose(control, definition.holm([*p["pixels"]]))
    without = with_adjusted_p(table[:8], ["pixels"])
    np.testing.assert_array_equal(models, without["p_adjusted"], "a control costs the models nothing")


def test_only_the_declared_row_is_primary():
    (declared, *_) = primaries("bioclip", 0.01, 0.01, 0.01, 0.01)
    for change in (
        {"space": "centred"}, {"rank": "family"}, {"split": "val"}, {"taxon": "Aves"}, {"tree": "birds"}
    ):  # fmt: skip
        table = MEASUREMENTS.frame([declared, {**declared, **change}])
        found = family_names(table).tolist()
        expected = ["primary", found[1]] if "tree" not in change else [found[0], "primary"]
        assert found == expected and len({*found}) == 2, "on a phylogeny where there is one"
    probe = primaries("bioclip", 0.01, 0.01, 0.01, 0.01)[3]
    for change in ({"probe": "lda"}, {"protocol": "seen"}, {"shots": 5}):
        assert family_names(MEASUREMENTS.frame([probe, {**probe, **change}])).eq("primary").tolist() == [True, False]


def test_differences_in_primary_endpoints_are_a_family_of_their_own():
    pairs = [("bioclip", "clip"), ("bioclip", "inat"), ("clip", "pixels")]
    rows = [
        row("cophenetic_correlation_difference", p, first, encoder_b=second)
        for (first, second), p in zip(pairs, (0.01, 0.02, 0.03), strict=True)
    ]
    found = with_adjusted_p(MEASUREMENTS.frame([*rows, *primaries("bioclip", 0.01, 0.5, 0.5, 0.5)]), ["pixels"])
    assert found["p_family"][:3].tolist() == ["primary differences"] * 2 + ["primary differences, controls"]
    np.testing.assert_allclose(found["p_adjusted"][:3], [*definition.holm([0.01, 0.02]), 0.03])


def test_all_others_are_adjusted_by_benjamini_and_hochberg_within_one_question():
    p = [0.001, 0.01, 0.02, 0.04, 0.3]
    one = [
        row("silhouette", each, rank=rank)
        for each, rank in zip(p, ("order", "family", "genus", "class", "phylum"), strict=True)
    ]
    others = [
        row("silhouette", 0.02, space="centred"), row("silhouette", 0.02, tree="birds"), row("lca_auc", 0.02),
        row("top1_accuracy", 0.02, probe="knn", protocol="seen", split="test"),
        row("top1_accuracy", 0.02, probe="knn", protocol="seen", split="test", shots=5),
        row("silhouette", 0.02, split="val"),
    ]  # fmt: skip
    found = with_adjusted_p(MEASUREMENTS.frame([*one, *others]))
    np.testing.assert_allclose(found["p_adjusted"][:5], definition.benjamini_hochberg(p))
    np.testing.assert_allclose(found["p_adjusted"][5:], 0.02)
    assert found["p_family"][[0, 5, 8, 9, 10]].tolist() == [
        "silhouette · raw · taxonomy",
        "silhouette · centred · taxonomy",
        "top1_accuracy · raw · taxonomy · knn · seen",
        "top1_accuracy · raw · taxonomy · knn · seen · 5 images a taxon",
        "silhouette · raw · taxonomy · val",
    ]


def test_rows_stay_as_they_are_and_a_number_without_p_has_no_family():
    table = MEASUREMENTS.frame([row("silhouette", np.nan), row("silhouette", 0.03, rank="family")])
    found = with_adjusted_p(table)
    MEASUREMENTS.check(found)
    pd.testing.assert_frame_equal(
        found.drop(columns=["p_adjusted", "p_family"]), table.drop(columns=["p_adjusted", "p_family"])
    )
    assert found["p_family"].isna().tolist() == [True, False] == found["p_adjusted"].isna().tolist()
    MEASUREMENTS.check(with_adjusted_p(MEASUREMENTS.frame()))


def test_adjusting_twice_changes_nothing():
    table = MEASUREMENTS.frame([row("silhouette", 0.02), row("silhouette", 0.03, rank="family")])
    once = with_adjusted_p(table)
    pd.testing.assert_frame_equal(with_adjusted_p(once), once)


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_rows_does_not_matter(seed):
    random = np.random.default_rng(seed)
    rows = [
        row("silhouette", p, encoder, rank)
        for p, encoder, rank in zip(random.random(6), ["a", "b"] * 3, ["order", "family", "genus"] * 2, strict=True)
    ]
    order = random.permutation(6)
    plain, turned = (
        with_adjusted_p(MEASUREMENTS.frame(rows)),
        with_adjusted_p(MEASUREMENTS.frame([rows[i] for i in order])),
    )
    np.testing.assert_array_equal(plain["p_adjusted"].to_numpy()[order], turned["p_adjusted"])
