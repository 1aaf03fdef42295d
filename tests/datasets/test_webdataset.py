import io
import json
import pickle

import numpy as np
import pytest
from PIL import Image

from bioclip_probe import datasets
from bioclip_probe.errors import DataError
from bioclip_probe.tables import RANKS
from tests.support.lineages import lineages_of
from tests.support.pictures import encode_picture
from tests.support.tars import BINOMIAL, MAGPIE, shard_members, write_tar


def test_a_folder_of_shards(tmp_path):
    write_tar(tmp_path / "train" / "shard-000000.tar", shard_members("a.b/0-1", common="Black-billed magpie"))
    beetle = (*MAGPIE[:2], None, "Coleoptera", "Carabidae", None, None)
    write_tar(tmp_path / "val" / "shard-000000.tar", shard_members("2", beetle))
    dataset = datasets.load(f"webdataset:{tmp_path}")
    assert dataset.images["image_id"].tolist() == ["a.b/0-1", "2"]
    assert dataset.images["split"].tolist() == ["train", "val"]
    assert dataset.images["common"].isna().tolist() == [False, True]
    assert lineages_of(dataset) == [BINOMIAL, beetle]
    assert dataset.images["source"][0] == f"train/shard-000000.tar:512:{len(encode_picture())}"
    reopened = pickle.loads(pickle.dumps(dataset.open))
    for source in dataset.images["source"]:
        assert np.array_equal(np.asarray(reopened(source)), np.asarray(Image.open(io.BytesIO(encode_picture()))))
    assert dataset.notes == ()


@pytest.mark.parametrize(
    ("ranks", "expected"),
    [
        (MAGPIE, BINOMIAL),
        ((*MAGPIE[:6], "hudsonia minor"), BINOMIAL),  # a subspecies goes to its species
        ((*MAGPIE[:6], None), (*MAGPIE[:6], None)),
        ((*MAGPIE[:2], None, *MAGPIE[3:]), (None,) * 5 + ("Pica", "Pica hudsonia")),
        ((*MAGPIE[:5], None, "hudsonia minor"), (None,) * 7),  # looks like the scientific name Hudsonia minor
        ((*MAGPIE[:5], None, None), (None,) * 7),
    ],
)
def test_names_without_tags(tmp_path, ranks, expected):
    """A second picture, of a beetle, has all names, because a dataset without any name is refused."""
    beetle = ("Animalia", "Arthropoda", "Insecta", "Coleoptera", "Carabidae", "Carabus", "auratus")
    keep = ["scientific_name.txt", "taxonomic_name.txt", "common_name.txt"]
    captions = ["sci.txt", "taxon.txt", "com.txt"]
    for endings in (keep, captions):
        write_tar(
            tmp_path / "a.tar",
            [*shard_members("1", ranks, endings=endings), *shard_members("2", beetle, endings=endings)],
        )
        dataset = datasets.load(f"webdataset:{tmp_path / 'a.tar'}")
        assert lineages_of(dataset) == [expected, (*beetle[:6], "Carabus auratus")]
        assert any("1 images are known by genus and species only" in note for note in dataset.notes) == (
            expected[:6] == (None,) * 5 + ("Pica",)
        )
        assert any("1 images have no text that names their taxon: 1" in note for note in dataset.notes) == (
            expected == (None,) * 7
        )


def test_names_in_json_members(tmp_path):
    first = {"Kingdom": "Animalia", "genus": "Pica", "species": "Pica hudsonia", "commonName": "Magpie", "width": 3}
    second = {"scientificName": "Pica pica", "common_name": "Pica pica"}
    members = [("1.jpg", encode_picture(kind="JPEG")), ("1.json", json.dumps(first).encode()), ("1.cls", b"7")]
    members += [("2.jpg", encode_picture(kind="JPEG")), ("2.json", json.dumps(second).encode())]
    dataset = datasets.load(f"webdataset:{write_tar(tmp_path / 'a.tar', members)}")
    assert lineages_of(dataset)[0] == ("Animalia", None, None, None, None, "Pica", "Pica hudsonia")
    assert lineages_of(dataset)[1][5:] == ("Pica", "Pica pica")
    assert dataset.images["common"].fillna("").tolist() == ["Magpie", ""]


def test_several_pictures_of_one_key(tmp_path):
    members = [
        ("1.left.png", encode_picture()),
        ("1.right.png", encode_picture()),
        *shard_members("1")[1:],
        *shard_members("2"),
    ]
    dataset = datasets.load(f"webdataset:{write_tar(tmp_path / 'a.tar', members)}")
    assert dataset.images["image_id"].tolist() == ["1.left.png", "1.right.png", "2"]
    assert dataset.images["group"].fillna("").tolist() == ["1", "1", ""]
    assert lineages_of(dataset) == [BINOMIAL] * 3
    assert any(note == "1 keys have more than one picture; each is an image: 1" for note in dataset.notes)


def test_a_key_in_two_tars_is_refused_except_in_train_small(tmp_path):
    for name in ("train", "train_small"):
        write_tar(tmp_path / name / "a.tar", shard_members("1"))
    dataset = datasets.load(f"webdataset:{tmp_path}")
    assert dataset.images["split"].tolist() == ["train"]
    assert any("1 pictures left out, train_small repeats" in note for note in dataset.notes)
    assert datasets.load(f"webdataset:{tmp_path}/train_small").images["split"].tolist() == ["train_small"]
    write_tar(tmp_path / "val" / "a.tar", shard_members("1"))
    with pytest.raises(DataError, match="names 1 images more than once"):
        datasets.load(f"webdataset:{tmp_path}")


def test_a_key_without_a_picture_is_noted(tmp_path):
    path = write_tar(tmp_path / "a.tar", [*shard_members("1"), *shard_members("2")[1:]])
    dataset = datasets.load(f"webdataset:{path}")
    assert dataset.notes == ("1 keys left out, they have no picture: 2",)


def test_tars_without_any_name_are_refused(tmp_path):
    write_tar(tmp_path / "a.tar", [("1.png", encode_picture()), ("1.cls", b"3")])
    with pytest.raises(
        DataError, match=r"does not say what its 1 pictures show; expected members such as taxonTag\.txt"
    ):
        datasets.load(f"webdataset:{tmp_path}")


def test_folders_without_tars_or_pictures_are_refused(tmp_path):
    with pytest.raises(DataError, match="has no tar"):
        datasets.load(f"webdataset:{tmp_path}")
    write_tar(tmp_path / "a.tar", [("1.cls", b"3")])
    with pytest.raises(DataError, match=r"has no usable image: no picture in a\.tar"):
        datasets.load(f"webdataset:{tmp_path}")


def named_members(*names: str) -> list[tuple[str, bytes]]:
    """Return a picture and the JSON that names its taxon, for each name."""
    taxon = json.dumps(dict(zip(RANKS, BINOMIAL, strict=True))).encode()
    return [
        (f"{name}.{ending}", content)
        for name in names
        for ending, content in (("png", encode_picture()), ("json", taxon))
    ]


def test_names_with_dots_and_the_keys_that_came_of_them_are_said(tmp_path):
    tar = write_tar(tmp_path / "a.tar", named_members("img.v1.0", "img.v1.1"))
    with pytest.raises(DataError) as caught:
        datasets.load(f"webdataset:{tar}")
    assert "2 pictures have a dot within their name, and a key ends at the first dot: " in str(caught.value)
    assert "img.v1.0.png has the key img, img.v1.1.png has the key img; rename" in str(caught.value)


def test_some_names_with_dots_are_noted(tmp_path):
    dataset = datasets.load(f"webdataset:{write_tar(tmp_path / 'a.tar', named_members('a', 'b.2'))}")
    assert dataset.images["genus"].fillna("").tolist() == ["Pica", ""]
    assert any("1 pictures have a dot within their name" in note and "b.2.png" in note for note in dataset.notes)
    assert any("1 images have no text that names their taxon: b" in note for note in dataset.notes)


def test_names_without_dots_are_not_noted(tmp_path):
    dataset = datasets.load(f"webdataset:{write_tar(tmp_path / 'a.tar', named_members('a', 'x/b-2_3'))}")
    assert not any("dot" in note for note in dataset.notes)


def test_a_text_that_occurs_twice_with_other_content_is_noted(tmp_path):
    members = named_members("a")
    same = write_tar(tmp_path / "same.tar", [*members, members[1]])
    other = write_tar(tmp_path / "other.tar", [*members, ("a.json", b'{"genus": "Corvus"}')])
    assert not any("occur again" in note for note in datasets.load(f"webdataset:{same}").notes)
    dataset = datasets.load(f"webdataset:{other}")
    assert dataset.images["genus"].tolist() == ["Pica"]
    assert "1 texts occur again with other content; the first is used: a.json" in dataset.notes
