import json

import pytest

from bioclip_probe import datasets
from bioclip_probe.errors import DataError
from bioclip_probe.tables import RANKS
from tests.support.pictures import INAT21_FOLDERS, paint

UUIDS = ("0a1b2c3d-0000-4000-8000-00000000000", "ffffffff-1111-4000-8000-00000000000")


def build(root, split="val", folders=INAT21_FOLDERS):
    for number, folder in enumerate(folders):
        for uuid in UUIDS:
            paint(root / split / folder / f"{uuid}{number}.jpg")
    return root


def write_json(root, split="val", folder_of_files=None, **changes):
    """Write the fields of the competition's JSON that the loader reads, and return its path."""
    images, notes, categories = [], [], []
    for number, name in enumerate(INAT21_FOLDERS):
        parts = name.split("_")[1:]
        ranks = dict(zip(RANKS[:-1], parts[:-1], strict=True))
        category = {"id": number, "name": " ".join(parts[-2:]), "specific_epithet": parts[-1], "image_dir_name": name}
        categories.append(category | ranks)
        for uuid in UUIDS:
            image = {"id": len(images), "file_name": f"{folder_of_files or split}/{name}/{uuid}{number}.jpg"}
            images.append(image | {"rights_holder": f"Person {number}"})
            notes.append({"id": image["id"], "image_id": image["id"], "category_id": number})
    content = {"info": {}, "images": images, "categories": categories, "annotations": notes} | changes
    (root / f"{split}.json").write_text(json.dumps(content))
    return root / f"{split}.json"


def test_folders_give_lineages_uuids_and_order(tmp_path):
    dataset = datasets.load(f"inat21:{build(tmp_path)}")
    assert dataset.name == "inat21-val"
    assert not dataset.simulated
    images = dataset.images
    assert images["image_id"].tolist() == [f"{uuid}{n}" for n in range(3) for uuid in UUIDS]
    assert images.loc[0, list(RANKS)].tolist() == [
        "Animalia", "Annelida", "Clitellata", "Haplotaxida", "Lumbricidae", "Lumbricus", "Lumbricus terrestris",
    ]  # fmt: skip
    assert images.loc[2, "species"] == "Zygiella x-notata"
    assert (images["split"] == "val").all()
    assert images["group"].isna().all()
    assert dataset.open(images.loc[0, "source"]).size == (8, 6)


@pytest.mark.parametrize(
    ("folder", "split"),
    [("2021_valid", "val"), ("train_mini", "train_mini"), ("2021_train", "train"), ("val_few", "val_few")],
)
def test_a_split_is_named_by_its_folder(tmp_path, folder, split):
    build(tmp_path, folder)
    dataset = datasets.load(f"inat21:{tmp_path / folder}")
    assert dataset.name == f"inat21-{split}"
    assert set(dataset.images["split"]) == {split}


def test_the_folder_above_means_val(tmp_path):
    build(tmp_path, "train_mini")
    build(tmp_path, "2021_valid")
    assert datasets.load(f"inat21:{tmp_path}").name == "inat21-val"


def test_without_val_the_error_names_the_other_splits(tmp_path):
    build(tmp_path, "train_mini")
    with pytest.raises(DataError, match=r"holds no split val, but train_mini; name one: inat21:.*train_mini$"):
        datasets.load(f"inat21:{tmp_path}")


def test_the_json_beside_a_folder_gives_the_photographer(tmp_path):
    build(tmp_path)
    write_json(tmp_path)
    (tmp_path / "val" / INAT21_FOLDERS[0] / f"{UUIDS[0]}0.jpg").unlink()
    dataset = datasets.load(f"inat21:{tmp_path}")
    assert dataset.images["group"].tolist() == ["Person 0", *["Person 1"] * 2, *["Person 2"] * 2]
    assert dataset.notes == (f"1 images of val.json are not in {tmp_path / 'val'}: {UUIDS[0]}0",)


@pytest.mark.parametrize("path", ["val.json", "."])
def test_json_gives_the_paths_of_pictures_in_another_folder(tmp_path, path):
    build(tmp_path, "pictures")
    write_json(tmp_path, folder_of_files="pictures")
    dataset = datasets.load(f"inat21:{tmp_path / path}")
    beside = datasets.load(f"inat21:{tmp_path / 'pictures'}")
    assert dataset.name == "inat21-val"
    columns = ["image_id", *RANKS]
    assert dataset.images[columns].equals(beside.images[columns])
    assert dataset.images["group"].notna().all()
    assert dataset.open(dataset.images.loc[0, "source"]).mode == "RGB"


def test_json_without_any_of_its_files(tmp_path):
    path = write_json(tmp_path)
    with pytest.raises(DataError, match=r"no usable image.*none of these is a file: val/00000_Animalia"):
        datasets.load(f"inat21:{path}")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"annotations": []}, "no annotations"),
        ({"categories": [{"id": 0}]}, "lacks 'kingdom'"),
        ({"images": 3}, "is not an iNat21 JSON"),
        ({"images": [{"id": 0, "file_name": "../../secret.jpg"}]}, "outside its folder"),
        (
            {"images": [{"id": 0, "file_name": "a.jpg"}, {"id": 0, "file_name": "b.jpg"}]},
            "1 images more than once: b.jpg",
        ),
        ({"annotations": [{"image_id": 0, "category_id": 9}]}, "has no category 9, which an annotation of image 0"),
    ],
)
def test_other_json_is_refused(tmp_path, changes, reason):
    path = write_json(build(tmp_path), **changes)
    with pytest.raises(DataError, match=reason):
        datasets.load(f"inat21:{path}")


def test_truncated_json_is_refused(tmp_path):
    path = write_json(tmp_path)
    path.write_text(path.read_text()[:100])
    with pytest.raises(DataError, match="is not JSON that can be read"):
        datasets.load(f"inat21:{path}")


def test_an_image_of_two_taxa_is_left_out_and_noted(tmp_path):
    path = write_json(build(tmp_path))
    content = json.loads(path.read_text())
    more = [{"image_id": 0, "category_id": 1}, {"image_id": 2, "category_id": 1}, {"image_id": 77, "category_id": 1}]
    path.write_text(json.dumps(content | {"annotations": content["annotations"] + more}))
    dataset = datasets.load(f"inat21:{path}")
    first = content["images"][0]["file_name"]
    assert dataset.images["source"].tolist() == [image["file_name"] for image in content["images"][1:]]
    assert dataset.notes == (
        "1 images have several annotations of one taxon",
        "1 annotations are of no image: 77",
        f"1 images left out, several annotations give them different taxa: {first}",
    )


def test_a_category_of_two_taxa_is_refused(tmp_path):
    path = write_json(build(tmp_path))
    content = json.loads(path.read_text())
    same = content["categories"][0]
    path.write_text(json.dumps(content | {"categories": [*content["categories"], same]}))
    assert datasets.load(f"inat21:{path}").notes == ("1 categories are listed several times: 0",)
    other = same | {"genus": "Octolasion"}
    path.write_text(json.dumps(content | {"categories": [*content["categories"], other]}))
    with pytest.raises(DataError, match="has two categories 0, of different taxa"):
        datasets.load(f"inat21:{path}")


def test_other_files_are_left_out_and_noted(tmp_path):
    build(tmp_path)
    (tmp_path / "val" / "README.txt").write_text("read me")
    paint(tmp_path / "val" / "lost.jpg")
    dataset = datasets.load(f"inat21:{tmp_path}")
    assert len(dataset) == 6
    assert dataset.notes == ("2 files left out, no pictures in a species folder: README.txt, lost.jpg",)


def test_other_folders_are_refused(tmp_path):
    paint(tmp_path / "val" / "Pica hudsonia" / "1.jpg")
    with pytest.raises(DataError, match=r"is not iNat21.*found: Pica hudsonia"):
        datasets.load(f"inat21:{tmp_path}")
    with pytest.raises(DataError, match=r"is not iNat21.*or val/; found: 1\.jpg"):
        datasets.load(f"inat21:{tmp_path / 'val' / 'Pica hudsonia'}")


def test_empty_and_missing_folders_are_refused(tmp_path):
    (tmp_path / "val").mkdir()
    with pytest.raises(DataError, match="no usable image"):
        datasets.load(f"inat21:{tmp_path}")
    with pytest.raises(DataError, match="no such folder"):
        datasets.load(f"inat21:{tmp_path / 'nowhere'}")


def test_one_uuid_twice_is_refused(tmp_path):
    build(tmp_path)
    paint(tmp_path / "val" / INAT21_FOLDERS[1] / f"{UUIDS[0]}0.jpg")
    with pytest.raises(DataError, match=f"more than once.*{UUIDS[0]}0"):
        datasets.load(f"inat21:{tmp_path}")


def test_fingerprint_follows_the_files_and_not_the_place(tmp_path):
    build(tmp_path / "a")
    first = datasets.load(f"inat21:{tmp_path / 'a'}").fingerprint
    (tmp_path / "a").rename(tmp_path / "b")
    assert datasets.load(f"inat21:{tmp_path / 'b'}").fingerprint == first
    paint(tmp_path / "b" / "val" / INAT21_FOLDERS[0] / f"{UUIDS[0]}0.jpg", (1, 2, 3), (30, 30))
    assert datasets.load(f"inat21:{tmp_path / 'b'}").fingerprint != first
