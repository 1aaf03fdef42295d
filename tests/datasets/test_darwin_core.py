import pickle
import zipfile

import pandas as pd
import pytest

from bioclip_probe import datasets
from bioclip_probe.datasets.readers import darwin_core_archive
from bioclip_probe.errors import DataError
from bioclip_probe.tables import RANKS
from tests.support.pictures import paint

DWC = "http://rs.tdwg.org/dwc/terms/"
FORM = r'encoding="UTF-8" fieldsTerminatedBy="\t" linesTerminatedBy="\n" fieldsEnclosedBy="" ignoreHeaderLines="1"'
CORE = [
    "gbifID", "kingdom", "phylum", "class", "order", "family", "genus", "specificEpithet", "scientificName",
    "recordedBy", "vernacularName",
]  # fmt: skip
MAGPIE = ["Animalia", "Chordata", "Aves", "Passeriformes", "Corvidae", "Pica", "hudsonia"]
RECORDS = [
    ["101", *MAGPIE, "Pica hudsonia (Sabine, 1823)", 'A. "Al" Bird', "Black-billed Magpie"],
    ["102", *MAGPIE[:5], "Polygonia", "c-album", "", "", ""],
    ["103", "Plantae", "", "", "", "", "", "", "Pteris vittata L.", "B", ""],
]
MEDIA = [
    ["101", "StillImage", "https://example.org/photos/9/original.jpg"],
    ["102", "StillImage", "https://example.org/photos/10/original.jpg"],
    ["103", "Sound", "https://example.org/song.mp3"],
]


def table(tag, row_type, location, terms, form=FORM, key=0):
    fields = "".join(f'<field index="{i}" term="{DWC}{term}"/>' for i, term in enumerate(terms))
    key_tag = "id" if tag == "core" else "coreid"
    files = f"<files><location>{location}</location></files>"
    return f'<{tag} {form} rowType="{row_type}">{files}<{key_tag} index="{key}"/>{fields}</{tag}>'


def meta(*tables):
    return f'<?xml version="1.0"?><archive xmlns="http://rs.tdwg.org/dwc/text/">{"".join(tables)}</archive>'


META = meta(
    table("core", f"{DWC}Occurrence", "occurrence.txt", CORE),
    table("extension", "http://rs.gbif.org/terms/1.0/Multimedia", "multimedia.txt", ["gbifID", "type", "identifier"]),
)


def lines(header, rows):
    return "".join("\t".join(row) + "\n" for row in [header, *rows])


def write(root, records=RECORDS, media=MEDIA, described=META):
    root.mkdir(parents=True, exist_ok=True)
    (root / "meta.xml").write_text(described, encoding="utf-8")
    (root / "occurrence.txt").write_text(lines(CORE, records), encoding="utf-8")
    (root / "multimedia.txt").write_text(lines(["gbifID", "type", "identifier"], media), encoding="utf-8")
    return root


def zipped(root):
    with zipfile.ZipFile(root.with_suffix(".zip"), "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("meta.xml", "occurrence.txt", "multimedia.txt"):
            archive.write(root / name, name)
            (root / name).unlink()
    return root.with_suffix(".zip")


def load(path):
    return datasets.load(f"darwin-core:{path}")


def test_pictures_called_after_the_record(tmp_path):
    root = write(tmp_path / "birds")
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
        "1 media left out, they are no pictures (sound, video)",
        "1 files left out, they belong to no record: images/104.jpg",
        "1 of 3 records have no picture here",
    }
    assert not any("web address" in note for note in dataset.notes)
    reopened = pickle.loads(pickle.dumps(dataset.open))
    assert [reopened(source).size for source in dataset.images["source"]] == [(8, 6)] * 3


def test_pictures_by_path_and_by_file_name(tmp_path):
    media = [
        ["101", "StillImage", "a.jpg"],
        ["102", "", "https://example.org/photos/two%20b.jpg?size=large"],
        ["103", "", "elsewhere\\c.jpg"],
        ["103", "", "none.jpg"],
    ]
    root = write(tmp_path, media=media)
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


def test_a_file_name_that_two_addresses_end_in_says_nothing(tmp_path):
    root = write(tmp_path)
    paint(root / "original.jpg")
    with pytest.raises(DataError, match=r"no picture of its 3 records is below .*; it gives 2 web addresses: download"):
        load(root)
    paint(root / "101.jpg")
    dataset = load(root)
    assert dataset.images["source"].tolist() == ["101.jpg"]
    assert "1 pictures left out, only their web address is there; download them: " + MEDIA[1][2] in dataset.notes


def test_a_picture_of_two_records_is_left_out(tmp_path):
    root = write(tmp_path, media=[["101", "", "a.jpg"], ["102", "", "a.jpg"], ["101", "", "b.jpg"], ["9", "", "c.jpg"]])
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        paint(root / name)
    dataset = load(root)
    assert dataset.images["source"].tolist() == ["b.jpg"]
    assert "1 files left out, they belong to several records: a.jpg" in dataset.notes
    assert "1 media left out, there is no record 9" in dataset.notes


def test_a_zip_is_read_where_it_is(tmp_path):
    paint(tmp_path / "images" / "101.jpg")
    path = zipped(write(tmp_path / "download"))
    before = sorted(tmp_path.rglob("*"))
    dataset = load(path)
    assert dataset.name == "download"
    assert dataset.images["species"].tolist() == ["Pica hudsonia"]
    assert dataset.open("images/101.jpg").size == (8, 6)
    assert sorted(tmp_path.rglob("*")) == before


def test_other_forms_of_tables(tmp_path):
    """Commas, quotes, Latin-1, no header, the id among many columns, defaults, two files, a core alone."""
    form = 'encoding="ISO-8859-1" fieldsTerminatedBy="," fieldsEnclosedBy=\'"\' linesTerminatedBy="\\r\\n"'
    core = table("core", f"{DWC}Occurrence", "a.csv", ["x", "scientificName", "id", "recordedBy"], form, key=2)
    core = core.replace("</files>", "<location>b.csv</location></files>")
    core = core.replace("</core>", f'<field default="Plantae" term="{DWC}kingdom"/></core>')
    (tmp_path / "meta.xml").write_text(meta(core))
    (tmp_path / "a.csv").write_bytes('"1\r\n2","Pteris ""vittata""",7,José\r\n'.encode("latin-1"))
    (tmp_path / "b.csv").write_bytes(b"1,Pteris vittata L.,8,\r\n1,Pteris cf. vittata,9,\r\n")
    for name in ("7", "8", "9"):
        paint(tmp_path / f"{name}.jpg")
    images = load(tmp_path).images
    assert images["kingdom"].tolist() == ["Plantae"] * 3
    assert images["group"].tolist() == ["José", "8", "9"]
    assert images["species"].fillna("").tolist() == ["", "Pteris vittata", ""]


BOMB = '<!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]><archive>&b;</archive>'


@pytest.mark.parametrize(
    ("described", "reason"),
    [
        (BOMB, "has a document type, which is not read"),
        ("<archive>", "no XML that can be read"),
        ("<archive/>", "describes 0 core tables; expected one"),
        (META.replace("occurrence.txt", "../occurrence.txt"), r"a table outside the archive: \.\./occurrence.txt"),
        (META.replace("occurrence.txt", "/etc/passwd"), "a table outside the archive: /etc/passwd"),
        (META.replace("occurrence.txt", "C:\\a.txt"), "a table outside the archive: C:/a.txt"),
        (META.replace("occurrence.txt", "none.txt"), "none.txt: cannot be read, though meta.xml names it"),
        (META.replace("occurrence.txt", " "), "names no file for its core"),
        (META.replace('index="3"', 'index="33"'), "has 11 columns in a row; f33 is none of them"),
        (META.replace('index="3"', 'index="-3"'), "index='-3' for field; expected a number"),
        (META.replace('index="3"', 'index="three"'), "index='three' for field; expected a number"),
        (META.replace('encoding="UTF-8"', 'encoding="UTF-16"'), "is written in UTF-16, which is not supported"),
        (META.replace('encoding="UTF-8"', 'encoding="nonsense"'), "is written in nonsense, which is not supported"),
        (
            META.replace('fieldsTerminatedBy="\\t"', 'fieldsTerminatedBy="||"'),
            "separates fields by '||'".replace("|", r"\|"),
        ),
        (META.replace('linesTerminatedBy="\\n"', 'linesTerminatedBy=";"'), "ends lines by ';'"),
        (META.replace(DWC, DWC + "x"), "names no taxa in its core, of xOccurrence: expected some of kingdom"),
        (" " * (1 << 20) + META, "more than 1,048,576 bytes"),
    ],
)
def test_bad_descriptions(tmp_path, described, reason):
    root = write(tmp_path, described=described)
    paint(root / "101.jpg")
    with pytest.raises(DataError, match=reason) as error:
        load(root)
    assert str(error.value).isprintable()
    with pytest.raises(DataError) as error:
        load(zipped(root))
    assert str(error.value).isprintable()


@pytest.mark.parametrize(
    ("records", "media", "reason"),
    [
        ([*RECORDS, RECORDS[0]], MEDIA, "1 records without an id or with that of another: 101"),
        ([*RECORDS, ["", *RECORDS[0][1:]]], MEDIA, "1 records without an id or with that of another: none"),
        ([*RECORDS, ["105"]], MEDIA, "Expected 11 columns, got 1"),
        ([*RECORDS, ["105", "Ani\x00malia", *RECORDS[0][2:]]], MEDIA, r"control characters .*'f1': Ani\\x00malia"),
        (RECORDS, [["101", "", "../a.jpg"]], r"pictures outside its folder: \.\./a\.jpg"),
        (RECORDS, [["101", "", "/etc/a.jpg"]], "pictures outside its folder: /etc/a.jpg"),
        ([], [], "has no usable image"),
    ],
)
def test_bad_tables(tmp_path, records, media, reason):
    root = write(tmp_path, records, media)
    with pytest.raises(DataError, match=reason) as error:
        load(root)
    assert str(error.value).isprintable()


def test_bad_archives(tmp_path):
    (tmp_path / "0001-simple.csv").write_text("gbifID\tspecies\n")
    for path in (tmp_path, tmp_path / "0001-simple.csv", tmp_path / "none"):
        with pytest.raises(DataError, match=r"no Darwin Core archive.*table|no such file"):
            load(path)
    root = write(tmp_path / "a")
    (root / "meta.xml").write_bytes(META.encode("utf-16"))
    with pytest.raises(DataError, match="is not UTF-8"):
        load(root)


def test_a_zip_bomb_is_refused(tmp_path):
    root = write(tmp_path / "bomb")
    with (root / "occurrence.txt").open("a") as file:
        file.writelines(["\t" * 10 + "\n"] * 400_000)
    with pytest.raises(DataError, match=r"occurrence.txt would have 4,\d+,\d+ bytes unpacked, too many"):
        load(zipped(root))


def test_a_zip_damaged_anywhere_is_one_line(tmp_path):
    path = zipped(write(tmp_path / "a"))
    paint(tmp_path / "101.jpg")
    content = path.read_bytes()
    refused = 0
    for place in range(0, len(content), 7):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x55]) + content[place + 1 :])
        try:
            assert load(path).images["species"].tolist() == ["Pica hudsonia"]
        except DataError as error:
            refused += 1
            assert str(error).isprintable(), error
    assert refused > 20
    for place in range(0, len(content), 101):
        path.write_bytes(content[:place])
        with pytest.raises(DataError):
            load(path)


def test_the_whole_description_is_understood(tmp_path):
    archive = darwin_core_archive.open_archive(write(tmp_path))
    assert archive.core.row_type == "Occurrence"
    assert archive.core.columns == {term: number for number, term in enumerate(CORE)}
    rows = archive.read(archive.core, ["genus", "gbifID", "nothing"])
    assert rows.columns.tolist() == ["genus", "gbifID", "key"]
    assert rows["key"].tolist() == rows["gbifID"].tolist() == ["101", "102", "103"]
    assert isinstance(rows.dtypes["genus"], pd.StringDtype)
