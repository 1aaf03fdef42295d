"""The version of the code that runs: its commit, where that is known, and addresses of its files."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import bioclip_probe

PACKAGE = "bioclip_probe"


@dataclass(frozen=True)
class SourceCode:
    """The code that runs.

    Attributes
    ----------
    version : str
        Of the package.
    commit : str
        Empty if it is not known.
    changed : bool
        The package has changes that are not committed.

    Examples
    --------
    >>> SourceCode("0.1.0", "1234567890ab", changed=False).text
    'version 0.1.0, commit 1234567890ab'
    """

    version: str
    commit: str = ""
    changed: bool = False

    @property
    def text(self) -> str:
        """The version and the commit in words."""
        return f"version {self.version}, {self.commit_text}"

    @property
    def commit_text(self) -> str:
        """The commit in words."""
        if not self.commit:
            return "commit not known"
        return f"commit {self.commit[:12]}" + (" with changes that are not committed" if self.changed else "")

    def address(self, path: str) -> str:
        """Return the web address of a file of the repository, or of the repository where the commit is not known.

        Parameters
        ----------
        path : str

        Returns
        -------
        str

        Examples
        --------
        >>> SourceCode("0.1.0", "1234567890ab").address("README.md").endswith("/blob/1234567890ab/README.md")
        True
        """
        return f"{repository()}/blob/{self.commit}/{path}" if self.commit else repository()


@cache
def repository() -> str:
    """Return the web address of the repository, as the package declares it.

    Returns
    -------
    str
        Empty if the package is not installed.
    """
    try:
        lines = distribution(PACKAGE).metadata.get_all("Project-URL") or []
    except PackageNotFoundError:
        return ""
    return next((line.partition(", ")[2] for line in lines if line.startswith("Source, ")), "")


def source_code() -> SourceCode:
    """Return the version of the code that runs.

    The commit is that of the working tree which holds the package, or the one that pip installed.

    Returns
    -------
    SourceCode

    Examples
    --------
    >>> source_code().version == bioclip_probe.__version__
    True
    """
    folder = Path(bioclip_probe.__file__).parent
    if _git(folder, "ls-files", "--error-unmatch", "__init__.py"):
        commit = _git(folder, "rev-parse", "HEAD")
        return SourceCode(bioclip_probe.__version__, commit, bool(_git(folder, "status", "--porcelain", "--", ".")))
    return SourceCode(bioclip_probe.__version__, _installed_commit())


def _git(folder: Path, *arguments: str) -> str:
    """Return what git prints about a folder, empty if there is no git or it fails."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def _installed_commit() -> str:
    """Return the commit from which pip installed the package, empty if it came from elsewhere (PEP 610)."""
    try:
        text = distribution(PACKAGE).read_text("direct_url.json") or "{}"
        return str(json.loads(text).get("vcs_info", {}).get("commit_id", ""))
    except (PackageNotFoundError, ValueError):
        return ""
