import pandas as pd
import pytest

from bioclip_probe.datasets import names
from bioclip_probe.errors import DataError, PictureError


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "birds.csv"
    path.write_text(
        "id,Family,scientificName,count\n7,Corvidae,Pica hudsonia (Sabine 1823),3\n7,Corvidae,Corvus sp.,1\n"
    )
    return path


def test_names_are_read_as_those_of_pictures_are(table):
    dataset = names.load_names(table)
    assert dataset.name == "birds"
    assert dataset.images[["image_id", "family", "genus", "species"]].fillna("").to_numpy().tolist() == [
        ["row 1", "Corvidae", "Pica", "Pica hudsonia"],
        ["row 2", "Corvidae", "Corvus", ""],
    ]
    assert "a table of names without pictures: it can be audited, not embedded" in dataset.notes


def test_how_names_were_resolved_is_kept(tmp_path):
    table = pd.DataFrame({"species": ["Pica pica", "Pica"], "resolution_status": ["EXACT", "PARTIAL"]})
    table.to_parquet(tmp_path / "names.resolved.parquet")
    dataset = names.load_names(tmp_path / "names.resolved.parquet")
    assert dataset.notes[-1] == "images by how their names were resolved: 1 EXACT, 1 PARTIAL"


def test_it_has_no_pictures(table):
    with pytest.raises(PictureError, match=r"birds.csv is a table of names without pictures"):
        names.load_names(table).open("row 1")


def test_only_a_table_with_ranks_and_without_pictures_is_one_of_names(tmp_path, table):
    assert names.has_only_names(table)
    (tmp_path / "pictures.csv").write_text("path,species\na.png,Pica pica\n")
    (tmp_path / "other.tsv").write_text("id\tcount\n1\t2\n")
    (tmp_path / "tree.nwk").write_text("(a,b);")
    pd.DataFrame({"species": ["Pica pica"]}).to_parquet(tmp_path / "names.parquet")
    pd.DataFrame({"species": ["Pica pica"], "path": ["a.png"]}).to_parquet(tmp_path / "pictures.parquet")
    found = [path.name for path in sorted(tmp_path.iterdir()) if names.has_only_names(path)]
    assert found == ["birds.csv", "names.parquet"]
    assert not names.has_only_names(tmp_path)


def test_a_table_without_rows_is_refused(tmp_path):
    (tmp_path / "none.csv").write_text("species\n")
    with pytest.raises(DataError, match="it has no row below its header"):
        names.load_names(tmp_path / "none.csv")
