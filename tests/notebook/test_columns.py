"""Columns of the images beside their taxa, from Python."""

from __future__ import annotations

import pandas as pd
import pytest

import bioclip_probe as bp
from bioclip_probe.errors import ProbeError
from bioclip_probe.study import read_studies
from tests.support.notebook_samples import SMALL, array_sample, picture_frame

#: Numbers of columns alone.
MEASURED = {**SMALL, "measure": bp.MeasureSettings(
    metrics=("column_agreement", "cophenetic_correlation_within_values"), n_permutations=9, n_bootstrap=9
), "steps": ["measure"]}  # fmt: skip
#: The photographers of the birds of `lineages`.
PHOTOGRAPHERS = pd.DataFrame({"photographer": ["Ada", "Bo"] * 12, "place": ["Rome"] * 12 + ["Oslo"] * 12})


def columns_measured(study) -> set[tuple[str, str]]:
    """Return each metric of a column, with the column."""
    table = study.measurements.table.dropna(subset="column")
    return set(zip(table["metric"], table["column"], strict=True))


def test_confounds_and_strata_are_measured_as_from_the_command_line(tmp_path):
    settings = bp.ColumnSettings(confounds=["photographer"], strata=["place"], table=PHOTOGRAPHERS)
    study = bp.study(array_sample(), tmp_path / "out", columns=settings, **MEASURED)
    assert columns_measured(study) == {
        ("column_agreement", "photographer"),
        ("cophenetic_correlation_within_values", "photographer"),
        ("cophenetic_correlation_within_values", "place"),
    }
    assert not (tmp_path / "out" / "study.toml").exists()  # the table is in memory


def test_a_file_gives_the_same_numbers_as_a_frame(tmp_path):
    named = PHOTOGRAPHERS.assign(image_id=[str(number) for number in range(24)])
    named.sample(frac=1, random_state=0).to_csv(tmp_path / "columns.csv", index=False)
    tables = [
        bp.study(
            array_sample(), tmp_path / name, columns=bp.ColumnSettings(("photographer",), table=table), **MEASURED
        ).measurements.table
        for name, table in (("frame", PHOTOGRAPHERS), ("file", tmp_path / "columns.csv"))
    ]
    pd.testing.assert_frame_equal(*(table.drop(columns=["protocol_id"]) for table in tables))


def test_columns_of_the_table_of_the_dataset_need_no_other(tmp_path):
    frame = picture_frame(tmp_path, each=4).assign(photographer=PHOTOGRAPHERS["photographer"])
    frame.to_csv(tmp_path / "birds.csv", index=False)
    quiet = bp.ExtractionSettings(progress=False, device="cpu")
    sample = bp.collect(f"table:{tmp_path / 'birds.csv'}", ["pixels"], store=tmp_path / "store", settings=quiet)
    study = bp.study(sample, tmp_path / "out", columns=bp.ColumnSettings(("photographer",)), **MEASURED)
    assert ("column_agreement", "photographer") in columns_measured(study)
    (again,) = read_studies((tmp_path / "out" / "study.toml").read_text())
    assert again.plan.confounds == ("photographer",)


@pytest.mark.parametrize("columns, line", [
    (lambda: bp.ColumnSettings(confounds="photographer"), "photographer"),
    (lambda: bp.ColumnSettings(("weather",), table=PHOTOGRAPHERS), "the table of columns lacks the columns weather"),
    (lambda: bp.ColumnSettings(("photographer",)), "has no column photographer"),
    (lambda: bp.MeasureSettings(), "expected ColumnSettings of bioclip_probe; got a MeasureSettings"),
])  # fmt: skip
def test_what_cannot_be_looked_at_is_one_line(tmp_path, columns, line):
    with pytest.raises(ProbeError, match=line) as error:
        bp.study(array_sample(), tmp_path / "out", columns=columns(), **MEASURED)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()
