import io
import json
import pickle
import tarfile

import numpy as np
import pytest
from PIL import Image

from bioclip_probe import datasets
from bioclip_probe.datasets.readers.shard_texts import parse_texts
from bioclip_probe.errors import DataError
from bioclip_probe.tables import RANKS

MAGPIE = ("Animalia", "Chordata", "Aves", "Passeriformes", "Corvidae", "Pica", "hudsonia")
BINOMIAL = (*MAGPIE[:6], "Pica hudsonia")


def picture(colour=(200, 100, 50), kind="PNG", size=(8, 6)):
    content = io.BytesIO()
    Image.new("RGB", size, colour).save(content, kind)
    return content.getvalue()


def write_tar(path, members, **options):
    """A tar of the members, in order: name and content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w", **options) as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def shard_texts(ranks, common=None):
    """The ten texts that BioCLIP's shards have of a picture."""
    known = [(rank, name) for rank, name in zip(RANKS, ranks, strict=True) if name]
    taxonomic = " ".join(name for _, name in known)
    scientific = " ".join(name for name in ranks[5:] if name).capitalize()
    common = common or scientific or taxonomic
    tagged = " ".join(f"{rank} {name}" for rank, name in known)
    said = {"sci": scientific, "taxon": taxonomic, "taxonTag": tagged}
    texts = {"scientific_name.txt": scientific, "taxonomic_name.txt": taxonomic, "common_name.txt": common}
    texts |= {f"{kind}.txt": f"a photo of {name}." for kind, name in (said | {"com": common}).items()}
    texts |= {f"{kind}_com.txt": f"a photo of {name} with common name {common}." for kind, name in said.items()}
    return {ending: text.encode() for ending, text in texts.items()}


def sample(key, ranks=MAGPIE, common=None, keep=None):
    texts = shard_texts(ranks, common)
    return [(f"{key}.png", picture())] + [(f"{key}.{ending}", texts[ending]) for ending in keep or texts]


def lineages(dataset):
    table = dataset.images[list(RANKS)].astype(object)
    return list(table.where(table.notna(), None).itertuples(index=False, name=None))


def test_a_folder_of_shards(tmp_path):
    write_tar(tmp_path / "train" / "shard-000000.tar", sample("a.b/0-1", common="Black-billed magpie"))
    write_tar(tmp_path / "val" / "shard-000000.tar", sample("2", (*MAGPIE[:2], None, *MAGPIE[3:5], None, None)))
    dataset = datasets.load(f"webdataset:{tmp_path}")
    assert dataset.images["image_id"].tolist() == ["a.b/0-1", "2"]
    assert dataset.images["split"].tolist() == ["train", "val"]
    assert dataset.images["common"].isna().tolist() == [False, True]
    assert lineages(dataset) == [BINOMIAL, (*MAGPIE[:2], None, *MAGPIE[3:5], None, None)]
    assert dataset.images["source"][0] == f"train/shard-000000.tar:512:{len(picture())}"
    again = pickle.loads(pickle.dumps(dataset.open))
    for source in dataset.images["source"]:
        assert np.array_equal(np.asarray(again(source)), np.asarray(Image.open(io.BytesIO(picture()))))
    assert dataset.notes == ()


@pytest.mark.parametrize(
    ("ranks", "expected"),
    [
        (MAGPIE, BINOMIAL),
        ((*MAGPIE[:6], "hudsonia minor"), (*MAGPIE[:6], "Pica hudsonia minor")),
        ((*MAGPIE[:6], None), (*MAGPIE[:6], None)),
        ((*MAGPIE[:2], None, *MAGPIE[3:]), (None,) * 5 + ("Pica", "Pica hudsonia")),
        ((*MAGPIE[:5], None, "hudsonia minor"), (None,) * 7),  # as a scientific name: Hudsonia minor
        ((*MAGPIE[:5], None, None), (None,) * 7),
    ],
)
def test_names_without_tags(tmp_path, ranks, expected):
    """A second picture is known, as a dataset where nothing is known is refused."""
    keep = ["scientific_name.txt", "taxonomic_name.txt", "common_name.txt"]
    captions = ["sci.txt", "taxon.txt", "com.txt"]
    for endings in (keep, captions):
        write_tar(tmp_path / "a.tar", [*sample("1", ranks, keep=endings), *sample("2", keep=endings)])
        dataset = datasets.load(f"webdataset:{tmp_path / 'a.tar'}")
        assert lineages(dataset) == [expected, BINOMIAL]
        assert any("1 images are known by genus and species only" in note for note in dataset.notes) == (
            expected[:6] == (None,) * 5 + ("Pica",)
        )
        assert any("1 images have no text that names their taxon: 1" in note for note in dataset.notes) == (
            expected == (None,) * 7
        )


def test_json(tmp_path):
    said = {"Kingdom": "Animalia", "genus": "Pica", "species": "Pica hudsonia", "commonName": "Magpie", "width": 3}
    other = {"scientificName": "Pica pica", "common_name": "Pica pica"}
    members = [("1.jpg", picture(kind="JPEG")), ("1.json", json.dumps(said).encode()), ("1.cls", b"7")]
    members += [("2.jpg", picture(kind="JPEG")), ("2.json", json.dumps(other).encode())]
    dataset = datasets.load(f"webdataset:{write_tar(tmp_path / 'a.tar', members)}")
    assert lineages(dataset)[0] == ("Animalia", None, None, None, None, "Pica", "Pica hudsonia")
    assert lineages(dataset)[1][5:] == ("Pica", "Pica pica")
    assert dataset.images["common"].fillna("").tolist() == ["Magpie", ""]


@pytest.mark.parametrize(
    "content", [b"[" * 100_000, b"\xff", b"3", b'{"genus": 3}', b'{"genus": "A\\u0000"}', b'"\\ud800"']
)
def test_odd_json_says_nothing(content):
    assert set(parse_texts({"json": content}).values()) == {None}


@pytest.mark.parametrize(
    "text", [b"", b"\xff", b"a photo of .", b"kingdom", b"Animalia kingdom Plantae", b"kingdom \x1b[1m"]
)
def test_odd_tags_say_nothing(text):
    assert set(parse_texts({"taxonTag.txt": text}).values()) == {None}


def test_several_pictures_of_one_key(tmp_path):
    members = [("1.left.png", picture()), ("1.right.png", picture()), *sample("1")[1:], *sample("2")]
    dataset = datasets.load(f"webdataset:{write_tar(tmp_path / 'a.tar', members)}")
    assert dataset.images["image_id"].tolist() == ["1.left.png", "1.right.png", "2"]
    assert dataset.images["group"].fillna("").tolist() == ["1", "1", ""]
    assert lineages(dataset) == [BINOMIAL] * 3
    assert any(note == "1 keys have more than one picture; each is an image: 1" for note in dataset.notes)


def test_one_key_in_two_tars_is_refused_but_for_train_small(tmp_path):
    for name in ("train", "train_small"):
        write_tar(tmp_path / name / "a.tar", sample("1"))
    dataset = datasets.load(f"webdataset:{tmp_path}")
    assert dataset.images["split"].tolist() == ["train"]
    assert any("1 pictures left out, train_small repeats" in note for note in dataset.notes)
    assert datasets.load(f"webdataset:{tmp_path}/train_small").images["split"].tolist() == ["train_small"]
    write_tar(tmp_path / "val" / "a.tar", sample("1"))
    with pytest.raises(DataError, match="names 1 images more than once"):
        datasets.load(f"webdataset:{tmp_path}")


def test_patterns(tmp_path):
    for number in (8, 9, 10, 11):
        write_tar(tmp_path / f"s-{number:03d}.tar", sample(str(number)))
    ids = {"s-{008..010}.tar": ["8", "9", "10"], "s-0{09,11}.tar": ["9", "11"], "s-*.tar": ["8", "9", "10", "11"]}
    for pattern, expected in ids.items():
        assert datasets.load(f"webdataset:{tmp_path}/{pattern}").images["image_id"].tolist() == expected
    with pytest.raises(DataError, match=r"no such tar.*s-012\.tar$"):
        datasets.load(f"webdataset:{tmp_path}/s-{{010..012}}.tar")
    with pytest.raises(DataError, match="no such tar"):
        datasets.load(f"webdataset:{tmp_path}/t-*.tar")
    with pytest.raises(DataError, match="more than 100,000 tars"):
        datasets.load(f"webdataset:{tmp_path}/{{0..99999}}{{0..99999}}.tar")


def test_a_key_without_a_picture_is_noted(tmp_path):
    path = write_tar(tmp_path / "a.tar", [*sample("1"), *sample("2")[1:]])
    dataset = datasets.load(f"webdataset:{path}")
    assert dataset.notes == ("1 keys left out, they have no picture: 2",)


def test_nothing_says_what_is_shown(tmp_path):
    write_tar(tmp_path / "a.tar", [("1.png", picture()), ("1.cls", b"3")])
    with pytest.raises(
        DataError, match=r"does not say what its 1 pictures show; expected members such as taxonTag\.txt"
    ):
        datasets.load(f"webdataset:{tmp_path}")


def test_no_picture(tmp_path):
    with pytest.raises(DataError, match="has no tar"):
        datasets.load(f"webdataset:{tmp_path}")
    write_tar(tmp_path / "a.tar", [("1.cls", b"3")])
    with pytest.raises(DataError, match=r"has no usable image: no picture in a\.tar"):
        datasets.load(f"webdataset:{tmp_path}")
