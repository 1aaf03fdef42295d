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
from functools import partial
from pathlib import Path, PurePosixPath

import pandas as pd

from bioclip_probe.datasets.dataset import Dataset, dataset_of_rows
from bioclip_probe.datasets.readers import parquet
from bioclip_probe.datasets.readers.pictures import dataset_of_files, stamps, stays_inside
from bioclip_probe.datasets.readers.text_tables import CSV, TSV, column_names, read_columns
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
    "class": ("cls", "class", "classname"),  # beside a `cls` a `class` is what a classifier is to name
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
FORMS = {".csv": CSV, ".tsv": TSV, ".txt": TSV}
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
    table = read(path)
    found = columns_of(table.columns)
    values = meanings(table, found)
    return dataset_of_paths(name, path.parent, path, values, read_as(found))


def dataset_of_parquet(name: str, root: Path, files: Sequence[str]) -> Dataset:
    """The pictures that Parquet files below `root` hold or name; the files are parts of one table.

    Raises
    ------
    DataError
        If a file cannot be read, has other columns than the first, or what `load` refuses.
    """
    first = root / files[0]
    found, inside = columns_of_parquet(first)
    check_columns(found, first, parquet.schema_of(first).names)
    if not inside:
        return dataset_of_paths(name, root, first, read_parquet(root, files, found), read_as(found))
    pictures = found.pop("source")
    values = read_parquet(root, files, found, rows_as="source")
    notes = [*read_as(found), f"pictures are read from column '{printable(pictures)}' of {len(files)} Parquet files"]
    facts = [pictures, *stamps(root, files)]
    return dataset_of_rows(name, named(values, first), parquet.Rows(root, pictures), facts, notes)


def columns_of_parquet(path: Path) -> tuple[dict[str, str], bool]:
    """As `columns_of`; and whether `source` holds the pictures themselves, which goes before their paths."""
    schema = parquet.schema_of(path)
    held = [column for column, kind in zip(schema.names, schema.types, strict=True) if parquet.is_picture(kind)]
    found = columns_of(column for column in schema.names if column not in held)
    pictures = columns_of(held).get("source")
    return (found | {"source": pictures}, True) if pictures else (found, False)


def read_parquet(root: Path, files: Sequence[str], found: dict[str, str], rows_as: str | None = None) -> pd.DataFrame:
    """The columns that `found` names of all files, called what they mean; and, as `rows_as`, file and row.

    Raises
    ------
    DataError
        If a file cannot be read, or lacks one of the columns.
    """
    parts = []
    for file in files:
        absent = sorted(set(found.values()) - set(parquet.schema_of(root / file).names))
        if absent:
            raise DataError(f"{root / file} lacks columns that {files[0]} has: {some(absent)}")
        part = parquet.read_texts(root / file, found.values()).set_axis(list(found), axis=1)
        parts.append(part.assign(**{rows_as: [f"{file}:{row}" for row in range(len(part))]}) if rows_as else part)
    return pd.concat(parts, ignore_index=True)


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


def columns_of(columns: Iterable[str]) -> dict[str, str]:
    """Meaning: the column that has it, for each meaning in `COLUMNS` that one has."""
    plain: dict[str, str] = {}
    for column in columns:
        plain.setdefault(re.sub(r"^dwc:|[^a-z0-9]", "", str(column).lower()), column)
    choices = {meaning: [plain[name] for name in names if name in plain] for meaning, names in COLUMNS.items()}
    return {meaning: choice[0] for meaning, choice in choices.items() if choice}


def check_columns(found: dict[str, str], table: object, columns: Sequence[str], needed: str = "source") -> None:
    """Refuse a table without the column `needed`, or without a rank.

    Raises
    ------
    DataError
        Its line begins with `table`, and names the `columns` it has.
    """
    has = f"it has: {some(columns, 20)}"
    if needed not in found:
        what = {"source": "picture paths", "image_id": "ids"}[needed]
        raise DataError(f"{table} has no column of {what}: expected one of {', '.join(COLUMNS[needed])}; {has}")
    if not found.keys() & {*RANKS, "binomial"}:
        raise DataError(f"{table} has no rank columns: expected some of {', '.join(RANKS)}, scientificName; {has}")


def meanings(table: pd.DataFrame, found: dict[str, str]) -> pd.DataFrame:
    """The columns that `found` names, called what they mean; without blanks around values, missing where empty."""
    values = {meaning: table[column].astype("str").str.strip().replace("", None) for meaning, column in found.items()}
    return pd.DataFrame(values, dtype="str")


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


def read(path: Path) -> pd.DataFrame:
    """The columns of `COLUMNS` of a table ``.csv``, ``.tsv`` or ``.txt``, every value as text.

    Raises
    ------
    DataError
        If it cannot be read, its rows do not fit its header, or a column that is read is there twice.
    """
    names = header(path)
    found = columns_of(names)
    check_columns(found, path, names)
    return read_columns(path, FORMS[path.suffix.lower()], list(found.values()))


def header(path: Path) -> list[str]:
    """The columns of a table ``.csv``, ``.tsv`` or ``.txt``, without blanks around their names.

    Raises
    ------
    DataError
        If it cannot be read.
    """
    form = FORMS.get(path.suffix.lower())
    if form is None:
        raise DataError(f"{path}: expected a table .csv, .tsv, .txt or .parquet")
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    names = [name.strip() for name in column_names(partial(path.open, "rb"), path, form)]
    if len(names) == 1 and re.search(r"[;\t]", names[0]):  # spreadsheets of some countries
        raise DataError(f"{path} has fields parted by ';' or tabs; save it with ',', or with tabs as .tsv")
    return names


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
        # GBIF's scientificName carries the author: Pica hudsonia (Sabine, 1823). A name of one word is no species, nor
        # is one whose second word ends with a dot (Pica cf. hudsonia), or says that it is of no place (incertae sedis).
        binomial = rows["binomial"].str.extract(r"^(\S+[ _](?!incertae\b)[^\W\d_A-Z][^\s.]*)(?!\S)", expand=False)
        species = species.fillna(binomial)
    return rows.drop(columns=["epithet", "binomial"], errors="ignore").assign(species=species)
