import pandas as pd
import pytest

from bioclip_probe import datasets
from bioclip_probe.datasets import tree_of_life_200m
from bioclip_probe.errors import DataError
from tests.support.pictures import paint

UUIDS = [f"{i:02x}cd{i:04x}-1111" for i in range(6)]


def catalog(file, **columns):
    file.parent.mkdir(parents=True, exist_ok=True)
    frame = pd.DataFrame({"uuid": UUIDS, "kingdom": "Animalia", "genus": "Pica", "species": "hudsonia"})
    frame.assign(common_name="magpie", img_type="Citizen Science", publisher="iNaturalist", **columns).to_parquet(file)
    return file


@pytest.mark.parametrize("place", ["{}.jpg", "{0[0]}{0[1]}/{0}.jpg", "{0[0]}{0[1]}/{0[2]}{0[3]}/{0}.jpg", "{}.png"])
def test_pictures_are_found_by_their_uuid(tmp_path, place):
    file = catalog(tmp_path / "catalog" / "part-00017.parquet")
    for uuid in UUIDS:
        paint(tmp_path / "images" / place.format(uuid))
    dataset = datasets.load(f"tree-of-life-200m:{file}")
    assert dataset.name == "tree-of-life-200m-part-00017"
    assert dataset.images["image_id"].tolist() == UUIDS
    assert set(dataset.images["species"]) == {"Pica hudsonia"}
    assert set(dataset.images["common"]) == {"magpie"}
    assert all(dataset.open(source).size == (8, 6) for source in dataset.images["source"])


def test_a_column_of_paths_is_used_instead_of_the_uuid(tmp_path):
    catalog(tmp_path / "catalog" / "a.parquet", path=[f"x/{i}.png" for i in range(6)])
    for i in range(5):
        paint(tmp_path / "images" / f"x/{i}.png")
    dataset = datasets.load(f"tree-of-life-200m:{tmp_path}")
    assert dataset.images["source"].tolist() == [f"x/{i}.png" for i in range(6)]
    assert any("1 images have no file" in note for note in dataset.notes)


def test_no_catalog_no_pictures_or_too_many_rows_are_refused(tmp_path):
    with pytest.raises(DataError, match="holds no catalog"):
        datasets.load(f"tree-of-life-200m:{tmp_path}")
    catalog(tmp_path / "catalog" / "a.parquet")
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "0001.tar").touch()
    with pytest.raises(DataError, match=r"none of 6 pictures .* unpack the tars there first: 0001\.tar"):
        datasets.load(f"tree-of-life-200m:{tmp_path}")
    with pytest.raises(DataError, match=r"has 6 rows, more than the 5 .* name one file of it: tree-of-life-200m:"):
        tree_of_life_200m.load(tmp_path, max_rows=5)


def test_an_id_too_long_for_a_file_name(tmp_path):
    file = tmp_path / "a.parquet"
    pd.DataFrame({"uuid": ["a" * 300], "genus": ["Pica"], "species": ["hudsonia"]}).to_parquet(file)
    with pytest.raises(DataError, match="none of 1 pictures"):
        datasets.load(f"tree-of-life-200m:{file}")


def test_an_id_that_is_a_path_is_refused(tmp_path):
    file = tmp_path / "a.parquet"
    pd.DataFrame({"uuid": ["../../etc/passwd"], "genus": ["Pica"], "species": ["hudsonia"]}).to_parquet(file)
    with pytest.raises(DataError, match="1 ids that are not uuids"):
        datasets.load(f"tree-of-life-200m:{file}")


def test_the_status_of_resolved_names_is_kept(tmp_path):
    """TaxonoPy writes it into its resolved Parquet."""
    status = ["EXACT_MATCH_PRIMARY_SOURCE_ACCEPTED"] * 4 + ["FORCE_ACCEPTED"] * 2
    file = catalog(tmp_path / "sample.resolved.parquet", resolution_status=status, resolution_path="RESOLVED")
    for uuid in UUIDS:
        paint(tmp_path / "images" / f"{uuid}.jpg")
    dataset = datasets.load(f"tree-of-life-200m:{file}")
    assert dataset.images["status"].tolist() == status
    counts = "4 EXACT_MATCH_PRIMARY_SOURCE_ACCEPTED, 2 FORCE_ACCEPTED"
    assert f"images by how their names were resolved: {counts}" in dataset.notes
