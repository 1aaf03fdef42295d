"""Submissions from other laboratories: files that are read with care, and checked field by field.

Anybody may have written a submission. Its size is checked before it is read, its numbers must be finite, no key may
occur twice, every field must agree with the published JSON Schema, and the fields must not contradict each other. A
page that is made from submissions need not check again.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from bioclip_probe.errors import DataError, one_line, printable, shorten
from bioclip_probe.limits import format_size
from bioclip_probe.study.submission import FILE, SCHEMA_FILE, numbers_digest

#: The most bytes of a submission; one of a hundred encoders, with all their differences, has 13 MB.
LARGEST = 16 << 20
#: The most problems of one file that are listed.
MOST_PROBLEMS = 20


def read_submission(path: str | Path) -> dict[str, Any]:
    """Return the submission in a file, or refuse it with its first problem.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    dict

    Raises
    ------
    DataError
        If the file cannot be read, or is not a valid submission.

    Examples
    --------
    >>> read_submission("no/submission.json")
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: no/submission.json cannot be read: No such file or directory
    """
    path = Path(path)
    try:
        with open(path, "rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or one_line(error)}") from None
    content, found = parse_submission(data)
    if content is None or found:
        others = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise DataError(f"{path} is not a valid submission: {found[0]}{others}")
    return content


def submitted_digest(folder: str | Path) -> str | None:
    """Return the digest of the numbers that the submission in a results folder claims.

    Parameters
    ----------
    folder : str or Path

    Returns
    -------
    str or None
        See `submission.numbers_digest`; None without a valid submission.

    Examples
    --------
    >>> submitted_digest("no/such/folder") is None
    True
    """
    try:
        return numbers_digest(read_submission(Path(folder) / FILE))
    except DataError:
        return None


def parse_submission(data: bytes) -> tuple[dict[str, Any] | None, list[str]]:
    """Return the submission in some bytes, and every problem with it, a line each.

    Parameters
    ----------
    data : bytes
        The content of a file; for a file larger than `LARGEST`, the first ``LARGEST + 1`` bytes are enough.

    Returns
    -------
    submission : dict or None
        None if the bytes are not a JSON object. Do not use it if there are problems.
    problems : list of str
        At most `MOST_PROBLEMS`; empty for a valid submission.

    Examples
    --------
    >>> parse_submission(b'{"format": NaN}')
    (None, ['it is not JSON: NaN is not a number of JSON'])
    """
    if len(data) > LARGEST:
        return None, [f"it is larger than {format_size(LARGEST)}"]
    try:
        content = json.loads(
            data.decode("utf-8"),
            parse_constant=_refuse_constant,
            parse_float=_finite,
            object_pairs_hook=_without_copies,
        )
    except RecursionError:
        return None, ["it is not JSON that can be read: its lists or tables are nested too deeply"]
    except ValueError as error:
        return None, [f"it is not JSON: {one_line(error)}"]
    if not isinstance(content, dict):
        return None, [f"expected a JSON object, got {_kind(content)}"]
    return content, problems(content)


def problems(content: Mapping[str, Any]) -> list[str]:
    """Return every problem of a submission, a line each: its place, what was expected, and what was found.

    Parameters
    ----------
    content : mapping
        From JSON.

    Returns
    -------
    list of str
        At most `MOST_PROBLEMS`; empty for a valid submission.

    Examples
    --------
    >>> problems({"format": "bioclip-probe-submission/9"})[-1]
    "format: 'bioclip-probe-submission/1' was expected"
    """
    of_schema = list(islice(_schema_problems(content), MOST_PROBLEMS))
    return of_schema or list(islice(_contradictions(content), MOST_PROBLEMS))


@cache
def schema() -> dict[str, Any]:
    """Return the JSON Schema of submissions, draft 2020-12.

    Returns
    -------
    dict

    Examples
    --------
    >>> schema()["$schema"]
    'https://json-schema.org/draft/2020-12/schema'
    """
    read: dict[str, Any] = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    return read


def _schema_problems(content: Mapping[str, Any]) -> Iterator[str]:
    """Yield the problems that the schema finds in a submission, in the order of its fields."""
    import jsonschema

    try:
        json.dumps(content, ensure_ascii=False).encode("utf-8")
        found = list(islice(jsonschema.Draft202012Validator(schema()).iter_errors(content), 1000))
    except UnicodeEncodeError:
        yield "it has a text that is not Unicode: half of a surrogate pair"
        return
    except RecursionError:
        yield "its lists or tables are nested too deeply"
        return
    order = {name: number for number, name in enumerate(schema()["properties"])}
    for error in sorted(found, key=lambda error: order.get(str(next(iter(error.path), "")), -1)):
        yield f"{_place(error.path)}{_message(error)}"


def _message(error: Any) -> str:
    """Return what the schema expected and what it found, in a line without the whole content."""
    found = error.instance if isinstance(error.instance, (int, float, str)) else _kind(error.instance)
    if error.validator in ("type", "pattern", "enum", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"):
        expected = error.validator_value
        words = " or ".join(map(str, expected)) if isinstance(expected, list) else expected
        return f"expected {error.validator} {words}, got {shorten(printable(repr(found)), 80)}"
    if error.validator in ("maxItems", "maxProperties", "maxLength", "minItems", "minLength"):
        return f"has {len(error.instance):,} entries or characters; {error.validator} is {error.validator_value:,}"
    return one_line(error.message)


def _place(path: Any) -> str:
    """Return the place of a problem, such as ``models[0].name``, as the beginning of a line."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{shorten(printable(step), 80)}"
    return f"{text.removeprefix('.')}: " if text else ""


def _contradictions(content: Mapping[str, Any]) -> Iterator[str]:
    """Yield the contradictions between fields of a submission."""
    names = [model["name"] for model in content["models"]]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"models: the name {shorten(printable(name), 80)!r} occurs {names.count(name)} times"
    for number, model in enumerate(content["models"]):
        seen: set[str] = set()
        for place, endpoint in enumerate(model["endpoints"]):
            where = f"models[{number}].endpoints[{place}]"
            if endpoint["metric"] in seen:
                yield f"{where}: the metric {endpoint['metric']!r} occurs twice"
            seen.add(endpoint["metric"])
            yield from _odd_interval(endpoint, where)
    pairs: set[tuple[str, frozenset[str]]] = set()
    for number, difference in enumerate(content["differences"]):
        where = f"differences[{number}]"
        pair = (difference["metric"], frozenset((difference["first"], difference["second"])))
        unknown = sorted(pair[1] - set(names))
        if unknown:
            yield f"{where}: no model is called {shorten(printable(unknown[0]), 80)!r}"
        if len(pair[1]) < 2:
            yield f"{where}: first and second are the same model"
        if pair in pairs:
            yield f"{where}: the same two models occur twice"
        pairs.add(pair)
        yield from _odd_interval(difference, where)


def _odd_interval(number: Mapping[str, Any], where: str) -> Iterator[str]:
    """Yield the contradictions in the interval of a number."""
    interval, reason = number["interval"], number["no_interval_because"]
    if interval is None and not reason:
        yield f"{where}: without an interval, no_interval_because must say why"
    if interval is not None and interval[0] > interval[1]:
        yield f"{where}: the interval ends before it begins"
    if interval is not None and number["value"] is None:
        yield f"{where}: an interval without a value"


def _refuse_constant(text: str) -> float:
    """Refuse NaN and infinite numbers, which JSON does not have."""
    raise ValueError(f"{text} is not a number of JSON")


def _finite(text: str) -> float:
    """Return a number, or refuse one that is too large."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {shorten(text, 40)} is too large")
    return number


def _without_copies(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON, or refuse one that has a key twice."""
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError("a key occurs twice in one object")
    return content


def _kind(value: object) -> str:
    """Return the name that JSON has for the type of a value."""
    kinds = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null"}
    return kinds.get(type(value), "number")
