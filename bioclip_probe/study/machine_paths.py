"""Removal of the paths of a machine from records, before a record leaves the laboratory.

A path tells where somebody works, often with their name, and means nothing elsewhere. Each absolute path is replaced by
an ellipsis and the name of its file or folder. Ids of models (``hf-hub:imageomics/bioclip``), addresses
(``https://…``) and relative paths inside a dataset stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PureWindowsPath
from typing import Any

#: The sign in place of the folders of a path.
CUT = "…"
#: Beginning of an absolute path: of POSIX, of a home folder, of a drive or a share of Windows, or of a file's address.
_ROOT = r"(?:file:/{1,3}|~[\w.-]*/|/(?![/\s])|[A-Za-z]:[\\/](?!/)|\\\\(?=\w))"
#: A path begins a text, or follows a space, a quote, a bracket, an equals sign, the colon of a
#: scheme, or the slash after an architecture.
_BEFORE = r"""(?:(?<=[\s'"`=(\[{<,;|>])|(?<=\w:)|(?<=\w/)|^)"""
_WHOLE = re.compile(rf"((?:[\w.+-]{{2,}}[:=])*){_ROOT}(.*)", re.DOTALL)
_INSIDE = re.compile(rf"""{_BEFORE}{_ROOT}[^\s'"`()\[\]{{}}<>|,;:]*""")
#: Marks of a sentence that begins with a path, which a single path does not have.
_SENTENCE = re.compile(rf"[:;,.] |\s--?\w|://|\s{_ROOT}")
#: Folders whose entries are named after people.
_HOMES = ("home", "users", "root")


def without_paths(value: Any) -> Any:
    """Return a JSON-able value in whose texts absolute paths are cut to their last name.

    Parameters
    ----------
    value : object
        A text, a list, a mapping, or anything else, which is returned as it is. Keys are texts too.

    Returns
    -------
    object
        A new value of the same kind.

    Examples
    --------
    >>> without_paths({"data": "inat21:/home/ada/my data/val", "model": "hf-hub:imageomics/bioclip"})
    {'data': 'inat21:…/val', 'model': 'hf-hub:imageomics/bioclip'}
    >>> without_paths("/home/ada/a.csv lacks the column species; see https://example.org/help")
    '…/a.csv lacks the column species; see https://example.org/help'
    """
    if isinstance(value, str):
        return _text_without_paths(value)
    if isinstance(value, Mapping):
        return {without_paths(key): without_paths(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_paths(item) for item in value]
    return value


def is_absolute(text: str) -> bool:
    r"""Return True if a text is an absolute path, as an image id may be.

    Parameters
    ----------
    text : str

    Examples
    --------
    >>> is_absolute("/data/val/1.jpg"), is_absolute(r"C:\val\1.jpg"), is_absolute("val/1.jpg")
    (True, True, False)
    """
    return re.match(_ROOT, text) is not None


def _text_without_paths(text: str) -> str:
    """Return a text without the folders of the absolute paths in it."""
    whole = _WHOLE.fullmatch(text)
    if whole and not _SENTENCE.search(whole[2]):  # one path, which may hold spaces
        return whole[1] + _last_name(text[len(whole[1]) :])
    return _INSIDE.sub(lambda match: _last_name(match[0]), text)


def _last_name(path: str) -> str:
    """Return an ellipsis and the last name of a path; only the ellipsis if that may be the name of a person."""
    parts = [part for part in PureWindowsPath(path.removeprefix("file:")).parts if part.strip("\\/")]
    if not parts or (path.startswith("~") and len(parts) < 2):
        return CUT
    before = parts[-2].lower() if len(parts) > 1 else ""
    return CUT if before in _HOMES or (len(parts) == 1 and parts[0] in _HOMES) else f"{CUT}/{parts[-1]}"
