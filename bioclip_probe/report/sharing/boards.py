"""Boards: the numbers of many submissions in one table for each endpoint, where they may be compared at all.

Two numbers stand in one table only if their submissions have the same protocol id and the same instance: the same
pictures, taxa and phylogenies. Models are ordered by **paired differences** alone. Two models are told apart if a
submission that holds both has a significant paired difference between them, after Holm's method over all models and
endpoints of the section. They are also told apart by a chain of models, each of which is told apart from the next.
Models that no such difference or chain connects are not ordered, however far apart their intervals are. The place of a
model is the range of places that the differences leave open. A model that two submissions hold with equal numbers is
one model, and connects the submissions. Controls stand in every table and have no place. No mean over endpoints is
taken, since endpoints answer different questions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bioclip_probe.report.sharing.wording import NONE, heading
from bioclip_probe.stats.multiplicity import holm
from bioclip_probe.study.ranking import ALPHA

#: Numbers of one model that differ by no more than this count as equal, since processors round differently.
TOLERANCE = 5e-4


@dataclass(frozen=True, eq=False)
class Submitted:
    """A valid submission, and where it comes from.

    Attributes
    ----------
    content : dict
        The submission.
    sources : tuple of str
        Files that hold it.
    recomputed : str
        How its numbers were recomputed from vectors; empty if they are only reported.
    """

    content: dict[str, Any]
    sources: tuple[str, ...]
    recomputed: str = ""

    @property
    def who(self) -> str:
        """The person or laboratory that submits; the name of the file if the submission does not say."""
        return self.content["who"] or self.sources[0]


@dataclass(eq=False)
class BoardRow:
    """The number of one model in one table.

    Attributes
    ----------
    model : dict
        As the first submission that holds it describes it.
    number, beside : dict
        The endpoint, and the numbers that it is read with.
    holders : list of (int, str)
        The submissions that hold it, numbered from 0, and its name in each.
    place : str
        Range of the places that the paired differences leave open; a dash for a control.
    recomputed : bool
        True if a verification has recomputed it from vectors.
    disagrees : bool
        Another submission has another number for the same model.
    """

    model: dict[str, Any]
    number: dict[str, Any]
    beside: list[dict[str, Any]]
    holders: list[tuple[int, str]] = field(default_factory=list)
    place: str = NONE
    recomputed: bool = False
    disagrees: bool = False

    @property
    def can_be_placed(self) -> bool:
        """True for a model with a value; False for a control."""
        return not self.model["control"] and self.number["value"] is not None


@dataclass(frozen=True, eq=False)
class BoardTable:
    """One endpoint: a row for each model, best value first."""

    title: str
    metric: str
    rows: list[BoardRow]


@dataclass(frozen=True, eq=False)
class BoardSection:
    """The submissions of one protocol and instance.

    Attributes
    ----------
    protocol : dict
        Its id, instance and parts.
    submissions : list of Submitted
    tables : list of BoardTable
    differs : list of str
        A line for each difference of protocol or instance from the first section; empty for the first.
    """

    protocol: dict[str, Any]
    submissions: list[Submitted]
    tables: list[BoardTable]
    differs: list[str]


def board_sections(submitted: Iterable[Submitted]) -> tuple[list[BoardSection], list[tuple[Submitted, str]]]:
    """Return the sections of a board, and the submissions that stand in no table.

    Parameters
    ----------
    submitted : iterable of Submitted

    Returns
    -------
    sections : list of BoardSection
        One for each protocol and instance, the one with the most submissions first.
    apart : list of (Submitted, str)
        With the reason.

    Examples
    --------
    >>> board_sections([])
    ([], [])
    """
    groups: dict[tuple[str, str], list[Submitted]] = {}
    apart = []
    for one in submitted:
        reason = _reason_apart(one.content)
        if reason:
            apart.append((one, reason))
        else:
            protocol = one.content["protocol"]
            groups.setdefault((protocol["id"], protocol["instance"]), []).append(one)
    ordered = sorted(groups.values(), key=lambda group: -len(group))  # stable: in the order of the files
    first = ordered[0][0].content["protocol"] if ordered else {}
    sections = []
    for group in ordered:
        protocol = group[0].content["protocol"]
        differs = [] if protocol is first else list(_differences_of_protocols(first, protocol))
        sections.append(BoardSection(protocol, group, board_tables(group), differs))
    return sections, apart


def _reason_apart(content: Mapping[str, Any]) -> str:
    """Return why a submission can stand in no table; empty if it can."""
    if content["protocol"] is None:
        return "it names no protocol, so that its numbers cannot be compared with others"
    if not any(number["value"] is not None for model in content["models"] for number in model["endpoints"]):
        return "it holds no primary endpoint"
    if not any(model["control"] for model in content["models"]):
        return "it holds no control, so that it does not say what colours or an untrained network reach"
    return ""


def _differences_of_protocols(first: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each difference of two protocols or instances."""
    if first["id"] != other["id"]:
        yield f"another protocol: {other['id']}, not {first['id']}"
    if first["instance"] != other["instance"]:
        names = [*first["parts"], *(name for name in other["parts"] if name not in first["parts"])]
        different = [name for name in names if first["parts"].get(name) != other["parts"].get(name)]
        yield f"another instance{': it differs in ' + ', '.join(different) if different else ''}"


def board_tables(group: Sequence[Submitted]) -> list[BoardTable]:
    """Return a table for each endpoint of some submissions that may be compared.

    Parameters
    ----------
    group : sequence of Submitted
        Of one protocol and instance.

    Returns
    -------
    list of BoardTable
        In the order of the submissions' endpoints. The differences of all tables together are adjusted by Holm's
        method, controls apart.

    Examples
    --------
    >>> board_tables([])
    []
    """
    rows = _rows(group)
    edges = _told_apart(group, rows)
    tables = []
    for key, own in rows.items():
        _place(own, edges[key])
        own.sort(key=lambda row: -np.inf if row.number["value"] is None else row.number["value"], reverse=True)
        tables.append(BoardTable(heading(own[0].number), own[0].number["metric"], own))
    return tables


def _key(number: Mapping[str, Any]) -> tuple[str, ...]:
    """Return metric, rank and tree, which two numbers in one table share."""
    return (number["metric"], number["rank"], number["tree"])


def _rows(group: Sequence[Submitted]) -> dict[tuple[str, ...], list[BoardRow]]:
    """Return the rows of each table; equal numbers of one model are one row."""
    rows: dict[tuple[str, ...], list[BoardRow]] = {}
    for index, one in enumerate(group):
        for model in one.content["models"]:
            for number in model["endpoints"]:
                if number["beside"]:
                    continue
                own = rows.setdefault(_key(number), [])
                same = [row for row in own if _identity(row.model) == _identity(model)]
                row = next((row for row in same if _equal(row.number, number)), None)
                if row is None:
                    beside = [other for other in model["endpoints"] if other["beside"] == number["metric"]]
                    row = BoardRow(model, number, beside)
                    own.append(row)
                    for different in (*same, *([row] if same else ())):
                        different.disagrees = True
                row.holders.append((index, model["name"]))
                row.recomputed |= bool(one.recomputed)
    return rows


def _identity(model: Mapping[str, Any]) -> tuple[object, ...]:
    """Return what identifies an encoder independently of its name."""
    return (model["fingerprint"] or model["id"], model["sha256"], model["control"])


def _equal(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Return True if two numbers and their intervals are equal up to rounding."""
    values = [[number["value"], *(number["interval"] or (None, None))] for number in (one, other)]
    pairs = zip(*values, strict=True)
    return all(
        a is b if a is None or b is None else abs(a - b) <= TOLERANCE * max(1.0, abs(a), abs(b)) for a, b in pairs
    )


def _told_apart(
    group: Sequence[Submitted], rows: Mapping[tuple[str, ...], Sequence[BoardRow]]
) -> dict[tuple[str, ...], set[tuple[int, int]]]:
    """Return for each table the pairs of rows that a paired difference tells apart: the better one first."""
    p_values: dict[tuple[tuple[str, ...], int, int], float] = {}
    at = {
        (key, *holder): place
        for key, own in rows.items()
        for place, row in enumerate(own)
        if row.can_be_placed
        for holder in row.holders
    }
    for index, one in enumerate(group):
        for difference in one.content["differences"]:
            key = _key(difference)
            first, second = (at.get((key, index, difference[name]), -1) for name in ("first", "second"))
            if difference["p"] is None or difference["value"] is None or min(first, second) < 0 or first == second:
                continue
            better, worse = (first, second) if difference["value"] > 0 else (second, first)
            # Of two submissions with the same pair, the weaker evidence counts.
            p_values[key, better, worse] = max(p_values.get((key, better, worse), 0.0), difference["p"])
    adjusted = holm(np.array(list(p_values.values())))
    edges: dict[tuple[str, ...], set[tuple[int, int]]] = {key: set() for key in rows}
    for (key, better, worse), p in zip(p_values, adjusted, strict=True):
        if p < ALPHA and _value(rows[key][better]) > _value(rows[key][worse]):  # else they disagree
            edges[key].add((better, worse))
    return edges


def _value(row: BoardRow) -> float:
    """Return the value of a row that has one."""
    return float(row.number["value"])


def _place(rows: Sequence[BoardRow], edges: set[tuple[int, int]]) -> None:
    """Set the places of the models of a table, as ranges that the pairs told apart leave open."""
    placed = [n for n, row in enumerate(rows) if row.can_be_placed]
    above: dict[int, set[int]] = {n: set() for n in placed}
    for n in sorted(placed, key=lambda n: -_value(rows[n])):  # the rows above are complete by then
        for better, worse in edges:
            if worse == n:
                above[n] |= {better, *above[better]}
    for n in placed:
        best, last = 1 + len(above[n]), len(placed) - sum(n in others for others in above.values())
        rows[n].place = str(best) if best == last else f"{best}–{last}"
