"""Fixtures for the tests of encoders: pictures, a tiny model, and an empty cache of the hub."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from bioclip_probe import encoders
from tests.support.model_folders import make_folder, picture, use_cache


@pytest.fixture(scope="session")
def pictures() -> list[Image.Image]:
    return [picture(seed, size) for seed, size in enumerate([(90, 70), (64, 64), (50, 131)])]


@pytest.fixture(autouse=True)
def nothing_loaded() -> Iterator[None]:
    yield
    encoders.clear_cache()


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny open_clip model folder."""
    return make_folder(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub, and a hub that nobody can reach."""
    return use_cache(tmp_path / "hub", monkeypatch)


@pytest.fixture(scope="session")
def worker() -> Iterator[ProcessPoolExecutor]:
    """Another process, which shares nothing with this one."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool
