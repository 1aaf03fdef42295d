"""iNaturalist Open Data: the tables of its bucket, and the photos of it that were downloaded.

``inat-open-data:PATH``, where PATH is a folder with ``photos.csv``, ``observations.csv`` and ``taxa.csv`` (tabs between
fields, mostly as ``.csv.gz``), there or in ``metadata/``, and at any depth the photos: ``photos/<photo_id>/medium.jpg``
as in the bucket, or ``<photo_id>.jpg``. The tables list hundreds of millions of photos; only the rows of photos that
exist are kept.

The names of a taxon are those of its ancestors, by ``ancestry``. The `image_id` is the photo_id, the `group` the
observer. A photo may belong to several observations: if those show different taxa, it is left out, and noted.

References
----------
github.com/inaturalist/inaturalist-open-data
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from bioclip_probe.datasets.dataset import Dataset, dataset_from_files
from bioclip_probe.datasets.readers.media_addresses import name_of_file
from bioclip_probe.datasets.readers.pictures import SUFFIXES, check_folder, walk_files
from bioclip_probe.datasets.readers.table_formats import TSV
from bioclip_probe.datasets.readers.text_files import find_compressed
from bioclip_probe.datasets.readers.text_tables import read_columns
from bioclip_probe.errors import DataError, some
from bioclip_probe.tables import RANKS

NAME = "inat-open-data"
TABLES = ("photos", "observations", "taxa")
#: The sizes of a photo, the largest first; where several exist the largest is used.
SIZES = ("original", "large", "medium", "small", "thumb", "square")
#: Ranks of iNaturalist that stand in the place of one of ours. The name of a hybrid is that of a species.
OTHER_RANKS = {"hybrid": "species", "genushybrid": "genus"}


def load(path: Path) -> Dataset:
    """Return the photos below a folder that the tables of iNaturalist Open Data list.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If a table is missing or cannot be read, a taxon stands in it twice, or it lists none of the photos.

    Examples
    --------
    >>> load(Path("nowhere"))
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: nowhere: no such folder
    """
    path = check_folder(Path(path))
    photos_table, observations_table, taxa_table = (_find_table(path, name) for name in TABLES)
    file_of, notes = _find_photos(path)
    if not file_of:
        raise DataError(f"{path} has no usable image: expected photos, photos/<photo_id>/medium.jpg or <photo_id>.jpg")
    photos = read_columns(
        photos_table, TSV, ["photo_id", "observation_uuid", "observer_id"], only={"photo_id": file_of.keys()}
    )
    if photos.empty:
        raise DataError(
            f"{photos_table} lists none of the {len(file_of)} photos below {path}: {some(file_of.values())}"
        )
    observations = read_columns(
        observations_table,
        TSV,
        ["observation_uuid", "taxon_id"],
        ["quality_grade"],
        only={"observation_uuid": photos["observation_uuid"].dropna().unique()},
    ).drop_duplicates()
    _refuse_repeated(observations["observation_uuid"], observations_table)
    rows = photos.drop_duplicates().merge(observations, on="observation_uuid", how="left")
    lineages = _lineages(taxa_table, rows["taxon_id"].dropna().unique())
    rows = rows.join(lineages, on="taxon_id")
    rows, more_notes = _one_row_a_photo(rows)
    notes += more_notes
    listed = set(photos["photo_id"])
    unlisted = [file for photo, file in file_of.items() if photo not in listed]
    if unlisted:
        notes.append(f"{len(unlisted)} files left out, {photos_table.name} does not list them: {some(unlisted)}")
    nameless = rows["taxon_id"].isna() | ~rows["taxon_id"].isin(lineages.index)
    if nameless.any():
        notes.append(f"{nameless.sum()} photos have no taxon in the tables: {some(rows.loc[nameless, 'photo_id'])}")
    source = rows["photo_id"].map(file_of)
    rows = rows.rename(columns={"photo_id": "image_id", "observer_id": "group"}).assign(source=source)
    return dataset_from_files(NAME, path, rows.reset_index(drop=True), notes + _notes_on_grades(rows))


def _find_table(path: Path, name: str) -> Path:
    for folder in (path, path / "metadata"):
        table = find_compressed(folder / f"{name}.csv")
        if table:
            return table
    raise DataError(f"{path} is not iNaturalist Open Data: it has no {name}.csv or {name}.csv.gz, nor has metadata/")


def _find_photos(path: Path) -> tuple[dict[str, str], list[str]]:
    """Return the file of each photo by its id, and notes."""
    files_of: dict[str, list[str]] = {}
    others = []
    for file in walk_files(path):
        if file.suffix.lower() in SUFFIXES:
            photo = name_of_file(file.as_posix())
            if photo.isdecimal():
                files_of.setdefault(photo, []).append(file.as_posix())
            else:
                others.append(file.as_posix())
    notes = [f"{len(others)} files left out, their names have no photo_id: {some(others)}"] if others else []
    several = [photo for photo, files in files_of.items() if len(files) > 1]
    if several:
        notes.append(f"{len(several)} photos have several sizes, of which the largest was used: {some(several)}")
    return {photo: min(files, key=_size) for photo, files in files_of.items()}, notes


def _size(file: str) -> tuple[int, str]:
    """Return a key that sorts files of one photo by size, the largest first."""
    place = next((place for place, size in enumerate(SIZES) if size in file.rpartition("/")[2].lower()), len(SIZES))
    return place, file


def _lineages(table: Path, taxon_ids: Iterable[str]) -> pd.DataFrame:
    """Return the names of taxa at each of `RANKS`, by their ids."""
    taxa = read_columns(table, TSV, ["taxon_id", "ancestry", "rank", "name"]).drop_duplicates()
    _refuse_repeated(taxa["taxon_id"], table)
    taxa = taxa.set_index("taxon_id")
    wanted = taxa.loc[taxa.index.intersection(pd.Index(taxon_ids))]
    ancestors = {taxon: [*str(line).split("/"), taxon] for taxon, line in wanted["ancestry"].fillna("").items()}
    needed = {ancestor for line in ancestors.values() for ancestor in line}
    known = taxa.loc[taxa.index.intersection(pd.Index(list(needed)))]
    rank_of = known["rank"].str.lower().replace(OTHER_RANKS).to_dict()
    name_of = known["name"].to_dict()
    rows = []
    for line in ancestors.values():
        names = {rank_of[ancestor]: name_of[ancestor] for ancestor in reversed(line) if ancestor in rank_of}
        rows.append([names.get(rank) for rank in RANKS])
    return pd.DataFrame(rows, index=pd.Index(list(ancestors), dtype="str"), columns=RANKS, dtype="str")


def _refuse_repeated(ids: pd.Series, table: Path) -> None:
    repeated = ids[ids.duplicated()].unique()
    if len(repeated):
        raise DataError(f"{table} has {len(repeated)} rows that contradict others with the same id: {some(repeated)}")


def _one_row_a_photo(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return one row for each photo, without those whose observations show different taxa, and notes."""
    distinct = rows.drop_duplicates(["photo_id", *RANKS])
    several = distinct.loc[distinct["photo_id"].duplicated(), "photo_id"].unique()
    if len(several) == rows["photo_id"].nunique():
        raise DataError(f"the observations of every photo show different taxa: {some(several)}")
    notes = []
    if len(several):
        notes.append(f"{len(several)} photos left out, their observations show different taxa: {some(several)}")
    return distinct[~distinct["photo_id"].isin(several)], notes


def _notes_on_grades(rows: pd.DataFrame) -> list[str]:
    if "quality_grade" not in rows:
        return []
    counts = rows["quality_grade"].fillna("no grade").value_counts()
    return [f"photos by the grade of their observation: {some(f'{n} {grade}' for grade, n in counts.items())}"]
