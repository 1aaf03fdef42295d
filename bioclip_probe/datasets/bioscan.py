"""What BIOSCAN-1M and BIOSCAN-5M share: a table of metadata, and sets of pictures in several sizes beside it.

Each set of pictures (``original_256``, ``cropped_256`` …) shows the same specimens. Which one is read changes the
numbers, so that nothing is chosen among several: the name of the dataset says which it was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from bioclip_probe.datasets.dataset import Dataset
from bioclip_probe.datasets.readers.pictures import checked_folder, dataset_of_files
from bioclip_probe.datasets.readers.text_tables import checked_sources
from bioclip_probe.errors import DataError, some


def find(path: Path, home: str, tables: Sequence[str], is_part: Callable[[str], bool]) -> tuple[Path, Path]:
    """The table of metadata and the folder of one set of pictures.

    Parameters
    ----------
    path : Path
        The folder that the dataset was unpacked into, the one above, or that of one set of pictures in it.
    home : str
        What that folder is called.
    tables : sequence of str
        Where the table may lie in it.
    is_part : callable
        Whether a folder of that name is a part of a set of pictures.

    Raises
    ------
    DataError
        If there is no table, no set of pictures, or more than one set.
    """
    path = checked_folder(Path(path))
    named = _is_set(path, is_part)
    homes = (path, *path.absolute().parents[:2]) if named else (path, path / home)  # from <home>/images/<set> two up
    found = [folder / table for folder in homes for table in tables if (folder / table).is_file()]
    if not found:
        raise DataError(f"{path} has no metadata; expected there: {' or '.join(tables)}")
    if named:
        return found[0], path
    images = [folder / "images" for folder in homes if (folder / "images").is_dir()]
    sets = [child for folder in images for child in sorted(folder.iterdir()) if _is_set(child, is_part)]
    if not sets:
        raise DataError(f"{path} has no pictures; expected images/original_256 or another set, unpacked")
    if len(sets) > 1:
        raise DataError(f"{path} has {len(sets)} sets of pictures; name one: {some(sets)}")
    return found[0], sets[0]


def _is_set(folder: Path, is_part: Callable[[str], bool]) -> bool:
    return folder.is_dir() and any(is_part(child.name) for child in folder.iterdir() if child.is_dir())


def dataset(name: str, table: Path, pictures: Path, rows: pd.DataFrame) -> Dataset:
    """The specimens of `rows` whose part of the pictures is there; `source` is the path below `pictures`."""
    notes = ["kingdom was read as Animalia: the table has no kingdom, and all its specimens are animals"]
    rows = rows.assign(kingdom="Animalia", source=checked_sources(rows["source"], table))
    nameless = rows["source"].isna() | rows["image_id"].isna()
    if nameless.any():
        where = some(rows.index[nameless] + 1)
        notes.append(f"{nameless.sum()} rows left out, no name of a specimen or of its picture: rows {where}")
        rows = rows[~nameless]
    parts = rows["source"].str.split("/", n=1).str[0]
    absent = [part for part in parts.unique() if not (pictures / part).is_dir()]
    if absent:
        out = parts.isin(absent)
        notes.append(f"{out.sum()} rows left out, their part of the pictures is not below {pictures}: {some(absent)}")
        rows = rows[~out]
    return dataset_of_files(f"{name}-{pictures.resolve().name}", pictures, rows, notes)
