"""Embeddings that earlier versions wrote: found again, used where nothing has changed, and named as such.

Before format 3, the fingerprint of a dataset of files covered their sizes and times of change, and not their content,
and ledgers had no sha256 of pictures.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from bioclip_probe.errors import some
from bioclip_probe.store.descriptions import OLDEST, folder_name, read_description, read_images
from bioclip_probe.store.records import VERSION
from bioclip_probe.store.store import Store

if TYPE_CHECKING:
    from bioclip_probe.datasets import Dataset

log = logging.getLogger("bioclip_probe")

#: Notes on an embedding that an earlier version wrote.
EARLIER = "its fingerprint of files covers their sizes and times of change, and not their content"

#: Why the copies of a picture are not known.
NO_DIGESTS = "the store has no sha256 of these pictures; an earlier version embedded them"


def known_as(store: Store, dataset: Dataset) -> Dataset:
    """Return a dataset under the fingerprint that a store knows it by.

    An embedding of an earlier version is used if no file has changed since.

    Parameters
    ----------
    store : Store
    dataset : Dataset

    Returns
    -------
    Dataset
        The same object if the store has it under its fingerprint, or not at all. Otherwise a copy with the earlier
        fingerprint, and a note that says so.

    Raises
    ------
    StoreError
        If a record of the store is damaged.

    Examples
    --------
    >>> from bioclip_probe.datasets import load
    >>> world = load("world")
    >>> known_as(Store("nowhere"), world) is world
    True
    """
    older = list(_embeddings_of_earlier_versions(store.path, folder_name(dataset.name, "*")))
    older = [(home, description) for home, description in older if description["name"] == dataset.name]
    if not older or (store.path / folder_name(dataset.name, dataset.fingerprint)).is_dir():
        return dataset
    for home, description in older:
        images = read_images(home)
        same_images = all(
            images[column].equals(dataset.images[column].reset_index(drop=True)) for column in ("image_id", "source")
        )
        if same_images and dataset.earlier_fingerprint(images) == description["fingerprint"]:
            note = f"the store has it as {home.name}, written by an earlier version: {EARLIER}"
            log.info("%s: %s", dataset.name, note)
            return dataset.stored_as(description["fingerprint"], note)
    names = some(home.name for home, _ in older)
    log.warning("%s: not used, an earlier version wrote it, and its images or files are not those of today", names)
    return dataset


def notes_on_earlier_versions(store: Store) -> list[str]:
    """Return a note for each dataset that an earlier version wrote into a store.

    Parameters
    ----------
    store : Store

    Returns
    -------
    list of str

    Raises
    ------
    StoreError
        If a record of the store is damaged.

    Examples
    --------
    >>> notes_on_earlier_versions(Store("nowhere"))
    []
    """
    return [
        f"{home.name}: written by an earlier version (format {description.get('version', OLDEST)}): {EARLIER}, and its "
        "ledgers may lack the sha256 of pictures"
        for home, description in _embeddings_of_earlier_versions(store.path, "*@*")
    ]


def _embeddings_of_earlier_versions(path: Path, pattern: str) -> Iterator[tuple[Path, dict]]:
    """Yield the folders of datasets that earlier versions wrote, with their descriptions."""
    for record in sorted(path.glob(f"{pattern}/dataset.json")):
        description = read_description(record, "dataset")
        if description.get("version", OLDEST) < VERSION:
            yield record.parent, description
