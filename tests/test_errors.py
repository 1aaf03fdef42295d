"""Exceptions and their messages: one line each, whatever the message quotes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioclip_probe import errors


def test_some_names_up_to_five_and_counts_the_rest():
    assert errors.some([]) == ""
    assert errors.some("ab") == "a, b"
    assert errors.some(range(5)) == "0, 1, 2, 3, 4"
    assert errors.some(range(9)) == "0, 1, 2, 3, 4 and 4 more"
    assert errors.some(iter("abc"), limit=2) == "a, b and 1 more"


@pytest.mark.parametrize("kind", ["DataError", "ModelError", "TreeError", "StoreError", "PictureError"])
def test_every_error_is_a_probe_error(kind):
    assert issubclass(getattr(errors, kind), errors.ProbeError)


@given(text=st.text())
def test_every_message_is_one_printable_line(text):
    for message in (str(errors.ProbeError(text)), errors.printable(text), errors.some([text])):
        assert message.isprintable()


def test_a_message_keeps_what_can_be_printed():
    assert errors.printable("Ärger mit 鵲\t\x1b[31m\n") == r"Ärger mit 鵲\t\x1b[31m\n"


def test_an_exception_on_one_line():
    assert errors.one_line(ValueError("a row\n\t is  too long\n")) == "a row is too long"
    assert errors.one_line("a row\nis too long") == "a row is too long"


def test_an_exception_without_a_message_is_named_by_its_class():
    assert errors.one_line(MemoryError()) == "MemoryError"
    assert errors.one_line(MemoryError(), with_type=True) == "MemoryError"
    assert errors.one_line(OSError("no room"), with_type=True) == "OSError: no room"
    assert errors.one_line("no room", with_type=True) == "no room"


@given(text=st.text(), limit=st.integers(3, 40))
def test_a_long_message_is_cut_at_its_limit(text, limit):
    line = errors.one_line(ValueError(text), limit)
    whole = " ".join(text.split()) or "ValueError"
    assert line == whole or (len(line) == limit and line.endswith(" …") and whole.startswith(line[:-2]))
    assert len(whole) > limit or line == whole or whole == "ValueError"


def test_a_picture_error_has_a_known_kind():
    assert errors.PictureError("a.jpg is cut").kind == "corrupt"
    assert errors.PictureError("a.jpg is empty", "empty").kind in errors.PICTURE_ERRORS


BASE64 = "iVBORw0KGgo" * 4000


def test_a_picture_as_base64_is_not_printed():
    assert str(errors.DataError(f"'{BASE64}': no such file")).startswith("'iVBORw0KGgo")
    assert "(44,003 characters)" in str(errors.DataError(f"'{BASE64}': no such file"))
    assert len(errors.some([BASE64] * 9)) < 1200
    assert errors.some(["a" * 200]) == "a" * 200


@given(text=st.text(), limit=st.integers(40, 60))
def test_a_shortened_text_is_short(text, limit):
    assert errors.shorten(text, limit) == text or len(errors.shorten(text, limit)) <= limit + 10
    assert errors.shorten_words(text) == text or len(text) > errors.LONGEST_WORD
