"""The study file: TOML whose sections are those of a `Plan`, and a grid of several studies.

::

    data = "inat21"
    models = ["bioclip", "clip"]
    seed = 0                       # of all sections

    [measure]
    n_bootstrap = 499

    [grid]                         # every list is an axis
    models = [["bioclip", "clip"], "siglip"]
    measure.resample = ["species", "genus"]

What a file does not say is as `reproduce` has it without flags. What belongs to one machine, such as paths and the
device, stands in a site file (see `site_file`) and is refused here, so that the same study runs everywhere. This module
reads no file: text goes in and plans come out.
"""

from __future__ import annotations

import copy
import itertools
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

from bioclip_probe.errors import DataError
from bioclip_probe.files import sha256_of_bytes
from bioclip_probe.probes.registry import SEEN
from bioclip_probe.probes.settings import USUAL_SHOTS, ProbeSettings
from bioclip_probe.study.plan import Plan
from bioclip_probe.study.site_file import (
    MACHINE_SETTINGS,
    RUN_SETTINGS,
    SITE_FILE,
    SITE_VARIABLE,
    hidden_settings,
    is_machine_path,
    path_in,
)
from bioclip_probe.study.study_text import study_text
from bioclip_probe.study.toml_values import check_key, parse_toml, with_values

GRID, SEED = "grid", "seed"
SECTIONS = tuple(item.name for item in fields(Plan) if is_dataclass(getattr(Plan(), item.name)))
#: Longest name of a results folder; a longer one is cut and gets the first digits of its hash.
LONGEST_LABEL = 100


@dataclass(frozen=True)
class Study:
    """One study of a study file.

    Attributes
    ----------
    label : str
        Name of its results folder, such as ``models=bioclip,seed=1``; empty where the file has no grid.
    plan : Plan
        Without what belongs to a machine; `site_file.plan_at` adds that.

    Examples
    --------
    >>> Study("", Plan()).text.splitlines()[4]
    'data = "world"'
    """

    label: str
    plan: Plan

    @property
    def text(self) -> str:
        """The resolved study: every setting with its value, as a study file."""
        return study_text(self.plan)

    @property
    def sha256(self) -> str:
        """The hash of the resolved study."""
        return sha256_of_bytes(self.text.encode())


def read_studies(text: str, source: str = "study.toml", changes: Sequence[str] = ()) -> list[Study]:
    r"""Return the studies that the text of a study file describes, one for each combination of its grid.

    Parameters
    ----------
    text : str
    source : str
        Name of the file, for messages.
    changes : sequence of str
        Settings that replace those of the file, such as ``measure.seed=3``. The value is TOML, or a text without
        quotes.

    Returns
    -------
    list of Study
        In the order of the axes, the last one varying fastest.

    Raises
    ------
    DataError
        If the text is no TOML, a setting is unknown, has the wrong type, or belongs to a machine.

    Examples
    --------
    >>> studies = read_studies('[grid]\nmodels = ["bioclip", "clip"]\nseed = [0, 1]')
    >>> [study.label for study in studies]
    ['models=bioclip,seed=0', 'models=bioclip,seed=1', 'models=clip,seed=0', 'models=clip,seed=1']
    >>> read_studies("", changes=["data=rare-species"])[0].plan.data
    'rare-species'
    >>> read_studies("[measure]\nn_boostrap = 9")
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: study.toml [measure]: no setting 'n_boostrap'; did you mean n_bootstrap, ...
    """
    document = parse_toml(text, source)
    for change in changes:
        _change(document, change)
    grid = document.pop(GRID, {})
    axes = dict(_axes(grid, (), source))
    for path in axes:
        if _value_at(document, path) is not None:
            raise DataError(f"{source}: {'.'.join(path)} has a value and is an axis of [grid] too; keep one of them")
    if not axes:
        return [Study("", _plan(document, source))]
    studies = []
    for values in itertools.product(*axes.values()):
        own = copy.deepcopy(document)
        for path, value in zip(axes, values, strict=True):
            _set_value(own, path, value)
        studies.append(Study(_label(axes, values), _plan(own, source)))
    labels = [study.label for study in studies]
    if twice := sorted({label for label in labels if labels.count(label) > 1}):
        raise DataError(f"{source}: two studies of the grid would both be called '{twice[0]}'; name each value once")
    return studies


def _plan(document: Mapping[str, Any], source: str) -> Plan:
    """Return the plan that a document without a grid describes."""
    for key in document:
        _refuse_machine_setting(key, "", source)
        check_key(key, [*(item.name for item in fields(Plan)), SEED, GRID], source)
    shared = {SEED: document[SEED]} if SEED in document else {}
    plan = Plan(probe=ProbeSettings(shots=()))
    sections = {}
    for name in SECTIONS:
        values, settings = document.get(name, {}), getattr(plan, name)
        if not isinstance(values, Mapping):
            raise DataError(f"{source}: {name} is a section; write [{name}] and its settings below")
        for key in values:
            _refuse_machine_setting(key, name, source)
        seeded = shared if hasattr(settings, SEED) else {}
        sections[name] = with_values(settings, {**seeded, **values}, source, name)
    if "shots" not in document.get("probe", {}) and SEEN in sections["probe"].protocols:
        sections["probe"] = replace(sections["probe"], shots=USUAL_SHOTS)
    own = {key: value for key, value in document.items() if key not in (*SECTIONS, SEED)}
    plan = with_values(replace(plan, **sections), own, source)
    _refuse_machine_paths(plan, source)
    return plan


def _refuse_machine_setting(key: str, section: str, source: str) -> None:
    """Raise an error if a setting belongs to a machine or to a single run, and say where it goes."""
    name = f"{section}.{key}" if section else key
    hidden = hidden_settings(section) if section else ("store", *MACHINE_SETTINGS)
    if key in hidden and key not in RUN_SETTINGS:
        raise DataError(
            f"{source}: {name} belongs to one machine, not to the study; move it to {SITE_FILE} as {key} "
            f"(or to the file that {SITE_VARIABLE} names)"
        )
    if key in hidden or (key == "out" and not section):
        raise DataError(f"{source}: {name} belongs to one run, not to the study; it is a flag of the command line")


def _refuse_machine_paths(plan: Plan, source: str) -> None:
    """Raise an error if the plan holds a path of one machine, and say where it goes."""
    paths = (("tree", plan.tree), ("tree_names", plan.tree_names), ("attributes", plan.attributes))
    files = [(name, str(path or "")) for name, path in paths]
    given = [
        ("data", "data", plan.data, path_in(plan.data, "data")),
        *(("models", "models", model, path_in(model, "models")) for model in plan.models),
        *(("files", name, path, path) for name, path in files),
    ]
    for table, key, value, path in given:
        if path and is_machine_path(path):
            raise DataError(
                f"{source}: {key} '{value}' is a path of one machine; give it a name here, and in {SITE_FILE} "
                f'(or the file that {SITE_VARIABLE} names) write [{table}] NAME = "{value}"'
            )


def _axes(grid: Any, path: tuple[str, ...], source: str) -> Iterator[tuple[tuple[str, ...], list]]:
    """Yield the axes of a grid: the path of each setting, and its values."""
    if not isinstance(grid, Mapping):
        raise DataError(f"{source}: grid is a section; write [grid] and its axes below")
    for key, values in grid.items():
        if isinstance(values, Mapping):
            yield from _axes(values, (*path, key), source)
        elif not isinstance(values, list) or not values:
            raise DataError(f"{source}: each axis of [grid] is a list of values; got grid.{'.'.join((*path, key))}")
        else:
            yield (*path, key), values


def _label(axes: Mapping[tuple[str, ...], list], values: Sequence[Any]) -> str:
    """Return the name of a combination's folder."""
    parts = []
    for path, value in zip(axes, values, strict=True):
        shown = "+".join(map(str, value)) if isinstance(value, list) else str(value)
        parts.append(f"{path[-1]}={re.sub(r'[^A-Za-z0-9._+-]', '-', shown) or 'none'}")
    label = ",".join(parts)
    if len(label) <= LONGEST_LABEL:
        return label
    return f"{label[: LONGEST_LABEL - 9]}-{sha256_of_bytes(label.encode())[:8]}"


def _change(document: dict[str, Any], change: str) -> None:
    """Set one value of a document, from ``a.b=c``."""
    name, equals, text = (part.strip() for part in change.partition("="))
    path = name.split(".")
    if not equals or not all(path):
        raise DataError(f"--set takes NAME=VALUE, such as measure.seed=3; got '{change}'")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    _set_value(document, tuple(path), value)


def _set_value(document: dict[str, Any], path: Sequence[str], value: Any) -> None:
    """Set a value of a nested document."""
    for key in path[:-1]:
        document = document.setdefault(key, {})
        if not isinstance(document, dict):
            raise DataError(f"'{key}' is a setting, not a section; it holds no '{path[-1]}'")
    document[path[-1]] = value


def _value_at(document: Mapping[str, Any], path: Sequence[str]) -> Any:
    """Return a value of a nested document, None where there is none."""
    for key in path:
        if not isinstance(document, Mapping) or key not in document:
            return None
        document = document[key]
    return document
