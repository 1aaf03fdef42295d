"""Folders of datasets and encoders: their names and records."""

import json

import pytest

from bioclip_probe.errors import StoreError
from bioclip_probe.store.descriptions import create_encoder_folder, folder_name, read_description, read_images
from tests.support.pictures import MeanColour
from tests.support.stores import flip_last_byte, made_up_dataset


@pytest.mark.parametrize("name, folder", [
    ("bioclip", "bioclip@f"),
    ("ViT-B-32/laion2b", "ViT-B-32-laion2b@f"),
    ("../..", "unnamed@f"),
    ("", "unnamed@f"),
    ("ä", "unnamed@f"),
    ("x" * 300, f"{'x' * 80}@f"),
])  # fmt: skip
def test_any_name_becomes_the_name_of_a_folder(name, folder):
    assert folder_name(name, "f") == folder


def test_a_description_says_what_dataset_it_is(full_folder):
    dataset = made_up_dataset(5)
    description = read_description(full_folder.folder.parent / "dataset.json", "dataset")
    assert (description["name"], description["fingerprint"]) == ("few", dataset.fingerprint)
    assert (description["n_images"], description["simulated"], description["notes"]) == (5, True, ["one note"])
    assert read_images(full_folder.folder.parent)["image_id"].equals(dataset.images["image_id"])


def test_a_description_in_another_folder_is_refused(full_folder):
    moved = full_folder.folder.rename(full_folder.folder.with_name("other@000000000000"))
    with pytest.raises(StoreError, match="is of mean/colour@0123456789ab, not of this folder"):
        read_description(moved / "meta.json", "encoder")


def test_a_record_without_a_description_is_refused(full_folder):
    path = full_folder.folder / "meta.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"encoder": []}))
    with pytest.raises(StoreError, match="has changed since it was written"):
        read_description(path, "encoder")


def test_a_changed_table_of_images_is_refused(full_folder):
    flip_last_byte(full_folder.folder.parent / "images.parquet")
    with pytest.raises(StoreError, match=r"images\.parquet has changed since it was written .* embed again"):
        read_images(full_folder.folder.parent)


@pytest.mark.parametrize("shard_size, dtype, reason", [
    (1, "int8", "keeps vectors as float32 or float16; got int8"),
    (0, "float32", "shard_size must be at least 1; got 0"),
])  # fmt: skip
def test_other_sizes_and_types_are_refused_and_nothing_written(tmp_path, shard_size, dtype, reason):
    with pytest.raises(StoreError, match=reason):
        create_encoder_folder(tmp_path / "clip", made_up_dataset(2), MeanColour(), shard_size, dtype)
    assert not list(tmp_path.iterdir())


def test_vectors_without_a_record_are_not_overwritten(tmp_path):
    (tmp_path / "vectors-00000.npy").touch()
    with pytest.raises(StoreError, match=r"its meta\.json is gone; delete it and embed again"):
        create_encoder_folder(tmp_path, made_up_dataset(2), MeanColour(), 2, "float32")
