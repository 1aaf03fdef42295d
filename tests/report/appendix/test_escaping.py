"""Text of a study is printed as it is, in LaTeX and in Markdown."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bioclip_probe.report.appendix.escaping import IN_FONTS, Raw, escape_latex, escape_markdown
from tests.support.appendix_study import HOSTILE
from tests.support.tex_text import left_of, text_of

SPECIAL = set("\\{}$&#%_^~<>|\"'`")
TEXTS = st.text(st.characters(exclude_categories=["Cs"])) | st.text(alphabet="\\{}$&#%_^~<>|\"'`-, ?!ab1")


def _normal(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


@pytest.mark.parametrize("longest", [8, 18])
@given(text=TEXTS)
@example(text="\\input{x}").via("a command")
@example(text="--- ?` !` ,, ''").via("letters that join")
def test_escaped_text_is_read_back_and_holds_no_command(longest: int, text: str) -> None:
    escaped = escape_latex(text, longest)
    assert text_of(escaped) == _normal(text)
    left = left_of(escaped)
    assert not SPECIAL & set(left)
    assert all(letter.isascii() or letter in IN_FONTS for letter in left)
    assert "--" not in escaped
    assert "\n" not in escaped


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_are_read_back(text: str) -> None:
    assert text_of(escape_latex(text)) == _normal(text)


def test_a_line_may_break_in_every_part_of_a_long_word() -> None:
    parts = escape_latex("x" * 100, longest=8).split(r"\tolbreak{}")
    assert max(map(len, parts)) <= 4
    assert r"\tolbreak" not in escape_latex("Reproducibility", longest=18)


@pytest.mark.parametrize("escape", [escape_latex, escape_markdown])
def test_markup_is_kept(escape) -> None:
    assert escape(Raw(r"\toprule | <b>")) == r"\toprule | <b>"


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_has_no_markup_of_names(text: str) -> None:
    escaped = escape_markdown(text)
    assert "|" not in escaped
    assert "<b>" not in escaped
    assert "](" not in escaped.replace("\\](", "")
    assert not escaped.startswith(("- ", "# ", "1. "))


@given(text=TEXTS)
def test_markdown_is_one_line_without_cells_or_tags(text: str) -> None:
    escaped = escape_markdown(text)
    assert escaped == " ".join(escaped.split())
    assert not set("|<>") & set(escaped)


def test_numbers_with_intervals_stay_readable_in_markdown() -> None:
    assert escape_markdown("0.351 [-0.309, 0.395]") == "0.351 [-0.309, 0.395]"
