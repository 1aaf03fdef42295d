import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioclip_probe.datasets.readers.quotes import records, unquote

QUICK = settings(max_examples=60, deadline=None)


def read(text, separator=b","):
    return list(records(text.split(b"\n"), separator, b'"'))


@pytest.mark.parametrize(
    ("text", "n_fields"),
    [
        (b"a,b,c", 3),
        (b'a,"b,c"', 2),
        (b'"a","b ""x, y""",c', 3),
        (b'5" disk,b', 2),
        (b'"a" b,c', 2),
        (b'a,""', 2),
        (b'"",""', 2),
        (b'"","""",b', 3),
        (b'a," b"', 2),
        (b",", 2),
    ],
)
def test_fields_are_counted_by_quoting(text, n_fields):
    (record,) = read(text)
    assert record.n_fields == n_fields
    assert record.describe_stray_quote(n_fields, False) is None


def test_a_quoted_line_end_makes_one_record():
    first, second = read(b'a,"b\n\nc",d\ne,f,g')
    assert (first.line, first.n_fields, first.fields_of_lines) == (1, 3, [2, 1, 2])
    assert (second.line, second.n_fields) == (4, 3)
    assert first.describe_stray_quote(3, False) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b'a,b\nc,"d\ne,f', "never closed: that in line 2"),
        (b'a,b\nc,"d\ne,"f', "line 2 has a stray quote, which swallows what follows it"),
        (b'a,b\n"c,d\ne",f', "line 2 has a stray quote, which makes one row of the lines 2 to 3"),
        (b'a,b\n"c,d" e,f', "line 2 has a stray quote, which swallows what follows it"),
    ],
)
def test_stray_quotes_are_named_by_their_line(text, reason):
    strays = [record.describe_stray_quote(2, False) for record in read(text)]
    assert reason in next(stray for stray in strays if stray)


def test_quoted_fields_beside_a_stray_quote_do_not_hide_it():
    (record,) = read(b'"1, a","Falk,x\n2,b,x\n3,Holm",x')
    assert record.fields_of_lines == [3, 3, 3]
    assert "makes one row of the lines 1 to 3" in record.describe_stray_quote(3, False)


def test_a_table_that_encloses_all_texts_may_have_lines_like_rows():
    (record,) = read(b'7,"a,x\nb,c,d\ne,f","y"')
    assert (record.fields_of_lines, record.n_bare) == ([3, 3, 3], 0)
    assert record.describe_stray_quote(3, True) is None
    (record,) = read(b'p,"a,x\nb,c,d\ne,f","y"')
    assert "stray quote" in record.describe_stray_quote(3, True)


@QUICK
@given(st.text(alphabet='ab",\n', max_size=12))
def test_unquote_undoes_quoting(text):
    assert unquote('"' + text.replace('"', '""') + '"') == text


@QUICK
@given(st.text(alphabet='ab"', max_size=8))
def test_unquote_leaves_other_fields_alone(text):
    assert unquote(text) in (text, text[1:-1].replace('""', '"'))
    assert unquote("a" + text) == "a" + text
