"""The markup of both writers."""

from __future__ import annotations

import pytest

from bioclip_probe.report.appendix.numbers import Number
from bioclip_probe.report.appendix.tables import Column, PaperTable
from bioclip_probe.report.appendix.writers import LatexWriter, MarkdownWriter, render
from tests.support.tex_text import rows_of

TABLE = PaperTable("t", "A & B", (Column("name"), Column("n", "number")), [("a|b_1", "-0.5"), ("[x](y)", "< 1")])


def test_addresses_are_safe_in_latex() -> None:
    link = LatexWriter().link("here", "https://example.org/a b%20#c&d{e}\\f~_")
    assert link == r"\href{https://example.org/a\%20b\%20\#c\&d\%7Be\%7D\%5Cf\%7E_}{here}"


@pytest.mark.parametrize("writer", [LatexWriter(), MarkdownWriter()])
def test_a_text_without_an_address_is_no_link(writer) -> None:
    assert writer.link("here", "") == "here"


def test_a_missing_number_is_said() -> None:
    assert LatexWriter().number(None) == "not recorded"
    assert LatexWriter().number(Number("tolSeed", "0", "")) == r"\tolSeed{}"
    assert MarkdownWriter().number(Number("tolSeed", "0", "")) == "0"


def test_blanks_around_numbers_stay() -> None:
    pieces = ["The seed is ", Number("tolSeed", "0", ""), ", 100 % sure."]
    assert LatexWriter().pieces(pieces) == r"The seed is \tolSeed{}, 100 \% sure."
    assert MarkdownWriter().pieces(pieces) == "The seed is 0, 100 % sure."


def test_tables_are_read_back() -> None:
    assert rows_of(LatexWriter().table_file(TABLE)) == [["a|b_1", "−0.5"], ["[x](y)", "< 1"]]


def test_markdown_tables_have_as_many_cells_in_each_row() -> None:
    lines = [line for line in MarkdownWriter().table(TABLE).splitlines() if line.startswith("|")]
    assert [line.count("|") for line in lines] == [3, 3, 3, 3]
    assert lines[1] == "| --- | ---: |"


def test_a_fence_is_longer_than_the_backticks_in_it() -> None:
    block = MarkdownWriter().block(["echo ````"])
    assert block.splitlines() == ["`````sh", "echo ````", "`````"]


def test_words_and_values_of_a_template_are_escaped() -> None:
    values = {"title": "50% & more", "run": "r_1", "program": "p", "code": type("Code", (), {"text": "v#1"})}
    text = render("main.tex", LatexWriter(), **values)
    assert r"\title{50\% \& more}" in text
    assert r"\texttt{r\_1}" in text
