"""Datasets give images and taxa. One file a dataset; `catalogue` lists them, `load` gives one.

A dataset is named on the command line as ``NAME`` or ``NAME:PATH``. To add one: write its file with a function
`load(path)` that gives a `Dataset`, add its line to `SHELF` (with ``-`` where the file's name has ``_``), and test it.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import pandas as pd

from bioclip_probe.datasets.dataset import Dataset, fingerprint_of
from bioclip_probe.errors import DataError

__all__ = ["Dataset", "catalogue", "fingerprint_of", "load"]


@dataclass(frozen=True)
class Entry:
    """One line of the catalogue; the dataset's file has the name of the dataset."""

    how: str
    what: str
    takes_path: bool = True


SHELF: dict[str, Entry] = {
    "world": Entry("world", "the built-in simulated world; needs no download", takes_path=False),
    "inat21": Entry("inat21:PATH", "iNat21: the folder of a split, the folder above (then val), or a split's JSON"),
    "folder": Entry("folder:PATH", "one folder a taxon (Kingdom_..._epithet, or Genus species), or nested by rank"),
    "table": Entry("table:FILE", "CSV, TSV or Parquet: a column of picture paths and columns of ranks"),
    "bioscan-1m": Entry("bioscan-1m:PATH", "BIOSCAN-1M: its folder, or that of one set of its pictures"),
    "bioscan-5m": Entry("bioscan-5m:PATH", "BIOSCAN-5M: its folder, or that of one set of its pictures"),
    "meta-album": Entry("meta-album:PATH", "Meta-Album: the folder of one set (labels.csv and images)"),
    "darwin-core": Entry(
        "darwin-core:PATH", "Darwin Core archive: its folder or .zip, with downloaded pictures beside it"
    ),
    "webdataset": Entry("webdataset:PATH", "webdataset tars: one, a folder, or a pattern such as {000..127}.tar"),
    "tree-of-life-10m": Entry("tree-of-life-10m:PATH", "TreeOfLife-10M: catalog.csv and tars, of the hub or rebuilt"),
    "tree-of-life-200m": Entry(
        "tree-of-life-200m:PATH",
        "TreeOfLife-200M: one file of its catalog, or a small one's folder",
    ),
    "rare-species": Entry("rare-species:PATH", "Rare Species: Parquet as on the hub, or dataset/ and metadata.csv"),
    "birds-525": Entry(
        "birds-525:PATH", "Birds 525 of Kaggle: the folder of test/ and birds.csv (then test), or a part"
    ),
    "hugging-face": Entry("hugging-face:PATH", "a dataset saved by save_to_disk of Hugging Face's datasets"),
    "vectors": Entry("vectors:FILE", "ready vectors, no pictures: Parquet as emb-explorer's, .npz, AnnData's .h5ad"),
}


def catalogue() -> pd.DataFrame:
    """The datasets there are: columns name, what, how (what to write on the command line)."""
    return pd.DataFrame(
        [(name, entry.what, entry.how) for name, entry in SHELF.items()], columns=["name", "what", "how"]
    )


def load(spec: str) -> Dataset:
    """The dataset that `spec` names: ``world``, ``inat21:PATH`` or another form of `catalogue`.

    Raises
    ------
    DataError
        If no dataset has that name, its path is missing, or what lies there is not what was expected.
    """
    name, _, path = str(spec).partition(":")
    entry = SHELF.get(name)
    if entry is None:
        near = difflib.get_close_matches(name.lower(), SHELF, n=3, cutoff=0.6)
        if Path(spec).exists():
            near = [f"{'folder' if Path(spec).is_dir() else 'table'}:{spec}"]
        hint = (
            f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(e.how for e in SHELF.values())}"
        )
        raise DataError(f"no dataset is called '{name}'; {hint}")
    if entry.takes_path and not path:
        raise DataError(f"dataset '{name}' needs a path: {entry.how}")
    if path and not entry.takes_path:
        raise DataError(f"dataset '{name}' takes no path; got '{spec}'")
    module = import_module(f"bioclip_probe.datasets.{name.replace('-', '_')}")
    return module.load(Path(path).expanduser()) if entry.takes_path else module.load()
