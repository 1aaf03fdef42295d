"""Writers of the appendix: the same content in LaTeX and in Markdown.

The words of the appendix stand once, in ``templates/appendix.txt``. A writer turns them into its own markup: it escapes
every word of the template and every value that is put into it, and gives the template the markup as methods.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import jinja2
from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream

from bioclip_probe.report.appendix.escaping import Raw, escape_latex, escape_markdown
from bioclip_probe.report.appendix.numbers import Number, Piece
from bioclip_probe.report.appendix.tables import Column, PaperTable

#: A line may break within words of a table that have more characters.
LONGEST_IN_CELL = 8


@dataclass(frozen=True)
class PaperFigure:
    """A figure of the appendix.

    Attributes
    ----------
    name : str
        Stem of its files in ``figures/``.
    caption : str
    source, script, version : str
        Address of the script that draws it, its path in the repository, and the commit.

    Examples
    --------
    >>> PaperFigure("headline", "CPCC", "", "bioclip_probe/plots/figures/headline.py", "commit 12").name
    'headline'
    """

    name: str
    caption: str
    source: str
    script: str
    version: str


class Writer(Protocol):
    """The interface of a markup language for the texts of the appendix; every method returns markup."""

    def escape(self, text: object) -> Raw:
        """Return a text so that it is printed as it is."""

    def section(self, title: str, label: str = "") -> Raw:
        """Return the heading of a section."""

    def subsection(self, title: str) -> Raw:
        """Return the heading of a part of a section."""

    def strong(self, text: str) -> Raw:
        """Return emphasised text."""

    def code(self, text: str) -> Raw:
        """Return a text in typewriter letters."""

    def link(self, text: str, address: str) -> Raw:
        """Return a text that leads to an address, or the text alone if there is none."""

    def cite(self, *keys: str) -> Raw:
        """Return a citation."""

    def number(self, number: Number | None) -> Raw:
        """Return a number of the study; in LaTeX its macro."""

    def pieces(self, pieces: Iterable[Piece]) -> Raw:
        """Return a sentence of texts and numbers."""

    def items(self, items: Iterable[Sequence[Piece] | str]) -> Raw:
        """Return a list."""

    def block(self, lines: Sequence[str]) -> Raw:
        """Return lines in typewriter letters."""

    def ref(self, table: PaperTable) -> Raw:
        """Return the words that lead to a table that follows."""

    def table(self, table: PaperTable) -> Raw:
        """Return a table, or where it is read from."""

    def figure(self, figure: PaperFigure) -> Raw:
        """Return a figure with its caption and the script that drew it."""


@dataclass(frozen=True)
class LatexWriter:
    r"""The markup of LaTeX, with no package but booktabs, longtable, graphicx and caption.

    Examples
    --------
    >>> writer = LatexWriter()
    >>> print(writer.section("A & B"), writer.link("a_b", "https://example.org/a%20b"))
    \section{A \& B} \href{https://example.org/a\%20b}{a\_b}
    """

    def escape(self, text: object) -> Raw:
        """Return a text so that LaTeX prints it as it is."""
        return escape_latex(text)

    def section(self, title: str, label: str = "") -> Raw:
        """Return the heading of a section."""
        return Raw(rf"\section{{{self.escape(title)}}}" + (rf"\label{{sec:tol-{label}}}" if label else ""))

    def subsection(self, title: str) -> Raw:
        """Return the heading of a part of a section."""
        return Raw(rf"\subsection{{{self.escape(title)}}}")

    def strong(self, text: str) -> Raw:
        """Return bold text."""
        return Raw(rf"\textbf{{{self.escape(text)}}}")

    def code(self, text: str) -> Raw:
        """Return a text in typewriter letters."""
        return Raw(rf"\texttt{{{self.escape(text)}}}")

    def link(self, text: str, address: str) -> Raw:
        """Return a text that leads to an address."""
        return Raw(rf"\href{{{_address(address)}}}{{{self.escape(text)}}}") if address else self.escape(text)

    def cite(self, *keys: str) -> Raw:
        """Return a citation."""
        return Raw(rf"\cite{{{','.join(keys)}}}")

    def number(self, number: Number | None) -> Raw:
        """Return the macro of a number."""
        return self.escape("not recorded") if number is None else Raw(rf"\{number.macro}{{}}")

    def value(self, text: str) -> Raw:
        """Return a number, whose minus is one and no hyphen."""
        return _number(text)

    def pieces(self, pieces: Iterable[Piece]) -> Raw:
        """Return a sentence whose numbers are macros."""
        return Raw(
            "".join(
                self.number(piece) if isinstance(piece, Number) else _kept_blanks(piece, self.escape)
                for piece in pieces
            )
        )

    def items(self, items: Iterable[Sequence[Piece] | str]) -> Raw:
        """Return a list of points."""
        lines = [rf"\item{{}}{self.pieces([item] if isinstance(item, str) else item)}" for item in items]
        return Raw("\n".join([r"\begin{itemize}\setlength{\itemsep}{0pt}", *lines, r"\end{itemize}"]) if lines else "")

    def block(self, lines: Sequence[str]) -> Raw:
        """Return lines in typewriter letters; long ones run on."""
        code = [rf"\texttt{{{self.escape(line)}}}\par" for line in lines]
        return Raw("\n".join([r"{\footnotesize\raggedright", *code, "}"]))

    def ref(self, table: PaperTable) -> Raw:
        """Return a reference to a table."""
        return Raw(rf"Table~\ref{{tab:tol-{table.name}}}")

    def table(self, table: PaperTable) -> Raw:
        """Return the command that reads the file of a table."""
        return Raw(rf"\input{{\tolpath tables/{table.name}}}")

    def figure(self, figure: PaperFigure) -> Raw:
        """Return a figure with its caption; it stays where it is written."""
        return render("figure.tex", self, figure=figure)

    def table_file(self, table: PaperTable) -> Raw:
        """Return the content of the file of a table."""
        groups = [
            ([self._row(cells, table.columns) for cells in group], table.stays_on_a_page(group))
            for group in table.groups
        ]
        header = Raw(" & ".join(_cell(column.heading, column.kind == "number") for column in table.columns))
        return render("table.tex", self, table=table, header=header, groups=groups)

    @staticmethod
    def _row(cells: Sequence[str], columns: Sequence[Column]) -> Raw:
        """Return the cells of a row."""
        return Raw(
            " & ".join(
                _cell(cell, column.kind == "number", column.kind == "code")
                for cell, column in zip(cells, columns, strict=True)
            )
        )


@dataclass(frozen=True)
class MarkdownWriter:
    r"""The markup of Markdown with tables, as GitHub and Pandoc read it.

    Examples
    --------
    >>> print(MarkdownWriter().link("a_b", "https://example.org/(x)"))
    [a\_b](<https://example.org/(x)>)
    """

    def escape(self, text: object) -> Raw:
        """Return a text so that Markdown prints it as it is."""
        return escape_markdown(text)

    def section(self, title: str, label: str = "") -> Raw:
        """Return the heading of a section."""
        return Raw(f"## {self.escape(title)}")

    def subsection(self, title: str) -> Raw:
        """Return the heading of a part of a section."""
        return Raw(f"### {self.escape(title)}")

    def strong(self, text: str) -> Raw:
        """Return bold text."""
        return Raw(f"**{self.escape(text)}**")

    def code(self, text: str) -> Raw:
        """Return a text in typewriter letters."""
        return Raw(f"<code>{self.escape(text)}</code>")

    def link(self, text: str, address: str) -> Raw:
        """Return a text that leads to an address."""
        safe = address.translate({ord(letter): f"%{ord(letter):02X}" for letter in "<>\\ \n"})
        return Raw(f"[{self.escape(text)}](<{safe}>)") if address else self.escape(text)

    def cite(self, *keys: str) -> Raw:
        """Return the keys of entries in ``references.bib``, as Pandoc reads them."""
        return Raw("[" + "; ".join(f"@{key}" for key in keys) + "]")

    def number(self, number: Number | None) -> Raw:
        """Return a number."""
        return self.escape("not recorded" if number is None else number.text)

    def pieces(self, pieces: Iterable[Piece]) -> Raw:
        """Return a sentence."""
        return self.escape("".join(piece.text if isinstance(piece, Number) else piece for piece in pieces))

    def items(self, items: Iterable[Sequence[Piece] | str]) -> Raw:
        """Return a list of points."""
        return Raw("\n".join(f"- {self.pieces([item] if isinstance(item, str) else item)}" for item in items))

    def block(self, lines: Sequence[str]) -> Raw:
        """Return a block of code; its fence is longer than any run of backticks in it."""
        text = "\n".join(lines)
        fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", text)), 3)
        return Raw(f"{fence}sh\n{text}\n{fence}")

    def ref(self, table: PaperTable) -> Raw:
        """Return the words that lead to a table that follows."""
        return Raw("The table below")

    def table(self, table: PaperTable) -> Raw:
        """Return a table."""
        return render("table.md", self, table=table)

    def figure(self, figure: PaperFigure) -> Raw:
        """Return a figure with its caption."""
        return render("figure.md", self, figure=figure)


def _number(text: str) -> Raw:
    """Return a number in LaTeX, whose minus is one and no hyphen."""
    return escape_latex(re.sub(r"(?<![\w.])-(?=\d)", "−", text), LONGEST_IN_CELL)


def _cell(text: str, is_right: bool, is_code: bool = False) -> str:
    """Return a cell of a table in LaTeX."""
    content = _number(text) if is_right else escape_latex(text, LONGEST_IN_CELL)
    content = Raw(rf"\texttt{{{content}}}") if is_code and content else content
    return (r"\tolright " if is_right else r"\tolleft ") + content


def _kept_blanks(text: str, escape: Callable[[object], Raw]) -> str:
    """Return a part of a sentence, escaped, with one blank at each end that has white space."""
    return " " * text[:1].isspace() + escape(text) + " " * text[-1:].isspace() if text.strip() else " " * bool(text)


def _address(address: str) -> str:
    r"""Return a web address for `\href`."""
    parts = []
    for letter in address:
        is_plain = letter.isascii() and (letter.isalnum() or letter in "-._:/?#@!&()*+,;=%")
        part = letter if is_plain else "".join(f"%{byte:02X}" for byte in letter.encode())
        parts.append(part.replace("%", r"\%").replace("#", r"\#").replace("&", r"\&"))
    return "".join(parts)


class EscapedWords(Extension):
    """The words of a template, escaped as values are; white space is kept."""

    def filter_stream(self, stream: TokenStream) -> Iterator[Token]:
        """Yield the tokens of a template with escaped words."""
        escape: Callable[[object], Raw] = self.environment.escape_words  # type: ignore[attr-defined]
        for token in stream:
            if token.type == "data":
                yield Token(token.lineno, "data", escape_lines(token.value, escape))
            else:
                yield token


def escape_lines(text: str, escape: Callable[[object], Raw]) -> str:
    r"""Return a text, each of whose lines is escaped; blanks at their ends are kept.

    Parameters
    ----------
    text : str
    escape : callable

    Returns
    -------
    str

    Examples
    --------
    >>> escape_lines("100 %,\n a_b ", escape_latex)
    '100 \\%,\n a\\_b '
    """
    return "\n".join(_kept_blanks(line, escape) for line in text.split("\n"))


def render(template: str, writer: Any, words: bool = False, **values: object) -> Raw:
    """Return a template with values, each of which is escaped unless it is `Raw`.

    The delimiters are ``<<value>>``, ``<% statement %>`` and ``<# comment #>``: LaTeX uses braces itself.

    Parameters
    ----------
    template : str
        A file of ``templates``.
    writer : Writer
    words : bool
        The template holds words, which are escaped too, not markup.
    **values
        What the template names, beside ``writer``.

    Returns
    -------
    Raw
    """
    return Raw(_templates(writer, words).get_template(template).render(writer=writer, raw=Raw, **values))


@cache
def _templates(writer: Any, words: bool) -> jinja2.Environment:
    """Return the templates for a writer."""
    templates = jinja2.Environment(
        loader=jinja2.PackageLoader("bioclip_probe.report.appendix"),
        undefined=jinja2.StrictUndefined,
        finalize=writer.escape,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        variable_start_string="<<",
        variable_end_string=">>",
        block_start_string="<%",
        block_end_string="%>",
        comment_start_string="<#",
        comment_end_string="#>",
        extensions=[EscapedWords] if words else [],
        autoescape=False,
    )
    templates.escape_words = writer.escape  # type: ignore[attr-defined]
    return templates
