"""The record of a results folder, ``runs.json``: which fields it must have, since a folder may come from anybody."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_REQUIRED = {"run": str, "dataset": dict, "encoders": list, "steps": dict}
_OPTIONAL = {
    "protocol": dict, "study": dict, "trees": dict, "software": dict, "machine": dict, "failures": dict, "audit": list,
}  # fmt: skip
_WORDS = {str: "a text", dict: "an object", list: "a list", bool: "true or false", int: "a number"}


def first_problem(record: Any) -> str:
    """Return the first field of a record that nothing could be read from; empty if there is none.

    Parameters
    ----------
    record : object
        The content of ``runs.json``.

    Returns
    -------
    str

    Examples
    --------
    >>> first_problem({"run": "0f", "dataset": {"name": "birds", "simulated": False}, "encoders": [], "steps": {}})
    ''
    >>> first_problem({"run": "0f", "dataset": 3, "encoders": [], "steps": {}})
    'dataset: expected an object'
    >>> first_problem({"run": "0f"})
    'it lacks dataset, encoders, steps'
    """
    return next(_problems(record), "")


def _problems(record: Any) -> Iterator[str]:
    """Yield the problems of a record; later checks rely on earlier ones."""
    if not isinstance(record, dict):
        yield "expected an object with the fields run, dataset, encoders, steps"
        return
    if lacking := [name for name in _REQUIRED if name not in record]:
        yield f"it lacks {', '.join(lacking)}"
    for name, kind in _REQUIRED.items():
        yield from _wrong(record[name], kind, name)
    for name, kind in _OPTIONAL.items():
        if record.get(name) is not None:
            yield from _wrong(record[name], kind, name)
    dataset, protocol = record["dataset"], record.get("protocol") or {"id": "", "instance": "", "parts": {}}
    yield from _wrong(dataset.get("simulated"), bool, "dataset.simulated")
    yield from _wrong(dataset.get("name", ""), str, "dataset.name")
    yield from _wrong(dataset.get("n_usable", 0), int, "dataset.n_usable")
    yield from _wrong(dataset.get("taxa", {}), dict, "dataset.taxa")
    yield from _wrong(dataset.get("notes", []), list, "dataset.notes")
    for name, kind in (("id", str), ("instance", str), ("parts", dict)):
        yield from _wrong(protocol.get(name), kind, f"protocol.{name}")
    for number, encoder in enumerate(record["encoders"]):
        yield from _wrong(encoder, dict, f"encoders[{number}]")
        yield from _wrong(encoder.get("name"), str, f"encoders[{number}].name")
        yield from _wrong(encoder.get("id", ""), str, f"encoders[{number}].id")
    for name, step in record["steps"].items():
        yield from _wrong(step, dict, f"steps.{name}")
        yield from _wrong(step.get("plan", {}), dict, f"steps.{name}.plan")


def _wrong(value: Any, kind: type, where: str) -> Iterator[str]:
    """Yield a line if a value is of another kind."""
    if not isinstance(value, kind):
        yield f"{where}: expected {_WORDS[kind]}"
