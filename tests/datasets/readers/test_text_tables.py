"""Text tables: whatever the quoting, the rows that were written are read, or one line says where it goes wrong."""

import csv
import gzip
import io

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from bioclip_probe import datasets
from bioclip_probe.datasets.readers.table_formats import CSV, FORMATS, TSV, TableFormat
from bioclip_probe.datasets.readers.text_files import TextFile
from bioclip_probe.datasets.readers.text_tables import read_columns, read_table
from bioclip_probe.errors import DataError
from bioclip_probe.limits import allow_memory

QUICK = settings(max_examples=150, deadline=None)
#: Fields without blanks around them, full of what separates and encloses fields.
FIELDS = st.text(alphabet='ab"",;|\t\né', max_size=6).map(str.strip)
ROWS = st.lists(st.tuples(FIELDS, FIELDS, st.sampled_from(["x", "y"])), min_size=1, max_size=5)
HEADER = ["path", "genus", "note"]


def written(rows, separator, quoting, line_end="\n"):
    text = io.StringIO()
    csv.writer(text, delimiter=separator, lineterminator=line_end, quoting=quoting).writerows([HEADER, *rows])
    return text.getvalue()


def read(text, table_format=CSV, columns=HEADER):
    content = text if isinstance(text, bytes) else text.encode()
    frame = read_table(TextFile("t", lambda: io.BytesIO(content)), table_format, columns)
    return [tuple(row) for row in frame.fillna("").itertuples(index=False)]


def is_ambiguous(text, separator):
    """Return True if every line of a table could be a row, though some of its rows have several lines."""
    lines = [line for line in text.split("\n") if line]
    return all(line.count(separator) == len(HEADER) - 1 for line in lines)


@QUICK
@given(ROWS, st.sampled_from(FORMATS), st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]))
@example([("a\tb\nc", "", "x")], TSV, csv.QUOTE_ALL)
@example([('"a', "b", "x"), ("c", 'd"', "x")], TSV, csv.QUOTE_MINIMAL)
@example([("a\n,", "b", "x")], CSV, csv.QUOTE_ALL)
def test_the_rows_that_were_written_are_read(rows, table_format, quoting):
    text = written(rows, table_format.separator, quoting)
    if quoting == csv.QUOTE_MINIMAL:  # there each line with as many fields as the header may be a row
        n_lines = len([line for line in text.split("\n") if line])
        assume(n_lines == len(rows) + 1 or not is_ambiguous(text, table_format.separator))
        try:
            assert read(text, table_format) == rows
        except DataError as error:
            assert "stray quote, which makes one row" in str(error)
    else:
        assert read(text, table_format) == rows


@QUICK
@given(st.lists(st.tuples(*[st.text(alphabet='ab""', max_size=4)] * 2, st.just("x")), min_size=1, max_size=6))
@example([('"Falk', "b", "x"), ('Holm"', "c", "x")])
@example([("a", '"b', "x"), ("c", '"d', "x")])
def test_quotes_are_text_where_every_line_is_a_row(rows):
    """GBIF writes its tables so. A field that is enclosed by quotes may be read without them."""
    text = "".join("\t".join(row) + "\n" for row in [HEADER, *rows])
    result = read(text, TSV)
    assert len(result) == len(rows)
    for row, fields in zip(result, rows, strict=True):
        for got, field in zip(row, fields, strict=True):
            assert got in (field, field[1:-1].replace('""', '"'))


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (['1,"Falk,x', "2,b,x", '3,"Holm,x'], "line 2 has a stray quote, which swallows"),
        (['1,"Falk,x', "2,b,x", '3,Holm",x'], "line 2 has a stray quote, which makes one row of the lines 2 to 4"),
        (["1,a,x", '2,"b,x', "3,c,x"], "never closed: that in line 3"),
        (["1,a,x", '2,b,"x'], "never closed: that in line 3"),
        (["1,a,x", "2,b", "3,c", "4,d,x"], r"line 3 has fewer fields .*2 in place of 3 \(2 such rows, in lines 3, 4\)"),
        (["1,a,x", "2,b,x,y"], "line 3 has more fields than its header, 4 in place of 3; quote fields"),
        (["1,a,x", '2,"b\nc",x,y'], "line 3 has more fields"),
        (['1,"Mill., 1754",x', '2,"b,x', '3,"Mill., 1754",x'], "line 3 has a stray quote"),
    ],
)
def test_broken_rows_of_csv_are_named_by_their_line(lines, reason):
    with pytest.raises(DataError, match=reason) as error:
        read("\n".join([",".join(HEADER), *lines, ""]))
    assert str(error.value).isprintable()


@pytest.mark.parametrize("rows", [3, 30])
def test_a_quoted_header_does_not_hide_stray_quotes(rows):
    lines = ['"path"\t"genus"\t"note"', '1\t"Falk\tx', *["2\tb\tx"] * rows, '3\tHolm"\tx']
    assert len(read("\n".join(lines) + "\n", TSV)) == rows + 2
    with pytest.raises(DataError, match=f"makes one row of the lines 2 to {rows + 3}"):
        read("\n".join(lines).replace("\t", ",") + "\n")


def test_broken_rows_between_stray_quotes_are_named_by_their_line():
    with pytest.raises(DataError, match="line 3 has fewer fields than its header, 2 in place of 3"):
        read('path\tgenus\tnote\n1\t"Falk\tx\n2\tb\n3\t"Holm\tx\n', TSV)


def test_truly_quoted_text_with_line_ends_is_read():
    text = 'path,genus,note\n1.jpg,"Pica\nhudsonia",x\n2.jpg,"a ""b"", c",x\n'
    assert read(text) == [("1.jpg", "Pica\nhudsonia", "x"), ("2.jpg", 'a "b", c', "x")]


def test_lines_above_the_table_count(tmp_path):
    text = 'about "this\nalso\n1\ta\n2\n3\tc\n'
    with pytest.raises(DataError, match="line 4 has fewer fields than most rows"):
        read(text, TableFormat("\t", "", header=False, skip=2), ["f0"])


def test_a_short_first_row_is_the_odd_one():
    """Publishers drop the separators of empty fields at the end of a row."""
    text = "1\ta\n2\tb\tx\ty\n3\tc\tx\ty\n4\n"
    with pytest.raises(DataError, match=r"line 1 has fewer .*most rows, 2 in .* 4 \(2 such rows, in lines 1, 4\)"):
        read(text, TableFormat("\t", "", header=False), ["f0"])


@pytest.mark.parametrize("encoding", ["zlib", "base64", "rot13", "nonsense", "undefined", "utf-16", "a\x00b", ""])
def test_encodings_that_are_none_are_refused(encoding):
    with pytest.raises(DataError, match="not supported; save it as UTF-8"):
        read("path,genus,note\n1,a,x\n", TableFormat(encoding=encoding))


@pytest.mark.parametrize("quote", ["é", "\n", "ab"])
def test_quotes_that_are_no_ascii_character_are_refused(quote):
    with pytest.raises(DataError, match="not a table that can be read"):
        read("path,genus,note\n1,a,x\n", TableFormat(quote=quote))


def test_bytes_of_another_encoding_are_named_by_their_line():
    with pytest.raises(DataError, match=r"it is not UTF-8; save it as UTF-8 \(in line 3\)"):
        read("path,genus,note\n1,a,x\n2,é,x\n".encode("latin-1"))
    assert read("path,genus,note\n1,é,x\n".encode("latin-1"), TableFormat(encoding="latin-1")) == [("1", "é", "x")]


@pytest.mark.parametrize("separator", [",", "\t", ";", "|"])
@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.csv.gz"])
def test_the_separator_is_found_by_the_names_of_columns(tmp_path, separator, name):
    other = "," if separator != "," else ";"
    text = f"path{separator}genus{separator}a{other}b\n1.jpg{separator}Pica{separator}c{other}d{other}e\n"
    content = text.encode()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    table = read_columns(tmp_path / name, TSV if "tsv" in name else CSV, ["path", "genus"])
    assert table.to_numpy().tolist() == [["1.jpg", "Pica"]]


def test_the_line_in_which_excel_keeps_the_separator_is_skipped(tmp_path):
    (tmp_path / "t.csv").write_text("sep=;\r\npath;genus\r\n1.jpg;Pica\r\n")
    assert read_columns(tmp_path / "t.csv", CSV, ["path", "genus"]).to_numpy().tolist() == [["1.jpg", "Pica"]]


def test_a_header_of_several_lines_below_a_mark_and_above_broken_bytes():
    text = '\ufeff"path\r\nof it","genus, old",note\r\n1,a,x\r\n'.encode()
    assert read(text, CSV, ["path\r\nof it", "genus, old"]) == [("1", "a")]
    with pytest.raises(DataError, match="line 4 has fewer fields than its header"):
        read(text + b"\xff,b\n", CSV, ["note"])
    with pytest.raises(DataError, match=r"it is not UTF-8; save it as UTF-8 \(in line 4\)"):
        read(text + b"\xff,b,c\n", CSV, ["path\r\nof it"])


@pytest.mark.parametrize("text", ["", "\n\n", "\ufeff"])
def test_empty_tables_are_named_so(text):
    with pytest.raises(DataError, match="it is empty"):
        read(text)
    assert read(text, TableFormat(header=False), ["f0"]) == []


def test_a_table_of_more_columns_than_a_vector_has_numbers_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("bioclip_probe.datasets.readers.text_tables._MAX_COLUMNS", 70)
    (tmp_path / "a.csv").write_text(",".join(["path", "species", *map(str, range(70))]) + "\n")
    with pytest.raises(DataError, match=r"a\.csv has 72 columns in its first row; expected 70 at most"):
        datasets.load(f"table:{tmp_path / 'a.csv'}")


def test_a_small_file_that_unpacks_to_millions_of_empty_lines_is_refused(tmp_path):
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"path,species\n" + b"\n" * 3_000_000))
    with (
        allow_memory(1 << 24),
        pytest.raises(DataError, match=r"its table of [0-9,]* rows would"),
    ):
        datasets.load(f"table:{tmp_path / 'a.csv.gz'}")
