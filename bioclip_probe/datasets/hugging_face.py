"""Datasets of Hugging Face's `datasets`: an object in memory, or the folder it was saved to.

`from_hugging_face` takes the object; ``hugging-face:PATH`` the folder of ``save_to_disk``, of one split. Columns are
matched by their names as in ``table:``, and the numbers of a ``ClassLabel`` become names. The bytes of the pictures are
decoded by `readers.pictures` and not by Hugging Face's library, which would turn them by their EXIF orientation. The
`source` of a picture is its row.

Needs the extra ``hugging-face``. That library has the same name as the package of this module, so all imports are
absolute.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa

from bioclip_probe.datasets.dataset import Dataset, dataset_from_rows
from bioclip_probe.datasets.identity import Identity
from bioclip_probe.datasets.readers.arrow_streams import check_arrow_stream
from bioclip_probe.datasets.readers.columns import check_columns, complete_rows, match_columns, notes_on_columns
from bioclip_probe.datasets.readers.content import FileContent
from bioclip_probe.datasets.readers.json_files import read_json
from bioclip_probe.datasets.readers.parquet import text_columns
from bioclip_probe.datasets.readers.picture_paths import WEB_ADDRESS
from bioclip_probe.datasets.readers.pictures import (
    EncodedPicture,
    PictureOpener,
    check_folder,
    read_picture,
    stays_inside,
)
from bioclip_probe.errors import DataError, PictureError, one_line, some
from bioclip_probe.tables import RANKS

if TYPE_CHECKING:
    import datasets


@dataclass(frozen=True)
class HuggingFacePictures(PictureOpener):
    """Opener of pictures that are named by their row.

    Attributes
    ----------
    rows : datasets.Dataset
        The column of pictures alone, not decoded.
    column : str
        Name of the column.
    name : str
        Name of the dataset, for messages.
    root : Path, optional
        The folder that paths start at and may not leave, for rows without bytes. None if the rows are the user's own
        object, whose paths are used as they are.

    Examples
    --------
    >>> HuggingFacePictures([{"image": {"bytes": b"", "path": None}}], "image", "birds")("0")
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.PictureError: birds:0: the file is empty
    """

    rows: datasets.Dataset
    column: str
    name: str
    root: Path | None = None

    def read(self, source: str) -> EncodedPicture:
        """Return the bytes of the picture `source`, or raise `PictureError`."""
        name = f"{self.name}:{source}"
        if not (source.isascii() and source.isdigit() and int(source) < len(self.rows)):
            raise PictureError(f"{name}: there are {len(self.rows)} rows, counted from 0", "missing")
        try:
            cell = self.rows[int(source)][self.column] or {}
        except (pa.ArrowException, OSError, ValueError) as error:
            raise PictureError(f"{name}: cannot be read ({one_line(error)})") from error
        if cell.get("bytes") is not None:
            return EncodedPicture(cell["bytes"], name)
        path = cell.get("path")
        if not path:
            raise PictureError(f"{name}: the row has no picture", "empty")
        if re.match(WEB_ADDRESS, path):
            raise PictureError(f"{name}: has an address and no bytes; download it first: {path}", "missing")
        if self.root is None:
            return read_picture(Path(path))
        if os.path.isabs(path) or not stays_inside(path):
            raise PictureError(f"{name}: has no bytes, and a path outside its folder: {path}", "missing")
        return read_picture(self.root / path)


def load(path: Path) -> Dataset:
    """Return the dataset that ``save_to_disk`` wrote to a folder.

    Parameters
    ----------
    path : Path
        The folder of one split.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If there is no such folder, it holds several splits or no such dataset, or `from_hugging_face` refuses it.

    Examples
    --------
    >>> load(Path("nowhere"))
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: nowhere: no such folder
    """
    path = check_folder(Path(path))
    library = _import_library()
    _check_streams(path)
    try:
        rows = library.load_from_disk(str(path))
    except Exception as error:  # of the library, of Arrow, or KeyError, TypeError … of a damaged JSON
        raise DataError(f"{path} is not a dataset that Hugging Face's save_to_disk wrote: {one_line(error)}") from error
    if isinstance(rows, library.DatasetDict):
        if len(rows) != 1:
            raise DataError(
                f"{path} holds the splits {some(rows)}; name one: hugging-face:{path / next(iter(rows), '')}"
            )
        path, rows = path / next(iter(rows)), next(iter(rows.values()))
    columns = _picture_columns(rows)
    if len(columns) != 1:
        raise DataError(f"{path} has {len(columns)} columns of pictures, expected one; it has: {_list_columns(rows)}")
    name = path.resolve().name
    pictures, dataset = _convert(rows, columns[0], {}, name)
    files = sorted(file.name for file in path.glob("*.arrow"))
    identity = Identity(dataset.images, (dataset.fingerprint,), FileContent(path, files))
    return replace(dataset, identity=identity, open=replace(pictures, name=str(path), root=path))


def _check_streams(path: Path) -> None:
    """Refuse streams of a folder, or of its splits, that would fill the memory when the library opens them."""
    for state in (path / "state.json", *sorted(path.glob("*/state.json"))):
        try:
            names = [file["filename"] for file in read_json(state)["_data_files"]]
        except (DataError, KeyError, TypeError):  # the library says what is missing
            continue
        foreign = [name for name in names if not isinstance(name, str) or Path(name).name != name]
        if foreign:
            raise DataError(f"{state} names files that do not lie beside it: {some(foreign)}")
        for name in names:
            check_arrow_stream(state.parent / name)


def from_hugging_face(
    ds: datasets.Dataset,
    image: str = "image",
    ranks: Mapping[str, str] | None = None,
    name: str | None = None,
    id: str | None = None,
) -> Dataset:
    """Return the pictures of a Hugging Face dataset.

    Parameters
    ----------
    ds : datasets.Dataset
        One split, not streamed.
    image : str
        The column of pictures.
    ranks : mapping of str to str, optional
        Rank to column, for columns whose names do not tell the rank. ``species`` may hold the binomial, or the epithet
        if there is a genus.
    name : str, optional
        Name of the dataset; the name of its builder by default.
    id : str, optional
        The column of unique ids; the row's number by default.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If `ds` is no such dataset, lacks a column, or names no rank.

    Examples
    --------
    >>> from_hugging_face([])
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: expected a datasets.Dataset, came a list; of a DatasetDict give one split, and \
load a streamed one without streaming=True
    """
    library = _import_library()
    if not isinstance(ds, library.Dataset):
        raise DataError(
            f"expected a datasets.Dataset, came a {type(ds).__name__}; of a DatasetDict give one split, "
            "and load a streamed one without streaming=True"
        )
    strange = sorted(set(ranks or ()) - set(RANKS))
    if strange:
        raise DataError(f"no rank is called {some(strange)}; expected some of {', '.join(RANKS)}")
    chosen = {**({"image_id": id} if id else {}), **(ranks or {})}
    return _convert(ds, image, chosen, name)[1]


def _convert(
    ds: datasets.Dataset, image: str, chosen: Mapping[str, str], name: str | None
) -> tuple[HuggingFacePictures, Dataset]:
    """Return the opener and the dataset; `chosen` are the columns that the user gave by their meanings."""
    library = _import_library()
    chosen = {"source": image, **chosen}
    absent = sorted(set(chosen.values()) - set(ds.column_names))
    if absent or image not in _picture_columns(ds):
        lack = f"no column {some(absent)}" if absent else f"no pictures in column '{image}'"
        raise DataError(f"the dataset has {lack}; it has: {_list_columns(ds)}")
    matched = match_columns(column for column in ds.column_names if column != image) | chosen
    check_columns(matched, "the dataset", ds.column_names)
    name = name or ds.info.dataset_name or ds.info.builder_name or "hugging-face"
    rows = complete_rows(_read_names(ds, matched, name), name)
    column = ds.select_columns([image]).with_format(None).cast_column(image, library.Image(decode=False))
    pictures = HuggingFacePictures(column, image, name)
    facts = [image, ds._fingerprint, ds.info.builder_name, ds.info.config_name, str(ds.info.version)]
    return pictures, dataset_from_rows(name, rows, pictures, facts, notes_on_columns(matched, ds.column_names))


def _read_names(ds: datasets.Dataset, matched: Mapping[str, str], name: str) -> pd.DataFrame:
    """Return a column for each meaning except the pictures, with the row's number as `source`."""
    columns = {meaning: column for meaning, column in matched.items() if meaning != "source"}
    class_label = _import_library().ClassLabel
    labels = {column: feature.names for column, feature in ds.features.items() if isinstance(feature, class_label)}
    table = ds.select_columns(sorted(set(columns.values()))).with_format("arrow")[:]
    texts = text_columns(table, name, labels)
    values = {meaning: texts[column] for meaning, column in columns.items()}
    return pd.DataFrame({"source": [str(row) for row in range(len(ds))], **values}, dtype="str")


def _picture_columns(ds: datasets.Dataset) -> list[str]:
    return [column for column, feature in ds.features.items() if isinstance(feature, _import_library().Image)]


def _list_columns(ds: datasets.Dataset) -> str:
    return some((f"{column} ({type(feature).__name__})" for column, feature in ds.features.items()), 20)


def _import_library() -> ModuleType:
    try:
        import datasets
    except ImportError as error:
        raise DataError(
            "Hugging Face's datasets is not installed: python -m pip install 'bioclip_probe[hugging-face]'"
        ) from error
    return datasets
