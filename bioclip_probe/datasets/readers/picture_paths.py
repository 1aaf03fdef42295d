r"""Paths of pictures as tables give them: with ``\``, as web addresses, as ``file:`` addresses, as base64."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

import pandas as pd

from bioclip_probe.datasets.readers.pictures import stays_inside
from bioclip_probe.errors import DataError, some

#: The beginning of a web address (https:, S3:, gs: …); a path does not begin so.
WEB_ADDRESS = r"[A-Za-z][A-Za-z0-9+.-]+://"
_FILE_ADDRESS = re.compile(r"file:(?://(?:localhost)?(?=/))?(?!//)", re.IGNORECASE)
_PICTURE_AS_TEXT = r"(?i)data:[a-z]*/?[a-z0-9.+-]*[;,]"
#: No path is longer on any usual system. Longer texts are pictures in base64.
_MAX_PATH = 4096


def check_picture_paths(paths: pd.Series, name: object, absolute: bool = False) -> pd.Series:
    r"""Return the paths of pictures that a table gives, with ``/`` between folders.

    Parameters
    ----------
    paths : Series, dtype str
        Paths relative to the table's folder, or ``file:`` addresses; missing values stay missing.
    name : object
        Name of the table, for messages.
    absolute : bool
        Accept absolute paths. They are used as they are.

    Returns
    -------
    Series, dtype str

    Raises
    ------
    DataError
        If one is a web address, a picture written as text, leads out of the folder, or is no single line.

    Examples
    --------
    >>> check_picture_paths(pd.Series(["birds\\1.jpg", "./2.jpg"], dtype="str"), "birds.csv").tolist()
    ['birds/1.jpg', '2.jpg']
    >>> check_picture_paths(pd.Series(["file:///birds/1%202.jpg"], dtype="str"), "birds.csv", absolute=True).tolist()
    ['/birds/1 2.jpg']
    """
    paths = paths.str.replace("\\", "/")
    known = paths.dropna()
    as_text = known[known.str.match(_PICTURE_AS_TEXT) | (known.str.len() > _MAX_PATH)]
    if len(as_text):
        beginnings = some(as_text.str[:40] + "…", limit=2)
        raise DataError(
            f"{name} holds {len(as_text)} pictures as text (base64) in place of their paths; save them as files: "
            f"{beginnings}"
        )
    of_files = known[known.str.match(_FILE_ADDRESS)]
    local = of_files.map(lambda address: unquote(_FILE_ADDRESS.sub("", address, count=1)))
    paths.loc[local.index] = known.loc[local.index] = local
    web = known[known.str.match(WEB_ADDRESS)]
    if len(web):
        what = "addresses on other computers" if len(web) == web.str.match("(?i)file:").sum() else "web addresses"
        raise DataError(f"{name} gives {len(web)} {what}, not files; download the pictures first: {some(web)}")
    # Only these paths, of maybe millions, can lead out of the folder or have an empty piece.
    irregular = known[known.str.contains(r"(?:^|/)\.{0,2}(?:/|$)")]
    outside = irregular[[not (absolute if path.startswith("/") else stays_inside(path)) for path in irregular]]
    if len(outside):
        hint = "; move the table up, or give absolute paths" if absolute else ""
        raise DataError(f"{name} names pictures outside its folder: {some(outside)}{hint}")
    broken = known[known.str.contains(r"[\t\n\r]")]
    if len(broken):
        raise DataError(f"{name} names pictures by more than one line: {some(broken)}")
    paths.loc[irregular.index] = [PurePosixPath(path).as_posix() for path in irregular]
    return paths


def local_path(text: str | Path) -> Path:
    """Return the path of a file or a folder that the user named, with ``~`` as the home folder.

    Parameters
    ----------
    text : str or Path
        A path, or a ``file:`` address.

    Returns
    -------
    Path

    Raises
    ------
    DataError
        If it is a web address. A `Path` has lost one of the two ``/`` of it.

    Examples
    --------
    >>> local_path("file:///birds/1%202.csv").as_posix()
    '/birds/1 2.csv'
    >>> local_path("s3://bucket/birds.csv")
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: s3://bucket/birds.csv is a web address; download it first, and give the path of \
the file
    """
    address = re.sub(r"^([A-Za-z][A-Za-z0-9+.-]+:/)(?=[^/])", r"\1/", str(text))
    if _FILE_ADDRESS.match(str(text)):
        return Path(unquote(_FILE_ADDRESS.sub("", str(text), count=1)))
    if re.match(WEB_ADDRESS, address) and not Path(text).exists():
        raise DataError(f"{address} is a web address; download it first, and give the path of the file")
    return Path(text).expanduser()


def collapse_whitespace(names: pd.Series) -> pd.Series:
    r"""Return names with one blank in place of any whitespace inside them.

    Parameters
    ----------
    names : Series, dtype str

    Returns
    -------
    Series, dtype str

    Examples
    --------
    >>> collapse_whitespace(pd.Series(["Pica\t hudsonia"], dtype="str")).tolist()
    ['Pica hudsonia']
    """
    return names.str.replace(r"\s+", " ", regex=True)
