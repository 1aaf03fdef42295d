"""Hostile tables, through every loader that reads one: the rows that were written, or one clear line.

Each value is written as its format quotes it, and read back through each loader. The dataset then has the values that
were written, or the loader refuses them with a `DataError` that a terminal can print. All pictures exist, so no table
is refused because of a missing picture.
"""

import csv
import io

import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bioclip_probe import datasets
from bioclip_probe.errors import DataError
from bioclip_probe.tree.naming import read_taxon
from bioclip_probe.tree.spelling import clean, is_placeholder, name_key
from tests.support.darwin_core import DWC, describe_archive, describe_table
from tests.support.pictures import paint

pytestmark = pytest.mark.slow

QUICK = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
#: Values that spreadsheets, other systems, careless programs and attackers write into a field.
HOSTILE = [
    '"', '""', 'a"b', "a\nb", "a\r\nb", "\x00", "a\x00b", "\x1b[31mred", "a\u2028b", "\x85", "﻿", "\u202egpj.exe",
    "=cmd|' /C calc'!A0", "=1+1", "@SUM(1)", "<script>alert(1)</script>", "&amp;", "a|b", "|", "a,b", "a;b", "a\tb",
    "../../etc/passwd", "/etc/passwd", "C:\\Windows\\a.jpg", "\\\\server\\share", "file:///etc/passwd",
    "https://example.org/a.jpg", "NA", "None", "null", "nan", "1e5", "007", "true", "%s%n", "$(reboot)", "`id`", "~",
    "Çéß", "学名", "e\u0301", "\ud83e".encode("utf-16", "surrogatepass").decode("utf-16", "replace"), "🦋", " ",
    "  x  ", "x" * 10_000, "\\", "\\N", "'", "#", "# a comment",
]  # fmt: skip
VALUES = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=20), st.sampled_from(["Pica", "Pica hudsonia", ""]))
N_PICTURES = 2


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Make a folder for each loader, with the two pictures that its table names."""
    root = tmp_path_factory.mktemp("pictures")
    for number in range(N_PICTURES):
        for folder in ("table/images", "bioscan/images/set/part1", "album/images", "archive/images"):
            paint(root / folder / f"{number}.jpg")
    return root


def csv_text(header, rows, separator=","):
    text = io.StringIO()
    csv.writer(text, delimiter=separator, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows([header, *rows])
    return text.getvalue()


def load_images(spec):
    """Return the images of a dataset, or None if it is refused in one line."""
    try:
        dataset = datasets.load(spec)
    except DataError as error:
        assert str(error).isprintable(), repr(str(error))
        assert len(str(error)) < 4000
        return None
    assert all("\n" not in note for note in dataset.notes), dataset.notes
    return dataset.images.astype(object).where(dataset.images.notna(), None)


def tidy(value):
    """Return a name as `clean_lineages` does."""
    return " ".join(value.split()) or None


def check_column(images, column, values):
    """Check that a column holds the taxa that were written, as `tree.naming` reads them; accents may be made one."""
    for got, value in zip(images[column], values, strict=True):
        taxon = read_taxon(value, column).taxon
        assert got in (tidy(value), taxon) or name_key(got) == name_key(taxon), (got, value)


def table_file(root, names, suffix):
    path = root / "table" / f"t.{suffix}"
    rows = [[f"images/{n}.jpg", *pair] for n, pair in enumerate(names)]
    header = ["path", "family", "photographer"]
    if suffix == "parquet":
        pd.DataFrame(rows, columns=header, dtype="str").to_parquet(path)
    else:
        path.write_text(csv_text(header, rows, "\t" if suffix == "tsv" else ","), encoding="utf-8", newline="")
    return f"table:{path}"


def bioscan_table(root, names):
    header = [
        "processid",
        "name",
        "phylum",
        "class",
        "order",
        "family",
        "genus",
        "species",
        "image_file",
        "chunk_number",
    ]
    rows = [[f"P{n}", other, "", "", "", family, "", "", f"{n}.jpg", "1"] for n, (family, other) in enumerate(names)]
    text = csv_text(header, rows, "\t")
    (root / "bioscan" / "BIOSCAN_Insect_Dataset_metadata.tsv").write_text(text, encoding="utf-8", newline="")
    return f"bioscan-1m:{root}/bioscan"


def album_table(root, names):
    rows = [[f"{n}.jpg", *pair] for n, pair in enumerate(names)]
    text = csv_text(["FILE_NAME", "CATEGORY", "SUPER_CATEGORY"], rows)
    (root / "album" / "labels.csv").write_text(text, encoding="utf-8", newline="")
    return f"meta-album:{root}/album"


FORM = 'encoding="UTF-8" fieldsTerminatedBy="," linesTerminatedBy="\\n" fieldsEnclosedBy="&quot;" ignoreHeaderLines="1"'
ARCHIVE = describe_archive(
    describe_table("core", f"{DWC}Occurrence", "occurrence.csv", ["gbifID", "family", "recordedBy"], FORM),
    describe_table("extension", f"{DWC}Multimedia", "multimedia.csv", ["gbifID", "identifier"], FORM),
)


def archive_tables(root, names, identifiers=None):
    media = identifiers or [[str(n), f"images/{n}.jpg"] for n in range(len(names))]
    (root / "archive" / "meta.xml").write_text(ARCHIVE)
    for name, rows in {"occurrence": [[str(n), *pair] for n, pair in enumerate(names)], "multimedia": media}.items():
        text = csv_text(["x"] * len(rows[0]), rows)
        (root / "archive" / f"{name}.csv").write_text(text, encoding="utf-8", newline="")
    return f"darwin-core:{root}/archive"


PAIRS = st.lists(st.tuples(VALUES, VALUES), min_size=N_PICTURES, max_size=N_PICTURES)


@pytest.mark.parametrize("suffix", ["csv", "tsv", "parquet"])
@QUICK
@given(names=PAIRS)
def test_names_in_a_table(pictures, suffix, names):
    images = load_images(table_file(pictures, names, suffix))
    if images is not None:
        assert len(images) == N_PICTURES
        check_column(images, "family", [family for family, _ in names])


def test_a_name_with_control_characters_is_refused_in_one_line(pictures):
    assert load_images(table_file(pictures, [("a\x1b[31m|b", ""), ("b", "")], "csv")) is None


@QUICK
@given(names=PAIRS)
def test_names_in_bioscan(pictures, names):
    images = load_images(bioscan_table(pictures, names))
    if images is not None:
        assert images["image_id"].tolist() == ["P0", "P1"]
        check_column(images, "family", [family for family, _ in names])


@QUICK
@given(names=PAIRS)
def test_names_in_meta_album(pictures, names):
    images = load_images(album_table(pictures, names))
    if images is not None:
        assert images["source"].tolist() == ["0.jpg", "1.jpg"]
        assert images["label"].tolist() == [tidy(label) for label, _ in names]


@QUICK
@given(names=PAIRS)
def test_names_in_darwin_core(pictures, names):
    images = load_images(archive_tables(pictures, names))
    if images is not None:
        assert images["source"].tolist() == ["images/0.jpg", "images/1.jpg"]
        check_column(images, "family", [family for family, _ in names])
        for n, (got, (_, person)) in enumerate(zip(images["group"], names, strict=True)):
            # Without a person the group is the record; its id 0 is a placeholder among names.
            assert got in ((str(n), None)[: 2 - n] if is_placeholder(person) else (clean(person),))


@QUICK
@given(path=VALUES)
@example("images/../../../etc/passwd")
@example("images//1.jpg")
@example("IMAGES\\1.jpg")
def test_no_path_leads_out_of_its_folder(pictures, path):
    """The path stands beside a correct one: it names a file below the folder, or the table is refused."""
    album = pictures / "album"
    (album / "labels.csv").write_text(
        csv_text(["FILE_NAME", "CATEGORY"], [["0.jpg", "a"], [path, "b"]]), encoding="utf-8", newline=""
    )
    archive = archive_tables(pictures, [("A", "")], [["0", "images/0.jpg"], ["0", path]])
    for spec, root in ((f"meta-album:{album}", album / "images"), (archive, pictures / "archive")):
        images = load_images(spec)
        for source in [] if images is None else images["source"]:
            assert (root / source).resolve().is_relative_to(root.resolve())


RAW = st.one_of(
    st.binary(max_size=200),
    st.lists(
        st.sampled_from(
            [b"path", b"family", b",", b"\t", b"\n", b"\r", b'"', b"a.jpg", b"\x00", b"\xff", b"\xef\xbb\xbf"]
        )
    ).map(b"".join),
    st.text(max_size=60).map(lambda text: text.encode("utf-16")),
    st.text(max_size=60).map(lambda text: text.encode("latin-1", "replace")),
)
PLACES = {
    "table/t.csv": "table:{}/table/t.csv",
    "table/t.tsv": "table:{}/table/t.tsv",
    "table/t.parquet": "table:{}/table/t.parquet",
    "bioscan/BIOSCAN_Insect_Dataset_metadata.tsv": "bioscan-1m:{}/bioscan",
    "album/labels.csv": "meta-album:{}/album",
    "album/info.json": "meta-album:{}/album",
    "archive/occurrence.csv": "darwin-core:{}/archive",
    "archive/multimedia.csv": "darwin-core:{}/archive",
    "archive/meta.xml": "darwin-core:{}/archive",
}


@pytest.mark.parametrize("name", list(PLACES))
@QUICK
@given(content=RAW, keep=st.integers(0, 200))
def test_random_bytes_in_place_of_a_table(pictures, name, content, keep):
    """They replace a correct file, or follow its beginning."""
    names = [("A", "B")] * N_PICTURES
    for build in (bioscan_table, album_table, archive_tables):
        build(pictures, names)
    for suffix in ("csv", "tsv", "parquet"):
        table_file(pictures, names, suffix)
    path = pictures / name
    right = path.read_bytes() if path.is_file() else b"{}"
    try:
        path.write_bytes(right[:keep] + content)
        load_images(PLACES[name].format(pictures))
    finally:
        path.unlink()


@QUICK
@given(headers=st.lists(VALUES, max_size=8), twice=st.sampled_from(["", "family", "path"]))
def test_random_headers(pictures, headers, twice):
    header = ["path", "family", *headers, *([twice] if twice else [])]
    rows = [[f"images/{n}.jpg", "Corvidae", *["x"] * (len(header) - 2)] for n in range(N_PICTURES)]
    for suffix, separator in (("csv", ","), ("tsv", "\t")):
        path = pictures / "table" / f"h.{suffix}"
        path.write_text(csv_text(header, rows, separator), encoding="utf-8", newline="")
        images = load_images(f"table:{path}")
        if images is not None:
            assert len(images) == N_PICTURES
            check_column(images, "family", ["Corvidae"] * N_PICTURES)


@pytest.mark.parametrize(
    ("spec", "name"), [("table:{}/table/wide.csv", "table/wide.csv"), ("meta-album:{}/album", "album/labels.csv")]
)
def test_ten_thousand_columns(pictures, spec, name):
    columns = [f"c{i}" for i in range(10_000)]
    folder = "images/" if name.startswith("table") else ""
    rows = [[*["x"] * 10_000, f"{folder}{number}.jpg", "a", "A"] for number in range(N_PICTURES)]
    (pictures / name).write_text(csv_text([*columns, "FILE_NAME", "CATEGORY", "family"], rows))
    assert len(load_images(spec.format(pictures))) == N_PICTURES


@pytest.mark.parametrize("build", [bioscan_table, album_table, archive_tables])
def test_a_long_field(pictures, build):
    images = load_images(build(pictures, [("x" * 10**6, "A"), ("B", "y")]))
    assert [len(name) for name in images[["family", "label"]].bfill(axis=1)["family"]] == [10**6, 1]


def test_a_field_longer_than_a_block_is_refused(pictures):
    """It gives one line, and no row is cut."""
    assert load_images(album_table(pictures, [("x" * (2**25 + 1), "A"), ("B", "y")])) is None
