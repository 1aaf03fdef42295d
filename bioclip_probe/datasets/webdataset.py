"""Webdatasets: pictures in tar files, each with members of the same key that say what it shows.

``webdataset:PATH``, where PATH is a tar, a folder of tars at any depth, or a pattern of their names such as
``shard-{000000..000127}.tar``. Tars are read where they are; compressed ones must be unpacked first.

A member's key is its name up to the first dot after the last ``/``. What a picture shows is said

* by ``catalog.csv``, if the folder of the tars has it, as that of TreeOfLife-10M: the row whose `treeoflife_id` is the
  key;
* else by ``<key>.json``, with any of kingdom … species, or scientific_name; and common_name;
* else by ``<key>.taxonTag.txt``, ``<key>.taxonomic_name.txt``, ``<key>.scientific_name.txt``, or the captions that
  repeat them, as in BioCLIP's training shards; see `captions`. Where these leave ranks open, they are holes, and noted.

The `image_id` is the key; where several pictures have one key it is the member's name, and the key is their group. The
split is the folder around the tar that is called train, val, test or train_small.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from bioclip_probe.datasets import tree_of_life_10m
from bioclip_probe.datasets.captions import ENDINGS, TEXTS, taxa_of
from bioclip_probe.datasets.dataset import Dataset, dataset_of_rows
from bioclip_probe.datasets.readers import tars
from bioclip_probe.datasets.readers.pictures import stamps
from bioclip_probe.errors import DataError, some


def load(path: Path) -> Dataset:
    """The pictures of a webdataset; see the module for where their taxa come from.

    Raises
    ------
    DataError
        If there is no tar, none of them has a picture, or nothing says what any picture shows.
    """
    path = Path(path)
    root, names = tars.find(path)
    name = (path if path.exists() else root).resolve().stem
    if (root / tree_of_life_10m.CATALOG).is_file():
        return tree_of_life_10m.dataset(name, root, names, root / tree_of_life_10m.CATALOG)
    rows, notes = tars.pictures(root, names, ENDINGS, taxa_of)
    if rows["read"].isna().all():
        raise DataError(
            f"{path} does not say what its {len(rows)} pictures show; expected members such as "
            f"{some(endings[0] for endings in TEXTS.values())}, a .json that names ranks, or a catalog.csv"
        )
    rows, repeated = tree_of_life_10m.once(rows.assign(split=tree_of_life_10m.splits(root, rows["tar"])))
    notes += repeated + _left_open(rows)
    rows = rows.drop(columns=["key", "tar", "read"])
    return dataset_of_rows(name, rows, tars.TarPictures(root), stamps(root, names), notes)


def _left_open(rows: pd.DataFrame) -> list[str]:
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
