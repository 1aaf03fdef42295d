import pandas as pd
import pytest

from bioclip_probe.datasets.readers.table_files import read_header, read_texts
from bioclip_probe.errors import DataError


@pytest.mark.parametrize("suffix", ["xlsx", "XLS", "ods"])
def test_spreadsheets_are_to_be_exported(tmp_path, suffix):
    (tmp_path / f"t.{suffix}").write_bytes(b"PK\x03\x04")
    with pytest.raises(DataError, match="export the spreadsheet as CSV, in UTF-8"):
        read_header(tmp_path / f"t.{suffix}")


def test_a_spreadsheet_with_another_ending_is_named(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"PK\x03\x04")
    with pytest.raises(DataError, match=r"spreadsheet or another .zip; export it as CSV"):
        read_header(tmp_path / "t.csv")


def test_columns_that_are_no_text_or_occur_twice_are_not_read(tmp_path):
    pd.DataFrame({"genus": ["Pica"], "emb": [[1.0]], "image": [b"x"], "n": [1]}).to_parquet(tmp_path / "t.parquet")
    assert read_texts(tmp_path / "t.parquet").to_dict("list") == {"genus": ["Pica"], "n": ["1"]}
    (tmp_path / "t.csv").write_text("genus,x,x\nPica,1,2\n")
    assert read_texts(tmp_path / "t.csv").to_dict("list") == {"genus": ["Pica"]}
