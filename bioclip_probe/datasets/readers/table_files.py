"""Files of tables by the endings of their names: which are text and in which format, and what columns they have."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from bioclip_probe.datasets.readers import parquet
from bioclip_probe.datasets.readers.columns import match_columns
from bioclip_probe.datasets.readers.table_formats import CSV, TSV, find_format
from bioclip_probe.datasets.readers.text_files import text_file, text_suffix
from bioclip_probe.datasets.readers.text_tables import read_column_names, read_columns
from bioclip_probe.errors import DataError

#: Formats of the text tables with each ending, unless the names of their columns show another separator.
TEXT_FORMATS = {".csv": CSV, ".tsv": TSV, ".txt": TSV}
SPREADSHEETS = frozenset({".xlsx", ".xls", ".xlsm", ".xlsb", ".ods", ".numbers", ".gsheet"})


def read_header(path: Path) -> list[str]:
    """Return the columns of a text table, without blanks around their names.

    Parameters
    ----------
    path : Path
        A table ``.csv``, ``.tsv`` or ``.txt``, or one of them compressed.

    Returns
    -------
    list of str

    Raises
    ------
    DataError
        If the table cannot be read.

    Examples
    --------
    >>> read_header(Path("labels.xlsx"))
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: labels.xlsx: expected a table .csv, .tsv, .txt or .parquet; export the spreadsheet \
as CSV, in UTF-8
    """
    table_format = TEXT_FORMATS.get(text_suffix(path))
    if table_format is None:
        hint = "; export the spreadsheet as CSV, in UTF-8" if path.suffix.lower() in SPREADSHEETS else ""
        raise DataError(f"{path}: expected a table .csv, .tsv, .txt or .parquet{hint}")
    file = text_file(path)
    table_format = find_format(file, table_format, lambda names: len(match_columns(names)))
    return [name.strip() for name in read_column_names(file, table_format)]


def read_texts(path: Path) -> pd.DataFrame:
    r"""Return all columns of a table as text, except those that occur twice, and those of lists or structs.

    Parameters
    ----------
    path : Path
        A table ``.csv``, ``.tsv``, ``.txt`` or ``.parquet``.

    Returns
    -------
    DataFrame, dtype str
        Values have no blanks around them; empty values are missing.

    Raises
    ------
    DataError
        If the table cannot be read.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "a.csv").write_text("bird,species\nmagpie,Pica pica\n")
    ...     read_texts(Path(folder, "a.csv")).iloc[0].tolist()
    ['magpie', 'Pica pica']
    """
    if path.suffix.lower() == ".parquet":
        schema = parquet.read_schema(path)
        is_plain = [not (kind.num_fields or parquet.is_picture_type(kind)) for kind in schema.types]
        names = [name for name, plain in zip(schema.names, is_plain, strict=True) if plain]
        return parquet.read_text_columns(path, [name for name in names if names.count(name) == 1])
    names = read_header(path)
    return read_columns(path, TEXT_FORMATS[text_suffix(path)], [name for name in names if names.count(name) == 1])
