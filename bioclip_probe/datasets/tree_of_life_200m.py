"""TreeOfLife-200M: a catalog in Parquet, and the pictures as files named by their uuid.

``tree-of-life-200m:PATH``, where PATH is one file of the catalog, such as ``catalog/part-00017.parquet``, or the
folder of all of them (also in ``catalog/``). 214 million rows do not fit into one table: a folder of more than
`MAX_ROWS` rows is refused, and each of its files is a dataset of its own.

The pictures lie in ``images/`` beside the file or its folder, or else beside the file itself:

* at the paths in the catalog, if it has a column of paths;
* else as ``<uuid>.jpg``, all in one folder or in folders by the first characters of the uuid, ``ab/cd/abcd….jpg``. The
  loader tries the layouts with some uuids, because listing a folder of millions takes too long.

A catalog that holds the pictures themselves, as bytes, is read like any other Parquet. Its columns are matched as in
`readers.columns`, where ``uuid`` is the `image_id`; the notes name the columns that were read under another name.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from bioclip_probe.datasets import table
from bioclip_probe.datasets.dataset import Dataset
from bioclip_probe.datasets.readers import parquet
from bioclip_probe.datasets.readers.columns import check_columns, notes_on_columns
from bioclip_probe.datasets.readers.picture_paths import WEB_ADDRESS
from bioclip_probe.errors import DataError, some

NAME = "tree-of-life-200m"
CATALOG = "catalog"
IMAGES = "images"
#: More rows are not held in memory at once.
MAX_ROWS = 20_000_000
# Numbers of characters of the uuid that name each folder on the way to the file; tried in this order.
FOLDER_WIDTHS = ((), (2,), (2, 2), (3,), (1,), (1, 1), (3, 3), (2, 2, 2), (1, 1, 1))
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
_N_TRIED = 100


def load(path: Path, max_rows: int = MAX_ROWS) -> Dataset:
    """Return one file of the catalog, or all files of a small one; the module's docstring describes the path.

    Parameters
    ----------
    path : Path
    max_rows : int
        Largest number of rows that is read.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If there is no catalog, it has too many rows, or none of its pictures exists.

    Examples
    --------
    >>> load(Path("catalog/none.parquet"))
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: catalog/none.parquet: no such file
    """
    path = Path(path)
    if path.is_dir():
        root, files = path, parquet.parquet_files(path, CATALOG)
        if not files:
            raise DataError(f"{path} holds no catalog: expected Parquet files in it, or in {CATALOG}/")
    else:
        root, files = path.parent, [path.name]
    n_rows = sum(parquet.count_rows(root / file) for file in files)
    if n_rows > max_rows:
        raise DataError(
            f"{path} has {n_rows:,} rows, more than the {max_rows:,} that are held at once; "
            f"name one file of it: {NAME}:{root / files[0]}"
        )
    name = NAME if path.is_dir() or path.stem == CATALOG else f"{NAME}-{path.stem}"
    matched, holds_pictures = table.match_parquet_columns(root / files[0])
    if holds_pictures:
        return table.dataset_from_parquet(name, root, files)
    check_columns(matched, root / files[0], parquet.read_schema(root / files[0]).names, "image_id")
    return _load_catalog(name, root, files, matched)


def _load_catalog(name: str, root: Path, files: list[str], matched: Mapping[str, str]) -> Dataset:
    values = table.read_parquet_table(root, files, matched)
    notes = notes_on_columns(matched, parquet.read_schema(root / files[0]).names)
    if values.empty:
        raise DataError(f"{root / files[0]} has no usable image: it has no row")
    images = next(folder for folder in (root / IMAGES, root.parent / IMAGES, root) if folder.is_dir())
    if "source" not in values or values["source"].str.contains(WEB_ADDRESS, na=False).any():
        values["source"], example = _paths_by_uuid(images, values["image_id"], root / files[0])
        notes.append(f"pictures were looked for by uuid, as {example} below {images}")
    return table.dataset_from_paths(name, images, root / files[0], values, notes)


def _paths_by_uuid(images: Path, uuids: pd.Series, catalog: Path) -> tuple[pd.Series, str]:
    """Return the path of each picture below `images`, and one of the paths as an example of the layout."""
    odd = uuids[~uuids.str.fullmatch(r"[0-9A-Za-z_-]+", na=False)]
    if len(odd):
        raise DataError(f"{catalog} has {len(odd)} ids that are not uuids, and no column of paths: {some(odd)}")
    tried = uuids.iloc[np.unique(np.linspace(0, len(uuids) - 1, _N_TRIED, dtype=np.int64))]
    layouts = list(product(FOLDER_WIDTHS, SUFFIXES))
    n_files = [sum(os.path.isfile(images / path) for path in _apply_layout(tried, *layout)) for layout in layouts]
    if not any(n_files):
        tars = sorted(file.name for folder in (images, catalog.parent) for file in folder.glob("*.tar"))
        hint = f"; unpack the tars there first: {some(tars)}" if tars else ""
        raise DataError(
            f"none of {len(tried)} pictures of {catalog} is below {images}: expected <uuid>.jpg, or ab/<uuid>.jpg, "
            f"ab/cd/<uuid>.jpg …; tried {some(tried)}{hint}"
        )
    best = layouts[int(np.argmax(n_files))]
    return _apply_layout(uuids, *best), _apply_layout(tried.iloc[:1], *best).iloc[0]


def _apply_layout(uuids: pd.Series, widths: tuple[int, ...], suffix: str) -> pd.Series:
    paths, start = uuids + suffix, sum(widths)
    for width in reversed(widths):
        start -= width
        paths = uuids.str[start : start + width] + "/" + paths
    return paths
