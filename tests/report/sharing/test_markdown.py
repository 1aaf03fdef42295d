"""Names of anyone in Markdown: a reader of Markdown shows them letter by letter."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bioclip_probe.errors import printable
from bioclip_probe.report.sharing.markdown import escape_markdown, markdown_table

HOSTILE = (
    "A & B_1 50% # {}~^\\`",
    "\\input{x}",
    "a|b \\| c",
    "<script>alert(1)</script>",
    "[x](javascript:alert(1))",
    "![x](http://example.org/x.png)",
    "www.example.org https://example.org ftp://example.org",
    "*b* _i_ __b__ ~~s~~ `c` $x$ @user #1 &lt; &#60;",
    "<!-- x",
    "a_b_c _d",
)
READER = MarkdownIt("commonmark").enable("table").enable("strikethrough")


def cell(text: str) -> str:
    """Return what a reader of Markdown shows in the cell of a table, as HTML."""
    page = READER.render(markdown_table(["n", "m"], [[escape_markdown(text), "1"]]))
    (shown,) = re.findall(r'<td style="text-align:left">(.*?)</td>', page, re.DOTALL)
    return shown


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_name_is_shown_as_it_is(text: str) -> None:
    shown = cell(text)
    assert "<" not in shown
    assert html.unescape(shown) == text


@given(st.text(min_size=1, max_size=40).filter(lambda text: text.strip() == text))
@example("\n# heading")
@example("a\u202eb")
def test_any_text_is_shown_as_it_is(text: str) -> None:
    assert html.unescape(cell(text)) == re.sub(" +", lambda spaces: spaces[0], printable(text))


@pytest.mark.parametrize(
    "text", ["hf-hub:imageomics/bioclip", "ViT-B-16/openai", "Pica pica (L., 1758)", "Größe 日本", "a_b"]
)
def test_ordinary_names_stay_readable(text: str) -> None:
    assert escape_markdown(text) == text


def test_a_long_name_is_cut() -> None:
    assert escape_markdown("a" * 1000, 100).endswith("… (1,000 characters)")
