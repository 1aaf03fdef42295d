"""JSON files, read so that nothing in them is lost: a key that an object has twice is refused, not overwritten."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from bioclip_probe.datasets.readers.text_files import kind_of_content
from bioclip_probe.errors import DataError, one_line, printable


def read_json(path: Path, max_bytes: int | None = None) -> Any:
    """Return the content of a JSON file.

    Parameters
    ----------
    path : Path
    max_bytes : int, optional
        A larger file is refused before it is read.

    Returns
    -------
    object

    Raises
    ------
    DataError
        If there is no such file, it is too large or too deeply nested, is no JSON, or has a key twice in one object.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "a.json")
    ...     _ = path.write_text('{"genus": "Pica", "genus": "Corvus"}')
    ...     try:
    ...         read_json(path)
    ...     except DataError as error:
    ...         print(str(error).removeprefix(folder))
    /a.json is not JSON that can be read: one object has the key 'genus' twice
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    try:
        size = path.stat().st_size
        if max_bytes is not None and size > max_bytes:
            raise DataError(f"{path} has {size:,} bytes; expected at most {max_bytes:,}")
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    try:
        return json.loads(content, object_pairs_hook=_unique)
    except RecursionError as error:
        raise DataError(f"{path} is not JSON that can be read: it is nested too deeply") from error
    except ValueError as error:
        kind = kind_of_content(content[:1024])
        reason = kind if kind and not re.search("UTF-16|JSON", kind) else printable(one_line(error))
        raise DataError(f"{path} is not JSON that can be read: {reason}") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object as a dict, or raise `ValueError` if it has a key twice."""
    values = dict(pairs)
    if len(values) < len(pairs):
        keys = [key for key, _ in pairs]
        repeated = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"one object has the key '{repeated[:50]}' twice")
    return values
