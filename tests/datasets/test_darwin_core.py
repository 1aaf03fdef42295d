import pickle

import pytest

from bioclip_probe import datasets
from bioclip_probe.errors import DataError
from bioclip_probe.tables import RANKS
from tests.support.darwin_core import (
    DWC,
    MAGPIE,
    MEDIA,
    META,
    RECORDS,
    describe_archive,
    describe_table,
    write_archive,
    zip_archive,
)
from tests.support.pictures import paint


def load(path):
    return datasets.load(f"darwin-core:{path}")


def test_pictures_named_by_the_id_of_their_record(tmp_path):
    root = write_archive(tmp_path / "birds")
    for name in ("101.jpg", "deep/102_1.png", "102_2.jpg", "104.jpg"):
        paint(root / "images" / name)
    dataset = load(root)
    assert dataset.name == "birds"
    images = dataset.images.set_index("image_id")
    assert sorted(images.index) == ["images/101.jpg", "images/102_2.jpg", "images/deep/102_1.png"]
    assert images.loc["images/101.jpg", list(RANKS)].tolist() == [*MAGPIE[:6], "Pica hudsonia"]
    assert images.loc["images/102_2.jpg", "species"] == "Polygonia c-album"
    assert images.loc["images/101.jpg", ["common", "group"]].tolist() == ["Black-billed Magpie", 'A. "Al" Bird']
    assert images.loc["images/102_2.jpg", "group"] == images.loc["images/deep/102_1.png", "group"] == "102"
    assert set(dataset.notes) >= {
        "1 media left out, they are not pictures (sound, video)",
        "1 files left out, they belong to no record: images/104.jpg",
        "1 of 3 records have no picture here",
    }
    assert not any("web address" in note for note in dataset.notes)
    reopened = pickle.loads(pickle.dumps(dataset.open))
    assert [reopened(source).size for source in dataset.images["source"]] == [(8, 6)] * 3


def test_pictures_matched_by_path_and_by_file_name(tmp_path):
    media = [
        ["101", "StillImage", "a.jpg"],
        ["102", "", "https://example.org/photos/two%20b.jpg?size=large"],
        ["103", "", "elsewhere\\c.jpg"],
        ["103", "", "none.jpg"],
    ]
    root = write_archive(tmp_path, media=media)
    for name in ("media/a.jpg", "photos/two b.jpg", "elsewhere/c.jpg"):
        paint(root / name)
    dataset = load(root)
    assert dict(zip(dataset.images["source"], dataset.images["species"], strict=True)) == {
        "media/a.jpg": "Pica hudsonia",
        "photos/two b.jpg": "Polygonia c-album",
        "elsewhere/c.jpg": "Pteris vittata",
        "none.jpg": "Pteris vittata",
    }
    assert any(note.startswith("1 images have no file") for note in dataset.notes)


def test_a_file_name_shared_by_two_addresses_matches_none(tmp_path):
    """The file is there, so nobody is told to fetch it."""
    root = write_archive(tmp_path)
    paint(root / "original.jpg")
    with pytest.raises(DataError, match=r"files of that name are there, but several addresses end so") as error:
        load(root)
    assert "fetch" not in str(error.value)
    paint(root / "101.jpg")
    dataset = load(root)
    assert dataset.images["source"].tolist() == ["101.jpg"]
    assert any(note.startswith("1 pictures left out, files of that name are there") for note in dataset.notes)


def test_pictures_of_no_address_are_named(tmp_path):
    root = write_archive(tmp_path)
    with pytest.raises(DataError, match="it gives 2 addresses: fetch those first"):
        load(root)
    paint(root / "img_77.jpg")
    with pytest.raises(DataError, match=r"1 files are there, of no address and no record: img_77.jpg; addr"):
        load(root)


@pytest.mark.parametrize("name", ["photos/{}/original.jpg", "{}/original.jpeg", "{}.jpg", "{}/medium.jpg"])
def test_pictures_of_inaturalist_are_joined_by_the_number_of_the_photo(tmp_path, name):
    """Every address ends in original.jpg."""
    media = [
        [key, "StillImage", f"https://bucket.example/photos/{photo}/original.jpg?16{photo}"]
        for key, photo in (("101", 9000), ("102", 9001), ("103", 9002))
    ]
    root = write_archive(tmp_path, media=media)
    for photo in (9000, 9001):
        paint(root / name.format(photo))
    dataset = load(root)
    species = dict(zip(dataset.images["source"], dataset.images["species"], strict=True))
    assert species == {name.format(9000): "Pica hudsonia", name.format(9001): "Polygonia c-album"}
    assert f"1 pictures left out, only their address is there; fetch them: {media[2][2]}" in dataset.notes


def test_associated_media_and_names_after_records(tmp_path):
    terms = ["gbifID", "genus", "specificEpithet", "associatedMedia", "occurrenceID", "catalogNumber"]
    core = describe_table("core", f"{DWC}Occurrence", "occurrence.txt", terms)
    rows = [
        ["1", "Pica", "hudsonia", "https://x.org/a.jpg | https://x.org/b.jpg", "urn:x:77", "C1"],
        ["2", "Corvus", "corax", "https://x.org/c.jpg,https://x.org/d.jpg", "urn:x:78", "C2"],
        ["3", "Canis", "lupus", "", "urn:x:79", "C3"],
        ["4", "Felis", "catus", "", "https://www.inaturalist.org/observations/80", "C4"],
        ["5", "Quercus", "alba", "file:///home/ada/e.jpg", "", ""],
    ]
    (tmp_path / "meta.xml").write_text(describe_archive(core))
    (tmp_path / "occurrence.txt").write_text("".join("\t".join(row) + "\n" for row in [terms, *rows]))
    for name in ("a.jpg", "b.jpeg", "x/d.jpg", "C3_2.jpg", "80.png", "e.jpg"):
        paint(tmp_path / name)
    dataset = load(tmp_path)
    assert dict(zip(dataset.images["source"], dataset.images["genus"], strict=True)) == {
        "a.jpg": "Pica",
        "b.jpeg": "Pica",
        "x/d.jpg": "Corvus",
        "C3_2.jpg": "Canis",
        "80.png": "Felis",
        "e.jpg": "Quercus",
    }
    assert "1 pictures left out, only their address is there; fetch them: https://x.org/c.jpg" in dataset.notes


def test_a_picture_of_two_records_is_left_out(tmp_path):
    root = write_archive(
        tmp_path, media=[["101", "", "a.jpg"], ["102", "", "a.jpg"], ["101", "", "b.jpg"], ["9", "", "c.jpg"]]
    )
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        paint(root / name)
    dataset = load(root)
    assert dataset.images["source"].tolist() == ["b.jpg"]
    assert "1 files left out, they belong to several records: a.jpg" in dataset.notes
    assert "1 media left out, there is no record 9" in dataset.notes


def test_a_zip_is_read_without_unpacking(tmp_path):
    paint(tmp_path / "images" / "101.jpg")
    path = zip_archive(write_archive(tmp_path / "download"))
    before = sorted(tmp_path.rglob("*"))
    dataset = load(path)
    assert dataset.name == "download"
    assert dataset.images["species"].tolist() == ["Pica hudsonia"]
    assert dataset.open("images/101.jpg").size == (8, 6)
    assert sorted(tmp_path.rglob("*")) == before


def test_other_forms_of_tables(tmp_path):
    """The core has commas, quotes, Latin-1, no header, the id in the third column, a default and two files."""
    form = 'encoding="ISO-8859-1" fieldsTerminatedBy="," fieldsEnclosedBy=\'"\' linesTerminatedBy="\\r\\n"'
    core = describe_table("core", f"{DWC}Occurrence", "a.csv", ["x", "scientificName", "id", "recordedBy"], form, key=2)
    core = core.replace("</files>", "<location>b.csv</location></files>")
    core = core.replace("</core>", f'<field default="Plantae" term="{DWC}kingdom"/></core>')
    (tmp_path / "meta.xml").write_text(describe_archive(core))
    (tmp_path / "a.csv").write_bytes('"1\r\n2","Pteris ""vittata""",7,José\r\n'.encode("latin-1"))
    (tmp_path / "b.csv").write_bytes(b"1,Pteris vittata L.,8,\r\n1,Pteris cf. vittata,9,\r\n")
    for name in ("7", "8", "9"):
        paint(tmp_path / f"{name}.jpg")
    images = load(tmp_path).images
    assert images["kingdom"].tolist() == ["Plantae"] * 3
    assert images["group"].tolist() == ["José", "8", "9"]
    assert images["species"].fillna("").tolist() == ["", "Pteris vittata", ""]


@pytest.mark.parametrize(
    ("records", "media", "reason"),
    [
        ([*RECORDS, RECORDS[0]], MEDIA, "1 records without an id or with that of another: 101"),
        ([*RECORDS, ["", *RECORDS[0][1:]]], MEDIA, "1 records without an id or with that of another: none"),
        (
            [*RECORDS, ["105"]],
            MEDIA,
            "line 5 has fewer fields than most rows, 1 in place of 11",
        ),
        ([*RECORDS, ["105", "Ani\x00malia", *RECORDS[0][2:]]], MEDIA, r"control characters .*'f1': Ani\\x00malia"),
        (RECORDS, [["101", "", "../a.jpg"]], r"pictures outside its folder: \.\./a\.jpg"),
        (RECORDS, [["101", "", "/etc/a.jpg"]], "pictures outside its folder: /etc/a.jpg"),
        ([], [], "has no usable image"),
        (RECORDS, [["101", "", "a.jpg"], ["102", "", "a.jpg"]], "each picture belongs to several records: a.jpg"),
    ],
)
def test_tables_with_mistakes_are_refused(tmp_path, records, media, reason):
    root = write_archive(tmp_path, records, media)
    with pytest.raises(DataError, match=reason) as error:
        load(root)
    assert str(error.value).isprintable()


def test_dropped_columns_are_named_by_the_line(tmp_path):
    """Some publishers leave out the separators of empty fields at the end of a row, even of the first."""
    short = ["105", *RECORDS[0][1:5]]
    root = write_archive(tmp_path, [short, *RECORDS, ["106", *short[1:]]])
    with pytest.raises(DataError, match=r"line 2 has fewer .*5 in place of 11 \(2 such rows, in lines 2, 6\)"):
        load(root)


@pytest.mark.parametrize("encoding", ["zlib", "UTF-16", "nonsense"])
def test_other_encodings_are_refused(tmp_path, encoding):
    root = write_archive(tmp_path, description=META.replace("UTF-8", encoding))
    with pytest.raises(DataError, match=f"is written in {encoding}, which is not supported"):
        load(root)


def test_stray_quotes_of_tabbed_text_are_text_even_if_quotes_are_declared(tmp_path):
    records = [[*record] for record in RECORDS]
    records[0][9], records[1][9] = '"Falk', 'Holm"'
    root = write_archive(
        tmp_path, records, description=META.replace('fieldsEnclosedBy=""', 'fieldsEnclosedBy="&quot;"')
    )
    for name in ("101.jpg", "102.jpg", "103.jpg"):
        paint(root / name)
    assert load(root).images["group"].tolist() == ['"Falk', 'Holm"', "B"]
