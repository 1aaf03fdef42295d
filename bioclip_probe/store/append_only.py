"""A file of vectors that grows block by block, so that long work can be broken off and gone on with.

Beside the ``.npy`` file lies a journal: a line that says what the vectors are made from, then a line for each block
with its number of ``rows`` and their ``sha256``. What a killed run left behind the last whole block is not believed.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from bioclip_probe.errors import StoreError
from bioclip_probe.files import rename_synced, sha256_of_bytes, sha256_of_file
from bioclip_probe.store.shards import write


class AppendOnlyArray:
    """An array of float32 on its way into a file. The whole blocks that an earlier run has left are kept.

    Parameters
    ----------
    path, journal : Path
        Where it grows.
    made_from : dict
        JSON-able: what an earlier run must have made it from for its blocks to be kept.
    shape : (int, int)
        What it will have in the end.
    """

    def __init__(self, path: Path, journal: Path, made_from: dict, shape: tuple[int, int]) -> None:
        self.path, self.journal = path, journal
        self._width = 4 * shape[1]
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": shape})
        self._header = header.getvalue()
        #: What the journal says of each block.
        self.blocks = self._whole_blocks(made_from)
        with _writing(path), open(path, "r+b" if self.blocks else "wb") as file:
            file.write(self._header)
            file.truncate(len(self._header) + self.done * self._width)
        write(journal, b"".join(_line(block) for block in (made_from, *self.blocks)))

    @property
    def done(self) -> int:
        """Rows that are there."""
        return sum(block["rows"] for block in self.blocks)

    def append(self, rows: np.ndarray, **facts: object) -> None:
        """Write one block, and with it JSON-able facts; it counts once its line in the journal is whole."""
        content = np.ascontiguousarray(rows, "<f4").tobytes()
        block = {"rows": len(rows), "sha256": sha256_of_bytes(content), **facts}
        for path, added in ((self.path, content), (self.journal, _line(block))):
            with _writing(path), open(path, "ab") as file:
                file.write(added)
        self.blocks.append(block)

    def finish(self, place: Path) -> dict[str, object]:
        """Put the file in its place; its size and sha256. The journal stays, until somebody vouches for the file."""
        with _writing(place):
            digest = sha256_of_file(self.path)
            rename_synced(self.path, place)
        return {"bytes": place.stat().st_size, "sha256": digest}

    def discard(self) -> None:
        """Take away what lies beside the place."""
        for path in (self.path, self.journal):
            path.unlink(missing_ok=True)

    def _whole_blocks(self, made_from: dict) -> list[dict]:
        """What the journal says of the blocks, up to the first that is not in the file as it says."""
        whole = []
        try:
            first, *blocks = [json.loads(line) for line in self.journal.read_bytes().split(b"\n")[:-1]]
            with open(self.path, "rb") as file:
                if first != made_from or file.read(len(self._header)) != self._header:
                    return []
                for block in blocks:
                    if sha256_of_bytes(file.read(block["rows"] * self._width)) != block["sha256"]:
                        break
                    whole.append(block)
        except (OSError, ValueError, KeyError, TypeError):  # there is none, or it is damaged
            pass
        return whole


def _line(content: dict) -> bytes:
    return json.dumps(content).encode() + b"\n"


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:  # no room, no permission
        raise StoreError(f"cannot write {path}: {error.strerror}") from error
