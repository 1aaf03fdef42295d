"""Check that the structure of an HDF5 file can be walked through, in a process that may fail.

The HDF5 library follows the pointers of a damaged file round in circles, reserves the sizes that they give, or ends
the process. None of this can be stopped from inside, so a small process of its own does it first.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from bioclip_probe.errors import DataError, one_line
from bioclip_probe.limits import max_memory

#: A structure is walked through in milliseconds; libraries are imported in a second.
_CPU_SECONDS, _SECONDS = 10, 120
# Python and h5py themselves take less.
_OWN_BYTES = 1 << 30
_WALK = """
import sys
try:
    import resource
except ImportError:
    pass
else:
    resource.setrlimit(resource.RLIMIT_CPU, (int(sys.argv[2]), int(sys.argv[2])))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[3]), int(sys.argv[3])))
import h5py

def look_at(name, entry):
    for attribute in entry.attrs:
        entry.attrs.get_id(attribute).shape
    if isinstance(entry, h5py.Dataset) and entry.chunks:
        entry.id.get_num_chunks()

try:
    with h5py.File(sys.argv[1], "r") as file:
        file.visititems(look_at)
except Exception as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""


def check_hdf5_structure(path: Path) -> None:
    """Refuse an HDF5 file whose structure leads in circles, fills the memory or ends the process that reads it.

    Parameters
    ----------
    path : Path

    Raises
    ------
    DataError
        If the structure cannot be walked through.

    Examples
    --------
    >>> check_hdf5_structure(Path("none.h5ad"))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: none.h5ad cannot be read as .h5ad: FileNotFoundError: ...
    """
    command = [sys.executable, "-c", _WALK, str(path), str(_CPU_SECONDS), str(max_memory() + _OWN_BYTES)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise DataError(f"{path} is damaged: reading its structure does not end") from None
    if done.returncode < 0:
        raise DataError(f"{path} is damaged: reading its structure does not end, or ends the process that reads it")
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise DataError(f"{path} cannot be read as {path.suffix}: {one_line(reason)}")
