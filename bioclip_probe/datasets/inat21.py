"""iNat21: the iNaturalist 2021 competition's pictures, as downloaded.

``inat21:PATH``, where PATH is one of

* the folder of one split, e.g. ``.../train_mini``: a folder a species, ``NNNNN_Kingdom_Phylum_Class_Order_Family_
  Genus_epithet``, with ``<uuid>.jpg`` in it;
* the folder above, that holds ``val`` (torchvision's name: ``2021_valid``): then the split is val. For another
  split name its folder;
* the JSON file of a split, e.g. ``.../val.json``: then names and files are as it says, below its folder.

Where the JSON file of a split lies beside its folder, the photographer (``rights_holder``) becomes the `group`.
The `image_id` is the uuid.
"""

from __future__ import annotations

import json
import re
from pathlib import Path, PurePosixPath

import pandas as pd

from bioclip_probe.datasets.dataset import Dataset
from bioclip_probe.datasets.readers.pictures import (
    SUFFIXES,
    checked_folder,
    dataset_of_files,
    left_out,
    stays_inside,
    walk,
)
from bioclip_probe.errors import DataError, some
from bioclip_probe.tables import RANKS

# Folder name: what the competition calls the split. torchvision renames the folders.
SPLITS = {
    "val": "val",
    "2021_valid": "val",
    "train_mini": "train_mini",
    "2021_train_mini": "train_mini",
    "train": "train",
    "2021_train": "train",
}
SPECIES_FOLDER = re.compile(r"\d+(_[^_]+){7}")
EXPECTED = "NNNNN_Kingdom_Phylum_Class_Order_Family_Genus_epithet"


def load(path: Path) -> Dataset:
    """One split of iNat21; see the module for what `path` may be.

    Raises
    ------
    DataError
        If nothing is there, or it is not laid out as iNat21 is.
    """
    path = Path(path)
    if path.suffix == ".json":
        return _from_json(path)
    folder = _split_folder(checked_folder(path))
    return _from_json(folder) if folder.suffix == ".json" else _from_folders(folder)


def _split_folder(path: Path) -> Path:
    children = sorted(child.name for child in path.iterdir())
    if path.name in SPLITS or any(SPECIES_FOLDER.fullmatch(name) for name in children):
        return path
    for name in ("val", "2021_valid", "val.json"):
        if name in children:
            return path / name
    others = [name for name in SPLITS if name in children]
    if others:
        raise DataError(f"{path} holds no split val, but {some(others)}; name one: inat21:{path / others[0]}")
    raise DataError(f"{path} is not iNat21: expected species folders {EXPECTED}, or val/; found: {some(children)}")


def _from_folders(folder: Path) -> Dataset:
    files = list(walk(folder))
    pictures = [file for file in files if file.suffix.lower() in SUFFIXES and len(file.parts) > 1]
    taken = set(pictures)
    strange = sorted({file.parts[0] for file in pictures if not SPECIES_FOLDER.fullmatch(file.parts[0])})
    if strange:
        raise DataError(f"{folder} is not iNat21: expected species folders {EXPECTED}; found: {some(strange)}")
    split = SPLITS.get(folder.name, folder.name)
    rows = pd.DataFrame(
        [(file.stem, file.as_posix(), *file.parts[0].split("_")[1:]) for file in pictures],
        columns=["image_id", "source", *RANKS],
    ).assign(split=split)
    notes = left_out("no pictures in a species folder", [file for file in files if file not in taken])
    beside = folder.with_name(f"{split}.json")
    if beside.is_file():
        listed = _read(beside)
        for column in ("common", "group"):
            rows[column] = rows["image_id"].map(dict(zip(listed["image_id"], listed[column], strict=True)))
        absent = listed.loc[~listed["image_id"].isin(rows["image_id"]), "image_id"]
        notes += [f"{len(absent)} images of {beside.name} are not in {folder}: {some(absent)}"] if len(absent) else []
    return dataset_of_files(f"inat21-{split}", folder, rows, notes)


def _from_json(path: Path) -> Dataset:
    rows = _read(path)
    outside = rows.loc[~rows["source"].map(stays_inside), "source"]
    if len(outside):
        raise DataError(f"{path} names files outside its folder: {some(outside)}")
    if rows["kingdom"].isna().all():
        raise DataError(f"{path} says of no image what it shows (no annotations): a test split has no names")
    split = SPLITS.get(path.stem, path.stem)
    return dataset_of_files(f"inat21-{split}", path.parent, rows.assign(split=split))


def _read(path: Path) -> pd.DataFrame:
    """A split's JSON as rows: image_id (uuid), source, the ranks, common name, group (photographer)."""
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    try:
        content = json.loads(path.read_bytes())
        categories = {category["id"]: _names(category) for category in content["categories"]}
        shown = {note["image_id"]: categories[note["category_id"]] for note in content.get("annotations", [])}
        nameless = (None,) * (len(RANKS) + 1)
        rows = [
            (
                PurePosixPath(image["file_name"]).stem,
                image["file_name"],
                *shown.get(image["id"], nameless),
                image.get("rights_holder") or None,
            )
            for image in content["images"]
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"lacks {error}" if isinstance(error, KeyError) else str(error)
        raise DataError(f"{path} is not an iNat21 JSON (images, categories, annotations): {reason}") from error
    return pd.DataFrame(rows, columns=["image_id", "source", *RANKS, "common", "group"], dtype="str")


def _names(category: dict) -> tuple[str | None, ...]:
    lineage = (*(category[rank] for rank in RANKS[:-1]), category["specific_epithet"])
    return (*lineage, category.get("common_name") or None)
