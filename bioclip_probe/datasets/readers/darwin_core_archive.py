"""Darwin Core archives: the tables that `meta.xml` describes in a folder or a ``.zip``, and their columns by term.

Nothing is unpacked: a table in a ``.zip`` is read where it is, as far as `limits` allow.
A `meta.xml` with a document type is refused, because a few lines of entities can fill the memory.
"""

from __future__ import annotations

import codecs
import re
import zipfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast
from xml.etree import ElementTree

import pandas as pd

from bioclip_probe.datasets.readers.pictures import stays_inside
from bioclip_probe.datasets.readers.table_formats import TableFormat
from bioclip_probe.datasets.readers.text_files import MAX_RATIO, TextFile, UnpackedStream
from bioclip_probe.datasets.readers.text_tables import read_table
from bioclip_probe.errors import DataError, printable, some
from bioclip_probe.limits import check_declared

META = "meta.xml"
MAX_META_BYTES = 1 << 20
#: The column with the id of the record that a row belongs to.
KEY = "key"


@dataclass(frozen=True)
class ArchiveTable:
    """One table of an archive, as `meta.xml` describes it.

    Attributes
    ----------
    row_type : str
        ``Occurrence``, ``Multimedia`` …
    locations : tuple of str
        The files of the table, relative to the folder of `meta.xml`.
    table_format : TableFormat
    key : int or None
        Number of the column with the id of the record.
    columns : dict from str to int
        Number of the column of each term.
    defaults : dict from str to str
        The value of each term that has one value for all rows.

    Examples
    --------
    >>> ArchiveTable("Occurrence", ("a.txt",), TableFormat(), 0, {"genus": 1}, {}).columns
    {'genus': 1}
    """

    row_type: str
    locations: tuple[str, ...]
    table_format: TableFormat
    key: int | None
    columns: dict[str, int]
    defaults: dict[str, str]


@dataclass(frozen=True)
class Archive:
    """A folder or a ``.zip`` with a `meta.xml`.

    Attributes
    ----------
    path : Path
        The folder or the file.
    subfolder : str
        The folder of `meta.xml` in it; locations are relative to it.
    core : ArchiveTable
        One row a record.
    extensions : tuple of ArchiveTable
        Tables whose rows belong to records.

    Examples
    --------
    >>> core = ArchiveTable("Occurrence", ("a.txt",), TableFormat(), 0, {"genus": 1}, {})
    >>> Archive(Path("birds.zip"), "", core, ()).core.row_type
    'Occurrence'
    """

    path: Path
    subfolder: str
    core: ArchiveTable
    extensions: tuple[ArchiveTable, ...]

    def read(self, table: ArchiveTable, terms: Sequence[str]) -> pd.DataFrame:
        """Return the columns of those of `terms` that a table has.

        Parameters
        ----------
        table : ArchiveTable
        terms : sequence of str

        Returns
        -------
        DataFrame, dtype str
            One column a term, and `KEY`, the id of the record that each row belongs to.

        Raises
        ------
        DataError
            If a file is missing, does not have the form that `meta.xml` describes, or would be too large unpacked.
        """
        numbers = {term: table.columns[term] for term in terms if term in table.columns}
        if table.key is not None:
            numbers[KEY] = table.key
        if not numbers:
            raise DataError(f"{self.path}: {META} names no column of {some(table.locations)} that is read")
        names = list(dict.fromkeys(f"f{number}" for number in numbers.values()))
        frames = []
        for location in table.locations:
            member = self._member(location)
            file = TextFile(f"{self.path}: {member}", partial(_open, self.path, member))
            frames.append(read_table(file, table.table_format, names))
        read = pd.concat(frames, ignore_index=True)
        rows = pd.DataFrame({term: read[f"f{number}"] for term, number in numbers.items()}, dtype="str")
        for term in terms:
            if term in table.defaults:
                rows[term] = rows[term].fillna(table.defaults[term]) if term in rows else table.defaults[term]
        return rows

    def _member(self, location: str) -> str:
        """Return the path of a table in the archive."""
        location = location.replace("\\", "/")
        if re.match(r"/|[A-Za-z][A-Za-z0-9+.-]*:", location) or not stays_inside(location):
            raise DataError(f"{self.path}: {META} names a table outside the archive: {printable(location)}")
        return (PurePosixPath(self.subfolder) / location).as_posix()


def open_archive(path: Path) -> Archive:
    """Return the description of a Darwin Core archive.

    Parameters
    ----------
    path : Path
        A folder or a ``.zip``.

    Returns
    -------
    Archive

    Raises
    ------
    DataError
        If nothing is there, it has no `meta.xml`, or that cannot be understood.

    Examples
    --------
    >>> open_archive(Path("none.zip"))
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: none.zip: no such file or folder
    """
    path = Path(path)
    if not path.exists():
        raise DataError(f"{path}: no such file or folder")
    subfolder = _folder_of_meta(path)
    name = (PurePosixPath(subfolder) / META).as_posix()
    with _open(path, name) as stream:
        content = stream.read(MAX_META_BYTES + 1)
    root = _parse_xml(content, f"{path}: {name}")
    cores = [child for child in root if _tag(child) == "core"]
    if len(cores) != 1:
        raise DataError(f"{path}: {name} describes {len(cores)} core tables; expected one")
    extensions = tuple(_parse_table(child, path) for child in root if _tag(child) == "extension")
    return Archive(path, subfolder, _parse_table(cores[0], path), extensions)


def _folder_of_meta(path: Path) -> str:
    """Return the folder in `path` that holds the `meta.xml`: `path` itself, or the only one below it."""
    if path.is_dir():
        names = (
            [META] if (path / META).is_file() else [f"{child.parent.name}/{META}" for child in path.glob(f"*/{META}")]
        )
    else:
        with _open_zip(path) as archive:
            names = [name for name in archive.namelist() if re.fullmatch(rf"([^/\\]+/)?{META}", name)]
    if META in names:
        return ""
    if len(names) == 1 and not names[0].startswith("../"):
        return names[0].rpartition("/")[0]
    raise DataError(
        f"{path} is not a Darwin Core archive: it has {'several' if names else 'no'} {META}; a simple download of "
        "GBIF, one table, names no pictures: ask for a Darwin Core archive, or give table: a column of their paths"
    )


def _open_zip(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise DataError(
            f"{path} is not a Darwin Core archive: expected a folder, or a .zip that can be read ({printable(error)}); "
            "for a single table see table:"
        ) from error


def _open(path: Path, name: str) -> BinaryIO:
    """Open the file `name` in a folder or a ``.zip`` for reading."""
    if path.is_dir():
        try:
            return (path / name).open("rb")
        except (OSError, ValueError) as error:
            raise DataError(f"{path / printable(name)}: cannot be read, though {META} names it ({error})") from error
    with _open_zip(path) as archive:
        try:
            if archive.namelist().count(name) > 1:
                raise DataError(f"{path} has several files {printable(name)}; remove all but one")
            member = archive.getinfo(name)
            check_declared(path, f"file {printable(name)}", member.file_size, path.stat().st_size, MAX_RATIO)
            stream = UnpackedStream(archive.open(member), f"{path}: {name}", path.stat().st_size)
            return cast(BinaryIO, stream)
        except KeyError as error:
            raise DataError(f"{path} has no file {printable(name)}, though {META} names it") from error
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError) as error:
            raise DataError(f"{path}: {printable(name)} cannot be unpacked ({printable(error)})") from error


def _parse_xml(content: bytes, name: str) -> ElementTree.Element:
    if len(content) > MAX_META_BYTES:
        raise DataError(f"{name} has more than {MAX_META_BYTES:,} bytes; expected a description of a few tables")
    try:
        text = content.decode("utf-8-sig")
        if "<!DOCTYPE" in text:
            raise DataError(
                f"{name} has a document type, which is not read: its entities can fill the memory; remove it"
            )
        return ElementTree.fromstring(text)
    except UnicodeDecodeError as error:
        raise DataError(f"{name} is not UTF-8; save it as UTF-8") from error
    except (ElementTree.ParseError, ValueError) as error:
        raise DataError(f"{name} is not XML that can be read: {printable(error)}") from error


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _parse_table(element: ElementTree.Element, path: Path) -> ArchiveTable:
    """Parse one `core` or `extension`; missing attributes have the defaults of the Darwin Core text guide."""
    locations = tuple((child.text or "").strip() for child in element.iter() if _tag(child) == "location")
    if not any(locations):
        raise DataError(f"{path}: {META} names no file for its {_tag(element)} {printable(element.get('rowType'))}")
    keys = [_parse_number(child, path) for child in element if _tag(child) in ("id", "coreid", "coreId")]
    columns: dict[str, int] = {}
    defaults: dict[str, str] = {}
    fields = [child for child in element if _tag(child) == "field"]
    n_columns = Counter(field.get("term", "") for field in fields if field.get("index") is not None)
    repeated = [term for term, number in n_columns.items() if number > 1]
    if repeated:
        raise DataError(f"{path}: {META} gives several columns the term {some(repeated)}; remove all but one")
    for field in fields:
        term = re.split(r"[/#:]", field.get("term", ""))[-1]
        if field.get("index") is not None:
            columns.setdefault(term, _parse_number(field, path))
        if default := field.get("default"):
            defaults.setdefault(term, default)
    row_type = re.split(r"[/#]", element.get("rowType", ""))[-1]
    return ArchiveTable(row_type, locations, _parse_format(element, path), keys[0] if keys else None, columns, defaults)


def _parse_number(element: ElementTree.Element, path: Path, attribute: str = "index", default: str = "") -> int:
    value = element.get(attribute, default)
    if not re.fullmatch(r"[0-9]{1,6}", value):
        raise DataError(f"{path}: {META} has {attribute}='{printable(value)}' for {_tag(element)}; expected a number")
    return int(value)


def _parse_format(element: ElementTree.Element, path: Path) -> TableFormat:
    separator = _unescape(element.get("fieldsTerminatedBy", ","))
    if separator == " ":  # XML turns a tab character into a blank
        separator = "\t"
    quote = _unescape(element.get("fieldsEnclosedBy", '"'))
    lines = _unescape(element.get("linesTerminatedBy", "\n"))
    if (
        len(separator) != 1
        or len(quote) > 1
        or separator == quote
        or not (separator.isprintable() or separator == "\t")
    ):
        raise DataError(
            f"{path}: {META} separates fields by '{printable(separator)}', quoted by '{printable(quote)}'; "
            "expected one character each"
        )
    if lines.strip(" \r\n"):
        raise DataError(f"{path}: {META} ends lines by '{printable(lines)}'; expected line ends")
    encoding = element.get("encoding", "utf-8")
    return TableFormat(
        separator,
        quote,
        "utf-8" if encoding.lower() == "utf-8-sig" else encoding,  # a byte order mark is skipped in any case
        header=False,
        skip=_parse_number(element, path, "ignoreHeaderLines", "0"),
        by_lines=separator == "\t",
    )


def _unescape(text: str) -> str:
    return re.sub(r"\\[tnr\\]", lambda match: codecs.decode(match[0], "unicode_escape"), text)
