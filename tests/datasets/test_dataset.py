import pandas as pd
import pytest

from bioclip_probe.datasets import Dataset, fingerprint_of
from bioclip_probe.errors import DataError
from bioclip_probe.tables import IMAGES


def images(*ids: str) -> pd.DataFrame:
    return IMAGES.frame([{"image_id": image_id, "source": f"{image_id}.png"} for image_id in ids])


def test_a_dataset_knows_its_length_and_name():
    dataset = Dataset("few", images("a", "b"), print, "0" * 12)
    assert len(dataset) == 2
    assert "few" in repr(dataset)


def test_no_image_is_refused():
    with pytest.raises(DataError, match="'few' has no image"):
        Dataset("few", images(), print, "0" * 12)


def test_repeated_ids_are_named_five_at_most():
    with pytest.raises(DataError, match=r"names 6 images more than once.*: a, b, c, d, e and 1 more$"):
        Dataset("few", images(*"abcdefabcdef"), print, "0" * 12)


def test_missing_id_is_refused():
    frame = images("a", "b")
    frame.loc[0, "image_id"] = None
    with pytest.raises(DataError, match="1 images without"):
        Dataset("few", frame, print, "0" * 12)


def test_another_table_is_refused():
    with pytest.raises(DataError, match="lacks the column split"):
        Dataset("few", images("a").drop(columns="split"), print, "0" * 12)


def test_fingerprint_covers_names_order_and_facts():
    frame = images("a", "b")
    first = fingerprint_of(frame, [(1, 2)])
    assert len(first) == 12
    assert set(first) <= set("0123456789abcdef")
    assert first == fingerprint_of(frame.copy(), [(1, 2)])
    others = [
        fingerprint_of(frame, [(1, 3)]),
        fingerprint_of(frame.iloc[::-1], [(1, 2)]),
        fingerprint_of(frame.assign(genus="Pica"), [(1, 2)]),
        fingerprint_of(frame.assign(split="val"), [(1, 2)]),
        fingerprint_of(frame.assign(label="bird"), [(1, 2)]),
    ]
    assert len({first, *others}) == 1 + len(others)
