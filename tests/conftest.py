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
