"""Darwin Core archives, as GBIF and its publishers give them: records with their taxa, and the pictures of them.

``darwin-core:PATH``, where PATH is the folder of an archive, with its `meta.xml`, or the ``.zip``. Names come from the
core table: kingdom … genus, species or specificEpithet, else the binomial that begins scientificName. The group is
recordedBy, else the record.

Archives hold addresses, not pictures. Download those first, into the folder of the archive or of the ``.zip``, at any
depth. A picture belongs to a record

* if the multimedia extension gives its path, below that folder, ``images/`` or ``media/``;
* if it has the file name that ends an address there, and no other address ends, and no other file is called, so;
* if it is called ``<id>.*`` or ``<id>_<n>.*`` after the id of the record, the gbifID in GBIF's downloads.

The `image_id` is the path. A picture that belongs to several records shows several taxa: it is left out, and noted,
as are pictures of none, records without one, and addresses not downloaded. Nothing is fetched.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

import pandas as pd

from bioclip_probe.datasets.dataset import Dataset
from bioclip_probe.datasets.readers.darwin_core_archive import KEY, Archive, archive_at
from bioclip_probe.datasets.readers.pictures import SUFFIXES, dataset_of_files, left_out, walk
from bioclip_probe.datasets.readers.text_tables import WEB, checked_sources, collapse_whitespace, printable
from bioclip_probe.errors import DataError, some
from bioclip_probe.tables import RANKS

NAMES = (*RANKS, "specificEpithet", "scientificName")
OTHERS = ("vernacularName", "recordedBy")
IDS = ("gbifID", "occurrenceID", "taxonID")
MEDIA = ("Multimedia", "Image")
ADDRESSES = ("accessURI", "identifier")  # in Audubon Core the identifier names the work, the access URI the file
NO_PICTURES = r"(?i)moving|sound|video|audio"


def load(path: Path) -> Dataset:
    """The pictures of a Darwin Core archive that are there; see the module.

    Raises
    ------
    DataError
        If `path` is no such archive, its core names no taxa or a record twice, or not one of its pictures is there.
    """
    path = Path(path)
    archive = archive_at(path)
    folder = path if path.is_dir() else path.parent
    records = _records(archive)
    media, notes = _media(archive, records.index)
    files = [file.as_posix() for file in walk(folder) if file.suffix.lower() in SUFFIXES]
    owners, unmet = _owners(files, media, set(records.index))
    if not owners:
        raise DataError(
            f"{path} has no usable image: no picture of its {len(records)} records is below {folder}"
            + (f"; it gives {len(unmet)} web addresses: download those first" if unmet else "")
        )
    if unmet:
        found = some(map(printable, unmet))
        notes.append(f"{len(unmet)} pictures left out, only their web address is there; download them: {found}")
    notes += left_out("they belong to several records", [file for file, keys in owners.items() if len(keys) > 1])
    notes += left_out("they belong to no record", [file for file in files if file not in owners])
    pairs = [(file, *keys) for file, keys in owners.items() if len(keys) == 1]
    without = len(records.index.difference([key for _, key in pairs]))
    if without:
        notes.append(f"{without} of {len(records)} records have no picture here")
    rows = records.loc[[key for _, key in pairs]].assign(source=[file for file, _ in pairs])
    return dataset_of_files(path.resolve().stem, folder, rows.assign(image_id=rows["source"]), notes)


def _records(archive: Archive) -> pd.DataFrame:
    """The core: ranks, common and group of every record, with its id for the index."""
    rows = archive.read(archive.core, (*NAMES, *OTHERS, *IDS))
    if not rows.columns.intersection(NAMES).size:
        raise DataError(
            f"{archive.path} names no taxa in its core, of {printable(archive.core.row_type)}: "
            f"expected some of {', '.join(NAMES)}"
        )
    ids = [name for name in (KEY, *IDS) if name in rows]
    if not ids:
        raise DataError(f"{archive.path} gives its records no id: expected one of {', '.join(IDS)}")
    key = rows[ids[0]]
    repeated = key[key.isna() | key.duplicated()]
    if len(repeated):
        raise DataError(
            f"{archive.path} has {len(repeated)} records without an id or with that of another: "
            f"{some(map(printable, repeated.fillna('none').unique()))}"
        )
    for name in (*NAMES, *OTHERS):
        rows[name] = collapse_whitespace(rows[name]) if name in rows else pd.Series(None, index=rows.index, dtype="str")
    # scientificName carries the author, or is of a higher rank, or is open: Pica Brisson, 1760; Pica cf. hudsonia.
    binomial = rows["scientificName"].str.extract(r"^(\S+ (?!incertae)[^\W\d_A-Z][\w-]*)(?:\s|$)", expand=False)
    epithet = rows["specificEpithet"].where(rows["genus"].notna())
    records = rows.assign(
        species=rows["species"].fillna(epithet).fillna(binomial),
        common=rows["vernacularName"],
        group=rows["recordedBy"].fillna(key),
    )
    return records[[*RANKS, "common", "group"]].set_index(key.rename(None))


def _media(archive: Archive, records: pd.Index) -> tuple[pd.DataFrame, list[str]]:
    """Rows of the multimedia extensions that are pictures of a record: its id, the address, whether that is a path."""
    notes, found = [], [pd.DataFrame({KEY: [], "address": []}, dtype="str")]
    for table in archive.extensions:
        if table.row_type not in MEDIA or table.key is None:
            continue
        rows = archive.read(table, (*ADDRESSES, "type", "format"))
        other = pd.Series(False, index=rows.index)
        for name in {"type", "format"} & set(rows):
            other |= rows[name].str.contains(NO_PICTURES, regex=True).fillna(False).astype(bool)
        rows["address"] = pd.Series(None, index=rows.index, dtype="str")
        for name in ADDRESSES:
            if name in rows:
                rows["address"] = rows["address"].fillna(rows[name])
        nameless = rows[[KEY, "address"]].isna().any(axis=1) & ~other
        if other.any():
            notes.append(f"{other.sum()} media left out, they are no pictures (sound, video)")
        if nameless.any():
            notes.append(
                f"{nameless.sum()} media left out, no record or no address: rows {some(rows.index[nameless] + 1)}"
            )
        found.append(rows.loc[~other & ~nameless, [KEY, "address"]])
    media = pd.concat(found, ignore_index=True)
    local = ~media["address"].str.match(WEB).astype(bool)
    media.loc[local, "address"] = checked_sources(media.loc[local, "address"], archive.path)
    orphans = ~media[KEY].isin(records)
    if orphans.any():
        lost = some(map(printable, media.loc[orphans, KEY].unique()))
        notes.append(f"{orphans.sum()} media left out, there is no record {lost}")
    return media.assign(local=local)[~orphans], notes


def _owners(files: list[str], media: pd.DataFrame, records: set[str]) -> tuple[dict[str, set[str]], list[str]]:
    """The records that each picture belongs to, and the web addresses without a picture.

    A path that the archive gives belongs to its record whether there is a file or not.
    """
    owners: dict[str, set[str]] = {}
    led_nowhere = []
    found = _found(files, media)
    for key, address, path in zip(media[KEY], media["address"], found, strict=True):
        if path is None:
            led_nowhere.append((key, address))
        else:
            owners.setdefault(path, set()).add(key)
    called: Counter[str] = Counter()
    for file in files:
        stem = PurePosixPath(file).stem
        key = stem if stem in records else re.sub(r"_\d+$", "", stem)
        if key in records and key not in owners.setdefault(file, set()):
            owners[file].add(key)
            called[key] += 1
    unmet = []
    for key, address in led_nowhere:  # the pictures called after a record stand for as many of its addresses
        if called[key]:
            called[key] -= 1
        else:
            unmet.append(address)
    return {file: keys for file, keys in owners.items() if keys}, unmet


def _found(files: list[str], media: pd.DataFrame) -> list[str | None]:
    """The path that each address leads to: as it is, in a usual folder, or by a file name that only these two have."""
    there = set(files)
    by_name = {_name(file): file for file in files}
    n_files = Counter(map(_name, files))
    n_addresses = Counter(map(_name, media["address"].unique()))
    found = []
    for address, local in zip(media["address"], media["local"], strict=True):
        places = (address, f"images/{address}", f"media/{address}") if local else ()
        paths = [path for path in places if path in there]
        name = _name(address)
        if not paths and n_files[name] == n_addresses[name] == 1:
            paths = [by_name[name]]
        found.append(paths[0] if paths else address if local else None)
    return found


def _name(address: str) -> str:
    if re.match(WEB, address):
        address = unquote(re.split(r"[?#]", address)[0])
    return address.rpartition("/")[2]
