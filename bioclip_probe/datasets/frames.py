"""Datasets from a DataFrame, as a notebook has one: paths of pictures with their taxa, or rows beside an array."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import pandas as pd

from bioclip_probe.datasets.dataset import Dataset, dataset_from_rows
from bioclip_probe.datasets.readers.columns import (
    check_columns,
    complete_rows,
    match_columns,
    notes_on_columns,
    rename_columns,
)
from bioclip_probe.datasets.table import dataset_from_paths
from bioclip_probe.errors import DataError, PictureError


def from_frame(frame: pd.DataFrame, root: str | Path = ".", name: str = "frame") -> Dataset:
    """Return the pictures that a DataFrame names.

    Parameters
    ----------
    frame : DataFrame
        One row a picture, with the columns of `datasets.table`: a path, at least one rank or the binomial, and if known
        an id, a group, a split, a common name and a mask. The index is not used.
    root : str or Path
        The folder that relative paths start at.
    name : str
        Name of the dataset.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If a column of paths or of ranks is missing, or no picture is there.

    Examples
    --------
    >>> from_frame(pd.DataFrame({"path": ["1.jpg"]}))
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: the DataFrame 'frame' has no rank columns: expected some of kingdom, ...
    """
    values, notes, origin = _values(frame, name, "source")
    return dataset_from_paths(name, Path(root), Path(origin), values, notes)


def from_rows(frame: pd.DataFrame, name: str = "frame") -> Dataset:
    """Return images without pictures, for which a DataFrame gives the taxa; their vectors are given elsewhere.

    Parameters
    ----------
    frame : DataFrame
        One row an image, with at least one rank or the binomial. Without a column of ids, the `image_id` is the number
        of the row, the first being 0.
    name : str
        Name of the dataset.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If a column of ranks is missing, or two ids are equal.

    Examples
    --------
    >>> from_rows(pd.DataFrame({"species": ["Pica pica", "Corvus corax"]})).images["genus"].tolist()
    ['Pica', 'Corvus']
    """
    _check_frame(frame)
    if not len(frame):
        raise DataError(f"the DataFrame '{name}' has no row")
    numbered = frame.reset_index(drop=True)
    if not match_columns(map(str, frame.columns)).get("image_id"):
        numbered = numbered.assign(image_id=numbered.index.astype("str"))
    values, notes, origin = _values(numbered, name, "image_id")
    rows = complete_rows(values.assign(source=values["image_id"]), origin)
    return dataset_from_rows(name, rows, _no_picture, notes=notes)


def _check_frame(frame: object) -> None:
    """Raise `DataError` if an object is not a DataFrame."""
    if not isinstance(frame, pd.DataFrame):
        raise DataError(f"expected a pandas DataFrame with one row an image; got a {type(frame).__name__}")


def _values(frame: pd.DataFrame, name: str, required: str) -> tuple[pd.DataFrame, list[str], str]:
    """Return the columns that have a meaning, notes on columns, and the name of the frame in messages."""
    _check_frame(frame)
    origin, columns = f"the DataFrame '{name}'", [str(column) for column in frame.columns]
    twice = sorted({column for column in columns if columns.count(column) > 1})
    if twice:
        raise DataError(f"{origin} has two columns of one name: {', '.join(twice)}")
    table = frame.set_axis(columns, axis=1).reset_index(drop=True)
    matched = match_columns(columns)
    check_columns(matched, origin, columns, required)
    return rename_columns(table, matched), notes_on_columns(matched, columns), origin


def _no_picture(source: str) -> NoReturn:
    """Raise `PictureError`: vectors were given, and no pictures."""
    raise PictureError(f"{source}: there is no picture, only its vector was given", "missing")
