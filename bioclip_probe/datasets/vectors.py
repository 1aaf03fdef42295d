"""Ready vectors: embeddings that somebody has computed already, with their taxa.

``vectors:FILE``, where FILE is

* ``.parquet`` as emb-explorer and `study.export` write it: ``uuid``, ``emb`` (a list of numbers), ranks;
* ``.npz`` with arrays ``ids``, ``vectors`` (n, d) and, as texts, ranks; nothing in it is unpickled;
* ``.h5ad`` of AnnData 0.8 or later: `X`, and in `obs` the ids as its index, and ranks.

Ids and ranks may have the same names as in a table of pictures; ``FILE#KEY`` reads the vectors from another column,
array or `obsm` entry. There are no pictures, so opening one fails. `extraction.ready_vectors` writes the vectors into
the store.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

from bioclip_probe.datasets.dataset import Dataset, dataset_from_rows
from bioclip_probe.datasets.readers.columns import check_columns, complete_rows
from bioclip_probe.datasets.readers.vector_files import open_vectors
from bioclip_probe.errors import PictureError, some


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
        The file, or ``FILE#KEY``.

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
    check_columns({name: name for name in file.texts}, file.path, list(file.texts.columns), required="image_id")
    nameless = file.texts["image_id"].isna()
    notes = [*file.notes, f"ready vectors, {file.dimension} numbers each, from '{file.key}' of {file.path.name}"]
    if nameless.any():
        numbers = file.texts.index[nameless] + 1
        notes.append(f"{nameless.sum()} rows left out, they have no id: rows {some(numbers)}")
    rows = complete_rows(file.texts[~nameless], file.path)
    rows = rows.assign(source=rows["image_id"])
    dataset = dataset_from_rows(file.path.stem, rows, NoPictures(file.path.name), notes=notes)
    return replace(dataset, simulated=_dataset_record(file.record).get("simulated") is True)


def _dataset_record(record: dict[str, Any]) -> dict[str, Any]:
    """Return what an export of this package says about its dataset; empty for other files."""
    dataset = record.get("dataset")
    return dataset if isinstance(dataset, dict) else {}
