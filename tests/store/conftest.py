"""The store that most tests of this room look at."""

from __future__ import annotations

from pathlib import Path

import pytest

from bioclip_probe.store.shards import EmbeddingFolder
from bioclip_probe.store.store import Store
from tests.support.stores import store_of_five


@pytest.fixture
def full(tmp_path: Path) -> Store:
    """A store of 5 images in 3 shards, of which image 3 failed."""
    return store_of_five(tmp_path / "store")


@pytest.fixture
def full_folder(full: Store) -> EmbeddingFolder:
    """The folder of the only encoder in `full`."""
    return full.embedding_folder("few", "mean/colour")
