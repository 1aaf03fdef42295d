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

Levels above them that name no taxon are skipped and noted: ``train``, ``val`` and the like, which become the split,
``images``, ``Eukaryota``; so are subfamilies, and folders of systems such as ``__MACOSX``. A name that cannot stand at
its level is refused.

``folder:PATH#TABLE.csv`` reads the lineages of class folders with other names, such as common names, from a table: one
column with the names of the folders, and columns of ranks or scientific names. The table lies in PATH, or where its own
path says.

The `image_id` is the path below PATH. For any other layout write a table: see ``table:FILE``.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from bioclip_probe.datasets.dataset import Dataset, dataset_from_files
from bioclip_probe.datasets.readers.columns import complete_rows
from bioclip_probe.datasets.readers.folder_names import (
    TaxonFolder,
    is_system_folder,
    lineages_of_folders,
    without_other_levels,
)
from bioclip_probe.datasets.readers.name_table import FORMS_OF_FOLDERS, read_name_table
from bioclip_probe.datasets.readers.pictures import SUFFIXES, check_folder, notes_on_left_out, walk_files
from bioclip_probe.datasets.readers.text_files import split_name_table
from bioclip_probe.errors import DataError, some
from bioclip_probe.tables import RANKS


def load(path: Path) -> Dataset:
    """Return the pictures below `path`; the module's docstring describes the layouts.

    Parameters
    ----------
    path : Path
        The folder, or ``FOLDER#TABLE``.

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
    path, table = split_name_table(Path(path))
    path = check_folder(path)
    files = [file for file in walk_files(path) if table is None or path / file != table]
    of_systems = [file for file in files if is_system_folder(file)]
    others = set(of_systems)
    pictures = [
        file for file in files if file.suffix.lower() in SUFFIXES and len(file.parts) > 1 and file not in others
    ]
    if not pictures:
        raise DataError(f"{path} has no usable image: expected folders with pictures ({', '.join(sorted(SUFFIXES))})")
    folders = [without_other_levels(folder) for folder in sorted({file.parent for file in pictures})]
    facts, notes = _facts_from_names(path, folders) if table is None else _facts_from_table(table, folders)
    splits = pd.Series([folder.split for folder in folders], dtype="str")
    facts = facts.assign(split=splits.fillna(facts["split"]) if "split" in facts else splits)
    position = {folder.path: number for number, folder in enumerate(folders)}
    rows = facts.iloc[[position[file.parent] for file in pictures]].reset_index(drop=True)
    sources = [file.as_posix() for file in pictures]
    rows = complete_rows(rows.assign(source=sources).astype("str"), table or path)
    used = set(pictures) | others
    notes = [
        *_notes_on_levels(folders),
        *notes,
        *notes_on_left_out("they are in folders of a system", of_systems),
        *notes_on_left_out("no pictures in a taxon's folder", [file for file in files if file not in used]),
    ]
    return dataset_from_files(path.resolve().name, path, rows, notes)


def _facts_from_names(path: Path, folders: list[TaxonFolder]) -> tuple[pd.DataFrame, list[str]]:
    """Return the ranks that the names of folders give, and notes."""
    lineages, notes = lineages_of_folders(path, folders)
    return pd.DataFrame([lineages[folder.path] for folder in folders], columns=RANKS, dtype="str"), notes


def _facts_from_table(table: Path, folders: list[TaxonFolder]) -> tuple[pd.DataFrame, list[str]]:
    """Return the names that a table gives to folders, and notes."""
    names = [folder.taxon.as_posix() for folder in folders]
    facts, notes = read_name_table(table, names, "folders", FORMS_OF_FOLDERS, more=("split",))
    absent = [name for name in dict.fromkeys(names) if name not in facts.index]
    if absent:
        raise DataError(
            f"{table} lacks {len(absent)} of {len(names)} folders: {some(absent)}; add a row for each (without names, "
            f"if its pictures show no taxon)"
        )
    return facts.loc[names].reset_index(drop=True), notes


def _notes_on_levels(folders: list[TaxonFolder]) -> list[str]:
    """Return a note on levels that name no taxon, if there are any."""
    skipped = sorted({level for folder in folders for level in folder.skipped})
    splits = any(folder.split for folder in folders)
    as_split = "; those of parts of the dataset were read as the split" if splits else ""
    return [f"levels of folders that name no taxon were skipped: {some(skipped)}{as_split}"] if skipped else []
