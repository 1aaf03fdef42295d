"""Files of vectors and pictures with flipped, lost, added and repeated bytes: read, or refused in one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bioclip_probe import datasets
from bioclip_probe.datasets.readers.vector_files import open_vectors
from bioclip_probe.errors import ProbeError
from tests.support.parquet_pictures import name_columns, write_pictures
from tests.support.pictures import encode_picture
from tests.support.vector_files import write_npz, write_parquet

N_MUTANTS = 40


def mutants(content: bytes, seed: int):
    """Yield copies of a file, each harmed at a few places in one of four ways."""
    rng = np.random.default_rng(seed)
    for number in range(N_MUTANTS):
        harmed = bytearray(content)
        first, last = sorted(rng.integers(0, len(content), 2))
        if number % 4 == 0:
            for place in rng.integers(0, len(content), 4):
                harmed[place] ^= 1 << rng.integers(0, 8)
        elif number % 4 == 1:
            del harmed[first:last]
        elif number % 4 == 2:
            harmed[first:first] = rng.bytes(8)
        else:
            harmed[first:first] = harmed[first:last]
        yield bytes(harmed)


def read_vectors(path: Path) -> None:
    datasets.load(f"vectors:{path}")
    list(open_vectors(path).blocks())


def read_pictures(path: Path) -> None:
    dataset = datasets.load(f"table:{path}")
    for source in dataset.images["source"]:
        dataset.open(source)


def write_table(path: Path) -> Path:
    write_pictures(path, [encode_picture()] * 3, **name_columns(3))
    return path


FILES = {
    "v.npz": (write_npz, read_vectors),
    "v.parquet": (write_parquet, read_vectors),
    "pictures.parquet": (write_table, read_pictures),
}


@pytest.mark.parametrize("name", FILES)
def test_a_harmed_file_is_read_or_refused_in_one_line(tmp_path, name):
    write, read = FILES[name]
    path = write(tmp_path / name)
    read(path)
    for content in mutants(path.read_bytes(), seed=len(name)):
        path.write_bytes(content)
        try:
            read(path)
        except ProbeError as error:
            assert str(error).isprintable() and len(str(error)) < 1500
