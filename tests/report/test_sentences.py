"""The sentences of the verdict follow the numbers by rule."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bioclip_probe.metrics.endpoints import PRIMARY
from bioclip_probe.metrics.registry import DIFFERENCE
from bioclip_probe.report.sentences import CLAIMS, NUMBERS, Sentence, evidence, verdict
from bioclip_probe.study.results import Results
from bioclip_probe.tables import MEASUREMENTS

CPCC = PRIMARY[0]


def row(endpoint=CPCC, **columns: object) -> dict:
    """One measurement of an endpoint, or of a difference in it where `encoder_b` is given."""
    metric = endpoint.metric + (DIFFERENCE if "encoder_b" in columns else "")
    about = {"metric": metric, "rank": endpoint.rank, "split": endpoint.split, "space": "raw", "tree": "taxonomy"}
    if endpoint.probe:
        about |= {"probe": endpoint.probe, "protocol": endpoint.protocol}
    return {**about, "chance": 0.0, "n_taxa": 80, "n_images": 400, "n_excluded": 0, **columns}


def results_of(*rows: dict, controls: tuple[str, ...] = ()) -> Results:
    """Results of the models a and b and of controls."""
    encoders = [{"name": name, "id": name, "control": name in controls} for name in ("a", "b", *controls)]
    record = {"run": "r", "dataset": {"name": "d", "simulated": False}, "encoders": encoders, "steps": {}}
    return Results(Path("out"), record, MEASUREMENTS.frame(list(rows)))


def two_models(value: float = 0.5, difference: float = 0.2, p: float = 0.01, endpoint=CPCC, **of_pair) -> Results:
    """Two models and their difference a less b."""
    ends = {"ci_low": difference - 0.1, "ci_high": difference + 0.1}
    return results_of(
        row(endpoint, encoder="a", value=value, ci_low=value - 0.1, ci_high=value + 0.1, p_adjusted=0.001),
        row(endpoint, encoder="b", value=value - difference, p_adjusted=0.001, n_taxa=79),
        row(endpoint, encoder="a", encoder_b="b", value=difference, p_adjusted=p, **{**ends, **of_pair}),
    )


def texts(results: Results, subject: str = "primary") -> list[str]:
    return [sentence.text for sentence in verdict(results) if sentence.subject == subject]


def test_a_difference_that_is_significant_names_the_better_model_and_all_numbers():
    (text,) = texts(two_models())
    assert text == (
        "a follows the taxonomy more closely than b: CPCC 0.500 [0.400, 0.600] against 0.300, "
        "difference 0.200 [0.100, 0.300], adjusted p = 0.010, 79 species, 400 images."
    )


def test_the_better_model_stands_first_whichever_was_named_first():
    (text,) = texts(two_models(value=0.3, difference=-0.2))
    assert text.startswith("b follows the taxonomy more closely than a: CPCC 0.300 [0.200, 0.400] against 0.500")


def test_a_pair_that_was_measured_the_other_way_round_is_turned():
    results = two_models()
    pair = results.measurements["encoder_b"].notna()
    turned = {"encoder": "b", "encoder_b": "a", "value": -0.2, "ci_low": -0.3, "ci_high": -0.1}
    results.measurements.loc[pair, list(turned)] = list(turned.values())
    assert texts(results) == texts(two_models())


@pytest.mark.parametrize("p", [0.05, 0.9])
def test_models_that_are_not_told_apart_are_not_ordered(p):
    (text,) = texts(two_models(p=p))
    assert text.startswith("a and b are not told apart by CPCC: 0.500")


@pytest.mark.parametrize("missing", [{"ci_low": np.nan, "ci_high": np.nan}, {"p_adjusted": np.nan}])
def test_without_an_interval_nothing_is_claimed(missing):
    results = two_models()
    results.measurements.loc[2, list(missing)] = list(missing.values())
    (text,) = texts(results)
    start = "There are too few species to compare a and b by CPCC, no interval is shown to cover: 0.500"
    assert text.startswith(start)
    assert "difference" not in text


def test_a_difference_that_was_not_measured_is_not_blamed_on_the_species():
    results = two_models()
    results = replace(results, measurements=results.measurements.drop(index=2))
    assert texts(results)[0].startswith("a and b were not compared by CPCC: 0.500")


@pytest.mark.parametrize(
    ("p", "start"),
    [
        (0.01, "Of species never seen in training, a follows the taxonomy more closely than b: CPCC 0.500"),
        (0.3, "Of species never seen in training, a and b are not told apart by CPCC: 0.500"),
        (np.nan, "Of species never seen in training, there are too few species to compare a and b by CPCC"),
    ],
)
def test_species_that_no_model_was_trained_on_have_a_sentence(p, start):
    results = two_models(p=p)
    results.measurements["split"] = "unseen"
    assert [text.startswith(start) for text in texts(results, "unseen")] == [True]
    assert texts(results) == []
    assert texts(two_models(), "unseen") == []


def test_an_undefined_number_has_no_sentence():
    assert verdict(two_models(value=np.nan)) == []
    assert verdict(results_of()) == []


@pytest.mark.parametrize("endpoint", PRIMARY, ids=lambda endpoint: endpoint.metric)
def test_every_primary_endpoint_has_its_claim(endpoint):
    (text,) = texts(two_models(endpoint=endpoint))
    claim = CLAIMS[endpoint.metric].format(tree="taxonomy")
    assert text.startswith(f"a {claim} b: {NUMBERS[endpoint.metric]} 0.500")


def test_a_phylogeny_is_named():
    results = two_models()
    results.measurements["tree"] = "birds"
    assert texts(results)[0].startswith("a follows the tree birds more closely than b")


def test_a_model_at_chance_is_named_and_a_control_is_not():
    own = {"value": 0.01, "ci_low": -0.04, "ci_high": 0.06, "p_adjusted": 0.4}
    results = results_of(row(encoder="a", **own), row(encoder="pixels", **own), controls=("pixels",))
    (text,) = texts(results, "null")
    assert text.startswith("a is not told apart from chance: CPCC 0.010 [-0.040, 0.060], chance 0.000")


@pytest.mark.parametrize(
    ("p", "difference", "start"),
    [
        (0.01, 0.4, "a is beyond every control: its CPCC 0.500 against pixels 0.100."),
        (0.30, 0.4, "a is not shown to be beyond pixels 0.100: its CPCC 0.500."),
        (0.01, -0.4, "a is not shown to be beyond pixels 0.100: its CPCC 0.500."),
    ],
)
def test_controls_are_beaten_only_by_a_significant_difference_upwards(p, difference, start):
    results = results_of(
        row(encoder="a", value=0.5),
        row(encoder="pixels", value=0.1),
        row(encoder="a", encoder_b="pixels", value=difference, ci_low=0.3, ci_high=0.5, p_adjusted=p),
        controls=("pixels",),
    )
    assert texts(results, "controls") == [start]


def test_ranks_tell_where_two_models_differ_most_and_where_nothing_is_shown():
    neighbors = PRIMARY[2]
    rows = [
        row(neighbors, encoder="a", encoder_b="b", value=value, ci_low=value - 0.1, ci_high=value + 0.1, p_adjusted=p)
        | {"rank": rank}
        for rank, value, p in (("order", 0.1, 0.2), ("family", 0.3, 0.001), ("genus", 0.2, 0.01))
    ]
    (text,) = texts(results_of(*rows), "ranks")
    assert text == (
        "By nearest neighbours of other species, the difference of a less b is largest at family: "
        "0.300 [0.200, 0.400], adjusted p = 0.001; none is shown at order."
    )
    (text,) = texts(results_of(rows[0]), "ranks")
    assert text.endswith("no difference of a and b is shown at any rank.")


def test_ranks_without_an_interval_are_not_to_be_read():
    neighbors = PRIMARY[2]
    rows = [
        row(neighbors, encoder="a", value=0.5) | {"rank": "genus", "n_taxa": 2},
        row(neighbors, encoder="a", value=0.5, ci_low=0.4, ci_high=0.6) | {"rank": "order"},
    ]
    (text,) = texts(results_of(*rows), "unread")
    assert text == "Do not read neighbours at genus (n = 2): too few for an interval that is shown to cover."


def test_the_evidence_holds_each_row_once():
    results = two_models()
    sentences = verdict(results)
    assert evidence(results, [*sentences, *sentences]).index.tolist() == [0, 1, 2]
    assert isinstance(sentences[0], Sentence) and not pd.isna(evidence(results, sentences)["value"]).any()
