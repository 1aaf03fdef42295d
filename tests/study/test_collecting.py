"""Pictures become a sample: copies are found, stores of earlier versions are used and named."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bioclip_probe import datasets
from bioclip_probe.errors import DataError
from bioclip_probe.extraction.settings import ExtractionSettings
from bioclip_probe.probes import ProbeSettings
from bioclip_probe.store.earlier_versions import NO_DIGESTS
from bioclip_probe.store.store import Store
from bioclip_probe.study.collecting import check_several_taxa, collect
from bioclip_probe.study.inputs import Inputs
from bioclip_probe.study.protocols import tasks_of_protocols
from bioclip_probe.study.sample import Sample
from tests.support.pictures import encode_picture, paint
from tests.support.stores import rewrite_as_format_2
from tests.support.tars import shard_members, write_tar

QUIET = ExtractionSettings(progress=False)
CATS = ("Felis catus", "Puma concolor", "Lynx rufus")


def write_cats(folder: Path, n_pictures: int = 4, **columns: list[str]) -> str:
    """Write pictures of three cats, each picture twice, and return the table that names them."""
    rows = []
    for number, name in enumerate(CATS):
        for picture in range(n_pictures):
            for copy in "ab":
                file = f"{number}{picture}{copy}.png"
                paint(folder / file, (60 * number + 1, 40 * picture, 9))
                rows.append({"path": file, "species": name})
    pd.DataFrame(rows).assign(**columns).to_csv(folder / "cats.csv", index=False)
    return f"table:{folder}/cats.csv"


def collected(data: str, folder: Path) -> Sample:
    return collect(data, ["pixels"], folder / "store", settings=QUIET)


def test_copies_are_one_group_and_the_notes_count_them(tmp_path):
    sample = collected(write_cats(tmp_path), tmp_path)
    assert sample.copies.tolist() == np.repeat(np.arange(12), 2).tolist()
    assert sample.groups.tolist() == sample.copies.tolist()
    (note,) = [note for note in sample.record["dataset"]["notes"] if "exact copies" in note]
    assert note.startswith("12 of 24 images are exact copies of others (the same bytes): 12 pictures")
    assert sample.take(np.array([0, 2, 3])).copies.tolist() == [0, 1, 1]


@pytest.mark.parametrize("species", [{}, {"species": ["Felis catus", "Puma concolor", "Lynx rufus", "Lynx lynx"] * 6}])
def test_no_copy_of_a_test_image_is_learnt_from(tmp_path, species):
    sample = collected(write_cats(tmp_path, **species), tmp_path)
    for protocol in ("seen", "leave-one-out", "unseen"):
        for task, *_ in tasks_of_protocols(sample, ProbeSettings(protocols=(protocol,), n_deals=1)):
            for split in task.split:
                tested = sample.copies[split == "test"]
                assert not np.isin(sample.copies[np.isin(split, ("train", "val"))], tested).any()


def test_copies_of_test_images_in_a_given_split_are_left_out_and_counted(tmp_path, caplog):
    parts = ["train", "test", *["train"] * 2, *["train", "test", "test", "test"]] * 3
    data = write_cats(tmp_path, split=parts, group=["o1", *["o2"] * 11, *["o3"] * 12])
    sample = collected(data, tmp_path)
    with caplog.at_level(logging.WARNING):
        ((task,), *_) = tasks_of_protocols(sample, ProbeSettings(protocols=("seen",)))
    split = task.split[-1]
    assert np.sum(split == "test") == 12 and np.isin(split, ("train", "val")).sum() == 6
    assert "6 images are not learnt from: test images are exact copies of them" in caplog.text
    assert "2 groups (observation or photographer) are on both sides of the dataset's own split" in caplog.text
    notes = " ".join(sample.record["dataset"]["notes"])
    assert "6 pictures are in several parts of the dataset's own split" in notes
    assert "2 of 3 groups (observation or photographer) have images in several parts" in notes


def test_copies_in_tars_are_known_from_the_ledger(tmp_path):
    same, other = encode_picture((1, 2, 3)), encode_picture((200, 2, 3))
    members = []
    for key, content in (("1", same), ("2", other), ("3", same)):
        members += [(f"{key}.png", content), *shard_members(key, endings=["taxonTag.txt"])[1:]]
    write_tar(tmp_path / "a.tar", members)
    assert collected(f"webdataset:{tmp_path}/a.tar", tmp_path).copies.tolist() == [0, -1, 0]


def test_copies_change_the_key_of_what_is_computed_from_images(tmp_path):
    sample = collected(write_cats(tmp_path), tmp_path)
    images = ("images", "")
    without = Inputs(sample.take(np.arange(0, 24, 2)))
    assert Inputs(sample).digest(images) != without.digest(images)


def test_an_older_store_is_used_and_the_notes_say_so(tmp_path):
    data = write_cats(tmp_path, n_pictures=1)
    before = collected(data, tmp_path)
    rewrite_as_format_2(Store(tmp_path / "store"), datasets.load(data))
    after = collected(data, tmp_path)
    np.testing.assert_array_equal(before.embeddings["pixels"].vectors, after.embeddings["pixels"].vectors)
    assert len(list((tmp_path / "store").glob("cats@*"))) == 1
    assert any("written by an earlier version" in note for note in after.record["dataset"]["notes"])
    assert after.copies.tolist() == before.copies.tolist()  # from the files, as the ledgers lack them


def test_where_no_digest_is_known_the_notes_say_so(tmp_path):
    write_tar(tmp_path / "a.tar", [member for key in "12" for member in shard_members(key, endings=["taxonTag.txt"])])
    data = f"webdataset:{tmp_path}/a.tar"
    assert not any("not known" in note for note in collected(data, tmp_path).record["dataset"]["notes"])
    rewrite_as_format_2(Store(tmp_path / "store"), datasets.load(data))
    assert f"exact copies are not known: {NO_DIGESTS}" in collected(data, tmp_path).record["dataset"]["notes"]


def test_ready_vectors_have_no_pictures_to_compare(tmp_path):
    file = tmp_path / "mine.npz"
    np.savez(file, ids=["a", "b"], vectors=np.ones((2, 2)), genus=["Pica", "Corvus"])
    sample = collect(f"vectors:{file}", [f"vectors:{file}"], tmp_path / "store", settings=QUIET)
    assert sample.groups.tolist() == [-1, -1]
    assert not any("copies" in note for note in sample.record["dataset"]["notes"])


@pytest.mark.parametrize("per_species", [2])
def test_balanced_samples_keep_their_copies(tmp_path, per_species):
    sample = collected(write_cats(tmp_path, n_pictures=2), tmp_path).balanced(per_species)
    assert len(sample.copies) == len(sample.images) == 6


def test_one_taxon_is_refused_with_the_reason(tmp_path):
    one = datasets.load(write_cats(tmp_path / "one", n_pictures=1, species=["Felis catus"] * 6))
    with pytest.raises(DataError, match="all 6 images of 'cats' are of one species, Felis catus: whether embeddings"):
        check_several_taxa(one)
    check_several_taxa(datasets.load(write_cats(tmp_path / "several", n_pictures=1)))
