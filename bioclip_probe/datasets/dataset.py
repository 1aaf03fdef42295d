"""The class `Dataset`: pictures of organisms with their taxa, and a function that opens a picture."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from bioclip_probe.datasets.identity import Identity
from bioclip_probe.datasets.readers.content import FileContent
from bioclip_probe.datasets.readers.pictures import PictureFiles
from bioclip_probe.errors import DataError, some
from bioclip_probe.tables import IMAGES, RANKS
from bioclip_probe.tree import clean_lineages

if TYPE_CHECKING:
    from PIL.Image import Image

    from bioclip_probe.tree import Tree


@dataclass(frozen=True)
class Dataset:
    """Pictures of organisms with their taxonomy.

    Attributes
    ----------
    name : str
        Short name, such as ``inat21-val``.
    images : DataFrame
        An `IMAGES` table: one row a picture, `image_id` unique.
    open : callable
        Function that takes a value of the column `source` and returns the RGB picture. It raises `PictureError` with
        one line that names the picture and says what is wrong with it. Several threads call it at once, and it is sent
        to other processes: it can be pickled, and opens its files again in each process. A `PictureOpener` also
        gives the bytes of a picture.
    identity : Identity or str
        What tells the dataset from others, or its fingerprint.
    simulated : bool
        True if the pictures come from the built-in world. Every table and figure says so.
    tree : Tree, optional
        The true tree with branch lengths, where it is known.
    notes : tuple of str
        Images that were left out, columns that were read under another name, and the reasons.

    Raises
    ------
    DataError
        If `images` is no `IMAGES` table, has no row, or repeats an `image_id`.

    Examples
    --------
    >>> images = IMAGES.frame([{"image_id": "1", "source": "1.jpg", "genus": "Pica"}])
    >>> len(Dataset("magpies", images, PictureFiles(Path("pictures")), Identity(images)))
    1
    """

    name: str
    images: pd.DataFrame
    open: Callable[[str], Image]
    identity: Identity | str
    simulated: bool = False
    tree: Tree | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        IMAGES.check(self.images)
        if self.images.empty:
            raise DataError(f"dataset '{self.name}' has no image")
        nameless = self.images["image_id"].isna() | self.images["source"].isna()
        if nameless.any():
            raise DataError(f"dataset '{self.name}' has {nameless.sum()} images without image_id or source")
        repeated = self.images.loc[self.images["image_id"].duplicated(), "image_id"].unique()
        if len(repeated):
            raise DataError(
                f"dataset '{self.name}' names {len(repeated)} images more than once; image_id must be unique: "
                f"{some(repeated)}"
            )

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        return f"Dataset({self.name!r}, {len(self)} images)"

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits over everything that changes the numbers; the pictures are read for it, once."""
        return self.identity if isinstance(self.identity, str) else self.identity.fingerprint

    def earlier_fingerprint(self, images: pd.DataFrame) -> str:
        """Return the fingerprint that earlier versions gave to these pictures, see `Identity.earlier_fingerprint`.

        Parameters
        ----------
        images : DataFrame
            The `IMAGES` table that the earlier version wrote.

        Returns
        -------
        str
        """
        return self.identity if isinstance(self.identity, str) else self.identity.earlier_fingerprint(images)

    def stored_as(self, fingerprint: str, note: str) -> Dataset:
        """Return the dataset under the fingerprint that a store of an earlier version knows it by.

        Parameters
        ----------
        fingerprint : str
        note : str
            Says so in the notes of the dataset.

        Returns
        -------
        Dataset
        """
        own = self.identity
        identity = fingerprint if isinstance(own, str) else replace(own, stored_as=fingerprint)
        return replace(self, identity=identity, notes=(*self.notes, note))


def dataset_from_rows(
    name: str,
    rows: pd.DataFrame,
    open: Callable[[str], Image],
    facts: Iterable[object] = (),
    notes: Iterable[str] = (),
    content: FileContent | None = None,
) -> Dataset:
    """Return a dataset from rows as their source writes them.

    Taxon names are cleaned, and a missing genus is read from the binomial of the species.

    Parameters
    ----------
    name : str
        Name of the dataset.
    rows : DataFrame
        `image_id`, `source`, any of the rank columns, and, if known, `common`, `label`, `group` and `split`.
    open : callable
        Function that opens a picture, as described in `Dataset`.
    facts : iterable
        Facts that change the numbers and are neither in the rows nor in files; see `fingerprint_of`.
    notes : iterable of str
        Notes that exist already.
    content : FileContent, optional
        The files that hold the pictures.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If `clean_lineages` or `Dataset` refuses the rows.

    Examples
    --------
    >>> rows = pd.DataFrame({"image_id": ["1"], "source": ["1.jpg"], "species": ["Pica hudsonia"]})
    >>> dataset = dataset_from_rows("magpies", rows, PictureFiles(Path("pictures")))
    >>> dataset.images["genus"].tolist(), dataset.notes
    (['Pica'], ("the genus of 1 images was read from their species' binomial",))
    """
    rows = rows.reset_index(drop=True)
    notes = list(notes)
    lineages = clean_lineages(rows)
    from_binomial = lineages["genus"].isna() & lineages["species"].notna()
    if from_binomial.any():
        lineages.loc[from_binomial, "genus"] = lineages.loc[from_binomial, "species"].str.split(" ").str[0]
        notes.append(f"the genus of {from_binomial.sum()} images was read from their species' binomial")
    others = [column for column in IMAGES.names if column in rows.columns and column not in RANKS]
    images = IMAGES.frame(pd.concat([rows[others], lineages], axis=1))
    return Dataset(name, images, open, Identity(images, tuple(facts), content), notes=tuple(notes))


def dataset_from_files(name: str, root: Path, rows: pd.DataFrame, notes: Iterable[str] = ()) -> Dataset:
    """Return a dataset of picture files below `root`.

    A missing file stays in the dataset if others exist: opening it fails, and the store's ledger reports it.

    Parameters
    ----------
    name : str
        Name of the dataset.
    root : Path
        The folder that the column `source` is relative to.
    rows : DataFrame
        As `dataset_from_rows` takes them.
    notes : iterable of str
        Notes that exist already.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If none of the files exists, or `dataset_from_rows` refuses the rows.

    Examples
    --------
    >>> rows = pd.DataFrame({"image_id": ["1"], "source": ["1.jpg"], "species": ["Pica hudsonia"]})
    >>> dataset_from_files("magpies", Path("nowhere"), rows)
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: dataset 'magpies' has no usable image: no picture below nowhere; none of these \
is a file: 1.jpg
    """
    notes = list(notes)
    content = FileContent(root, rows["source"].tolist(), one_an_image=True)
    missing = [source for source, (size, _) in zip(content.files, content.stamps, strict=True) if size < 0]
    if len(missing) == len(rows):
        raise DataError(
            f"dataset '{name}' has no usable image: no picture below {root}"
            + (f"; none of these is a file: {some(missing)}" if missing else "")
        )
    if missing:
        notes.append(f"{len(missing)} images have no file below {root}: {some(missing)}")
    return dataset_from_rows(name, rows, PictureFiles(root), notes=notes, content=content)
