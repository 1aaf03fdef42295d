import os
import shutil
from pathlib import Path

import pandas as pd
import pytest

from bioclip_probe import datasets
from bioclip_probe.datasets import Dataset, fingerprint_of
from bioclip_probe.datasets.dataset import dataset_from_files
from bioclip_probe.tables import IMAGES
from tests.support.pictures import paint

ROWS = pd.DataFrame({"image_id": ["1", "2"], "source": ["1.png", "2.png"], "class": "Aves"})


def images(*ids: str) -> pd.DataFrame:
    return IMAGES.frame([{"image_id": image_id, "source": f"{image_id}.png"} for image_id in ids])


def two_pictures(folder: Path) -> Dataset:
    """Return a dataset of two pictures that are painted into a folder."""
    for number in (1, 2):
        paint(folder / f"{number}.png", (number, 0, 0))
    return dataset_from_files("few", folder, ROWS)


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


def test_fingerprint_is_that_of_another_laboratory_with_the_same_pictures(tmp_path):
    first = two_pictures(tmp_path / "here").fingerprint
    shutil.copytree(tmp_path / "here", tmp_path / "there" / "deeper")
    for number, path in enumerate(sorted((tmp_path / "there" / "deeper").iterdir())):
        os.utime(path, (number, number))
    assert dataset_from_files("few", tmp_path / "there" / "deeper", ROWS).fingerprint == first


def test_fingerprint_follows_the_bytes_where_size_and_times_stay(tmp_path):
    first = two_pictures(tmp_path)
    before, path = first.fingerprint, tmp_path / "1.png"
    content, times = bytearray(path.read_bytes()), os.stat(path)
    content[-20] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert os.stat(path).st_size == times.st_size and os.stat(path).st_mtime_ns == times.st_mtime_ns
    assert dataset_from_files("few", tmp_path, ROWS).fingerprint != before


def test_fingerprint_covers_which_picture_is_of_which_image(tmp_path):
    first = two_pictures(tmp_path).fingerprint
    swapped = ROWS.assign(source=ROWS["source"].tolist()[::-1])
    assert dataset_from_files("few", tmp_path, swapped).fingerprint != first


def test_paths_of_pictures_do_not_enter_the_fingerprint(tmp_path):
    first = two_pictures(tmp_path / "a").fingerprint
    two_pictures(tmp_path / "a" / "sub")
    assert dataset_from_files("few", tmp_path / "a", ROWS.assign(source="sub/" + ROWS["source"])).fingerprint == first
    absolute = ROWS.assign(source=str(tmp_path / "a") + "/" + ROWS["source"])
    assert dataset_from_files("few", tmp_path, absolute).fingerprint == first


def test_earlier_fingerprint_is_that_of_sizes_and_times(tmp_path):
    dataset = two_pictures(tmp_path)
    stamps = [(path.stat().st_size, path.stat().st_mtime_ns) for path in sorted(tmp_path.iterdir())]
    assert dataset.earlier_fingerprint(dataset.images) == fingerprint_of(dataset.images, stamps)


def test_a_dataset_can_be_known_by_an_earlier_fingerprint(tmp_path):
    dataset = two_pictures(tmp_path)
    known = dataset.stored_as("0123456789ab", "as an earlier version knew it")
    assert known.fingerprint == "0123456789ab" != dataset.fingerprint
    assert known.notes == ("as an earlier version knew it",)
    assert Dataset("few", images("a"), print, "f" * 12).stored_as("0" * 12, "note").fingerprint == "0" * 12


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_among_the_pictures_is_not_read(tmp_path):
    paint(tmp_path / "1.png")
    os.mkfifo(tmp_path / "2.png")
    assert len(dataset_from_files("few", tmp_path, ROWS).fingerprint) == 12


def test_a_table_gives_the_same_fingerprint_at_another_place(tmp_path):
    for place in ("a", "b"):
        paint(tmp_path / place / "1.png")
        (tmp_path / place / "magpies.csv").write_text("path,species\n1.png,Pica hudsonia\n")
    first, second = (datasets.load(f"table:{tmp_path / place}/magpies.csv") for place in ("a", "b"))
    assert first.fingerprint == second.fingerprint
