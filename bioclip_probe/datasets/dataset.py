"""The class `Dataset`: pictures of organisms with their taxa, and a function that opens a picture."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bioclip_probe.datasets.identity import Identity
from bioclip_probe.datasets.readers.columns import known_values
from bioclip_probe.datasets.readers.content import FileContent
from bioclip_probe.datasets.readers.pictures import PictureFiles
from bioclip_probe.errors import DataError, some
from bioclip_probe.summaries import Summary
from bioclip_probe.tables import IMAGES, RANKS
from bioclip_probe.tree.auditing import holes_in_words, taxa_in_words
from bioclip_probe.tree.filling import Filling, fill_lineages
from bioclip_probe.tree.lineage_reading import read_lineages
from bioclip_probe.tree.lineages import taxonomy
from bioclip_probe.tree.spelling import clean

if TYPE_CHECKING:
    from PIL.Image import Image

    from bioclip_probe.tree import Tree


@dataclass(frozen=True, repr=False)
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
        Images that were left out, columns and names that were read as another, holes that were filled, and the reasons.
    filling : Filling, optional
        The holes in lineages that were filled, see `as_given`.
    spec : str
        What `datasets.load` was given; empty for a dataset that was made in memory.

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
    filling: Filling | None = None
    spec: str = ""

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
        return self._summary().text()

    def _repr_html_(self) -> str:
        """Return what a notebook shows: images, taxa, holes, and notes that open with a click."""
        return self._summary().html()

    def _summary(self) -> Summary:
        """Return the summary of the dataset for a shell or a notebook."""
        lineages, n_images = np.unique(self._lineage_numbers(), return_counts=True)
        placement = taxonomy(self.images.iloc[lineages])
        every = placement.take(np.repeat(np.arange(len(placement)), n_images))
        parts = self.images["split"].value_counts()
        facts = {
            "images": f"{len(self):,}",
            "taxa": taxa_in_words(placement),
            "without a name": holes_in_words(every),
            "parts": ", ".join(f"{name} {number:,}" for name, number in parts.items()),
        }
        return Summary(f"Dataset '{self.name}'{' (simulated)' * self.simulated}", facts, {"notes": self.notes})

    def _lineage_numbers(self) -> np.ndarray:
        """Return for each image the first row that has its lineage."""
        numbers = self.images.groupby(list(RANKS), dropna=False, sort=False).ngroup().to_numpy()
        first_rows = np.unique(numbers, return_index=True)[1]
        return first_rows[numbers]

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

    def as_given(self) -> Dataset:
        """Return the dataset with the holes in its lineages as the source has them, and notes that say so.

        Returns
        -------
        Dataset

        Examples
        --------
        >>> rows = pd.DataFrame({"image_id": ["1", "2"], "family": ["Corvidae", None], "genus": ["Pica", "Pica"]})
        >>> dataset = dataset_from_rows("magpies", rows.assign(source=rows["image_id"]), print)
        >>> dataset.images["family"].tolist(), dataset.as_given().images["family"].tolist()
        (['Corvidae', 'Corvidae'], ['Corvidae', nan])
        """
        if self.filling is None:
            return self
        images = self.images.copy(deep=False)
        for rank, rows in self.filling.rows.items():
            images[rank] = images[rank].mask(self.images.index.isin(rows))
        kept = [note for note in self.notes if note not in self.filling.notes]
        own = self.identity
        identity = own if isinstance(own, str) else replace(own, images=images)
        notes = (*kept, *self.filling.notes_as_given)
        return replace(self, images=images, identity=identity, notes=notes, filling=None)


def dataset_from_rows(
    name: str,
    rows: pd.DataFrame,
    open: Callable[[str], Image],
    facts: Iterable[object] = (),
    notes: Iterable[str] = (),
    content: FileContent | None = None,
) -> Dataset:
    """Return a dataset from rows as their source writes them.

    Taxon names are read by `tree.naming`, and holes in lineages are filled where all other images of the same taxon
    agree, see `tree.filling`. Both are noted. `Dataset.as_given` takes the filling back.

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
        If `read_lineages` or `Dataset` refuses the rows.

    Examples
    --------
    >>> rows = pd.DataFrame({"image_id": ["1"], "source": ["1.jpg"], "species": ["Pica hudsonia"]})
    >>> dataset = dataset_from_rows("magpies", rows, PictureFiles(Path("pictures")))
    >>> dataset.images["genus"].tolist(), dataset.notes
    (['Pica'], ("the genus of 1 images was read from their species' binomial",))
    """
    rows = rows.reset_index(drop=True)
    reading = read_lineages(rows)
    lineages, filling = fill_lineages(reading.lineages)
    others = [column for column in IMAGES.names if column in rows.columns and column not in RANKS]
    facts_of_images, notes_on_others = _without_placeholders(rows[others])
    images = IMAGES.frame(pd.concat([facts_of_images, lineages], axis=1))
    notes = (*notes, *reading.notes, *filling.notes, *notes_on_others, *_notes_on_status(images["status"]))
    return Dataset(name, images, open, Identity(images, tuple(facts), content), notes=notes, filling=filling)


def _notes_on_status(status: pd.Series) -> list[str]:
    """Return a note on how the names were resolved, where the source says it."""
    counts = [f"{number} {name}" for name, number in status.value_counts().items()]
    return [f"images by how their names were resolved: {some(counts)}"] if counts else []


def _without_placeholders(columns: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return columns that name persons, splits and species without placeholders such as 'unknown', and notes."""
    columns, notes = columns.copy(deep=False), []
    for name in ("common", "group", "split"):
        if name not in columns:
            continue
        given, columns[name] = columns[name], known_values(columns[name])
        lost = given[given.notna() & columns[name].isna()]
        lost = lost[lost.map(clean) != ""]
        if len(lost):
            written = some(f"'{text}'" for text in sorted(lost.unique()))
            notes.append(f"the {name} of {len(lost)} images is missing, its column gives a placeholder: {written}")
    return columns, notes


def dataset_from_files(name: str, root: Path, rows: pd.DataFrame, notes: Iterable[str] = ()) -> Dataset:
    """Return a dataset of picture files below `root`.

    A picture that several rows name as different taxa shows several, or nobody knows which: it is left out, and noted.
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
        If none of the files exists, every one is given several taxa, or `dataset_from_rows` refuses the rows.

    Examples
    --------
    >>> rows = pd.DataFrame({"image_id": ["1"], "source": ["1.jpg"], "species": ["Pica hudsonia"]})
    >>> dataset_from_files("magpies", Path("nowhere"), rows)
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: dataset 'magpies' has no usable image: no picture below nowhere; none of these \
is a file: 1.jpg
    """
    rows, notes_on_repeated = _without_contradictions(name, rows)
    notes = [*notes, *notes_on_repeated]
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


def _without_contradictions(name: str, rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return rows without the pictures that several of them name as different taxa, and notes."""
    repeated = rows["source"].duplicated(keep=False) & ~rows["image_id"].duplicated(keep=False)
    if not repeated.any():
        return rows, []
    lineages, _ = fill_lineages(read_lineages(rows[repeated]).lineages)
    source = rows.loc[repeated, "source"]
    taxa = lineages.fillna("").agg("|".join, axis=1)
    several = taxa.groupby(source).agg(lambda names: (names != names.iloc[0]).any())
    contradicted = rows["source"].isin(several.index[several])
    if contradicted.all():
        raise DataError(f"dataset '{name}' gives every picture several taxa: {some(several.index)}")
    notes = []
    if several.any():
        notes.append(
            f"{several.sum()} pictures left out, several rows give them different taxa: {some(several.index[several])}"
        )
    if not several.all():
        notes.append(f"{(~several).sum()} pictures are named by several rows: {some(several.index[~several])}")
    return rows[~contradicted], notes
