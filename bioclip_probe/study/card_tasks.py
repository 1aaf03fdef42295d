"""The tasks of BioCLIP's model card: their datasets, and how their classes are named.

A folder of data holds a folder for each task, by the names below.

==================  ===================================================================  ======  =======================
folder              content                                                              images  name of a class
==================  ===================================================================  ======  =======================
``birds_525``       Kaggle's 100-bird-species: ``test/`` and ``birds.csv``                2,625  see below
``plankton``        Meta-Album's PLK, Mini: ``labels.csv`` and ``images/``                3,440  its label
``insects``         INS, Mini                                                             4,160  its label
``insects_2``       INS_2, Mini                                                           4,080  its label
``plantnet``        PLT_NET, Mini                                                         1,000  its label
``fungi``           FNG, Mini                                                             1,000  its label
``plantvillage``    PLT_VIL, Mini                                                         1,520  its label
``medicinal_leaf``  MED_LF, Mini                                                          1,000  its label
``plantdoc``        PLT_DOC, Mini                                                         1,080  its label
``rare_species``    Rare Species: as ``rare-species:PATH`` takes it                      11,983  taxonomic + common name
==================  ===================================================================  ======  =======================

A class is a label where the pictures have labels, since a label need not be a taxon (``Tomato___Late_blight``,
``mix_elongated``), and a species elsewhere. The authors' annotations of the Meta-Album sets give the class as its
folder is called and no other name; they prompt it ``asis``, with underscores and authorships. Rare Species is
prompted by taxonomic and common name; its own card prompts CLIP and OpenCLIP by the common name, so this is measured
too. How the authors named the classes of Birds 525 is not published: taxonomic + common is inferred, without order
and family, which the source does not give; scientific and common names are measured beside it.

References
----------
Imageomics/bioclip: README, data/annotation, src/evaluation/{data,zero_shot_iid,few_shot}.py, src/imageomics/
naming_eval.py, eval_zero_shot.sh, docs/imageomics/RareSpecies_DatasetCard.md.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from bioclip_probe.datasets import Dataset, birds_525, meta_album, rare_species
from bioclip_probe.errors import DataError, some
from bioclip_probe.extraction import prompts
from bioclip_probe.tree import taxonomy

log = logging.getLogger(__name__)

AS_IS = "asis"
ABSENT = "absent"


@dataclass(frozen=True)
class Task:
    """One task of the card.

    Attributes
    ----------
    title : str
        Name on the card.
    dataset : str
        Name of its dataset in tables.
    load : callable
        Returns the dataset of the task's folder.
    texts : tuple of str
        Text types of the class names, that of the card first: ``asis`` or one of `prompts.TEXT_TYPES`.
    rank : str, optional
        Rank of its classes, where all have the same.
    shots : tuple of int
        Images a class that SimpleShot learns from.

    Examples
    --------
    >>> TASKS["rare_species"].shots
    (1, 5)
    """

    title: str
    dataset: str
    load: Callable[[Path], Dataset]
    texts: tuple[str, ...] = (AS_IS,)
    rank: str | None = None
    shots: tuple[int, ...] = ()


def _meta_album(title: str, name: str, rank: str | None = None) -> Task:
    """Return the task of one Meta-Album set."""
    return Task(title, f"meta-album-{name}_Mini", partial(meta_album.load, name=name), rank=rank)


TASKS: dict[str, Task] = {
    "birds_525": Task(
        "Birds 525", birds_525.NAME, birds_525.load, ("taxonomic_common", "scientific", "common"), "species"
    ),
    "plankton": _meta_album("Plankton", "PLK"),
    "insects": _meta_album("Insects", "INS"),
    "insects_2": _meta_album("Insects 2", "INS_2"),
    "plantnet": _meta_album("PlantNet", "PLT_NET", "species"),
    "fungi": _meta_album("Fungi", "FNG", "species"),
    "plantvillage": _meta_album("PlantVillage", "PLT_VIL"),
    "medicinal_leaf": _meta_album("Med. Leaf", "MED_LF"),
    "plantdoc": _meta_album("PlantDoc", "PLT_DOC"),
    "rare_species": Task(
        "Rare Species", rare_species.NAME, rare_species.load, ("taxonomic_common", "common"), "species", (1, 5)
    ),
}


def class_names(images: pd.DataFrame, task: Task) -> pd.DataFrame:
    """Return the names of the classes of a task, in each of its text types.

    Parameters
    ----------
    images : DataFrame
        An `IMAGES` table.
    task : Task

    Returns
    -------
    DataFrame
        One row a class, in alphabetical order. Columns ``class``, and a name for each of the task's text types. A
        class that is no species keeps its label.

    Examples
    --------
    >>> images = pd.DataFrame({"label": ["mix_elongated"], "species": [None]}, dtype="str")
    >>> class_names(images, TASKS["plankton"])["asis"].tolist()
    ['mix_elongated']
    """
    own = classes(images)
    names = pd.DataFrame({"class": np.sort(own.dropna().unique())}, dtype="str")
    place = taxonomy(images)
    taxa = pd.Series([place.tree.path(node) if node >= 0 else None for node in place.at("species")], dtype="str")
    taxon = pd.DataFrame({"class": own.to_numpy(), "taxon": taxa}).dropna().drop_duplicates("class").set_index("class")
    known = prompts.taxon_names(images)
    for kind in task.texts:
        by_taxon = known[known["type"] == kind].set_index("taxon")["name"]
        names[kind] = names["class"].map(taxon["taxon"]).map(by_taxon).astype("str").fillna(names["class"])
    return names


def classes(images: pd.DataFrame) -> pd.Series:
    """Return the class of each picture: its label where pictures have labels, else its species; missing without one.

    Examples
    --------
    >>> images = pd.DataFrame({"label": [None], "species": ["Pica pica"]}, dtype="str")
    >>> classes(images).tolist()
    ['Pica pica']
    """
    return images["label"] if images["label"].notna().any() else images["species"]


def load_tasks(folder: Path) -> tuple[dict[str, Dataset], dict[str, str]]:
    """Return the datasets of the tasks in a folder, and why each other task is left out.

    Parameters
    ----------
    folder : Path
        With a folder for each task.

    Raises
    ------
    DataError
        If there is no such folder, or none of the tasks is in it.

    Examples
    --------
    >>> load_tasks(Path("no/such/folder"))
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: no/such/folder: no such folder; expected one with a folder for each task: ...
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; expected one with a folder for each task: {', '.join(TASKS)}")
    loaded, left_out = {}, {}
    for name, task in TASKS.items():
        if not (folder / name).is_dir():
            left_out[name] = ABSENT
            continue
        try:
            loaded[name] = replace(task.load(folder / name), name=task.dataset)
        except DataError as error:
            log.warning("%s left out: %s", name, error)
            left_out[name] = str(error)
    absent = [name for name, reason in left_out.items() if reason == ABSENT]
    if len(absent) == len(TASKS):
        found = some(sorted(child.name for child in folder.iterdir()))
        raise DataError(f"{folder} holds none of the tasks: {', '.join(TASKS)}; found: {found or 'nothing'}")
    if absent:
        log.info("absent: %s", ", ".join(absent))
    return loaded, left_out
