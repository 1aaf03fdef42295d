"""Birds 525: five pictures each of 525 species of birds, the test split of Kaggle's 100-bird-species.

``birds-525:PATH``, where PATH is the folder of ``train/``, ``valid/`` and ``test/`` with ``birds.csv`` in it (the split
is then test, on which BioCLIP was evaluated), or the folder of one of the three. A split has a folder of pictures for
each species, named in capitals by its English name.

The folder's name is the `label` of the picture, and in small letters its `common` name. ``birds.csv`` (``filepaths``,
``labels``, ``scientific name`` and more) gives the binomial; without it no taxon is known. All of them are birds, so
kingdom, phylum and class are known too; order and family are not, because the source does not name them. The `image_id`
is the path below the folder of the splits, as in ``birds.csv``.

References
----------
kaggle.com/datasets/gpiosenka/100-bird-species; Imageomics/bioclip, README: "We evaluated on the 2,625 test images
provided with the dataset".
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from bioclip_probe.datasets.dataset import Dataset, dataset_from_files
from bioclip_probe.datasets.readers.picture_paths import collapse_whitespace
from bioclip_probe.datasets.readers.pictures import SUFFIXES, check_folder, notes_on_left_out, walk_files
from bioclip_probe.datasets.readers.table_formats import CSV
from bioclip_probe.datasets.readers.text_tables import read_columns
from bioclip_probe.errors import DataError, some
from bioclip_probe.tree.naming import read_names

NAME = "birds-525"
EVALUATED_SPLIT = "test"
SPLITS = (EVALUATED_SPLIT, "valid", "train")
TABLE = "birds.csv"
RANKS_OF_BIRDS = {"kingdom": "Animalia", "phylum": "Chordata", "class": "Aves"}


def load(path: Path) -> Dataset:
    """Return one split of Birds 525; the module's docstring describes the path.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If nothing is there, or its layout is not that of Birds 525.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from PIL import Image
    >>> with TemporaryDirectory() as folder:
    ...     Path(folder, "test", "BLACK-BILLED MAGPIE").mkdir(parents=True)
    ...     Image.new("RGB", (8, 6)).save(Path(folder, "test", "BLACK-BILLED MAGPIE", "1.png"))
    ...     load(Path(folder)).images[["label", "common", "split"]].iloc[0].tolist()
    ['BLACK-BILLED MAGPIE', 'black-billed magpie', 'test']
    """
    path = check_folder(Path(path)).resolve()
    if (path / EVALUATED_SPLIT).is_dir():
        return _load_split(path, EVALUATED_SPLIT)
    if path.name in SPLITS:
        return _load_split(path.parent, path.name)
    entries = some(sorted(child.name for child in path.iterdir()))
    raise DataError(f"{path} is not Birds 525: expected {EVALUATED_SPLIT}/ and {TABLE}; found: {entries or 'nothing'}")


def _load_split(root: Path, split: str) -> Dataset:
    files = list(walk_files(root / split))
    pictures = [file for file in files if file.suffix.lower() in SUFFIXES and len(file.parts) == 2]
    if not pictures:
        raise DataError(f"{root / split} has no usable image: expected a folder a species with pictures in it")
    used = set(pictures)
    notes = notes_on_left_out("no pictures in a species folder", [file for file in files if file not in used])
    sources = [f"{split}/{file.as_posix()}" for file in pictures]
    label = _clean_names(pd.Series([file.parts[0] for file in pictures], dtype="str"))
    scientific_names, table_notes = _read_scientific_names(root)
    notes += table_notes
    names = read_names(scientific_names.values())
    name_of = {folder: names[text] for folder, text in scientific_names.items() if names[text].species}
    species = pd.Series([name_of[folder].species if folder in name_of else None for folder in label], dtype="str")
    genus = pd.Series([name_of[folder].genus if folder in name_of else None for folder in label], dtype="str")
    known = species.notna()
    if not known.all():
        notes.append(f"{(~known).sum()} images have no binomial, and no taxon: {some(label[~known].unique())}")
    rows = pd.DataFrame({"image_id": sources, "source": sources, "label": label, "common": label.str.lower()})
    for rank, name in RANKS_OF_BIRDS.items():
        rows[rank] = pd.Series(name, index=rows.index, dtype="str").where(known)
    rows = rows.assign(genus=genus, species=species, split=split)
    return dataset_from_files(NAME if split == EVALUATED_SPLIT else f"{NAME}-{split}", root, rows, notes)


def _read_scientific_names(root: Path) -> tuple[dict[str, str], list[str]]:
    """Return the scientific name of each species folder, as the table writes it, and notes."""
    table = next((file for file in sorted(root.iterdir()) if file.name.lower() == TABLE), None)
    if table is None:
        return {}, [f"no {TABLE} beside the pictures: their labels are English names"]
    columns = read_columns(table, CSV, ["filepaths", "scientific name"])
    # Some labels of the table are misspelled; its paths contain the folders.
    folder = _clean_names(columns["filepaths"].str.replace("\\", "/").str.split("/").str[-2])
    names = pd.DataFrame({"folder": folder, "name": _clean_names(columns["scientific name"])})
    counts = names.value_counts().reset_index()
    ambiguous = counts.loc[counts["folder"].duplicated(), "folder"].unique()
    notes = []
    if len(ambiguous):
        notes.append(f"{TABLE} has several scientific names for {some(ambiguous)}; the most frequent was read")
    best = counts.sort_values(["folder", "count", "name"], ascending=[True, False, True]).drop_duplicates("folder")
    return dict(zip(best["folder"], best["name"], strict=True)), notes


def _clean_names(names: pd.Series) -> pd.Series:
    return collapse_whitespace(names).str.strip()
