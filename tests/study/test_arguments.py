"""Arguments of `collect`: what cannot be used is refused in one line, before anything is written."""

from __future__ import annotations

import pytest

from bioclip_probe.errors import ProbeError
from bioclip_probe.extraction.settings import ExtractionSettings
from bioclip_probe.study.arguments import with_layers
from bioclip_probe.study.collecting import collect

MISTAKES = [
    ({"models": []}, "expected a list of models.*; the list is empty"),
    ({"models": "pixels"}, "expected a list of models.*; got a str"),
    ({"models": ["pixels", "pixels"]}, "a model is named twice: pixels"),
    ({"models": ["layer:9-1:clip"]}, "'layer:9-1:clip' is not a range of layers"),
    ({"phylogeny": "birds.nwk"}, "phylogeny: expected a bioclip_probe.Phylogeny; got a str"),
    ({"settings": {"progress": False}}, "settings: expected a bioclip_probe.ExtractionSettings; got a dict"),
    ({"templates": "opnai"}, "no kind of prompts 'opnai'; did you mean openai?"),
    ({"data": 3}, "expected a dataset, .*; got a int"),
]


@pytest.mark.parametrize(("options", "message"), MISTAKES, ids=range(len(MISTAKES)))
def test_mistakes_are_told_in_one_line(tmp_path, options, message):
    usual = {"data": "world", "models": ["pixels"], "settings": ExtractionSettings(progress=False)}
    with pytest.raises(ProbeError, match=message) as caught:
        collect(store=tmp_path / "store", **{**usual, **options})
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.rglob("*.npy"))


def test_layers_are_written_out_and_encoders_in_memory_stay():
    encoder = object()
    assert with_layers(["layer:1-2:clip", encoder]) == ["layer:1:clip", "layer:2:clip", encoder]
