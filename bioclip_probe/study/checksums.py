"""Checksums of the files of a results folder: ``SHA256SUMS``, as `sha256sum` writes and checks it.

A line is the digest of a file, two spaces, and its path below the folder, with ``/`` between folders. Paths that leave
the folder are refused, since the file may come from anybody.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePosixPath

from bioclip_probe.errors import DataError, printable, shorten
from bioclip_probe.files import sha256_of_file, write_bytes_atomically

SUMS = "SHA256SUMS"
#: The most lines that are read; a results folder has about twenty.
MOST_LINES = 10_000
_LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")

Writer = Callable[[Path], object]


def is_inside(name: str) -> bool:
    r"""Return True if a path of a list of checksums stays inside the folder of the list.

    Parameters
    ----------
    name : str

    Examples
    --------
    >>> is_inside("figures/headline.png")
    True
    >>> [is_inside(name) for name in ("../runs.json", "/etc/passwd", "a/../../b", "C:/a", "a\\b", "")]
    [False, False, False, False, False, False]
    """
    path = PurePosixPath(name)
    odd = any(sign in "\\:" or not sign.isprintable() for sign in name)
    return bool(path.parts) and not odd and not path.is_absolute() and ".." not in path.parts and str(path) == name


def parse_sums(text: str) -> tuple[dict[str, str], list[str]]:
    """Return the checksums in the text of a ``SHA256SUMS``, and the problems with it.

    Parameters
    ----------
    text : str

    Returns
    -------
    sums : dict from str to str
        Digest of each file, by its path below the folder.
    problems : list of str
        One line for each: a line that is not a checksum, a path that leaves the folder, a file that is listed twice.

    Examples
    --------
    >>> parse_sums("0" * 64 + "  ../runs.json")
    ({}, ["line 1: '../runs.json' is not a path inside the folder, and is ignored"])
    """
    sums: dict[str, str] = {}
    problems = []
    lines = text.splitlines()
    if len(lines) > MOST_LINES:
        return {}, [f"it has {len(lines):,} lines; expected {MOST_LINES:,} at most"]
    for number, line in enumerate(lines, 1):
        match = _LINE.fullmatch(line)
        shown = shorten(printable(line if match is None else match[2]), 80)
        if match is None:
            problems.append(f"line {number} is not a checksum of a file: '{shown}'")
        elif not is_inside(match[2]) or match[2] == SUMS:
            problems.append(f"line {number}: '{shown}' is not a path inside the folder, and is ignored")
        elif match[2] in sums:
            problems.append(f"line {number}: '{shown}' is listed twice")
        else:
            sums[match[2]] = match[1]
    return sums, problems


def read_sums(folder: Path) -> dict[str, str]:
    """Return the checksums that a folder lists; empty if it lists none, or if the list is damaged.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    dict from str to str

    Examples
    --------
    >>> read_sums(Path("no/such/folder"))
    {}
    """
    try:
        text = (folder / SUMS).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return {}
    return parse_sums(text)[0]


def sums_text(sums: Mapping[str, str]) -> str:
    """Return checksums as the text of a ``SHA256SUMS``, sorted by path.

    Parameters
    ----------
    sums : mapping from str to str

    Returns
    -------
    str

    Examples
    --------
    >>> sums_text({"runs.json": "0" * 64}).split()[1]
    'runs.json'
    """
    return "".join(f"{sums[name]}  {name}\n" for name in sorted(sums))


def with_sums(folder: Path, files: Mapping[Path, Writer], kept: Mapping[str, str]) -> dict[Path, Writer]:
    """Return files for `files.write_together`, with the list of their checksums as the last one.

    Each file is read once, after it is written and before it gets its name.

    Parameters
    ----------
    folder : Path
        All files are inside it.
    files : mapping from Path to callable
    kept : mapping from str to str
        Checksums of files that stay as they are.

    Returns
    -------
    dict from Path to callable

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from bioclip_probe.files import write_together
    >>> with TemporaryDirectory() as name:
    ...     note = Path(name) / "note.txt"
    ...     write_together(with_sums(Path(name), {note: lambda path: path.write_text("Pica")}, {}))
    ...     list(read_sums(Path(name)))
    ['note.txt']
    """
    sums = dict(kept)

    def summed(path: Path, write_to: Writer) -> Writer:
        def write(temporary: Path) -> None:
            write_to(temporary)
            sums[path.relative_to(folder).as_posix()] = sha256_of_file(temporary)

        return write

    writers: dict[Path, Writer] = {path: summed(path, write_to) for path, write_to in files.items()}
    writers[folder / SUMS] = lambda temporary: temporary.write_text(sums_text(sums), encoding="utf-8", newline="\n")
    return writers


def add_to_sums(folder: str | Path, paths: Iterable[Path]) -> None:
    """Add the checksums of files that were written after the tables of a results folder, such as ``report.html``.

    A folder without a list, which an earlier version wrote, stays as it is.

    Parameters
    ----------
    folder : str or Path
    paths : iterable of Path
        Files inside it.

    Raises
    ------
    DataError
        If a file is not inside the folder.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     page = Path(folder) / "report.html"
    ...     _ = page.write_text("<p>"), (Path(folder) / SUMS).write_text("")
    ...     add_to_sums(folder, [page])
    ...     list(read_sums(Path(folder)))
    ['report.html']
    """
    folder = Path(folder)
    if not (folder / SUMS).is_file():
        return
    sums = read_sums(folder)
    for path in paths:
        if not path.is_relative_to(folder):
            raise DataError(f"{path} is not inside {folder}; its checksum cannot be listed there")
        sums[path.relative_to(folder).as_posix()] = sha256_of_file(path)
    write_bytes_atomically(folder / SUMS, sums_text(sums).encode())
