"""Exact copies among the images of a dataset, and what lies on both sides of its own split.

Two images are copies of one picture if their files hold the same bytes. A copy is no new evidence: a probe that learns
from a picture and is asked about its copy has seen the answer, and the nearest neighbour of a picture is its copy.
"""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd

from bioclip_probe.datasets.dataset import Dataset
from bioclip_probe.datasets.identity import Identity
from bioclip_probe.datasets.readers.pictures import PictureOpener
from bioclip_probe.errors import PictureError, some
from bioclip_probe.processors import available_processors
from bioclip_probe.tables import RANKS

log = logging.getLogger(__name__)

COPIES = ("sha256", "n_images", "n_names", "splits", "images")
#: Pictures of which the log says that they are read.
_ANNOUNCED = 10_000


def picture_digests(dataset: Dataset, read: bool = True) -> pd.Series:
    """Return the SHA-256 digest of the bytes of each picture of a dataset.

    Parameters
    ----------
    dataset : Dataset
    read : bool
        Read the pictures that lie in tars or tables too. Otherwise only the digests that the fingerprint needs are
        returned: those of files with one picture each.

    Returns
    -------
    Series, n rows
        In the order of the images. Missing where a picture cannot be read or has no bytes, as a drawn one.

    Examples
    --------
    >>> from bioclip_probe.datasets.registry import load
    >>> picture_digests(load("world")).isna().all()
    np.True_
    """
    content = dataset.identity.content if isinstance(dataset.identity, Identity) else None
    digests: list[str | None] = [None] * len(dataset)
    if content is not None and content.one_an_image:
        digests = content.sha256
    elif read and isinstance(dataset.open, PictureOpener):
        digests = _read_digests(dataset.open, dataset.images["source"].tolist())
    return pd.Series(digests, dataset.images.index, "str")


def _read_digests(opener: PictureOpener, sources: list[str]) -> list[str | None]:
    """Return the digest of each picture, read in threads in the order of the sources."""

    def digest(source: str) -> str | None:
        try:
            return opener.read(source).sha256
        except PictureError:
            return None

    if len(sources) >= _ANNOUNCED:
        log.info("reading %d pictures for their sha256", len(sources))
    with ThreadPoolExecutor(available_processors()) as pool:
        return list(pool.map(digest, sources))


def number_copies(digests: pd.Series) -> np.ndarray:
    """Return the number of the picture of each image that has copies.

    Parameters
    ----------
    digests : Series, n rows
        Digests of pictures, see `picture_digests`.

    Returns
    -------
    ndarray, shape (n,), int64
        From 0; −1 where no other image shows the same picture, or the digest is missing.

    Examples
    --------
    >>> number_copies(pd.Series(["a", "b", None, "a", None])).tolist()
    [0, -1, -1, 0, -1]
    """
    several = digests.notna() & digests.duplicated(keep=False)
    return pd.factorize(digests.where(several))[0].astype(np.int64)


def list_copies(images: pd.DataFrame, digests: pd.Series) -> pd.DataFrame:
    """Return a table of the pictures that several images show.

    Parameters
    ----------
    images : DataFrame, n rows
        An `IMAGES` table.
    digests : Series, n rows
        See `picture_digests`.

    Returns
    -------
    DataFrame
        One row a picture, those with most images first: ``sha256``; ``n_images``; ``n_names``, the most names that its
        images have at one rank, where more than 1 is a contradiction; ``splits``, the parts of the dataset that it is
        in; and ``images``, their ids. Texts have their entries separated by ``; ``.

    Examples
    --------
    >>> from bioclip_probe.tables import IMAGES
    >>> rows = [{"image_id": name, "source": name, "species": "Pica pica", "split": name} for name in ("train", "test")]
    >>> list_copies(IMAGES.frame(rows), pd.Series(["0f", "0f"]))[["n_images", "n_names", "splits"]].values.tolist()
    [[2, 1, 'test; train']]
    """
    picture = number_copies(digests)
    by_picture = images.assign(sha256=digests)[picture >= 0].groupby(picture[picture >= 0], sort=True)
    table = pd.DataFrame(
        {
            "sha256": by_picture["sha256"].first(),
            "n_images": by_picture.size(),
            "n_names": by_picture[list(RANKS)].nunique().max(axis=1),
            "splits": by_picture["split"].agg(_joined),
            "images": by_picture["image_id"].agg("; ".join),
        },
        columns=[*COPIES],
    )
    return table.sort_values("n_images", ascending=False, kind="stable").reset_index(drop=True)


def notes_on_copies(images: pd.DataFrame, digests: pd.Series) -> list[str]:
    """Return notes on exact copies, and on groups that lie in several parts of a dataset's own split.

    Parameters
    ----------
    images, digests
        As for `list_copies`.

    Returns
    -------
    list of str
        Empty if there is nothing to say.

    Examples
    --------
    >>> from bioclip_probe.tables import IMAGES
    >>> images = IMAGES.frame([{"image_id": name, "source": name, "species": "Pica pica"} for name in "abc"])
    >>> notes_on_copies(images, pd.Series(["0f", "0f", "1a"]))[0][:59]
    '1 of 3 images are exact copies of others (the same bytes): '
    """
    notes = []
    picture = number_copies(digests)
    n_pictures = int(picture.max(initial=-1)) + 1
    if n_pictures:
        n_copies = int(np.sum(picture >= 0)) - n_pictures
        notes.append(
            f"{n_copies} of {len(images)} images are exact copies of others (the same bytes): {n_pictures} pictures "
            "occur more than once; probes, neighbours and retrieval treat the images of one picture as one group"
        )
        copies = list_copies(images, digests)
        for found, what in (
            (copies["n_names"] > 1, "have different names in their copies"),
            (copies["splits"].str.contains("; "), "are in several parts of the dataset's own split"),
        ):
            if found.any():
                notes.append(f"{found.sum()} pictures {what}: {some(copies.loc[found, 'images'])}")
    groups = images[images["group"].notna() & images["split"].notna()]
    n_parts = groups.groupby("group")["split"].nunique()
    if (n_parts > 1).any():
        notes.append(
            f"{(n_parts > 1).sum()} of {len(n_parts)} groups (observation or photographer) have images in several "
            f"parts of the dataset's own split: {some(n_parts.index[n_parts > 1])}"
        )
    return notes


def _joined(words: pd.Series) -> str:
    """Return the different words of a column, sorted, as one text."""
    return "; ".join(sorted(set(words.dropna())))
