"""What made a number: software, machine, command, and when."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

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
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:12]
