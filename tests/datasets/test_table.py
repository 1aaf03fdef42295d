import gzip
from pathlib import Path

import pandas as pd
import pytest

from bioclip_probe import datasets
from bioclip_probe.errors import DataError
from bioclip_probe.tables import RANKS
from tests.support.pictures import paint

SHARED = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture
def root(tmp_path):
    for name in ("img/a.jpg", "img/b.jpg"):
        paint(tmp_path / "birds" / name)
    return tmp_path / "birds"


def load(root, text, name="labels.csv"):
    (root / name).write_text(text)
    return datasets.load(f"table:{root / name}")


def test_plain_table(root):
    dataset = load(root, "filepath,class,genus,species\nimg/a.jpg,Aves,Pica,Pica hudsonia\nimg/b.jpg,Aves,Pica,pica\n")
    assert dataset.name == "birds"
    assert dataset.images["image_id"].tolist() == ["img/a.jpg", "img/b.jpg"]
    assert dataset.images["species"].tolist() == ["Pica hudsonia", "Pica pica"]
    assert dataset.images["class"].tolist() == ["Aves", "Aves"]
    assert dataset.images["kingdom"].isna().all()
    assert dataset.open("img/a.jpg").size == (8, 6)


def test_darwin_core_and_parquet_and_tabs(root):
    rows = pd.DataFrame(
        {
            "uuid": ["u1", "u2"],
            "image": ["img/a.jpg", "img/b.jpg"],
            "kingdom": pd.Categorical(["Animalia", None]),
            "Phylum": ["Chordata", "incertae sedis"],
            "specificEpithet": ["hudsonia", None],
            "genus": ["Pica", None],
            "recordedBy": ["A", "B"],
            "split": ["train", "val"],
        }
    )
    rows.to_parquet(root / "occurrence.parquet")
    rows.to_csv(root / "occurrence.txt", sep="\t", index=False)
    for suffix in ("parquet", "txt"):
        dataset = datasets.load(f"table:{root / 'occurrence'}.{suffix}")
        assert dataset.name == "occurrence"
        assert dataset.images["image_id"].tolist() == ["u1", "u2"]
        assert dataset.images["group"].tolist() == ["A", "B"]
        assert dataset.images["split"].tolist() == ["train", "val"]
        assert dataset.images.loc[0, "species"] == "Pica hudsonia"
        assert dataset.images.loc[1, list(RANKS)].isna().all()


def test_words_that_mean_missing_give_no_taxon(root):
    dataset = load(root, "path,genus,species\nimg/a.jpg,Null,NA\nimg/b.jpg,Nan,minor\n")
    assert dataset.images["genus"].isna().all()  # the taxonomy treats these words as placeholders


def test_absolute_paths_byte_order_mark_and_backslashes(root, tmp_path):
    elsewhere = paint(tmp_path / "elsewhere.jpg")
    (root / "t.csv").write_text(
        f"path,class\n{elsewhere},Aves\nimg\\b.jpg,Aves\n./img/a.jpg,Aves\n", encoding="utf-8-sig"
    )
    dataset = datasets.load(f"table:{root / 't.csv'}")
    assert dataset.images["source"].tolist() == [str(elsewhere), "img/b.jpg", "img/a.jpg"]
    for source in dataset.images["source"]:
        dataset.open(source)


def test_missing_pictures_stay_and_are_noted(root):
    dataset = load(root, "path,class\nimg/a.jpg,Aves\nimg/none.jpg,Aves\n,Aves\n")
    assert len(dataset) == 2
    assert "1 rows left out, no picture path: rows 3" in dataset.notes
    assert any(note.startswith("1 images have no file") and note.endswith("img/none.jpg") for note in dataset.notes)
    with pytest.raises(DataError, match="no such file"):
        dataset.open("img/none.jpg")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("path,name\nimg/a.jpg,magpie\n", "no rank columns: expected some of kingdom.*it has: path, name"),
        ("name,class\nmagpie,Aves\n", "no column of picture paths: expected one of filepath"),
        ("path,class\n../other/a.jpg,Aves\nimg/../../b.jpg,Aves\n", r"outside its folder: \.\./other/a\.jpg, img/"),
        ("path,class\nhttps://example.org/a.jpg,Aves\n", "web addresses"),
        ("path,class\nnone.jpg,Aves\n", "no usable image.*none of these is a file: none.jpg"),
        ("path,class\n", "no usable image: it has no row"),
        ("path,class\nimg/a.jpg,Av|es\n", r"may not hold '\|'"),
        ("path,class\nimg/a.jpg,Aves\nimg/a.jpg,Aves\n", "1 images more than once.*img/a.jpg"),
        ("", "not a table that can be read"),
        ("path,class\nimg/a.jpg,Aves,more,and more\n", "more fields than its header"),
        ("path,class\nimg/a.jpg,Aves\nimg/b.jpg,Aves,more\n", "not a table that can be read"),
        ("path,class,genus\nimg/a.jpg,Aves,Pica\nimg/b.jpg\n", "fewer fields than its header"),
        ("path,class,class\nimg/a.jpg,Aves,Reptilia\n", "more than one column called class"),
        ('path,class\nimg/a.jpg,"Aves\nimg/b.jpg,Aves\n', "a quote in it is never closed"),
        ("path,class\nimg/a.jpg,Av\x1b[31mes\n", r"control characters in 1 values of column 'class': Av\\x1b"),
    ],
)
def test_tables_with_mistakes_are_refused(root, text, reason):
    with pytest.raises(DataError, match=reason) as error:
        load(root, text)
    assert "\n" not in str(error.value)


def test_missing_and_other_files_are_refused(root):
    for name, reason in [("none.csv", "no such file"), ("t.xlsx", "expected a table"), (".", "expected a table")]:
        with pytest.raises(DataError, match=reason):
            datasets.load(f"table:{root / name}")
    for name in ("t.parquet", "t.csv"):
        (root / name).write_bytes(b"\xff\xfe\x00PAR1\x80")
        with pytest.raises(DataError, match="not a table that can be read"):
            datasets.load(f"table:{root / name}")


def test_a_table_in_latin_1_is_refused(root):
    (root / "t.csv").write_bytes("path,genus\nimg/a.jpg,Çus\n".encode("latin-1"))
    with pytest.raises(DataError, match="not UTF-8; save it as UTF-8"):
        datasets.load(f"table:{root / 't.csv'}")


def test_a_named_index_of_a_parquet_table_is_a_column(root):
    """The row numbers that remain after filtering are no column."""
    rows = pd.DataFrame({"path": ["img/none.jpg", "img/a.jpg", "img/b.jpg"], "class": "Aves"})
    for name, frame in (("named", rows[1:].set_index("path")), ("filtered", rows[1:])):
        frame.to_parquet(root / f"{name}.parquet")
        assert datasets.load(f"table:{root / name}.parquet").images["source"].tolist() == ["img/a.jpg", "img/b.jpg"]


def test_columns_of_lists_are_refused(root):
    pd.DataFrame({"image": ["img/a.jpg"], "class": [["Aves"]]}).to_parquet(root / "t.parquet")
    with pytest.raises(DataError, match="column 'class' holds more than text"):
        datasets.load(f"table:{root / 't.parquet'}")


def test_real_animals():
    path = SHARED / "animals" / "labels.csv"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    dataset = datasets.load(f"table:{path}")
    assert dataset.name == "animals"
    images = dataset.images
    assert len(images) == 187
    assert [images[rank].nunique() for rank in ("class", "order", "family")] == [16, 70, 113]
    assert images["species"].notna().sum() == 102
    assert dataset.open(images.loc[0, "source"]).mode == "RGB"


def test_real_rare_species_columns(tmp_path):
    path = SHARED / "rare_species" / "rare_species_taxa.csv"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    taxa = pd.read_csv(path)
    taxa["file_name"] = [paint(tmp_path / f"{i}.png").name for i in range(len(taxa))]
    taxa.to_csv(tmp_path / "metadata.csv", index=False)
    images = datasets.load(f"table:{tmp_path / 'metadata.csv'}").images
    assert images["species"].tolist() == taxa["sp"].tolist()
    assert images["species"].nunique() == 400
    assert images["class"].tolist() == taxa["cls"].tolist()


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_found(root, separator):
    rows = [["path", "species", "remark"], ["img/a.jpg", "Pica hudsonia", "a, b" if separator != "," else "a; b"]]
    dataset = load(root, "".join(separator.join(row) + "\n" for row in rows))
    assert dataset.images["species"].tolist() == ["Pica hudsonia"]


def test_stray_quotes_of_text_without_quoting(root):
    """No row is built of two; in CSV the line is named."""
    first, second = ["1", '"Falk', "img/a.jpg", "Pica pica"], ["2", '"Holm', "img/b.jpg", "Pica nuttalli"]
    rows = [["id", "by", "path", "species"], first, second]
    dataset = load(root, "".join("\t".join(row) + "\n" for row in rows), "t.tsv")
    assert dataset.images["species"].tolist() == ["Pica pica", "Pica nuttalli"]
    with pytest.raises(DataError, match="line 2 has a stray quote"):
        load(root, "".join(",".join(row) + "\n" for row in rows), "t.csv")


def test_compressed_tables_and_addresses_of_files(root):
    text = f"path,species\n{(root / 'img/a.jpg').as_uri()},Pica pica\nimg/b.jpg,Pica nuttalli\n"
    (root / "magpies.csv.gz").write_bytes(gzip.compress(text.encode()))
    dataset = datasets.load(f"table:{root / 'magpies.csv.gz'}")
    assert dataset.name == "magpies"
    assert dataset.images["source"].tolist() == [str(root / "img/a.jpg"), "img/b.jpg"]
    assert [dataset.open(source).mode for source in dataset.images["source"]] == ["RGB", "RGB"]


def test_a_picture_of_two_taxa_is_left_out_and_noted(root):
    text = "uuid,path,species\n1,img/a.jpg,Pica pica\n2,img/a.jpg,Corvus corax\n3,img/b.jpg,Pica pica\n"
    dataset = load(root, text)
    assert dataset.images["image_id"].tolist() == ["3"]
    assert "1 pictures left out, several rows give them different taxa: img/a.jpg" in dataset.notes
    dataset = load(root, text.replace("Corvus corax", "Pica  pica"))
    assert dataset.images["image_id"].tolist() == ["1", "2", "3"]
    assert "1 pictures are named by several rows: img/a.jpg" in dataset.notes
    with pytest.raises(DataError, match=r"gives every picture several taxa: img/a.jpg"):
        load(root, text[: text.index("3,")])


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("t.csv", "path,species\nimg/a.jpg,Pica pica\n".encode("utf-16"), "it is UTF-16; save it as UTF-8"),
        ("t.xlsx", b"PK\x03\x04", "export the spreadsheet as CSV"),
        ("t.csv", b"path,species\nHTTPS://x.org/a.jpg,Pica pica\ns3://b/b.jpg,Pica pica\n", "gives 2 web addresses"),
    ],
)
def test_other_files_are_refused_with_what_to_do(root, name, content, reason):
    (root / name).write_bytes(content)
    with pytest.raises(DataError, match=reason):
        datasets.load(f"table:{root / name}")


@pytest.mark.parametrize(
    "text",
    [
        "path,species\n1,img/a.jpg,Pica pica\n2,img/b.jpg,Pica pica\n",
        "path,species\nimg/a.jpg,Pica pica,\nimg/b.jpg,Pica pica,\n",
    ],
)
def test_a_header_that_lacks_a_column_is_said(root, text):
    with pytest.raises(DataError, match=r"name every column \(R leaves out that of the names of rows\)"):
        load(root, text)
