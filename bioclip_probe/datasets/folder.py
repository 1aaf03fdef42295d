"""A folder of pictures whose folders say what they show.

``folder:PATH``, where all of PATH is laid out in one of three ways:

path
    One folder a taxon, named by the seven ranks from kingdom to epithet, joined by ``_`` or by ``-``; a number in
    front is dropped (iNat21, Rare Species): ``02832_Animalia_Chordata_Aves_Passeriformes_Corvidae_Pica_hudsonia``.
binomial
    One folder a species: ``Pica hudsonia`` or ``Pica_hudsonia``. The ranks above the genus are not known then.
nested
    A folder in a folder, rank by rank from the kingdom: ``Animalia/Chordata/.../Pica/hudsonia``. A picture that lies
    higher up is known to that rank only; a folder called ``unknown`` is a rank that is not known.

The `image_id` is the path below PATH. Anything else is better said in a table: see ``table:FILE``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pandas as pd

from bioclip_probe.datasets.dataset import Dataset
from bioclip_probe.datasets.readers.pictures import SUFFIXES, checked_folder, dataset_of_files, left_out, walk
from bioclip_probe.errors import DataError, some
from bioclip_probe.tables import RANKS

UNKNOWN = (None,) * len(RANKS)
BINOMIAL = re.compile(r"([^\W\d_a-z][^\W\d_]*)[ _]([^\W\d_A-Z][^\W\d_]*(?:-[^\W\d_]+)*)")


def load(path: Path) -> Dataset:
    """The pictures below `path`, named by their folders; see the module for the three layouts.

    Raises
    ------
    DataError
        If there is no such folder, no picture in it, or its folders follow none of the layouts throughout.
    """
    path = checked_folder(Path(path))
    files = list(walk(path))
    pictures = [file for file in files if file.suffix.lower() in SUFFIXES and len(file.parts) > 1]
    if not pictures:
        raise DataError(f"{path} has no usable image: expected folders with pictures ({', '.join(sorted(SUFFIXES))})")
    taken = set(pictures)
    folders = sorted({file.parent for file in pictures})
    lineages = _lineages(path, folders)
    rows = pd.DataFrame(
        [(file.as_posix(), file.as_posix(), *lineages[file.parent]) for file in pictures],
        columns=["image_id", "source", *RANKS],
        dtype="str",
    )
    notes = left_out("no pictures in a taxon's folder", [file for file in files if file not in taken])
    return dataset_of_files(path.resolve().name, path, rows, notes)


def _lineages(path: Path, folders: list[PurePosixPath]) -> dict[PurePosixPath, tuple]:
    """What each folder shows, by the layout that fits them all."""
    offenders = folders
    for read in LAYOUTS:
        lineages = {folder: read(folder) for folder in folders}
        refused = [folder for folder, lineage in lineages.items() if lineage is None]
        # A single level of plain words is no nest of ranks: some folder must go down to the species.
        if not refused and any(lineage[-1] is not None for lineage in lineages.values()):
            return lineages
        if refused and len(refused) < len(offenders):
            offenders = refused
    raise DataError(
        f"{path}: cannot tell the taxa from the folder names; expected Kingdom_..._epithet, Genus species, or seven "
        f"nested ranks throughout; found: {some(folder.as_posix() for folder in offenders)}"
    )


def _by_path(folder: PurePosixPath) -> tuple | None:
    if len(folder.parts) != 1:
        return None
    name = re.sub(r"^\d+[_-]", "", folder.name)
    # Epithets have hyphens (c-album), names of higher ranks have none.
    parts = name.split("_") if "_" in name else name.split("-", len(RANKS) - 1)
    return tuple(parts) if len(parts) == len(RANKS) else None


def _by_binomial(folder: PurePosixPath) -> tuple | None:
    words = BINOMIAL.fullmatch(folder.name)
    return (*UNKNOWN[:-2], words[1], words[2]) if words and len(folder.parts) == 1 else None


def _by_nesting(folder: PurePosixPath) -> tuple | None:
    return (folder.parts + UNKNOWN)[: len(RANKS)] if len(folder.parts) <= len(RANKS) else None


LAYOUTS: tuple[Callable[[PurePosixPath], tuple | None], ...] = (_by_path, _by_binomial, _by_nesting)
