"""Further columns of the images, such as photographer, place or kind of picture, that may mislead numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from bioclip_probe.datasets.readers import parquet
from bioclip_probe.datasets.readers.columns import known_values, match_columns
from bioclip_probe.datasets.readers.npz import npz_arrays
from bioclip_probe.datasets.readers.table_files import TEXT_FORMATS, read_header
from bioclip_probe.datasets.readers.text_files import text_suffix
from bioclip_probe.datasets.readers.text_tables import read_columns
from bioclip_probe.datasets.readers.vector_files import split_key
from bioclip_probe.datasets.readers.vector_table import ID_NAMES
from bioclip_probe.errors import DataError, some

#: Columns of the table of images itself.
OWN_COLUMNS = ("group", "split", "label", "common", "status")
#: Names of columns with the licence under which a picture is published, in small letters.
LICENCES = ("licence", "license", "dcterms:license", "license_name")
#: Forms of a dataset that is one file, which may hold further columns.
FILE_FORMS = ("table:", "vectors:")


def attributes_of(
    images: pd.DataFrame, columns: Sequence[str], data: str = "", path: Path | None = None
) -> pd.DataFrame:
    """Return further columns of the images of a dataset.

    Parameters
    ----------
    images : DataFrame, n rows
        An `IMAGES` table.
    columns : sequence of str
        Names of the columns. Those of `OWN_COLUMNS` are taken from `images` if no file has them.
    data : str
        The dataset as `datasets.load` takes it. The file of ``table:FILE`` and ``vectors:FILE`` is searched by default.
    path : Path, optional
        A table with a column of image ids and the columns: .csv, .tsv, .txt, .parquet or .npz.

    Returns
    -------
    DataFrame, n rows
        In the order of `images`; missing where the file has no row or no value for an image, or a placeholder such as
        'unknown': images by an unknown photographer are not by one photographer.

    Raises
    ------
    DataError
        If no file has a column, the file cannot be read, names an image twice, or has a value for no image.

    Examples
    --------
    >>> images = pd.DataFrame({"image_id": ["1", "2"], "group": ["Ada", "Bo"]})
    >>> attributes_of(images, ["group"])["group"].tolist()
    ['Ada', 'Bo']
    """
    columns = list(dict.fromkeys(columns))
    if path is None:
        form = next((form for form in FILE_FORMS if data.startswith(form)), None)
        path = split_key(Path(data.removeprefix(form)))[0] if form else None
        path = path if path and path.is_file() else None
    own = [column for column in columns if column in OWN_COLUMNS and not (path and column in _column_names(path))]
    attributes = images[own].reset_index(drop=True).astype("str")
    others = [column for column in columns if column not in own]
    if not others:
        return attributes[columns]
    if path is None:
        ask = "give a table that has it and a column of image ids: --attributes FILE"
        raise DataError(f"'{data}' has no column {some(others)}; {ask}")
    found = _of_images(images, _read(path, others), str(path))
    return pd.concat([attributes, found], axis=1)[columns]


def attributes_of_frame(images: pd.DataFrame, columns: Sequence[str], frame: pd.DataFrame) -> pd.DataFrame:
    """Return further columns of the images of a dataset from a table in memory.

    Parameters
    ----------
    images : DataFrame, n rows
        An `IMAGES` table.
    columns : sequence of str
    frame : DataFrame
        With these columns and one of image ids. Without image ids, it has a row for each image, and the ids are the
        numbers of the rows, as in `datasets.from_rows`.

    Returns
    -------
    DataFrame, n rows
        As `attributes_of`.

    Raises
    ------
    DataError
        If the table lacks a column, names an image twice, or has a value for no image.

    Examples
    --------
    >>> images = pd.DataFrame({"image_id": ["0", "2"]})
    >>> attributes_of_frame(images, ["place"], pd.DataFrame({"place": ["Rome", "Oslo", "Bonn"]}))["place"].tolist()
    ['Rome', 'Bonn']
    """
    where, names = "the table of columns", [str(name) for name in frame.columns]
    columns = list(dict.fromkeys(columns))
    ids = _id_column(names, columns, where)
    texts = frame.set_axis(names, axis=1).reset_index(drop=True).astype("str")
    of_frame = texts[columns].assign(image_id=texts[ids] if ids else texts.index.astype("str"))
    return _of_images(images, of_frame, where)


def _of_images(images: pd.DataFrame, table: pd.DataFrame, where: str) -> pd.DataFrame:
    """Return the columns of a table of image ids in the order of the images; `where` names it in messages."""
    rows = pd.Index(table.pop("image_id"))
    if rows.has_duplicates:
        raise DataError(f"{where} names images more than once: {some(rows[rows.duplicated()].unique())}")
    position = rows.get_indexer(images["image_id"])
    found = table.reindex(position).reset_index(drop=True).apply(known_values)
    for column in found:
        if found[column].isna().all():
            raise DataError(f"{where} gives no image of the dataset a value in '{column}'; do its image ids agree?")
    return found


def _id_column(names: Sequence[str], columns: Sequence[str], where: str) -> str | None:
    """Return the column of image ids of a table that has the other columns; None if it has none."""
    absent = [column for column in columns if column not in names]
    if absent:
        raise DataError(f"{where} lacks the columns {some(absent)}; it has: {some(names, 20)}")
    matched = match_columns(names)
    return matched.get("image_id") or next((name for name in names if name.lower() in ID_NAMES), matched.get("source"))


def licences_of(images: pd.DataFrame, data: str = "", path: Path | None = None) -> pd.Series | None:
    """Return the licence of each picture, where a file of the dataset says it.

    Parameters
    ----------
    images, data, path
        As for `attributes_of`.

    Returns
    -------
    Series, n rows, or None
        None if no file has such a column, or it cannot be read.

    Examples
    --------
    >>> licences_of(pd.DataFrame({"image_id": ["1"]}), "world") is None
    True
    """
    form = next((form for form in FILE_FORMS if data.startswith(form)), None)
    file = path or (split_key(Path(data.removeprefix(form)))[0] if form else None)
    try:
        names = _column_names(file) if file and file.is_file() else []
        column = next((name for name in names if name.lower() in LICENCES), None)
        return None if column is None else attributes_of(images, [column], data, file)[column]
    except DataError:
        return None


def codes(values: pd.Series) -> np.ndarray:
    """Return a number for each value of a column, -1 where it is missing.

    Parameters
    ----------
    values : Series, n rows

    Returns
    -------
    ndarray, shape (n,), int64

    Examples
    --------
    >>> codes(pd.Series(["b", None, "a", "b"])).tolist()
    [1, -1, 0, 1]
    """
    return pd.factorize(values, sort=True)[0].astype(np.int64)


def _column_names(path: Path) -> list[str]:
    """Return the columns, or the arrays, of a file."""
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return list(parquet.read_schema(path).names)
    if suffix == ".npz":
        return list(npz_arrays(path))
    if text_suffix(path) in TEXT_FORMATS:
        return read_header(path)
    raise DataError(f"{path}: columns of images are read from .csv, .tsv, .txt, .parquet and .npz")


def _read(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """Return some columns of a file as text, with the column ``image_id``."""
    names = _column_names(path)
    ids = _id_column(names, columns, str(path))
    if ids is None:
        raise DataError(f"{path} has no column of image ids: expected image_id, uuid or id; it has: {some(names, 20)}")
    wanted = [ids, *columns]
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        table = parquet.read_text_columns(path, dict.fromkeys(wanted))
    elif suffix == ".npz":
        arrays = npz_arrays(path)
        table = pd.DataFrame({name: np.ravel(arrays[name].read()).astype(str) for name in wanted}, dtype="str")
    else:
        table = read_columns(path, TEXT_FORMATS[text_suffix(path)], list(dict.fromkeys(wanted)))
    table = table.replace("", None)
    return pd.concat([table[ids].rename("image_id"), table[list(columns)]], axis=1)
