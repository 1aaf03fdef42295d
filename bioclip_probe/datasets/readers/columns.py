"""Columns of tables of pictures: the names each may have, and the taxa, ids and paths that they give.

A *meaning* is one of the keys of `COLUMN_NAMES`: a rank, ``source`` (the path of the picture), ``image_id`` and so on.
Readers of CSV, Parquet, NumPy and AnnData files all match their columns to meanings here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from bioclip_probe.errors import DataError, printable, some
from bioclip_probe.tables import RANKS

#: The names each column may have, without capitals, spaces and signs; the first name that a table has is used.
COLUMN_NAMES: dict[str, tuple[str, ...]] = {
    "source": (
        "filepath", "path", "imagepath", "relativepath", "filename", "imagefile", "imagefilename", "file", "image",
        "img", "imgpath", "photo",
    ),
    "kingdom": ("kingdom",),
    "phylum": ("phylum", "division"),
    "class": ("cls", "class", "classname"),  # where a table has `cls`, its `class` is the target of a classifier
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


def match_columns(columns: Iterable[str]) -> dict[str, str]:
    """Return the column for each meaning in `COLUMN_NAMES` that a table has.

    Capitals, spaces, signs and a leading ``dwc:`` do not matter.

    Parameters
    ----------
    columns : iterable of str
        Columns of the table.

    Returns
    -------
    dict from str to str
        Meaning to column.

    Examples
    --------
    >>> match_columns(["File_Name", "dwc:genus", "note"])
    {'source': 'File_Name', 'genus': 'dwc:genus'}
    """
    plain_names: dict[str, str] = {}
    for column in columns:
        plain_names.setdefault(re.sub(r"^dwc:|[^a-z0-9]", "", str(column).lower()), column)
    choices = {
        meaning: [plain_names[name] for name in names if name in plain_names] for meaning, names in COLUMN_NAMES.items()
    }
    return {meaning: choice[0] for meaning, choice in choices.items() if choice}


def check_columns(matched: Mapping[str, str], table: object, columns: Sequence[str], required: str = "source") -> None:
    """Refuse a table without the column `required`, or without a rank.

    Parameters
    ----------
    matched : mapping from str to str
        Meaning to column, as `match_columns` returns it.
    table : object
        Name of the table, for the message.
    columns : sequence of str
        All columns of the table, for the message.
    required : {'source', 'image_id'}

    Raises
    ------
    DataError
        If the column or every rank is missing.

    Examples
    --------
    >>> check_columns({"source": "path"}, "labels.csv", ["path", "label"])
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: labels.csv has no rank columns: expected some of kingdom, phylum, class, order, \
family, genus, species, scientificName; it has: path, label
    """
    existing = f"it has: {some(columns, 20)}"
    if required not in matched:
        content = {"source": "picture paths", "image_id": "ids"}[required]
        expected = ", ".join(COLUMN_NAMES[required])
        raise DataError(f"{table} has no column of {content}: expected one of {expected}; {existing}")
    if not matched.keys() & {*RANKS, "binomial"}:
        raise DataError(f"{table} has no rank columns: expected some of {', '.join(RANKS)}, scientificName; {existing}")


def rename_columns(table: pd.DataFrame, matched: Mapping[str, str]) -> pd.DataFrame:
    """Return the matched columns of a table as text, named by their meanings.

    Parameters
    ----------
    table : DataFrame
    matched : mapping from str to str
        Meaning to column, as `match_columns` returns it.

    Returns
    -------
    DataFrame, dtype str
        Values have no blanks around them; empty values are missing.

    Examples
    --------
    >>> rename_columns(pd.DataFrame({"Genus": [" Pica ", ""]}), {"genus": "Genus"})["genus"].tolist()
    ['Pica', nan]
    """
    values = {meaning: table[column].astype("str").str.strip().replace("", None) for meaning, column in matched.items()}
    return pd.DataFrame(values, dtype="str")


def notes_on_columns(matched: Mapping[str, str]) -> list[str]:
    """Return a note for each column whose name differs from its meaning.

    Parameters
    ----------
    matched : mapping from str to str
        Meaning to column, as `match_columns` returns it.

    Returns
    -------
    list of str

    Examples
    --------
    >>> notes_on_columns({"source": "path", "genus": "genus"})
    ["'path' was read as source"]
    """
    return [f"'{printable(column)}' was read as {meaning}" for meaning, column in matched.items() if column != meaning]


def complete_rows(values: pd.DataFrame, table: object) -> pd.DataFrame:
    """Return rows with a column `species`, and with `source` as their `image_id` if they have none.

    Parameters
    ----------
    values : DataFrame, dtype str
        One column for each meaning that the table has. `epithet` and `binomial` are merged into `species`.
    table : object
        Name of the table, for the message.

    Returns
    -------
    DataFrame, dtype str

    Raises
    ------
    DataError
        If there is no row.

    Examples
    --------
    >>> values = pd.DataFrame({"source": ["1.jpg"], "binomial": ["Pica hudsonia (Sabine, 1823)"]}, dtype="str")
    >>> complete_rows(values, "labels.csv").iloc[0].tolist()
    ['1.jpg', 'Pica hudsonia', '1.jpg']
    """
    if values.empty:
        raise DataError(f"{table} has no usable image: it has no row below its header")
    rows = _with_species(values)
    return rows if "image_id" in rows else rows.assign(image_id=rows["source"])


def _with_species(rows: pd.DataFrame) -> pd.DataFrame:
    """Fill `species` from the column itself, else from genus and epithet, else from the binomial."""
    rows = rows.copy()
    species = rows["species"] if "species" in rows else pd.Series(None, index=rows.index, dtype="str")
    if "epithet" in rows:
        species = species.fillna(rows["epithet"])
    if "genus" not in rows:
        species = species.where(species.str.contains(r"[ _]", na=False))  # an epithet alone names no species
    if "binomial" in rows:
        # GBIF's scientificName holds the author: Pica hudsonia (Sabine, 1823). These are no species: one word; a second
        # word that ends with a dot (Pica cf. hudsonia); a taxon of uncertain position (incertae sedis).
        binomial = rows["binomial"].str.extract(r"^(\S+[ _](?!incertae\b)[^\W\d_A-Z][^\s.]*)(?!\S)", expand=False)
        species = species.fillna(binomial)
    return rows.drop(columns=["epithet", "binomial"], errors="ignore").assign(species=species)
