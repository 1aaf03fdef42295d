"""Masks that a column of a table names: opened where a control asks for them, and part of the fingerprint."""

import pickle

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bioclip_probe import datasets
from bioclip_probe.encoders.altered import background, silhouette
from bioclip_probe.errors import PictureError


@pytest.fixture
def folder(tmp_path):
    """Three pictures, two of them with a mask file; the third names one that is not there."""
    rng = np.random.default_rng(0)
    for name in "abc":
        Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)).save(tmp_path / f"{name}.png")
    for name, bright in (("a", 255), ("b", 1)):
        shape = np.zeros((6, 8), np.uint8)
        shape[2:4, 3:7] = bright
        Image.fromarray(shape).save(tmp_path / f"{name}-mask.png")
    rows = {
        "path": ["a.png", "b.png", "c.png"],
        "genus": ["Pica"] * 3,
        "Mask": ["a-mask.png", "b-mask.png", "c-mask.png"],
    }
    pd.DataFrame(rows).to_csv(tmp_path / "in.csv", index=False)
    return tmp_path


def test_pictures_bring_their_masks_also_in_another_process(folder):
    dataset = datasets.load(f"table:{folder / 'in.csv'}")
    opener = pickle.loads(pickle.dumps(dataset.open))
    for name in "ab":  # 255 and 1 alike mark the organism
        shape = np.asarray(silhouette(opener(f"{name}.png")))[..., 0] == 0
        assert shape.sum() == 8 and shape[2:4, 3:7].all()
        assert np.asarray(background(opener(f"{name}.png"))).shape == (6, 8, 3)
    assert opener("c.png").size == (8, 6)
    with pytest.raises(PictureError, match="it has no mask"):
        silhouette(opener("c.png"))


def test_masks_are_noted_and_part_of_the_fingerprint(folder):
    dataset = datasets.load(f"table:{folder / 'in.csv'}")
    notes = "\n".join(dataset.notes)
    assert "3 of 3 images have a mask" in notes and "1 masks are not files below" in notes and "c-mask.png" in notes
    first = dataset.fingerprint
    Image.fromarray(np.zeros((6, 8), np.uint8)).save(folder / "a-mask.png")
    assert datasets.load(f"table:{folder / 'in.csv'}").fingerprint != first
    table = pd.read_csv(folder / "in.csv").drop(columns="Mask")
    table.to_csv(folder / "in.csv", index=False)
    plain = datasets.load(f"table:{folder / 'in.csv'}")
    assert plain.fingerprint != first and not any("mask" in note for note in plain.notes)


def test_a_damaged_mask_is_the_failure_of_the_control_only(folder):
    (folder / "a-mask.png").write_bytes(b"no picture")
    dataset = datasets.load(f"table:{folder / 'in.csv'}")
    image = dataset.open("a.png")
    assert image.size == (8, 6)
    with pytest.raises(PictureError, match=r"a-mask.png"):
        silhouette(image)


def test_a_mask_column_without_a_value_changes_nothing(folder):
    table = pd.read_csv(folder / "in.csv").assign(Mask=None)
    table.to_csv(folder / "in.csv", index=False)
    with_column = datasets.load(f"table:{folder / 'in.csv'}").fingerprint
    table.drop(columns="Mask").to_csv(folder / "in.csv", index=False)
    assert datasets.load(f"table:{folder / 'in.csv'}").fingerprint == with_column
