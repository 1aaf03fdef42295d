"""A table of pictures with their taxonomy, one row a picture.

``table:FILE``, where FILE is ``.csv``, ``.tsv``, ``.txt`` (also compressed: ``.csv.gz``) or ``.parquet``, or
``table:FOLDER``, a folder of Parquet files of one table as the Hugging Face hub keeps it, with

* one column of picture paths. A relative path starts at the table's folder and may not lead out of it; an absolute path
  or a ``file:`` address is used as it is. In Parquet the column may hold the pictures themselves, as bytes: then they
  are read from there;
* at least one column of a rank, or of the binomial. `COLUMN_NAMES` lists the accepted names; capitals, ``_``, spaces
  and a leading ``dwc:`` do not matter. A species may be the binomial, or the epithet if there is a genus;
* optionally an id, a group (observation, photographer), a split and the common name. Without an id, the `image_id` is
  the path, or the file and the row;
* optionally, beside paths, a column ``mask`` of pictures of the same size, bright where the organism is, for the
  encoders ``silhouette:MODEL`` and ``background:MODEL``.

A row whose picture is missing stays, and fails at extraction; a row without a path is left out and noted. A picture
that several rows name as different taxa shows several, or nobody knows which: it is left out, and noted.

The separator of a text table is found by the names of its columns: ``,``, tab, ``;`` or ``|``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from bioclip_probe.datasets.dataset import Dataset, dataset_from_files, dataset_from_rows
from bioclip_probe.datasets.identity import Identity
from bioclip_probe.datasets.readers import parquet
from bioclip_probe.datasets.readers.columns import (
    check_columns,
    complete_rows,
    match_columns,
    notes_on_columns,
    rename_columns,
)
from bioclip_probe.datasets.readers.content import FileContent
from bioclip_probe.datasets.readers.masks import MaskContent, MaskedPictures
from bioclip_probe.datasets.readers.parquet_pictures import ParquetPictures
from bioclip_probe.datasets.readers.parquet_vectors import vector_columns
from bioclip_probe.datasets.readers.picture_paths import check_picture_paths
from bioclip_probe.datasets.readers.pictures import PictureOpener
from bioclip_probe.datasets.readers.table_files import TEXT_FORMATS, read_header
from bioclip_probe.datasets.readers.text_files import text_suffix
from bioclip_probe.datasets.readers.text_tables import read_columns
from bioclip_probe.errors import DataError, printable, some

# A table with one of these names takes the name of its folder, because its own name does not tell tables apart.
PLAIN_NAMES = frozenset({"labels", "metadata", "images", "catalog", "annotations", "index", "data", "table", "train"})


def load(path: Path) -> Dataset:
    r"""Return the pictures that a table names or holds; the module's docstring describes its columns.

    Parameters
    ----------
    path : Path
        The table, or a folder of Parquet files.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If the table cannot be read, lacks a path or rank column, or names a picture outside its folder or twice.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from PIL import Image
    >>> with TemporaryDirectory() as folder:
    ...     Image.new("RGB", (8, 6)).save(Path(folder, "1.png"))
    ...     table = Path(folder, "magpies.csv")
    ...     _ = table.write_text("path,species\n1.png,Pica hudsonia\n")
    ...     load(table).images[["image_id", "genus", "species"]].iloc[0].tolist()
    ['1.png', 'Pica', 'Pica hudsonia']
    """
    path = Path(path)
    if path.is_dir():
        files = parquet.parquet_files(path)
        if not files:
            raise DataError(f"{path}: expected a table .csv, .tsv, .txt or .parquet, or a folder of Parquet files")
        return dataset_from_parquet(path.resolve().name, path, files)
    stem = path.name.split(".")[0] if text_suffix(path) in TEXT_FORMATS else path.stem
    name = path.resolve().parent.name if stem.lower() in PLAIN_NAMES else stem
    if path.suffix.lower() == ".parquet":
        return dataset_from_parquet(name, path.parent, [path.name])
    values, matched = read_text_table(path)
    return dataset_from_paths(name, path.parent, path, values, notes_on_columns(matched, read_header(path)))


def dataset_from_parquet(name: str, root: Path, files: Sequence[str]) -> Dataset:
    """Return the pictures that Parquet files hold or name; the files are pieces of one table.

    Parameters
    ----------
    name : str
        Name of the dataset.
    root : Path
        The folder that the files are below.
    files : sequence of str
        Paths relative to `root`.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If a file cannot be read, has other columns than the first, or contains what `load` refuses.

    Examples
    --------
    >>> dataset_from_parquet("magpies", Path("nowhere"), ["none.parquet"])
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: nowhere/none.parquet: no such file
    """
    first = root / files[0]
    matched, holds_pictures = match_parquet_columns(first)
    columns = parquet.read_schema(first).names
    if "source" not in matched and holds_only_vectors(first):
        raise DataError(f"{first} has vectors and no pictures: vectors:{first}")
    if "source" not in matched and "image_id" in matched:
        raise DataError(
            f"{first} has no column of picture paths; if the files are called by '{printable(matched['image_id'])}', "
            f"load it as tree-of-life-200m:{first}"
        )
    check_columns(matched, first, columns)
    if not holds_pictures:
        values = read_parquet_table(root, files, matched)
        return dataset_from_paths(name, root, first, values, notes_on_columns(matched, columns))
    column = matched.pop("source")
    values = read_parquet_table(root, files, matched, rows_as_source=True)
    notes = [
        *notes_on_columns(matched, columns),
        f"pictures are read from column '{printable(column)}' of {len(files)} Parquet files",
    ]
    rows, pictures = complete_rows(values, first), ParquetPictures(root, column)
    return dataset_from_rows(name, rows, pictures, [column], notes, FileContent(root, files))


def match_parquet_columns(path: Path) -> tuple[dict[str, str], bool]:
    """Return the column for each meaning, and whether `source` is a column of the pictures themselves.

    A column of pictures is preferred to a column of their paths.

    Parameters
    ----------
    path : Path
        A Parquet file.

    Returns
    -------
    matched : dict from str to str
        Meaning to column, as `match_columns` returns it.
    holds_pictures : bool

    Raises
    ------
    DataError
        If the file cannot be read.

    Examples
    --------
    >>> match_parquet_columns(Path("none.parquet"))
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: none.parquet: no such file
    """
    schema = parquet.read_schema(path)
    picture_columns = [
        column for column, kind in zip(schema.names, schema.types, strict=True) if parquet.is_picture_type(kind)
    ]
    matched = match_columns(column for column in schema.names if column not in picture_columns)
    pictures = match_columns(picture_columns).get("source")
    return (matched | {"source": pictures}, True) if pictures else (matched, False)


def holds_only_vectors(path: Path) -> bool:
    """Return True if a Parquet file has vectors, and neither pictures nor their paths.

    Parameters
    ----------
    path : Path

    Returns
    -------
    bool
        False if the file cannot be read.

    Examples
    --------
    >>> holds_only_vectors(Path("none.parquet"))
    False
    """
    try:
        schema = parquet.read_schema(path)
    except DataError:
        return False
    return bool(vector_columns(schema)) and "source" not in match_parquet_columns(path)[0]


def read_parquet_table(
    root: Path, files: Sequence[str], matched: Mapping[str, str], rows_as_source: bool = False
) -> pd.DataFrame:
    """Return the matched columns of Parquet files as one table of text, named by their meanings.

    Parameters
    ----------
    root : Path
        The folder that the files are below.
    files : sequence of str
    matched : mapping from str to str
        Meaning to column, as `match_columns` returns it.
    rows_as_source : bool
        Add a column `source`, ``FILE:ROW``.

    Returns
    -------
    DataFrame, dtype str

    Raises
    ------
    DataError
        If a file cannot be read, or lacks one of the columns.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     pd.DataFrame({"Genus": ["Pica"]}).to_parquet(Path(folder, "a.parquet"))
    ...     read_parquet_table(Path(folder), ["a.parquet"], {"genus": "Genus"}, rows_as_source=True).iloc[0].tolist()
    ['Pica', 'a.parquet:0']
    """
    frames = []
    for file in files:
        absent = sorted(set(matched.values()) - set(parquet.read_schema(root / file).names))
        if absent:
            raise DataError(f"{root / file} lacks columns that {files[0]} has: {some(absent)}")
        frame = parquet.read_text_columns(root / file, matched.values()).set_axis(list(matched), axis=1)
        if rows_as_source:
            frame = frame.assign(source=[f"{file}:{row}" for row in range(len(frame))])
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def dataset_from_paths(name: str, root: Path, table: Path, values: pd.DataFrame, notes: Iterable[str]) -> Dataset:
    """Return the picture files that the rows of a table name.

    Parameters
    ----------
    name : str
        Name of the dataset.
    root : Path
        The folder that relative paths start at.
    table : Path
        The table, for messages.
    values : DataFrame, dtype str
        One column for each meaning in `COLUMN_NAMES` that the table has.
    notes : iterable of str
        Notes that exist already.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If a path is a web address or leads out of the folder, or none of the files exists.

    Examples
    --------
    >>> values = pd.DataFrame({"source": ["https://example.org/1.jpg"], "genus": ["Pica"]}, dtype="str")
    >>> dataset_from_paths("magpies", Path("."), Path("magpies.csv"), values, [])
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: magpies.csv gives 1 web addresses, not files; download the pictures first: \
https://example.org/1.jpg
    """
    notes = list(notes)
    rows = values.assign(source=check_picture_paths(values["source"], table, absolute=True))
    nameless = rows["source"].isna()
    if nameless.any():
        notes.append(f"{nameless.sum()} rows left out, no picture path: rows {some(rows.index[nameless] + 1)}")
    rows = complete_rows(rows[~nameless], table)
    dataset = dataset_from_files(name, root, rows, notes)
    return _with_masks(dataset, root, rows, table) if "mask" in rows else dataset


def _with_masks(dataset: Dataset, root: Path, rows: pd.DataFrame, table: Path) -> Dataset:
    """Return a dataset whose pictures are opened with their masks, which a column of its table names."""
    paths = check_picture_paths(rows["mask"], table, absolute=True)
    masks = dict(zip(rows["source"], paths, strict=True))
    masks = {source: mask for source, mask in masks.items() if isinstance(mask, str)}
    if not masks or not isinstance(dataset.open, PictureOpener) or not isinstance(dataset.identity, Identity):
        return dataset
    content = FileContent(root, sorted(set(masks.values())), one_an_image=False)
    missing = [file for file, (size, _) in zip(content.files, content.stamps, strict=True) if size < 0]
    notes = [*dataset.notes, f"{len(masks)} of {len(dataset)} images have a mask, for silhouette: and background:"]
    if missing:
        notes.append(f"{len(missing)} masks are not files below {root}: {some(missing)}")
        masks = {source: mask for source, mask in masks.items() if mask not in set(missing)}
        content = FileContent(root, sorted(set(masks.values())), one_an_image=False)
    identity = replace(dataset.identity, facts=(*dataset.identity.facts, MaskContent(content)))
    return replace(dataset, open=MaskedPictures(dataset.open, root, masks), identity=identity, notes=tuple(notes))


def read_text_table(path: Path) -> tuple[pd.DataFrame, dict[str, str]]:
    r"""Return the columns of a text table that have a meaning, and the original name of each.

    Parameters
    ----------
    path : Path
        A table ``.csv``, ``.tsv`` or ``.txt``, or one of them compressed.

    Returns
    -------
    values : DataFrame, dtype str
        One column for each meaning that the table has.
    matched : dict from str to str
        Meaning to column.

    Raises
    ------
    DataError
        If the table cannot be read, its rows do not fit its header, a column occurs twice, or it has no column of paths
        or no rank.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     table = Path(folder, "magpies.csv")
    ...     _ = table.write_text("Path,Genus,Note\n1.png,Pica,none\n")
    ...     values, matched = read_text_table(table)
    >>> matched
    {'source': 'Path', 'genus': 'Genus'}
    """
    header = read_header(path)
    matched = match_columns(header)
    check_columns(matched, path, header)
    table = read_columns(path, TEXT_FORMATS[text_suffix(path)], list(matched.values()))
    return rename_columns(table, matched), matched
