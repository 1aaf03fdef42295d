"""TreeOfLife-10M: ten million pictures of 454 thousand taxa, BioCLIP's training data.

``tree-of-life-10m:PATH``, where PATH is the folder of the download, or a tar, a folder or a pattern of tars in it. The
tars are those of the hub, ``dataset/EOL/image_set_01.tar`` … with members ``<treeoflife_id>.jpg``, unpacked from
``.tar.gz`` to ``.tar``; or the shards made from them, iNat21 and BIOSCAN-1M. Names come from ``catalog.csv``, there or
in ``metadata/``, up to two folders above the tars. Shards without a catalog are a ``webdataset:``.

The `image_id` is the `treeoflife_id`. The catalog's species is the epithet; its `common` is left empty where it
repeats the scientific or taxonomic name. Its split ``train_small`` and the shards of that split repeat some pictures of
``train``: each picture is used once. Pictures that are not in the catalog are left out, and noted, as are rows of the
catalog without a picture: the hub's tars hold only the pictures from the Encyclopedia of Life.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pandas as pd

from bioclip_probe.datasets.dataset import Dataset, dataset_from_rows
from bioclip_probe.datasets.readers.content import FileContent
from bioclip_probe.datasets.readers.picture_paths import collapse_whitespace
from bioclip_probe.datasets.readers.tars import TarPictures, find_tars, list_pictures
from bioclip_probe.datasets.readers.text_files import find_compressed
from bioclip_probe.datasets.readers.text_tables import CSV, read_columns
from bioclip_probe.errors import DataError, some
from bioclip_probe.tables import RANKS

CATALOG = "catalog.csv"
ID = "treeoflife_id"
#: The split that repeats pictures of ``train``.
REPEATED_SPLIT = "train_small"
SPLITS = frozenset({"train", "val", "test", REPEATED_SPLIT})


def load(path: Path) -> Dataset:
    """Return the pictures of TreeOfLife-10M whose tars exist; the module's docstring says where the catalog may be.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If there is no tar, no catalog, or no picture that is in both.

    Examples
    --------
    >>> load(Path("nowhere.tar"))
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: nowhere.tar: no such tar, folder of tars or pattern of their names: nowhere.tar
    """
    path = Path(path)
    root, tars = find_tars(path)
    folders = (root, *root.absolute().parents[:2])
    candidates = [
        folder / subfolder / CATALOG for folder in folders for subfolder in ("", "metadata", "dataset/metadata")
    ]
    catalog = next((file for candidate in candidates if (file := find_compressed(candidate))), None)
    if catalog is None:
        raise DataError(
            f"{root} has no {CATALOG}, neither there nor in metadata/ nor above; shards that hold the names of their "
            "pictures are a webdataset:"
        )
    return dataset_from_catalog("tree-of-life-10m", root, tars, catalog)


def dataset_from_catalog(name: str, root: Path, tars: list[str], catalog: Path) -> Dataset:
    """Return the pictures in tars that a catalog lists.

    Parameters
    ----------
    name : str
        Name of the dataset.
    root : Path
        The folder that the tars are below.
    tars : list of str
    catalog : Path
        A CSV with `treeoflife_id`, the ranks, and optionally split and common.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If a tar or the catalog cannot be read, or the catalog has an id twice or none of the pictures.

    Examples
    --------
    >>> dataset_from_catalog("birds", Path("."), ["a.tar"], Path("none.csv"))
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: none.csv: no such file
    """
    names, notes = _read_catalog(catalog)
    rows, tar_notes = list_pictures(root, tars)
    key = rows["key"].str.rpartition("/")[2]  # a tar may hold its pictures in a folder
    rows = rows.assign(key=key, image_id=rows["image_id"].mask(rows["group"].isna(), key))
    rows, repeated_notes = drop_repeated(rows.assign(split=splits_of_tars(root, rows["tar"])))
    notes += tar_notes + repeated_notes
    position = names.index.get_indexer(rows["key"])
    unknown = position < 0
    if unknown.all():
        raise DataError(f"{catalog} has none of the {len(rows)} pictures in the tars of {root}: {some(rows['key'])}")
    if unknown.any():
        notes.append(f"{unknown.sum()} pictures left out, {CATALOG} does not have them: {some(rows['key'][unknown])}")
    n_without = len(names) - len(set(position[~unknown]))
    if n_without:
        notes.append(f"{n_without} of {len(names)} rows of {CATALOG} have no picture in these tars")
    rows = rows[~unknown].reset_index(drop=True)
    names = names.take(position[~unknown]).reset_index(drop=True)
    rows = pd.concat([rows.drop(columns=["key", "tar", "split"]), names.drop(columns="split")], axis=1).assign(
        split=rows["split"].fillna(names["split"])
    )
    return dataset_from_rows(name, rows, TarPictures(root), notes=notes, content=FileContent(root, tars))


def _read_catalog(catalog: Path) -> tuple[pd.DataFrame, list[str]]:
    """Return ranks, common name and split of every picture, by its id, and notes."""
    rows = read_columns(catalog, CSV, (ID, *RANKS), ("split", "common")).reindex(
        columns=[ID, *RANKS, "split", "common"]
    )
    notes = []
    nameless = rows[ID].isna()
    if nameless.any():
        notes.append(f"{nameless.sum()} rows of {CATALOG} left out, no {ID}: rows {some(rows.index[nameless] + 1)}")
        rows = rows[~nameless]
    repeated = _repeats_in_small_split(rows[ID], rows["split"])
    if repeated.any():
        notes.append(f"{repeated.sum()} rows of {CATALOG} left out, {REPEATED_SPLIT} repeats other rows")
        rows = rows[~repeated]
    twice = rows.loc[rows[ID].duplicated(), ID].unique()
    if len(twice):
        raise DataError(f"{catalog} has {len(twice)} pictures more than once: {some(twice)}")
    rows = rows.set_index(rows.pop(ID).rename(None))
    rows["common"] = collapse_whitespace(rows["common"])
    return rows.assign(common=rows["common"].mask(_repeats_taxon(rows))), notes


def _repeats_in_small_split(ids: pd.Series, splits: pd.Series) -> pd.Series:
    """Return True for the rows of ``train_small`` whose picture occurs in another row."""
    return ids.duplicated(keep=False) & (splits == REPEATED_SPLIT).fillna(False).astype(bool)


def _repeats_taxon(rows: pd.DataFrame) -> pd.Series:
    """Return True where the common name is the scientific or taxonomic name, which replaces an unknown common name."""
    repeats = pd.Series(False, index=rows.index)
    for ranks in (RANKS[-2:], RANKS):
        name = pd.Series("", index=rows.index, dtype="str")
        for rank in ranks:
            name += (" " + rows[rank]).fillna("")
        repeats |= (rows["common"] == name.str.removeprefix(" ")).fillna(False).astype(bool)
    return repeats


def splits_of_tars(root: Path, tars: pd.Series) -> pd.Series:
    """Return the split of each tar: the nearest folder around it whose name is a split.

    Parameters
    ----------
    root : Path
        The folder that the tars are below.
    tars : Series, dtype str

    Returns
    -------
    Series, dtype str
        Missing where no folder names a split.

    Examples
    --------
    >>> splits_of_tars(Path("shards"), pd.Series(["val/a.tar", "b.tar"], dtype="str")).tolist()
    ['val', nan]
    """
    root_name = root.resolve().name
    split_of_tar = {}
    for tar in tars.unique():
        folders = (root_name, *PurePosixPath(tar).parts[:-1])
        split_of_tar[tar] = next((folder for folder in reversed(folders) if folder in SPLITS), None)
    return tars.map(split_of_tar).astype("str")


def drop_repeated(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return rows without the pictures of ``train_small`` that another split also has.

    Parameters
    ----------
    rows : DataFrame
        With columns `image_id` and `split`.

    Returns
    -------
    rows : DataFrame
    notes : list of str
        One note if rows were left out, otherwise empty.

    Examples
    --------
    >>> rows = pd.DataFrame({"image_id": ["1", "1"], "split": ["train", "train_small"]}, dtype="str")
    >>> drop_repeated(rows)[0]["split"].tolist()
    ['train']
    """
    repeated = _repeats_in_small_split(rows["image_id"], rows["split"])
    if not repeated.any():
        return rows, []
    return rows[~repeated], [f"{repeated.sum()} pictures left out, {REPEATED_SPLIT} repeats those of other splits"]
