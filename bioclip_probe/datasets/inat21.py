"""iNat21: the pictures of the iNaturalist 2021 competition, as downloaded.

``inat21:PATH``, where PATH is one of

* the folder of one split, e.g. ``.../train_mini``: a folder a species, ``NNNNN_Kingdom_Phylum_Class_Order_Family_
  Genus_epithet``, with ``<uuid>.jpg`` in it;
* the folder above, with ``val`` (torchvision's name: ``2021_valid``) in it: then the split is val. For another split
  give its folder;
* the JSON file of a split, e.g. ``.../val.json``, which gives the names and the files below its folder.

If the JSON file of a split lies beside its folder, the photographer (``rights_holder``) becomes the `group`.
The `image_id` is the uuid. An image whose annotations name different taxa shows several: it is left out, and noted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from bioclip_probe.datasets.dataset import Dataset, dataset_from_files
from bioclip_probe.datasets.readers.json_files import read_json
from bioclip_probe.datasets.readers.pictures import (
    SUFFIXES,
    check_folder,
    notes_on_left_out,
    stays_inside,
    walk_files,
)
from bioclip_probe.errors import DataError, one_line, printable, some
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
        listed, json_notes = _read_json(json_file)
        notes += json_notes
        for column in ("common", "group"):
            rows[column] = rows["image_id"].map(dict(zip(listed["image_id"], listed[column], strict=True)))
        absent = listed.loc[~listed["image_id"].isin(rows["image_id"]), "image_id"]
        if len(absent):
            notes.append(f"{len(absent)} images of {json_file.name} are not in {folder}: {some(absent)}")
    return dataset_from_files(f"inat21-{split}", folder, rows, notes)


def _load_json(path: Path) -> Dataset:
    rows, notes = _read_json(path)
    outside = rows.loc[~rows["source"].map(stays_inside), "source"]
    if len(outside):
        raise DataError(f"{path} names files outside its folder: {some(outside)}")
    if rows[list(RANKS)].isna().all(axis=None):
        raise DataError(f"{path} has no annotations, so no image has a taxon: a test split has no names")
    split = SPLITS.get(path.stem, path.stem)
    return dataset_from_files(f"inat21-{split}", path.parent, rows.assign(split=split), notes)


def _read_json(path: Path) -> tuple[pd.DataFrame, list[str]]:
    """Return the JSON of a split as rows, and notes.

    The columns are image_id (uuid), source, the ranks, common name and group (photographer).
    """
    content = read_json(path)
    try:
        categories, notes = _read_categories(content["categories"], path)
        category_of, several, more_notes = _read_annotations(content.get("annotations") or [], categories, path)
        no_names = (None,) * (len(RANKS) + 1)
        rows = [
            (
                image["id"],
                PurePosixPath(image["file_name"]).stem,
                image["file_name"],
                *(categories[category_of[image["id"]]] if image["id"] in category_of else no_names),
                image.get("rights_holder") or None,
            )
            for image in content["images"]
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"lacks {error}" if isinstance(error, KeyError) else one_line(error)
        raise DataError(f"{path} is not an iNat21 JSON (images, categories, annotations): {reason}") from error
    columns = ["id", "image_id", "source", *RANKS, "common", "group"]
    frame = pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(columns[1:], "str"))
    for column in ("id", "image_id"):
        repeated = frame.loc[frame[column].duplicated(), "source"]
        if len(repeated):
            raise DataError(f"{path} names {len(repeated)} images more than once: {some(repeated)}")
    unknown = set(category_of) - set(frame["id"])
    if unknown:
        more_notes.append(f"{len(unknown)} annotations are of no image: {some(sorted(unknown, key=str))}")
    left_out = frame["id"].isin(several)
    if left_out.any():
        more_notes.append(
            f"{left_out.sum()} images left out, several annotations give them different taxa: "
            f"{some(frame.loc[left_out, 'source'])}"
        )
    return frame[~left_out].drop(columns="id").reset_index(drop=True), notes + more_notes


def _read_categories(
    categories: list[dict[str, Any]], path: Path
) -> tuple[dict[Any, tuple[str | None, ...]], list[str]]:
    """Return the names of each category by its id, and notes; an id of two taxa is refused."""
    names: dict[Any, tuple[str | None, ...]] = {}
    repeated = []
    for category in categories:
        number, own = category["id"], _category_names(category)
        if number in names:
            repeated.append(number)
            if names[number] != own:
                raise DataError(
                    f"{path} has two categories {printable(number)}, of different taxa; give each its own id"
                )
        names[number] = own
    return names, [f"{len(repeated)} categories are listed several times: {some(repeated)}"] if repeated else []


def _read_annotations(
    annotations: list[dict[str, Any]], categories: Mapping[Any, tuple[str | None, ...]], path: Path
) -> tuple[dict[Any, Any], set[Any], list[str]]:
    """Return the category of each image, the images whose annotations contradict each other, and notes."""
    category_of: dict[Any, Any] = {}
    several = set()
    repeated = set()
    for annotation in annotations:
        image, category = annotation["image_id"], annotation["category_id"]
        if category not in categories:
            raise DataError(f"{path} has no category {printable(category)}, which an annotation of image {image} names")
        if image in category_of:
            repeated.add(image)
            if categories[category_of[image]] != categories[category]:
                several.add(image)
        category_of[image] = category
    agreeing = repeated - several
    notes = [f"{len(agreeing)} images have several annotations of one taxon"] if agreeing else []
    return category_of, several, notes


def _category_names(category: dict[str, Any]) -> tuple[str | None, ...]:
    """Return the names of a category at each of `RANKS`, the species as its epithet, and its common name."""
    lineage = (*(category[rank] for rank in RANKS[:-1]), category["specific_epithet"])
    return (*lineage, category.get("common_name") or None)
