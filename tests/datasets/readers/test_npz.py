"""Arrays of NumPy's .npz: which are read, and how hostile ones are refused."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from bioclip_probe.datasets.readers.npz import npz_arrays
from bioclip_probe.datasets.readers.vector_files import open_vectors
from bioclip_probe.datasets.vectors import load
from bioclip_probe.errors import DataError
from bioclip_probe.limits import allow_memory
from tests.support.vector_files import IDS, VECTORS, write_npz


def npy(array: np.ndarray) -> bytes:
    content = io.BytesIO()
    np.lib.format.write_array(content, array)
    return content.getvalue()


def write_members(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


def members(**changed: bytes) -> dict[str, bytes]:
    usual = {"ids": npy(np.array(IDS)), "vectors": npy(VECTORS), "genus": npy(np.array(["Pica"] * 5))}
    return usual | changed


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["f2", ">f4", "f8", "i1", "u8"])
def test_arrays_are_those_that_numpy_reads(tmp_path, order, dtype):
    vectors = np.asarray(VECTORS * 10, dtype, order=order)
    path = write_npz(tmp_path / "v.npz", vectors=vectors)
    assert np.array_equal(npz_arrays(path)["vectors"].read(), vectors)
    blocks = [block for block, _ in open_vectors(path).blocks()]
    assert np.array_equal(np.concatenate(blocks), vectors.astype(np.float32))


def test_vectors_are_read_block_by_block(tmp_path, monkeypatch):
    monkeypatch.setattr("bioclip_probe.datasets.readers.vector_table._ROWS_PER_BLOCK", 2)
    blocks = [block for block, _ in open_vectors(write_npz(tmp_path / "v.npz")).blocks()]
    assert [len(block) for block in blocks] == [2, 2, 1]
    assert np.array_equal(np.concatenate(blocks), VECTORS)


@pytest.mark.parametrize(
    ("arrays", "remedy"),
    [
        ({"ids": np.array(IDS, object)}, r"'ids' is an array of Python obj.* ids=np\.asarray\(ids\)\.astype\(str\)\)"),
        ({"genus": np.array(["Pica"] * 5, object)}, r"'genus' is an array of Python obj.*genus\)\.astype\(str\)"),
        ({"vectors": VECTORS.astype(object)}, r"'vectors' is an array .* vectors=np\.stack\(vectors\)"),
        ({"vectors": np.array([*map(list, VECTORS), None], object)[:5]}, r"np\.stack\(vectors\)"),
    ],
)  # fmt: skip
def test_an_array_of_python_objects_is_named_with_the_remedy(tmp_path, arrays, remedy):
    """NumPy writes one of a column of pandas."""
    with pytest.raises(DataError, match=remedy):
        load(write_npz(tmp_path / "v.npz", **arrays))


def test_an_array_of_python_objects_that_is_not_read_does_no_harm(tmp_path):
    path = write_npz(tmp_path / "v.npz", notes=np.array([{}] * 5), bioclip_probe=np.array(None, object))
    assert load(path).images["genus"].tolist() == ["Pica"] * 5


def test_two_arrays_of_one_name_are_refused(tmp_path):
    path = write_members(tmp_path / "v.npz", **members())
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr("ids.npy", npy(np.array(IDS)))
    with pytest.raises(DataError, match="more than one array called 'ids'"):
        load(path)


def test_members_that_are_no_arrays_are_left_alone(tmp_path):
    path = write_members(tmp_path / "v.npz", **members())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("README.txt", "vectors")
    assert len(load(path)) == 5


def header(shape: tuple[int, ...], dtype: str = "<f4", length: int | None = None) -> bytes:
    """Return the header of an array of any shape, without its content."""
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}}}\n".encode()
    return b"\x93NUMPY\x02\x00" + struct.pack("<I", len(text) if length is None else length) + text


HOSTILE = {
    "an enormous shape": (members(vectors=header((5, 60_000)) + bytes(100)), "array 'vectors' breaks off"),
    "more rows than bytes": (
        members(**{name: header((10**10, *rest)) for name, rest in [("ids", ()), ("vectors", (3,)), ("genus", ())]}),
        "table of 10,000,000,000 rows would take",
    ),
    "too many columns": (members(vectors=header((5, 10**9))), "1,000,000,000 numbers each; an embedding has 65,536"),
    "wide texts": (members(genus=header((5,), "<U400000000")), "array 'genus' would take .* GB of memory"),
    "a long header": (members(vectors=header((5, 3), length=4_000_000_000) + bytes(10**6)), r"cannot be read as \.npz"),
    "a negative shape": (members(vectors=header((5, -3))), "cannot be read|no numbers|breaks off"),
    "a nested header": (members(vectors=header((5, 3), "(" * 5000)), r"cannot be read as \.npz"),
    "no array": (members(vectors=b"no array"), r"cannot be read as \.npz"),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_arrays_are_refused_in_one_line(tmp_path, case):
    content, words = HOSTILE[case]
    path = write_members(tmp_path / "v.npz", **content)
    with pytest.raises(DataError, match=words) as caught:
        load(path)
        list(open_vectors(path).blocks())
    assert str(caught.value).isprintable()


def test_a_small_file_that_unpacks_to_much_is_refused_and_the_flag_allows_it(tmp_path):
    path = tmp_path / "v.npz"
    np.savez_compressed(path, ids=np.array(IDS), vectors=np.zeros((5, 60_000)), genus=np.array(["Pica"] * 5))
    assert path.stat().st_size < 20_000
    with (
        allow_memory(1 << 20),
        pytest.raises(DataError, match="array 'vectors' would take"),
    ):
        load(path)
    assert len(load(path)) == 5


def test_names_that_are_too_large_together_are_refused(tmp_path):
    texts = {"ids": ["a", "b"], **{rank: ["x" * 60_000] * 2 for rank in ("family", "genus", "species")}}
    np.savez_compressed(tmp_path / "v.npz", vectors=np.ones((2, 3)), **texts)
    with allow_memory(1 << 20), pytest.raises(DataError, match=r"its names would take 1\.37 MB"):
        open_vectors(tmp_path / "v.npz")
