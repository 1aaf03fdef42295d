"""Provenance of a number: software, machine, command line and time."""

from __future__ import annotations

import os
import platform
import shlex
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bioclip_probe.files import sha256_of_json

#: Packages that can change a number.
PACKAGES = (
    "bioclip_probe", "numpy", "scipy", "pandas", "scikit-learn", "umap-learn", "torch", "torchvision",
    "open_clip_torch", "timm", "pillow", "matplotlib", "ete3",
)  # fmt: skip


def software() -> dict[str, str]:
    """Return the versions of Python and of the packages that can change a number.

    Returns
    -------
    dict from str to str
        Packages that are not installed are left out.

    Examples
    --------
    >>> software()["python"] == platform.python_version()
    True
    """
    return {"python": platform.python_version(), **versions(PACKAGES)}


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of some packages.

    Parameters
    ----------
    packages : iterable of str

    Returns
    -------
    dict from str to str
        Packages that are not installed are left out.

    Examples
    --------
    >>> list(versions(["numpy", "no such package"]))
    ['numpy']
    """
    installed = {}
    for package in packages:
        try:
            installed[package] = version(package)
        except PackageNotFoundError:
            continue
    return installed


def machine() -> dict[str, object]:
    """Return the kind of this machine, without names of hosts or users.

    Returns
    -------
    dict
        Operating system, processor and number of cores.

    Examples
    --------
    >>> sorted(machine())
    ['cores', 'processor', 'system']
    """
    return {"system": platform.system(), "processor": platform.machine(), "cores": os.cpu_count()}


def now() -> str:
    """Return the present time in UTC, to the second.

    Returns
    -------
    str
        In the form of ISO 8601.

    Examples
    --------
    >>> now().endswith("+00:00")
    True
    """
    return datetime.now(UTC).isoformat(timespec="seconds")


def command() -> str:
    """Return the command line as a shell takes it, without the folder of the program.

    Returns
    -------
    str
        Words are quoted where the shell needs it.

    Examples
    --------
    >>> command() == shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
    True
    """
    return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])


def fingerprint(*facts: object) -> str:
    """Return a short digest of some facts.

    Parameters
    ----------
    *facts
        JSON-able values; anything else is taken as its `str`.

    Returns
    -------
    str
        The first 12 hexadecimal digits of a SHA-256 digest.

    Examples
    --------
    >>> fingerprint("world", 3) == fingerprint("world", 3)
    True
    >>> fingerprint("world", 4) == fingerprint("world", 3)
    False
    """
    return sha256_of_json(facts, default=str)[:12]
