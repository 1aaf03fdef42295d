import pytest

from bioclip_probe import datasets
from bioclip_probe.errors import DataError
from tests.support.pictures import paint

HEADER = "class id,filepaths,labels,data set,scientific name"
SPECIES = {
    "ABBOTTS BABBLER": "MALACOCINCLA ABBOTTI",
    "PARAKETT  AUKLET": "AETHIA PSITTACULA",
    "WOOD-PIGEON": "COLUMBA PALUMBUS AZORICA",
}


def build(root, species=SPECIES, parts=("train", "valid", "test"), table="birds.csv"):
    rows = []
    for number, (folder, name) in enumerate(species.items()):
        for part in parts:
            for i in range(1, 3):
                paint(root / part / folder / f"{i}.jpg", (number, i, 0))
                label = folder.replace("AUKLET", "AKULET")  # as the source misspells it
                rows.append(f"{number}.0,{part}/{folder}/{i}.jpg,{label},{part},{name}")
    if table:
        (root / table).write_text("\n".join([HEADER, *rows]) + "\n")
    return root


def load(path):
    return datasets.load(f"birds-525:{path}")


@pytest.mark.parametrize("table", ["birds.csv", "BIRDS.CSV"])
def test_the_test_split_with_its_names(tmp_path, table):
    dataset = load(build(tmp_path, table=table))
    assert dataset.name == "birds-525"
    assert len(dataset) == 6
    assert set(dataset.images["split"]) == {"test"}
    first = dataset.images.set_index("image_id").loc["test/ABBOTTS BABBLER/2.jpg"]
    ranks = ["kingdom", "phylum", "class", "genus", "species"]
    assert first[ranks].tolist() == ["Animalia", "Chordata", "Aves", "Malacocincla", "Malacocincla abbotti"]
    assert first[["order", "family"]].isna().all()
    assert first[["label", "common"]].tolist() == ["ABBOTTS BABBLER", "abbotts babbler"]
    assert dataset.open(first["source"]).size == (8, 6)
    assert not dataset.notes


def test_names_are_matched_by_path_because_labels_are_misspelled(tmp_path):
    images = load(build(tmp_path)).images.set_index("label")
    assert set(images.loc["PARAKETT AUKLET", "species"]) == {"Aethia psittacula"}
    assert set(images.loc["WOOD-PIGEON", "species"]) == {"Columba palumbus"}


def test_the_folder_of_a_split_may_be_given(tmp_path):
    build(tmp_path)
    assert load(tmp_path / "test").fingerprint == load(tmp_path).fingerprint
    valid = load(tmp_path / "valid")
    assert (valid.name, set(valid.images["split"])) == ("birds-525-valid", {"valid"})
    assert valid.images["species"].notna().all()


def test_without_the_table_no_taxon_is_known(tmp_path):
    dataset = load(build(tmp_path, table=None))
    assert dataset.images[["kingdom", "species"]].isna().all(axis=None)
    assert dataset.images["label"].nunique() == 3
    assert "no birds.csv beside the pictures: their labels are English names" in dataset.notes


def test_files_and_names_that_do_not_fit_are_noted(tmp_path):
    root = build(tmp_path)
    paint(root / "test" / "NOWHERE LISTED" / "1.jpg")
    paint(root / "test" / "loose.jpg")
    with (root / "birds.csv").open("a") as file:
        file.write("0.0,train/ABBOTTS BABBLER/9.jpg,ABBOTTS BABBLER,train,MALACOCINCLA ABOTI\n")
    dataset = load(root)
    assert set(dataset.images.loc[dataset.images["label"] == "ABBOTTS BABBLER", "species"]) == {"Malacocincla abbotti"}
    assert "1 files left out, no pictures in a species folder: loose.jpg" in dataset.notes
    assert "1 images have no binomial, and no taxon: NOWHERE LISTED" in dataset.notes
    assert "birds.csv has several scientific names for ABBOTTS BABBLER; the most frequent was read" in dataset.notes


def test_other_folders_are_refused(tmp_path):
    (tmp_path / "holiday").mkdir()
    with pytest.raises(DataError, match=r"is not Birds 525: expected test/ and birds.csv; found: holiday$"):
        load(tmp_path)
    (tmp_path / "test").mkdir()
    with pytest.raises(DataError, match=r"test has no usable image: expected a folder a species"):
        load(tmp_path)
    build(tmp_path)
    (tmp_path / "birds.csv").write_text("filepaths,labels\na,b\n")
    with pytest.raises(DataError, match=r"birds.csv lacks the columns scientific name"):
        load(tmp_path)
