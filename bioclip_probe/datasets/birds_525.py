"""Birds 525: five pictures each of 525 species of birds, the test part of Kaggle's 100-bird-species.

``birds-525:PATH``, where PATH is the folder of ``train/``, ``valid/`` and ``test/`` with ``birds.csv`` beside them (the
part is test then, which BioCLIP was evaluated on), or the folder of one of the three. In a part lies a folder a
species, named in capitals by its English name, with pictures in it.

The folder's name is the `label` of the picture, and in small letters the `common` name. ``birds.csv`` (``filepaths``,
``labels``, ``scientific name`` and more) gives the binomial; without it no taxon is known. All of them are birds, so
that kingdom, phylum and class are known as well; order and family are not, since the source names none. The `image_id`
is the path below the folder of the parts, as in ``birds.csv``.

References
----------
kaggle.com/datasets/gpiosenka/100-bird-species; Imageomics/bioclip, README: "We evaluated on the 2,625 test images
provided with the dataset".
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from bioclip_probe.datasets.dataset import Dataset
from bioclip_probe.datasets.readers.pictures import SUFFIXES, checked_folder, dataset_of_files, left_out, walk
from bioclip_probe.datasets.readers.text_tables import CSV, collapse_whitespace, read_columns
from bioclip_probe.errors import DataError, some

NAME = "birds-525"
TESTED = "test"
PARTS = (TESTED, "valid", "train")
TABLE = "birds.csv"
BIRDS = {"kingdom": "Animalia", "phylum": "Chordata", "class": "Aves"}
#: Genus and epithet; what follows, as a subspecies, is not read.
BINOMIAL = r"^([^\W\d_]+) ([^\W\d_]+(?:-[^\W\d_]+)*)(?: .*)?$"


def load(path: Path) -> Dataset:
    """One part of Birds 525; see the module for what `path` may be.

    Raises
    ------
    DataError
        If nothing is there, or it is not laid out as Birds 525 is.
    """
    path = checked_folder(Path(path)).resolve()
    if (path / TESTED).is_dir():
        return _part(path, TESTED)
    if path.name in PARTS:
        return _part(path.parent, path.name)
    found = some(sorted(child.name for child in path.iterdir()))
    raise DataError(f"{path} is not Birds 525: expected {TESTED}/ and {TABLE}; found: {found or 'nothing'}")


def _part(root: Path, part: str) -> Dataset:
    files = list(walk(root / part))
    pictures = [file for file in files if file.suffix.lower() in SUFFIXES and len(file.parts) == 2]
    if not pictures:
        raise DataError(f"{root / part} has no usable image: expected a folder a species with pictures in it")
    taken = set(pictures)
    notes = left_out("no pictures in a species folder", [file for file in files if file not in taken])
    sources = [f"{part}/{file.as_posix()}" for file in pictures]
    label = _name(pd.Series([file.parts[0] for file in pictures], dtype="str"))
    binomial = label.map(_binomials(root, notes)).astype("str").str.extract(BINOMIAL)
    known = binomial[0].notna()
    if not known.all():
        notes.append(f"{(~known).sum()} images have no binomial, and no taxon: {some(label[~known].unique())}")
    rows = pd.DataFrame({"image_id": sources, "source": sources, "label": label, "common": label.str.lower()})
    for rank, name in BIRDS.items():
        rows[rank] = pd.Series(name, index=rows.index, dtype="str").where(known)
    rows = rows.assign(genus=binomial[0].str.capitalize(), species=binomial[1].str.lower(), split=part)
    return dataset_of_files(NAME if part == TESTED else f"{NAME}-{part}", root, rows, notes)


def _binomials(root: Path, notes: list[str]) -> dict[str, str]:
    """The scientific name of each species folder, as the table writes it; what is odd joins the notes."""
    table = next((file for file in sorted(root.iterdir()) if file.name.lower() == TABLE), None)
    if table is None:
        notes.append(f"no {TABLE} beside the pictures: their labels are English names")
        return {}
    read = read_columns(table, CSV, ["filepaths", "scientific name"])
    # Its labels are misspelled here and there; its paths lead to the folders.
    folder = _name(read["filepaths"].str.replace("\\", "/").str.split("/").str[-2])
    counts = pd.DataFrame({"folder": folder, "name": _name(read["scientific name"])}).value_counts().reset_index()
    twice = counts.loc[counts["folder"].duplicated(), "folder"].unique()
    if len(twice):
        notes.append(f"{TABLE} has several scientific names for {some(twice)}; the most frequent was read")
    best = counts.sort_values(["folder", "count", "name"], ascending=[True, False, True]).drop_duplicates("folder")
    return dict(zip(best["folder"], best["name"], strict=True))


def _name(names: pd.Series) -> pd.Series:
    return collapse_whitespace(names).str.strip()
