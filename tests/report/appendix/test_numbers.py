"""The macros of headline numbers, and the sentences that they stand in."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bioclip_probe.report.appendix.numbers import Number, Numbers
from bioclip_probe.report.endpoints import with_interval
from bioclip_probe.report.sentences import Sentence, verdict
from bioclip_probe.study.results import Results
from tests.support.appendix_study import HOSTILE, made_up_results


def _numbers(results: Results) -> Numbers:
    return Numbers.of(results, verdict(results))


@pytest.mark.parametrize("models", [("bioclip", "clip"), HOSTILE[:2], ("a-1", "a_1", "猫", "Кошка")])
def test_macros_are_letters_and_differ(tmp_path: Path, models: tuple[str, ...]) -> None:
    numbers = _numbers(made_up_results(tmp_path, models)).by_macro
    assert all(re.fullmatch(r"tol[A-Za-z]+", macro) for macro in numbers)
    assert all(number.macro == macro for macro, number in numbers.items())


def test_a_macro_is_named_by_what_it_holds(tmp_path: Path) -> None:
    results = made_up_results(tmp_path)
    numbers = _numbers(results)
    texts = {name: numbers.get(name) for name in ("Images", "CpccBioclip", "CpccBioclipInterval", "Seed")}
    assert {name: number.text for name, number in texts.items() if number} == {
        "Images": "1,190",
        "CpccBioclip": "0.500",
        "CpccBioclipInterval": "[0.400, 0.620]",
        "Seed": "3",
    }
    difference, interval = numbers.get("CpccBioclipLessClip"), numbers.get("CpccBioclipLessClipInterval")
    assert difference is not None
    assert interval is not None
    assert (difference.text, interval.text) == ("0.200", "[0.100, 0.300]")
    assert numbers.get("CpccClipLessBioclip") is None


def test_sentences_are_unchanged_and_their_values_are_macros(tmp_path: Path) -> None:
    results = made_up_results(tmp_path)
    numbers = _numbers(results)
    sentences = verdict(results)
    assert sentences
    for sentence in sentences:
        pieces = numbers.pieces(sentence)
        assert "".join(piece.text if isinstance(piece, Number) else piece for piece in pieces) == sentence.text
        words = "".join(piece for piece in pieces if isinstance(piece, str))
        assert not re.search(r"\d\.\d{3} \[", words)
        assert not re.search(r"adjusted p [=<] \d", words)


def test_a_number_is_not_found_inside_another(tmp_path: Path) -> None:
    results = made_up_results(tmp_path)
    numbers = _numbers(results)
    row = results.measurements.loc[verdict(results)[0].rows[0]]
    sentence = Sentence("primary", f"10.500 and 1{with_interval(row)} are others.", (int(row.name),))
    assert numbers.pieces(sentence) == [sentence.text]
