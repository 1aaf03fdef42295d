import gzip
import json

import numpy as np
import pandas as pd
import pytest

from bioclip_probe.datasets.readers.text_vectors import numbered_columns
from bioclip_probe.datasets.readers.vector_files import open_vectors
from bioclip_probe.errors import DataError

VECTORS = np.array([[0.5, -2.0, 1e-3], [1.0, 2.0, 3.0]], dtype=np.float32)


def stacked(file):
    return np.concatenate([vectors for vectors, _ in file.blocks()])


@pytest.mark.parametrize(
    "names", [("emb_0", "emb_1", "emb_2"), ("0", "1", "2"), ("x1", "x2", "x3"), ("v[0]", "v[1]", "v[2]")]
)
@pytest.mark.parametrize("suffix", ["csv", "tsv", "csv.gz"])
def test_a_column_for_each_number(tmp_path, names, suffix):
    frame = pd.DataFrame({"filename": ["a.jpg", "b.jpg"], "id": ["a", "b"], "genus": ["Pica", "Corvus"]})
    frame = frame.join(pd.DataFrame(VECTORS[:, ::-1], columns=names[::-1]))
    path = tmp_path / f"v.{suffix}"
    text = frame.to_csv(index=False, sep="\t" if "tsv" in suffix else ",").encode()
    path.write_bytes(gzip.compress(text) if suffix.endswith("gz") else text)
    file = open_vectors(path)
    assert file.texts.to_dict("list") == {"genus": ["Pica", "Corvus"], "image_id": ["a", "b"]}
    assert file.dimension == 3
    np.testing.assert_array_equal(stacked(file), VECTORS)


@pytest.mark.parametrize("form", ["[{}, {}, {}]", "{} {} {}", "{};{};{}", "[{} {}\n {}]"])
def test_a_column_of_lists(tmp_path, form):
    frame = pd.DataFrame({"uuid": ["a", "b"], "emb": [form.format(*row) for row in VECTORS.tolist()]})
    frame.to_csv(tmp_path / "v.csv", index=False)
    file = open_vectors(tmp_path / "v.csv")
    assert (file.key, file.dimension) == ("emb", 3)
    np.testing.assert_array_equal(stacked(file), VECTORS)


def test_holes_among_the_numbers_are_counted(tmp_path):
    (tmp_path / "v.csv").write_text("id,e0,e1\na,1,\nb,1,2\n")
    ((vectors, lengths),) = open_vectors(tmp_path / "v.csv").blocks()
    assert lengths.tolist() == [1, 2]
    assert np.isnan(vectors[0, 1])


def test_another_group_of_columns_is_named(tmp_path):
    (tmp_path / "v.csv").write_text("id,clip_0,clip_1,clip_2,pca_0,pca_1\na,1,2,3,4,5\n")
    assert open_vectors(tmp_path / "v.csv").key == "clip"
    assert stacked(open_vectors(tmp_path / "v.csv#pca")).tolist() == [[4, 5]]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("id,genus\na,Pica\n", "no vectors called emb"),
        ("genus,e0,e1\nPica,1,2\n", "no column of ids"),
        ("id,emb\na,1 x\n", "1 rows of 'emb' are not lists of numbers: rows 1"),
        ("id,emb\na,\n", "have no numbers"),
    ],
)
def test_other_tables_are_refused(tmp_path, text, reason):
    (tmp_path / "v.csv").write_text(text)
    with pytest.raises(DataError, match=reason):
        open_vectors(tmp_path / "v.csv")


def test_a_value_that_is_no_number_is_refused(tmp_path):
    (tmp_path / "v.csv").write_text("id,e0,e1\na,1,x\n")
    with pytest.raises(DataError, match=r"not a table that can be read: .*'x'"):
        stacked(open_vectors(tmp_path / "v.csv"))


def test_numbered_columns_have_no_gap():
    assert numbered_columns(["e0", "e2", "f1", "f2", "year2020", "g3", "g4"]) == {"f": ["f1", "f2"]}


def test_the_json_of_pybioclip(tmp_path):
    path = tmp_path / "e.json"
    content = {"img/a.jpg": VECTORS[0].tolist(), "img/b.jpg": [1.0, 2.0], "img/c.jpg": [0, 0, 0]}
    path.write_text(json.dumps({"model": "hf-hub:imageomics/bioclip", "embeddings": content}))
    file = open_vectors(path)
    assert file.texts["image_id"].tolist() == ["img/a.jpg", "img/b.jpg", "img/c.jpg"]
    ((vectors, lengths),) = file.blocks()
    assert lengths.tolist() == [3, 2, 3]
    np.testing.assert_array_equal(vectors[0], VECTORS[0])
    assert np.isnan(vectors[1]).all()
    assert file.notes == ("the vectors are of hf-hub:imageomics/bioclip",)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("[1]", "expected what bioclip embed writes"),
        ("{}", "expected what bioclip embed writes"),
        ('{"embeddings": {"a.jpg": "x"}}', "are not lists of numbers"),
        ('{"embeddings": {"a.jpg": [[1]]}}', "are not lists of numbers"),
        ('{"embeddings": {"a.jpg": [1], "a.jpg": [2]}}', "has the key 'a.jpg' twice"),
        ('{"embeddings": {"a.jpg": [1e999, 1e300]}}', None),
    ],
)
def test_other_json_is_refused(tmp_path, content, reason):
    path = tmp_path / "e.json"
    path.write_text(content)
    if reason is None:
        assert open_vectors(path).dimension == 2
        return
    with pytest.raises(DataError, match=reason):
        open_vectors(path)


@pytest.mark.parametrize(
    ("header", "key"), [("id,genus,0,1", "numbers"), (",genus,V1,V2", "V"), ("path,genus,V1,V2", "V")]
)
def test_ids_may_be_files_or_the_names_of_rows(tmp_path, header, key):
    (tmp_path / "v.csv").write_text(f"{header}\na,Pica,0.5,1\n")
    file = open_vectors(tmp_path / "v.csv")
    assert (file.key, file.texts["image_id"].tolist()) == (key, ["a"])
