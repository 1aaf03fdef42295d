"""A file of vectors that grows block by block, so that long work can be interrupted and continued.

Beside the ``.npy`` file lies a journal: one line that says what the vectors are made from, then one line for each block
with its number of ``rows`` and their ``sha256``. What a killed run left behind the last complete block is ignored.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from bioclip_probe.errors import StoreError
from bioclip_probe.files import rename_synced, sha256_of_bytes, sha256_of_file
from bioclip_probe.store.records import write_file


class AppendOnlyArray:
    """A float32 array in a file to which rows are only appended. Complete blocks of an earlier run are kept.

    Parameters
    ----------
    path : Path
        File in which the array grows.
    journal : Path
        File of the journal.
    made_from : dict
        JSON-able facts. The blocks of an earlier run are kept only if it stated the same facts.
    shape : (int, int)
        Shape of the finished array.

    Attributes
    ----------
    blocks : list of dict
        The line of the journal for each block.

    Raises
    ------
    StoreError
        If the files cannot be written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path, journal = Path(folder) / "begun.npy", Path(folder) / "begun.jsonl"
    ...     AppendOnlyArray(path, journal, {"model": "clip"}, (3, 2)).append(np.ones((2, 2)))
    ...     array = AppendOnlyArray(path, journal, {"model": "clip"}, (3, 2))  # another run continues
    ...     array.n_rows
    ...     array.append(np.zeros((1, 2)))
    ...     facts = array.finish(Path(folder) / "vectors.npy")
    ...     np.load(Path(folder) / "vectors.npy").tolist()
    2
    [[1.0, 1.0], [1.0, 1.0], [0.0, 0.0]]
    """

    def __init__(self, path: Path, journal: Path, made_from: dict[str, Any], shape: tuple[int, int]) -> None:
        self.path, self.journal = path, journal
        self._bytes_per_row = 4 * shape[1]
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": shape})
        self._header = header.getvalue()
        self.blocks = self._complete_blocks(made_from)
        with _store_errors(path), open(path, "r+b" if self.blocks else "wb") as file:
            file.write(self._header)
            file.truncate(len(self._header) + self.n_rows * self._bytes_per_row)
        write_file(journal, b"".join(_json_line(block) for block in (made_from, *self.blocks)))

    @property
    def n_rows(self) -> int:
        """Number of rows in complete blocks."""
        return sum(block["rows"] for block in self.blocks)

    def append(self, rows: np.ndarray, **facts: object) -> None:
        """Write one block. It counts as soon as its line in the journal is complete.

        Parameters
        ----------
        rows : ndarray, shape (b, d)
        **facts
            JSON-able facts about the block, for its line in the journal.

        Raises
        ------
        StoreError
            If the files cannot be written.
        """
        content = np.ascontiguousarray(rows, "<f4").tobytes()
        block = {"rows": len(rows), "sha256": sha256_of_bytes(content), **facts}
        for path, added in ((self.path, content), (self.journal, _json_line(block))):
            with _store_errors(path), open(path, "ab") as file:
                file.write(added)
        self.blocks.append(block)

    def finish(self, path: Path) -> dict[str, Any]:
        """Move the finished file to its final path. The journal stays until `discard`.

        Parameters
        ----------
        path : Path

        Returns
        -------
        dict
            ``bytes``, the size of the file, and its ``sha256``.

        Raises
        ------
        StoreError
            If the file cannot be moved.
        """
        with _store_errors(path):
            digest = sha256_of_file(self.path)
            rename_synced(self.path, path)
        return {"bytes": path.stat().st_size, "sha256": digest}

    def discard(self) -> None:
        """Delete the unfinished array and the journal."""
        for path in (self.path, self.journal):
            path.unlink(missing_ok=True)

    def _complete_blocks(self, made_from: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the journal's lines about blocks, up to the first block that is not in the file as its line says."""
        complete: list[dict[str, Any]] = []
        try:
            first, *blocks = [json.loads(line) for line in self.journal.read_bytes().split(b"\n")[:-1]]
            with open(self.path, "rb") as file:
                if first != made_from or file.read(len(self._header)) != self._header:
                    return []
                for block in blocks:
                    if sha256_of_bytes(file.read(block["rows"] * self._bytes_per_row)) != block["sha256"]:
                        break
                    complete.append(block)
        except (OSError, ValueError, KeyError, TypeError):  # there is no earlier run, or its files are damaged
            pass
        return complete


def _json_line(content: dict[str, Any]) -> bytes:
    return json.dumps(content).encode() + b"\n"


@contextmanager
def _store_errors(path: Path) -> Iterator[None]:
    """Turn an OSError of the block into a StoreError about `path`."""
    try:
        yield
    except OSError as error:  # no room, no permission
        raise StoreError(f"cannot write {path}: {error.strerror}") from error
