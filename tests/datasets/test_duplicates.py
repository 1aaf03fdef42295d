import pandas as pd
import pytest

from bioclip_probe import datasets
from bioclip_probe.datasets.duplicates import list_copies, notes_on_copies, number_copies, picture_digests
from bioclip_probe.tables import IMAGES
from tests.support.parquet_pictures import name_columns, write_pictures
from tests.support.pictures import encode_picture, paint
from tests.support.tars import shard_members, write_tar

CATS = ("Felis catus", "Puma concolor", "Lynx rufus", "Panthera leo")


def images(**columns: list) -> pd.DataFrame:
    n = len(next(iter(columns.values())))
    ids = [f"i{number}" for number in range(n)]
    return IMAGES.frame(pd.DataFrame({"image_id": ids, "source": ids, **columns}))


@pytest.fixture
def eight_cats(tmp_path):
    """A table of eight pictures of cats, the last four of them copies of the first four."""
    rows = []
    for copy in "ab":
        for number, name in enumerate(CATS):
            paint(tmp_path / f"{copy}{number}.png", (60 * number, 9, 9))
            rows.append({"image": f"{copy}{number}.png", "species": name})
    pd.DataFrame(rows).to_csv(tmp_path / "cats.csv", index=False)
    return f"table:{tmp_path}/cats.csv"


def test_copies_in_files_are_found(eight_cats):
    dataset = datasets.load(eight_cats)
    assert number_copies(picture_digests(dataset)).tolist() == [0, 1, 2, 3, 0, 1, 2, 3]
    (note,) = notes_on_copies(dataset.images, picture_digests(dataset))
    assert note.startswith("4 of 8 images are exact copies of others (the same bytes): 4 pictures occur more than once")
    assert list_copies(dataset.images, picture_digests(dataset))["images"].tolist() == [
        f"a{number}.png; b{number}.png" for number in range(4)
    ]


def test_copies_in_tars_and_in_parquet_are_found(tmp_path):
    same, other = encode_picture((1, 2, 3)), encode_picture((200, 2, 3))
    members = []
    for key, content in (("1", same), ("2", other), ("3", same)):
        members += [(f"{key}.png", content), *shard_members(key, endings=["taxonTag.txt"])[1:]]
    write_tar(tmp_path / "a.tar", members)
    write_pictures(tmp_path / "b.parquet", [same, other, same], **name_columns(3))
    for data in (f"webdataset:{tmp_path}/a.tar", f"table:{tmp_path}/b.parquet"):
        dataset = datasets.load(data)
        assert number_copies(picture_digests(dataset)).tolist() == [0, -1, 0]
        assert picture_digests(dataset, read=False).isna().all()


def test_missing_pictures_and_drawn_ones_are_no_copies(tmp_path):
    paint(tmp_path / "1.png")
    table = tmp_path / "t.csv"
    table.write_text("path,species\n1.png,Pica pica\n2.png,Pica pica\n3.png,Pica pica\n")
    assert number_copies(picture_digests(datasets.load(f"table:{table}"))).tolist() == [-1, -1, -1]
    assert picture_digests(datasets.load("world")).isna().all()


def test_copies_with_different_names_are_named():
    frame = images(genus=["Pica", "Pica", "Corvus", None], species=["Pica pica", "Pica hudsonia", None, None])
    one_picture = pd.Series(["f"] * 4)
    assert list_copies(frame, one_picture)["n_names"].tolist() == [2]
    assert "1 pictures have different names in their copies: i0; i1; i2; i3" in notes_on_copies(frame, one_picture)
    holes = images(genus=["Pica", "Pica"], species=["Pica pica", None])
    assert list_copies(holes, pd.Series(["f", "f"]))["n_names"].tolist() == [1]


def test_what_lies_on_both_sides_of_a_split_is_counted():
    frame = images(
        genus=["Pica"] * 5, split=["train", "test", "test", "train", None], group=["o1", "o1", "o2", "o3", "o2"]
    )
    notes = notes_on_copies(frame, pd.Series(["a", "b", "c", "c", "e"]))
    assert "1 pictures are in several parts of the dataset's own split: i2; i3" in notes
    assert notes[-1] == (
        "1 of 3 groups (observation or photographer) have images in several parts of the dataset's own split: o1"
    )


def test_no_copy_is_no_note():
    frame = images(genus=["Pica"] * 3)
    assert notes_on_copies(frame, pd.Series(["a", None, None], dtype="str")) == []
    assert list_copies(frame, pd.Series([None] * 3, dtype="str")).empty
