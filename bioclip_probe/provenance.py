"""What made a number: software, machine, command, and when."""

from __future__ import annotations

import os
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bioclip_probe.files import sha256_of_json

PACKAGES = (
    "bioclip_probe", "numpy", "scipy", "pandas", "scikit-learn", "umap-learn", "torch", "torchvision",
    "open_clip_torch", "timm", "pillow", "matplotlib", "ete3",
)  # fmt: skip


def software() -> dict[str, str]:
    """Versions of Python and of the packages that can change a number; those that are not installed are left out."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, object]:
    """What it ran on; no names of hosts or users."""
    return {"system": platform.system(), "processor": platform.machine(), "cores": os.cpu_count()}


def now() -> str:
    """The time, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def command() -> str:
    """The command line, without the folders of the program itself."""
    return " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])


def fingerprint(*facts: object) -> str:
    """12 hex digits of the sha256 of some JSON-able facts."""
    return sha256_of_json(facts, default=str)[:12]
