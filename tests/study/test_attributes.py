"""Further columns of the images, from the dataset's own file or from a table of ids."""

import numpy as np
import pandas as pd
import pytest

from bioclip_probe.errors import DataError
from bioclip_probe.study.attributes import attributes_of, attributes_of_frame, codes

IMAGES = pd.DataFrame({"image_id": ["1", "2", "3"], "group": ["Ada", None, "Bo"], "split": ["a", "b", "b"]})


def test_columns_come_from_a_table_by_image_id(tmp_path):
    table = tmp_path / "kinds.csv"
    table.write_text("uuid,kind,place\n3,lab,\n1,field,Rome\n9,lab,Oslo\n")
    attributes = attributes_of(IMAGES, ["place", "group", "kind"], path=table)
    assert list(attributes) == ["place", "group", "kind"]
    assert attributes["kind"].fillna("-").tolist() == ["field", "-", "lab"]
    assert attributes["place"].fillna("-").tolist() == ["Rome", "-", "-"]
    assert codes(attributes["group"]).tolist() == [0, -1, 1]


def test_placeholders_are_no_values_and_zero_is_a_number(tmp_path):
    table = tmp_path / "kinds.csv"
    table.write_text("uuid,photographer,captive\n1,NA,0\n2,unknown,1\n3,Ada,0\n")
    attributes = attributes_of(IMAGES, ["photographer", "captive"], path=table)
    assert attributes["photographer"].fillna("-").tolist() == ["-", "-", "Ada"]
    assert attributes["captive"].tolist() == ["0", "1", "0"]


def test_the_file_of_the_dataset_is_searched_by_default(tmp_path):
    np.savez(tmp_path / "mine.npz", ids=["2", "3"], kind=["x", "y"], vectors=np.ones((2, 3)))
    found = attributes_of(IMAGES, ["kind"], f"vectors:{tmp_path / 'mine.npz'}#vectors")
    assert found["kind"].fillna("-").tolist() == ["-", "x", "y"]
    pd.DataFrame({"image_id": ["1"], "kind": ["z"]}).to_parquet(tmp_path / "mine.parquet")
    found = attributes_of(IMAGES, ["kind"], f"table:{tmp_path / 'mine.parquet'}")
    assert found["kind"].fillna("-").tolist() == ["z", "-", "-"]


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("uuid,kind\n1,a\n", "place", "lacks the columns place; it has: uuid, kind"),
        ("kind,place\na,b\n", "place", "no column of image ids"),
        ("uuid,kind\n1,a\n1,b\n", "kind", "names images more than once: 1"),
        ("uuid,kind\n7,a\n", "kind", "gives no image of the dataset a value in 'kind'"),
    ],
)
def test_a_file_that_cannot_serve_is_refused_in_one_line(tmp_path, text, column, message):
    table = tmp_path / "kinds.csv"
    table.write_text(text)
    with pytest.raises(DataError, match=message) as error:
        attributes_of(IMAGES, [column], path=table)
    assert "\n" not in str(error.value)


def test_columns_of_a_frame_are_found_by_id_or_by_the_number_of_the_row():
    frame = pd.DataFrame({"kind": ["a", "unknown", "c", "d"], "id": [3, 2, 1, 9]})
    assert attributes_of_frame(IMAGES, ["kind"], frame)["kind"].fillna("-").tolist() == ["c", "-", "a"]
    numbered = frame[["kind"]].set_axis([7, 7, 8, 9])  # the index is not used
    assert attributes_of_frame(IMAGES, ["kind"], numbered)["kind"].fillna("-").tolist() == ["-", "c", "d"]


@pytest.mark.parametrize(("frame", "message"), [
    ({"place": ["Rome"]}, "the table of columns lacks the columns kind; it has: place"),
    ({"id": [1, 1], "kind": ["a", "b"]}, "the table of columns names images more than once: 1"),
    ({"id": [7], "kind": ["a"]}, "gives no image of the dataset a value in 'kind'"),
])  # fmt: skip
def test_a_frame_that_cannot_serve_is_refused_in_one_line(frame, message):
    with pytest.raises(DataError, match=message):
        attributes_of_frame(IMAGES, ["kind"], pd.DataFrame(frame))


def test_a_column_that_no_file_has_asks_for_one():
    with pytest.raises(DataError, match=r"'world' has no column place; give a table .* --attributes FILE"):
        attributes_of(IMAGES, ["place"], "world")


def test_other_files_and_pickles_are_refused(tmp_path):
    np.savez(tmp_path / "bad.npz", ids=np.array(["1"]), kind=np.array([{"a": 1}], dtype=object))
    with pytest.raises(DataError, match="an array of Python objects"):
        attributes_of(IMAGES, ["kind"], path=tmp_path / "bad.npz")
    (tmp_path / "kinds.xlsx").write_text("x")
    with pytest.raises(DataError, match="columns of images are read from"):
        attributes_of(IMAGES, ["kind"], path=tmp_path / "kinds.xlsx")
