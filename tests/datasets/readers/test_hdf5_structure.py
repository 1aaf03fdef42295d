"""HDF5 files that the library cannot be trusted with, and a process that fails in place of ours."""

import pytest

from bioclip_probe.datasets.readers import hdf5_structure
from bioclip_probe.datasets.readers.hdf5_structure import check_hdf5_structure
from bioclip_probe.errors import DataError
from tests.support.vector_files import GOLDEN


def test_a_sound_file_passes():
    pytest.importorskip("h5py")
    check_hdf5_structure(GOLDEN)


def test_a_file_that_is_none_is_refused_with_the_reason(tmp_path):
    pytest.importorskip("h5py")
    (tmp_path / "a.h5ad").write_bytes(GOLDEN.read_bytes()[:3000])
    with pytest.raises(DataError, match=r"a\.h5ad cannot be read as \.h5ad: OSError: .*truncated"):
        check_hdf5_structure(tmp_path / "a.h5ad")


@pytest.mark.parametrize("code", ["import os; os.abort()", "import os; os.kill(os.getpid(), 9)", "while True: pass"])
def test_a_file_that_ends_the_process_or_never_ends_is_refused(monkeypatch, tmp_path, code):
    monkeypatch.setattr(hdf5_structure, "_WALK", code)
    monkeypatch.setattr(hdf5_structure, "_SECONDS", 2)
    with pytest.raises(DataError, match=r"a\.h5ad is damaged: reading its structure does not end"):
        check_hdf5_structure(tmp_path / "a.h5ad")
