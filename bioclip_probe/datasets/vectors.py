"""Ready vectors: embeddings that somebody has made already, with their taxa.

``vectors:FILE``, where FILE is

* ``.parquet`` as emb-explorer has it and `exports.to_parquet` writes it: ``uuid``, ``emb`` (a list of numbers), ranks;
* ``.npz`` with arrays ``ids``, ``vectors`` (n, d) and, as texts, ranks; nothing in it is unpickled;
* ``.h5ad`` of AnnData 0.8 or later: `X`, and in `obs` the ids as its index, and ranks.

Ids and ranks may be called as in a table of pictures; ``FILE#KEY`` takes the vectors from another column, array or
`obsm` entry. There are no pictures: to open one fails. `extraction.ready_vectors` writes the vectors into the store.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

from bioclip_probe.datasets.dataset import Dataset, dataset_of_rows
from bioclip_probe.datasets.readers.vector_files import open_vectors
from bioclip_probe.datasets.table import check_columns, named
from bioclip_probe.errors import PictureError, some

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class NoPictures:
    """What stands for a way to open pictures, where there are vectors only."""

    file: str

    def __call__(self, source: str) -> NoReturn:
        raise PictureError(f"{source}: {self.file} holds ready vectors and no pictures", "missing")


def load(path: Path) -> Dataset:
    """The images that a file of vectors is of, without pictures.

    Raises
    ------
    DataError
        If the file cannot be read, has no ids, vectors or ranks, or names an image twice.
    """
    file = open_vectors(path)
    check_columns({name: name for name in file.texts}, file.path, file.texts.columns, needed="image_id")
    nameless = file.texts["image_id"].isna()
    notes = [*file.notes, f"ready vectors, {file.dimension} numbers each, from '{file.key}' of {file.path.name}"]
    if nameless.any():
        rows = file.texts.index[nameless] + 1
        notes.append(f"{nameless.sum()} rows left out, they have no id: rows {some(rows)}")
    rows = named(file.texts[~nameless], file.path)
    rows = rows.assign(source=rows["image_id"])
    dataset = dataset_of_rows(file.path.stem, rows, NoPictures(file.path.name), notes=notes)
    return replace(dataset, simulated=_stated(file.record, "dataset").get("simulated") is True)


def _stated(record: dict[str, Any], of: str) -> dict[str, Any]:
    """What an export says of its dataset or encoder; empty where it says nothing, or is somebody else's."""
    about = record.get(of)
    return about if isinstance(about, dict) else {}
