from bioclip_probe import datasets
from tests.support.bioscan import write_bioscan_5m


def test_names_splits_and_pictures_of_specimens(tmp_path):
    dataset = datasets.load(f"bioscan-5m:{write_bioscan_5m(tmp_path)}")
    assert dataset.name == "bioscan-5m-original_256"
    images = dataset.images
    assert images["source"].tolist() == ["train/0a/SCALI001-22.jpg", "key_unseen/SCALI002-22.jpg"]
    assert images["split"].tolist() == ["train", "key_unseen"]
    assert images.loc[0, "species"] == "Asteromyia carbonifera"
    assert images.loc[1, ["genus", "species"]].isna().all()
    assert [dataset.open(source).size for source in images["source"]] == [(8, 6)] * 2


def test_parts_that_were_not_downloaded_are_noted(tmp_path):
    dataset = datasets.load(f"bioscan-5m:{write_bioscan_5m(tmp_path, splits=('train',))}")
    assert dataset.images["split"].tolist() == ["train"]
    assert any(
        note.startswith("2 rows left out, their part") and "key_unseen, pretrain" in note for note in dataset.notes
    )
