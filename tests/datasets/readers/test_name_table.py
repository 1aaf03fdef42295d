import json

import numpy as np
import pandas as pd
import pytest

from bioclip_probe import datasets
from bioclip_probe.errors import DataError


@pytest.fixture
def vectors(tmp_path):
    content = {"model": "m", "embeddings": {f"pictures/{name}.jpg": [1.0, 2.0] for name in "abc"}}
    (tmp_path / "e.json").write_text(json.dumps(content))
    return tmp_path / "e.json"


@pytest.mark.parametrize("form", ["pictures/{}.jpg", "elsewhere/{}.jpg", "C:\\img\\{}.png", "{}"])
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_names_come_from_a_table_by_id_or_file(vectors, form, suffix):
    table = pd.DataFrame({"which": [form.format(name) for name in "ba"], "sciName": ["Pica pica", "Corvus corax"]})
    if suffix == "csv":
        table.to_csv(vectors.parent / "names.csv", index=False)
    else:
        table.to_parquet(vectors.parent / "names.parquet")
    dataset = datasets.load(f"vectors:{vectors}#names.{suffix}")
    assert dataset.images["species"].fillna("").tolist() == ["Corvus corax", "Pica pica", ""]
    assert f"names were read from names.{suffix}, by its column 'which'" in dataset.notes
    assert f"1 of 3 ids are not in names.{suffix}: pictures/c.jpg" in dataset.notes


def test_a_key_and_a_table(tmp_path):
    np.savez(tmp_path / "v.npz", ids=["1", "2"], clip=np.ones((2, 3)), other=np.ones((2, 4)))
    (tmp_path / "names.csv").write_text("id,genus\n1,Pica\n2,Corvus\n")
    dataset = datasets.load(f"vectors:{tmp_path / 'v.npz'}#other#names.csv")
    assert dataset.images["genus"].tolist() == ["Pica", "Corvus"]
    assert any("4 numbers each, from 'other'" in note for note in dataset.notes)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("id,genus\nx,Pica\n", "has none of the ids in any column: pictures/a.jpg"),
        ("id,colour\na,blue\n", "has no rank columns"),
        ("id,genus\na,Pica\na,Corvus\n", "rows in 'id' that give 1 ids several names; keep one row of each: a"),
    ],
)
def test_other_tables_are_refused(vectors, text, reason):
    (vectors.parent / "names.csv").write_text(text)
    with pytest.raises(DataError, match=reason):
        datasets.load(f"vectors:{vectors}#names.csv")


def test_vectors_without_names_ask_for_a_table(vectors):
    with pytest.raises(DataError, match=r"no rank columns.*; or name a table .*vectors:.*e.json#labels.csv"):
        datasets.load(f"vectors:{vectors}")
    with pytest.raises(DataError, match=r"none\.csv: no such file"):
        datasets.load(f"vectors:{vectors}#none.csv")
