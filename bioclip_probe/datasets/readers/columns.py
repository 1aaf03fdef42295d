"""Columns of tables of pictures: the names each may have, and the taxa, ids and paths that they give.

A *meaning* is one of the keys of `COLUMN_NAMES`: a rank, ``source`` (the path of the picture), ``image_id`` and so on.
Readers of CSV, Parquet, NumPy and AnnData files all match their columns to meanings here.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

import pandas as pd

from bioclip_probe.errors import DataError, printable, some
from bioclip_probe.tables import RANKS
from bioclip_probe.tree.name_markers import QUALIFIED_GENUS
from bioclip_probe.tree.naming import read_name, read_names
from bioclip_probe.tree.spelling import clean, is_placeholder

#: The names each column may have, without capitals, spaces and signs; the first name that a table has is used.
COLUMN_NAMES: dict[str, tuple[str, ...]] = {
    "source": (
        "filepath", "path", "imagepath", "relativepath", "filename", "imagefile", "imagefilename", "file", "image",
        "img", "imgpath", "photo",
    ),
    "kingdom": ("kingdom", "regnum"),
    "phylum": ("phylum", "division"),
    "class": ("cls", "class", "classname", "classis"),  # beside `cls`, a `class` is the target of a classifier
    "order": ("order", "ordername", "ordo"),
    "family": ("family", "familyname", "familia"),
    "genus": ("genus", "genusname", "genericname"),
    "species": ("species", "speciesname"),
    "epithet": ("specificepithet", "epithet", "speciesepithet"),
    "binomial": (
        "sciname", "scientificname", "sp", "binomial", "canonicalname", "latinname", "taxonname",
        "acceptedscientificname", "speciesscientificname",
    ),
    "taxon_rank": ("taxonrank",),
    "qualifier": ("identificationqualifier",),  # of Darwin Core: cf. hudsonia
    "image_id": ("imageid", "uuid", "treeoflifeid", "rarespeciesid"),
    "common": ("common", "commonname", "vernacularname", "taxoncommonname"),
    "group": ("group", "observationid", "observationuuid", "rightsholder", "photographer", "recordedby"),
    "split": ("split",),
    "status": ("resolutionstatus",),  # of TaxonoPy
    "mask": ("mask", "maskpath", "maskfile", "maskfilename"),
}  # fmt: skip
#: Words around the name of a rank that do not change it: taxon_family_name, dwc_family, taxonomy.family.
_AROUND_RANKS = frozenset("dwc taxon taxa taxonomy taxonomic tax lineage classification name names".split())
_RANK_WORD = re.compile(
    r"(?:sub|super|infra|parv|mega|giga|micro|inter)?(?:domain|kingdom|regnum|phylum|division|class|cohort|order|ordo|"
    r"family|familia|tribe|tribus|genus|species|epithet)|cls|"
    # In other languages these are named, and not read.
    r"reino|filo|clase|orden|famille|familie|genero|genre|especie|espece|ordnung|klasse|gattung"
)
#: Words that only the whole name of a column is made of, or that stand in it one after the other.
_NAMES_OF_TAXA = re.compile(
    r".*scientificname.*|(?:full)?(?:taxonomy|taxon|taxa|lineage|classification)(?:string)?|acceptednameusage|"
    # In other languages these are named, and not read.
    r"nomscientifique|nombrecientifico|nomecientifico|wissenschaftlichername"
)
#: Words by which a column counts, numbers or judges taxa, and does not name them.
_NO_NAMES = frozenset(
    "id ids key keys code codes guid uri url link n no num nr number count counts total index idx rank confidence "
    "score prob probability path file author authorship remarks status source by to of infraspecific".split()
)


#: A scientific name that may say that its species is not certain: few do, and only these are parsed.
_MAY_BE_OPEN = re.compile(r"\b(?:cf|c\.f|aff|nr|near|spp?|agg|gr|group|complex|hybrid|or)\b|[×/?&]|\b[xX]\b|\d")
_OPEN = frozenset(["open nomenclature", "interim name", "hybrid formula", "several taxa", "aggregate"])


def match_columns(columns: Iterable[str]) -> dict[str, str]:
    """Return the column for each meaning in `COLUMN_NAMES` that a table has.

    Capitals, spaces and signs do not matter, nor do words around the name of a rank: ``dwc:family``, ``taxon.family``,
    ``taxon_family_name``.

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
    >>> match_columns(["File_Name", "dwc:genus", "taxon_order_name", "note"])
    {'source': 'File_Name', 'order': 'taxon_order_name', 'genus': 'dwc:genus'}
    """
    plain_names: dict[str, str] = {}
    reduced_names: dict[str, str] = {}
    for column in columns:
        words = _words(column)
        plain_names.setdefault("".join(words[words[:1] == ["dwc"] :]), column)
        reduced_names.setdefault("".join(word for word in words if word not in _AROUND_RANKS), column)
    matched = {}
    for meaning, names in COLUMN_NAMES.items():
        choice = [plain_names[name] for name in names if name in plain_names]
        if meaning in (*RANKS, "epithet"):
            choice += [reduced_names[name] for name in names if name in reduced_names]
        if choice:
            matched[meaning] = choice[0]
    return matched


def _words(column: object) -> list[str]:
    """Return the words of the name of a column in small letters: taxonFamily_name → taxon, family, name."""
    name = re.sub(r"^https?://.*[/#](?=.)", "", str(column))  # terms of Darwin Core are addresses
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", unicodedata.normalize("NFKD", name))
    parted = "".join(sign for sign in parted if not unicodedata.combining(sign))
    return re.findall(r"[a-z0-9]+", parted.lower())


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


def known_values(values: pd.Series) -> pd.Series:
    """Return the texts of a column in clean spelling, with missing values in place of placeholders such as 'unknown'.

    Parameters
    ----------
    values : Series, n rows
        Names of taxa, persons, places … The number 0 is no placeholder in a column of numbers.

    Returns
    -------
    Series, n rows, dtype str

    Examples
    --------
    >>> known_values(pd.Series(["Ada", "NA", "unknown"])).tolist(), known_values(pd.Series(["0", "1"])).tolist()
    (['Ada', nan, nan], ['0', '1'])
    """
    texts = values.astype("str")
    spelling = {text: None if is_placeholder(text) else clean(text) for text in texts.dropna().unique()}
    if (
        "0" in spelling
        and all(name is None or name.isdecimal() for name in spelling.values())
        and any(spelling.values())
    ):
        spelling["0"] = "0"
    return texts.map(spelling).astype("str")


def notes_on_columns(matched: Mapping[str, str], columns: Iterable[str] = ()) -> list[str]:
    """Return a note for each column whose name differs from its meaning, and one on columns that were not read.

    Parameters
    ----------
    matched : mapping from str to str
        Meaning to column, as `match_columns` returns it.
    columns : iterable of str
        All columns of the table. Those that look like the name of a rank and were not read are noted.

    Returns
    -------
    list of str

    Examples
    --------
    >>> notes_on_columns({"source": "path", "genus": "genus"}, ["path", "genus", "subfamily", "speciesKey"])
    ["'path' was read as source", "columns that look like ranks were not read: 'subfamily'"]
    """
    notes = [f"'{printable(column)}' was read as {meaning}" for meaning, column in matched.items() if column != meaning]
    used = set(matched.values())
    unread = [f"'{column}'" for column in columns if column not in used and _looks_like_rank(column)]
    if unread:
        notes.append(f"columns that look like ranks were not read: {some(unread)}")
    return notes


def _looks_like_rank(column: object) -> bool:
    """Return whether a column may give the names of taxa of some rank."""
    words = _words(column)
    whole = "".join(words)
    if _NO_NAMES.intersection(words):
        return False
    return bool(_NAMES_OF_TAXA.fullmatch(whole)) or any(_RANK_WORD.fullmatch(word) for word in (*words, whole))


def complete_rows(values: pd.DataFrame, table: object) -> pd.DataFrame:
    """Return rows with a column `species`, and with `source` as their `image_id` if they have none.

    Parameters
    ----------
    values : DataFrame, dtype str
        One column for each meaning that the table has. `epithet` and `binomial` are merged into `species`, as they are
        written: `dataset_from_rows` reads the names. A scientific name of a higher taxon is no species; with its
        ``taxonRank`` it fills that rank. A scientific name with ``cf.``, of a hybrid formula and the like goes before
        the other columns of the species, and so does a ``qualifier`` such as ``cf.``.
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
    ['1.jpg', 'Pica hudsonia (Sabine, 1823)', '1.jpg']
    """
    if values.empty:
        raise DataError(f"{table} has no usable image: it has no row below its header")
    rows = _with_species(values)
    return rows if "image_id" in rows else rows.assign(image_id=rows["source"])


def _with_species(rows: pd.DataFrame) -> pd.DataFrame:
    """Fill `species` from the column itself, else from genus and epithet, else from the scientific name."""
    names = ("genus", "species", "epithet", "binomial")
    known = {name: _without_placeholders(rows[name]) if name in rows else _missing(rows) for name in names}
    species = known["species"].fillna(known["epithet"])
    # An epithet without its genus names no species; the scientific name may.
    is_epithet = known["genus"].isna() & ~species.str.contains(r"[ _]", na=True)
    species = species.mask(is_epithet & known["binomial"].notna()).fillna(known["binomial"])
    # Pica, hudsonia, "Pica cf. hudsonia": the species is not certain, though its epithet stands alone.
    is_open = known["binomial"].isin([text for text in known["binomial"].dropna().unique() if is_open_name(text)])
    species = species.where(~is_open, known["binomial"])
    if "qualifier" in rows:
        doubtful = rows["qualifier"].str.match(QUALIFIED_GENUS).fillna(False).astype(bool) & species.notna()
        species = species.where(~doubtful, rows["qualifier"])
    if "species" in rows:
        species = species.fillna(rows["species"])  # a placeholder, which is noted
    rows = rows.assign(species=species)
    if "binomial" in rows:
        rows = _without_higher_taxa(rows)
    return rows.drop(columns=["epithet", "binomial", "taxon_rank", "qualifier"], errors="ignore")


@lru_cache(maxsize=1 << 16)
def is_open_name(text: str) -> bool:
    """Return True if a scientific name says that its species is not certain, or that it is a hybrid or several.

    Parameters
    ----------
    text : str

    Returns
    -------
    bool

    Examples
    --------
    >>> [is_open_name(text) for text in ("Pica cf. hudsonia", "Pica hudsonia × pica", "Pica hudsonia", "Pica")]
    [True, True, False, False]
    """
    if not _MAY_BE_OPEN.search(text):
        return False
    name = read_name(text)
    return name.genus is not None and name.reason in _OPEN


def _without_higher_taxa(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows whose scientific name is no species where it names a higher taxon: Corvus; Corvidae Leach, 1820.

    Where another column gives its rank and that rank is missing, it is filled.
    """
    rows = rows.copy()
    from_binomial = rows["species"].notna() & (rows["species"] == rows["binomial"])
    names = read_names(rows["binomial"][from_binomial].unique())
    taxa = {text: name.taxon for text, name in names.items() if name.reason == "higher taxon" and name.taxon}
    is_higher = from_binomial & rows["binomial"].isin(taxa)
    rows.loc[is_higher, "species"] = None
    if "taxon_rank" not in rows:
        return rows
    rank_of_row = rows["taxon_rank"].str.lower()
    for rank in RANKS[:-1]:
        given = _without_placeholders(rows[rank]) if rank in rows else _missing(rows)
        taxon = rows["binomial"].map(taxa).astype("str").where(is_higher & (rank_of_row == rank))
        if taxon.notna().any():
            rows[rank] = given.fillna(taxon)
    return rows


def _without_placeholders(values: pd.Series) -> pd.Series:
    return values.where(known_values(values).notna())


def _missing(rows: pd.DataFrame) -> pd.Series:
    return pd.Series(None, index=rows.index, dtype="str")
