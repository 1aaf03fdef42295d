"""A study with the primary endpoints alone, copied for each test that changes it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bioclip_probe.probes.settings import ProbeSettings
from bioclip_probe.study.run import run_steps
from bioclip_probe.study.verification.numbers import GEOMETRY
from tests.support.settings import FEW
from tests.support.small_study import NEWICK, grow, plan
from tests.support.verified_study import copy_study

DIFFERENCES = tuple(f"{name}_difference" for name in GEOMETRY)


@pytest.fixture(scope="session")
def endpoints_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run a study of the primary endpoints: ``val`` with pictures, ``tree.nwk``, ``store`` and ``out``."""
    folder = tmp_path_factory.mktemp("endpoints")
    grow(folder / "val")
    (folder / "tree.nwk").write_text(NEWICK)
    small = plan(
        folder / "val",
        tree=folder / "tree.nwk",
        tree_unit="Myr",
        measure=replace(FEW, metrics=(*GEOMETRY, *DIFFERENCES)),
        probe=ProbeSettings(probes=("linear",), protocols=("unseen",), n_deals=1),
    )
    run_steps(small, folder / "store", folder / "out", ("measure", "probe"))
    return folder


@pytest.fixture
def copied(endpoints_study: Path, tmp_path: Path) -> tuple[Path, Path]:
    """Return the results folder and the store of a copy of the study."""
    return copy_study(endpoints_study, tmp_path)
