"""The methods of a study, which agree with its tables."""

from __future__ import annotations

import html

import numpy as np
import pytest

import bioclip_probe as bp
from bioclip_probe import report
from bioclip_probe.errors import DataError, ProbeError
from tests.support.notebook_samples import SMALL, array_sample, lineages, picture_frame, vectors


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return bp.study(array_sample(), tmp_path_factory.mktemp("study") / "out", **SMALL)


def test_the_verdict_is_that_of_the_report(study):
    verdict = study.verdict()
    texts = [sentence.text for sentence in report.verdict(study.results)]
    assert [sentence.text for sentence in verdict] == texts
    assert str(verdict).splitlines() == texts and len(verdict) == len(texts) > 0
    assert verdict._repr_html_().count("<li>") == len(texts)


def test_a_difference_is_the_difference_of_the_two_numbers(study):
    table = study.difference("one", "two", ["silhouette"])
    assert set(table["rank"]) >= {"genus", "species"}
    measured = table.dropna(subset=["difference"])
    np.testing.assert_allclose(measured["difference"], measured["value"] - measured["value_b"], atol=1e-12)
    turned = study.difference("two", "one", ["silhouette"]).dropna(subset=["difference"])
    np.testing.assert_allclose(turned["difference"], -measured["difference"])
    assert study.difference("one", "two")["metric"].unique().tolist() == ["cophenetic_correlation"]


def test_a_wrong_name_is_one_line(study):
    with pytest.raises(ProbeError, match="no encoder 'tow'; did you mean two"):
        study.difference("one", "tow")
    with pytest.raises(DataError, match="name it among the metrics: knn_purity_1_difference"):
        study.difference("one", "two", ["knn_purity_1"])


def test_a_saved_study_is_opened_and_says_the_same(study, tmp_path):
    saved = study.save(tmp_path / "saved")
    opened = bp.open_study(tmp_path / "saved")
    assert saved.folder == opened.folder == tmp_path / "saved"
    assert str(opened.verdict()) == str(study.verdict())
    assert opened.verify(depth="files").passed
    assert not opened.verify(tmp_path / "store", "numbers").passed  # there is no store
    assert study.save(study.folder).folder == study.folder
    assert study.save(tmp_path / "saved").folder == saved.folder
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").touch()
    with pytest.raises(DataError, match="holds other files than results"):
        study.save(tmp_path / "full")
    with pytest.raises(DataError, match="holds no results"):
        bp.open_study(tmp_path / "full")
    with pytest.raises(DataError, match=r"is inside the results folder .*; name a folder elsewhere"):
        saved.save(saved.folder / "copy")
    with pytest.raises(DataError, match=r"is a folder; expected a file, such as .*report\.html"):
        saved.report(tmp_path)
    file = tmp_path / "full" / "letter.txt"
    with pytest.raises(DataError, match=r"cannot write .*letter\.txt"):
        saved.report(file / "report.html")


def test_the_explorer_of_vectors_needs_neither_store_nor_pictures(study):
    explorer = study.explorer()
    assert "<title>Explorer: birds</title>" in explorer.page
    assert explorer.path == study.folder / "explorer.html"


def test_the_explorer_shows_the_pictures_of_a_sample(tmp_path):
    data = bp.dataset(picture_frame(tmp_path), image="filepath")
    quiet = bp.ExtractionSettings(progress=False, device="cpu")
    sample = bp.collect(data, ["pixels", "color-histogram"], store=tmp_path / "store", settings=quiet)
    study = bp.study(sample, tmp_path / "out", **SMALL, steps=["project"])
    assert 'id="atlas-0"' in study.explorer().page
    with pytest.raises(DataError, match="holds no coordinates yet"):
        bp.study(sample, tmp_path / "measured", **SMALL, steps=["measure"]).explorer()


def test_an_opened_study_of_arrays_has_no_pictures_and_no_store(study, tmp_path):
    with pytest.raises(ProbeError, match="there is no store at"):
        bp.open_study(study.folder).explorer(store=tmp_path / "store")
    with pytest.raises(DataError, match="the dataset 'birds' was made in memory; only the process that made it"):
        bp.dataset("memory:birds")


@pytest.mark.slow
def test_the_report_is_one_file_where_it_was_asked_for(study, tmp_path):
    path = study.report(tmp_path / "pages" / "birds.html")
    assert path == tmp_path / "pages" / "birds.html"
    assert "birds" in path.read_text()
    assert study.report() == study.folder / "report.html"


def test_a_study_says_what_it_is(study):
    lines = repr(study).splitlines()
    assert lines[0] == "Study of 'birds'" and len(lines) < 12
    assert "  models: one, two" in lines and "  steps: measure, probe, project" in lines
    page = study._repr_html_()
    assert "<details>" in page and "<script" not in page


@pytest.mark.parametrize("hostile", ["<script>alert(1)</script>", "a&b", "\"'><img src=x>"])
def test_names_are_escaped(tmp_path, hostile):
    sample = bp.from_arrays({hostile: vectors(0)}, lineages(), name=hostile)
    study = bp.study(sample, tmp_path / "out", **SMALL, steps=["measure"])
    for thing in (sample, study, study.verdict()):
        page = thing._repr_html_()
        assert "<script" not in page and "<img" not in page
    assert html.escape(hostile) in sample._repr_html_()
