import pickle

import pandas as pd
import pytest

from bioclip_probe import datasets
from bioclip_probe.errors import DataError
from bioclip_probe.tables import RANKS
from tests.support.pictures import paint

LINEAGE = {
    "phylum": "Arthropoda",
    "class": "Insecta",
    "order": "Diptera",
    "family": "Cecidomyiidae",
    "genus": "Asteromyia",
    "species": "Asteromyia carbonifera",
}


def one_million(root, sets=("cropped_256",), parts=(18, 113), **changes):
    """Two specimens as BIOSCAN-1M has them, one of them known to the family; its many other columns between."""
    rows = pd.DataFrame(
        {
            "sampleid": ["BIOUG73231-D12", "BIOUG79013-C04"],
            "processid": ["SCALI001-22", "SCALI002-22"],
            "uri": "BOLD:AAA0001",
            "name": ["Asteromyia carbonifera", "Cecidomyiidae"],
            **LINEAGE,
            "subfamily": "not_classified",
            "nucraw": "AACATTATAT" * 60,
            "image_file": ["5351601.jpg", "BIOUG79013-C04.jpg"],
            "large_diptera_family": "no_split",
            "chunk_number": parts,
        }
    )
    rows.loc[1, ["genus", "species"]] = "not_classified"
    for column, values in changes.items():
        rows[column] = values
    root.mkdir(parents=True, exist_ok=True)
    rows.to_csv(root / "BIOSCAN_Insect_Dataset_metadata.tsv", sep="\t", index=False)
    for name in sets:
        for part, file in zip(parts, ["5351601.jpg", "BIOUG79013-C04.jpg"], strict=True):
            paint(root / "images" / name / f"part{part}" / file)
    return root


def five_million(root, sets=("original_256",), table="", splits=("train", "key_unseen")):
    rows = pd.DataFrame(
        {
            "processid": ["SCALI001-22", "SCALI002-22", "SCALI003-22"],
            "sampleid": ["a", "b", "c"],
            "taxon": "Insecta",
            **LINEAGE,
            "subfamily": None,
            "dna_bin": "BOLD:AAA0001",
            "dna_barcode": "AACATTATAT",
            "split": ["train", "key_unseen", "pretrain"],
            "index_bioscan_1M_insect": [1, None, None],
            "chunk": ["0a", None, "10"],
        }
    )
    rows.loc[1, ["genus", "species"]] = None
    (root / table).mkdir(parents=True, exist_ok=True)
    rows.to_csv(root / table / "BIOSCAN_5M_Insect_Dataset_metadata.csv", index=False)
    for name in sets:
        for file in ("train/0a/SCALI001-22.jpg", "key_unseen/SCALI002-22.jpg"):
            if file.split("/")[0] in splits:
                paint(root / "images" / name / file)
    return root


def test_one_million(tmp_path):
    dataset = datasets.load(f"bioscan-1m:{one_million(tmp_path)}")
    assert dataset.name == "bioscan-1m-cropped_256"
    images = dataset.images
    assert images["image_id"].tolist() == ["SCALI001-22", "SCALI002-22"]
    assert images["source"].tolist() == ["part18/5351601.jpg", "part113/BIOUG79013-C04.jpg"]
    assert images.loc[0, list(RANKS)].tolist() == ["Animalia", *LINEAGE.values()]
    assert images.loc[1, "family"] == "Cecidomyiidae"
    assert images.loc[1, ["genus", "species"]].isna().all()
    assert images["split"].isna().all()
    assert any("kingdom was read as Animalia" in note for note in dataset.notes)
    reopened = pickle.loads(pickle.dumps(dataset.open))
    assert [reopened(source).size for source in images["source"]] == [(8, 6)] * 2


def test_five_million(tmp_path):
    dataset = datasets.load(f"bioscan-5m:{five_million(tmp_path)}")
    assert dataset.name == "bioscan-5m-original_256"
    images = dataset.images
    assert images["source"].tolist() == ["train/0a/SCALI001-22.jpg", "key_unseen/SCALI002-22.jpg"]
    assert images["split"].tolist() == ["train", "key_unseen"]
    assert images.loc[0, "species"] == "Asteromyia carbonifera"
    assert images.loc[1, ["genus", "species"]].isna().all()
    assert [dataset.open(source).size for source in images["source"]] == [(8, 6)] * 2


def test_the_archives_unpack_into_folders(tmp_path):
    five_million(tmp_path / "bioscan5m", table="metadata/csv")
    one_million(tmp_path / "bioscan1m")
    sources = set()
    for spec in ("bioscan-5m:{}", "bioscan-5m:{}/bioscan5m", "bioscan-5m:{}/bioscan5m/images/original_256"):
        sources.add(tuple(datasets.load(spec.format(tmp_path)).images["source"]))
    assert len(sources) == 1
    assert len(datasets.load(f"bioscan-1m:{tmp_path}")) == 2


def test_a_set_of_pictures_is_never_chosen_silently(tmp_path):
    one_million(tmp_path, sets=("cropped_256", "original_256"))
    with pytest.raises(DataError, match=r"has 2 sets of pictures; name one: .*cropped_256, .*original_256$"):
        datasets.load(f"bioscan-1m:{tmp_path}")
    both = [datasets.load(f"bioscan-1m:{tmp_path}/images/{name}") for name in ("cropped_256", "original_256")]
    assert [dataset.name for dataset in both] == ["bioscan-1m-cropped_256", "bioscan-1m-original_256"]
    assert both[0].images.equals(both[1].images)


def test_parts_that_were_not_downloaded_are_noted(tmp_path):
    dataset = datasets.load(f"bioscan-5m:{five_million(tmp_path, splits=('train',))}")
    assert dataset.images["split"].tolist() == ["train"]
    assert any(
        note.startswith("2 rows left out, their part") and "key_unseen, pretrain" in note for note in dataset.notes
    )


def test_a_missing_file_stays_and_a_nameless_row_is_noted(tmp_path):
    root = one_million(tmp_path, image_file=["none.jpg", "BIOUG79013-C04.jpg"])
    dataset = datasets.load(f"bioscan-1m:{root}")
    assert len(dataset) == 2
    assert any(note.startswith("1 images have no file") for note in dataset.notes)
    dataset = datasets.load(f"bioscan-1m:{one_million(tmp_path, image_file=[None, 'BIOUG79013-C04.jpg'])}")
    assert len(dataset) == 1
    assert any("rows left out, no name of a specimen" in note and note.endswith("rows 1") for note in dataset.notes)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"processid": "SCALI001-22"}, "names 1 images more than once.*SCALI001-22"),
        ({"image_file": "../../../elsewhere.jpg"}, r"outside its folder: part18/\.\./\.\./\.\./elsewhere\.jpg"),
        ({"genus": "Aster|omyia"}, r"may not hold '\|'"),
        ({"genus": "Aste\x1bromyia"}, r"control characters in 2 values of column 'genus': Aste\\x1bromyia"),
    ],
)
def test_bad_rows(tmp_path, changes, reason):
    with pytest.raises(DataError, match=reason):
        datasets.load(f"bioscan-1m:{one_million(tmp_path, **changes)}")


def test_bad_folders(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        datasets.load(f"bioscan-1m:{tmp_path / 'none'}")
    with pytest.raises(DataError, match="has no metadata; expected there: BIOSCAN_5M_"):
        datasets.load(f"bioscan-5m:{tmp_path}")
    with pytest.raises(DataError, match="has no pictures"):
        datasets.load(f"bioscan-1m:{one_million(tmp_path, sets=())}")
    table = tmp_path / "BIOSCAN_Insect_Dataset_metadata.tsv"
    table.write_text(table.read_text().replace("chunk_number", "chunk"))
    paint(tmp_path / "images" / "cropped" / "part1" / "a.jpg")
    with pytest.raises(DataError, match="lacks the columns chunk_number; it has: sampleid, processid"):
        datasets.load(f"bioscan-1m:{tmp_path}")
