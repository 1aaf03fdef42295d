"""Datasets from a DataFrame: the same as from the table that it would be written to."""

import pandas as pd
import pytest
from PIL import Image

from bioclip_probe import datasets
from bioclip_probe.errors import DataError, PictureError


@pytest.fixture
def frame(tmp_path):
    for name in "ab":
        Image.new("RGB", (4, 4)).save(tmp_path / f"{name}.png")
    return pd.DataFrame(
        {"Path": ["a.png", "b.png"], "dwc:family": ["Corvidae"] * 2, "species": ["Pica pica", "Corvus corax"]}
    )


def test_a_frame_is_the_dataset_of_the_table_that_it_would_be(frame, tmp_path):
    dataset = datasets.from_frame(frame.set_index(pd.Index([7, 7])), tmp_path, "birds")
    frame.to_csv(tmp_path / "birds.csv", index=False)
    table = datasets.load(f"table:{tmp_path / 'birds.csv'}")
    pd.testing.assert_frame_equal(dataset.images, table.images)
    assert (dataset.name, dataset.fingerprint) == (table.name, table.fingerprint)
    assert dataset.open("a.png").size == (4, 4) and dataset.images["genus"].tolist() == ["Pica", "Corvus"]


def test_rows_without_pictures_have_numbers_as_ids(frame):
    dataset = datasets.from_rows(frame.drop(columns="Path"))
    assert dataset.images["image_id"].tolist() == ["0", "1"]
    named = datasets.from_rows(frame.assign(uuid=["x", "y"]))
    assert named.images["image_id"].tolist() == ["x", "y"]
    with pytest.raises(PictureError, match="there is no picture, only its vector was given"):
        dataset.open("0")


@pytest.mark.parametrize("change, message", [
    (lambda frame: frame.drop(columns="Path"), "the DataFrame 'frame' has no column of picture paths"),
    (lambda frame: frame[["Path"]], "the DataFrame 'frame' has no rank columns"),
    (lambda frame: frame.assign(Path=["x.png", "y.png"]), "no picture below"),
    (lambda frame: frame.iloc[:0], "has no usable image"),
    (lambda frame: frame.to_numpy(), "expected a pandas DataFrame with one row an image; got a ndarray"),
    (lambda frame: frame.set_axis(["Path", "species", "species"], axis=1), "has two columns of one name: species"),
])  # fmt: skip
def test_a_frame_that_names_no_pictures_is_refused(frame, tmp_path, change, message):
    with pytest.raises(DataError, match=message) as caught:
        datasets.from_frame(change(frame), tmp_path)
    assert "\n" not in str(caught.value)
