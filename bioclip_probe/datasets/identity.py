"""The identity of a dataset: which images it has, under which names, and what their pictures hold.

The fingerprint covers names and content, and neither the folder nor the times of files: two laboratories with the same
pictures have the same fingerprint.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from bioclip_probe.datasets.readers.content import FileContent
from bioclip_probe.files import sha256_of_chunks
from bioclip_probe.tables import IMAGES

_ROWS_PER_BLOCK = 100_000


@dataclass(frozen=True, eq=False)
class Identity:
    """The content by which a dataset is told from others; pictures are read when its fingerprint is first asked for.

    Attributes
    ----------
    images : DataFrame
        An `IMAGES` table.
    facts : tuple
        Facts that change the numbers and are neither in the table nor in files. Their `repr` enters.
    content : FileContent, optional
        The files that hold the pictures.
    stored_as : str
        The fingerprint under which a store of an earlier version has the dataset; empty for none.

    Examples
    --------
    >>> images = IMAGES.frame([{"image_id": "1", "source": "1.jpg", "genus": "Pica"}])
    >>> Identity(images).fingerprint == fingerprint_of(images)
    True
    """

    images: pd.DataFrame
    facts: tuple[object, ...] = ()
    content: FileContent | None = None
    stored_as: str = ""

    @cached_property
    def fingerprint(self) -> str:
        """Twelve hex digits over names and content."""
        if self.stored_as:
            return self.stored_as
        if self.content is None:
            return fingerprint_of(self.images, self.facts)
        marks = self.content.marks
        if self.content.one_an_image:  # the content of a picture stands in the place of its path
            return fingerprint_of(self.images.assign(source=pd.Series(marks, self.images.index, "str")), self.facts)
        return fingerprint_of(self.images, (*self.facts, *marks))

    def earlier_fingerprint(self, images: pd.DataFrame) -> str:
        """Return the fingerprint that earlier versions gave to a table of the same pictures.

        It covered sizes and times of files, and not their content: if it is that of a store, no file has changed since.

        Parameters
        ----------
        images : DataFrame
            An `IMAGES` table, as the earlier version wrote it.

        Returns
        -------
        str
        """
        return fingerprint_of(images, (*self.facts, *(self.content.stamps if self.content else ())))


def fingerprint_of(images: pd.DataFrame, facts: Iterable[object] = ()) -> str:
    """Return twelve hex digits of a sha256 over an `IMAGES` table and further facts.

    Parameters
    ----------
    images : DataFrame
        The table: ids, sources, names, groups and splits, in order.
    facts : iterable
        Other facts that change the numbers, e.g. the digest of every file. Their `repr` enters.

    Returns
    -------
    str

    Examples
    --------
    >>> images = IMAGES.frame([{"image_id": "1", "source": "1.jpg"}])
    >>> fingerprint_of(images) == fingerprint_of(images, facts=["another file"])
    False
    """
    # Columns that were added later: datasets without them keep their fingerprint, and so their stored vectors.
    later = [column.name for column in IMAGES.columns if column.later and column.name in images]
    empty = [name for name in later if images[name].isna().all()]
    return sha256_of_chunks(_fingerprint_chunks(images.drop(columns=empty), facts))[:12]


def _fingerprint_chunks(images: pd.DataFrame, facts: Iterable[object]) -> Iterator[bytes]:
    """Yield the bytes that `fingerprint_of` hashes, in blocks: the text of millions of rows would fill gigabytes."""
    for start in range(0, max(len(images), 1), _ROWS_PER_BLOCK):
        block = images.iloc[start : start + _ROWS_PER_BLOCK]
        yield block.to_csv(index=False, header=start == 0, na_rep="\\N", lineterminator="\n").encode()
    for fact in facts:
        yield repr(fact).encode() + b"\n"
