"""Datasets of Hugging Face's `datasets`: an object in memory, or the folder it was saved to.

`from_hugging_face` takes the object; ``hugging-face:PATH`` the folder of ``save_to_disk``, of one split. Columns are
found by their names as in ``table:``, numbers of a ``ClassLabel`` become names. The pictures' bytes are opened by
`pictures.decoded` and not by their library, which would turn them by their EXIF orientation. A picture's `source` is
its row.

Needs the extra ``hugging-face``. That library has the name of the package this module lies in; imports are absolute.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
from PIL import Image

from bioclip_probe.datasets import table
from bioclip_probe.datasets.dataset import Dataset, dataset_of_rows, fingerprint_of
from bioclip_probe.datasets.readers import parquet
from bioclip_probe.datasets.readers.pictures import checked_folder, decoded, open_picture, stamps, stays_inside
from bioclip_probe.errors import DataError, PictureError, one_line, some
from bioclip_probe.tables import RANKS

if TYPE_CHECKING:
    import datasets

_SPLITS = "dataset_dict.json"


@dataclass(frozen=True)
class Examples:
    """Opens pictures named by their row.

    Attributes
    ----------
    rows : datasets.Dataset
        With the column of pictures alone, not decoded.
    column : str
        What it is called.
    name : str
        What messages call the rows.
    root : Path, optional
        The folder that paths lead from and may not leave, for rows without bytes. None if the rows are the user's own
        object, whose paths are taken as they are.
    """

    rows: datasets.Dataset
    column: str
    name: str
    root: Path | None = None

    def __call__(self, source: str) -> Image.Image:
        name = f"{self.name}:{source}"
        if not (source.isascii() and source.isdigit() and int(source) < len(self.rows)):
            raise PictureError(f"{name}: there are {len(self.rows)} rows, counted from 0", "missing")
        try:
            held = self.rows[int(source)][self.column] or {}
        except (pa.ArrowException, OSError, ValueError) as error:
            raise PictureError(f"{name}: cannot be read ({one_line(error)})") from error
        if held.get("bytes") is not None:
            return decoded(held["bytes"], name)
        path = held.get("path")
        if not path:
            raise PictureError(f"{name}: the row has no picture", "empty")
        if "://" in path:
            raise PictureError(f"{name}: has an address and no bytes; download it first: {path}", "missing")
        if self.root is None:
            return open_picture(Path(path))
        if os.path.isabs(path) or not stays_inside(path):
            raise PictureError(f"{name}: has no bytes, and a path outside its folder: {path}", "missing")
        return open_picture(self.root / path)


def load(path: Path) -> Dataset:
    """The dataset that ``save_to_disk`` wrote to a folder.

    Raises
    ------
    DataError
        If there is no such folder, it holds several splits or no such dataset, or what `from_hugging_face` refuses.
    """
    path = checked_folder(Path(path))
    library = _library()
    try:
        rows = library.load_from_disk(str(path))
    except Exception as error:  # of the library, of Arrow, or KeyError, TypeError … of a damaged JSON
        reason = one_line(error)
        raise DataError(f"{path} is no dataset that Hugging Face's save_to_disk wrote: {reason}") from error
    if isinstance(rows, library.DatasetDict):
        if len(rows) != 1:
            raise DataError(
                f"{path} holds the splits {some(rows)}; name one: hugging-face:{path / next(iter(rows), '')}"
            )
        path, rows = path / next(iter(rows)), next(iter(rows.values()))
    images = _images(rows)
    if len(images) != 1:
        raise DataError(f"{path} has {len(images)} columns of pictures, expected one; it has: {_shown(rows)}")
    dataset = from_hugging_face(rows, images[0], name=path.resolve().name)
    files = sorted(file.name for file in path.glob("*.arrow"))
    fingerprint = fingerprint_of(dataset.images, [dataset.fingerprint, *stamps(path, files)])
    return replace(dataset, fingerprint=fingerprint, open=replace(dataset.open, name=str(path), root=path))


def from_hugging_face(
    ds: datasets.Dataset,
    image: str = "image",
    ranks: Mapping[str, str] | None = None,
    name: str | None = None,
    id: str | None = None,
) -> Dataset:
    """The pictures of a Hugging Face dataset.

    Parameters
    ----------
    ds : datasets.Dataset
        One split, not streamed.
    image : str
        The column of pictures.
    ranks : mapping of str to str, optional
        Rank: its column, where the name of the column does not say it. ``species`` may hold the binomial, or the
        epithet beside a genus.
    name : str, optional
        Of the dataset; its builder's if not given.
    id : str, optional
        The column of unique ids; the row's number if there is none.

    Raises
    ------
    DataError
        If it is no such dataset, lacks a column, or names no rank.
    """
    library = _library()
    if not isinstance(ds, library.Dataset):
        raise DataError(
            f"expected a datasets.Dataset, came a {type(ds).__name__}; of a DatasetDict give one split, "
            "and load a streamed one without streaming=True"
        )
    named = {"source": image, **({"image_id": id} if id else {}), **(ranks or {})}
    strange = sorted(set(ranks or ()) - set(RANKS))
    if strange:
        raise DataError(f"no rank is called {some(strange)}; expected some of {', '.join(RANKS)}")
    absent = sorted(set(named.values()) - set(ds.column_names))
    if absent or image not in _images(ds):
        what = f"no column {some(absent)}" if absent else f"no pictures in column '{image}'"
        raise DataError(f"the dataset has {what}; it has: {_shown(ds)}")
    found = table.columns_of(column for column in ds.column_names if column != image) | named
    table.check_columns(found, "the dataset", ds.column_names)
    name = name or ds.info.dataset_name or ds.info.builder_name or "hugging-face"
    rows = table.named(_names(ds, found, name), name)
    pictures = ds.select_columns([image]).with_format(None).cast_column(image, library.Image(decode=False))
    facts = [image, ds._fingerprint, ds.info.builder_name, ds.info.config_name, str(ds.info.version)]
    return dataset_of_rows(name, rows, Examples(pictures, image, name), facts, table.read_as(found))


def _names(ds: datasets.Dataset, found: Mapping[str, str], name: str) -> pd.DataFrame:
    """A column for each meaning but the pictures; the row's number as `source`."""
    columns = {meaning: column for meaning, column in found.items() if meaning != "source"}
    labels = {
        column: feature.names for column, feature in ds.features.items() if isinstance(feature, _library().ClassLabel)
    }
    chosen = ds.select_columns(sorted(set(columns.values()))).with_format("arrow")[:]
    texts = parquet.texts(chosen, name, labels)
    values = {meaning: texts[column] for meaning, column in columns.items()}
    return pd.DataFrame({"source": [str(row) for row in range(len(ds))], **values}, dtype="str")


def _images(ds: datasets.Dataset) -> list[str]:
    return [column for column, feature in ds.features.items() if isinstance(feature, _library().Image)]


def _shown(ds: datasets.Dataset) -> str:
    return some((f"{column} ({type(feature).__name__})" for column, feature in ds.features.items()), 20)


def _library() -> ModuleType:
    try:
        import datasets
    except ImportError as error:
        raise DataError(
            "Hugging Face's datasets is not installed: python -m pip install 'bioclip_probe[hugging-face]'"
        ) from error
    return datasets
