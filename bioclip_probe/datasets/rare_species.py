"""Rare Species: 400 species of the IUCN Red List that were held out of BioCLIP's training, about 30 pictures each.

``rare-species:PATH``, where PATH is one of

* a Parquet file as on the hub, or the folder of several (also in ``data/``), with the pictures inside;
* the folder with ``dataset/``, a folder a taxon, named by its ranks joined by ``-``, and ``metadata.csv``;
* ``metadata.csv`` itself, or the CSV of BioCLIP's repository (``cls``, ``common_name``, ``filepath``, ``class``,
  ``sp``).

If the CSV names no files, or there is no CSV, the folders' names give the taxa. A species is genus and epithet, because
the 400 species have only 385 epithets. The `image_id` is the ``rarespecies_id``, else the path.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd

from bioclip_probe.datasets import folder, table
from bioclip_probe.datasets.dataset import Dataset
from bioclip_probe.datasets.readers.columns import match_columns, notes_on_columns
from bioclip_probe.datasets.readers.parquet import parquet_files
from bioclip_probe.errors import DataError, some

NAME = "rare-species"
HELD_OUT = "Rare Species was held out from the training of BioCLIP, and not from that of BioCLIP 2"
TABLE = "metadata.csv"
FOLDER = "dataset"


def load(path: Path) -> Dataset:
    """Return Rare Species; the module's docstring describes the path.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If nothing is there, or its layout is not that of Rare Species.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from PIL import Image
    >>> with TemporaryDirectory() as folder:
    ...     taxon = Path(folder, "dataset", "Animalia-Chordata-Aves-Passeriformes-Corvidae-Pica-asirensis")
    ...     taxon.mkdir(parents=True)
    ...     Image.new("RGB", (8, 6)).save(taxon / "1.png")
    ...     load(Path(folder)).images["species"].tolist()
    ['Pica asirensis']
    """
    path = Path(path)
    dataset = _load_folder(path) if path.is_dir() else _load_file(path)
    return replace(dataset, name=NAME, notes=(HELD_OUT, *dataset.notes))


def _load_file(path: Path) -> Dataset:
    if path.suffix.lower() == ".parquet":
        return table.dataset_from_parquet(NAME, path.parent, [path.name])
    return _load_table(path)


def _load_folder(path: Path) -> Dataset:
    files = parquet_files(path)
    if files:
        return table.dataset_from_parquet(NAME, path, files)
    has_table = (path / TABLE).is_file()
    if has_table and "source" in match_columns(table.read_header(path / TABLE)):
        return _load_table(path / TABLE)
    pictures = path / FOLDER if (path / FOLDER).is_dir() else path
    if pictures == path and not any(child.name.count("-") >= 6 for child in path.iterdir()):
        raise DataError(
            f"{path} is not Rare Species: expected Parquet files, or {FOLDER}/ and {TABLE}; "
            f"found: {some(sorted(child.name for child in path.iterdir()))}"
        )
    dataset = folder.load(pictures)
    unread = [f"{TABLE} names no files and was not read: names are those of the folders"] if has_table else []
    return replace(dataset, notes=(*dataset.notes, *unread))


def _load_table(path: Path) -> Dataset:
    values, matched = table.read_text_table(path)
    root = _choose_root(path, values["source"])
    return table.dataset_from_paths(NAME, root, path, values, notes_on_columns(matched, table.read_header(path)))


def _choose_root(path: Path, sources: pd.Series) -> Path:
    """Return the folder that the table's paths start at: its own, or ``dataset/`` in it, where more of them exist."""
    folders = (path.parent, path.parent / FOLDER)
    return max(folders, key=lambda folder: sum((folder / source).is_file() for source in sources.dropna()[:100]))
