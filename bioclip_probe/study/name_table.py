"""A table of names: what a taxon of the dataset is called in the tree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bioclip_probe.datasets.readers.text_files import text_suffix
from bioclip_probe.datasets.readers.text_tables import CSV, TSV, read_columns
from bioclip_probe.errors import DataError, some
from bioclip_probe.tree.spelling import name_key

#: The columns of a table of names.
OURS, THEIRS = "ours", "theirs"


@dataclass(frozen=True)
class NameTable:
    """The names of a dataset and those of a tree for the same taxa.

    Attributes
    ----------
    names : mapping from str to str
        A name of the dataset, and the name or the label of the tree.
    notes : tuple of str
        What was passed over.

    Examples
    --------
    >>> NameTable({"Felis concolor": "Puma concolor"}).notes
    ()
    """

    names: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def read_name_table(path: Path) -> NameTable:
    r"""Return the table of names in a file.

    Parameters
    ----------
    path : Path
        A text table with the columns ``ours`` and ``theirs``; others are ignored. A row without ``theirs`` is passed
        over and counted.

    Returns
    -------
    NameTable

    Raises
    ------
    DataError
        If the file cannot be read, lacks one of the columns, or gives two names for one.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "names.csv")
    ...     _ = path.write_text("ours,theirs\nFelis concolor,Puma concolor\nBos taurus,\n")
    ...     table = read_name_table(path)
    >>> table.names, table.notes
    ({'Felis concolor': 'Puma concolor'}, ("1 rows of names.csv without 'theirs' were passed over",))
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: no such table of names")
    table = read_columns(path, TSV if text_suffix(path) in (".tsv", ".txt") else CSV, [OURS, THEIRS])
    given = table.dropna()
    names: dict[str, str] = {}
    first: dict[str, str] = {}
    for ours, theirs in zip(given[OURS], given[THEIRS], strict=True):
        key = name_key(ours)
        if name_key(first.setdefault(key, theirs)) != name_key(theirs):
            raise DataError(f"{path} gives two names of the tree for '{ours}': {some([first[key], theirs])}; keep one")
        names[ours] = theirs
    n_without = len(table) - len(given)
    notes = (f"{n_without} rows of {path.name} without '{THEIRS}' were passed over",) if n_without else ()
    return NameTable(names, notes)
