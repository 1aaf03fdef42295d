"""Locks: one run at a time writes into a folder of the store.

The operating system frees a lock when its process ends, in whatever way it ends. On Windows a store can be read but not
written.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bioclip_probe.errors import StoreError


def lock_file(folder: Path) -> Path:
    """Return the path of the lock of an encoder's folder.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    Path

    Examples
    --------
    >>> lock_file(Path("clip@0123")).name
    '.clip@0123.lock'
    """
    return folder.parent / f".{folder.name}.lock"


@contextmanager
def hold_lock(path: Path, folder: Path, wait: bool = False) -> Iterator[None]:
    """Hold a lock while the block runs.

    Parameters
    ----------
    path : Path
        File of the lock; it is created if it is missing, and stays.
    folder : Path
        Folder that the lock protects, for the messages.
    wait : bool
        Wait for another run that holds the lock, instead of raising an error.

    Yields
    ------
    None

    Raises
    ------
    StoreError
        If another run holds the lock, or the file system cannot lock.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder, hold_lock(Path(folder) / ".lock", Path(folder)):
    ...     [path.name for path in Path(folder).iterdir()]
    ['.lock']
    """
    import fcntl  # does not exist on Windows

    with ExitStack() as opened:
        try:
            file = opened.enter_context(open(path, "a"))
        except OSError as error:
            raise StoreError(f"cannot write {path}: {error.strerror}") from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError as error:
            raise StoreError(f"another run is writing {folder}; wait until it ends, or name another store") from error
        except OSError as error:
            raise StoreError(
                f"the file system of {folder} cannot lock files ({error.strerror}), and two runs could spoil each "
                "other's work; name a store elsewhere, e.g. on a local disk"
            ) from error
        yield


def is_being_written(folder: Path) -> bool:
    """Return True if a run holds the lock of an encoder's folder.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    bool
        False also where locks cannot be seen.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as home:
    ...     folder = Path(home) / "clip@0123"
    ...     with hold_lock(lock_file(folder), folder):
    ...         is_being_written(folder)
    True
    """
    try:
        import fcntl

        with open(lock_file(folder)) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except (ImportError, OSError):
        return False
    return False
