import pandas as pd
import pytest

from bioclip_probe.datasets.readers.picture_paths import check_picture_paths
from bioclip_probe.errors import DataError


def check(*paths, absolute=True):
    return check_picture_paths(pd.Series(paths, dtype="str"), "t.csv", absolute).tolist()


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("file:///data/a%20b.jpg", "/data/a b.jpg"),
        ("FILE:///data/a.jpg", "/data/a.jpg"),
        ("file://localhost/data/a.jpg", "/data/a.jpg"),
        ("file:/data/a.jpg", "/data/a.jpg"),
        ("file:img/a.jpg", "img/a.jpg"),
        ("img\\a.jpg", "img/a.jpg"),
        ("./img//a.jpg", "img/a.jpg"),
        ("a: b.jpg", "a: b.jpg"),
        ("data/a.jpg", "data/a.jpg"),
        ("data_1.jpg", "data_1.jpg"),
    ],
)
def test_paths_and_addresses_of_files(address, path):
    assert check(address) == [path]


@pytest.mark.parametrize(
    "address", ["https://x.org/a.jpg", "HTTPS://x.org/a.jpg", "s3://b/a.jpg", "gs://b/a.jpg", "hf://datasets/a.jpg"]
)
def test_web_addresses_are_refused(address):
    with pytest.raises(DataError, match="gives 1 web addresses, not files; download the pictures first"):
        check(address, "a.jpg")


def test_files_of_other_computers_are_no_web_addresses():
    with pytest.raises(DataError, match="addresses on other computers"):
        check("file://server/share/a.jpg")


@pytest.mark.parametrize(
    "text", ["data:image/jpeg;base64,/9j/4AAQSkZJRg" + "A" * 40_000, "/9j/4AAQSkZJRg" + "A" * 40_000]
)
def test_pictures_as_text_are_refused_in_a_short_line(text):
    with pytest.raises(DataError, match=r"1 pictures as text \(base64\)") as error:
        check(text, "a.jpg")
    assert len(str(error.value)) < 300


@pytest.mark.parametrize("path", ["/etc/a.jpg", "file:///etc/a.jpg", "../a.jpg", "file:../a.jpg", "file:%2e%2e/a.jpg"])
def test_paths_that_lead_out_are_refused(path):
    with pytest.raises(DataError, match="outside its folder"):
        check(path, absolute=False)
