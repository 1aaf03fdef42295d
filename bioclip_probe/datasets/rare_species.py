"""Rare Species: 400 species of the IUCN Red List that were kept out of BioCLIP's training, about 30 pictures each.

``rare-species:PATH``, where PATH is one of

* a Parquet file as on the hub, or the folder of several (also in ``data/``), with the pictures inside;
* the folder of ``dataset/`` with a folder a taxon, named by its ranks joined by ``-``, and ``metadata.csv`` beside it;
* ``metadata.csv`` itself, or the BioCLIP repository's CSV (``cls``, ``common_name``, ``filepath``, ``class``, ``sp``).

Where the CSV names no files, or there is none, the folders' names say what they show. A species is genus and epithet:
the 400 species have 385 epithets. The `image_id` is the ``rarespecies_id``, else the path.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd

from bioclip_probe.datasets import folder, table
from bioclip_probe.datasets.dataset import Dataset
from bioclip_probe.datasets.readers import parquet
from bioclip_probe.datasets.readers.text_tables import read_columns
from bioclip_probe.errors import DataError, some

NAME = "rare-species"
HELD_OUT = "Rare Species was held out from the training of BioCLIP, and not from that of BioCLIP 2"
TABLE = "metadata.csv"
FOLDER = "dataset"


def load(path: Path) -> Dataset:
    """Rare Species; see the module for what `path` may be.

    Raises
    ------
    DataError
        If nothing is there, or it is not laid out as Rare Species is.
    """
    path = Path(path)
    dataset = _from_folder(path) if path.is_dir() else _from_file(path)
    return replace(dataset, name=NAME, notes=(HELD_OUT, *dataset.notes))


def _from_file(path: Path) -> Dataset:
    if path.suffix.lower() == ".parquet":
        return table.dataset_of_parquet(NAME, path.parent, [path.name])
    return _from_table(path)


def _from_folder(path: Path) -> Dataset:
    files = parquet.files_below(path)
    if files:
        return table.dataset_of_parquet(NAME, path, files)
    listed = (path / TABLE).is_file()
    if listed and "source" in table.columns_of(table.header(path / TABLE)):
        return _from_table(path / TABLE)
    pictures = path / FOLDER if (path / FOLDER).is_dir() else path
    if pictures == path and not any(child.name.count("-") >= 6 for child in path.iterdir()):
        raise DataError(
            f"{path} is not Rare Species: expected Parquet files, or {FOLDER}/ and {TABLE}; "
            f"found: {some(sorted(child.name for child in path.iterdir()))}"
        )
    dataset = folder.load(pictures)
    unread = [f"{TABLE} names no files and was not read: names are those of the folders"] if listed else []
    return replace(dataset, notes=(*dataset.notes, *unread))


def _from_table(path: Path) -> Dataset:
    header = table.header(path)
    found = table.columns_of(header)
    table.check_columns(found, path, header)
    read = read_columns(path, table.FORMS[path.suffix.lower()], list(found.values()))
    values = table.meanings(read, found)
    return table.dataset_of_paths(NAME, _root(path, values["source"]), path, values, table.read_as(found))


def _root(path: Path, sources: pd.Series) -> Path:
    """The folder the table's paths are below: its own, or ``dataset/`` beside it, by where the first ones are."""
    folders = (path.parent, path.parent / FOLDER)
    return max(folders, key=lambda below: sum((below / source).is_file() for source in sources.dropna()[:100]))
