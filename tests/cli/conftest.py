"""An empty folder to work in, and the program's log as it was before each test."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.small_study import FOLDERS, grow


@pytest.fixture(autouse=True)
def log_as_before() -> Iterator[None]:
    """Restore the program's log, which `main` sets up."""
    log = logging.getLogger("bioclip_probe")
    before = log.handlers[:], log.level
    yield
    log.handlers[:], log.level = before


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, to which every default path points."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def few(here: Path) -> str:
    """Return ``--data`` for nine pictures of three crows."""
    return f"inat21:{grow(here / 'val', FOLDERS[4:7], each=3)}"
