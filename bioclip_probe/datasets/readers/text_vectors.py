"""Vectors in text: CSV with a column for each number or a column of lists, and the JSON of pybioclip."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from bioclip_probe.datasets.readers.columns import match_columns, notes_on_columns, rename_columns
from bioclip_probe.datasets.readers.json_files import read_json
from bioclip_probe.datasets.readers.table_formats import CSV, TSV, find_format
from bioclip_probe.datasets.readers.text_files import text_file, text_suffix
from bioclip_probe.datasets.readers.text_tables import read_column_names, read_columns, read_numbers
from bioclip_probe.datasets.readers.vector_table import (
    Block,
    VectorFile,
    check_dimension,
    choose_key,
    is_vector_name,
    match_text_columns,
)
from bioclip_probe.errors import DataError, some

#: The name of a column that holds one number of a vector: emb_0, x1, 511.
_NUMBERED = re.compile(r"(.*?)[_.\s-]?\[?(\d+)\]?")
#: The key of columns that are called by numbers alone.
NUMBERS = "numbers"
_BETWEEN_NUMBERS = re.compile(r"[\s,;|]+")


def read_csv(path: Path, key: str | None) -> VectorFile:
    r"""Return the content of a text table of vectors.

    Parameters
    ----------
    path : Path
    key : str or None
        The name that the columns of numbers share, as ``emb`` for emb_0, emb_1 …, or that of the one column of lists.
        By default it is found.

    Returns
    -------
    VectorFile

    Raises
    ------
    DataError
        If the table cannot be read, or lacks ids or vectors.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "a.csv")
    ...     _ = path.write_text("id,genus,emb_0,emb_1\n1,Pica,0.5,-2\n")
    ...     file = read_csv(path, None)
    >>> file.key, file.dimension, file.texts["genus"].tolist()
    ('emb', 2, ['Pica'])
    """
    table_format = find_format(
        text_file(path), TSV if text_suffix(path) in (".tsv", ".txt") else CSV, lambda names: len(match_columns(names))
    )
    names = read_column_names(text_file(path), table_format)
    numbered = numbered_columns(names)
    in_lists = [name for name in names if is_vector_name(name)]
    of_numbers = {name for group in numbered.values() for name in group}
    others = [name for name in names if name not in of_numbers and name not in in_lists]
    if key is None and numbered and not in_lists:
        key = max(numbered, key=lambda name: len(numbered[name]))
    key = choose_key(key, [*in_lists, *numbered, *([key] if key in others else [])], path)
    columns = numbered.get(key)
    matched = _match_texts([name for name in others if name != key], path)
    texts = rename_columns(read_columns(path, table_format, list(matched.values())), matched)
    notes = tuple(notes_on_columns(matched, others))
    if columns is None:
        return _with_lists(path, key, texts, read_columns(path, table_format, [key])[key].fillna("").tolist(), notes)
    check_dimension(path, key, len(columns))

    def blocks() -> Iterator[Block]:
        for vectors in read_numbers(text_file(path), table_format, columns):
            yield vectors, np.isfinite(vectors).sum(axis=1)

    return VectorFile(path, key, texts, len(columns), blocks, {}, notes)


def _match_texts(names: Sequence[str], path: Path) -> dict[str, str]:
    """Return the column for each meaning; without ids, files or else the unnamed first column serve as such."""
    matched = match_text_columns(names, path, with_ids=False)
    if "image_id" not in matched:
        files = match_columns(names).get("source")
        unnamed = [name for name in names[:1] if name.strip() in ("", "Unnamed: 0")]
        matched |= dict([("image_id", name) for name in (files, *unnamed) if name is not None][:1])
    return matched if "image_id" in matched else match_text_columns(names, path)


def numbered_columns(names: Sequence[str]) -> dict[str, list[str]]:
    """Return the groups of columns that are numbered without a gap, such as emb_0 and emb_1.

    Parameters
    ----------
    names : sequence of str

    Returns
    -------
    dict from str to list of str
        The columns of each group in the order of their numbers, by the text before the numbers, or `NUMBERS`.

    Examples
    --------
    >>> numbered_columns(["id", "emb_1", "emb_0", "photo1"])
    {'emb': ['emb_0', 'emb_1']}
    """
    groups: dict[str, dict[int, str]] = {}
    for name in names:
        if match := _NUMBERED.fullmatch(name.strip()):
            groups.setdefault(match[1] or NUMBERS, {})[int(match[2])] = name
    return {
        prefix: [columns[number] for number in sorted(columns)]
        for prefix, columns in groups.items()
        if len(columns) > 1 and min(columns) in (0, 1) and max(columns) - min(columns) + 1 == len(columns)
    }


def read_pybioclip(path: Path, key: str | None) -> VectorFile:
    """Return the content of a JSON file that ``bioclip embed`` wrote.

    Parameters
    ----------
    path : Path
    key : str or None
        Name of the object that has a list of numbers for each file; ``embeddings`` by default.

    Returns
    -------
    VectorFile
        Its ids are the files. It has no names of taxa.

    Raises
    ------
    DataError
        If it is no such file.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "a.json")
    ...     _ = path.write_text('{"model": "hf-hub:imageomics/bioclip", "embeddings": {"1.jpg": [0.5, -2]}}')
    ...     file = read_pybioclip(path, None)
    >>> file.dimension, file.texts["image_id"].tolist()
    (2, ['1.jpg'])
    """
    content = read_json(path)
    objects = [name for name, value in content.items() if isinstance(value, dict)] if isinstance(content, dict) else []
    if not objects:
        raise DataError(
            f"{path} has no embeddings: expected what bioclip embed writes, a list of numbers for each file"
        )
    key = choose_key(key, objects, path)
    texts = pd.DataFrame({"image_id": list(content[key])}, dtype="str")
    model = content.get("model")
    notes = (f"the vectors are of {model}",) if isinstance(model, str) else ()
    return _with_lists(path, key, texts, list(content[key].values()), notes)


def _with_lists(path: Path, key: str, texts: pd.DataFrame, lists: list[object], notes: tuple[str, ...]) -> VectorFile:
    """Return a file of vectors whose rows are lists, or texts of lists."""
    rows = [_numbers(row) for row in lists]
    strange = [str(number) for number, row in enumerate(rows, 1) if row is None]
    if strange:
        raise DataError(f"{path}: {len(strange)} rows of '{key}' are not lists of numbers: rows {some(strange)}")
    lengths = np.array([len(row) for row in rows if row is not None], dtype=np.int64)
    dimension = int(np.bincount(lengths[lengths > 0]).argmax()) if (lengths > 0).any() else 0
    check_dimension(path, key, dimension)
    vectors = np.full((len(rows), dimension), np.nan, dtype=np.float32)
    for number, row in enumerate(rows):
        if row is not None and len(row) == dimension:
            vectors[number] = row
    return VectorFile(path, key, texts, dimension, lambda: iter([(vectors, lengths)]), {}, notes)


def _numbers(row: object) -> np.ndarray | None:
    """Return the numbers of a list or of its text, ``[0.5, -2]`` or ``0.5 -2``; None if it is something else."""
    if isinstance(row, str):
        row = [text for text in _BETWEEN_NUMBERS.split(row.strip().strip("[]()").strip()) if text]
    if not isinstance(row, list) or not all(isinstance(value, (str, int, float)) for value in row):
        return None
    try:
        with np.errstate(over="ignore"):
            return np.array(row or [], dtype=np.float64).astype(np.float32)
    except (ValueError, OverflowError):
        return None
