import json

import pytest

from bioclip_probe import datasets
from bioclip_probe.datasets import meta_album
from bioclip_probe.errors import DataError
from bioclip_probe.tables import RANKS
from tests.support.pictures import paint


def build(root, labels, info=None, header="FILE_NAME,CATEGORY,SUPER_CATEGORY", images="images"):
    root.mkdir(parents=True, exist_ok=True)
    rows = [f"{number}.jpg,{label},NAN" for number, label in enumerate(labels)]
    (root / "labels.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    for number in range(len(labels)):
        paint(root / images / f"{number}.jpg")
    if info is not None:
        (root / "info.json").write_text(json.dumps(info))
    return root


def load(path):
    return datasets.load(f"meta-album:{path}")


@pytest.mark.parametrize(
    ("name", "label", "species", "common"),
    [
        ("PLT_NET_Mini", "Daucus carota L.", "Daucus carota", None),
        ("PLT_NET_Mini", "Lamium_galeobdolon", "Lamium galeobdolon", None),
        ("PLT_NET", "Hypericum ×inodorum Mill.", "Hypericum ×inodorum", None),
        ("FNG_Extended", "Amanita muscaria", "Amanita muscaria", None),
        ("FNG_Mini", "Agaricus impudicus (Rea) Pilát", "Agaricus impudicus", None),
        ("FNG", "Amanita sp.", None, None),
        ("FNG", "Amanita", None, None),
        ("MED_LF", "Alpinia Galanga (Rasna)", "Alpinia galanga", "Rasna"),
        ("MED_LF", "Jasminum (Jasmine)", None, None),
        ("BRD_Micro", "ABBOTTS BABBLER", None, "ABBOTTS BABBLER"),
        ("BRD", "Abbotts babbler", None, "Abbotts babbler"),
        ("PLK", "mix_elongated", None, None),
        ("INS", "La Punaise du Chou (Eurydema oleracea)", None, None),
        ("INS_2", "Polyphagotars onemus latus", None, None),
        ("PLT_DOC", "Corn Leaf Blight", None, None),
        ("PLT_VIL", "Tomato___healthy", None, None),
        ("mine", "Pica hudsonia", None, None),
    ],
)
def test_categories_become_taxa_only_if_they_are_binomials(tmp_path, name, label, species, common):
    dataset = load(build(tmp_path / name, [label]))
    row = dataset.images.loc[0].astype(object).where(dataset.images.loc[0].notna(), None)
    assert dataset.name == f"meta-album-{name}"
    assert row["species"] == species
    assert row["common"] == common
    assert row["label"] == label
    assert row["genus"] == (species.split()[0] if species else "Amanita" if label == "Amanita sp." else None)
    assert row[list(RANKS[:5])].isna().all()
    reason = "1 images have a label that is not a binomial"
    noted = any(reason in note and note.endswith(label) for note in dataset.notes)
    assert noted == (species is None)
    assert any("'MINE' is not a known set" in note for note in dataset.notes) == (name == "mine")
    assert dataset.open(row["source"]).size == (8, 6)


@pytest.mark.parametrize("name", ["LR_AM.BRD", "Meta_Album_BRD_Mini", "brd"])
def test_the_description_names_the_set_and_its_columns(tmp_path, name):
    info = {"dataset_name": name, "image_column_name": "file", "category_column_name": "bird"}
    dataset = load(build(tmp_path / "x", ["Osprey"], info, "file,bird,SUPER_CATEGORY"))
    assert dataset.images["common"].tolist() == ["Osprey"]
    assert not any("no known set" in note for note in dataset.notes)


def test_blanks_after_commas_and_pictures_beside_the_table(tmp_path):
    root = build(tmp_path / "FNG", ["Amanita muscaria"], images=".")
    (root / "labels.csv").write_text(
        "FILE_NAME,      CATEGORY,   SUPER_CATEGORY\n0.jpg,    Amanita muscaria,  NAN     \n"
    )
    dataset = load(root)
    assert dataset.images.loc[0, ["image_id", "species"]].tolist() == ["0.jpg", "Amanita muscaria"]


def test_the_caller_may_name_the_set(tmp_path):
    root = build(tmp_path / "fungi", ["Amanita muscaria"])
    assert meta_album.load(root).images["species"].isna().all()
    assert meta_album.load(root, "FNG").images["species"].tolist() == ["Amanita muscaria"]
    (root / "info.json").write_text(json.dumps({"dataset_name": "Meta_Album_PLK_Mini"}))
    with pytest.raises(DataError, match=r"holds the set PLK of Meta-Album, as its info.json says; expected FNG"):
        meta_album.load(root, "FNG")


def test_rows_without_picture_or_label_are_noted(tmp_path):
    root = build(tmp_path / "FNG", ["Amanita muscaria", ""])
    with (root / "labels.csv").open("a") as file:
        file.write("none.jpg,Amanita muscaria,NAN\n,Amanita muscaria,NAN\n")
    dataset = load(root)
    assert dataset.images["source"].tolist() == ["0.jpg", "1.jpg", "none.jpg"]
    assert "1 rows left out, no picture: rows 4" in dataset.notes
    assert "1 images have no label" in dataset.notes
    assert any(note.startswith("1 images have no file") for note in dataset.notes)


def test_folders_and_tables_with_mistakes_are_refused(tmp_path):
    for name in ("BRD_Mini", "PLK_Mini"):
        root = build(tmp_path / name, ["Osprey"])
    with pytest.raises(DataError, match=r"is not a set of Meta-Album; name one of its sets: BRD_Mini, PLK_Mini$"):
        load(tmp_path)
    with pytest.raises(DataError, match=r"is not a set of Meta-Album; expected labels.csv and images/$"):
        load(root / "images")
    for text, reason in [
        ("FILE_NAME,LABEL\n0.jpg,a\n", "lacks the columns CATEGORY; it has: FILE_NAME, LABEL"),
        ("FILE_NAME,CATEGORY\n../0.jpg,a\n", r"outside its folder: \.\./0.jpg"),
        ("FILE_NAME,CATEGORY\n/etc/0.jpg,a\n", "outside its folder: /etc/0.jpg"),
        ('FILE_NAME,CATEGORY\n"0\n.jpg",a\n', r"by more than one line: 0\\n.jpg"),
        ("FILE_NAME,CATEGORY\n0.jpg,a\n0.jpg,b\n", "names 1 images more than once"),
        ('FILE_NAME,CATEGORY\n0.jpg,"a\n1.jpg,b\n2.jpg,b\n', "a quote in it is never closed"),
    ]:
        (root / "labels.csv").write_text(text)
        with pytest.raises(DataError, match=reason):
            load(root)
    for text in ("{", "[]", '{"image_column_name": 3}', "[" * 10**5, " " * 2**20 + "{}"):
        (root / "info.json").write_text(text)
        with pytest.raises(DataError, match=r"info.json (is not JSON that can be read|does not describe a set|has)"):
            load(root)
