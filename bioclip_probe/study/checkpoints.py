"""Finished pieces of a study on disk, so that nothing is computed twice and an interrupted study goes on.

A study is divided into pieces: one encoder in one space on one tree, one pair of encoders, one probe with one protocol,
one projected encoder. Each is stored in the results folder when it is done::

    OUT/pieces/
      measure/<key>-<digest>.parquet
      probe/...
      project/...

The key of a piece is a digest of everything that its numbers depend on:

* its inputs, see `inputs`: the images in their tree, the vectors as the store holds them, the phylogeny, the column;
* all settings of its step, except the device, which changes the rounding only;
* the program: the version of the package, a digest of the sources that compute numbers, and the versions of the
  libraries that do. After an update pieces are computed again; nobody has to remember to raise a number. `FORMAT` is
  the version of the files.

All settings of a step belong to the key, also those that a piece does not use: which metric reads which setting is
nowhere declared, and a wrong declaration would give stale numbers. There is one exception. A piece of all metrics also
serves a run that asks for some of them, since each number draws from a random stream of its own.

A file is written beside, synced and renamed, and its name holds the digest of its content. A damaged or cut file is
therefore recognised, and its piece computed again. When a step is complete, pieces that it did not use are removed.
Nothing is pickled: each piece is a table with some facts as JSON, in a Parquet file.
"""

from __future__ import annotations

import io
import json
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import pandas as pd

from bioclip_probe.files import sha256_of_bytes, write_bytes_atomically
from bioclip_probe.processors import available_processors
from bioclip_probe.progress import WeightedProgress, weighted_bar
from bioclip_probe.stats.threads import in_threads
from bioclip_probe.study.inputs import Inputs
from bioclip_probe.study.piece import Piece, PieceState

log = logging.getLogger(__name__)

FOLDER = "pieces"
#: Characters of a digest of a content in names of files.
DIGEST_LENGTH = 16
ABOUT = "bioclip_probe"


@dataclass(frozen=True, eq=False)
class Content:
    """The content of a piece.

    Attributes
    ----------
    table : DataFrame
    facts : dict
        JSON-able.

    Examples
    --------
    >>> Content(pd.DataFrame({"value": [0.5]})).facts
    {}
    """

    table: pd.DataFrame
    facts: dict[str, Any] = field(default_factory=dict)


class Checkpoints:
    """The pieces of one study: those in its results folder are read, the others are computed and stored there.

    Parameters
    ----------
    out : Path, optional
        The results folder. Without it every piece is computed and none is stored.
    inputs : Inputs, optional
        Those of the sample; needed with a folder.
    progress : WeightedProgress
        Shows which piece is computed, and how far the work is.
    size : callable, optional
        Returns the size of a piece in that display; by default its weight.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from bioclip_probe.study.examples import corvid_sample
    >>> piece = Piece("measure", "toy", (("vectors", "toy"),))
    >>> with TemporaryDirectory() as folder:
    ...     checkpoints = Checkpoints(Path(folder), Inputs(corvid_sample()))
    ...     _ = checkpoints.content(piece, lambda: Content(pd.DataFrame({"value": [0.5]})))
    ...     checkpoints.content(piece, lambda: print("not computed again")).table["value"].tolist()
    [0.5]
    """

    def __init__(
        self,
        out: Path | None = None,
        inputs: Inputs | None = None,
        progress: WeightedProgress | None = None,
        size: Callable[[Piece], float] = lambda piece: piece.weight,
    ) -> None:
        self.folder = None if out is None else Path(out) / FOLDER
        self.inputs, self.progress, self._size = inputs, progress or WeightedProgress(0, 0), size
        self._size_of_current = 0.0
        self._used: set[Path] = set()
        self._lock = Lock()

    def content(self, piece: Piece, compute: Callable[[], Content]) -> Content:
        """Return the content of a piece: the stored one, or a new one, which is stored.

        Parameters
        ----------
        piece : Piece
        compute : callable
            Returns the content.

        Returns
        -------
        Content
            That of a piece of all metrics may have more rows than were asked for.

        Raises
        ------
        OSError
            If the disk is full or the folder cannot be written to.
        """
        content = self._stored(piece)
        if content is not None:
            return content
        size = self._size(piece)
        with self._lock:
            self.progress.begin(piece.subject)
            self._size_of_current = size
        start = time.perf_counter()
        content = compute()
        if self.folder is not None:
            self._store(piece, content, time.perf_counter() - start)
        with self._lock:
            self.progress.finish(size)
        return content

    def contents(self, pieces: Sequence[tuple[Piece, Callable[[], Content]]], threads: int = 1) -> list[Content]:
        """Return the contents of several pieces, which are computed side by side; each is stored when it is done.

        Parameters
        ----------
        pieces : sequence of (Piece, callable)
            As for `content`.
        threads : int

        Returns
        -------
        list of Content
            In the order of the pieces.

        Raises
        ------
        OSError
            As for `content`.
        """
        return list(in_threads(lambda work: self.content(*work), pieces, threads))

    def advance(self, share: float) -> None:
        """Show how much of the piece that is being computed is done.

        Parameters
        ----------
        share : float
            From 0 to 1.
        """
        self.progress.reach(share * self._size_of_current)

    def find(self, piece: Piece) -> Iterator[Path]:
        """Yield the files that hold a piece, or all metrics of it; more than one only after a file was damaged.

        Parameters
        ----------
        piece : Piece

        Yields
        ------
        Path
        """
        if self.folder is None or self.inputs is None:
            return
        alike = [piece] if not piece.settings.get("metrics") else [piece.of_all_metrics, piece]
        for one in alike:
            yield from sorted((self.folder / one.step).glob(f"{one.key(self.inputs)}-*.parquet"))

    def remove_others(self, step: str) -> None:
        """Remove the pieces of a step that were not used since this object was made, and what killed runs left.

        Parameters
        ----------
        step : str
        """
        folder = None if self.folder is None else self.folder / step
        for path in folder.iterdir() if folder is not None and folder.is_dir() else ():
            if path not in self._used:
                path.unlink(missing_ok=True)

    def _stored(self, piece: Piece) -> Content | None:
        """Return the content of a stored piece, None if there is none that is sound."""
        for path in self.find(piece):
            content = read_piece(path)
            if content is not None:
                self._used.add(path)
                return content
            log.warning("%s is damaged; it is computed again: %s", path, piece.subject)
            path.unlink(missing_ok=True)
        return None

    def _store(self, piece: Piece, content: Content, seconds: float) -> None:
        """Write a piece."""
        assert self.folder is not None and self.inputs is not None
        about = {"step": piece.step, "subject": piece.subject, "weight": piece.weight, "seconds": round(seconds, 3)}
        about |= {"processors": available_processors(), "facts": content.facts}
        buffer, table = io.BytesIO(), content.table.copy(deep=False)
        table.attrs = {ABOUT: json.dumps(about)}
        table.to_parquet(buffer, index=False)
        digest = sha256_of_bytes(buffer.getvalue())[:DIGEST_LENGTH]
        path = self.folder / piece.step / f"{piece.key(self.inputs)}-{digest}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes_atomically(path, buffer.getvalue())
        self._used.add(path)


class Outline(Checkpoints):
    """The pieces of a study with their state; none is read or computed, and every content is empty.

    The steps of a study run with it as they do with `Checkpoints`, so that what it lists is what a run would compute.

    Parameters
    ----------
    out : Path, optional
        The results folder.
    inputs : Inputs, optional
        Those of the sample.

    Attributes
    ----------
    pieces : list of PieceState
        In the order in which a run needs them.

    Examples
    --------
    >>> outline = Outline()
    >>> outline.content(Piece("measure", "toy"), lambda: print("not computed")).table.empty
    True
    >>> [piece.subject for piece in outline.pieces]
    ['toy']
    """

    def __init__(self, out: Path | None = None, inputs: Inputs | None = None) -> None:
        super().__init__(out, inputs)
        self.pieces: list[PieceState] = []

    def content(self, piece: Piece, compute: Callable[[], Content]) -> Content:
        """Note a piece, and return an empty content.

        Parameters
        ----------
        piece : Piece
        compute : callable
            Not called.

        Returns
        -------
        Content
        """
        path = next(self.find(piece), None)
        key = "" if self.inputs is None else piece.key(self.inputs)
        seconds = float("nan") if path is None else seconds_of(path)
        about = (piece.step, piece.subject, key, path is not None, piece.weight, seconds)
        self.pieces.append(PieceState(*about, piece.group, piece.dependent))
        return Content(pd.DataFrame())

    def contents(self, pieces: Sequence[tuple[Piece, Callable[[], Content]]], threads: int = 1) -> list[Content]:
        """Note several pieces, in their order, and return empty contents.

        Parameters
        ----------
        pieces : sequence of (Piece, callable)
        threads : int
            Not used.

        Returns
        -------
        list of Content
        """
        return [self.content(*work) for work in pieces]


#: Nothing is stored.
NOWHERE = Checkpoints()

T = TypeVar("T")


def with_progress(label: str, function: Callable[[Checkpoints], T]) -> T:
    """Return what a function of the study returns, and show its progress by pieces; none is stored.

    Parameters
    ----------
    label : str
        Text before the numbers.
    function : callable
        Takes the checkpoints.

    Returns
    -------
    object
        What the function returns.

    Examples
    --------
    >>> with_progress("measuring", lambda checkpoints: checkpoints.folder) is None
    True
    """
    outline = Outline()
    function(outline)
    n_pieces = len(outline.pieces)
    size = sum(piece.weight for piece in outline.pieces)
    with weighted_bar(label, (0, n_pieces), (0.0, size), even_short=False) as bar:
        return function(Checkpoints(progress=bar))


def read_piece(path: Path) -> Content | None:
    """Return the content of a piece's file, or None if it is damaged.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Content or None

    Examples
    --------
    >>> read_piece(Path("nowhere.parquet")) is None
    True
    """
    try:
        content = path.read_bytes()
    except OSError:
        return None
    if sha256_of_bytes(content)[:DIGEST_LENGTH] != path.stem.partition("-")[2]:
        return None
    table = pd.read_parquet(io.BytesIO(content))
    about = json.loads(table.attrs.pop(ABOUT))
    return Content(table, about["facts"])


def seconds_of(path: Path) -> float:
    """Return how long a stored piece took, without reading its table; NaN if the file is damaged.

    Parameters
    ----------
    path : Path

    Returns
    -------
    float

    Examples
    --------
    >>> seconds_of(Path("nowhere.parquet"))
    nan
    """
    import pyarrow as pa
    from pyarrow import parquet

    try:
        attributes = json.loads(parquet.read_schema(path).metadata[b"PANDAS_ATTRS"])
        return float(json.loads(attributes[ABOUT])["seconds"])
    except (OSError, KeyError, TypeError, ValueError, pa.ArrowException):
        return float("nan")
