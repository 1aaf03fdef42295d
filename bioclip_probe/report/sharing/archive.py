"""The archive of a study for another laboratory: one zip without vectors, pictures, pages and paths of this machine."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any
from urllib.parse import unquote

import numpy as np
import pandas as pd

from bioclip_probe.errors import DataError, one_line
from bioclip_probe.files import sha256_of_bytes
from bioclip_probe.study.bundle import crate
from bioclip_probe.study.checksums import SUMS, read_sums, sums_text
from bioclip_probe.study.machine_paths import is_absolute, without_paths
from bioclip_probe.study.submission import FILE, as_json
from bioclip_probe.study.verification.outcome import VERIFICATION

#: Files of a results folder that the archive leaves out, with the reason; a folder stands for all files in it.
LEFT_OUT = {
    "report.html": "drawn from the tables; it shows pictures, which may not be yours to publish",
    "explorer.html": "it shows pictures, which may not be yours to publish",
    "figures": "drawn from the tables",
    "appendix": "drawn from the tables",
    "pieces": "finished pieces of the work, which only the machine of the study can use",
}
#: Tables with a column of image ids.
TABLES = ("images.parquet", "predictions.parquet", "coordinates.parquet")
#: Files of a folder without a list of checksums, which an earlier version wrote.
WITHOUT_LIST = ("runs.json", "study.toml", "measurements.parquet", "measurements.csv", *TABLES)
#: The store is not a part of a results folder; the archive says where it is nevertheless.
STORE = "the vectors stay in the store: another laboratory embeds the pictures again, and witness.npz holds 64 of them"
#: The earliest time that a zip can hold. All members have this time, so that the same study gives the same bytes.
TIME = (1980, 1, 1, 0, 0, 0)


def archive_members(folder: Path, content: Mapping[str, Any]) -> tuple[dict[str, bytes], dict[str, str]]:
    """Return the files of an archive, and the files that are left out of it.

    Parameters
    ----------
    folder : Path
        A results folder.
    content : mapping
        Its submission; who submits it and under which licence is written into ``CITATION.cff`` and the RO-Crate too.

    Returns
    -------
    members : dict from str to bytes
        By their name. ``SHA256SUMS`` and ``ro-crate-metadata.json`` are about these files, and absolute paths are cut
        to their last name.
    left_out : dict from str to str
        The reason, by the name of a file or folder.

    Raises
    ------
    DataError
        If a file cannot be read.

    Examples
    --------
    >>> members, left_out = archive_members(Path("no/such/folder"), {"who": None, "licence": None})
    >>> list(members), list(left_out)
    (['submission.json', 'SHA256SUMS'], ['vectors'])
    """
    listed = [*read_sums(folder)] or [*WITHOUT_LIST]
    names = [name for name in listed if PurePosixPath(name).parts[0] not in LEFT_OUT]
    members = {name: _read(folder / name) for name in sorted({*names, VERIFICATION}) if (folder / name).is_file()}
    members[FILE] = as_json(content).encode()
    members = _without_private_ids(members)
    for name, data in members.items():
        members[name] = _without_machine_paths(name, data)
    _rename_study(members)
    _sign(members, content)
    if crate.FILE in members:
        members[crate.FILE] = _crate_of(members, content)
    sums = {name: sha256_of_bytes(data) for name, data in members.items() if name not in (SUMS, VERIFICATION)}
    members[SUMS] = sums_text(sums).encode()
    left_out = {name: reason for name, reason in LEFT_OUT.items() if (folder / name).exists()}
    return members, {**left_out, "vectors": STORE}


def zip_bytes(members: Mapping[str, bytes], folder: str) -> bytes:
    """Return a zip of some files inside one folder; the same files give the same bytes.

    Parameters
    ----------
    members : mapping from str to bytes
    folder : str
        The folder that the zip unpacks to.

    Returns
    -------
    bytes

    Examples
    --------
    >>> zip_bytes({"a": b"Pica", "b": b""}, "birds") == zip_bytes({"b": b"", "a": b"Pica"}, "birds")
    True
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        for name in sorted(members):
            member = zipfile.ZipInfo(f"{folder}/{name}", TIME)
            member.create_system, member.external_attr = 3, 0o644 << 16  # the same on every system
            member.compress_type = zipfile.ZIP_DEFLATED
            file.writestr(member, members[name])
    return buffer.getvalue()


def _read(path: Path) -> bytes:
    """Return the content of a file."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or one_line(error)}") from None


def _without_machine_paths(name: str, data: bytes) -> bytes:
    """Return a text file without absolute paths; a JSON file also without other facts about one machine."""
    if name.endswith(".json"):
        content = _parsed(name, data)
        cut = without_paths(_without_machine(content))
        return data if cut == content else (json.dumps(cut, indent=1, ensure_ascii=False) + "\n").encode()
    if name.endswith((".toml", ".txt", ".cff")):
        return str(without_paths(data.decode("utf-8", errors="replace"))).encode()
    return data


def _parsed(name: str, data: bytes) -> Any:
    """Return the content of a file of JSON."""
    try:
        return json.loads(data)
    except ValueError as error:
        raise DataError(f"{name} is damaged: {one_line(error)}; run the study again with --overwrite") from None


def _without_machine(value: Any, key: str = "") -> Any:
    """Return a record without arguments of commands and addresses of clusters, which may name people and places."""
    if key == "command" and isinstance(value, str):
        words = value.split()
        return " ".join(words[:2]) + (" …" if len(words) > 2 else "")
    if key == "engine" and isinstance(value, str):
        return value.partition(":")[0]
    if isinstance(value, dict):
        return {name: _without_machine(item, name) for name, item in value.items()}
    return [_without_machine(item) for item in value] if isinstance(value, list) else value


def _without_private_ids(members: dict[str, bytes]) -> dict[str, bytes]:
    """Return the files with other image ids in place of absolute paths, which are the ids if a table gives none."""
    tables = {name: pd.read_parquet(io.BytesIO(members[name])) for name in TABLES if name in members}
    ids = {str(own) for table in tables.values() for own in table["image_id"].dropna().unique()}
    private = sorted(filter(is_absolute, ids))
    if not private:
        return members
    public = public_ids(private)
    changed = dict(members)
    for name, table in tables.items():
        changed[name] = _parquet(table.assign(image_id=_mapped(table["image_id"], public)))
    if "witness.npz" in members:
        with np.load(io.BytesIO(members["witness.npz"]), allow_pickle=False) as arrays:
            witness = dict(arrays)
        names = [public.get(name, name) for name in witness["image_id"].tolist()]
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **{**witness, "image_id": np.array(names, dtype=np.str_)})
        changed["witness.npz"] = buffer.getvalue()
    return changed


def public_ids(ids: Iterable[str]) -> dict[str, str]:
    """Return a public id for each image id that is an absolute path: its path below the folder that all of them share.

    Parameters
    ----------
    ids : iterable of str

    Returns
    -------
    dict from str to str
        All ids are different. If no folder is common to all, an id is a digest with the name of the file.

    Examples
    --------
    >>> public_ids(["/home/ada/birds/a/1.jpg", "/home/ada/birds/b/1.jpg"])
    {'/home/ada/birds/a/1.jpg': 'a/1.jpg', '/home/ada/birds/b/1.jpg': 'b/1.jpg'}
    """
    parts = {name: PureWindowsPath(name).parts for name in ids}
    folders = [own[:-1] for own in parts.values()]
    depth = 0
    while all(len(own) > depth for own in folders) and len({own[depth] for own in folders}) == 1:
        depth += 1
    if depth > 1:  # more than the root is common
        return {name: "/".join(own[depth:]) for name, own in parts.items()}
    return {name: f"{sha256_of_bytes(name.encode())[:12]}-{own[-1]}" for name, own in parts.items()}


def _mapped(ids: pd.Series, public: Mapping[str, str]) -> pd.Series:
    """Return image ids with public ones in place of private ones; categories stay categories."""
    return (
        ids.astype("str")
        .map(lambda name: public.get(name, name))
        .astype(ids.dtype if ids.dtype == "str" else "category")
    )


def _parquet(table: pd.DataFrame) -> bytes:
    """Return a table as the bytes of a Parquet file."""
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False)
    return buffer.getvalue()


def _rename_study(members: dict[str, bytes]) -> None:
    """Write the new checksum of the study file into the record, since paths may have been cut out of the file."""
    record = _parsed("runs.json", members.get("runs.json", b"{}"))
    if "study" in record and "study.toml" in members:
        digest = sha256_of_bytes(members["study.toml"])
        if record["study"]["sha256"] != digest:
            record["study"]["sha256"] = digest
            members["runs.json"] = json.dumps(record, indent=1).encode()


def _sign(members: dict[str, bytes], content: Mapping[str, Any]) -> None:
    """Write the name of the submitter into the citation file of a study, in place of "anonymous"."""
    if content["who"] and "CITATION.cff" in members:
        nobody, author = b"  - name: anonymous\n", f"  - name: {json.dumps(content['who'])}\n".encode()
        comment = b"  # write your names here before you publish"
        members["CITATION.cff"] = members["CITATION.cff"].replace(nobody, author).replace(comment, b"")


def _crate_of(members: Mapping[str, bytes], content: Mapping[str, Any]) -> bytes:
    """Return the RO-Crate without the files that the archive does not hold, and with the licence of the submission."""
    metadata = _parsed(crate.FILE, members[crate.FILE])
    is_here: Callable[[dict[str, Any]], bool] = lambda entity: unquote(str(entity["@id"])) in members  # noqa: E731
    graph = []
    for entity in metadata["@graph"]:
        if entity.get("@type") == "File" and not is_here(entity):
            continue
        lists = {name: [*filter(is_here, entity[name])] for name in ("hasPart", "result") if name in entity}
        signed = {"license": content["licence"]} if content["licence"] and entity["@id"] == "./" else {}
        graph.append({**entity, **lists, **signed})
    return (json.dumps({**metadata, "@graph": graph}, indent=1, ensure_ascii=False) + "\n").encode()
