"""Declared tables: their columns with types and meanings, and the functions that make, check and read frames of them.

Text of which few values are distinct is stored as categories: the number of each value in a list of the distinct ones.
Ten million rows of long names take gigabytes as text, and some ten megabytes a column as categories. Two columns whose
values are compared, such as the true and the predicted taxon, have one vocabulary, and so equal lists of values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bioclip_probe.errors import DataError, some

if TYPE_CHECKING:
    import pandas as pd

# pandas is imported where it is used: `--help` needs the names of tables only, and would wait for it.
CATEGORY = "category"


@dataclass(frozen=True)
class Column:
    """A declared column of a table.

    Attributes
    ----------
    name : str
    dtype : str
        Its pandas dtype. ``category`` stands for categories of text; files may hold them as plain text.
    meaning : str
        What a value says.
    unit : str
        Its unit, or its set of values.
    later : bool
        True if the column was added after files of the table had been written. In older files it reads as missing.
    vocabulary : str
        Name of the list of values that a column of categories shares with others; by default it has its own.

    Examples
    --------
    >>> Column("value", "float64", "the number").unit
    ''
    """

    name: str
    dtype: str
    meaning: str
    unit: str = ""
    later: bool = False
    vocabulary: str = ""

    def holds(self, column: pd.Series) -> bool:
        """Return True if a column of a frame has the declared type; text will do for categories of text.

        Parameters
        ----------
        column : Series

        Returns
        -------
        bool
        """
        import pandas as pd

        if self.dtype == CATEGORY and (is_categorical(column) or not column.count()):
            return True  # files do not tell the type of a column without any value
        return column.dtype == pd.api.types.pandas_dtype("str" if self.dtype == CATEGORY else self.dtype)


@dataclass(frozen=True)
class Table:
    """A declared table: its name and columns, and functions that make, check and read frames of it.

    Attributes
    ----------
    name : str
    columns : tuple of Column

    Examples
    --------
    >>> table = Table("lengths", (Column("taxon", "str", "the taxon"), Column("value", "float64", "metres")))
    >>> table.frame([{"taxon": "Pica"}])["value"].isna().tolist()
    [True]
    >>> table.frame([{"colour": "black"}])
    Traceback (most recent call last):
    bioclip_probe.errors.DataError: table 'lengths' has no column colour; it has: taxon, value
    """

    name: str
    columns: tuple[Column, ...]

    @property
    def names(self) -> list[str]:
        """Names of the columns."""
        return [column.name for column in self.columns]

    def frame(self, rows: Iterable[Mapping[str, Any]] | pd.DataFrame = ()) -> pd.DataFrame:
        """Return rows as a frame with exactly the declared columns and dtypes.

        Parameters
        ----------
        rows : iterable of mappings, or DataFrame
            A declared column that no row has is missing (NaN, None) in all rows of the frame.

        Returns
        -------
        DataFrame
            With a new index from 0.

        Raises
        ------
        DataError
            If a row has a column that is not declared.
        """
        import pandas as pd

        frame = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(list(rows))
        unknown = [name for name in frame.columns if name not in self.names]
        if unknown:
            raise DataError(f"table '{self.name}' has no column {some(unknown)}; it has: {', '.join(self.names)}")
        return self._typed(frame) if len(frame) else _empty_frame(self).copy()

    def _typed(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return a frame with all columns of the table, in their types, and with a new index."""
        (frame,) = self._with_categories(frame.reindex(columns=self.names))
        plain = {column.name: column.dtype for column in self.columns if column.dtype != CATEGORY}
        return frame.astype(plain).reset_index(drop=True)

    def concat(self, frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
        """Return frames of the table one below the other; columns of categories stay so.

        Parameters
        ----------
        frames : sequence of DataFrame
            At least one.

        Returns
        -------
        DataFrame
            With a new index from 0.
        """
        import pandas as pd

        return pd.concat(self._with_categories(*frames), ignore_index=True)

    def _with_categories(self, *frames: pd.DataFrame) -> list[pd.DataFrame]:
        """Return frames whose columns of categories are such; those of one vocabulary have equal ones."""
        vocabularies: dict[str, list[str]] = {}
        for column in self.columns:
            if column.dtype == CATEGORY:
                vocabularies.setdefault(column.vocabulary or column.name, []).append(column.name)
        new: list[dict[str, pd.Series]] = [{} for _ in frames]
        for names in vocabularies.values():
            cells = [(number, name) for number in range(len(frames)) for name in names]
            columns = as_categories([frames[number][name] for number, name in cells])
            for (number, name), column_of_frame in zip(cells, columns, strict=True):
                new[number][name] = column_of_frame
        return [frame.assign(**columns) for frame, columns in zip(frames, new, strict=True)]

    def check(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return a frame unchanged if it has the declared columns.

        Parameters
        ----------
        frame : DataFrame
            It may have more columns.

        Returns
        -------
        DataFrame
            The same object.

        Raises
        ------
        DataError
            If a declared column is missing or has another dtype.
        """
        missing = [name for name in self.names if name not in frame.columns]
        if missing:
            raise DataError(f"table '{self.name}' lacks the column {some(missing)}; it has: {some(frame.columns, 30)}")
        wrong = [
            f"{column.name} ({frame[column.name].dtype}, expected {column.dtype})"
            for column in self.columns
            if not column.holds(frame[column.name])
        ]
        if wrong:
            raise DataError(f"table '{self.name}' has columns of the wrong type: {some(wrong)}")
        return frame

    def read(self, path: Path) -> pd.DataFrame:
        """Return the table in a Parquet file, after checking it.

        Parameters
        ----------
        path : Path

        Returns
        -------
        DataFrame

        Raises
        ------
        DataError
            If the file cannot be read or does not hold this table.
        """
        import pandas as pd

        try:
            frame = pd.read_parquet(path)
            absent = [column for column in self.columns if column.later and column.name not in frame]
            frame = frame.assign(**{column.name: pd.Series(dtype=column.dtype) for column in absent})
            return self._with_categories(self.check(frame))[0]
        except (OSError, ValueError) as error:
            raise DataError(f"{path} does not hold a '{self.name}' table: {error}") from error


@cache
def _empty_frame(table: Table) -> pd.DataFrame:
    """Return the frame of a table without rows; studies ask for it hundreds of times."""
    import pandas as pd

    return table._typed(pd.DataFrame())


def is_categorical(column: pd.Series) -> bool:
    """Return True if a column is stored as categories of text.

    Parameters
    ----------
    column : Series

    Returns
    -------
    bool

    Examples
    --------
    >>> import pandas as pd
    >>> is_categorical(pd.Series(["a"], dtype="str")), is_categorical(pd.Series(["a"], dtype="category"))
    (False, True)
    """
    import pandas as pd

    return isinstance(column.dtype, pd.CategoricalDtype) and column.cat.categories.dtype == "str"


def as_categories(columns: Sequence[pd.Series]) -> list[pd.Series]:
    """Return columns of text as categories, all with one list of values.

    Parameters
    ----------
    columns : sequence of Series
        Of text or categories, or without any value.

    Returns
    -------
    list of Series
        Columns that have equal categories already are returned as they are.

    Examples
    --------
    >>> import pandas as pd
    >>> truth, predicted = as_categories([pd.Series(["Pica", "Corvus"]), pd.Series(["Corvus", None])])
    >>> (truth == predicted).tolist(), truth.cat.categories.tolist()
    ([False, False], ['Corvus', 'Pica'])
    """
    import pandas as pd

    ready = [own if is_categorical(own) else own.astype("str").astype("category") for own in columns]
    distinct = [own.dtype for own in ready if len(own.cat.categories)]
    if all(dtype == distinct[0] for dtype in distinct):
        return [own if own.dtype == distinct[0] else own.astype(distinct[0]) for own in ready] if distinct else ready
    values = distinct[0].categories
    for dtype in distinct[1:]:
        values = values.append(dtype.categories.difference(values, sort=False))
    return [own.astype(pd.CategoricalDtype(values)) for own in ready]
