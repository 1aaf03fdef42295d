"""Checks of a model's configuration files, which come from strangers, before anything is built from them.

Every value is checked where it enters: the size of the file, the numbers of the architecture, the parameters that the
network would have (counted without memory for them), and the settings of the preprocessing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bioclip_probe.errors import ModelError, one_line, some

if TYPE_CHECKING:
    import torch

#: Limits of what a configuration may declare. The largest models of timm and open_clip stay far below them.
MAX_BYTES = 16 * 2**20
MAX_LAYERS = 1_000
MAX_NUMBER = 10_000_000
MAX_SIDE = 2_048  # of the pictures that a network takes, in pixels
MAX_PARAMETERS = 20_000_000_000
MAX_BUFFERS = 200_000_000  # values that are no weights: masks of attention, tables of positions

_DEPTHS = {"layers", "depth", "depths", "num_layers", "n_layers", "num_hidden_layers", "encoder_layers"}


def read_config(path: Path) -> dict[str, Any]:
    """Return the table of a JSON file.

    Parameters
    ----------
    path : Path

    Returns
    -------
    dict

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ModelError
        If it is too large, no JSON, too deeply nested, or holds something other than a table.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "config.json"
    ...     path.write_text("[1, 2]") and read_config(path)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.ModelError: ...config.json holds a list; expected a table of JSON: {...}
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise ModelError(f"{path} has {size:,} bytes; expected a configuration of at most {MAX_BYTES:,}")
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise
    except RecursionError as error:
        raise ModelError(f"{path} is nested too deeply; expected a table of JSON: {{...}}") from error
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read as JSON: {one_line(error, 160, with_type=True)}") from error
    if not isinstance(config, dict):
        raise ModelError(f"{path} holds a {type(config).__name__}; expected a table of JSON: {{...}}")
    return config


def check_architecture(config: Any, origin: str) -> None:
    """Raise an error if a number of an architecture is not finite, or larger than any network needs.

    Parameters
    ----------
    config : dict
        Of any depth.
    origin : str
        Where it comes from, for the message.

    Raises
    ------
    ModelError
        Names the first such number.

    Examples
    --------
    >>> check_architecture({"vision_cfg": {"layers": 100_000}}, "config.json")
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.ModelError: config.json: vision_cfg.layers is 100000; expected at most 1,000 layers
    """
    for key, value in entries(config):
        if not isinstance(value, int | float) or isinstance(value, bool):
            continue
        if not math.isfinite(value) or abs(value) > MAX_NUMBER:
            raise ModelError(f"{origin}: {key} is {one_line(value, 40)}; expected a number of at most {MAX_NUMBER:,}")
        if key.rpartition(".")[2] in _DEPTHS and value > MAX_LAYERS:
            raise ModelError(f"{origin}: {key} is {one_line(value, 40)}; expected at most {MAX_LAYERS:,} layers")


def check_size(build: Callable[[], torch.nn.Module], weights: Sequence[Path] = ()) -> None:
    """Raise an error if a network would have more parameters than its weights files can hold.

    The network is built on torch's `meta` device, where parameters take no memory.

    Parameters
    ----------
    build : callable
        Returns the network, with random weights.
    weights : sequence of Path
        Its weights files; a parameter takes at least one byte of them. Empty for random weights.

    Raises
    ------
    ModelError
        Says how many parameters there would be.

    Notes
    -----
    A network that cannot be built on the `meta` device is not refused: the same error comes when it is built, or its
    code needs values.

    Examples
    --------
    >>> import torch
    >>> check_size(lambda: torch.nn.Linear(1_000_000, 1_000_000))
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.ModelError: its configuration declares 1,000,001,000,000 parameters; at most \
20,000,000,000 are built
    """
    import torch

    try:
        with torch.device("meta"):
            network = build()
    except Exception:
        return
    n_parameters = sum(values.numel() for values in network.parameters())
    n_buffers = sum(values.numel() for values in network.buffers())
    if n_parameters > MAX_PARAMETERS:
        limit = f"at most {MAX_PARAMETERS:,} are built"
        raise ModelError(f"its configuration declares {n_parameters:,} parameters; {limit}")
    n_bytes = sum(path.stat().st_size for path in weights)
    if weights and n_parameters > n_bytes:
        holds = f"{some([path.name for path in weights], 2)} with {n_bytes:,} bytes cannot hold them"
        raise ModelError(f"its configuration declares {n_parameters:,} parameters; {holds}")
    if n_buffers > MAX_BUFFERS:
        limit = f"at most {MAX_BUFFERS:,} are built"
        raise ModelError(
            f"its configuration declares tables of {n_buffers:,} values; {limit}: check its context length"
        )


def check_colors(settings: Mapping[str, Any], origin: str, keys: tuple[str, str] = ("mean", "std")) -> None:
    """Raise an error if mean or standard deviation are not three numbers that values from 0 to 1 are scaled with.

    Parameters
    ----------
    settings : mapping
        Mean and standard deviation are checked where they are given.
    origin : str
        Where they come from, for the message.
    keys : (str, str)
        The names of both.

    Raises
    ------
    ModelError
        Names the entry, and what it is.

    Examples
    --------
    >>> check_colors({"mean": [0.5, 0.5, 0.5], "std": [0.2, 0.2, 0.2]}, "config.json")
    >>> check_colors({"std": [0, 0, 0]}, "config.json")
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.ModelError: config.json: std is [0, 0, 0]; expected three numbers from 0.001 to 10, for \
values from 0 to 1
    """
    for key, low, high in zip(keys, (0, 0.001), (1, 10), strict=True):
        given = settings.get(key)
        if given is None:
            continue
        is_right = isinstance(given, list | tuple) and len(given) == 3 and all(map(_is_number, given))
        if not is_right or not all(low <= value <= high for value in given):
            expected = f"expected three numbers from {low} to {high}, for values from 0 to 1"
            raise ModelError(f"{origin}: {key} is {one_line(given, 60)}; {expected}")


def check_choice(settings: Mapping[str, Any], key: str, choices: Collection[str], origin: str) -> None:
    """Raise an error if a setting is given and is none of its choices.

    Parameters
    ----------
    settings : mapping
    key : str
    choices : collection of str
    origin : str
        Where the settings come from, for the message.

    Raises
    ------
    ModelError
        Lists the choices.

    Examples
    --------
    >>> check_choice({"interpolation": "magic"}, "interpolation", ("bicubic", "bilinear"), "config.json")
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.ModelError: config.json: interpolation is 'magic'; expected one of bicubic, bilinear
    """
    given = settings.get(key)
    if given is not None and not (isinstance(given, str) and given in choices):
        raise ModelError(f"{origin}: {key} is {one_line(repr(given), 60)}; expected one of {', '.join(choices)}")


def check_number(settings: Mapping[str, Any], key: str, low: float, high: float, origin: str) -> None:
    """Raise an error if a setting is given and is no number of its range.

    Parameters
    ----------
    settings : mapping
    key : str
    low, high : float
        Both are allowed.
    origin : str
        Where the settings come from, for the message.

    Raises
    ------
    ModelError
        States the range.

    Examples
    --------
    >>> check_number({"crop_pct": 0}, "crop_pct", 0.25, 2, "config.json")
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.ModelError: config.json: crop_pct is 0; expected a number from 0.25 to 2
    """
    given = settings.get(key)
    if given is not None and not (_is_number(given) and low <= given <= high):
        raise ModelError(f"{origin}: {key} is {one_line(given, 60)}; expected a number from {low} to {high}")


def check_sides(size: Any, origin: str, key: str = "size") -> None:
    """Raise an error if the size of the pictures that a network takes is not one or two sides in pixels.

    Parameters
    ----------
    size : int or sequence of int
    origin : str
        Where it comes from, for the message.
    key : str
        Its name there.

    Raises
    ------
    ModelError
        States what was expected.

    Examples
    --------
    >>> check_sides([224, 224], "config.json")
    >>> check_sides(10**6, "config.json")
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.ModelError: config.json: size is 1000000; expected one or two sides from 1 to 2048 pixels
    """
    sides = list(size) if isinstance(size, list | tuple) else [size]
    is_right = len(sides) in (1, 2) and all(isinstance(side, int) and _is_number(side) for side in sides)
    if not is_right or not all(1 <= side <= MAX_SIDE for side in sides):
        expected = f"expected one or two sides from 1 to {MAX_SIDE} pixels"
        raise ModelError(f"{origin}: {key} is {one_line(size, 60)}; {expected}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def entries(config: Any) -> Iterator[tuple[str, Any]]:
    """Yield all values of nested tables and lists, tables and lists among them, each with its path.

    Parameters
    ----------
    config : dict
        Of any depth.

    Yields
    ------
    key : str
        Names joined by dots; an element of a list has the path of the list.
    value : object

    Examples
    --------
    >>> list(entries({"depths": [3, 4]}))
    [('depths', [3, 4]), ('depths', 4), ('depths', 3)]
    """
    waiting: list[tuple[str, Any]] = [("", config)]
    while waiting:
        key, value = waiting.pop()
        if key:
            yield key, value
        if isinstance(value, dict):
            waiting += [(f"{key}.{name}" if key else str(name), inner) for name, inner in value.items()]
        elif isinstance(value, list | tuple):
            waiting += [(key, inner) for inner in value]
