"""TreeOfLife-10M: ten million pictures of 454 thousand taxa, BioCLIP's training data.

``tree-of-life-10m:PATH``, where PATH is the folder of the download, or a tar, a folder or a pattern of tars in it. The
tars are those of the hub, ``dataset/EOL/image_set_01.tar`` … with members ``<treeoflife_id>.jpg``, unpacked from
``.tar.gz`` to ``.tar``; or the shards rebuilt from them, iNat21 and BIOSCAN-1M. Names come from ``catalog.csv``, there
or in ``metadata/``, up to two folders above the tars: shards without it are a ``webdataset:``.

The `image_id` is the `treeoflife_id`. The catalog's species is the epithet; its `common` is left empty where it
repeats the scientific or taxonomic name. Its split ``train_small``, and the shards of it, repeat a part of ``train``:
each picture is taken once. Pictures that are not in the catalog are left out, and noted, as are rows of the catalog
without a picture: the hub's tars hold those from the Encyclopedia of Life only.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pandas as pd

from bioclip_probe.datasets.dataset import Dataset, dataset_of_rows
from bioclip_probe.datasets.readers import tars
from bioclip_probe.datasets.readers.pictures import stamps
from bioclip_probe.datasets.readers.text_tables import CSV, collapse_whitespace, read_columns
from bioclip_probe.errors import DataError, some
from bioclip_probe.tables import RANKS

CATALOG = "catalog.csv"
ID = "treeoflife_id"
#: A part of ``train`` that is there a second time.
REPEATED = "train_small"
SPLITS = frozenset({"train", "val", "test", REPEATED})


def load(path: Path) -> Dataset:
    """TreeOfLife-10M, as far as its tars are there; see the module for where its catalog may be.

    Raises
    ------
    DataError
        If there is no tar, no catalog, or no picture that is in both.
    """
    path = Path(path)
    root, names = tars.find(path)
    homes = (root, *root.absolute().parents[:2])
    places = [home / folder / CATALOG for home in homes for folder in ("", "metadata", "dataset/metadata")]
    catalog = next((place for place in places if place.is_file()), None)
    if catalog is None:
        raise DataError(
            f"{root} has no {CATALOG}, neither there nor in metadata/ nor above; shards that say themselves what they "
            "show are a webdataset:"
        )
    return dataset("tree-of-life-10m", root, names, catalog)


def dataset(name: str, root: Path, names: list[str], catalog: Path) -> Dataset:
    """The pictures in tars that a catalog knows.

    Parameters
    ----------
    name : str
        Of the dataset.
    root : Path
        The folder that the tars are below.
    names : list of str
        The tars.
    catalog : Path
        A CSV with `treeoflife_id`, the ranks, and, if it has them, split and common.

    Raises
    ------
    DataError
        If a tar or the catalog cannot be read, the catalog has an id twice, or knows not one of the pictures.
    """
    known, notes = _read(catalog)
    rows, found = tars.pictures(root, names)
    key = rows["key"].str.rpartition("/")[2]  # a tar may hold its pictures in a folder
    rows = rows.assign(key=key, image_id=rows["image_id"].mask(rows["group"].isna(), key))
    rows, repeated = once(rows.assign(split=splits(root, rows["tar"])))
    notes += found + repeated
    where = known.index.get_indexer(rows["key"])
    unknown = where < 0
    if unknown.all():
        raise DataError(f"{catalog} has none of the {len(rows)} pictures in the tars of {root}: {some(rows['key'])}")
    if unknown.any():
        notes.append(f"{unknown.sum()} pictures left out, {CATALOG} does not have them: {some(rows['key'][unknown])}")
    rest = len(known) - len(set(where[~unknown]))
    if rest:
        notes.append(f"{rest} of {len(known)} rows of {CATALOG} have no picture in these tars")
    rows = rows[~unknown].reset_index(drop=True)
    said = known.take(where[~unknown]).reset_index(drop=True)
    rows = pd.concat([rows.drop(columns=["key", "tar", "split"]), said.drop(columns="split")], axis=1).assign(
        split=rows["split"].fillna(said["split"])
    )
    return dataset_of_rows(name, rows, tars.TarPictures(root), stamps(root, names), notes)


def _read(catalog: Path) -> tuple[pd.DataFrame, list[str]]:
    """Ranks, common and split of every picture, by its id."""
    rows = read_columns(catalog, CSV, (ID, *RANKS), ("split", "common")).reindex(
        columns=[ID, *RANKS, "split", "common"]
    )
    notes = []
    nameless = rows[ID].isna()
    if nameless.any():
        notes.append(f"{nameless.sum()} rows of {CATALOG} left out, no {ID}: rows {some(rows.index[nameless] + 1)}")
        rows = rows[~nameless]
    again = rows[ID].duplicated(keep=False) & (rows["split"] == REPEATED).fillna(False).astype(bool)
    if again.any():
        notes.append(f"{again.sum()} rows of {CATALOG} left out, {REPEATED} repeats other rows")
        rows = rows[~again]
    twice = rows.loc[rows[ID].duplicated(), ID].unique()
    if len(twice):
        raise DataError(f"{catalog} has {len(twice)} pictures more than once: {some(twice)}")
    rows = rows.set_index(rows.pop(ID).rename(None))
    rows["common"] = collapse_whitespace(rows["common"])
    return rows.assign(common=rows["common"].mask(_repeats_taxon(rows))), notes


def _repeats_taxon(rows: pd.DataFrame) -> pd.Series:
    """Whether a common name is the scientific or the taxonomic one, which stand in where there is none."""
    repeats = pd.Series(False, index=rows.index)
    for ranks in (RANKS[-2:], RANKS):
        name = pd.Series("", index=rows.index, dtype="str")
        for rank in ranks:
            name += (" " + rows[rank]).fillna("")
        repeats |= (rows["common"] == name.str.removeprefix(" ")).fillna(False).astype(bool)
    return repeats


def splits(root: Path, names: pd.Series) -> pd.Series:
    """The split of each tar: the nearest folder around it that is called as one."""
    top = root.resolve().name
    found = {}
    for name in names.unique():
        folders = (top, *PurePosixPath(name).parts[:-1])
        found[name] = next((folder for folder in reversed(folders) if folder in SPLITS), None)
    return names.map(found).astype("str")


def once(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """`rows` without the pictures of ``train_small`` that are there as those of another split, and the note of it."""
    again = rows["image_id"].duplicated(keep=False) & (rows["split"] == REPEATED).fillna(False).astype(bool)
    if not again.any():
        return rows, []
    return rows[~again], [f"{again.sum()} pictures left out, {REPEATED} repeats those of other splits"]
