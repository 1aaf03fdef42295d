"""A table of names without pictures: enough for `audit`, which looks at names alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bioclip_probe.datasets.dataset import Dataset, dataset_from_rows
from bioclip_probe.datasets.readers import parquet
from bioclip_probe.datasets.readers.columns import complete_rows, match_columns, notes_on_columns, rename_columns
from bioclip_probe.datasets.readers.table_files import TEXT_FORMATS, read_header
from bioclip_probe.datasets.readers.text_files import text_suffix
from bioclip_probe.datasets.readers.text_tables import read_columns
from bioclip_probe.datasets.table import match_parquet_columns, read_parquet_table
from bioclip_probe.errors import PictureError
from bioclip_probe.tables import RANKS

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class NoPictures:
    """The opener of a table without pictures, which opens none.

    Attributes
    ----------
    table : str
        Name of the table.

    Examples
    --------
    >>> NoPictures("names.csv")("row 1")
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.PictureError: names.csv is a table of names without pictures
    """

    table: str

    def __call__(self, source: str) -> Image:
        """Raise `PictureError`."""
        raise PictureError(f"{self.table} is a table of names without pictures", "missing")


def has_only_names(path: Path) -> bool:
    """Return True if a file is a table with columns of ranks and without a column of pictures.

    Parameters
    ----------
    path : Path

    Returns
    -------
    bool

    Raises
    ------
    DataError
        If the table cannot be read.

    Examples
    --------
    >>> has_only_names(Path("no-such-folder"))
    False
    """
    if not path.is_file():
        return False
    if path.suffix.lower() == ".parquet":
        matched = match_parquet_columns(path)[0]
    elif text_suffix(path) in TEXT_FORMATS:
        matched = match_columns(read_header(path))
    else:
        return False
    return "source" not in matched and bool(matched.keys() & {*RANKS, "binomial"})


def load_names(path: Path) -> Dataset:
    r"""Return the names of a table as a dataset whose pictures cannot be opened.

    Parameters
    ----------
    path : Path
        A table for which `has_only_names` is true. Other columns than those of names are ignored.

    Returns
    -------
    Dataset
        One row for each of the table.

    Raises
    ------
    DataError
        If the table cannot be read.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     table = Path(folder, "magpies.csv")
    ...     _ = table.write_text("species\nPica hudsonia\nPica pica\n")
    ...     load_names(table).images["species"].tolist()
    ['Pica hudsonia', 'Pica pica']
    """
    if path.suffix.lower() == ".parquet":
        matched, columns = _names_alone(match_parquet_columns(path)[0]), parquet.read_schema(path).names
        values = read_parquet_table(path.parent, [path.name], matched)
    else:
        columns = read_header(path)
        matched = _names_alone(match_columns(columns))
        values = rename_columns(read_columns(path, TEXT_FORMATS[text_suffix(path)], list(matched.values())), matched)
    values = values.assign(source=[f"row {number}" for number in range(1, len(values) + 1)])
    notes = [*notes_on_columns(matched, columns), "a table of names without pictures: it can be audited, not embedded"]
    return dataset_from_rows(path.name.split(".")[0], complete_rows(values, path), NoPictures(path.name), notes=notes)


def _names_alone(matched: dict[str, str]) -> dict[str, str]:
    """Return the columns that name taxa, or say how their names were resolved."""
    wanted = {*RANKS, "epithet", "binomial", "taxon_rank", "qualifier", "status"}
    return {meaning: column for meaning, column in matched.items() if meaning in wanted}
