"""What a dataset is: pictures with their taxa, and a way to open them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from bioclip_probe.errors import DataError, some
from bioclip_probe.tables import IMAGES, RANKS
from bioclip_probe.tree import clean_lineages

if TYPE_CHECKING:
    from PIL.Image import Image

    from bioclip_probe.tree import Tree


_ROWS = 100_000


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
        Takes an entry of the column `source`, gives the RGB picture, or raises `PictureError` with one line
        that names the picture and says what is wrong with it. Called from several threads at once, and sent to other
        processes: it pickles, and what it keeps open it opens again there.
    fingerprint : str
        Twelve hex digits over all that changes the numbers; see `fingerprint_of`.
    simulated : bool
        The pictures come from the built-in world. Every table and figure says so.
    tree : Tree, optional
        The true tree with branch lengths, where it is known.
    notes : tuple of str
        What was left out, and why.

    Raises
    ------
    DataError
        If `images` is no `IMAGES` table, has no row, or repeats an `image_id`.
    """

    name: str
    images: pd.DataFrame
    open: Callable[[str], Image]
    fingerprint: str
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
        return f"Dataset({self.name!r}, {len(self)} images, fingerprint {self.fingerprint})"


def dataset_of_rows(
    name: str,
    rows: pd.DataFrame,
    open: Callable[[str], Image],
    facts: Iterable[object] = (),
    notes: Iterable[str] = (),
) -> Dataset:
    """A dataset of rows as their source writes them: names cleaned, a genus read from its species' binomial.

    Parameters
    ----------
    name : str
        Of the dataset.
    rows : DataFrame
        `image_id`, `source`, any of the rank columns, and, if known, `common`, `label`, `group` and `split`.
    open : callable
        As `Dataset` has it.
    facts : iterable
        What changes the numbers beside the rows; see `fingerprint_of`.
    notes : iterable of str
        What was left out already.

    Raises
    ------
    DataError
        What `clean_lineages` and `Dataset` refuse.
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
    return Dataset(name, images, open, fingerprint_of(images, facts), notes=tuple(notes))


def fingerprint_of(images: pd.DataFrame, facts: Iterable[object] = ()) -> str:
    """Twelve hex digits of a sha256 over an `IMAGES` table and further facts.

    Parameters
    ----------
    images : DataFrame
        The table: ids, sources, names, groups, splits, in order.
    facts : iterable
        What else changes the numbers, e.g. size and time of change of every file. Their `repr` enters.
    """
    if "label" in images and images["label"].isna().all():
        # The column came later: datasets without labels keep the fingerprint, and so the vectors, that they had.
        images = images.drop(columns="label")
    digest = hashlib.sha256()
    for start in range(0, max(len(images), 1), _ROWS):  # in parts: the text of millions of rows takes gigabytes
        part = images.iloc[start : start + _ROWS]
        digest.update(part.to_csv(index=False, header=start == 0, na_rep="\\N", lineterminator="\n").encode())
    for fact in facts:
        digest.update(repr(fact).encode() + b"\n")
    return digest.hexdigest()[:12]
