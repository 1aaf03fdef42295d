"""Names to print: of encoders, taxa and metrics."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioclip_probe.metrics.registry import REGISTRY
from bioclip_probe.plots.labels import (
    italic,
    metric_label,
    metric_list,
    plural,
    short_names,
    shorten,
    taxon_name,
    taxon_text,
)


@pytest.mark.slow
@given(st.lists(st.text(min_size=1, max_size=60), unique=True, max_size=12))
def test_short_names_are_short_and_no_two_alike(encoders):
    names = short_names(encoders)
    assert list(names) == encoders
    assert len(set(names.values())) == len(encoders)
    assert all(len(name) <= 26 for name in names.values())


@pytest.mark.parametrize(
    "encoder, name",
    [
        ("bioclip", "BioCLIP"),
        ("hf-hub:imageomics/rcme", "rcme"),
        ("custom:/a/b/net.py:make", "net.py:make"),
        ("local-dir:/models/vit-b16/", "vit-b16"),
        ("ViT-B-32/laion2b_s34b_b79k", "ViT-B-32/laion2b_s34b_b79k"),
        ("world-taxonomic", "world-taxonomic"),
    ],
)
def test_short_names_of_known_forms(encoder, name):
    assert short_names([encoder])[encoder] == name


def test_two_files_of_one_name_are_told_apart():
    assert list(short_names(["custom:/a/net.py:make", "custom:/b/net.py:make"]).values()) == [
        "net.py:make",
        "net.py:make (2)",
    ]


def test_names_of_taxa():
    assert taxon_name("Animalia|Chordata", "phylum") == "Chordata"
    assert taxon_name("Animalia||||||Pica hudsonia", "species") == "P. hudsonia"
    assert taxon_name("a|" + "x" * 40, "phylum", 10) == "xxxxxx…xxx"
    assert shorten("short", 10) == "short"
    assert italic("Pica") == r"$\it{Pica}$"
    assert italic("A$B_c") == r"A\$B_c"
    assert taxon_text("Pica", "genus") == italic("Pica")
    assert taxon_text("Aves", "class") == "Aves"
    assert (plural("genus"), plural("tribe")) == ("Genera", "Tribe")


def test_metrics_have_the_titles_of_their_registry():
    assert all(metric_label(name) == entry.title for name, entry in REGISTRY.items())
    assert metric_label("some_other_number") == "Some other number"
    listed = metric_list(["cluster_purity", "knn_purity_5", "top1_accuracy"])
    assert listed == "k-means purity, k-NN purity, k = 5 and accuracy"
