import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioclip_probe.errors import TreeError
from bioclip_probe.tree.notation import COMMENT, pieces, statements, unquoted, without_comments


@given(st.text(alphabet="ab '\"[](),:;_=\n", max_size=30))
def test_pieces_and_statements_make_up_the_text_or_it_is_refused(text):
    try:
        assert "".join(piece for _, piece in pieces(text)) == text
    except TreeError as error:
        assert "does not end" in str(error)
    else:
        assert "".join(statements(text)) == text
        assert without_comments(text) == "".join(piece for kind, piece in pieces(text) if kind != COMMENT)


@pytest.mark.parametrize("text", ["(a,'b;c');", '(a,"b;c");', "(a,b[;]);", "(a,b[[;];]);", "(a,'b'';c');"])
def test_a_semicolon_in_a_name_or_a_comment_ends_no_statement(text):
    assert list(statements(text + " (c,d);")) == [text, " (c,d);"]


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("'a b'", "a b"),
        ('"a b"', "a b"),
        ("'a''b'", "a'b"),
        ('"a""b"', 'a"b'),
        ("'", "'"),
        ("a'b'", "a'b'"),
        ("''", ""),
    ],
)
def test_quotes_are_taken_off(name, plain):
    assert unquoted(name) == plain


@pytest.mark.parametrize(
    "text",
    ["(a[&R]:1)", "(a[x]:1)", "([x]a:1)", "([&R] a:1)", "(a[0.95]b:1)", "(a:[x]1)", "([Comment] A:1)", "a[x] [y]"],
)
def test_brackets_that_are_no_part_of_a_name_are_comments(text):
    assert any(kind == COMMENT for kind, _ in pieces(text))


@pytest.mark.parametrize(
    "text", ["(A_[Bus]_c:1)", "(A[Bus]c:1)", "(A_[Bus]:1)", "([Aus]_bus:1)", "([Aus] bus:1)", "(A [Bus] cus)"]
)
def test_a_word_in_brackets_within_a_name_is_no_comment(text):
    assert without_comments(text) == text
