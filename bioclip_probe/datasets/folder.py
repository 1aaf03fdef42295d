"""A folder of pictures, named by their folders.

``folder:PATH``, where all of PATH follows one of three layouts:

path
    One folder a taxon, named by the seven ranks from kingdom to epithet, joined by ``_`` or by ``-``; a number in
    front is dropped (iNat21, Rare Species): ``02832_Animalia_Chordata_Aves_Passeriformes_Corvidae_Pica_hudsonia``.
binomial
    One folder a species: ``Pica hudsonia`` or ``Pica_hudsonia``. The ranks above the genus are then unknown.
nested
    Folders inside folders, rank by rank from the kingdom: ``Animalia/Chordata/.../Pica/hudsonia``. A picture that lies
    higher up is known to that rank only; a folder called ``unknown`` is a rank that is not known.

The `image_id` is the path below PATH. For any other layout write a table: see ``table:FILE``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pandas as pd

from bioclip_probe.datasets.dataset import Dataset, dataset_from_files
from bioclip_probe.datasets.readers.pictures import SUFFIXES, check_folder, notes_on_left_out, walk_files
from bioclip_probe.errors import DataError, some
from bioclip_probe.tables import RANKS

#: One name for each of `RANKS`, None where it is not known.
Lineage = tuple[str | None, ...]

UNKNOWN: Lineage = (None,) * len(RANKS)
BINOMIAL = re.compile(r"([^\W\d_a-z][^\W\d_]*)[ _]([^\W\d_A-Z][^\W\d_]*(?:-[^\W\d_]+)*)")


def load(path: Path) -> Dataset:
    """Return the pictures below `path`; the module's docstring describes the three layouts.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If there is no such folder, no picture in it, or no layout fits all of its folders.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from PIL import Image
    >>> with TemporaryDirectory() as folder:
    ...     Path(folder, "Pica hudsonia").mkdir()
    ...     Image.new("RGB", (8, 6)).save(Path(folder, "Pica hudsonia", "1.png"))
    ...     load(Path(folder)).images[["image_id", "genus", "species"]].iloc[0].tolist()
    ['Pica hudsonia/1.png', 'Pica', 'Pica hudsonia']
    """
    path = check_folder(Path(path))
    files = list(walk_files(path))
    pictures = [file for file in files if file.suffix.lower() in SUFFIXES and len(file.parts) > 1]
    if not pictures:
        raise DataError(f"{path} has no usable image: expected folders with pictures ({', '.join(sorted(SUFFIXES))})")
    folders = sorted({file.parent for file in pictures})
    lineages = _lineages(path, folders)
    rows = pd.DataFrame(
        [(file.as_posix(), file.as_posix(), *lineages[file.parent]) for file in pictures],
        columns=["image_id", "source", *RANKS],
        dtype="str",
    )
    used = set(pictures)
    notes = notes_on_left_out("no pictures in a taxon's folder", [file for file in files if file not in used])
    return dataset_from_files(path.resolve().name, path, rows, notes)


def _lineages(path: Path, folders: list[PurePosixPath]) -> dict[PurePosixPath, Lineage]:
    """Return the lineage of each folder, by the first layout that fits them all."""
    offenders = folders
    for parse in LAYOUTS:
        lineages = {folder: parse(folder) for folder in folders}
        refused = [folder for folder, lineage in lineages.items() if lineage is None]
        fitting = {folder: lineage for folder, lineage in lineages.items() if lineage is not None}
        # A single level of plain words is not a nest of ranks: some folder must reach the species.
        if not refused and any(lineage[-1] is not None for lineage in fitting.values()):
            return fitting
        if refused and len(refused) < len(offenders):
            offenders = refused
    raise DataError(
        f"{path}: cannot tell the taxa from the folder names; expected Kingdom_..._epithet, Genus species, or seven "
        f"nested ranks throughout; found: {some(folder.as_posix() for folder in offenders)}"
    )


def _parse_path(folder: PurePosixPath) -> Lineage | None:
    if len(folder.parts) != 1:
        return None
    name = re.sub(r"^\d+[_-]", "", folder.name)
    # Epithets may have hyphens (c-album), names of higher ranks have none.
    names = name.split("_") if "_" in name else name.split("-", len(RANKS) - 1)
    return tuple(names) if len(names) == len(RANKS) else None


def _parse_binomial(folder: PurePosixPath) -> Lineage | None:
    match = BINOMIAL.fullmatch(folder.name)
    return (*UNKNOWN[:-2], match[1], match[2]) if match and len(folder.parts) == 1 else None


def _parse_nested(folder: PurePosixPath) -> Lineage | None:
    return (folder.parts + UNKNOWN)[: len(RANKS)] if len(folder.parts) <= len(RANKS) else None


LAYOUTS: tuple[Callable[[PurePosixPath], Lineage | None], ...] = (_parse_path, _parse_binomial, _parse_nested)
