import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioclip_probe.datasets.readers.media_addresses import match_files

INAT = [f"https://bucket.example/photos/{number}/original.jpg" for number in (9000, 9001, 9002)]


def match(files, addresses):
    return match_files(files, dict.fromkeys(addresses, ())).file_of


@pytest.mark.parametrize(
    "name",
    [
        "photos/{}/original.jpg",
        "{}/original.jpg",
        "download/photos/{}/original.jpeg",
        "{}.jpg",
        "pictures/{}.JPG",
        "{}/medium.jpg",
        "{}_medium.jpg",
        "{}/original.png",
    ],
)
def test_files_keep_the_end_of_the_path_or_the_number_in_it(name):
    files = [name.format(number) for number in (9000, 9001)]
    assert match(files, INAT) == dict(zip(INAT, files, strict=False))


@pytest.mark.parametrize(
    ("file", "address"),
    [
        ("a b.jpg", "https://x.org/media/a%20b.jpg?size=large#top"),
        ("A.JPG", "https://x.org/a.jpeg?1700000000"),
        ("a.jpg", "https://x.org/a.jpg?"),
        ("123.jpg", "https://x.org/image.aspx?id=123&size=full"),
        ("img_1.jpg", "https://x.org/get?file=folder/IMG_1.JPG"),
        ("abc-12.jpg", "https://iiif.org/image/abc-12/full/full/0/default.jpg"),
        ("abc-12.jpg", "https://iiif.org/image/abc-12/full/1024,/0/default.jpg"),
        ("a.jpg", "https://x.org/a.tif"),
        ("a.jpg", "https://x.org/media/a"),
        (hashlib.md5(b"https://x.org/1").hexdigest() + ".jpg", "https://x.org/1"),
        (hashlib.sha1(b"https://x.org/2").hexdigest() + ".jpg", "https://x.org/2"),
        ("img/a.jpg", "file:///home/ada/img/a.jpg"),
        ("img/a.jpg", "http://[broken/img/a.jpg?b=1"),
        ("photos/77/a.jpg", "//x.org/photos/77/a.jpg"),
    ],
)
def test_one_file_of_one_address(file, address):
    assert match([file, "other.jpg"], [address, "https://x.org/nothing.jpg"]) == {address: file}


def test_identifiers_beside_an_address():
    addresses = {
        "https://x.org/view.php": ["urn:catalog:ABC:77", "https://www.inaturalist.org/photos/9000"],
        "https://x.org/look.php": ["78"],
    }
    assert match_files(["9000.jpg", "78.png"], addresses).file_of == {
        "https://x.org/view.php": "9000.jpg",
        "https://x.org/look.php": "78.png",
    }


@pytest.mark.parametrize(
    ("files", "addresses"),
    [
        (["original.jpg"], INAT),
        (["9000/original.jpg"], [INAT[1]]),
        (["9000/img.jpg"], ["https://x.org/9001/img.jpg"]),
        (["a/1.jpg", "b/1.jpg"], ["https://x.org/1.jpg"]),
        (["a.jpg", "a.png"], ["https://x.org/a.tif"]),
        (["9000/small.jpg", "9000/large.jpg"], INAT),
    ],
)
def test_nothing_is_guessed(files, addresses):
    assert match(files, addresses) == {}


def test_addresses_that_differ_after_the_question_mark_are_one():
    addresses = ["https://x.org/a/1.jpg?1600", "https://x.org/a/1.jpg?1700"]
    assert match(["1.jpg"], addresses) == dict.fromkeys(addresses, "1.jpg")


def test_a_file_that_may_be_of_several_addresses_is_no_missing_download():
    matches = match_files(["original.jpg"], dict.fromkeys(INAT, ()))
    assert matches.ambiguous == set(INAT)
    matches = match_files(["9000/original.jpg"], dict.fromkeys(INAT, ()))
    assert matches.file_of == {INAT[0]: "9000/original.jpg"}
    assert not matches.ambiguous


PART = st.text(alphabet="ab1", min_size=1, max_size=3)
PATHS = st.lists(
    st.lists(PART, min_size=1, max_size=4).map(lambda parts: "/".join(parts) + ".jpg"), unique=True, max_size=8
)


@settings(max_examples=100, deadline=None)
@given(PATHS)
def test_files_that_keep_their_whole_path_are_never_mixed_up(paths):
    addresses = {f"https://x.org/{path}": path for path in paths}
    for address, file in match(paths, addresses).items():
        assert file == addresses[address]
