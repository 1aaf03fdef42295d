"""Datasets and encoders from objects in memory: a DataFrame, a path, a torch network."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from bioclip_probe import datasets, encoders
from bioclip_probe.datasets.readers.columns import COLUMN_NAMES, match_columns
from bioclip_probe.datasets.registry import REGISTRY, likely_form
from bioclip_probe.errors import DataError, some

if TYPE_CHECKING:
    import torch
    from PIL import Image


def dataset(data: Any, image: str = "", root: str | Path = ".", name: str = "") -> datasets.Dataset:
    """Return the pictures and taxa of a DataFrame, a folder, a Hugging Face dataset, or a name of the registry.

    Columns of ranks are found by their names, as in a table on disk: ``family``, ``Family`` and ``taxon_family_name``
    mean the same, and ``scientificName`` gives genus and species. The notes name everything that was not read.

    Parameters
    ----------
    data : DataFrame, str, Path, datasets.Dataset of Hugging Face, or Dataset
        A DataFrame has a row for each picture. A path is a folder with a folder for each taxon, a table, a tar …; a
        text may also be a name of `datasets.catalogue`, e.g. ``"world"`` or ``"inat21:/data/val"``.
    image : str
        The column of the pictures: of their paths in a DataFrame, of the pictures in a Hugging Face dataset. By default
        it is found by its name.
    root : str or Path
        The folder that relative paths of a DataFrame start at.
    name : str
        Name in tables and figures of a dataset that is made of a DataFrame or an object of Hugging Face.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If `data` is of another type, a column is missing, or no picture is there.

    Examples
    --------
    >>> dataset("world")
    Dataset 'world' (simulated)
      images: 1,200
      taxa: 3 kingdoms, 7 phyla, 14 classes, 30 orders, 60 families, 96 genera, 240 species
      parts: seen 960, unseen 240
      notes: 2
    >>> dataset(3)
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: expected a DataFrame, a path, the name of a dataset, or a Hugging Face dataset; ...
    """
    if isinstance(data, datasets.Dataset):
        return data
    if isinstance(data, pd.DataFrame):
        return datasets.from_frame(_with_source(data, image), root, name or "frame")
    if isinstance(data, str | Path):
        return datasets.load(_spec(data))
    hugging_face = sys.modules.get("datasets")  # an object of the library exists only if the library was imported
    kinds = [getattr(hugging_face, kind) for kind in ("Dataset", "DatasetDict", "IterableDataset") if hugging_face]
    if isinstance(data, tuple(kinds)):
        from bioclip_probe.datasets.hugging_face import from_hugging_face

        return from_hugging_face(data, image or "image", name=name or None)
    raise DataError(
        "expected a DataFrame, a path, the name of a dataset, or a Hugging Face dataset; got a "
        f"{type(data).__module__}.{type(data).__name__}"
    )


def encoder(
    network: torch.nn.Module,
    transform: Callable[[Image.Image], Any],
    name: str,
    device: str = "auto",
    precision: str = "auto",
    geometry: str = "cosine",
) -> encoders.Encoder:
    """Return a torch network as an encoder, which `collect` takes beside names of models.

    The network is copied, so later changes of it do not reach the encoder. It lives in this process: pictures go
    through it here, also where an engine embeds with other models elsewhere.

    Parameters
    ----------
    network : torch.nn.Module
        From a (b, 3, height, width) tensor to (b, d) vectors.
    transform : callable
        From one RGB `PIL.Image` to a (3, height, width) tensor or array, as torchvision's transforms. Several threads
        may call it at once.
    name : str
        Its name in tables and figures: letters, digits and ``._+-``.
    device : str
        ``cpu``, ``cuda``, ``cuda:N``, or ``auto`` for a GPU if there is one.
    precision : str
        ``fp32``, which ``auto`` stands for, ``bf16`` or ``fp16``.
    geometry : str
        How its vectors are compared: ``cosine``, ``euclidean`` or ``lorentz``.

    Returns
    -------
    Encoder
        Its record holds the sha256 of the weights, so the store embeds again after the weights have changed.

    Raises
    ------
    ModelError
        If the network or the transform does not work on a grey picture, or the name or the geometry is not valid.

    Examples
    --------
    >>> import torch
    >>> from torchvision import transforms
    >>> steps = transforms.Compose([transforms.Resize((4, 4)), transforms.ToTensor()])
    >>> mine = encoder(torch.nn.Flatten(), steps, name="mine")
    >>> mine.name, mine.dimension, len(mine.record["sha256"])
    ('mine', 48, 64)
    """
    return encoders.from_module(network, transform, name, device, precision, geometry)


def _with_source(frame: pd.DataFrame, image: str) -> pd.DataFrame:
    """Return a frame in which only the column `image` is read as the column of paths."""
    if not image:
        return frame
    columns = [str(column) for column in frame.columns]
    if image not in columns:
        raise DataError(f"the DataFrame has no column '{image}'; it has: {some(columns, 20)}")
    if columns.count(image) > 1:
        raise DataError(f"the DataFrame has two columns of one name: {image}")
    others = frame.drop(columns=[column for column in frame.columns if str(column) == image])
    while (read := match_columns(map(str, others.columns)).get("source")) is not None:
        others = others.drop(columns=[column for column in others.columns if str(column) == read])
    return others.assign(**{COLUMN_NAMES["source"][0]: frame[image].astype("str")})


def _spec(data: str | Path) -> str:
    """Return a dataset as `datasets.load` takes it; the form of a bare path is guessed from its files."""
    text = str(data)
    if text.partition(":")[0] not in REGISTRY and Path(text).expanduser().exists():
        return f"{likely_form(Path(text).expanduser())}:{text}"
    return text
