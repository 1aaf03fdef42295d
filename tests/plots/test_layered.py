"""Encoders that are layers of a model: their order, colours, labels and their entry in legends."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd

from bioclip_probe.plots.layered import Layer, by_depth, paler
from bioclip_probe.plots.lines import draw_legend
from bioclip_probe.plots.selection import FigureRows
from bioclip_probe.plots.settings import FigureSettings
from bioclip_probe.plots.style import model_styles, new_figure
from bioclip_probe.plots.vision import lab

TWELVE = [f"layer:{number}:bioclip" for number in (10, 2, 1, *range(3, 10), 11, 12)]


def lightness(color: str) -> float:
    return float(lab(np.array([[int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]]))[0, 0])


def test_layers_stand_in_order_of_depth_before_their_model_and_others_keep_their_places():
    names = ["clip", *TWELVE, "layer:1:mean:bioclip", "bioclip", "pixels", "layer:3:clip"]
    table = pd.DataFrame({"encoder": names})
    drawn = FigureRows.of(table, ["encoder"], FigureSettings(controls=("pixels",))).encoders
    by_number = [f"layer:{number}:bioclip" for number in range(1, 13)]
    assert drawn == ["layer:3:clip", "clip", *by_number, "layer:1:mean:bioclip", "bioclip", "pixels"]
    asked = FigureSettings(models=["bioclip", "layer:2:bioclip"])
    assert FigureRows.of(table, ["encoder"], asked).encoders == ["bioclip", "layer:2:bioclip"]
    assert by_depth(["b", "a"]) == ["b", "a"]


def test_layers_are_shades_of_their_model_that_grow_darker():
    styles = model_styles([*by_depth(TWELVE), "bioclip", "clip"])
    shades = [styles[name].color for name in by_depth(TWELVE)]
    assert shades[-1] == styles["bioclip"].color == model_styles(["bioclip"])["bioclip"].color
    assert all(lightness(pale) > lightness(dark) for pale, dark in itertools.pairwise(shades))
    assert {styles[name].marker for name in TWELVE} == {styles["bioclip"].marker} != {styles["clip"].marker}
    assert styles["layer:2:bioclip"].label == "BioCLIP, layer 2"
    assert (styles["layer:2:bioclip"].layer_of, styles["bioclip"].layer_of) == ("BioCLIP", "")


def test_other_poolings_and_other_models_have_colours_of_their_own():
    styles = model_styles(["layer:1:bioclip", "layer:1:mean:bioclip", "layer:1:clip"])
    assert len({look.color for look in styles.values()}) == 3
    assert [look.label for look in styles.values()] == ["BioCLIP, layer 1", "BioCLIP (mean), layer 1", "CLIP, layer 1"]
    assert paler("#123456", 0, 1) == "#123456"


def test_a_legend_has_one_entry_for_many_layers():
    figure = new_figure(FigureSettings(), 3, "")
    numbers = pd.DataFrame({"chance": [np.nan], "ci_low": [np.nan]})
    draw_legend(figure, model_styles([*TWELVE, "bioclip", "layer:1:clip", "layer:2:clip"]).values(), numbers)
    labels = {text.get_text() for text in figure.legends[0].get_texts()}
    assert labels == {"BioCLIP: 12 layers, pale to dark", "BioCLIP", "CLIP, layer 1", "CLIP, layer 2"}


def test_names_that_only_look_like_layers_are_models():
    assert Layer.of("player:2:clip") is None is Layer.of("layer:two:clip")
    assert Layer.of("layer:3:untrained:ViT-B-16") == Layer("untrained:ViT-B-16", 3)
