"""Ready vectors: embeddings that somebody has computed already, with their taxa.

``vectors:FILE``, where FILE is

* ``.parquet`` as emb-explorer and `study.export` write it: ``uuid``, ``emb`` (a list of numbers), ranks;
* ``.npz`` with arrays ``ids``, ``vectors`` (n, d) and, as texts, ranks; nothing in it is unpickled;
* ``.h5ad`` of AnnData 0.8 or later: `X`, and in `obs` the ids as its index, and ranks;
* ``.csv`` or ``.tsv``: a column of ids, ranks, and a column for each number (emb_0, emb_1 …), or one column of lists;
* ``.json`` of pybioclip's ``bioclip embed``: the files and their vectors.

Ids and ranks may have the same names as in a table of pictures; ``FILE#KEY`` reads the vectors from another column,
array or `obsm` entry. ``FILE#TABLE`` (or ``FILE#KEY#TABLE``) reads the names from a table, .csv, .tsv, .txt or
.parquet, which has the ids, or the file names in them, in any column.

Vectors are compared by their cosine, but where an .npz, .h5ad or .parquet says otherwise: its text ``bioclip_probe``
(an array, an entry of `uns`, or metadata of the file) is then ``{"geometry": "euclidean"}`` or
``{"geometry": "lorentz"}``, see `stats.geometry`.

There are no pictures, so opening one fails. `extraction.ready_vectors` writes the vectors into the store.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import pandas as pd

from bioclip_probe.datasets.dataset import Dataset, dataset_from_rows
from bioclip_probe.datasets.readers.columns import check_columns, complete_rows
from bioclip_probe.datasets.readers.name_table import FORMS_OF_IDS, read_name_table
from bioclip_probe.datasets.readers.text_files import split_name_table
from bioclip_probe.datasets.readers.vector_files import VectorFile, open_vectors
from bioclip_probe.errors import DataError, PictureError, some
from bioclip_probe.tables import RANKS


@dataclass(frozen=True)
class NoPictures:
    """Opener of pictures for a file that holds only vectors: it always fails.

    Attributes
    ----------
    file : str
        Name of the file, for the message.

    Examples
    --------
    >>> NoPictures("bioclip.npz")("1")
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.PictureError: 1: bioclip.npz holds ready vectors and no pictures
    """

    file: str

    def __call__(self, source: str) -> NoReturn:
        """Raise `PictureError`."""
        raise PictureError(f"{source}: {self.file} holds ready vectors and no pictures", "missing")


def load(path: Path) -> Dataset:
    """Return the images whose vectors a file holds, without pictures.

    Parameters
    ----------
    path : Path
        The file, ``FILE#KEY``, ``FILE#TABLE`` or ``FILE#KEY#TABLE``.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If the file cannot be read, has no ids, vectors or ranks, or names an image twice.

    Examples
    --------
    >>> import numpy as np
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     np.savez(Path(folder, "a.npz"), ids=["1"], genus=["Pica"], vectors=np.ones((1, 3)))
    ...     load(Path(folder, "a.npz")).images["genus"].tolist()
    ['Pica']
    """
    file = open_vectors(path)
    texts, notes = _with_names(file, split_name_table(path)[1])
    check_columns({name: name for name in texts}, file.path, list(texts.columns), required="image_id")
    nameless = texts["image_id"].isna()
    notes = [
        *file.notes,
        *notes,
        f"ready vectors, {file.dimension} numbers each, from '{file.key}' of {file.path.name}",
    ]
    if nameless.any():
        numbers = texts.index[nameless] + 1
        notes.append(f"{nameless.sum()} rows left out, they have no id: rows {some(numbers)}")
    rows = complete_rows(texts[~nameless], file.path)
    rows = rows.assign(source=rows["image_id"])
    dataset = dataset_from_rows(file.path.stem, rows, NoPictures(file.path.name), notes=notes)
    return replace(dataset, simulated=_dataset_record(file.record).get("simulated") is True)


def _with_names(file: VectorFile, table: Path | None) -> tuple[pd.DataFrame, list[str]]:
    """Return the texts of a file with the names that a table gives to its ids, and notes."""
    texts = file.texts
    if table is None:
        if not texts.columns.intersection([*RANKS, "binomial"]).size:
            raise DataError(
                f"{file.path} has no rank columns: expected some of {', '.join(RANKS)}, scientificName; or name a "
                f"table that has them after it: vectors:{file.path}#labels.csv"
            )
        return texts, []
    ids = texts["image_id"].dropna().unique()
    names, notes = read_name_table(table, ids, "ids", FORMS_OF_IDS, more=("group", "split"))
    absent = [key for key in ids if key not in names.index]
    if absent:
        notes.append(f"{len(absent)} of {len(ids)} ids are not in {table.name}: {some(absent)}")
    names = names.reindex(texts["image_id"]).set_axis(texts.index)
    return pd.concat([texts.drop(columns=names.columns, errors="ignore"), names], axis=1), notes


def _dataset_record(record: dict[str, Any]) -> dict[str, Any]:
    """Return what an export of this package says about its dataset; empty for other files."""
    dataset = record.get("dataset")
    return dataset if isinstance(dataset, dict) else {}
