"""What several rooms of tests need."""

from __future__ import annotations

import warnings
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import settings

settings.register_profile("bioclip_probe", deadline=None)  # seconds vary from machine to machine; results do not
settings.load_profile("bioclip_probe")

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


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


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few replicates and permutations, for tests of everything but intervals and p-values."""
    from tests.support.small_study import few_replicates

    few_replicates(monkeypatch)


@pytest.fixture(scope="session")
def small_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a whole study: pictures in ``val``, their phylogeny ``tree.nwk``, ``store``, and ``out``."""
    from bioclip_probe import report, study
    from tests.support.small_study import NEWICK, few_replicates, grow, plan

    folder = tmp_path_factory.mktemp("small")
    grow(folder / "val")
    (folder / "tree.nwk").write_text(NEWICK)
    with pytest.MonkeyPatch.context() as monkeypatch:
        few_replicates(monkeypatch)
        made = plan(folder / "val", tree=folder / "tree.nwk", tree_unit="Myr")
        study.reproduce(made, folder / "store", folder / "out", progress=False)
        report.write(folder / "out")
    return folder
