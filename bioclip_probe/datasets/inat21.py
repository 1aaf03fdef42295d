"""iNat21: the pictures of the iNaturalist 2021 competition, as downloaded.

``inat21:PATH``, where PATH is one of

* the folder of one split, e.g. ``.../train_mini``: a folder a species, ``NNNNN_Kingdom_Phylum_Class_Order_Family_
  Genus_epithet``, with ``<uuid>.jpg`` in it;
* the folder above, with ``val`` (torchvision's name: ``2021_valid``) in it: then the split is val. For another split
  give its folder;
* the JSON file of a split, e.g. ``.../val.json``, which gives the names and the files below its folder.

If the JSON file of a split lies beside its folder, the photographer (``rights_holder``) becomes the `group`.
The `image_id` is the uuid.
"""

from __future__ import annotations

import json
import re
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from bioclip_probe.datasets.dataset import Dataset, dataset_from_files
from bioclip_probe.datasets.readers.pictures import (
    SUFFIXES,
    check_folder,
    notes_on_left_out,
    stays_inside,
    walk_files,
)
from bioclip_probe.errors import DataError, some
from bioclip_probe.tables import RANKS

# Name of the folder: name of the split in the competition. torchvision renames the folders.
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
    """Return one split of iNat21; the module's docstring describes the path.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If nothing is there, or its layout is not that of iNat21.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from PIL import Image
    >>> with TemporaryDirectory() as folder:
    ...     species = Path(folder, "val", "02832_Animalia_Chordata_Aves_Passeriformes_Corvidae_Pica_hudsonia")
    ...     species.mkdir(parents=True)
    ...     Image.new("RGB", (8, 6)).save(species / "1.png")
    ...     load(Path(folder)).images[["image_id", "family", "species", "split"]].iloc[0].tolist()
    ['1', 'Corvidae', 'Pica hudsonia', 'val']
    """
    path = Path(path)
    if path.suffix == ".json":
        return _load_json(path)
    split = _find_split(check_folder(path))
    return _load_json(split) if split.suffix == ".json" else _load_folders(split)


def _find_split(path: Path) -> Path:
    """Return the folder or the JSON file of a split: `path` itself, or val in it."""
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


def _load_folders(folder: Path) -> Dataset:
    files = list(walk_files(folder))
    pictures = [file for file in files if file.suffix.lower() in SUFFIXES and len(file.parts) > 1]
    strange = sorted({file.parts[0] for file in pictures if not SPECIES_FOLDER.fullmatch(file.parts[0])})
    if strange:
        raise DataError(f"{folder} is not iNat21: expected species folders {EXPECTED}; found: {some(strange)}")
    split = SPLITS.get(folder.name, folder.name)
    rows = pd.DataFrame(
        [(file.stem, file.as_posix(), *file.parts[0].split("_")[1:]) for file in pictures],
        columns=["image_id", "source", *RANKS],
    ).assign(split=split)
    used = set(pictures)
    notes = notes_on_left_out("no pictures in a species folder", [file for file in files if file not in used])
    json_file = folder.with_name(f"{split}.json")
    if json_file.is_file():
        listed = _read_json(json_file)
        for column in ("common", "group"):
            rows[column] = rows["image_id"].map(dict(zip(listed["image_id"], listed[column], strict=True)))
        absent = listed.loc[~listed["image_id"].isin(rows["image_id"]), "image_id"]
        if len(absent):
            notes.append(f"{len(absent)} images of {json_file.name} are not in {folder}: {some(absent)}")
    return dataset_from_files(f"inat21-{split}", folder, rows, notes)


def _load_json(path: Path) -> Dataset:
    rows = _read_json(path)
    outside = rows.loc[~rows["source"].map(stays_inside), "source"]
    if len(outside):
        raise DataError(f"{path} names files outside its folder: {some(outside)}")
    if rows["kingdom"].isna().all():
        raise DataError(f"{path} has no annotations, so no image has a taxon: a test split has no names")
    split = SPLITS.get(path.stem, path.stem)
    return dataset_from_files(f"inat21-{split}", path.parent, rows.assign(split=split))


def _read_json(path: Path) -> pd.DataFrame:
    """Return the JSON of a split as rows: image_id (uuid), source, the ranks, common name, group (photographer)."""
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    try:
        content = json.loads(path.read_bytes())
        categories = {category["id"]: _category_names(category) for category in content["categories"]}
        names = {
            annotation["image_id"]: categories[annotation["category_id"]]
            for annotation in content.get("annotations", [])
        }
        no_names = (None,) * (len(RANKS) + 1)
        rows = [
            (
                PurePosixPath(image["file_name"]).stem,
                image["file_name"],
                *names.get(image["id"], no_names),
                image.get("rights_holder") or None,
            )
            for image in content["images"]
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"lacks {error}" if isinstance(error, KeyError) else str(error)
        raise DataError(f"{path} is not an iNat21 JSON (images, categories, annotations): {reason}") from error
    return pd.DataFrame(rows, columns=["image_id", "source", *RANKS, "common", "group"], dtype="str")


def _category_names(category: dict[str, Any]) -> tuple[str | None, ...]:
    """Return the names of a category at each of `RANKS`, the species as its epithet, and its common name."""
    lineage = (*(category[rank] for rank in RANKS[:-1]), category["specific_epithet"])
    return (*lineage, category.get("common_name") or None)
