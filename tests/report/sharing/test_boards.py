"""Boards: who is compared with whom, and which order the paired differences allow."""

from __future__ import annotations

from typing import Any

import pytest

from bioclip_probe.files import sha256_of_bytes
from bioclip_probe.report.sharing.boards import Submitted, board_sections, board_tables
from tests.support.submissions import PROTOCOL, of_values, valid

VALUES = {"a": 0.5, "b": 0.4, "c": 0.3}


def submitted(*contents: dict[str, Any]) -> list[Submitted]:
    """Return submissions from made-up files."""
    return [Submitted(content, (f"{number}.json",)) for number, content in enumerate(contents)]


def places(*contents: dict[str, Any]) -> dict[str, str]:
    """Return the place of each model in the only table of some submissions."""
    (table,) = board_tables(submitted(*contents))
    return {row.model["name"]: row.place for row in table.rows}


def test_models_told_apart_have_places_of_their_own() -> None:
    content = of_values(VALUES, {("a", "b"): 1e-4, ("a", "c"): 1e-4, ("b", "c"): 1e-4})
    assert places(content) == {"a": "1", "b": "2", "c": "3", "pixels": "–"}


def test_models_that_are_not_told_apart_share_places() -> None:
    content = of_values(VALUES, {("a", "b"): 0.5, ("a", "c"): 1e-4, ("b", "c"): 0.04})  # 0.04 · 2 > 0.05
    assert places(content) == {"a": "1–2", "b": "1–3", "c": "2–3", "pixels": "–"}


def test_a_model_between_two_others_orders_them() -> None:
    content = of_values(VALUES, {("a", "b"): 1e-4, ("b", "c"): 1e-4})
    assert places(content) == {"a": "1", "b": "2", "c": "3", "pixels": "–"}


def test_models_of_different_submissions_are_not_ordered() -> None:
    one, other = of_values({"a": 0.9}, {}), of_values({"b": 0.1}, {})
    assert places(one, other) == {"a": "1–2", "b": "1–2", "pixels": "–"}


def test_a_model_that_two_submissions_hold_connects_them() -> None:
    one = of_values({"a": 0.9, "anchor": 0.5}, {("a", "anchor"): 1e-4})
    other = of_values({"anchor": 0.5, "b": 0.1}, {("anchor", "b"): 1e-4})
    assert places(one, other) == {"a": "1", "anchor": "2", "b": "3", "pixels": "–"}


def test_an_anchor_with_other_numbers_connects_nothing_and_is_marked() -> None:
    one = of_values({"a": 0.9, "anchor": 0.5}, {("a", "anchor"): 1e-4})
    other = of_values({"anchor": 0.6, "b": 0.1}, {("anchor", "b"): 1e-4})
    (table,) = board_tables(submitted(one, other))
    assert [(row.model["name"], row.place, row.disagrees) for row in table.rows] == [
        ("a", "1–3", False),
        ("anchor", "1–3", True),
        ("anchor", "2–4", True),
        ("b", "2–4", False),
        ("pixels", "–", False),
    ]


def test_two_submissions_of_one_pair_count_once_with_the_weaker_evidence() -> None:
    one, other = (of_values({"a": 0.5, "b": 0.4}, {("a", "b"): p}) for p in (1e-4, 0.2))
    assert places(one, one) == {"a": "1", "b": "2", "pixels": "–"}
    assert places(one, other) == {"a": "1–2", "b": "1–2", "pixels": "–"}


def test_differences_are_adjusted_over_all_submissions_of_the_section() -> None:
    one = of_values({"a": 0.5, "b": 0.4}, {("a", "b"): 0.03})
    other = of_values({"c": 0.5, "d": 0.4}, {("c", "d"): 0.03})
    assert places(one) == {"a": "1", "b": "2", "pixels": "–"}
    assert set(places(one, other).values()) == {"1–4", "–"}


def test_a_difference_that_contradicts_the_numbers_orders_nothing() -> None:
    content = of_values({"a": 0.5, "b": 0.4}, {("a", "b"): 1e-4})
    content["differences"][0]["value"] = -0.1
    assert places(content) == {"a": "1–2", "b": "1–2", "pixels": "–"}


def test_controls_stand_in_every_table_without_a_place() -> None:
    for table in board_tables(submitted(valid())):
        controls = {row.model["name"]: row.place for row in table.rows if row.model["control"]}
        assert controls == {"pixels": "–", "color-histogram": "–"}


def test_equal_numbers_are_one_row_that_names_all_its_submissions() -> None:
    (table,) = board_tables(submitted(of_values({"a": 0.5}, {}), of_values({"b": 0.4}, {})))
    assert {row.model["name"]: [index for index, _ in row.holders] for row in table.rows} == {
        "a": [0],
        "b": [1],
        "pixels": [0, 1],
    }


def test_a_number_is_recomputed_if_one_of_its_submissions_is() -> None:
    one, other = submitted(of_values({"a": 0.5}, {}), of_values({"b": 0.4}, {}))
    (table,) = board_tables([one, Submitted(other.content, other.sources, "recomputed here")])
    assert {row.model["name"]: row.recomputed for row in table.rows} == {"a": False, "b": True, "pixels": True}


def test_numbers_are_read_with_those_beside_them() -> None:
    tables = {table.metric: table for table in board_tables(submitted(valid()))}
    assert list(tables) == ["cophenetic_correlation", "pagel_lambda", "knn_purity_1_other_species", "macro_accuracy"]
    beside = [row.beside[0]["metric"] for row in tables["pagel_lambda"].rows]
    assert set(beside) == {"effective_dimension"}


def test_an_undefined_number_comes_last_and_has_no_place() -> None:
    content = of_values({"a": 0.5, "b": 0.4}, {("a", "b"): 1e-4})
    content["models"][0]["endpoints"][0] |= {"value": None, "interval": None, "no_interval_because": "undefined"}
    assert list(places(content).items()) == [("b", "1"), ("pixels", "–"), ("a", "–")]


def test_sections_keep_protocols_and_instances_apart_and_say_in_what_they_differ() -> None:
    instance = sha256_of_bytes(b"other pictures")
    parts = {"images": instance[:12], "seed": 0}
    other = valid(protocol={"id": PROTOCOL, "instance": instance, "parts": parts})
    custom = valid(protocol={**valid()["protocol"], "id": f"{PROTOCOL}+custom-0123abcd"})
    sections, apart = board_sections(submitted(other, valid(), custom, valid(run="again")))
    assert [len(section.submissions) for section in sections] == [2, 1, 1]
    assert [section.differs for section in sections] == [
        [],
        ["another instance: it differs in images"],
        [f"another protocol: {PROTOCOL}+custom-0123abcd, not {PROTOCOL}"],
    ]
    assert not apart


APART = {
    "no protocol": (lambda: valid(protocol=None), "it names no protocol"),
    "no control": (lambda: valid(controls=()), "it holds no control"),
    "no endpoint": (lambda: _without_endpoints(valid()), "it holds no primary endpoint"),
}


def _without_endpoints(content: dict[str, Any]) -> dict[str, Any]:
    """Return a submission in which nothing primary was measured."""
    for model in content["models"]:
        model["endpoints"] = []
    return content


@pytest.mark.parametrize("case", APART)
def test_what_can_be_compared_with_nothing_stands_apart(case: str) -> None:
    make, reason = APART[case]
    sections, apart = board_sections(submitted(make()))
    assert not sections
    assert apart[0][1].startswith(reason)
