"""Values of TOML as fields of frozen dataclasses, with one clear line for an unknown key or a wrong type."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from bioclip_probe.errors import DataError, ProbeError, one_line
from bioclip_probe.tables import check_name

T = TypeVar("T")

#: Names of types in messages.
TYPES = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text in quotes",
    Path: "a path in quotes",
}


def parse_toml(text: str, source: str) -> dict[str, Any]:
    """Return the content of a TOML file.

    Parameters
    ----------
    text : str
    source : str
        Name of the file, for messages.

    Raises
    ------
    DataError
        If it is no TOML, with the line and the column.

    Examples
    --------
    >>> parse_toml("seed = 3", "study.toml")
    {'seed': 3}
    >>> parse_toml("seed = ", "study.toml")
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: study.toml: Invalid value (at end of document)
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"{source}: {one_line(error)}") from error


def with_values(settings: T, values: Mapping[str, Any], source: str, section: str = "") -> T:
    """Return a frozen dataclass with some of its fields changed to values of TOML.

    Parameters
    ----------
    settings : dataclass instance
    values : mapping from str to object
        As TOML has them. A list becomes a tuple; a single value stands for a list of one.
    source : str
        Name of the file, for messages.
    section : str
        Name of the section, for messages; empty at the top of the file.

    Raises
    ------
    DataError
        If a key is no field, a value has another type, or the dataclass refuses the values.

    Examples
    --------
    >>> from bioclip_probe.projections.settings import ProjectionSettings
    >>> with_values(ProjectionSettings(), {"methods": "pca"}, "study.toml", "projection").methods
    ('pca',)
    >>> with_values(ProjectionSettings(), {"metods": "pca"}, "study.toml", "projection")
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: study.toml [projection]: no setting 'metods'; did you mean methods, ...
    >>> with_values(ProjectionSettings(), {"seed": "many"}, "study.toml", "projection")
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: study.toml: projection.seed must be a whole number; got 'many'
    """
    hints = get_type_hints(type(settings))
    known = [item.name for item in fields(settings)]  # type: ignore[arg-type]
    converted = {}
    for key, value in values.items():
        check_key(key, known, source, section)
        name = f"{section}.{key}" if section else key
        converted[key] = converted_value(value, hints[key], f"{source}: {name}")
    try:
        return replace(settings, **converted)  # type: ignore[type-var]
    except ProbeError as error:
        raise DataError(f"{source}: {error}") from error


def check_key(key: str, known: Iterable[str], source: str, section: str = "") -> None:
    """Raise an error that names the nearest keys if a key is not known.

    Parameters
    ----------
    key : str
    known : iterable of str
    source : str
        Name of the file, for messages.
    section : str
        Name of the section, for messages; empty at the top of the file.

    Raises
    ------
    DataError
        If `key` is not among `known`.

    Examples
    --------
    >>> check_key("sed", ["seed", "mode"], "study.toml", "probe")
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: study.toml [probe]: no setting 'sed'; did you mean seed?
    """
    try:
        check_name("setting", key, known, DataError)
    except DataError as error:
        raise DataError(f"{source}{f' [{section}]' if section else ''}: {error}") from None


def converted_value(value: Any, hint: Any, where: str) -> Any:
    """Return a value of TOML as a field of the given type takes it.

    Parameters
    ----------
    value : object
    hint : type
        ``str``, ``int``, ``float``, ``bool``, ``Path``, a tuple of one of them, or a union that has one of them.
    where : str
        Name of the field, for messages.

    Raises
    ------
    DataError
        If the value has another type.

    Examples
    --------
    >>> converted_value(["bioclip", "clip"], tuple[str, ...], "models")
    ('bioclip', 'clip')
    >>> converted_value(True, int, "seed")
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: seed must be a whole number; got true
    """
    kinds = get_args(hint) if get_origin(hint) in (UnionType, Union) else (hint,)
    kind = next(kind for kind in kinds if kind is not NoneType)
    if get_origin(kind) is tuple:
        items = value if isinstance(value, list) else [value]
        return tuple(converted_value(item, get_args(kind)[0], f"each of {where}") for item in items)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is (str if kind is Path else kind):
        return Path(value) if kind is Path else value
    raise DataError(f"{where} must be {TYPES[kind]}; got {_shown(value)}")


def _shown(value: Any) -> str:
    """Return a value of TOML for a message."""
    if isinstance(value, bool):
        return str(value).lower()
    return "a section" if isinstance(value, Mapping) else one_line(repr(value), 60)
