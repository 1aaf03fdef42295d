"""Summaries in a shell and in a notebook."""

from __future__ import annotations

from bioclip_probe import datasets
from bioclip_probe.datasets import from_rows
from bioclip_probe.summaries import MOST_SHOWN, Summary
from tests.support.notebook_samples import array_sample, lineages

HOSTILE = '<script>alert("&")</script>'


def test_every_text_is_escaped():
    page = Summary(HOSTILE, {HOSTILE: HOSTILE}, {HOSTILE: [HOSTILE]}).html()
    assert "<script" not in page
    assert page.count("&lt;script&gt;alert(&quot;&amp;&quot;)") == 5


def test_what_is_empty_is_left_out_and_long_lists_are_cut():
    assert Summary("a", {"b": ""}, {"c": []}).text() == "a"
    assert Summary("a", {"b": ""}, {"c": []}).html() == "<div><strong>a</strong><table></table></div>"
    page = Summary("a", {}, {"notes": [str(number) for number in range(MOST_SHOWN + 2)]}).html()
    assert "<summary>52 notes</summary>" in page and page.count("<li>") == MOST_SHOWN + 1
    assert "… and 2 more" in page


def test_a_dataset_says_its_counts_and_holes():
    frame = lineages(each=1)
    frame.loc[0, "species"] = None
    frame.loc[1, ["genus", "species"]] = None
    lines = repr(from_rows(frame, "birds")).splitlines()
    assert lines == ["Dataset 'birds'", "  images: 6", "  taxa: 1 class, 3 genera, 4 species",
                     "  without a name: 1 image at genus, 2 images at species"]  # fmt: skip
    assert "<details>" in datasets.load("world")._repr_html_()
    assert "(simulated)" in repr(datasets.load("world"))


def test_a_sample_says_its_encoders():
    lines = repr(array_sample()).splitlines()
    assert lines[0] == "Sample of 'birds'" and "  encoders: one 8-d, two 8-d" in lines
    assert len(lines) < 10
