"""A table of pictures with their taxonomy: a row a picture.

``table:FILE``, where FILE is ``.csv``, ``.tsv`` or ``.txt`` (tabs), or ``.parquet``, with

* one column of picture paths: relative ones are taken below the table's folder and may not lead out of it, absolute
  ones are taken as they are;
* at least one column of a rank, or of the binomial. `COLUMNS` lists the names understood; capitals, ``_``, spaces and
  a leading ``dwc:`` do not matter. A species may be the binomial or the epithet beside a genus;
* if it has them, an id (otherwise the path is the `image_id`), a group (observation, photographer) and a split.

A row whose picture is missing stays, and fails at extraction; a row without a path is left out and noted.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

import pandas as pd

from bioclip_probe.datasets.dataset import Dataset
from bioclip_probe.datasets.pictures import dataset_of_files, stays_inside
from bioclip_probe.errors import DataError, some
from bioclip_probe.tables import RANKS

#: What each column may be called, without capitals, spaces and signs; the first one found is read.
COLUMNS: dict[str, tuple[str, ...]] = {
    "source": (
        "filepath", "path", "imagepath", "relativepath", "filename", "imagefile", "imagefilename", "file", "image",
        "img", "imgpath", "photo",
    ),
    "kingdom": ("kingdom",),
    "phylum": ("phylum", "division"),
    "class": ("class", "cls", "classname"),
    "order": ("order", "ordername"),
    "family": ("family", "familyname"),
    "genus": ("genus", "genusname"),
    "species": ("species", "speciesname"),
    "epithet": ("specificepithet", "epithet", "speciesepithet"),
    "binomial": ("sciname", "scientificname", "sp", "binomial", "canonicalname", "latinname"),
    "image_id": ("imageid", "uuid", "treeoflifeid", "rarespeciesid"),
    "common": ("common", "commonname", "vernacularname"),
    "group": ("group", "observationid", "observationuuid", "rightsholder", "photographer", "recordedby"),
    "split": ("split",),
}  # fmt: skip
SEPARATORS = {".csv": ",", ".tsv": "\t", ".txt": "\t"}
# Tables with these names say nothing about what is in them: their folder does.
PLAIN_NAMES = frozenset({"labels", "metadata", "images", "catalog", "annotations", "index", "data", "table", "train"})


def load(path: Path) -> Dataset:
    """The pictures that a table names; see the module for its columns.

    Raises
    ------
    DataError
        If the table cannot be read, lacks a path or rank column, or names a picture outside its folder or twice.
    """
    path = Path(path)
    table = _read(path)
    if table.empty:
        raise DataError(f"{path} has no usable image: it has no row below its header")
    found = _columns(table)
    if "source" not in found:
        raise DataError(
            f"{path} has no column of picture paths: expected one of {', '.join(COLUMNS['source'])}; "
            f"it has: {some(table.columns, 20)}"
        )
    if not found.keys() & {*RANKS, "binomial"}:
        raise DataError(
            f"{path} has no rank columns: expected some of {', '.join(RANKS)}, scientificName; "
            f"it has: {some(table.columns, 20)}"
        )
    rows = pd.DataFrame({meaning: _text(table[column], path) for meaning, column in found.items()}, dtype="str")
    notes = [f"'{column}' was read as {meaning}" for meaning, column in found.items() if column != meaning]
    rows["source"] = _sources(rows["source"], path)
    nameless = rows["source"].isna()
    if nameless.any():
        notes.append(f"{nameless.sum()} rows left out, no picture path: rows {some(rows.index[nameless] + 1)}")
    rows = _with_species(rows[~nameless])
    if "image_id" not in rows:
        rows["image_id"] = rows["source"]
    name = path.resolve().parent.name if path.stem.lower() in PLAIN_NAMES else path.stem
    return dataset_of_files(name, path.parent, rows, notes)


def _read(path: Path) -> pd.DataFrame:
    kind = path.suffix.lower()
    if kind != ".parquet" and kind not in SEPARATORS:
        raise DataError(f"{path}: expected a table .csv, .tsv, .txt or .parquet")
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    try:
        if kind == ".parquet":
            table = pd.read_parquet(path)
            return table.reset_index(drop=not any(table.index.names))  # a named index is a column, another is none
        # Everything is text: no genus becomes a number, and none called NA or None is lost before it is looked at.
        text = {"dtype": "str", "keep_default_na": False, "na_values": [""], "encoding": "utf-8-sig"}
        table = pd.read_csv(path, sep=SEPARATORS[kind], **text)
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not a table that can be read: it is not UTF-8; save it so ({error})") from error
    except (ValueError, OSError) as error:
        raise DataError(f"{path} is not a table that can be read: {' '.join(str(error).split())}") from error
    if len(table.columns) == 1 and re.search(r"[;\t]", str(table.columns[0])):  # spreadsheets of some countries
        raise DataError(f"{path} has fields parted by ';' or tabs; save it with ',', or with tabs as .tsv")
    if not isinstance(table.index, pd.RangeIndex):  # pandas takes what the header does not name for an index
        raise DataError(f"{path} has rows with more fields than its header; quote fields that hold a separator")
    return table


def _columns(table: pd.DataFrame) -> dict[str, str]:
    """Meaning: the column of the table that has it."""
    plain: dict[str, str] = {}
    for column in table.columns:
        plain.setdefault(re.sub(r"^dwc:|[^a-z0-9]", "", str(column).lower()), column)
    choices = {meaning: [plain[name] for name in names if name in plain] for meaning, names in COLUMNS.items()}
    return {meaning: columns[0] for meaning, columns in choices.items() if columns}


def _text(column: pd.Series, path: Path) -> pd.Series:
    if any(isinstance(value, (dict, bytes, list)) for value in column):
        raise DataError(f"{path}: column '{column.name}' holds more than text (pictures inside the table?); "
                        "write the pictures to files and give their paths")  # fmt: skip
    return column.astype("str").str.strip().replace("", None)


def _sources(sources: pd.Series, path: Path) -> pd.Series:
    sources = sources.str.replace("\\", "/")  # tables made on Windows
    known = sources.dropna()
    web = known[known.str.match(r"[a-z]+://", na=False)]
    if len(web):
        raise DataError(f"{path} gives web addresses, not files; download the pictures first: {some(web)}")
    outside = known[~known.map(stays_inside)]
    if len(outside):
        raise DataError(
            f"{path} names pictures outside its folder: {some(outside)}; move the table up, or give absolute paths"
        )
    return known.map(lambda source: PurePosixPath(source).as_posix()).reindex(sources.index)


def _with_species(rows: pd.DataFrame) -> pd.DataFrame:
    """The column `species` from what there is: itself, else genus and epithet, else the binomial."""
    rows = rows.copy()
    species = rows["species"] if "species" in rows else pd.Series(None, index=rows.index, dtype="str")
    if "epithet" in rows:
        species = species.fillna(rows["epithet"])
    if "genus" not in rows:
        species = species.where(species.str.contains(r"[ _]", na=False))  # an epithet alone names no species
    if "binomial" in rows:
        # GBIF's scientificName carries the author: Pica hudsonia (Sabine, 1823). A name of one word is no species.
        species = species.fillna(rows["binomial"].str.extract(r"^(\S+[ _][^\W\d_A-Z]\S*)", expand=False))
    return rows.drop(columns=["epithet", "binomial"], errors="ignore").assign(species=species)
