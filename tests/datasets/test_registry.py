import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from bioclip_probe import datasets
from bioclip_probe.datasets.registry import REGISTRY
from bioclip_probe.errors import DataError
from tests.support.pictures import paint


def _has_load(path: Path) -> bool:
    return "\ndef load(" in path.read_text("utf-8") and path.stem != "registry"


def test_catalogue_names_every_dataset():
    catalogue = datasets.catalogue()
    assert catalogue.columns.tolist() == ["name", "title", "form"]
    named = {path.stem.replace("_", "-") for path in Path(datasets.__file__).parent.glob("*.py") if _has_load(path)}
    assert set(catalogue["name"]) == named
    assert set(catalogue["name"]) == set(REGISTRY)
    assert catalogue["name"].tolist()[:4] == ["world", "inat21", "folder", "table"]
    assert all(form.startswith(name) for name, form in zip(catalogue["name"], catalogue["form"], strict=True))


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("inat:PATH", r"no dataset 'inat'; did you mean inat21:PATH\?"),
        ("Folder:PATH", r"did you mean folder:PATH"),
        ("xyz", "there is world, inat21:PATH, folder:PATH, table:FILE, "),
        ("table", "needs a path: table:FILE"),
        ("inat21:", "needs a path: inat21:PATH"),
        ("world:somewhere", "takes no path"),
    ],
)
def test_wrong_names_are_refused_with_a_suggestion(spec, reason):
    with pytest.raises(DataError, match=reason):
        datasets.load(spec)


def test_a_path_without_a_name_gets_a_suggestion(tmp_path):
    paint(tmp_path / "Pica hudsonia" / "1.png")
    with pytest.raises(DataError, match=r"did you mean folder:/.*\?"):
        datasets.load(str(tmp_path))


@pytest.mark.slow
def test_the_catalogue_needs_no_torch():
    program = "import sys; from bioclip_probe import datasets; datasets.catalogue(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("file", "form"),
    [
        ("x/meta.xml", "darwin-core"),
        ("x/taxa.csv.gz", "inat-open-data"),
        ("x/a.tar", "webdataset"),
        ("x/other.txt", "folder"),
        ("x.npz", "vectors"),
        ("x.h5ad", "vectors"),
        ("x.tar", "webdataset"),
        ("x.csv", "table"),
    ],
)
def test_a_path_without_a_form_gets_the_likely_one(tmp_path, file, form):
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).touch()
    spec = tmp_path / file.split("/")[0]
    with pytest.raises(DataError, match=rf"did you mean {form}:{spec}\?"):
        datasets.load(str(spec))


def test_a_parquet_of_vectors_is_named_as_one(tmp_path):
    path = tmp_path / "x.parquet"
    pd.DataFrame({"uuid": ["1"], "genus": ["Pica"], "emb": [[1.0, 2.0]]}).to_parquet(path)
    for spec in (str(path), f"table:{path}"):
        with pytest.raises(DataError, match=rf"vectors:{path}"):
            datasets.load(spec)
    pd.DataFrame({"uuid": ["1"], "genus": ["Pica"]}).to_parquet(path)
    with pytest.raises(DataError, match=rf"called by 'uuid', load it as tree-of-life-200m:{path}"):
        datasets.load(f"table:{path}")


def test_lineages_may_stay_as_they_are_given(tmp_path):
    for name in "ab":
        paint(tmp_path / f"{name}.png")
    (tmp_path / "in.csv").write_text("path,family,species\na.png,Corvidae,Pica pica\nb.png,,Pica pica\n")
    assert datasets.load(f"table:{tmp_path / 'in.csv'}").images["family"].tolist() == ["Corvidae"] * 2
    given = datasets.load(f"table:{tmp_path / 'in.csv'}", lineages="as-given")
    assert given.images["family"].fillna("").tolist() == ["Corvidae", ""]
    assert "1 species count as more than one taxon, as some of their images lack a rank" in given.notes
    with pytest.raises(DataError, match="no way to read lineages 'given'; did you mean as-given"):
        datasets.load("world", lineages="given")


@pytest.mark.parametrize("address", ["https://example.org/birds.csv", "HTTPS://example.org/b.csv", "s3://bucket/b.csv"])
@pytest.mark.parametrize("form", ["table:", "vectors:", "folder:", "webdataset:", ""])
def test_a_web_address_in_place_of_a_path_is_said(form, address):
    with pytest.raises(DataError, match=f"{address} is a web address; download it first"):
        datasets.load(form + address)


def test_the_address_of_a_file_is_read(tmp_path):
    paint(tmp_path / "1 2.png")
    table = tmp_path / "my birds.csv"
    table.write_text("path,species\n1 2.png,Pica hudsonia\n")
    assert len(datasets.load(f"table:{table.as_uri()}")) == 1
    assert "%20" in table.as_uri()
