from dataclasses import FrozenInstanceError, dataclass

import numpy as np
import pandas as pd
import pytest

from bioclip_probe import tables
from bioclip_probe.errors import DataError, ProbeError
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.plots import FigureSettings
from bioclip_probe.probes.settings import ProbeSettings
from bioclip_probe.projections.settings import ProjectionSettings

ALL = [tables.IMAGES, tables.MEASUREMENTS, tables.PREDICTIONS, tables.COORDINATES]


@pytest.mark.parametrize("table", ALL, ids=lambda table: table.name)
def test_every_table_makes_an_empty_frame_that_passes_its_own_check(table):
    frame = table.frame()
    assert list(frame.columns) == table.names
    assert len(frame) == 0
    assert table.check(frame) is frame


@pytest.mark.parametrize("table", ALL, ids=lambda table: table.name)
def test_every_column_says_what_it_means_and_names_are_unique(table):
    assert all(column.meaning for column in table.columns)
    assert len(set(table.names)) == len(table.names)


def test_columns_not_given_are_missing_and_the_rest_is_kept():
    frame = tables.MEASUREMENTS.frame([{"metric": "cpcc", "value": 0.5, "n_images": 3, "simulated": False}])
    row = frame.iloc[0]
    assert (row["metric"], row["value"], row["n_images"]) == ("cpcc", 0.5, 3)
    assert pd.isna(row["taxon"]) and pd.isna(row["p_value"]) and pd.isna(row["n_taxa"])


def test_an_unknown_column_is_an_error():
    with pytest.raises(DataError, match="table 'images' has no column colour"):
        tables.IMAGES.frame([{"image_id": "a", "colour": "red"}])


def test_frame_leaves_its_input_as_it_was():
    given = pd.DataFrame({"image_id": ["a"], "source": ["a.png"]}, index=[7])
    before = given.copy()
    assert tables.IMAGES.frame(given).index.tolist() == [0]
    pd.testing.assert_frame_equal(given, before)


def test_check_names_a_missing_column_and_a_wrong_type():
    frame = tables.IMAGES.frame([{"image_id": "a"}])
    with pytest.raises(DataError, match="lacks the column source"):
        tables.IMAGES.check(frame.drop(columns="source"))
    with pytest.raises(DataError, match=r"wrong type: image_id \(int64, expected str\)"):
        tables.IMAGES.check(frame.assign(image_id=np.array([1])))


def test_a_stored_table_comes_back_missing_values_and_all(tmp_path):
    frame = tables.IMAGES.frame([{"image_id": "a", "genus": "Çus"}, {"image_id": "b"}])
    frame.to_parquet(tmp_path / "images.parquet")
    pd.testing.assert_frame_equal(tables.IMAGES.read(tmp_path / "images.parquet"), frame)


def test_a_table_stored_before_a_column_was_declared_lacks_its_values(tmp_path):
    frame = tables.IMAGES.frame([{"image_id": "a", "group": "g"}, {"image_id": "b"}])
    frame.drop(columns="label").to_parquet(tmp_path / "images.parquet")
    pd.testing.assert_frame_equal(tables.IMAGES.read(tmp_path / "images.parquet"), frame, check_like=True)


def test_reading_what_is_no_table_is_one_clear_error(tmp_path):
    (tmp_path / "broken.parquet").write_bytes(b"no parquet")
    with pytest.raises(DataError, match="does not hold a 'images' table"):
        tables.IMAGES.read(tmp_path / "broken.parquet")
    with pytest.raises(DataError, match="does not hold a 'images' table"):
        tables.IMAGES.read(tmp_path / "missing.parquet")
    tables.COORDINATES.frame().to_parquet(tmp_path / "other.parquet")
    with pytest.raises(DataError, match="lacks the column"):
        tables.IMAGES.read(tmp_path / "other.parquet")


@dataclass(frozen=True)
class Metric(tables.Entry):
    chance: float = 0.0


SHELF = {"cpcc": Metric("cpcc", "CPCC", "cophenetic", len, 0.0), "knn": Metric("knn", "k-NN", chance=0.5)}


def test_a_catalogue_has_a_row_for_each_entry_in_order():
    table = tables.catalogue(SHELF)
    assert list(table.columns) == ["name", "title", "notes"]
    assert table.to_numpy().tolist() == [["cpcc", "CPCC", "cophenetic"], ["knn", "k-NN", ""]]


def test_a_catalogue_has_the_columns_that_are_asked_for():
    assert tables.catalogue(SHELF, ["name", "chance"]).to_dict("list") == {"name": ["cpcc", "knn"], "chance": [0, 0.5]}
    assert tables.catalogue({}).empty


def test_an_entry_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        SHELF["cpcc"].title = "other"


def test_known_names_pass_and_others_get_the_nearest_ones():
    tables.check_name("metric", "cpcc", SHELF)
    with pytest.raises(ProbeError, match=r"^no metric 'CPC'; did you mean cpcc\?$"):
        tables.check_name("metric", "CPC", SHELF)
    with pytest.raises(ProbeError, match=r"^no metric 'silhouette'; there is cpcc, knn$"):
        tables.check_name("metric", "silhouette", SHELF)


def test_the_error_of_an_unknown_name_is_the_kind_that_is_asked_for():
    with pytest.raises(DataError, match="no dataset 'inat'; did you mean inat21"):
        tables.check_name("dataset", "inat", iter(["world", "inat21"]), DataError)


@pytest.mark.parametrize(
    "given",
    [
        lambda: MeasureSettings(metrics="silhouette"),
        lambda: ProbeSettings(probes="linear"),
        lambda: ProbeSettings(protocols="seen"),
        lambda: ProjectionSettings(methods="umap"),
        lambda: FigureSettings(models="clip"),
    ],
    ids=["metrics", "probes", "protocols", "methods", "models"],
)
def test_one_text_is_no_list_of_names(given):
    with pytest.raises(ProbeError, match=r"^[a-z]+ are given as a list; got the text '[a-z]+': write \[\"[a-z]+\"\]$"):
        given()


def test_wanted_values_may_be_missing_or_several():
    table = pd.DataFrame({"rank": ["order", "class", "genus"], "shots": [np.nan, 1, np.nan]})
    assert tables.agrees(table, {}).tolist() == [True] * 3
    assert tables.agrees(table, {"rank": ["order", "class"], "shots": None}).tolist() == [True, False, False]
    assert tables.agrees(table, {"shots": 1}).tolist() == [False, True, False]
