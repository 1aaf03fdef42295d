"""Files of ready vectors: Parquet, .npz, AnnData's .h5ad, CSV and JSON, read as a table of texts and blocks of vectors.

Nothing is unpickled, no other file is opened, and what a file declares is checked before memory is taken.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bioclip_probe.datasets.readers.h5ad_vectors import read_h5ad
from bioclip_probe.datasets.readers.npz_vectors import read_npz
from bioclip_probe.datasets.readers.parquet_vectors import read_parquet
from bioclip_probe.datasets.readers.picture_paths import local_path
from bioclip_probe.datasets.readers.text_files import split_name_table, text_suffix
from bioclip_probe.datasets.readers.text_vectors import read_csv, read_pybioclip
from bioclip_probe.datasets.readers.vector_table import VectorFile
from bioclip_probe.errors import DataError, errors_in_one_line

#: The function that reads each form, from a path and the key of the vectors.
READERS: dict[str, Callable[[Path, str | None], VectorFile]] = {
    ".parquet": read_parquet,
    ".npz": read_npz,
    ".h5ad": read_h5ad,
    ".csv": read_csv,
    ".tsv": read_csv,
    ".json": read_pybioclip,
}


def open_vectors(path: Path) -> VectorFile:
    """Return the content of a file of vectors.

    Parameters
    ----------
    path : Path
        The file; ``FILE#KEY`` names the column, array or `obsm` entry to read. A table of names after it, as in
        ``FILE#TABLE``, is not read here.

    Returns
    -------
    VectorFile

    Raises
    ------
    DataError
        If the file cannot be read, lacks ids or vectors, or would take too much memory for its size.

    Examples
    --------
    >>> open_vectors(Path("vectors.xlsx"))
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: vectors.xlsx: expected ready vectors as .parquet, .npz, .h5ad, .csv, .tsv, .json
    """
    path, key = split_key(local_path(path))
    read = READERS.get(text_suffix(path))
    if read is None:
        raise DataError(f"{path}: expected ready vectors as {', '.join(READERS)}")
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    with errors_in_one_line(path, path.suffix):
        return read(path, key)


def split_key(path: Path) -> tuple[Path, str | None]:
    """Return the file and the key of ``FILE#KEY``, without a table of names after them.

    Parameters
    ----------
    path : Path

    Returns
    -------
    file : Path
    key : str or None
        None if the path has no ``#``, or is a file whose name has one.

    Examples
    --------
    >>> file, key = split_key(Path("a.npz#clip"))
    >>> file.name, key
    ('a.npz', 'clip')
    """
    path, _ = split_name_table(path)
    file, sign, key = str(path).rpartition("#")
    return (Path(file), key) if sign and not Path(path).exists() else (Path(path), None)
