import pandas as pd
import pytest

from bioclip_probe import datasets
from bioclip_probe.errors import DataError
from bioclip_probe.tables import RANKS
from tests.support.lineages import lineages_of
from tests.support.pictures import encode_picture
from tests.support.tars import BINOMIAL, MAGPIE, shard_members, write_tar

IDS = ["000-a", "000-b", "000-c", "000-d"]
NOTES_ON_THE_HOLE = (
    "the phylum of 1 images is missing, its column gives a placeholder such as 'unknown': 'None'",
    "the phylum of 1 images was filled, all others of their taxon agree: Chordata",
)


def catalog(path, **changes):
    """Write four rows of the hub's catalog; the picture of the last one, from iNat21, is not in the hub's tars."""
    rows = pd.DataFrame(
        {
            "split": ["train", "val", "train", "train"],
            "treeoflife_id": IDS,
            "eol_content_id": [1.0, 2.0, 3.0, None],
            "eol_page_id": [1.0, 2.0, 3.0, None],
            "bioscan_part": None,
            "bioscan_filename": None,
            "inat21_filename": [None, None, None, "x.jpg"],
            "inat21_cls_name": None,
            "inat21_cls_num": None,
            **{rank: [name] * 4 for rank, name in zip(RANKS, MAGPIE, strict=True)},
            "common": ["Black-billed magpie", "Pica hudsonia", "Animalia Chordata Aves", "Black-billed magpie"],
        }
    )
    rows.loc[2, list(RANKS[3:])] = None
    rows.loc[1, "phylum"] = "None"
    for column, values in changes.items():
        rows[column] = values
    path.parent.mkdir(parents=True, exist_ok=True)
    rows.to_csv(path, index=False)
    return path


def on_the_hub(root, **changes):
    catalog(root / "metadata" / "catalog.csv", **changes)
    for number, ids in enumerate((IDS[:2], [IDS[2], "000-z"]), 1):
        members = [(f"image_set/{name}.jpg", encode_picture(kind="JPEG")) for name in ids]
        write_tar(root / "dataset" / "EOL" / f"image_set_{number:02d}.tar", members)
    return root


@pytest.mark.parametrize("below", ["", "dataset", "dataset/EOL", "dataset/EOL/image_set_*.tar"])
def test_the_tars_and_the_catalog_of_the_hub(tmp_path, below):
    dataset = datasets.load(f"tree-of-life-10m:{on_the_hub(tmp_path) / below}")
    assert dataset.name == "tree-of-life-10m"
    assert dataset.images["image_id"].tolist() == IDS[:3]
    assert dataset.images["split"].tolist() == ["train", "val", "train"]
    assert dataset.images["common"].fillna("").tolist() == ["Black-billed magpie", "", ""]
    animal = (*MAGPIE[:3], None, None, None, None)
    assert lineages_of(dataset) == [BINOMIAL, BINOMIAL, animal]
    assert lineages_of(dataset.as_given()) == [BINOMIAL, (BINOMIAL[0], None, *BINOMIAL[2:]), animal]
    assert dataset.open(dataset.images["source"][2]).size == (8, 6)
    assert dataset.notes == (
        "1 pictures left out, catalog.csv does not have them: 000-z",
        "1 of 4 rows of catalog.csv have no picture in these tars",
        *NOTES_ON_THE_HOLE,
    )


def test_rebuilt_shards_with_train_small(tmp_path):
    """Names come from the catalog, not from the texts, and a repeated picture is used once."""
    other = ("Plantae", *MAGPIE[1:])
    for split, ids in {"train": IDS[:1] + IDS[2:], "val": IDS[1:2], "train_small": IDS[3:]}.items():
        write_tar(
            tmp_path / "shards" / split / "shard-000000.tar", [m for name in ids for m in shard_members(name, other)]
        )
    catalog(tmp_path / "catalog.csv")
    rows = pd.read_csv(tmp_path / "catalog.csv")
    pd.concat([rows, rows[3:].assign(split="train_small")]).to_csv(tmp_path / "catalog.csv", index=False)
    dataset = datasets.load(f"tree-of-life-10m:{tmp_path}")
    assert sorted(dataset.images["image_id"]) == IDS
    assert set(dataset.images["kingdom"]) == {"Animalia"}
    assert set(dataset.images["split"]) == {"train", "val"}
    assert dataset.notes == (
        "1 rows of catalog.csv left out, train_small repeats other rows",
        "1 pictures left out, train_small repeats those of other splits",
        NOTES_ON_THE_HOLE[1],
    )
    small = datasets.load(f"tree-of-life-10m:{tmp_path / 'shards' / 'train_small'}")
    assert small.images["split"].tolist() == ["train_small"]


def test_a_webdataset_with_a_catalog(tmp_path):
    write_tar(tmp_path / "a.tar", shard_members(IDS[0], ("Plantae", *MAGPIE[1:])))
    catalog(tmp_path / "catalog.csv")
    assert lineages_of(datasets.load(f"webdataset:{tmp_path}")) == [BINOMIAL]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"treeoflife_id": "000-a"}, "catalog.csv has 1 pictures more than once: 000-a"),
        ({"treeoflife_id": ["x", "y", "z", None]}, r"catalog.csv has none of the 4 pictures in the tars of .*000-a"),
        ({"genus": "Pi|ca"}, r"may not hold '\|'"),
    ],
)
def test_catalogs_with_mistakes_are_refused(tmp_path, changes, reason):
    with pytest.raises(DataError, match=reason):
        datasets.load(f"tree-of-life-10m:{on_the_hub(tmp_path, **changes)}")


def test_a_row_without_id_is_noted(tmp_path):
    dataset = datasets.load(f"tree-of-life-10m:{on_the_hub(tmp_path, treeoflife_id=[*IDS[:3], None])}")
    assert "1 rows of catalog.csv left out, no treeoflife_id: rows 4" in dataset.notes


def test_folders_without_tars_or_catalog_are_refused(tmp_path):
    (tmp_path / "image_set_01.tar.gz").write_bytes(b"\x1f\x8b")
    with pytest.raises(
        DataError, match=r"image_set_01\.tar\.gz; unpack each to \.tar: gunzip .*/image_set_01\.tar\.gz"
    ):
        datasets.load(f"tree-of-life-10m:{tmp_path}")
    write_tar(tmp_path / "a.tar", shard_members("1"))
    with pytest.raises(DataError, match=r"has no catalog\.csv"):
        datasets.load(f"tree-of-life-10m:{tmp_path}")
