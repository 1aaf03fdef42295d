"""A text table of distances between taxa, which stands in place of a tree."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from bioclip_probe.datasets.readers.table_formats import CSV, TSV, find_format
from bioclip_probe.datasets.readers.text_files import text_file, text_suffix
from bioclip_probe.datasets.readers.text_tables import read_column_names, read_table
from bioclip_probe.errors import TreeError, some
from bioclip_probe.limits import check_declared
from bioclip_probe.tree.distance_matrix import DistanceMatrix
from bioclip_probe.tree.spelling import is_placeholder

#: Endings of tables. A ``.txt`` may be a tree.
TABLES = {".csv": CSV, ".tsv": TSV}
#: Bytes that an entry takes while it is read.
_ENTRY_BYTES = 100


def is_distance_file(path: Path) -> bool:
    """Return True if a file is a table by its ending, and no tree.

    Parameters
    ----------
    path : Path

    Returns
    -------
    bool

    Examples
    --------
    >>> is_distance_file(Path("distances.csv.gz")), is_distance_file(Path("birds.nwk"))
    (True, False)
    """
    return text_suffix(path) in TABLES


def read_distances(path: Path, unit: str = "unknown") -> DistanceMatrix:
    r"""Return the distance matrix in a text table.

    Parameters
    ----------
    path : Path
        The first line and the first column name the taxa, in any order. One triangle may be empty.
    unit : str

    Returns
    -------
    DistanceMatrix
        In the order of the rows.

    Raises
    ------
    ProbeError
        If the table cannot be read or is no distance matrix.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "birds.csv")
    ...     _ = path.write_text(",Pica pica,Corvus corax\nPica pica,0,2.5\nCorvus corax,2.5,0\n")
    ...     read_distances(path).distance.tolist()
    [[0.0, 2.5], [2.5, 0.0]]
    """
    file = text_file(path)
    table_format = find_format(file, TABLES[text_suffix(path)], len)
    header = read_column_names(file, table_format)
    check_declared(
        path, f"{len(header)} columns", len(header) ** 2 * _ENTRY_BYTES, Path(path).stat().st_size, _ENTRY_BYTES
    )
    if len(set(header)) < len(header):
        raise TreeError(f"{path}: a distance matrix has each name once in its first line")
    table = read_table(file, table_format, header)
    rows, columns = table[header[0]], [name.strip() for name in header[1:]]
    if set(rows) != set(columns) or len(rows) != len(columns):
        only = [*sorted({*rows.dropna()} - {*columns}), *sorted({*columns} - {*rows.dropna()})]
        raise TreeError(
            f"{path}: expected a distance matrix whose first line and first column give the same names; it has "
            f"{len(rows)} rows and {len(columns)} columns"
            + (f", and in one of them only: {some(only)}" if only else "")
        )
    entries = table[header[1:]].set_axis(columns, axis=1)[rows.tolist()]
    numbers = entries.apply(pd.to_numeric, errors="coerce")
    unread = (numbers.isna() & ~entries.map(is_placeholder)).to_numpy()
    if len(odd := entries.to_numpy()[unread]):
        raise TreeError(f"{path}: expected numbers as distances; {len(odd)} entries are none: {some(odd)}")
    try:
        return DistanceMatrix(rows.tolist(), numbers.to_numpy(dtype=np.float64), unit)
    except TreeError as error:
        raise TreeError(f"{path}: {error}") from None
