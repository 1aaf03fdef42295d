"""A table of folders: the lineage of each class folder, where its name is no scientific name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import pandas as pd

from bioclip_probe.datasets.readers import parquet
from bioclip_probe.datasets.readers.columns import COLUMN_NAMES, check_columns, match_columns, notes_on_columns
from bioclip_probe.datasets.readers.text_files import text_suffix
from bioclip_probe.datasets.readers.text_tables import read_columns
from bioclip_probe.datasets.table import FORMATS, read_header
from bioclip_probe.errors import DataError, some
from bioclip_probe.tables import RANKS
from bioclip_probe.tree.spelling import clean

_MEANINGS = (*RANKS, "epithet", "binomial", "taxon_rank", "common")


def read_folder_table(path: Path, folders: Sequence[PurePosixPath]) -> tuple[pd.DataFrame, list[str]]:
    r"""Return what a table says of each folder, and notes.

    The folders are named in the column whose values are most of their names, or paths; capitals, ``_`` and blanks do
    not matter. The other columns are those of a table of pictures: ranks, scientific names, common names.

    Parameters
    ----------
    path : Path
        A table .csv, .tsv, .txt or .parquet.
    folders : sequence of PurePosixPath
        Folders with pictures.

    Returns
    -------
    table : DataFrame, one row for each folder, dtype str
        A column for each meaning that the table has.
    notes : list of str

    Raises
    ------
    DataError
        If the table cannot be read, has no column of the folders or no rank, lacks a folder, or has one twice.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     table = Path(folder, "lineages.csv")
    ...     _ = table.write_text("class,species\nmagpies,Pica pica\n")
    ...     read_folder_table(table, [PurePosixPath("Magpies")])[0]["species"].tolist()
    ['Pica pica']
    """
    table = _read_table(path)
    columns = list(table.columns)
    keys = {column: table[column].map(_key, na_action="ignore") for column in columns}
    spellings = [(_key(folder.as_posix()), _key(folder.name)) for folder in folders]

    def n_named(column: str) -> int:
        known = set(keys[column].dropna())
        return sum(not known.isdisjoint(spelling) for spelling in spellings)

    column = max(columns, key=n_named)
    if not n_named(column):
        raise DataError(
            f"{path} has no column of the folders: expected one with {some(folder.as_posix() for folder in folders)}; "
            f"it has: {some(columns, 20)}"
        )
    matched = {
        meaning: name
        for meaning, name in match_columns(name for name in columns if name != column).items()
        if meaning in _MEANINGS
    }
    if column in match_columns([column]).values() and _plain(column) in COLUMN_NAMES["common"]:
        matched["common"] = column
    check_columns({**matched, "source": column}, path, columns)
    facts = table[list(matched.values())].set_axis(list(matched), axis=1)
    facts = facts.assign(key=keys[column]).dropna(subset="key").drop_duplicates()
    repeated = facts["key"].duplicated()
    if repeated.any():
        raise DataError(f"{path} gives folders several lineages; keep one row of each: {some(facts['key'][repeated])}")
    known = set(facts["key"])
    chosen = [next((key for key in spelling if key in known), None) for spelling in spellings]
    absent = [folder.as_posix() for folder, key in zip(folders, chosen, strict=True) if key is None]
    if absent:
        raise DataError(
            f"{path} lacks {len(absent)} of {len(folders)} folders in '{column}': {some(absent)}; add a row for each "
            f"(without names, if its pictures show no taxon)"
        )
    notes = [f"folders are named in '{column}' of {path.name}", *notes_on_columns(matched, columns)]
    unused = facts["key"][~facts["key"].isin(chosen)]
    if len(unused):
        notes.append(f"{len(unused)} rows of {path.name} name folders without pictures: {some(unused)}")
    return facts.set_index("key").loc[chosen].reset_index(drop=True), notes


def _read_table(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise DataError(f"{path}: no such table of folders")
    if path.suffix.lower() == ".parquet":
        names = list(parquet.read_schema(path).names)
        return parquet.read_text_columns(path, dict.fromkeys(names)).replace("", None)
    names = list(dict.fromkeys(read_header(path)))
    return read_columns(path, FORMATS[text_suffix(path)], names)


def _key(text: object) -> str:
    """Return the spelling by which folders are compared."""
    return " ".join(clean(text).replace("\\", "/").strip("/ ").replace("_", " ").casefold().split())


def _plain(column: str) -> str:
    return re.sub(r"[^a-z0-9]", "", column.lower())
