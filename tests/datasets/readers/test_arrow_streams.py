"""Arrow streams that would fill the memory are refused from what they declare."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from bioclip_probe.datasets.readers.arrow_streams import check_arrow_stream
from bioclip_probe.errors import DataError
from bioclip_probe.limits import allow_memory

LONG = "Pica hudsonia " * 10_000


def write(path: Path, table: pa.Table, compression: str | None = None, n_batches: int = 1) -> Path:
    """Write a table as several batches of a stream, and return its path."""
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema, options=options) as stream:
        for _ in range(n_batches):
            stream.write_table(table)
    return path


@pytest.mark.parametrize("compression", [None, "lz4", "zstd"])
def test_ordinary_streams_pass(tmp_path, compression):
    table = pa.table({"genus": ["Pica", None], "image": [{"bytes": b"1", "path": "a"}] * 2, "year": [1823, None]})
    check_arrow_stream(write(tmp_path / "a.arrow", table, compression, n_batches=3))
    check_arrow_stream(write(tmp_path / "none.arrow", table.slice(0, 0), compression))


@pytest.mark.parametrize("compression", ["lz4", "zstd"])
def test_compressed_batches_are_counted_together(tmp_path, compression):
    table = pa.table({"genus": [LONG] * 10})
    path = write(tmp_path / "a.arrow", table, compression, n_batches=4)
    n_bytes = 4 * 10 * len(LONG)
    assert path.stat().st_size < n_bytes / 100
    with allow_memory(n_bytes + 1000):
        check_arrow_stream(path)
    with allow_memory(n_bytes // 2), pytest.raises(DataError, match="its compressed columns would take"):
        check_arrow_stream(path)


def test_rows_without_a_byte_are_counted(tmp_path):
    path = write(tmp_path / "a.arrow", pa.table({"genus": pa.nulls(50_000_000)}))
    with pytest.raises(DataError, match="its table of 50,000,000 rows would take"):
        check_arrow_stream(path)


@pytest.mark.parametrize("kind", ["dictionary", "string_view", "run_end", "inside"])
def test_types_that_name_a_text_many_times_are_refused(tmp_path, kind):
    column = {
        "dictionary": lambda: pa.DictionaryArray.from_arrays(pa.array(np.zeros(9, np.int8)), [LONG]),
        "string_view": lambda: pa.array(["Pica"], pa.string_view()),
        "run_end": lambda: pa.RunEndEncodedArray.from_arrays(pa.array([9], pa.int32()), [LONG]),
        "inside": lambda: pa.array([["Pica"]], pa.list_(pa.string_view())),
    }[kind]()
    with pytest.raises(DataError, match="columns of types that save_to_disk does not write: genus"):
        check_arrow_stream(write(tmp_path / "a.arrow", pa.table({"genus": column})))


def test_mutated_streams_pass_or_are_one_line(tmp_path):
    content = write(tmp_path / "a.arrow", pa.table({"genus": ["Pica"] * 5}), "zstd").read_bytes()
    rng, path = np.random.default_rng(0), tmp_path / "b.arrow"
    for _ in range(300):
        changed = bytearray(content[: rng.integers(1, len(content) + 1)])
        for place in rng.integers(0, len(changed), 3):
            changed[place] = rng.integers(0, 256)
        path.write_bytes(changed)
        try:
            check_arrow_stream(path)
        except DataError as error:
            assert "\n" not in str(error)


def test_a_saved_dataset_is_checked_in_all_its_files(tmp_path):
    pytest.importorskip("datasets")
    from bioclip_probe.datasets.hugging_face import load

    folder = tmp_path / "saved"
    folder.mkdir()
    write(folder / "x.bin", pa.table({"genus": [LONG] * 9}), "zstd")
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": "x.bin"}]}))
    with allow_memory(1 << 20), pytest.raises(DataError, match=r"x\.bin: its compressed columns would take"):
        load(folder)
    shutil.copytree(folder, tmp_path / "splits" / "train")
    with allow_memory(1 << 20), pytest.raises(DataError, match=r"train/x\.bin: its compressed columns"):
        load(tmp_path / "splits")
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": "../x.bin"}]}))
    with pytest.raises(DataError, match=r"names files that do not lie beside it: \.\./x\.bin"):
        load(folder)
