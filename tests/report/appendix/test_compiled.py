"""The appendix compiles without complaint, and its PDF says what the tables hold."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

import pytest

from bioclip_probe.report.appendix.numbers import Numbers
from bioclip_probe.report.sentences import verdict
from tests.support.appendix_study import HOSTILE, Compiled, latex

pytestmark = pytest.mark.slow  # LaTeX takes seconds
KINDS = ("real", "simulated", "hostile")
#: A paper that names the folder of the appendix and loads nothing that it need not.
PAPER = r"""\documentclass{article}
\usepackage[T1]{fontenc}
\usepackage{booktabs,longtable,graphicx,caption}
\newcommand{\tolpath}{appendix/}
\input{appendix/numbers}
\begin{document}
We embedded \tolImages{} images.
\appendix
\input{appendix/appendix}
\bibliographystyle{plain}
\bibliography{appendix/references}
\end{document}
"""
Compile = Callable[[str], Compiled]


def _plain(text: str) -> str:
    """Return a text without what LaTeX may change: white space, and the forms of letters, dashes and quotes."""
    return re.sub(r"\s", "", unicodedata.normalize("NFKC", text)).replace("−", "-")


def _overfull(log: str) -> list[float]:
    """Return by how many points boxes are too wide or too high."""
    return [float(points) for points in re.findall(r"Overfull \\[hv]box \(([\d.]+)pt", log)]


@pytest.mark.parametrize("kind", KINDS)
def test_latex_does_not_complain(compile_appendix: Compile, kind: str) -> None:
    log = compile_appendix(kind).log
    assert "undefined" not in log
    assert "multiply defined" not in log
    assert max(_overfull(log), default=0) <= 5


@pytest.mark.parametrize("kind", KINDS)
def test_the_pdf_holds_every_headline_number(compile_appendix: Compile, kind: str) -> None:
    compiled = compile_appendix(kind)
    text = _plain(compiled.text)
    numbers = Numbers.of(compiled.results, verdict(compiled.results)).by_macro.values()
    assert len(numbers) > 20
    assert [number.macro for number in numbers if _plain(number.text) not in text] == []


def test_a_paper_takes_it_in_with_four_packages(compile_appendix: Compile) -> None:
    folder = compile_appendix("real").folder
    (folder.parent / "paper.tex").write_text(PAPER)
    log = latex(folder.parent / "paper.tex")
    assert "undefined" not in log
    assert max(_overfull(log), default=0) <= 5


def test_hostile_names_are_printed(compile_appendix: Compile) -> None:
    text = _plain(compile_appendix("hostile").text)
    for name in HOSTILE[:3]:
        assert _plain(name) in text
    assert "U+732B" in text  # no font of this LaTeX has the letter


def test_every_page_of_tables_and_figures_says_simulated(compile_appendix: Compile) -> None:
    text = compile_appendix("simulated").text
    captions = re.findall(r"^ *(?:Table|Figure) \d+: .*(?:\n.*){0,3}", text, flags=re.MULTILINE)
    assert captions
    assert all("simulated" in caption for caption in captions)
    assert "simulated" not in compile_appendix("real").text.lower().replace("simulations", "")
