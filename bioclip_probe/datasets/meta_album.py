"""Meta-Album: sets of small pictures of many origins, a folder a set; those of organisms are BioCLIP's few-shot tasks.

``meta-album:PATH``, where PATH is the folder of a set, such as ``.../BRD_Mini``, with ``labels.csv`` (FILE_NAME,
CATEGORY, SUPER_CATEGORY, or what ``info.json`` calls them) and the pictures in ``images/``, or beside it.

A category is a species in some sets and a label in others: the crop and its disease, a kind of plankton. It is kept as
it is written, as the `label` of the picture. `LABELS` says how each set writes its categories: where one is no
binomial it gives no taxon, and such pictures serve classification by their label, but count nowhere in a tree. The
same holds for a set that is not in `LABELS`: to read its categories as species give a ``table:``. The super-category is
a genus, a crop or nothing, and is not read.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd

from bioclip_probe.datasets.dataset import Dataset
from bioclip_probe.datasets.readers.pictures import checked_folder, dataset_of_files
from bioclip_probe.datasets.readers.text_tables import CSV, checked_sources, collapse_whitespace, read_columns
from bioclip_probe.errors import DataError, printable, some

#: Genus, epithet, then what does not matter, as the author: Daucus carota L.
BINOMIAL = r"(?P<genus>[A-Z][a-zë-]+)[ _](?P<epithet>[a-zë-]{2,})(?![\w.]).*"
#: Both words may begin with a capital, a name in the country's languages follows: Alpinia Galanga (Rasna).
CAPITALS = r"(?P<genus>[A-Z][a-zë-]+)[ _](?P<epithet>[A-Za-zë-]{2,})(?![\w.])(?: \((?P<common>[^()]+)\))?.*"
ENGLISH = r"(?P<common>.+)"
NO_TAXON = r".+"

#: How a set writes its categories. Sets of breeds, cars, textures … are not here, nor read otherwise.
LABELS = {
    "PLT_NET": BINOMIAL,
    "FNG": BINOMIAL,
    "MED_LF": CAPITALS,
    "BRD": ENGLISH,
    "AWA": ENGLISH,
    "FLW": ENGLISH,
    "INS": NO_TAXON,  # families, genera, French names of groups that watchers of pollinators tell apart
    "INS_2": NO_TAXON,  # pests, by English names or binomials
    "PLK": NO_TAXON,  # kinds of plankton: genera, stages, mixtures, detritus
    "PLT_VIL": NO_TAXON,  # crop and disease
    "PLT_DOC": NO_TAXON,
}
COLUMNS = {"image": "FILE_NAME", "category": "CATEGORY"}
_MOST_INFO_BYTES = 1 << 20


def load(path: Path, name: str | None = None) -> Dataset:
    """One set of Meta-Album; see the module for what its labels become.

    Parameters
    ----------
    path : Path
    name : str, optional
        Which set it is, a key of `LABELS`, where the folder has a name of its own.

    Raises
    ------
    DataError
        If it is not laid out as Meta-Album is, describes itself as another set, or names a picture outside its folder
        or twice.
    """
    path = checked_folder(Path(path))
    table = path / "labels.csv"
    if not table.is_file():
        below = sorted(child.parent.name for child in path.glob("*/labels.csv"))
        hint = f"name one of its sets: {some(below)}" if below else "expected labels.csv and images/"
        raise DataError(f"{path} is no set of Meta-Album; {hint}")
    info = _info(path / "info.json")
    columns = {meaning: info.get(f"{meaning}_column_name") or name for meaning, name in COLUMNS.items()}
    read = read_columns(table, CSV, list(columns.values()))
    rows = pd.DataFrame({meaning: read[column] for meaning, column in columns.items()}, dtype="str")
    nameless = rows["image"].isna()
    notes = (
        [f"{nameless.sum()} rows left out, no picture: rows {some(rows.index[nameless] + 1)}"] if any(nameless) else []
    )
    rows = rows[~nameless]
    sources = checked_sources(rows["image"], table)
    folder = path / "images" if (path / "images").is_dir() else path
    name = _checked_name(name, path, info) if name else _set_name(path, info)
    labels = collapse_whitespace(rows["category"])
    taxa = _taxa(labels, LABELS.get(name, NO_TAXON))
    notes += _read_as(name, labels, taxa)
    rows = taxa.assign(label=labels, image_id=sources, source=sources)
    return dataset_of_files(f"meta-album-{path.resolve().name}", folder, rows, notes)


def _taxa(labels: pd.Series, pattern: str) -> pd.DataFrame:
    """genus, species and common of each label."""
    found = {label: re.fullmatch(pattern, label) for label in labels.dropna().unique()}
    names = {label: match.groupdict() if match else {} for label, match in found.items()}
    genus = labels.map(lambda label: names[label].get("genus"), na_action="ignore")
    epithet = labels.map(lambda label: (names[label].get("epithet") or "").lower(), na_action="ignore")
    common = labels.map(lambda label: names[label].get("common"), na_action="ignore")
    taxa = pd.DataFrame({"genus": genus, "species": epithet, "common": common}, dtype="str")
    return taxa.assign(species=taxa["species"].where(taxa["genus"].notna()))


def _read_as(name: str, labels: pd.Series, taxa: pd.DataFrame) -> list[str]:
    notes = []
    if name not in LABELS:
        notes.append(f"'{printable(name)}' is no known set of organisms: no category was read as a taxon")
    no_taxon = taxa["genus"].isna() & labels.notna()
    if no_taxon.any():
        notes.append(
            f"{no_taxon.sum()} images have a label that is no binomial, and no taxon: {some(labels[no_taxon].unique())}"
        )
    if labels.isna().any():
        notes.append(f"{labels.isna().sum()} images have no label")
    return notes


def _info(path: Path) -> dict:
    """What `info.json` says; nothing if it is not there."""
    if not path.is_file():
        return {}
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_INFO_BYTES + 1)
        if len(content) > _MOST_INFO_BYTES:
            raise ValueError(f"more than {_MOST_INFO_BYTES:,} bytes")
        info = json.loads(content)
        if not isinstance(info, dict) or not all(
            isinstance(info.get(name) or "", str)
            for name in ("dataset_name", "image_column_name", "category_column_name")
        ):
            raise ValueError("expected names of the set and of its columns")
    except (ValueError, OSError, RecursionError) as error:
        raise DataError(f"{path} cannot be read as the description of a set: {printable(error)}") from error
    return info


def _set_name(path: Path, info: dict) -> str:
    """The id of the set, from its description or else its folder."""
    names = [_id(name) for name in (info.get("dataset_name") or "", path.resolve().name)]
    return next((name for name in names if name in LABELS), names[-1])


def _checked_name(name: str, path: Path, info: dict) -> str:
    """`name`, if the set describes itself as no other."""
    described = _id(info.get("dataset_name") or "")
    if described in LABELS and described != name:
        raise DataError(f"{path} holds the set {described} of Meta-Album, as its info.json says; expected {name}")
    return name


def _id(name: str) -> str:
    """LR_AM.BRD and Meta_Album_BRD_Mini are BRD."""
    return re.sub(r"^(META[_-]ALBUM[_-])|[_-](MINI|MICRO|EXTENDED)$", "", name.upper()).rpartition(".")[2]
