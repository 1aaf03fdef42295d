"""Darwin Core archives, as GBIF and its publishers give them: records with their taxa, and their pictures.

``darwin-core:PATH``, where PATH is the folder of an archive, with its `meta.xml`, or the ``.zip``. Names come from the
core table: kingdom … genus, species or specificEpithet, else the binomial at the beginning of scientificName. The group
is recordedBy, else the record.

Archives hold addresses, not pictures. Download the pictures first, into the folder of the archive or of the ``.zip``,
at any depth. A picture belongs to a record

* if the multimedia extension gives its path, below that folder, ``images/`` or ``media/``;
* if it has the file name at the end of an address there, and no other address and no other file has that name;
* if it is called ``<id>.*`` or ``<id>_<n>.*`` after the id of the record, the gbifID in GBIF's downloads.

The `image_id` is the path. A picture that belongs to several records shows several taxa: it is left out, and noted.
Pictures of no record, records without a picture, and addresses that were not downloaded are noted too. Nothing is
downloaded.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

import pandas as pd

from bioclip_probe.datasets.dataset import Dataset, dataset_from_files
from bioclip_probe.datasets.readers.darwin_core_archive import KEY, Archive, ArchiveTable, open_archive
from bioclip_probe.datasets.readers.picture_paths import WEB_ADDRESS, check_picture_paths, collapse_whitespace
from bioclip_probe.datasets.readers.pictures import SUFFIXES, notes_on_left_out, walk_files
from bioclip_probe.errors import DataError, printable, some
from bioclip_probe.tables import RANKS

NAME_TERMS = (*RANKS, "specificEpithet", "scientificName")
OTHER_TERMS = ("vernacularName", "recordedBy")
ID_TERMS = ("gbifID", "occurrenceID", "taxonID")
MEDIA_TYPES = ("Multimedia", "Image")
# In Audubon Core the identifier names the work, and the access URI the file.
ADDRESS_TERMS = ("accessURI", "identifier")
NO_PICTURES = r"(?i)moving|sound|video|audio"


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
    records = _read_records(archive)
    media, notes = _read_media(archive, records.index)
    files = [file.as_posix() for file in walk_files(folder) if file.suffix.lower() in SUFFIXES]
    records_of_file, not_downloaded = _records_of_files(files, media, set(records.index))
    if not records_of_file:
        raise DataError(
            f"{path} has no usable image: no picture of its {len(records)} records is below {folder}"
            + (f"; it gives {len(not_downloaded)} web addresses: download those first" if not_downloaded else "")
        )
    if not_downloaded:
        notes.append(
            f"{len(not_downloaded)} pictures left out, only their web address is there; download them: "
            f"{some(not_downloaded)}"
        )
    shared = [file for file, keys in records_of_file.items() if len(keys) > 1]
    notes += notes_on_left_out("they belong to several records", shared)
    notes += notes_on_left_out("they belong to no record", [file for file in files if file not in records_of_file])
    pairs = [(file, *keys) for file, keys in records_of_file.items() if len(keys) == 1]
    n_without = len(records.index.difference([key for _, key in pairs]))
    if n_without:
        notes.append(f"{n_without} of {len(records)} records have no picture here")
    rows = records.loc[[key for _, key in pairs]].assign(source=[file for file, _ in pairs])
    return dataset_from_files(path.resolve().stem, folder, rows.assign(image_id=rows["source"]), notes)


def _read_records(archive: Archive) -> pd.DataFrame:
    """Return ranks, common name and group of every record, with its id as the index."""
    rows = archive.read(archive.core, (*NAME_TERMS, *OTHER_TERMS, *ID_TERMS))
    if not rows.columns.intersection(NAME_TERMS).size:
        raise DataError(
            f"{archive.path} names no taxa in its core, of {printable(archive.core.row_type)}: "
            f"expected some of {', '.join(NAME_TERMS)}"
        )
    ids = [name for name in (KEY, *ID_TERMS) if name in rows]
    if not ids:
        raise DataError(f"{archive.path} gives its records no id: expected one of {', '.join(ID_TERMS)}")
    key = rows[ids[0]]
    repeated = key[key.isna() | key.duplicated()]
    if len(repeated):
        raise DataError(
            f"{archive.path} has {len(repeated)} records without an id or with that of another: "
            f"{some(repeated.fillna('none').unique())}"
        )
    for name in (*NAME_TERMS, *OTHER_TERMS):
        rows[name] = collapse_whitespace(rows[name]) if name in rows else pd.Series(None, index=rows.index, dtype="str")
    # scientificName may hold an author, a higher rank, or open nomenclature: Pica Brisson, 1760; Pica cf. hudsonia.
    binomial = rows["scientificName"].str.extract(r"^(\S+ (?!incertae)[^\W\d_A-Z][\w-]*)(?:\s|$)", expand=False)
    epithet = rows["specificEpithet"].where(rows["genus"].notna())
    records = rows.assign(
        species=rows["species"].fillna(epithet).fillna(binomial),
        common=rows["vernacularName"],
        group=rows["recordedBy"].fillna(key),
    )
    return records[[*RANKS, "common", "group"]].set_index(key.rename(None))


def _read_media(archive: Archive, records: pd.Index) -> tuple[pd.DataFrame, list[str]]:
    """Return the rows of the multimedia extensions that are pictures of a record, and notes.

    The columns are `KEY`, the id of the record, ``address``, and ``local``, True if the address is a path.
    """
    notes: list[str] = []
    frames = [pd.DataFrame({KEY: [], "address": []}, dtype="str")]
    for table in archive.extensions:
        if table.row_type in MEDIA_TYPES and table.key is not None:
            rows, table_notes = _read_media_table(archive, table)
            frames.append(rows)
            notes += table_notes
    media = pd.concat(frames, ignore_index=True)
    local = ~media["address"].str.match(WEB_ADDRESS).astype(bool)
    media.loc[local, "address"] = check_picture_paths(media.loc[local, "address"], archive.path)
    orphans = ~media[KEY].isin(records)
    if orphans.any():
        keys = some(media.loc[orphans, KEY].unique())
        notes.append(f"{orphans.sum()} media left out, there is no record {keys}")
    return media.assign(local=local)[~orphans], notes


def _read_media_table(archive: Archive, table: ArchiveTable) -> tuple[pd.DataFrame, list[str]]:
    notes = []
    rows = archive.read(table, (*ADDRESS_TERMS, "type", "format"))
    no_picture = pd.Series(False, index=rows.index)
    for name in {"type", "format"} & set(rows):
        no_picture |= rows[name].str.contains(NO_PICTURES, regex=True).fillna(False).astype(bool)
    rows["address"] = pd.Series(None, index=rows.index, dtype="str")
    for name in ADDRESS_TERMS:
        if name in rows:
            rows["address"] = rows["address"].fillna(rows[name])
    nameless = rows[[KEY, "address"]].isna().any(axis=1) & ~no_picture
    if no_picture.any():
        notes.append(f"{no_picture.sum()} media left out, they are no pictures (sound, video)")
    if nameless.any():
        numbers = some(rows.index[nameless] + 1)
        notes.append(f"{nameless.sum()} media left out, no record or no address: rows {numbers}")
    return rows.loc[~no_picture & ~nameless, [KEY, "address"]], notes


def _records_of_files(
    files: Sequence[str], media: pd.DataFrame, records: set[str]
) -> tuple[dict[str, set[str]], list[str]]:
    """Return the records that each picture belongs to, and the web addresses without a picture.

    A path that the archive gives belongs to its record even if the file does not exist.
    """
    records_of_file: dict[str, set[str]] = {}
    without_file = []
    paths = _paths_of_addresses(files, media)
    for key, address, path in zip(media[KEY], media["address"], paths, strict=True):
        if path is None:
            without_file.append((key, address))
        else:
            records_of_file.setdefault(path, set()).add(key)
    n_named: Counter[str] = Counter()  # files that are called after each record
    for file in files:
        stem = PurePosixPath(file).stem
        key = stem if stem in records else re.sub(r"_\d+$", "", stem)
        if key in records and key not in records_of_file.setdefault(file, set()):
            records_of_file[file].add(key)
            n_named[key] += 1
    not_downloaded = []
    for key, address in without_file:  # each file that is called after a record accounts for one of its addresses
        if n_named[key]:
            n_named[key] -= 1
        else:
            not_downloaded.append(address)
    return {file: keys for file, keys in records_of_file.items() if keys}, not_downloaded


def _paths_of_addresses(files: Sequence[str], media: pd.DataFrame) -> list[str | None]:
    """Return the path of each address, None for a web address without a file.

    A path is used as it is or in one of the usual folders; otherwise the file must have the same name as the address,
    and no other file or address may have it.
    """
    existing = set(files)
    by_name = {_file_name(file): file for file in files}
    n_files = Counter(map(_file_name, files))
    n_addresses = Counter(map(_file_name, media["address"].unique()))
    paths: list[str | None] = []
    for address, local in zip(media["address"], media["local"], strict=True):
        candidates = (address, f"images/{address}", f"media/{address}") if local else ()
        matches = [path for path in candidates if path in existing]
        name = _file_name(address)
        if not matches and n_files[name] == n_addresses[name] == 1:
            matches = [by_name[name]]
        paths.append(matches[0] if matches else address if local else None)
    return paths


def _file_name(address: str) -> str:
    if re.match(WEB_ADDRESS, address):
        address = unquote(re.split(r"[?#]", address)[0])
    return address.rpartition("/")[2]
