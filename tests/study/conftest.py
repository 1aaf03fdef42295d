"""The small study and its sample, made once for all tests of the room."""

from __future__ import annotations

from pathlib import Path

import pytest

from bioclip_probe import collect
from bioclip_probe.extraction.settings import ExtractionSettings
from bioclip_probe.study import results
from bioclip_probe.study.phylogeny import Phylogeny
from bioclip_probe.study.sample import Sample
from tests.support.small_study import CONTROLS


@pytest.fixture(scope="session")
def found(small_study: Path) -> results.Results:
    """Return the results of the small study."""
    return results.read(small_study / "out")


@pytest.fixture(scope="session")
def sample(small_study: Path) -> Sample:
    """Return the sample of the small study, with its phylogeny."""
    return collect(
        f"inat21:{small_study / 'val'}",
        CONTROLS,
        small_study / "store",
        Phylogeny(small_study / "tree.nwk", "Myr"),
        settings=ExtractionSettings(progress=False),
    )
