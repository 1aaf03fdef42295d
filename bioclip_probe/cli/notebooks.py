"""The command `notebooks`: the notebooks of the package, copied to a folder of the user's and opened there."""

from __future__ import annotations

import argparse
import filecmp
import importlib.metadata
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import bioclip_probe
from bioclip_probe.cli.output import Output
from bioclip_probe.errors import DataError

#: Where a wheel puts the notebooks, below the folder of the Python installation.
SHARED = ("share", "bioclip_probe", "notebooks")


def add_notebooks(sub: argparse.ArgumentParser) -> None:
    """Add the folder of the copies, and the flag that only copies."""
    text = "folder of the copies, made if missing; default: %(default)s"
    sub.add_argument("folder", nargs="?", type=Path, default=Path("notebooks"), metavar="DIR", help=text)
    sub.add_argument("--no-open", action="store_true", help="copy them and do not open JupyterLab")


def notebooks(options: argparse.Namespace, output: Output) -> int:
    """Copy the notebooks of the package to a folder, and open JupyterLab there."""
    if not options.no_open and find_spec("jupyterlab") is None:
        raise DataError(
            "JupyterLab is not installed: python -m pip install 'bioclip_probe[notebook]'; --no-open only copies"
        )
    if options.folder.exists() and not options.folder.is_dir():
        raise DataError(f"{options.folder} is a file; expected a folder for the notebooks")
    sources = installed_notebooks()
    options.folder.mkdir(parents=True, exist_ok=True)
    for source in sources:
        copy = options.folder / source.name
        if copy.exists() and not filecmp.cmp(source, copy, shallow=False):
            output.line(f"{copy}: kept, it was changed or run; remove it to have it anew")
            continue
        if not copy.exists():
            shutil.copyfile(source, copy)
        output.line(str(copy))
    if options.no_open:
        return 0
    return subprocess.run([sys.executable, "-m", "jupyterlab", str(options.folder)], check=False).returncode


def installed_notebooks() -> list[Path]:
    """Return the notebooks of the package: those beside its sources, else those that its wheel has installed.

    Raises
    ------
    DataError
        If the installation has none.

    Examples
    --------
    >>> installed_notebooks()[0].name
    '01_quick_start.ipynb'
    """
    beside = Path(bioclip_probe.__file__).parents[1]
    found = sorted((beside / "notebooks").glob("*.ipynb")) if (beside / "pyproject.toml").is_file() else []
    if not found:
        files = importlib.metadata.files("bioclip_probe") or []
        found = sorted(Path(str(file.locate())) for file in files if file.parts[-4:-1] == SHARED)
    if not found:
        raise DataError("this installation has no notebooks; install the package with pip")
    return found
