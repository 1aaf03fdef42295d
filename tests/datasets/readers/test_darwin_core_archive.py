import pandas as pd
import pytest

from bioclip_probe import datasets
from bioclip_probe.datasets.readers import darwin_core_archive
from bioclip_probe.errors import DataError
from bioclip_probe.limits import allow_memory
from tests.support.darwin_core import CORE, DWC, META, write_archive, zip_archive
from tests.support.pictures import paint


def load(path):
    return datasets.load(f"darwin-core:{path}")


BOMB = '<!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]><archive>&b;</archive>'


@pytest.mark.parametrize(
    ("described", "reason"),
    [
        (BOMB, "has a document type, which is not read"),
        ("<archive>", "is not XML that can be read"),
        ("<archive/>", "describes 0 core tables; expected one"),
        (META.replace("occurrence.txt", "../occurrence.txt"), r"a table outside the archive: \.\./occurrence.txt"),
        (META.replace("occurrence.txt", "/etc/passwd"), "a table outside the archive: /etc/passwd"),
        (META.replace("occurrence.txt", "C:\\a.txt"), "a table outside the archive: C:/a.txt"),
        (META.replace("occurrence.txt", "none.txt"), "none.txt: cannot be read, though meta.xml names it"),
        (META.replace("occurrence.txt", " "), "names no file for its core"),
        (META.replace('index="3"', 'index="33"'), "has 11 columns in a row; f33 is none of them"),
        (META.replace('index="3"', 'index="-3"'), "index='-3' for field; expected a number"),
        (META.replace('index="3"', 'index="three"'), "index='three' for field; expected a number"),
        (META.replace('encoding="UTF-8"', 'encoding="UTF-16"'), "is written in UTF-16, which is not supported"),
        (META.replace('encoding="UTF-8"', 'encoding="nonsense"'), "is written in nonsense, which is not supported"),
        (
            META.replace('fieldsTerminatedBy="\\t"', 'fieldsTerminatedBy="||"'),
            "separates fields by '||'".replace("|", r"\|"),
        ),
        (META.replace('linesTerminatedBy="\\n"', 'linesTerminatedBy=";"'), "ends lines by ';'"),
        (META.replace(DWC, DWC + "x"), "names no taxa in its core, of xOccurrence: expected some of kingdom"),
        (" " * (1 << 20) + META, "more than 1,048,576 bytes"),
    ],
)
def test_descriptions_with_mistakes_are_refused(tmp_path, described, reason):
    root = write_archive(tmp_path, description=described)
    paint(root / "101.jpg")
    with pytest.raises(DataError, match=reason) as error:
        load(root)
    assert str(error.value).isprintable()
    with pytest.raises(DataError) as error:
        load(zip_archive(root))
    assert str(error.value).isprintable()


def test_a_zip_bomb_is_refused(tmp_path):
    root = write_archive(tmp_path / "bomb")
    with (root / "occurrence.txt").open("a") as file:
        file.writelines(["\t" * 10 + "\n"] * 400_000)
    path = zip_archive(root)
    with allow_memory(1 << 20), pytest.raises(DataError, match=r"its file occurrence.txt would take 4\.\d+ MB"):
        load(path)


@pytest.mark.slow
def test_a_damaged_zip_is_read_or_refused_in_one_line(tmp_path):
    path = zip_archive(write_archive(tmp_path / "a"))
    paint(tmp_path / "101.jpg")
    content = path.read_bytes()
    refused = 0
    for position in range(0, len(content), 17):
        path.write_bytes(content[:position] + bytes([content[position] ^ 0x55]) + content[position + 1 :])
        try:
            assert load(path).images["species"].tolist() == ["Pica hudsonia"]
        except DataError as error:
            refused += 1
            assert str(error).isprintable(), error
    assert refused > 20
    for position in range(0, len(content), 151):
        path.write_bytes(content[:position])
        with pytest.raises(DataError):
            load(path)


def test_columns_are_read_by_their_terms(tmp_path):
    archive = darwin_core_archive.open_archive(write_archive(tmp_path))
    assert archive.core.row_type == "Occurrence"
    assert archive.core.columns == {term: number for number, term in enumerate(CORE)}
    rows = archive.read(archive.core, ["genus", "gbifID", "nothing"])
    assert rows.columns.tolist() == ["genus", "gbifID", "key"]
    assert rows["key"].tolist() == rows["gbifID"].tolist() == ["101", "102", "103"]
    assert isinstance(rows.dtypes["genus"], pd.StringDtype)


def test_other_files_are_refused(tmp_path):
    (tmp_path / "0001-simple.csv").write_text("gbifID\tspecies\n")
    for path in (tmp_path, tmp_path / "0001-simple.csv", tmp_path / "none"):
        with pytest.raises(DataError, match=r"not a Darwin Core archive.*table|no such file"):
            load(path)
    root = write_archive(tmp_path / "a")
    (root / "meta.xml").write_bytes(META.encode("utf-16"))
    with pytest.raises(DataError, match="is not UTF-8"):
        load(root)
