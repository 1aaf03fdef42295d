"""A table of names for things that have none of their own: vectors by their ids, class folders by their names.

``vectors:FILE#TABLE`` and ``folder:PATH#TABLE`` read one. The column that tells which row is whose needs no certain
name: it is the one in which most of the ids or folders are found.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path, PurePosixPath

import pandas as pd

from bioclip_probe.datasets.readers.columns import check_columns, match_columns, notes_on_columns, rename_columns
from bioclip_probe.datasets.readers.table_files import read_texts
from bioclip_probe.errors import DataError, some
from bioclip_probe.tables import RANKS
from bioclip_probe.tree.spelling import clean

#: The spelling in which two texts are compared.
Form = Callable[[str], str]
#: Columns that name taxa, the deepest last.
_NAMES = (*RANKS, "epithet", "binomial")
_MEANINGS = frozenset({*_NAMES, "taxon_rank", "qualifier", "common", "status"})


def read_name_table(
    path: Path, keys: Iterable[str], what: str, forms: Sequence[Form], more: Collection[str] = ()
) -> tuple[pd.DataFrame, list[str]]:
    r"""Return the names that a table gives to ids or folders.

    Parameters
    ----------
    path : Path
        The table: .csv, .tsv, .txt or .parquet.
    keys : iterable of str
        The ids or folders. The table has them in any of its columns.
    what : str
        What they are, for messages: ``ids``.
    forms : sequence of callable
        The spellings in which they are compared, the strictest first.
    more : collection of str
        Meanings of further columns that are read.

    Returns
    -------
    names : DataFrame, dtype str
        One row for each key that the table has, by which it is indexed. The columns are meanings of `COLUMN_NAMES`.
    notes : list of str

    Raises
    ------
    DataError
        If the table cannot be read, has no rank or none of the keys, or gives one of them rows that differ.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "a.csv").write_text("picture,species\nimg/1.jpg,Pica hudsonia\n")
    ...     names, notes = read_name_table(Path(folder, "a.csv"), ["1.jpg"], "ids", FORMS_OF_IDS)
    >>> names.loc["1.jpg", "species"], notes
    ('Pica hudsonia', ["names were read from a.csv, by its column 'picture'"])
    """
    table, keys = read_texts(path), list(dict.fromkeys(keys))
    column, form = _key_column(table, keys, forms)
    if column is None:
        raise DataError(f"{path} has none of the {what} in any column: {some(keys)}; it has: {some(table, 20)}")
    matched = _columns_of_names(list(table.columns), column, {*_MEANINGS, *more})
    check_columns({**matched, "source": column}, path, list(table.columns))
    rows = rename_columns(table, matched).assign(key=table[column].map(form, na_action="ignore"))
    rows = rows[rows["key"].fillna("") != ""].drop_duplicates()
    key_of = pd.Series([form(key) for key in keys], index=keys, dtype="str")
    is_ours = rows["key"].isin(key_of)
    repeated = rows.loc[is_ours & rows["key"].duplicated(), "key"].unique()
    if len(repeated):
        raise DataError(
            f"{path} has rows in '{column}' that give {len(repeated)} {what} several names; keep one row of each: "
            f"{some(repeated)}"
        )
    others = [name for name in table.columns if name != column]
    notes = [f"names were read from {path.name}, by its column '{column}'", *notes_on_columns(matched, others)]
    if not is_ours.all():
        notes.append(f"{(~is_ours).sum()} rows of {path.name} are of other {what}: {some(rows.loc[~is_ours, 'key'])}")
    known = key_of[key_of.isin(rows["key"])]
    return rows.set_index("key").loc[known].set_axis(known.index), notes


def _key_column(table: pd.DataFrame, keys: Sequence[str], forms: Sequence[Form]) -> tuple[str | None, Form]:
    """Return the column that has most of the keys, and the form in which it has them."""
    best: str | None = None
    n_best, best_form = 0, forms[0]
    for form in forms:
        wanted = {form(key) for key in keys} - {""}
        for column in table:
            n_known = len(wanted.intersection(map(form, table[column].dropna().unique())))
            if n_known > n_best:
                best, n_best, best_form = column, n_known, form
    return best, best_form


def _columns_of_names(columns: Sequence[str], key: str, meanings: Collection[str]) -> dict[str, str]:
    """Return the column for each meaning that is read.

    The column of the keys is one of them, unless another one names taxa more deeply, or it is called after a rank above
    the species and stands alone: a ``class`` may be that of a classifier.
    """

    def matched(columns: Sequence[str]) -> dict[str, str]:
        return {meaning: name for meaning, name in match_columns(columns).items() if meaning in meanings}

    found = matched(columns)
    own = next((meaning for meaning, name in found.items() if name == key and meaning in _NAMES), None)
    if own is None:
        return found
    others = [meaning for meaning in _NAMES if meaning in found and meaning != own]
    deepest = max((own, *others), key=_NAMES.index)
    is_read = own == deepest and (others or own not in RANKS[:-1])
    return found if is_read else matched([name for name in columns if name != key])


def _file_name(key: str) -> str:
    return PurePosixPath(key.replace("\\", "/")).name


def _file_stem(key: str) -> str:
    return PurePosixPath(key.replace("\\", "/")).stem


def _folder(key: str) -> str:
    """Return a path of folders, in a spelling without capitals and ``_``."""
    return " ".join(clean(key).replace("\\", "/").strip("/ ").replace("_", " ").casefold().split())


def _last_folder(key: str) -> str:
    return _folder(key).rpartition("/")[2]


#: Ids are compared as they are, by the file name at their end, and without its ending.
FORMS_OF_IDS: tuple[Form, ...] = (str, _file_name, _file_stem)
#: Folders are compared by their path, and by their own name.
FORMS_OF_FOLDERS: tuple[Form, ...] = (_folder, _last_folder)
