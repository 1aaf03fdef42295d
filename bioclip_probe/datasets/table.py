"""A table of pictures with their taxonomy: a row a picture.

``table:FILE``, where FILE is ``.csv``, ``.tsv`` or ``.txt`` (tabs), or ``.parquet``, or ``table:FOLDER``, a folder of
Parquet files of one table as the Hugging Face hub keeps it, with

* one column of picture paths: relative ones are taken below the table's folder and may not lead out of it, absolute
  ones are taken as they are. In Parquet it may hold the pictures themselves, as bytes: then they are read there;
* at least one column of a rank, or of the binomial. `COLUMNS` lists the names understood; capitals, ``_``, spaces and
  a leading ``dwc:`` do not matter. A species may be the binomial or the epithet beside a genus;
* if it has them, an id (otherwise the path is the `image_id`, or the file and row), a group (observation,
  photographer), a split and the common name.

A row whose picture is missing stays, and fails at extraction; a row without a path is left out and noted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

import pandas as pd

from bioclip_probe.datasets import parquet
from bioclip_probe.datasets.dataset import Dataset, dataset_of_rows
from bioclip_probe.datasets.pictures import dataset_of_files, stamps, stays_inside
from bioclip_probe.errors import DataError, printable, some
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
    """The pictures that a table names or holds; see the module for its columns.

    Raises
    ------
    DataError
        If the table cannot be read, lacks a path or rank column, or names a picture outside its folder or twice.
    """
    path = Path(path)
    if path.is_dir():
        files = parquet.files_below(path)
        if not files:
            raise DataError(f"{path}: expected a table .csv, .tsv, .txt or .parquet, or a folder of Parquet files")
        return dataset_of_parquet(path.resolve().name, path, files)
    name = path.resolve().parent.name if path.stem.lower() in PLAIN_NAMES else path.stem
    if path.suffix.lower() == ".parquet":
        return dataset_of_parquet(name, path.parent, [path.name])
    table = _read(path)
    found = columns_of(table.columns, path)
    values = pd.DataFrame({meaning: _text(table[column]) for meaning, column in found.items()}, dtype="str")
    return dataset_of_paths(name, path.parent, path, values, read_as(found))


def dataset_of_parquet(name: str, root: Path, files: Sequence[str]) -> Dataset:
    """The pictures that Parquet files below `root` hold or name; the files are parts of one table.

    Raises
    ------
    DataError
        If a file cannot be read, has other columns than the first, or what `load` refuses.
    """
    where = root / files[0]
    schema = parquet.schema_of(where)
    held = [column for column, kind in zip(schema.names, schema.types, strict=True) if parquet.is_picture(kind)]
    pictures = columns_of(held, None).get("source")
    names = [column for column in schema.names if column not in held]
    found = columns_of([*names, pictures] if pictures else names, where)
    if pictures:
        found["source"] = pictures
    texts = {meaning: column for meaning, column in found.items() if column != pictures}
    parts = []
    for file in files:
        absent = sorted(set(found.values()) - set(parquet.schema_of(root / file).names))
        if absent:
            raise DataError(f"{root / file} lacks columns that {files[0]} has: {some(absent)}")
        part = parquet.read_texts(root / file, texts.values()).set_axis(list(texts), axis=1)
        parts.append(part.assign(source=[f"{file}:{row}" for row in range(len(part))]) if pictures else part)
    values = pd.concat(parts, ignore_index=True)
    if not pictures:
        return dataset_of_paths(name, root, where, values, read_as(found))
    notes = [*read_as(found), f"pictures are read from column '{printable(pictures)}' of {len(files)} Parquet files"]
    facts = [pictures, *stamps(root, files)]
    return dataset_of_rows(name, named(values, where), parquet.Rows(root, pictures), facts, notes)


def dataset_of_paths(name: str, root: Path, table: Path, values: pd.DataFrame, notes: Iterable[str]) -> Dataset:
    """The picture files below `root` that a table names.

    Parameters
    ----------
    name : str
        Of the dataset.
    root : Path
        The folder that relative paths are below.
    table : Path
        What messages call the table.
    values : DataFrame, dtype str
        A column for each meaning in `COLUMNS` that the table has.
    notes : iterable of str
        What there is to say already.
    """
    notes = list(notes)
    rows = values.assign(source=_sources(values["source"], table))
    nameless = rows["source"].isna()
    if nameless.any():
        notes.append(f"{nameless.sum()} rows left out, no picture path: rows {some(rows.index[nameless] + 1)}")
    return dataset_of_files(name, root, named(rows[~nameless], table), notes)


def columns_of(columns: Iterable[str], table: Path | None) -> dict[str, str]:
    """Meaning: the column that has it.

    Raises
    ------
    DataError
        If none has a picture's path, or none a rank, and `table` says what lacks them.
    """
    plain: dict[str, str] = {}
    for column in columns:
        plain.setdefault(re.sub(r"^dwc:|[^a-z0-9]", "", str(column).lower()), column)
    choices = {meaning: [plain[name] for name in names if name in plain] for meaning, names in COLUMNS.items()}
    found = {meaning: choice[0] for meaning, choice in choices.items() if choice}
    if table is None:
        return found
    has = f"it has: {some(columns, 20)}"
    if "source" not in found:
        raise DataError(
            f"{table} has no column of picture paths: expected one of {', '.join(COLUMNS['source'])}; {has}"
        )
    if not found.keys() & {*RANKS, "binomial"}:
        raise DataError(f"{table} has no rank columns: expected some of {', '.join(RANKS)}, scientificName; {has}")
    return found


def read_as(found: dict[str, str]) -> list[str]:
    """The notes on columns that are not called what they mean."""
    return [f"'{printable(column)}' was read as {meaning}" for meaning, column in found.items() if column != meaning]


def named(values: pd.DataFrame, table: object) -> pd.DataFrame:
    """The rows of `values`, a column a meaning in `COLUMNS`, with `species`, and an `image_id` if they have none.

    Raises
    ------
    DataError
        If there is no row. Its line begins with `table`.
    """
    if values.empty:
        raise DataError(f"{table} has no usable image: it has no row below its header")
    rows = _with_species(values)
    return rows if "image_id" in rows else rows.assign(image_id=rows["source"])


def _read(path: Path) -> pd.DataFrame:
    kind = path.suffix.lower()
    if kind not in SEPARATORS:
        raise DataError(f"{path}: expected a table .csv, .tsv, .txt or .parquet")
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    try:
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


def _text(column: pd.Series) -> pd.Series:
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
