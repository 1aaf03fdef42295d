import pickle
import sys

import numpy as np
import pytest
from PIL import Image

from bioclip_probe import datasets
from bioclip_probe.datasets.hugging_face import from_hugging_face
from bioclip_probe.errors import DataError, PictureError
from tests.support.pictures import paint

hub = pytest.importorskip("datasets")


@pytest.fixture
def rows(tmp_path):
    paths = [str(paint(tmp_path / f"{i}.png", (i, 50, 9))) for i in range(4)]
    labels = hub.ClassLabel(names=["Corvidae", "Felidae"])
    features = hub.Features({"image": hub.Image(), "family": labels, "genus": hub.Value("string")})
    columns = {"image": paths, "family": [0, 0, 1, 1], "genus": ["Pica", "Pica", "Felis", None]}
    return hub.Dataset.from_dict(columns, features=features)


def test_an_object_in_memory_becomes_a_dataset(rows):
    dataset = from_hugging_face(rows, name="mine")
    assert dataset.name == "mine"
    assert dataset.images["family"].tolist() == ["Corvidae", "Corvidae", "Felidae", "Felidae"]
    assert dataset.images["genus"].isna().tolist() == [False, False, False, True]
    opened = pickle.loads(pickle.dumps(dataset.open))
    for i, source in enumerate(dataset.images["source"]):
        assert opened(source).getpixel((0, 0)) == (i, 50, 9)
    with pytest.raises(PictureError, match="there are 4 rows") as error:
        dataset.open("4")
    assert error.value.kind == "missing"


def test_a_saved_folder_and_one_of_its_splits(rows, tmp_path):
    rows.save_to_disk(str(tmp_path / "saved"))
    dataset = datasets.load(f"hugging-face:{tmp_path / 'saved'}")
    assert [dataset.open(source).getpixel((0, 0))[0] for source in dataset.images["source"]] == [0, 1, 2, 3]
    hub.DatasetDict({"train": rows, "val": rows}).save_to_disk(str(tmp_path / "two"))
    with pytest.raises(DataError, match="holds the splits train, val; name one: hugging-face:"):
        datasets.load(f"hugging-face:{tmp_path / 'two'}")
    assert len(datasets.load(f"hugging-face:{tmp_path / 'two' / 'val'}")) == 4


def test_pictures_in_memory_are_the_same_pixels():
    rng = np.random.default_rng(0)
    pictures = [Image.fromarray(rng.integers(0, 256, (5, 7, 3), dtype=np.uint8)) for _ in range(3)]
    dataset = from_hugging_face(hub.Dataset.from_dict({"image": pictures, "sp": ["Pica pica"] * 3}).cast_column(
        "image", hub.Image()), ranks={"species": "sp"})  # fmt: skip
    for picture, source in zip(pictures, dataset.images["source"], strict=True):
        assert np.array_equal(np.asarray(dataset.open(source)), np.asarray(picture))


def test_other_objects_and_folders_are_refused(rows, tmp_path, monkeypatch):
    with pytest.raises(DataError, match=r"expected a datasets.Dataset, came a list"):
        from_hugging_face([])
    with pytest.raises(DataError, match="the dataset has no column photo"):
        from_hugging_face(rows, image="photo")
    with pytest.raises(DataError, match="no rank is called tribe"):
        from_hugging_face(rows, ranks={"tribe": "genus"})
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="is not a dataset that Hugging Face's save_to_disk wrote"):
        datasets.load(f"hugging-face:{tmp_path / 'empty'}")
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DataError, match=r"pip install 'bioclip_probe\[hugging-face\]'"):
        from_hugging_face(rows)
