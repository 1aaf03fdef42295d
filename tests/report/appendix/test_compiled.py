"""The appendix compiles without complaint, and its PDF says what the tables hold."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

import pytest

from bioclip_probe.report.appendix.numbers import Numbers
from bioclip_probe.report.sentences import verdict
from tests.support.appendix_study import HOSTILE, Compiled

pytestmark = pytest.mark.slow  # LaTeX takes seconds
KINDS = ("real", "simulated", "hostile")
Compile = Callable[[str], Compiled]


def _plain(text: str) -> str:
    """Return a text without what LaTeX may change: white space, and the forms of letters, dashes and quotes."""
    return re.sub(r"\s", "", unicodedata.normalize("NFKC", text)).replace("−", "-")


@pytest.mark.parametrize("kind", KINDS)
def test_latex_does_not_complain(compile_appendix: Compile, kind: str) -> None:
    log = compile_appendix(kind).log
    assert "undefined" not in log
    assert "multiply defined" not in log
    overfull = [float(points) for points in re.findall(r"Overfull \\[hv]box \(([\d.]+)pt", log)]
    assert max(overfull, default=0) <= 5


@pytest.mark.parametrize("kind", KINDS)
def test_the_pdf_holds_every_headline_number(compile_appendix: Compile, kind: str) -> None:
    compiled = compile_appendix(kind)
    text = _plain(compiled.text)
    numbers = Numbers.of(compiled.results, verdict(compiled.results)).by_macro.values()
    assert len(numbers) > 20
    assert [number.macro for number in numbers if _plain(number.text) not in text] == []


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
