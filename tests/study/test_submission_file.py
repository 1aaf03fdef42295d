"""Submissions from anyone: each mistake gets one clear line, and nothing hostile gets further."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bioclip_probe.errors import DataError
from bioclip_probe.study import submission_file
from bioclip_probe.study.submission import as_json, numbers_digest
from bioclip_probe.study.submission_file import parse_submission, problems, read_submission
from tests.support.submissions import valid


def spoilt(change: Callable[[dict[str, Any]], object]) -> list[str]:
    """Return the problems of a valid submission after a change."""
    content = valid()
    change(content)
    return problems(content)


def first(content: dict[str, Any]) -> dict[str, Any]:
    """Return the first number of the first model."""
    number: dict[str, Any] = content["models"][0]["endpoints"][0]
    return number


MISTAKES: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "another format": (lambda c: c.update(format="x"), "format: 'bioclip-probe-submission/1' was expected"),
    "a field too many": (lambda c: c.update(score=1), "Additional properties are not allowed ('score' was unexpected)"),
    "a field missing": (lambda c: c.pop("run"), "'run' is a required property"),
    "a text as value": (
        lambda c: first(c).update(value="0.5"),
        "models[0].endpoints[0].value: expected type number or null, got \"'0.5'\"",
    ),
    "a digest cut short": (
        lambda c: c["models"][0].update(sha256="ab"),
        "models[0].sha256: expected pattern ^[0-9a-f]{64}$, got \"'ab'\"",
    ),
    "a p-value above 1": (
        lambda c: c["differences"][3].update(p=1.5),
        "differences[3].p: expected maximum 1, got '1.5'",
    ),
    "an empty name": (
        lambda c: c["models"][0].update(name=""),
        "models[0].name: has 0 entries or characters; minLength is 1",
    ),
    "a long name": (
        lambda c: c["models"][0].update(name="a" * 201),
        "models[0].name: has 201 entries or characters; maxLength is 200",
    ),
    "two models of one name": (
        lambda c: c["models"][1].update(name="bioclip"),
        "models: the name 'bioclip' occurs 2 times",
    ),
    "a difference of an unknown model": (
        lambda c: c["differences"][0].update(first="dinov2"),
        "differences[0]: no model is called 'dinov2'",
    ),
    "a model less itself": (
        lambda c: c["differences"][0].update(first="clip", second="clip"),
        "differences[0]: first and second are the same model",
    ),
    "an interval upside down": (
        lambda c: first(c).update(interval=[0.5, 0.1]),
        "models[0].endpoints[0]: the interval ends before it begins",
    ),
    "no interval, no reason": (
        lambda c: first(c).update(interval=None),
        "models[0].endpoints[0]: without an interval, no_interval_because must say why",
    ),
    "a metric twice": (
        lambda c: c["models"][0]["endpoints"].append(first(c)),
        "models[0].endpoints[5]: the metric 'cophenetic_correlation' occurs twice",
    ),
    "half a surrogate pair": (
        lambda c: c.update(who="\ud800"),
        "it has a text that is not Unicode: half of a surrogate pair",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_each_mistake_is_told_in_one_line(mistake: str) -> None:
    change, line = MISTAKES[mistake]
    found = spoilt(change)
    assert found[0].replace('"', "").replace("'", "") == line.replace('"', "").replace("'", "")
    assert all("\n" not in own and len(own) < 400 for own in found)


def test_a_valid_one_has_no_problem() -> None:
    assert problems(valid()) == []
    assert parse_submission(as_json(valid()).encode()) == (valid(), [])


BYTES = {
    "nothing": (b"", "it is not JSON: Expecting value"),
    "a list": (b"[]", "expected a JSON object, got array"),
    "NaN": (b'{"a": NaN}', "NaN is not a number of JSON"),
    "an infinite number": (b'{"a": 1e999}', "the number 1e999 is too large"),
    "a long number": (b'{"a": ' + b"9" * 10_000 + b"}", "it is not JSON"),
    "a key twice": (b'{"a": 1, "a": 2}', "a key occurs twice"),
    "no UTF-8": (b'{"a": "\xff"}', "it is not JSON: 'utf-8' codec"),
    "deep lists": (b'{"a": ' + b"[" * 200_000, "nested too deeply"),
}


@pytest.mark.parametrize("kind", BYTES)
def test_bytes_that_are_no_submission_are_told(kind: str) -> None:
    data, line = BYTES[kind]
    content, found = parse_submission(data)
    assert content is None
    assert line in found[0]


def test_deep_settings_are_refused() -> None:
    content = valid()
    setting: list[Any] = []
    for _ in range(400):
        setting = [setting]
    content["models"][0]["preprocessing"] = {"size": setting}
    content, found = parse_submission(json.dumps(content).encode())
    assert found == ["its lists or tables are nested too deeply"]


def test_a_file_larger_than_allowed_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submission_file, "LARGEST", 1000)
    (tmp_path / "submission.json").write_text(as_json(valid()))
    with pytest.raises(DataError, match="it is larger than 1000 bytes"):
        read_submission(tmp_path / "submission.json")


def test_a_file_is_read_or_refused_with_the_first_problem(tmp_path: Path) -> None:
    path = tmp_path / "submission.json"
    path.write_text(as_json(valid()), encoding="utf-8")
    assert read_submission(path) == valid()
    path.write_text(as_json(valid(run="", simulated=1)), encoding="utf-8")
    with pytest.raises(DataError, match=r"is not a valid submission: run: has 0 entries .* \(and 1 more\)"):
        read_submission(path)
    with pytest.raises(DataError, match="cannot be read: Is a directory"):
        read_submission(tmp_path)


def test_the_digest_of_the_numbers_in_a_folder(tmp_path: Path) -> None:
    assert submission_file.submitted_digest(tmp_path) is None
    (tmp_path / "submission.json").write_text(as_json(valid(who="Ada")), encoding="utf-8")
    assert submission_file.submitted_digest(tmp_path) == numbers_digest(valid())
