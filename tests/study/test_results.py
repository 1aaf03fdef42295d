"""The results folder: one run, its tables, and the record of what made them."""

from __future__ import annotations

import json
import os

import pandas as pd
import pytest

from bioclip_probe.errors import DataError
from bioclip_probe.files import sha256_of_file
from bioclip_probe.study import results
from bioclip_probe.tables import COORDINATES, MEASUREMENTS, PREDICTIONS


def record(run: str = "abc", step: str = "measure", **settings: object) -> dict:
    return {
        "run": run,
        "dataset": {"name": "few", "simulated": False},
        "encoders": [{"name": "pixels"}, {"name": "ïnat"}],
        "steps": {step: {"seed": 0, **settings}},
    }


def numbers(value: float = 0.5, metric: str = "silhouette", **columns: object) -> pd.DataFrame:
    return MEASUREMENTS.frame(
        [{"run": "abc", "encoder": "pixels", "simulated": False, "metric": metric, "value": value, **columns}]
    )


def contents(folder) -> dict:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_is_written_is_read(tmp_path):
    predictions = PREDICTIONS.frame([{"encoder": "pixels", "rank": "genus", "image_id": "a", "predicted": None}])
    coordinates = COORDINATES.frame([{"encoder": "pixels", "plotted": True, "hidden": False, "x": 1.0, "y": 2.0}])
    tables = {"measurements": numbers(), "predictions": predictions, "coordinates": coordinates}
    written = results.write(tmp_path / "a" / "out", record(), tables)
    found = results.read(tmp_path / "a" / "out")
    for name, table in tables.items():
        pd.testing.assert_frame_equal(getattr(found, name), table)
        pd.testing.assert_frame_equal(getattr(written, name), table)
    assert found.record == record()
    assert not found.simulated
    assert sorted(contents(tmp_path / "a" / "out")) == [
        "SHA256SUMS", "coordinates.parquet", "measurements.csv", "measurements.parquet", "predictions.parquet",
        "runs.json",
    ]  # fmt: skip
    assert pd.read_csv(tmp_path / "a" / "out" / "measurements.csv")["value"].tolist() == [0.5]


def test_steps_come_one_after_the_other(tmp_path):
    results.write(tmp_path, record(), {"measurements": pd.concat([numbers(0.1), numbers(0.2, "spearman")])})
    found = results.write(tmp_path, record(step="probe"), {"measurements": numbers(0.3, "top1_accuracy", split="test")})
    assert found.measurements["value"].tolist() == [0.1, 0.2, 0.3]
    assert list(found.record["steps"]) == ["measure", "probe"]
    assert found.predictions is None


def test_a_step_run_again_replaces_its_own_rows(tmp_path):
    results.write(tmp_path, record(seed=1), {"measurements": pd.concat([numbers(0.1), numbers(0.2, taxon="Aves")])})
    found = results.write(tmp_path, record(seed=2), {"measurements": numbers(0.9)})
    assert found.measurements.set_index("taxon", drop=False)["value"].tolist() == [0.2, 0.9]
    assert found.record["steps"]["measure"]["seed"] == 2


def test_each_step_adjusts_the_p_values_of_all_steps_so_far(tmp_path):
    """A model's second test makes the first one weaker; the test of a control does not."""
    encoders = [{"name": "pixels", "control": True}, {"name": "ïnat", "control": False}]
    first = numbers(encoder="ïnat", p_value=0.04, rank="family")
    found = results.write(tmp_path, {**record(), "encoders": encoders}, {"measurements": first}).measurements
    assert found["p_adjusted"].tolist() == [0.04]
    second = numbers(encoder="ïnat", p_value=0.5, rank="order")
    found = results.write(
        tmp_path, {**record(step="probe"), "encoders": encoders}, {"measurements": second}
    ).measurements
    assert found["p_adjusted"].tolist() == [0.08, 0.5]
    control = numbers(p_value=0.04, rank="family")
    found = results.write(
        tmp_path, {**record(step="project"), "encoders": encoders}, {"measurements": control}
    ).measurements
    assert found["p_adjusted"].tolist() == [0.08, 0.5, 0.04]
    assert pd.read_csv(tmp_path / "measurements.csv")["p_adjusted"].tolist() == [0.08, 0.5, 0.04]


def test_a_folder_of_another_run_is_refused_and_left_as_it_is(tmp_path):
    results.write(tmp_path, record(), {"measurements": numbers()})
    before = contents(tmp_path)
    for call in (
        lambda: results.write(tmp_path, record("other"), {"measurements": numbers(0.9)}),
        lambda: results.check_run(tmp_path, "other"),
    ):
        with pytest.raises(DataError, match=r"holds the results of another run \(few: pixels, ïnat\)"):
            call()
    assert contents(tmp_path) == before
    assert results.check_run(tmp_path, "abc").measurements["value"].tolist() == [0.5]


def test_a_fresh_run_replaces_another(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    results.write(tmp_path, record(), {"measurements": numbers(), "predictions": PREDICTIONS.frame()})
    (tmp_path / "report.html").write_text("old")
    found = results.write(
        tmp_path,
        record("other", "reproduce"),
        {"coordinates": COORDINATES.frame([{"plotted": True, "hidden": False}])},
        fresh=True,
    )
    assert found.record["run"] == "other"
    assert list(found.record["steps"]) == ["reproduce"]
    assert sorted(contents(tmp_path)) == ["SHA256SUMS", "coordinates.parquet", "notes.txt", "runs.json"]


def test_a_fresh_run_replaces_a_damaged_folder(tmp_path):
    (tmp_path / "runs.json").write_text("{")
    assert results.write(tmp_path, record(), {"measurements": numbers()}, fresh=True).record == record()


def test_an_empty_folder_holds_no_results(tmp_path):
    assert results.check_run(tmp_path, "abc") is None
    with pytest.raises(DataError, match="holds no results"):
        results.read(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", "null", '"a"', '{"run": "abc"}'])
def test_a_damaged_record_is_one_line(tmp_path, text):
    (tmp_path / "runs.json").write_text(text)
    with pytest.raises(DataError, match=r"runs.json is damaged .*run the study again"):
        results.read(tmp_path)


@pytest.mark.parametrize("damage", [b"", b"PAR1 nothing"])
def test_a_damaged_table_is_one_line(tmp_path, damage):
    results.write(tmp_path, record(), {"measurements": numbers()})
    (tmp_path / "measurements.parquet").write_bytes(damage)
    with pytest.raises(DataError, match=r"does not hold a 'measurements' table") as told:
        results.read(tmp_path)
    assert "\n" not in str(told.value)


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("mine")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(DataError, match="file is a file; expected a folder"):
            results.check_folder(path)
        with pytest.raises(DataError, match="file is a file; expected a folder"):
            results.write(path, record(), {"measurements": numbers()})
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_folder_that_may_not_be_written_to(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(DataError, match="may not be written to"):
        results.check_folder(tmp_path / "out")


def test_checking_makes_nothing(tmp_path):
    assert results.check_folder(tmp_path / "a" / "b") == tmp_path / "a" / "b"
    assert not list(tmp_path.iterdir())


def test_nothing_is_half_written(tmp_path, monkeypatch):
    results.write(tmp_path, record(), {"measurements": numbers()})
    before = contents(tmp_path)
    monkeypatch.setattr(
        pd.DataFrame, "to_parquet", lambda *_, **__: (_ for _ in ()).throw(OSError(28, "No space left"))
    )
    with pytest.raises(OSError, match="No space left"):
        results.write(tmp_path, record(), {"measurements": numbers(0.9)})
    assert contents(tmp_path) == before


def test_the_record_is_json(tmp_path):
    results.write(tmp_path, record(tree=tmp_path), {"measurements": numbers()})
    assert json.loads((tmp_path / "runs.json").read_text("utf-8"))["steps"]["measure"]["tree"] == str(tmp_path)


def test_a_whole_study_is_stored_with_its_hash_until_a_single_step_replaces_rows(tmp_path):
    text = 'data = "world"\n'
    results.write(tmp_path, record(), {"measurements": numbers()}, fresh=True, study=text)
    written = results.write(tmp_path, record(step="probe"), {"predictions": PREDICTIONS.frame()}, study=text)
    assert (tmp_path / "study.toml").read_text("utf-8") == text
    assert written.record["study"] == {"file": "study.toml", "sha256": sha256_of_file(tmp_path / "study.toml")}
    written = results.write(tmp_path, record(), {"measurements": numbers(0.7)})
    assert not (tmp_path / "study.toml").exists()
    assert "study" not in written.record


@pytest.mark.parametrize("name", ["requirements.txt", "SHA256SUMS", "measurements.csv"])
def test_files_of_somebody_else_are_not_replaced(tmp_path, name):
    (tmp_path / name).write_text("0" * 64 + "  thesis.docx\n")
    (tmp_path / "thesis.docx").write_text("irreplaceable")
    before = contents(tmp_path)
    with pytest.raises(DataError, match=f"holds no results .*, but files that results would replace: {name}; name a"):
        results.check_folder(tmp_path)
    with pytest.raises(DataError, match="name a new folder"):
        results.write(tmp_path, record(), {"measurements": numbers()}, fresh=True)
    assert contents(tmp_path) == before


def test_a_study_may_go_on_where_only_its_pieces_are(tmp_path):
    (tmp_path / "pieces").mkdir()
    (tmp_path / "images.parquet").write_bytes(b"")
    assert results.check_folder(tmp_path) == tmp_path
