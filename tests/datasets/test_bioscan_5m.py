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


def test_names_of_chunks_may_have_become_numbers(tmp_path):
    root = write_bioscan_5m(tmp_path)
    table = root / "BIOSCAN_5M_Insect_Dataset_metadata.csv"
    table.write_text(table.read_text().replace(",0a\n", ",7.0\n"))
    (root / "images" / "original_256" / "train" / "0a").rename(root / "images" / "original_256" / "train" / "07")
    assert datasets.load(f"bioscan-5m:{root}").images.loc[0, "source"] == "train/07/SCALI001-22.jpg"
