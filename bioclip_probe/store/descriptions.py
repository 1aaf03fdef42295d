"""Folders of datasets and encoders in a store: their names, and the records that describe them."""

from __future__ import annotations

import io
import re
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from bioclip_probe.errors import DataError, StoreError
from bioclip_probe.files import remove_temporary_files, sha256_of_file
from bioclip_probe.store.records import (
    DATASET,
    ENCODER,
    VERSION,
    add_checksum,
    check_checksum,
    check_entries,
    check_version,
    read_json,
    write_file,
    write_json,
)
from bioclip_probe.tables import DTYPES, IMAGES

if TYPE_CHECKING:
    from bioclip_probe.datasets import Dataset
    from bioclip_probe.encoders import Encoder

#: Format of the records of datasets that do not state theirs.
OLDEST = 2
SOFTWARE = ("bioclip_probe", "numpy", "pandas", "pyarrow", "pillow")


def folder_name(name: str, fingerprint: str) -> str:
    """Return the name of the folder of a dataset or an encoder.

    Parameters
    ----------
    name : str
        Characters other than letters, digits, ``.``, ``_`` and ``-`` become a ``-``.
    fingerprint : str

    Returns
    -------
    str

    Examples
    --------
    >>> folder_name("ViT-B-32/laion2b", "0123456789ab")
    'ViT-B-32-laion2b@0123456789ab'
    """
    safe = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:80]
    return f"{safe or 'unnamed'}@{fingerprint}"


def make_folder(folder: Path) -> None:
    """Make a folder and its parents, if they do not exist.

    Parameters
    ----------
    folder : Path

    Raises
    ------
    StoreError
        If it cannot be made.

    Examples
    --------
    >>> make_folder(Path())
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot make the folder {folder}: {error.strerror}") from error


def create_dataset_folder(home: Path, dataset: Dataset) -> None:
    """Write `images.parquet` and `dataset.json` of a new dataset.

    Parameters
    ----------
    home : Path
        Folder of the dataset.
    dataset : Dataset

    Raises
    ------
    StoreError
        If they cannot be written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from types import SimpleNamespace as Fake
    >>> images = IMAGES.frame([{"image_id": "a", "source": "a.jpg"}])
    >>> dataset = Fake(name="birds", fingerprint="0" * 12, simulated=True, notes=[], images=images)
    >>> with TemporaryDirectory() as folder:
    ...     create_dataset_folder(Path(folder) / "birds", dataset)
    ...     sorted(path.name for path in Path(folder).rglob("*.*"))
    ['dataset.json', 'images.parquet']
    """
    make_folder(home)
    remove_temporary_files(home)
    table = io.BytesIO()
    IMAGES.frame(dataset.images[IMAGES.names]).to_parquet(table, index=False)
    written = write_file(home / "images.parquet", table.getvalue())
    description = {"version": VERSION, "name": dataset.name, "fingerprint": dataset.fingerprint}
    description |= {"simulated": dataset.simulated}
    description |= {"n_images": len(dataset.images), "notes": list(dataset.notes), "images": written}
    write_json(home / "dataset.json", add_checksum(description))


def create_encoder_folder(folder: Path, dataset: Dataset, encoder: Encoder, shard_size: int, dtype: str) -> None:
    """Write `meta.json` of an encoder that has no shard yet.

    Parameters
    ----------
    folder : Path
        Folder of the encoder.
    dataset : Dataset
    encoder : Encoder
    shard_size : int
        Number of images in a shard.
    dtype : str
        One of `DTYPES`.

    Raises
    ------
    StoreError
        If it cannot be written, an argument is out of range, or vectors without a `meta.json` are there.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from types import SimpleNamespace as Fake
    >>> images = IMAGES.frame([{"image_id": "a", "source": "a.jpg"}])
    >>> dataset = Fake(name="birds", fingerprint="0" * 12, simulated=True, notes=[], images=images)
    >>> encoder = Fake(name="clip", fingerprint="1" * 12, dimension=2, record={})
    >>> with TemporaryDirectory() as folder:
    ...     create_encoder_folder(Path(folder) / "clip", dataset, encoder, 1024, "float32")
    ...     read_json(Path(folder) / "clip" / "meta.json")["encoder"]["dimension"]
    2
    """
    if dtype not in DTYPES:
        raise StoreError(f"a store keeps vectors as {' or '.join(DTYPES)}; got {dtype}")
    if shard_size < 1:
        raise StoreError(f"shard_size must be at least 1; got {shard_size}")
    if any(folder.glob("vectors-*.npy")):
        raise StoreError(f"{folder} is damaged: its meta.json is gone; delete it and embed again")
    make_folder(folder)
    meta = {
        "version": VERSION,
        "dataset": {
            "name": dataset.name,
            "fingerprint": dataset.fingerprint,
            "simulated": dataset.simulated,
            "n_images": len(dataset.images),
        },
        "encoder": {
            "name": encoder.name,
            "fingerprint": encoder.fingerprint,
            "dimension": int(encoder.dimension),
            "record": encoder.record,
        },
        "dtype": dtype,
        "shard_size": int(shard_size),
        "software": {package: version(package) for package in SOFTWARE},
    }
    write_json(folder / "meta.json", add_checksum(meta))


def read_description(file: Path, kind: str) -> dict[str, Any]:
    """Return the description of a dataset or an encoder, after checking it.

    Parameters
    ----------
    file : Path
        `dataset.json` of a dataset, or `meta.json` of an encoder.
    kind : str
        ``dataset`` or ``encoder``.

    Returns
    -------
    dict
        At least ``name`` and ``fingerprint``; ``version`` from format 3 on.

    Raises
    ------
    StoreError
        If the file is missing or damaged, or belongs into another folder.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from types import SimpleNamespace as Fake
    >>> images = IMAGES.frame([{"image_id": "a", "source": "a.jpg"}])
    >>> dataset = Fake(name="birds", fingerprint="0" * 12, simulated=True, notes=[], images=images)
    >>> with TemporaryDirectory() as folder:
    ...     home = Path(folder) / folder_name(dataset.name, dataset.fingerprint)
    ...     create_dataset_folder(home, dataset)
    ...     read_description(home / "dataset.json", "dataset")["n_images"]
    1
    """
    record = read_json(file)
    check_version(record.get("version", OLDEST if kind == "dataset" else None), file.parent)
    check_checksum(record, file)
    description = record.get(kind) if kind == "encoder" else record
    if not isinstance(description, dict):
        raise StoreError(f"{file} is not a record of a store; the store is damaged")
    check_entries(description, {"dataset": DATASET | {"images": dict}, "encoder": ENCODER}[kind], file)
    if file.parent.name != folder_name(description["name"], description["fingerprint"]):
        raise StoreError(f"{file} is of {description['name']}@{description['fingerprint']}, not of this folder")
    return description


def read_images(home: Path) -> pd.DataFrame:
    """Return the `IMAGES` table of a dataset, after checking its sha256.

    Parameters
    ----------
    home : Path
        Folder of the dataset.

    Returns
    -------
    DataFrame
        In dataset order.

    Raises
    ------
    StoreError
        If it is missing or damaged.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from types import SimpleNamespace as Fake
    >>> images = IMAGES.frame([{"image_id": "a", "source": "a.jpg"}])
    >>> dataset = Fake(name="birds", fingerprint="0" * 12, simulated=True, notes=[], images=images)
    >>> with TemporaryDirectory() as folder:
    ...     home = Path(folder) / folder_name(dataset.name, dataset.fingerprint)
    ...     create_dataset_folder(home, dataset)
    ...     read_images(home)["image_id"].tolist()
    ['a']
    """
    path = home / "images.parquet"
    if not path.is_file():
        raise StoreError(f"{home} is damaged: images.parquet is gone; delete it and embed again")
    if sha256_of_file(path) != read_description(home / "dataset.json", "dataset")["images"].get("sha256"):
        raise StoreError(f"{path} has changed since it was written (its sha256 differs); delete {home} and embed again")
    try:
        return IMAGES.read(path)
    except DataError as error:
        raise StoreError(f"{error}; delete {home} and embed again") from error
