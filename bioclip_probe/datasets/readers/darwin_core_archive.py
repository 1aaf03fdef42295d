"""Darwin Core archives: what `meta.xml` says of the tables in a folder or a ``.zip``, and their columns by term.

Nothing is unpacked: a table in a ``.zip`` is read where it is, up to `MOST_RATIO` times the size of the archive.
A `meta.xml` with a document type is refused, as a few lines of entities can fill a memory.
"""

from __future__ import annotations

import codecs
import re
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO
from xml.etree import ElementTree

import pandas as pd

from bioclip_probe.datasets.readers.pictures import stays_inside
from bioclip_probe.datasets.readers.text_tables import Form, read_table
from bioclip_probe.errors import DataError, printable, some

META = "meta.xml"
MOST_META_BYTES = 1 << 20
#: Text shrinks to a tenth or a thirtieth in a ``.zip``; what grows more than this when unpacked is a bomb.
MOST_RATIO = 200
_SMALL = 1 << 20  # never too large, whatever its ratio
KEY = "key"


@dataclass(frozen=True)
class Table:
    """One of an archive's tables, as `meta.xml` describes it: the number of each term's column, or its one value."""

    row_type: str
    locations: tuple[str, ...]
    form: Form
    key: int | None
    columns: dict[str, int]
    defaults: dict[str, str]


@dataclass(frozen=True)
class Archive:
    """A folder or a ``.zip`` with a `meta.xml`: the core, a row a record, and extensions, rows that belong to records.

    Attributes
    ----------
    path : Path
        The folder or the file.
    home : str
        The folder of `meta.xml` in it; locations are relative to it.
    """

    path: Path
    home: str
    core: Table
    extensions: tuple[Table, ...]

    def read(self, table: Table, terms: Sequence[str]) -> pd.DataFrame:
        """The columns of those of `terms` that `table` has, and `KEY`, the id of the record that each row belongs to.

        Raises
        ------
        DataError
            If a file is missing, is no table as `meta.xml` describes it, or would be too large unpacked.
        """
        numbers = {term: table.columns[term] for term in terms if term in table.columns}
        if table.key is not None:
            numbers[KEY] = table.key
        if not numbers:
            raise DataError(f"{self.path}: {META} names no column of {some(table.locations)} that is read")
        names = list(dict.fromkeys(f"f{number}" for number in numbers.values()))
        frames = []
        for location in table.locations:
            inside = self._inside(location)
            frames.append(read_table(partial(_opened, self.path, inside), f"{self.path}: {inside}", table.form, names))
        read = pd.concat(frames, ignore_index=True)
        rows = pd.DataFrame({term: read[f"f{number}"] for term, number in numbers.items()}, dtype="str")
        for term in terms:
            if term in table.defaults:
                rows[term] = rows[term].fillna(table.defaults[term]) if term in rows else table.defaults[term]
        return rows

    def _inside(self, location: str) -> str:
        location = location.replace("\\", "/")
        if re.match(r"/|[A-Za-z][A-Za-z0-9+.-]*:", location) or not stays_inside(location):
            raise DataError(f"{self.path}: {META} names a table outside the archive: {printable(location)}")
        return (PurePosixPath(self.home) / location).as_posix()


def archive_at(path: Path) -> Archive:
    """The archive at `path`, a folder or a ``.zip``.

    Raises
    ------
    DataError
        If nothing is there, it has no `meta.xml`, or that is not understood.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(f"{path}: no such file or folder")
    home = _home(path)
    name = (PurePosixPath(home) / META).as_posix()
    with _opened(path, name) as stream:
        content = stream.read(MOST_META_BYTES + 1)
    root = _parsed(content, f"{path}: {name}")
    cores = [child for child in root if _tag(child) == "core"]
    if len(cores) != 1:
        raise DataError(f"{path}: {name} describes {len(cores)} core tables; expected one")
    extensions = tuple(_table(child, path) for child in root if _tag(child) == "extension")
    return Archive(path, home, _table(cores[0], path), extensions)


def _home(path: Path) -> str:
    """The folder in `path` that has the `meta.xml`: itself, or the only one that does."""
    if path.is_dir():
        names = (
            [META] if (path / META).is_file() else [f"{child.parent.name}/{META}" for child in path.glob(f"*/{META}")]
        )
    else:
        with _zip(path) as archive:
            names = [name for name in archive.namelist() if re.fullmatch(rf"([^/\\]+/)?{META}", name)]
    if META in names:
        return ""
    if len(names) == 1 and not names[0].startswith("../"):
        return names[0].rpartition("/")[0]
    raise DataError(
        f"{path} is no Darwin Core archive: it has {'several' if names else 'no'} {META}; a simple download of GBIF, "
        "one table, names no pictures: ask for a Darwin Core archive, or give table: a column of their paths"
    )


def _zip(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise DataError(
            f"{path} is no Darwin Core archive: expected a folder, or a .zip that can be read ({printable(error)}); "
            "for a single table see table:"
        ) from error


def _opened(path: Path, name: str) -> BinaryIO:
    """The file called `name` in a folder or a ``.zip``, for reading."""
    if path.is_dir():
        try:
            return (path / name).open("rb")
        except (OSError, ValueError) as error:
            raise DataError(f"{path / printable(name)}: cannot be read, though {META} names it ({error})") from error
    with _zip(path) as archive:
        try:
            member = archive.getinfo(name)
            if member.file_size > max(_SMALL, MOST_RATIO * path.stat().st_size):
                raise DataError(
                    f"{path}: {name} would have {member.file_size:,} bytes unpacked, too many for its archive"
                )
            return _Member(archive.open(member), f"{path}: {name}")
        except KeyError as error:
            raise DataError(f"{path} has no file {printable(name)}, though {META} names it") from error
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError) as error:
            raise DataError(f"{path}: {printable(name)} cannot be unpacked ({printable(error)})") from error


class _Member:
    """A file in a ``.zip``; what goes wrong when it is unpacked is a `DataError`."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream, self._name = stream, name

    def __enter__(self) -> _Member:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def closed(self) -> bool:
        return self._stream.closed

    def close(self) -> None:
        self._stream.close()

    def read(self, size: int = -1) -> bytes:
        try:
            return self._stream.read(size)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
            raise DataError(f"{printable(self._name)} cannot be unpacked ({printable(error)})") from error


def _parsed(content: bytes, name: str) -> ElementTree.Element:
    if len(content) > MOST_META_BYTES:
        raise DataError(f"{name} has more than {MOST_META_BYTES:,} bytes; expected a description of a few tables")
    try:
        text = content.decode("utf-8-sig")
        if "<!DOCTYPE" in text:
            raise DataError(f"{name} has a document type, which is not read: its entities can fill a memory; remove it")
        return ElementTree.fromstring(text)
    except UnicodeDecodeError as error:
        raise DataError(f"{name} is not UTF-8; save it so") from error
    except (ElementTree.ParseError, ValueError) as error:
        raise DataError(f"{name} is no XML that can be read: {printable(error)}") from error


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _table(element: ElementTree.Element, path: Path) -> Table:
    """What one `core` or `extension` says; the defaults are those of the Darwin Core text guide."""
    locations = tuple((found.text or "").strip() for found in element.iter() if _tag(found) == "location")
    if not any(locations):
        raise DataError(f"{path}: {META} names no file for its {_tag(element)} {printable(element.get('rowType'))}")
    keys = [_number(child, path) for child in element if _tag(child) in ("id", "coreid", "coreId")]
    columns, defaults = {}, {}
    for field in (child for child in element if _tag(child) == "field"):
        term = re.split(r"[/#:]", field.get("term", ""))[-1]
        if field.get("index") is not None:
            columns.setdefault(term, _number(field, path))
        if field.get("default"):
            defaults.setdefault(term, field.get("default"))
    row_type = re.split(r"[/#]", element.get("rowType", ""))[-1]
    return Table(row_type, locations, _form(element, path), keys[0] if keys else None, columns, defaults)


def _number(element: ElementTree.Element, path: Path, attribute: str = "index", default: str = "") -> int:
    value = element.get(attribute, default)
    if not re.fullmatch(r"[0-9]{1,6}", value):
        raise DataError(f"{path}: {META} has {attribute}='{printable(value)}' for {_tag(element)}; expected a number")
    return int(value)


def _form(element: ElementTree.Element, path: Path) -> Form:
    separator = _unescaped(element.get("fieldsTerminatedBy", ","))
    if separator == " ":  # XML reads a tab that is written as such as a blank
        separator = "\t"
    quote = _unescaped(element.get("fieldsEnclosedBy", '"'))
    lines = _unescaped(element.get("linesTerminatedBy", "\n"))
    if len(separator) != 1 or len(quote) > 1 or not (separator.isprintable() or separator == "\t"):
        raise DataError(
            f"{path}: {META} parts fields by '{printable(separator)}', within '{printable(quote)}'; expected one sign"
        )
    if lines.strip(" \r\n"):
        raise DataError(f"{path}: {META} ends lines by '{printable(lines)}'; expected line ends")
    return Form(
        separator, quote, element.get("encoding", "utf-8"), False, _number(element, path, "ignoreHeaderLines", "0")
    )


def _unescaped(text: str) -> str:
    return re.sub(r"\\[tnr\\]", lambda found: codecs.decode(found[0], "unicode_escape"), text)
