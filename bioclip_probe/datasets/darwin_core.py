"""Darwin Core archives, as GBIF and its publishers give them: records with their taxa, and their pictures.

``darwin-core:PATH``, where PATH is the folder of an archive, with its `meta.xml`, or the ``.zip``. Names come from the
core table: kingdom … genus, species or specificEpithet, else scientificName. The group is recordedBy, else the record.

Archives hold addresses, not pictures. Download the pictures first, into the folder of the archive or of the ``.zip``,
at any depth. A picture belongs to a record

* if a multimedia extension or associatedMedia gives its path, below that folder, ``images/`` or ``media/``;
* if it is the file of an address there, by the end of its path or an identifier: see `readers.media_addresses`;
* if it, or its folder, is called after the record, ``<id>.*`` or ``<id>_<n>.*``: by the gbifID in GBIF's downloads, or
  by the end of its occurrenceID or catalogNumber.

The `image_id` is the path. A picture that belongs to several records shows several taxa: it is left out, and noted.
Pictures of no record, records without a picture, and addresses that were not downloaded are noted too. Nothing is
downloaded.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

import pandas as pd

from bioclip_probe.datasets.dataset import Dataset, dataset_from_files
from bioclip_probe.datasets.readers.columns import complete_rows, known_values, match_columns, notes_on_columns
from bioclip_probe.datasets.readers.darwin_core_archive import KEY, Archive, ArchiveTable, open_archive
from bioclip_probe.datasets.readers.media_addresses import FileMatches, last_piece, match_files
from bioclip_probe.datasets.readers.picture_paths import WEB_ADDRESS, check_picture_paths, collapse_whitespace
from bioclip_probe.datasets.readers.pictures import SUFFIXES, notes_on_left_out, walk_files
from bioclip_probe.errors import DataError, printable, some
from bioclip_probe.tables import RANKS

NAME_TERMS = (*RANKS, "specificEpithet", "scientificName")
OTHER_TERMS = ("taxonRank", "identificationQualifier", "vernacularName", "recordedBy")
ID_TERMS = ("gbifID", "occurrenceID", "taxonID")
#: Further terms of a record after whose end its pictures may be called.
NAMING_TERMS = ("occurrenceID", "catalogNumber", "otherCatalogNumbers")
MEDIA_TERM = "associatedMedia"
MEDIA_TYPES = ("Multimedia", "Image", "Document")  # Document is the Encyclopedia of Life's
# In Audubon Core the identifier names the work, and the access URI the file.
ADDRESS_TERMS = ("accessURI", "identifier")
#: Terms of a medium that may hold its identifier at their end.
IDENTIFIER_TERMS = ("identifier", "catalogNumber", "providerManagedID", "references", "furtherInformationURL")
AMBIGUOUS = "files of that name are there, but several addresses end so; keep the folders of the address too"
NO_PICTURES = r"(?i)moving|sound|video|audio"
#: Between the addresses in associatedMedia: " | " by the standard, other signs before the next address in practice.
_BETWEEN_MEDIA = re.compile(r"\s*[|;]\s*|[,\s]\s*(?=[A-Za-z][A-Za-z0-9+.-]+://)")


def load(path: Path) -> Dataset:
    """Return the pictures of a Darwin Core archive that exist; the module's docstring describes the archive.

    Parameters
    ----------
    path : Path
        The folder or the ``.zip``.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If `path` is no such archive, its core names no taxa or a record twice, or none of its pictures exists.

    Examples
    --------
    >>> load(Path("none.zip"))
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: none.zip: no such file or folder
    """
    path = Path(path)
    archive = open_archive(path)
    folder = path if path.is_dir() else path.parent
    records, names, media = _read_records(archive)
    media, notes = _read_media(archive, records.index, media)
    notes += notes_on_columns({term: term for term in NAME_TERMS}, archive.core.columns)
    files = [file.as_posix() for file in walk_files(folder) if file.suffix.lower() in SUFFIXES]
    identifiers: dict[str, list[str]] = {}
    for address, texts in zip(media["address"], media["identifiers"], strict=True):
        identifiers.setdefault(address, []).extend(texts)
    matches = match_files(files, identifiers)
    records_of_file, without_file = _records_of_files(files, media, names, matches)
    ambiguous = [address for address in without_file if address in matches.ambiguous]
    absent = [address for address in without_file if address not in matches.ambiguous]
    if not records_of_file:
        raise DataError(
            f"{path} has no usable image: no picture of its {len(records)} records is below {folder}"
            + _reasons(files, ambiguous, absent)
        )
    if absent:
        notes.append(f"{len(absent)} pictures left out, only their address is there; fetch them: {some(absent)}")
    if ambiguous:
        notes.append(f"{len(ambiguous)} pictures left out, {AMBIGUOUS}: {some(ambiguous)}")
    shared = [file for file, keys in records_of_file.items() if len(keys) > 1]
    notes += notes_on_left_out("they belong to several records", shared)
    notes += notes_on_left_out("they belong to no record", [file for file in files if file not in records_of_file])
    pairs = [(file, *keys) for file, keys in records_of_file.items() if len(keys) == 1]
    if not pairs:
        raise DataError(f"{path} has no usable image: each picture belongs to several records: {some(shared)}")
    n_without = len(records.index.difference([key for _, key in pairs]))
    if n_without:
        notes.append(f"{n_without} of {len(records)} records have no picture here")
    rows = records.loc[[key for _, key in pairs]].assign(source=[file for file, _ in pairs])
    return dataset_from_files(path.resolve().stem, folder, rows.assign(image_id=rows["source"]), notes)


def _reasons(files: Sequence[str], ambiguous: Sequence[str], absent: Sequence[str]) -> str:
    """Return why no picture could be used, for the end of a sentence."""
    if ambiguous:
        return f"; {AMBIGUOUS}: {some(ambiguous)}"
    if files:
        addresses = f"; addresses: {some(absent, 2)}" if absent else ""
        return f"; {len(files)} files are there, of no address and no record: {some(files, 2)}{addresses}"
    return f"; it gives {len(absent)} addresses: fetch those first" if absent else ""


def _read_records(archive: Archive) -> tuple[pd.DataFrame, dict[str, str], pd.DataFrame]:
    """Return ranks, common name and group of every record, its key by each of its names, and its associatedMedia."""
    rows = archive.read(archive.core, (*NAME_TERMS, *OTHER_TERMS, *ID_TERMS, *NAMING_TERMS, MEDIA_TERM))
    if not rows.columns.intersection(NAME_TERMS).size:
        raise DataError(
            f"{archive.path} names no taxa in its core, of {printable(archive.core.row_type)}: "
            f"expected some of {', '.join(NAME_TERMS)}"
        )
    ids = [name for name in (KEY, *ID_TERMS) if name in rows]
    if not ids:
        raise DataError(f"{archive.path} gives its records no id: expected one of {', '.join(ID_TERMS)}")
    key = rows[ids[0]].rename(None)
    repeated = key[key.isna() | key.duplicated()]
    if len(repeated):
        raise DataError(
            f"{archive.path} has {len(repeated)} records without an id or with that of another: "
            f"{some(repeated.fillna('none').unique())}"
        )
    matched = match_columns(name for name in (*NAME_TERMS, *OTHER_TERMS) if name in rows)
    values = {meaning: collapse_whitespace(rows[term]) for meaning, term in matched.items()}
    if rows.empty:
        raise DataError(f"{archive.path} has no usable image: its core has no record")
    records = complete_rows(pd.DataFrame({"image_id": key, **values}, dtype="str"), archive.path)
    records = records.reindex(columns=[*RANKS, "common", "group"]).astype("str").set_index(key)
    records["group"] = known_values(records["group"]).fillna(pd.Series(key.to_numpy(), records.index))
    media = pd.DataFrame({KEY: key, "address": rows.get(MEDIA_TERM)}, dtype="str").dropna()
    media = media.assign(address=media["address"].map(_BETWEEN_MEDIA.split).astype(object)).explode("address")
    return records, _names_of_records(key, rows), media[media["address"].fillna("") != ""]


def _names_of_records(key: pd.Series, rows: pd.DataFrame) -> dict[str, str]:
    """Return the key of the record that each name is of; names of several records are left out, keys are not."""
    names: dict[str, str] = {}
    for term in NAMING_TERMS:
        if term in rows:
            texts = rows[term].dropna().map(last_piece)
            texts = texts[~texts.duplicated(keep=False)]
            names |= dict(zip(texts, key[texts.index], strict=True))
    return names | {text.casefold(): text for text in key} | dict(zip(key, key, strict=True))


def _read_media(archive: Archive, records: pd.Index, media: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return the media that are pictures of a record, those in the extensions too, and notes.

    The columns are `KEY`, the id of the record, ``address``, ``identifiers``, a list of what stands beside it, and
    ``local``, True if the address is a path.
    """
    notes: list[str] = []
    frames = [media.assign(identifiers=[[] for _ in range(len(media))])]
    for table in archive.extensions:
        if table.row_type in MEDIA_TYPES and table.key is not None:
            rows, table_notes = _read_media_table(archive, table)
            frames.append(rows)
            notes += table_notes
    media = pd.concat([frame for frame in frames if len(frame)] or frames[:1], ignore_index=True)
    media = media[~media.duplicated([KEY, "address"])].reset_index(drop=True)
    local = ~media["address"].str.match(rf"{WEB_ADDRESS}|//").astype(bool)
    media.loc[local, "address"] = check_picture_paths(media.loc[local, "address"], archive.path)
    orphans = ~media[KEY].isin(records)
    if orphans.any():
        keys = some(media.loc[orphans, KEY].unique())
        notes.append(f"{orphans.sum()} media left out, there is no record {keys}")
    return media.assign(local=local)[~orphans], notes


def _read_media_table(archive: Archive, table: ArchiveTable) -> tuple[pd.DataFrame, list[str]]:
    notes = []
    rows = archive.read(table, (*ADDRESS_TERMS, *IDENTIFIER_TERMS, "type", "format"))
    no_picture = pd.Series(False, index=rows.index)
    for name in {"type", "format"} & set(rows):
        no_picture |= rows[name].str.contains(NO_PICTURES, regex=True).fillna(False).astype(bool)
    rows["address"] = pd.Series(None, index=rows.index, dtype="str")
    for name in ADDRESS_TERMS:
        if name in rows:
            rows["address"] = rows["address"].fillna(rows[name])
    nameless = rows[[KEY, "address"]].isna().any(axis=1) & ~no_picture
    if no_picture.any():
        notes.append(f"{no_picture.sum()} media left out, they are not pictures (sound, video)")
    if nameless.any():
        numbers = some(rows.index[nameless] + 1)
        notes.append(f"{nameless.sum()} media left out, no record or no address: rows {numbers}")
    rows = rows[~no_picture & ~nameless]
    beside = [rows[name].fillna("") for name in IDENTIFIER_TERMS if name in rows]
    texts = zip(*beside, strict=True) if beside else ((),) * len(rows)
    identifiers = [
        [text for text in row if text and text != address] for row, address in zip(texts, rows["address"], strict=True)
    ]
    return rows[[KEY, "address"]].assign(identifiers=identifiers), notes


def _records_of_files(
    files: Sequence[str], media: pd.DataFrame, names: Mapping[str, str], matches: FileMatches
) -> tuple[dict[str, set[str]], list[str]]:
    """Return the records that each picture belongs to, and the web addresses without a picture.

    A path that the archive gives belongs to its record even if the file does not exist.
    """
    existing = set(files)
    records_of_file: dict[str, set[str]] = {}
    without_file = []
    for key, address, local in zip(media[KEY], media["address"], media["local"], strict=True):
        paths = (address, f"images/{address}", f"media/{address}") if local else ()
        file = next(
            (path for path in paths if path in existing), matches.file_of.get(address, address if local else "")
        )
        if file:
            records_of_file.setdefault(file, set()).add(key)
        else:
            without_file.append((key, address))
    n_named: Counter[str] = Counter()  # files that are called after each record
    for file in files:
        key = _record_named(file, names, is_matched=file in records_of_file)
        if key is not None and key not in records_of_file.setdefault(file, set()):
            records_of_file[file].add(key)
            n_named[key] += 1
    addresses = []
    for key, address in without_file:  # each file that is called after a record accounts for one of its addresses
        if n_named[key]:
            n_named[key] -= 1
        else:
            addresses.append(address)
    return {file: keys for file, keys in records_of_file.items() if keys}, addresses


def _record_named(file: str, names: Mapping[str, str], is_matched: bool) -> str | None:
    """Return the record that a file is called after; the folder of a file counts only if no address is its own."""
    path = PurePosixPath(file)
    candidates = [path.stem, re.sub(r"[_ -]\(?\d+\)?$", "", path.stem)]
    if not is_matched:
        candidates += [candidate.casefold() for candidate in candidates] + [path.parent.name]
    return next((names[candidate] for candidate in candidates if candidate in names), None)
