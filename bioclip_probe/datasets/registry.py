"""The datasets by name.

A dataset is named on the command line as ``NAME`` or ``NAME:PATH``. To add one, write its file with a function
``load(path)`` that returns a `Dataset`, add a loader and an entry here, and test it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from bioclip_probe import tables
from bioclip_probe.datasets.dataset import Dataset
from bioclip_probe.datasets.readers.picture_paths import local_path
from bioclip_probe.errors import DataError

#: Form of a dataset that was made in memory, in the plan of its study: it cannot be loaded.
IN_MEMORY = "memory"

# Each loader imports its module when it is called: a listing of the datasets needs none of them.


def _load_world() -> Dataset:
    from bioclip_probe.datasets import world

    return world.load()


def _load_inat21(path: Path) -> Dataset:
    from bioclip_probe.datasets import inat21

    return inat21.load(path)


def _load_inat_open_data(path: Path) -> Dataset:
    from bioclip_probe.datasets import inat_open_data

    return inat_open_data.load(path)


def _load_folder(path: Path) -> Dataset:
    from bioclip_probe.datasets import folder

    return folder.load(path)


def _load_table(path: Path) -> Dataset:
    from bioclip_probe.datasets import table

    return table.load(path)


def _load_bioscan_1m(path: Path) -> Dataset:
    from bioclip_probe.datasets import bioscan_1m

    return bioscan_1m.load(path)


def _load_bioscan_5m(path: Path) -> Dataset:
    from bioclip_probe.datasets import bioscan_5m

    return bioscan_5m.load(path)


def _load_meta_album(path: Path) -> Dataset:
    from bioclip_probe.datasets import meta_album

    return meta_album.load(path)


def _load_darwin_core(path: Path) -> Dataset:
    from bioclip_probe.datasets import darwin_core

    return darwin_core.load(path)


def _load_webdataset(path: Path) -> Dataset:
    from bioclip_probe.datasets import webdataset

    return webdataset.load(path)


def _load_tree_of_life_10m(path: Path) -> Dataset:
    from bioclip_probe.datasets import tree_of_life_10m

    return tree_of_life_10m.load(path)


def _load_tree_of_life_200m(path: Path) -> Dataset:
    from bioclip_probe.datasets import tree_of_life_200m

    return tree_of_life_200m.load(path)


def _load_rare_species(path: Path) -> Dataset:
    from bioclip_probe.datasets import rare_species

    return rare_species.load(path)


def _load_birds_525(path: Path) -> Dataset:
    from bioclip_probe.datasets import birds_525

    return birds_525.load(path)


def _load_hugging_face(path: Path) -> Dataset:
    from bioclip_probe.datasets import hugging_face

    return hugging_face.load(path)


def _load_vectors(path: Path) -> Dataset:
    from bioclip_probe.datasets import vectors

    return vectors.load(path)


@dataclass(frozen=True)
class DatasetEntry(tables.Entry):
    """One dataset of the registry. `function` returns the `Dataset`, from a path if `takes_path`.

    Attributes
    ----------
    form : str
        Its form on the command line, e.g. ``inat21:PATH``.
    takes_path : bool
        False for a dataset that is part of the package.

    Examples
    --------
    >>> REGISTRY["inat21"].form
    'inat21:PATH'
    """

    form: str = ""
    takes_path: bool = True


REGISTRY: dict[str, DatasetEntry] = {
    entry.name: entry
    for entry in (
        DatasetEntry(
            "world",
            "the built-in simulated world; needs no download",
            function=_load_world,
            form="world",
            takes_path=False,
        ),
        DatasetEntry(
            "inat21",
            "iNat21: the folder of a split, the folder above (then val), or a split's JSON",
            function=_load_inat21,
            form="inat21:PATH",
        ),
        DatasetEntry(
            "folder",
            "one folder a taxon (Kingdom_..._epithet, or Genus species), or nested by rank",
            function=_load_folder,
            form="folder:PATH",
        ),
        DatasetEntry(
            "table",
            "CSV, TSV or Parquet: a column of picture paths and columns of ranks",
            function=_load_table,
            form="table:FILE",
        ),
        DatasetEntry(
            "bioscan-1m",
            "BIOSCAN-1M: its folder, or that of one set of its pictures",
            function=_load_bioscan_1m,
            form="bioscan-1m:PATH",
        ),
        DatasetEntry(
            "bioscan-5m",
            "BIOSCAN-5M: its folder, or that of one set of its pictures",
            function=_load_bioscan_5m,
            form="bioscan-5m:PATH",
        ),
        DatasetEntry(
            "meta-album",
            "Meta-Album: the folder of one set (labels.csv and images)",
            function=_load_meta_album,
            form="meta-album:PATH",
        ),
        DatasetEntry(
            "darwin-core",
            "Darwin Core archive: its folder or .zip, with downloaded pictures beside it",
            function=_load_darwin_core,
            form="darwin-core:PATH",
        ),
        DatasetEntry(
            "inat-open-data",
            "iNaturalist Open Data: photos.csv, observations.csv, taxa.csv and downloaded photos",
            function=_load_inat_open_data,
            form="inat-open-data:PATH",
        ),
        DatasetEntry(
            "webdataset",
            "webdataset tars: one, a folder, or a pattern such as {000..127}.tar",
            function=_load_webdataset,
            form="webdataset:PATH",
        ),
        DatasetEntry(
            "tree-of-life-10m",
            "TreeOfLife-10M: catalog.csv and tars, of the hub or rebuilt",
            function=_load_tree_of_life_10m,
            form="tree-of-life-10m:PATH",
        ),
        DatasetEntry(
            "tree-of-life-200m",
            "TreeOfLife-200M: one file of its catalog, or a small one's folder",
            function=_load_tree_of_life_200m,
            form="tree-of-life-200m:PATH",
        ),
        DatasetEntry(
            "rare-species",
            "Rare Species: Parquet as on the hub, or dataset/ and metadata.csv",
            function=_load_rare_species,
            form="rare-species:PATH",
        ),
        DatasetEntry(
            "birds-525",
            "Birds 525 of Kaggle: the folder of test/ and birds.csv (then test), or of one split",
            function=_load_birds_525,
            form="birds-525:PATH",
        ),
        DatasetEntry(
            "hugging-face",
            "a dataset saved by save_to_disk of Hugging Face's datasets",
            function=_load_hugging_face,
            form="hugging-face:PATH",
        ),
        DatasetEntry(
            "vectors",
            "ready vectors, no pictures: Parquet, .npz, AnnData's .h5ad, CSV, pybioclip's JSON",
            function=_load_vectors,
            form="vectors:FILE",
        ),
    )
}


def catalogue() -> pd.DataFrame:
    """Return the datasets as a table.

    Returns
    -------
    DataFrame
        Columns name, title, and form: how the dataset is named on the command line.

    Examples
    --------
    >>> catalogue()["form"].tolist()[:3]
    ['world', 'inat21:PATH', 'folder:PATH']
    """
    return tables.catalogue(REGISTRY, columns=("name", "title", "form"))


def load(spec: str, lineages: str = "filled") -> Dataset:
    """Return the dataset that `spec` names.

    Parameters
    ----------
    spec : str
        ``world``, ``inat21:PATH`` or another form of `catalogue`.
    lineages : {'filled', 'as-given'}
        Fill a rank that an image lacks where all other images of its genus, family … agree on it, or leave it missing.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If no dataset has that name, its path is missing, or the files there are not those of the dataset.

    Examples
    --------
    >>> load("inat:val")
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: no dataset 'inat'; did you mean inat21:PATH?
    """
    name, _, path = str(spec).partition(":")
    if name == IN_MEMORY:
        raise DataError(f"the dataset '{path}' was made in memory; only the process that made it has its pictures")
    if name not in REGISTRY:
        local_path(spec)
        if Path(spec).exists():
            raise DataError(f"no dataset '{name}'; did you mean {likely_form(Path(spec))}:{spec}?")
        tables.check_name("dataset", name, [entry.form for entry in REGISTRY.values()], DataError)
    entry = REGISTRY[name]
    if entry.takes_path and not path:
        raise DataError(f"dataset '{name}' needs a path: {entry.form}")
    if path and not entry.takes_path:
        raise DataError(f"dataset '{name}' takes no path; got '{spec}'")
    tables.check_name("way to read lineages", lineages, tables.LINEAGES, DataError)
    assert entry.function is not None
    dataset = entry.function(local_path(path)) if entry.takes_path else entry.function()
    dataset = replace(dataset, spec=str(spec))
    return dataset if lineages == tables.LINEAGES[0] else dataset.as_given()


#: Forms of a folder by a file in it, and of a file by its ending.
_FORMS_BY_FILE = {
    "meta.xml": "darwin-core", "taxa.csv": "inat-open-data", "taxa.csv.gz": "inat-open-data",
    "dataset_info.json": "hugging-face", "labels.csv": "meta-album", "birds.csv": "birds-525", "catalog.csv":
    "tree-of-life-10m",
}  # fmt: skip
_FORMS_BY_SUFFIX = {
    ".npz": "vectors", ".h5ad": "vectors", ".tar": "webdataset", ".zip": "darwin-core", ".json": "inat21"
}  # fmt: skip


def likely_form(path: Path) -> str:
    """Return the form of the dataset that a path most likely is.

    Parameters
    ----------
    path : Path
        A file or folder that exists.

    Returns
    -------
    str
        The first word of a form of `catalogue`.

    Examples
    --------
    >>> likely_form(Path("birds.npz")), likely_form(Path("birds.csv"))
    ('vectors', 'table')
    """
    if path.is_dir():
        forms = [form for name, form in _FORMS_BY_FILE.items() if (path / name).is_file()]
        return next(iter(forms), "webdataset" if any(path.glob("*.tar")) else "folder")
    if path.suffix.lower() != ".parquet":
        return _FORMS_BY_SUFFIX.get(path.suffix.lower(), "table")
    from bioclip_probe.datasets import table

    return "vectors" if table.holds_only_vectors(path) else "table"
