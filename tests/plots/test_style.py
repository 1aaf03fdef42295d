"""Names, colours and order of models; names of taxa; saving."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioclip_probe.plots import PAPER_COLOURS, SAFE_COLOURS, by_rank, save
from bioclip_probe.plots.selection import listed
from bioclip_probe.plots.style import italic, model_styles, short_names, shorten, taxon_name
from tests.support.measurement_tables import measurements


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


def test_eight_models_have_colours_of_their_own_and_the_ninth_another_marker():
    names = ["bioclip", "clip", "inat21-only", "openclip", *(f"m{k}" for k in range(5))]
    styles = model_styles(names)
    assert len({styles[name].colour for name in names[:8]}) == 8
    assert len({(look.colour, look.marker) for look in styles.values()}) == 9
    assert styles["clip"].colour == model_styles(["clip"])["clip"].colour
    assert model_styles(["world-taxonomic"])["world-taxonomic"].colour == styles["bioclip"].colour
    both = model_styles(["bioclip", "world-taxonomic"])
    assert both["bioclip"].colour != both["world-taxonomic"].colour


@pytest.mark.parametrize(
    "name", ["pixels", "color-histogram", "untrained-vit-b-16", "world-untrained", "untrained:ViT-B-16"]
)
def test_controls_are_muted_and_last(name):
    styles = model_styles([name, "clip"], controls=[name])
    assert list(styles) == ["clip", name]
    assert styles[name].control
    assert not styles["clip"].control


def test_a_name_alone_makes_no_control():
    names = ["random-crop-vit", "pixels", "reference"]
    styles = model_styles(names, controls=["reference"])
    assert list(styles) == names
    assert [styles[name].control for name in names] == [False, False, True]


def test_names_of_taxa():
    assert taxon_name("Animalia|Chordata", "phylum") == "Chordata"
    assert taxon_name("Animalia||||||Pica hudsonia", "species") == "P. hudsonia"
    assert taxon_name("a|" + "x" * 40, "phylum", 10) == "xxxxxx…xxx"
    assert shorten("short", 10) == "short"
    assert italic("Pica") == r"$\it{Pica}$"
    assert italic("A$B_c") == r"A\$B_c"
    assert (
        listed(["cluster_purity", "knn_purity_5", "top1_accuracy"]) == "k-means purity, k-NN purity, k = 5 and accuracy"
    )


def luminance_and_lab(colour: str, deficiency: np.ndarray) -> np.ndarray:
    """CIE L*a*b* of a colour as seen with a colour-vision deficiency (matrix in linear RGB)."""
    rgb = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = to_xyz @ np.clip(deficiency @ linear, 0, 1) / [0.9505, 1, 1.089]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


#: Machado, Oliveira & Fernandes 2009, severity 1: deuteranopia, protanopia, tritanopia.
DEFICIENCIES = np.array(
    [
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
    ]
)


def nearest(colours, deficiency) -> float:
    seen = [luminance_and_lab(colour, deficiency) for colour in colours]
    return min(np.linalg.norm(a - b) for k, a in enumerate(seen) for b in seen[:k])


def test_safe_colours_stay_apart_and_the_papers_do_not():
    assert all(nearest(SAFE_COLOURS, deficiency) >= 20 for deficiency in DEFICIENCIES)
    assert nearest(PAPER_COLOURS, np.eye(3)) > 30
    assert nearest(PAPER_COLOURS, DEFICIENCIES[0]) < 10  # why the others are offered


def test_save_leaves_four_files_that_are_the_same_each_time(tmp_path):
    table = measurements().head(40)
    figure = by_rank(measurements(), ["cluster_purity"])
    record = {"seed": np.int64(3), "list": np.arange(2), "file": tmp_path / "x", "ä": 1.5}
    first = save(figure, table, record, tmp_path / "new" / "by_rank.v1")
    assert [path.name for path in first] == [f"by_rank.v1.{ending}" for ending in ("pdf", "png", "csv", "json")]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(path.name for path in first)
    assert first[0].read_bytes().startswith(b"%PDF")
    assert first[1].read_bytes().startswith(b"\x89PNG")
    assert json.loads(first[3].read_text(encoding="utf-8")) == {
        "seed": 3,
        "list": [0, 1],
        "file": str(tmp_path / "x"),
        "ä": 1.5,
    }
    read = pd.read_csv(first[2])
    np.testing.assert_array_equal(read["value"], table["value"])
    again = save(by_rank(measurements(), ["cluster_purity"]), table, record, tmp_path / "again")
    for one, other in zip(first, again, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_a_failed_save_leaves_what_was_there(tmp_path):
    figure = by_rank(measurements(), ["cluster_purity"])
    (tmp_path / "f.png").write_text("old")
    with pytest.raises(TypeError, match="holds a set"):
        save(figure, measurements(), {"bad": {1}}, tmp_path / "f")
    assert [path.name for path in tmp_path.iterdir()] == ["f.png"]
    assert (tmp_path / "f.png").read_text() == "old"
