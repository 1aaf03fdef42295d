"""A table of names beside a file of vectors that has none: one row an image.

The column of ids needs no certain name: it is the one in which most of the ids are found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath

import pandas as pd

from bioclip_probe.datasets.readers.columns import match_columns, notes_on_columns, rename_columns
from bioclip_probe.datasets.readers.table_files import read_texts
from bioclip_probe.errors import DataError, some
from bioclip_probe.tables import RANKS

_MEANINGS = frozenset({*RANKS, "epithet", "binomial", "taxon_rank", "common", "group", "split"})


def names_of(ids: Iterable[str], path: Path) -> tuple[pd.DataFrame, list[str]]:
    r"""Return the names that a table gives to images.

    Parameters
    ----------
    ids : iterable of str
        The table has them, or the file names in them, in any of its columns.
    path : Path
        The table: .csv, .tsv, .txt or .parquet.

    Returns
    -------
    names : DataFrame, dtype str
        One row for each id that the table has, by which it is indexed. The columns are meanings of `COLUMN_NAMES`.
    notes : list of str

    Raises
    ------
    DataError
        If the table cannot be read, has no rank or none of the ids, or gives one of them different names.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "a.csv").write_text("picture,species\nimg/1.jpg,Pica hudsonia\n")
    ...     names, _ = names_of(["1.jpg"], Path(folder, "a.csv"))
    >>> names.loc["1.jpg", "species"]
    'Pica hudsonia'
    """
    ids = list(dict.fromkeys(ids))
    table = read_texts(path)
    matched = {meaning: column for meaning, column in match_columns(table.columns).items() if meaning in _MEANINGS}
    if not matched.keys() & {*RANKS, "binomial"}:
        raise DataError(f"{path} has no rank columns: expected some of {', '.join(RANKS)}; it has: {some(table, 20)}")
    best, n_best, form = "", 0, _FORMS[0]
    for candidate in _FORMS:
        wanted = {candidate(name) for name in ids} - {""}
        for column in table:
            n_found = len(wanted.intersection(map(candidate, table[column].dropna().unique())))
            if n_found > n_best:
                best, n_best, form = column, n_found, candidate
    if not n_best:
        raise DataError(f"{path} has none of the ids in any column: {some(ids)}; it has: {some(table, 20)}")
    by_id = pd.Series(ids, index=ids, dtype="str").map(form)
    names = rename_columns(table, matched).assign(key=table[best].map(form, na_action="ignore"))
    taxon = [meaning for meaning in matched if meaning in {*RANKS, "epithet", "binomial"}]
    names = names[names["key"].isin(by_id)].drop_duplicates(["key", *taxon])
    repeated = names.loc[names["key"].duplicated(), "key"].unique()
    if len(repeated):
        raise DataError(f"{path} gives {len(repeated)} ids in '{best}' several taxa: {some(repeated)}")
    found = by_id[by_id.isin(names["key"])]
    notes = [f"names were read from {path.name}, by its column '{best}'", *notes_on_columns(matched, table.columns)]
    absent = by_id.index.difference(found.index, sort=False)
    if len(absent):
        notes.append(f"{len(absent)} of {len(ids)} ids are not in {path.name}: {some(absent)}")
    return names.set_index("key").loc[found].set_axis(found.index), notes


def _file_name(name: str) -> str:
    return PurePosixPath(name.replace("\\", "/")).name


def _file_stem(name: str) -> str:
    return PurePosixPath(name.replace("\\", "/")).stem


#: The forms in which ids are compared: as they are, by the file name at their end, without its ending.
_FORMS: tuple[Callable[[str], str], ...] = (str, _file_name, _file_stem)
