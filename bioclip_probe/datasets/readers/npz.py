"""NumPy's ``.npz``, a zip of arrays: what its headers say, and the arrays one by one.

`numpy.load` takes the memory that a header declares before it looks for the content, and refuses a whole file for one
array of Python objects. Here nothing is read before it is asked for and its size is checked, and nothing is unpickled.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy_format

from bioclip_probe.errors import DataError, errors_in_one_line
from bioclip_probe.limits import check_declared

# Numpy reads no longer header, but takes the memory that its length declares.
_MAX_HEADER_BYTES = 1 << 16
_HEADERS = {(1, 0): npy_format.read_array_header_1_0, (2, 0): npy_format.read_array_header_2_0}
#: Bytes of memory that a byte of a file becomes at most: names repeat, and NumPy pads them to the longest.
_GROWTH = 64


@dataclass(frozen=True)
class NpzArray:
    """One array of an .npz file, as its header describes it.

    Attributes
    ----------
    path : Path
        The file.
    name : str
    member : str
        Name of the array in the zip.
    shape : tuple of int
    fortran_order : bool
        True if columns lie one after the other.
    dtype : numpy.dtype
    offset : int
        Position of the first number in the member.

    Examples
    --------
    >>> NpzArray(Path("a.npz"), "ids", "ids.npy", (5,), False, np.dtype("int64"), 128).shape
    (5,)
    """

    path: Path
    name: str
    member: str
    shape: tuple[int, ...]
    fortran_order: bool
    dtype: np.dtype
    offset: int

    def checked_bytes(self) -> int:
        """Return the bytes of memory that the whole array takes.

        Returns
        -------
        int

        Raises
        ------
        DataError
            If they are more than a file of its size may take.
        """
        n_bytes = prod(self.shape) * self.dtype.itemsize
        check_declared(self.path, f"array '{self.name}'", n_bytes, self.path.stat().st_size, _GROWTH)
        return n_bytes

    def read(self) -> np.ndarray:
        """Return the whole array.

        Returns
        -------
        ndarray

        Raises
        ------
        DataError
            If it holds Python objects, breaks off, or would take too much memory for the size of its file.
        """
        if self.dtype.hasobject:
            raise self.objects_refused(f"np.asarray({self.name}).astype(str)")
        self.checked_bytes()
        with (
            errors_in_one_line(self.path, ".npz"),
            zipfile.ZipFile(self.path) as archive,
            archive.open(self.member) as stream,
        ):
            stream.read(self.offset)
            return self._values(stream, self.shape)

    def read_rows(self, step: int) -> Iterator[np.ndarray]:
        """Yield the rows of a matrix, which is in memory as a whole only if it lies there column by column.

        Parameters
        ----------
        step : int
            Rows at a time.

        Yields
        ------
        ndarray

        Raises
        ------
        DataError
            If the array breaks off.
        """
        if self.fortran_order:
            yield self.read()
            return
        with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as stream:
            stream.read(self.offset)
            for start in range(0, self.shape[0], step):
                yield self._values(stream, (min(step, self.shape[0] - start), *self.shape[1:]))

    def objects_refused(self, remedy: str) -> DataError:
        """Return the error that says that the array holds Python objects, and how to save it without.

        Parameters
        ----------
        remedy : str
            The array as it should be saved, in Python.

        Returns
        -------
        DataError
        """
        return DataError(
            f"{self.path}: '{self.name}' is an array of Python objects, which are not read because they could run "
            f"code; save it as np.savez(..., {self.name}={remedy})"
        )

    def _values(self, stream: IO[bytes], shape: tuple[int, ...]) -> np.ndarray:
        n_bytes = prod(shape) * self.dtype.itemsize
        content = stream.read(n_bytes) if n_bytes else b""
        if len(content) < n_bytes:
            raise DataError(f"{self.path}: array '{self.name}' breaks off")
        values = np.frombuffer(content, self.dtype) if n_bytes else np.zeros(0, self.dtype)
        return values.reshape(shape, order="F" if self.fortran_order else "C")


def npz_arrays(path: Path) -> dict[str, NpzArray]:
    """Return the arrays of an .npz file by their names.

    Parameters
    ----------
    path : Path

    Returns
    -------
    dict from str to NpzArray
        Members that are no arrays, or of the third form of headers, whose fields have names, are left out.

    Raises
    ------
    DataError
        If the file cannot be read, or has two arrays of one name.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     np.savez(Path(folder, "a.npz"), ids=["1", "2"])
    ...     npz_arrays(Path(folder, "a.npz"))["ids"].read().tolist()
    ['1', '2']
    """
    if not zipfile.is_zipfile(path):
        raise DataError(f"{path} is not a .npz, a zip of NumPy's arrays")
    arrays: dict[str, NpzArray] = {}
    with errors_in_one_line(path, ".npz"), zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            name = member.filename.removesuffix(".npy")
            if name in arrays:
                raise DataError(f"{path} has more than one array called '{name}'")
            if member.filename.endswith(".npy"):
                with archive.open(member) as stream:
                    beginning = io.BytesIO(stream.read(_MAX_HEADER_BYTES))
                read_header = _HEADERS.get(npy_format.read_magic(beginning))
                if read_header:
                    header = read_header(beginning)
                    arrays[name] = NpzArray(path, name, member.filename, *header, beginning.tell())
    return arrays
