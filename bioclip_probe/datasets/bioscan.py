"""The parts that BIOSCAN-1M and BIOSCAN-5M share: a table of metadata, and sets of pictures in several sizes.

Each set of pictures (``original_256``, ``cropped_256`` …) shows the same specimens. The set changes the numbers, so the
user must choose one if there are several, and the name of the dataset says which one was read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from bioclip_probe.datasets.dataset import Dataset, dataset_from_files
from bioclip_probe.datasets.readers.picture_paths import check_picture_paths
from bioclip_probe.datasets.readers.pictures import check_folder
from bioclip_probe.datasets.readers.text_files import find_compressed
from bioclip_probe.errors import DataError, some


def find_table_and_pictures(
    path: Path, main_folder: str, tables: Sequence[str], is_subfolder: Callable[[str], bool]
) -> tuple[Path, Path]:
    """Return the table of metadata and the folder of one set of pictures.

    Parameters
    ----------
    path : Path
        The folder that the dataset was unpacked into, the folder above, or the folder of one set of pictures in it.
    main_folder : str
        Name of the folder in the archive.
    tables : sequence of str
        Possible paths of the table in that folder; it may also be compressed, with the ending ``.gz``.
    is_subfolder : callable
        Function of a folder's name that returns True if a set of pictures has folders of that name.

    Returns
    -------
    table : Path
    pictures : Path

    Raises
    ------
    DataError
        If there is no table, no set of pictures, or more than one set.

    Examples
    --------
    >>> find_table_and_pictures(Path("nowhere"), "bioscan1m", ["metadata.tsv"], str.isalpha)
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: nowhere: no such folder
    """
    path = check_folder(Path(path))
    names_a_set = _is_set(path, is_subfolder)
    # From <main folder>/images/<set> the table lies up to two folders above.
    folders = (path, *path.absolute().parents[:2]) if names_a_set else (path, path / main_folder)
    existing = [file for folder in folders for table in tables if (file := find_compressed(folder / table))]
    if not existing:
        raise DataError(f"{path} has no metadata; expected there: {' or '.join(tables)}")
    if names_a_set:
        return existing[0], path
    images = [folder / "images" for folder in folders if (folder / "images").is_dir()]
    sets = [child for folder in images for child in sorted(folder.iterdir()) if _is_set(child, is_subfolder)]
    if not sets:
        raise DataError(f"{path} has no pictures; expected images/original_256 or another set, unpacked")
    if len(sets) > 1:
        raise DataError(f"{path} has {len(sets)} sets of pictures; name one: {some(sets)}")
    return existing[0], sets[0]


def _is_set(folder: Path, is_subfolder: Callable[[str], bool]) -> bool:
    return folder.is_dir() and any(is_subfolder(child.name) for child in folder.iterdir() if child.is_dir())


def without_decimals(numbers: pd.Series) -> pd.Series:
    """Return whole numbers as they were before a program made decimals of them: a column with a hole becomes 18.0.

    Parameters
    ----------
    numbers : Series, dtype str

    Returns
    -------
    Series, dtype str

    Examples
    --------
    >>> without_decimals(pd.Series(["18.0", "113", "0a"], dtype="str")).tolist()
    ['18', '113', '0a']
    """
    return numbers.str.replace(r"^(\d+)\.0+$", r"\1", regex=True)


def dataset_from_specimens(name: str, table: Path, pictures: Path, rows: pd.DataFrame) -> Dataset:
    """Return the specimens whose subfolder of the pictures exists.

    Parameters
    ----------
    name : str
        Name of the dataset, before the name of the set of pictures.
    table : Path
        The table of metadata, for messages.
    pictures : Path
        The folder of one set of pictures.
    rows : DataFrame, dtype str
        `image_id`, `source` (the path below `pictures`) and the ranks from phylum on.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If a path leads out of the folder, or no picture exists.

    Examples
    --------
    >>> rows = pd.DataFrame({"image_id": ["1"], "source": ["../1.jpg"], "genus": ["Musca"]}, dtype="str")
    >>> dataset_from_specimens("bioscan-1m", Path("metadata.tsv"), Path("cropped_256"), rows)
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: metadata.tsv names pictures outside its folder: ../1.jpg
    """
    notes = ["kingdom was read as Animalia: the table has no kingdom, and all its specimens are animals"]
    rows = rows.assign(kingdom="Animalia", source=check_picture_paths(rows["source"], table))
    nameless = rows["source"].isna() | rows["image_id"].isna()
    if nameless.any():
        numbers = some(rows.index[nameless] + 1)
        notes.append(f"{nameless.sum()} rows left out, no name of a specimen or of its picture: rows {numbers}")
        rows = rows[~nameless]
    subfolders = rows["source"].str.split("/", n=1).str[0]
    absent = [subfolder for subfolder in subfolders.unique() if not (pictures / subfolder).is_dir()]
    if absent:
        left_out = subfolders.isin(absent)
        notes.append(
            f"{left_out.sum()} rows left out, their part of the pictures is not below {pictures}: {some(absent)}"
        )
        rows = rows[~left_out]
    return dataset_from_files(f"{name}-{pictures.resolve().name}", pictures, rows, notes)
