"""TreeOfLife-200M: a catalog in Parquet, and the pictures as files named by their uuid.

``tree-of-life-200m:PATH``, where PATH is one file of the catalog, such as ``catalog/part-00017.parquet``, or the
folder of all of them (also in ``catalog/``). 214 million rows do not fit into one table: a folder of more than
`MOST_ROWS` rows is refused, and each of its files is a dataset of its own.

The pictures lie in ``images/`` beside the file or its folder, or else beside the file itself:

* as a column of paths says, if the catalog has one;
* else as ``<uuid>.jpg``, all in one folder or in folders by the first signs of the uuid, ``ab/cd/abcd….jpg``. Which it
  is, is tried with some uuids: a folder of millions is never listed.

A catalog that holds the pictures themselves, as bytes, is read like any other Parquet. Which columns were read as what
is in the notes: the columns of `datasets.table.COLUMNS`, of which ``uuid`` is the `image_id`.
"""

from __future__ import annotations

import os
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from bioclip_probe.datasets import table
from bioclip_probe.datasets.dataset import Dataset
from bioclip_probe.datasets.readers import parquet
from bioclip_probe.datasets.readers.text_tables import WEB
from bioclip_probe.errors import DataError, some

NAME = "tree-of-life-200m"
CATALOG = "catalog"
IMAGES = "images"
#: More are not held in memory at once.
MOST_ROWS = 20_000_000
# How many signs of the uuid name each folder on the way to it; tried in this order.
FOLDERS = ((), (2,), (2, 2), (3,), (1,), (1, 1), (3, 3), (2, 2, 2), (1, 1, 1))
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
_TRIED = 100


def load(path: Path) -> Dataset:
    """One file of the catalog, or all of a small one; see the module.

    Raises
    ------
    DataError
        If there is no catalog, it has too many rows, or none of its pictures is found.
    """
    path = Path(path)
    if path.is_dir():
        root, files = path, parquet.files_below(path, CATALOG)
        if not files:
            raise DataError(f"{path} holds no catalog: expected Parquet files in it, or in {CATALOG}/")
    else:
        root, files = path.parent, [path.name]
    number = sum(parquet.row_count(root / file) for file in files)
    if number > MOST_ROWS:
        raise DataError(
            f"{path} has {number:,} rows, more than the {MOST_ROWS:,} that are held at once; "
            f"name one file of it: {NAME}:{root / files[0]}"
        )
    name = NAME if path.is_dir() or path.stem == CATALOG else f"{NAME}-{path.stem}"
    found, inside = table.columns_of_parquet(root / files[0])
    if inside:
        return table.dataset_of_parquet(name, root, files)
    table.check_columns(found, root / files[0], parquet.schema_of(root / files[0]).names, "image_id")
    return _from_catalog(name, root, files, found)


def _from_catalog(name: str, root: Path, files: list[str], found: dict[str, str]) -> Dataset:
    values = table.read_parquet(root, files, found)
    notes = table.read_as(found)
    if values.empty:
        raise DataError(f"{root / files[0]} has no usable image: it has no row")
    images = next(folder for folder in (root / IMAGES, root.parent / IMAGES, root) if folder.is_dir())
    if "source" not in values or values["source"].str.contains(WEB, na=False).any():
        values["source"], layout = _by_uuid(images, values["image_id"], root / files[0])
        notes.append(f"pictures were looked for by uuid, as {layout} below {images}")
    return table.dataset_of_paths(name, images, root / files[0], values, notes)


def _by_uuid(images: Path, uuids: pd.Series, catalog: Path) -> tuple[pd.Series, str]:
    """The path of each picture below `images`, and how they are laid out."""
    odd = uuids[~uuids.str.fullmatch(r"[0-9A-Za-z_-]+", na=False)]
    if len(odd):
        raise DataError(f"{catalog} has {len(odd)} ids that are no uuid, and no column of paths: {some(odd)}")
    tried = uuids.iloc[np.unique(np.linspace(0, len(uuids) - 1, _TRIED, dtype=np.int64))]
    layouts = list(product(FOLDERS, SUFFIXES))
    found = [sum(os.path.isfile(images / source) for source in _places(tried, *layout)) for layout in layouts]
    if not any(found):
        tars = sorted(file.name for folder in (images, catalog.parent) for file in folder.glob("*.tar"))
        hint = f"; unpack the tars there first: {some(tars)}" if tars else ""
        raise DataError(
            f"none of {len(tried)} pictures of {catalog} is below {images}: expected <uuid>.jpg, or ab/<uuid>.jpg, "
            f"ab/cd/<uuid>.jpg …; tried {some(tried)}{hint}"
        )
    best = layouts[int(np.argmax(found))]
    return _places(uuids, *best), _places(tried.iloc[:1], *best).iloc[0]


def _places(uuids: pd.Series, widths: tuple[int, ...], suffix: str) -> pd.Series:
    places, start = uuids + suffix, sum(widths)
    for width in reversed(widths):
        start -= width
        places = uuids.str[start : start + width] + "/" + places
    return places
