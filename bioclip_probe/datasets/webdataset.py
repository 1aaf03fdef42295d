"""Webdatasets: pictures in tar files, where members with the same key give the taxon of each picture.

``webdataset:PATH``, where PATH is a tar, a folder of tars at any depth, or a pattern of their names such as
``shard-{000000..000127}.tar``. Tars are read where they are; compressed ones must be unpacked first.

A member's key is its name up to the first dot after the last ``/``. The taxon of a picture comes from

* ``catalog.csv``, if the folder of the tars has it, as that of TreeOfLife-10M: the row whose `treeoflife_id` is the
  key;
* else ``<key>.json``, with any of kingdom … species, or scientific_name; and common_name;
* else ``<key>.taxonTag.txt``, ``<key>.taxonomic_name.txt``, ``<key>.scientific_name.txt``, or the captions that
  repeat them, as in BioCLIP's training shards; see `readers.shard_texts`. Ranks that these do not give stay missing,
  and are noted.

The `image_id` is the key; if several pictures share a key, the `image_id` is the member's name, and the key is their
group. The split is the folder around the tar whose name is train, val, test or train_small.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from bioclip_probe.datasets.dataset import Dataset, dataset_from_rows
from bioclip_probe.datasets.readers.content import FileContent
from bioclip_probe.datasets.readers.shard_texts import ENDINGS, TEXT_MEMBERS, parse_texts
from bioclip_probe.datasets.readers.tars import TarPictures, find_tars, list_pictures
from bioclip_probe.datasets.tree_of_life_10m import CATALOG, dataset_from_catalog, drop_repeated, splits_of_tars
from bioclip_probe.errors import DataError, some


def load(path: Path) -> Dataset:
    """Return the pictures of a webdataset; the module's docstring says where their taxa come from.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If there is no tar, none of them has a picture, or no picture has a taxon.

    Examples
    --------
    >>> load(Path("nowhere.tar"))
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: nowhere.tar: no such tar, folder of tars or pattern of their names: nowhere.tar
    """
    path = Path(path)
    root, tars = find_tars(path)
    name = (path if path.exists() else root).resolve().stem
    if (root / CATALOG).is_file():
        return dataset_from_catalog(name, root, tars, root / CATALOG)
    rows, notes = list_pictures(root, tars, ENDINGS, parse_texts)
    if rows["read"].isna().all():
        raise DataError(
            f"{path} does not say what its {len(rows)} pictures show; expected members such as "
            f"{some(endings[0] for endings in TEXT_MEMBERS.values())}, a .json that names ranks, or a catalog.csv"
            + "".join(f"; {note}" for note in notes)
        )
    rows, repeated_notes = drop_repeated(rows.assign(split=splits_of_tars(root, rows["tar"])))
    notes += repeated_notes + _notes_on_missing_ranks(rows)
    rows = rows.drop(columns=["key", "tar", "read"])
    return dataset_from_rows(name, rows, TarPictures(root), notes=notes, content=FileContent(root, tars))


def _notes_on_missing_ranks(rows: pd.DataFrame) -> list[str]:
    notes = []
    binomial = rows["read"] == "scientific"
    if binomial.any():
        notes.append(
            f"{binomial.sum()} images are known by genus and species only: their texts leave ranks out without saying "
            f"which: {some(rows['image_id'][binomial])}"
        )
    unknown = rows["read"].isna()
    if unknown.any():
        notes.append(f"{unknown.sum()} images have no text that names their taxon: {some(rows['image_id'][unknown])}")
    return notes
