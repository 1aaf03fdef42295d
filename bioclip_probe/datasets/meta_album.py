"""Meta-Album: sets of small pictures, one folder a set; its sets of organisms are BioCLIP's few-shot tasks.

``meta-album:PATH``, where PATH is the folder of a set, such as ``.../BRD_Mini``, with ``labels.csv`` (FILE_NAME,
CATEGORY, SUPER_CATEGORY, or the names in ``info.json``) and the pictures in ``images/``, or beside it.

A category is a species in some sets and another label in others: a crop and its disease, a kind of plankton. It becomes
the `label` of the picture as it is written. `CATEGORY_FORMS` tells how each set writes its categories. A category that
is no binomial gives no taxon: its pictures serve classification by label, and do not enter any statistic on a tree.
The same holds for a set that is not in `CATEGORY_FORMS`: to read its categories as species write a ``table:``. The
super-category is a genus, a crop or nothing, and is not read.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd

from bioclip_probe.datasets.dataset import Dataset, dataset_from_files
from bioclip_probe.datasets.readers.json_files import read_json
from bioclip_probe.datasets.readers.picture_paths import check_picture_paths, collapse_whitespace
from bioclip_probe.datasets.readers.pictures import check_folder
from bioclip_probe.datasets.readers.table_formats import CSV
from bioclip_probe.datasets.readers.text_tables import read_columns
from bioclip_probe.errors import DataError, printable, some
from bioclip_probe.tree.naming import read_name

#: Forms of a category: a binomial, maybe with its author; one whose epithet may begin with a capital, and with a local
#: name behind it, Alpinia Galanga (Rasna); an English name; anything else.
BINOMIAL, CAPITALS, ENGLISH, NO_TAXON = "binomial", "capitals", "english", "no taxon"

#: The form in which each set of organisms writes its categories. Sets of breeds, cars, textures … are not listed.
CATEGORY_FORMS = {
    "PLT_NET": BINOMIAL,
    "FNG": BINOMIAL,
    "MED_LF": CAPITALS,
    "BRD": ENGLISH,
    "AWA": ENGLISH,
    "FLW": ENGLISH,
    "INS": NO_TAXON,  # families, genera, French names of groups that observers of pollinators distinguish
    "INS_2": NO_TAXON,  # pests, by English names or binomials
    "PLK": NO_TAXON,  # kinds of plankton: genera, stages, mixtures, detritus
    "PLT_VIL": NO_TAXON,  # crop and disease
    "PLT_DOC": NO_TAXON,
}
COLUMNS = {"image": "FILE_NAME", "category": "CATEGORY"}
_MAX_INFO_BYTES = 1 << 20


def load(path: Path, name: str | None = None) -> Dataset:
    r"""Return one set of Meta-Album; the module's docstring describes what its categories become.

    Parameters
    ----------
    path : Path
        The folder of the set.
    name : str, optional
        The set, a key of `CATEGORY_FORMS`, if the name of the folder does not tell it.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If the layout is not that of Meta-Album, ``info.json`` names another set, or a picture is outside the folder or
        named twice.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from PIL import Image
    >>> with TemporaryDirectory() as folder:
    ...     Image.new("RGB", (8, 6)).save(Path(folder, "1.png"))
    ...     _ = Path(folder, "labels.csv").write_text("FILE_NAME,CATEGORY\n1.png,Daucus carota L.\n")
    ...     load(Path(folder), name="PLT_NET").images[["label", "species"]].iloc[0].tolist()
    ['Daucus carota L.', 'Daucus carota']
    """
    path = check_folder(Path(path))
    table = path / "labels.csv"
    if not table.is_file():
        sets = sorted(child.parent.name for child in path.glob("*/labels.csv"))
        hint = f"name one of its sets: {some(sets)}" if sets else "expected labels.csv and images/"
        raise DataError(f"{path} is not a set of Meta-Album; {hint}")
    info = _read_info(path / "info.json")
    columns = {meaning: info.get(f"{meaning}_column_name") or column for meaning, column in COLUMNS.items()}
    content = read_columns(table, CSV, list(columns.values()))
    rows = pd.DataFrame({meaning: content[column] for meaning, column in columns.items()}, dtype="str")
    nameless = rows["image"].isna()
    notes = []
    if nameless.any():
        notes.append(f"{nameless.sum()} rows left out, no picture: rows {some(rows.index[nameless] + 1)}")
    rows = rows[~nameless]
    sources = check_picture_paths(rows["image"], table)
    folder = path / "images" if (path / "images").is_dir() else path
    name = _check_set_name(name, path, info) if name else _find_set_name(path, info)
    labels = collapse_whitespace(rows["category"])
    taxa = _parse_categories(labels, CATEGORY_FORMS.get(name, NO_TAXON))
    notes += _notes_on_taxa(name, labels, taxa)
    rows = taxa.assign(label=labels, image_id=sources, source=sources)
    return dataset_from_files(f"meta-album-{path.resolve().name}", folder, rows, notes)


def _parse_categories(labels: pd.Series, form: str) -> pd.DataFrame:
    """Return genus, species and common name of each label."""
    names = {label: _parse_category(label, form) for label in labels.dropna().unique()}
    columns = [labels.map({label: parts[place] for label, parts in names.items()}) for place in range(3)]
    return pd.DataFrame(dict(zip(("genus", "species", "common"), columns, strict=True)), dtype="str")


def _parse_category(label: str, form: str) -> tuple[str | None, str | None, str | None]:
    """Return genus, species and common name of a label."""
    if form == ENGLISH:
        return None, None, label
    if form == NO_TAXON:
        return None, None, None
    local = re.fullmatch(r"(.+?) \(([^()]+)\).*", label) if form == CAPITALS else None
    name = read_name(local[1] if local else label, capital_epithets=form == CAPITALS)
    if name.species is None and name.reason != "open nomenclature":
        return None, None, None
    return name.genus, name.species, local[2] if local else None


def _notes_on_taxa(name: str, labels: pd.Series, taxa: pd.DataFrame) -> list[str]:
    notes = []
    if name not in CATEGORY_FORMS:
        notes.append(f"'{printable(name)}' is not a known set of organisms: no category was read as a taxon")
    no_species = taxa["species"].isna() & labels.notna()
    if no_species.any():
        notes.append(
            f"{no_species.sum()} images have a label that is not a binomial, and no species: "
            f"{some(labels[no_species].unique())}"
        )
    if labels.isna().any():
        notes.append(f"{labels.isna().sum()} images have no label")
    return notes


def _read_info(path: Path) -> dict[str, Any]:
    """Return the content of `info.json`; empty if the file does not exist."""
    if not path.is_file():
        return {}
    info = read_json(path, _MAX_INFO_BYTES)
    names = ("dataset_name", "image_column_name", "category_column_name")
    if not isinstance(info, dict) or not all(isinstance(info.get(name) or "", str) for name in names):
        raise DataError(f"{path} does not describe a set: expected names of the set and of its columns")
    return info


def _find_set_name(path: Path, info: dict[str, Any]) -> str:
    """Return the short name of the set, from its description or else its folder."""
    names = [_short_name(name) for name in (info.get("dataset_name") or "", path.resolve().name)]
    return next((name for name in names if name in CATEGORY_FORMS), names[-1])


def _check_set_name(name: str, path: Path, info: dict[str, Any]) -> str:
    """Return `name` unless the description names another set."""
    described = _short_name(info.get("dataset_name") or "")
    if described in CATEGORY_FORMS and described != name:
        raise DataError(f"{path} holds the set {described} of Meta-Album, as its info.json says; expected {name}")
    return name


def _short_name(name: str) -> str:
    """Return BRD for LR_AM.BRD and for Meta_Album_BRD_Mini."""
    return re.sub(r"^(META[_-]ALBUM[_-])|[_-](MINI|MICRO|EXTENDED)$", "", name.upper()).rpartition(".")[2]
