"""Submissions below a folder: files, results folders and zips from anyone, which are read and never unpacked.

A file counts if its name ends in ``submission.json``; a zip counts if it holds one ``submission.json``, at its top or
one folder down. A ``verification.json`` beside a submission says whether its numbers were recomputed. Only these two
members of a zip are read, into memory, and their declared size is checked before.
"""

from __future__ import annotations

import json
import os
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from bioclip_probe.errors import DataError, ProbeError, errors_in_one_line, one_line, printable
from bioclip_probe.limits import format_size
from bioclip_probe.report.sharing.boards import Submitted
from bioclip_probe.study import results
from bioclip_probe.study.submission import FILE, numbers_digest, submission_of
from bioclip_probe.study.submission_file import LARGEST, parse_submission
from bioclip_probe.study.verification.outcome import VERIFICATION

#: The most bytes of the list of members of a zip, which is read as a whole. A member takes 46 bytes and its name twice.
LARGEST_LIST = 4 << 20
#: Bytes at the end of a zip that hold its end record, and the signatures of that record and of the record of a zip64.
_TAIL, _END, _HUGE = 22 + 65_535 + 20, b"PK\x05\x06", b"PK\x06\x07"
#: Returns True if the numbers of a results folder were recomputed from vectors, and are the same.
Verify = Callable[[Path], bool]


@dataclass(frozen=True)
class Refused:
    """A file that is not a valid submission, with the reasons.

    Attributes
    ----------
    source : str
        Path of the file below the folder.
    reasons : tuple of str
    """

    source: str
    reasons: tuple[str, ...]


def collect_submissions(folder: str | Path, verify: Verify | None = None) -> tuple[list[Submitted], list[Refused]]:
    """Return the submissions in a folder and below, and the files that are named as submissions but are not valid.

    Parameters
    ----------
    folder : str or Path
        A folder, or one file.
    verify : callable, optional
        Recomputes the numbers of a results folder. Submissions outside results folders are not recomputed.

    Returns
    -------
    submitted : list of Submitted
        By their path. A submission that lies in several places is listed once; two laboratories that submit the same
        numbers are two submissions.
    refused : list of Refused

    Raises
    ------
    DataError
        If there is no such folder, or nothing in it that is named as a submission.

    Examples
    --------
    >>> collect_submissions("no/such/folder")
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: there is no folder no/such/folder
    """
    folder = Path(folder)
    if not folder.exists():
        raise DataError(f"there is no folder {folder}")
    submitted: dict[str, list[Submitted]] = {}
    refused = []
    for path in _candidates(folder):
        source = path.name if path == folder else path.relative_to(folder).as_posix()
        try:
            one = _read(path, source, verify)
        except DataError as error:
            refused.append(Refused(source, (str(error),)))
            continue
        if isinstance(one, Refused):
            refused.append(one)
        elif one is not None:
            _add(submitted.setdefault(numbers_digest(one.content), []), one)
    if not submitted and not refused:
        raise DataError(f"{folder} holds no submission; expected files named …{FILE}, or zips that hold one")
    return [one for same in submitted.values() for one in same], refused


def _candidates(folder: Path) -> Iterator[Path]:
    """Yield the files that may be submissions, by their path; links to folders are not followed."""
    if folder.is_file():
        yield folder
        return
    for parent, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            if name.endswith(FILE) or name.lower().endswith(".zip"):
                yield Path(parent) / name


def _read(path: Path, source: str, verify: Verify | None) -> Submitted | Refused | None:
    """Return the submission in a file or a zip; None for a zip that holds none."""
    data: bytes | None
    if not path.is_file():  # a pipe or a device never ends
        raise DataError("it is neither a file nor a link to one")
    if path.suffix.lower() == ".zip":
        found = _members(path)
        if found is None:
            return None
        data, record = found
    else:
        data, record = _content(path), _content(path.with_name(path.name.removesuffix(FILE) + VERIFICATION))
    content, reasons = parse_submission(data or b"")
    if content is None or reasons:
        return Refused(source, tuple(reasons))
    recomputed = _recorded(record, content)
    if verify is not None and path.name == FILE and (path.parent / "runs.json").is_file():
        recomputed = _recomputed(path.parent, content, verify)
    return Submitted(content, (source,), recomputed)


def _content(path: Path) -> bytes | None:
    """Return the content of a file, at most one byte more than `LARGEST`; None if there is no such file."""
    if not path.is_file():
        return None
    try:
        with open(path, "rb") as file:
            return file.read(LARGEST + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DataError(f"it cannot be read: {error.strerror or one_line(error)}") from None


def _members(path: Path) -> tuple[bytes, bytes | None] | None:
    """Return the submission in a zip and the verification beside it; None if it holds no submission."""
    with errors_in_one_line("it", "a zip"):
        _check_list_of_members(path)
    with errors_in_one_line("it", "a zip"), zipfile.ZipFile(path) as file:
        members = file.infolist()
        named = [member for member in members if _is_submission(member.filename)]
        if not named:
            return None
        if len(named) > 1:
            raise DataError(f"it holds {len(named)} submissions; expected one")
        beside = str(PurePosixPath(named[0].filename).with_name(VERIFICATION))
        records = [member for member in members if member.filename == beside][:1]
        contents = [_member(file, member) for member in (*named, *records)]
    return contents[0], contents[1] if records else None


def _check_list_of_members(path: Path) -> None:
    """Refuse a zip whose list of members is large, before it is read; any end record may be the true one."""
    with open(path, "rb") as stream:
        stream.seek(max(stream.seek(0, os.SEEK_END) - _TAIL, 0))
        tail = stream.read()
    ends = [match.start() for match in re.finditer(re.escape(_END), tail) if match.start() + 22 <= len(tail)]
    sizes = [int.from_bytes(tail[end + 12 : end + 16], "little") for end in ends]
    if _HUGE in tail or max(sizes, default=0) > LARGEST_LIST:
        raise DataError(f"its list of members is larger than {format_size(LARGEST_LIST)}")


def _is_submission(name: str) -> bool:
    """Return True if a member of a zip is a submission, at the top or one folder down."""
    return PurePosixPath(name).name == FILE and name.count("/") <= 1


def _member(file: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """Return the content of a member, after a check of its declared size."""
    if member.file_size > LARGEST:
        raise DataError(
            f"its member {printable(member.filename)} is larger than {format_size(LARGEST)}: "
            f"{format_size(member.file_size)}"
        )
    with file.open(member) as stream:
        return stream.read(LARGEST + 1)


def _recorded(record: bytes | None, content: dict[str, Any]) -> str:
    """Return how the numbers were recomputed, as a record of a verification says; empty if it does not say so."""
    if record is None or len(record) > LARGEST:
        return ""
    try:
        found = json.loads(record)
        passed = found["depths"]["numbers"]["state"] == "passed" and found["numbers_sha256"] == numbers_digest(content)
        return f"recomputed, says its record of {printable(str(found['date'])[:10])}" if passed else ""
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""


def _recomputed(folder: Path, content: dict[str, Any], verify: Verify) -> str:
    """Recompute the numbers of a results folder; return a text that says so, empty if they are not those submitted."""
    try:
        same = numbers_digest(submission_of(results.read(folder))) == numbers_digest(content)
        return "recomputed here" if same and verify(folder) else ""
    except ProbeError:
        return ""


def _add(same: list[Submitted], one: Submitted) -> None:
    """Add a submission to those with the same numbers, or its file to one of them if the submitter is the same."""
    for number, known in enumerate(same):
        names = {known.content["who"], one.content["who"]} - {None}
        if len(names) < 2:
            named = known if known.content["who"] else one
            recomputed = known.recomputed or one.recomputed
            same[number] = replace(named, sources=(*known.sources, *one.sources), recomputed=recomputed)
            return
    same.append(one)
