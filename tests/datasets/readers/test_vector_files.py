"""Files of ready vectors that are refused, each in one line."""

import os

import numpy as np
import pytest

from bioclip_probe.datasets.vectors import load
from bioclip_probe.errors import DataError
from tests.support.vector_files import GOLDEN, IDS, VECTORS, write_h5ad, write_npz, write_parquet


def test_links_to_other_files_are_not_followed(tmp_path):
    (tmp_path / "secret.h5").write_bytes(GOLDEN.read_bytes())

    def external(file, h5py):
        del file["X"]
        file["X"] = h5py.ExternalLink("secret.h5", "/X")

    def raw(file, h5py):
        del file["X"]
        file.create_dataset("X", (3, 4), "f4", external=[(os.fsencode(tmp_path / "secret.h5"), 0, 48)])

    for change in (external, raw):
        with pytest.raises(DataError, match="'X' is stored elsewhere"):
            load(write_h5ad(tmp_path / "v.h5ad", change))


def test_sparse_and_old_anndata_are_refused(tmp_path):
    def sparse(file, h5py):
        del file["X"]
        file.create_group("X").attrs["encoding-type"] = "csr_matrix"

    def old(file, h5py):
        del file["obs"].attrs["encoding-type"]

    with pytest.raises(DataError, match="X is not a dense array"):
        load(write_h5ad(tmp_path / "v.h5ad", sparse))
    with pytest.raises(DataError, match=r"AnnData 0\.8 and later"):
        load(write_h5ad(tmp_path / "w.h5ad", old))


def write_bytes(path, content):
    path.write_bytes(content)
    return path


NONE = np.array([], np.str_)


REFUSED = {
    "no such file": (lambda p: p / "none.npz", "no such file"),
    "another kind": (lambda p: p / "v.xlsx", r"expected ready vectors as \.parquet, \.npz, \.h5ad"),
    "no vectors": (lambda p: write_npz(p / "v.npz", vectors=np.zeros(5)), "has no vectors called emb, .* is none"),
    "no ids": (lambda p: write_npz(p / "v.npz", ids=np.zeros((5, 1))), "no column of ids: expected one of imageid"),
    "text": (lambda p: write_npz(p / "v.npz", vectors=np.full((5, 3), "x")), "expected numbers, one row a vector"),
    "fewer ids": (lambda p: write_npz(p / "v.npz", ids=np.array(IDS[:4])), "5 vectors in 'vectors', and 4 in 'ids'"),
    "no numbers": (lambda p: write_npz(p / "v.npz", vectors=np.zeros((5, 0))), "have no numbers"),
    "objects": (lambda p: write_npz(p / "v.npz", ids=np.array([{}] * 5)), "'ids' is an array of Python obj"),
    "no ranks": (lambda p: write_npz(p / "v.npz", genus=np.zeros((2, 2))), "has no rank columns"),
    "twice": (lambda p: write_npz(p / "v.npz", ids=np.array(list("aabbc"))), "more than once.*: a, b"),
    "no row": (lambda p: write_npz(p / "v.npz", ids=NONE, vectors=VECTORS[:0], genus=NONE), "no row"),
    "no npz": (lambda p: write_bytes(p / "v.npz", b"x"), r"is not a \.npz"),
    "no parquet": (lambda p: write_bytes(p / "v.parquet", b"PAR1"), "not a table that can be read"),
    "no h5ad": (lambda p: write_bytes(p / "v.h5ad", b"\x89HDF"), "cannot be read as .h5ad"),
    "lists of texts": (lambda p: write_parquet(p / "v.parquet", t=[["x"]] * 5).with_name("v.parquet#t"), "called 't'"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_other_files_are_refused_in_one_line(tmp_path, case):
    make, words = REFUSED[case]
    with pytest.raises(DataError, match=words) as error:
        load(make(tmp_path))
    assert "\n" not in str(error.value)
