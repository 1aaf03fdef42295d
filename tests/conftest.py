"""Fixtures for several rooms of tests."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import settings

settings.register_profile("bioclip_probe", deadline=None)  # seconds vary from machine to machine; results do not
settings.load_profile("bioclip_probe")

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(autouse=True)
def log_as_it_was() -> Iterator[None]:
    """Undo what a command sets: it logs warnings only where it is to be quiet, and later tests read the log."""
    log = logging.getLogger("bioclip_probe")
    level, handlers = log.level, [*log.handlers]
    yield
    log.setLevel(level)
    log.handlers[:] = handlers


@pytest.fixture
def all_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Show all intervals, also those that the calibration study has not found to cover."""
    monkeypatch.setattr("bioclip_probe.study.sample.without_others", lambda table, n_species: table)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the repository; a test that asks for it is skipped where it is missing."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the real data are not here: no folder ../shared/data beside the repository")
    return SHARED_DATA


@pytest.fixture(scope="session")
def ete3() -> ModuleType:
    """ete3, whose import alone warns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import ete3
    return ete3


@pytest.fixture(scope="session")
def small_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run a whole study: ``val`` with pictures, their phylogeny ``tree.nwk``, ``store``, and ``out`` with its pages.

    Where tests run in several processes, the first one that needs the study makes it, and the others wait.
    """
    from filelock import FileLock

    from bioclip_probe import report, study
    from tests.support.small_study import NEWICK, grow, plan

    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = shared / "small_study"
    with FileLock(shared / "small_study.lock"):
        if not (folder / "done").exists():
            grow(folder / "val")
            (folder / "tree.nwk").write_text(NEWICK)
            small = plan(folder / "val", tree=folder / "tree.nwk", tree_unit="Myr")
            study.reproduce(small, folder / "store", folder / "out")
            report.write_explorer(folder / "out", folder / "store", progress=False)
            report.write(folder / "out")
            (folder / "done").touch()
    return folder
