"""The submission of a study: the numbers of its tables, described by the published schema."""

from __future__ import annotations

import json

import jsonschema
import numpy as np
import pytest

from bioclip_probe.errors import DataError
from bioclip_probe.metrics.endpoints import PRIMARY
from bioclip_probe.study.families import rows_of
from bioclip_probe.study.results import Results
from bioclip_probe.study.submission import SCHEMA_FILE, as_json, numbers_digest, submission_of
from tests.support.submissions import made_up_results, valid


def test_it_is_as_the_schema_says() -> None:
    schema = json.loads(SCHEMA_FILE.read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(valid(), schema, jsonschema.Draft202012Validator)


def test_the_schema_describes_every_field_and_allows_no_other() -> None:
    schema = json.loads(SCHEMA_FILE.read_text("utf-8"))
    objects = [schema, *(part for part in schema["$defs"].values() if "properties" in part)]
    assert len(objects) == 6
    for part in objects:
        assert part["additionalProperties"] is False
        assert sorted(part["required"]) == sorted(part["properties"])
        for field in part["properties"].values():
            described = field if "description" in field else schema["$defs"][field["$ref"].rpartition("/")[2]]
            assert described["description"]


def test_numbers_are_those_of_the_table() -> None:
    results = made_up_results()
    made = submission_of(results)
    table = results.measurements
    for endpoint in PRIMARY:
        rows = table[rows_of(endpoint, table)].set_index("encoder")
        for model in made["models"]:
            number = next(number for number in model["endpoints"] if number["metric"] == endpoint.metric)
            row = rows.loc[model["name"]]
            assert number["value"] == row["value"]
            assert number["interval"] == [row["ci_low"], row["ci_high"]]
            assert (number["rank"], number["tree"]) == (row["rank"], row["tree"])


def test_tree_signal_is_followed_by_the_dimension_that_it_is_read_with() -> None:
    metrics = [(number["metric"], number["beside"]) for number in valid()["models"][0]["endpoints"]]
    assert metrics == [
        ("cophenetic_correlation", None),
        ("pagel_lambda", None),
        ("effective_dimension", "pagel_lambda"),
        ("knn_purity_1_other_species", None),
        ("macro_accuracy", None),
    ]


def test_controls_are_among_the_models_and_in_the_differences() -> None:
    made = valid()
    assert [model["control"] for model in made["models"]] == [False, False, True, True]
    assert len(made["differences"]) == 6 * len(PRIMARY)
    assert {difference["second"] for difference in made["differences"]} >= {"pixels", "color-histogram"}


def test_a_missing_interval_has_its_reason_and_an_undefined_number_its_note() -> None:
    results = made_up_results(("bioclip",), ())
    table = results.measurements
    table["note"] = table["note"].astype(object)
    table.loc[:, ["ci_low", "ci_high"]] = np.nan
    table.loc[table["metric"] == "pagel_lambda", "value"] = np.nan
    table.loc[table["metric"] == "pagel_lambda", "note"] = "one species only"
    table.loc[table["metric"] == "cophenetic_correlation", "note"] = (
        "few species; no interval: 9 units, needs at least 10"
    )
    cpcc, signal = submission_of(Results(results.folder, results.record, table))["models"][0]["endpoints"][:2]
    assert (cpcc["interval"], cpcc["level"]) == (None, None)
    assert cpcc["no_interval_because"] == "9 units, needs at least 10"
    assert cpcc["note"] == "few species"
    assert (signal["value"], signal["note"]) == (None, "one species only")


def test_it_holds_no_path_and_is_the_same_when_made_again() -> None:
    text = as_json(submission_of(made_up_results(), "Ada Lovelace", "CC-BY-4.0"))
    assert "/home" not in text
    assert text == as_json(submission_of(made_up_results(), "Ada Lovelace", "CC-BY-4.0"))
    assert json.loads(text)["made"] == "2026-11-27T13:39:03+00:00"


def test_the_digest_is_of_the_numbers_alone() -> None:
    digest = numbers_digest(valid())
    assert numbers_digest(valid(who="Ada", licence="CC0-1.0", made=None, software={})) == digest
    assert numbers_digest(valid(protocol=None)) != digest
    assert numbers_digest(json.loads(as_json(valid()))) == digest


def test_a_folder_without_measurements_is_refused() -> None:
    results = made_up_results()
    with pytest.raises(DataError, match="holds no measurements yet"):
        submission_of(Results(results.folder, results.record))
