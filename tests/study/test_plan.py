"""The plan: its defaults, and settings that it refuses."""

from __future__ import annotations

import pytest

from bioclip_probe.errors import ProbeError
from bioclip_probe.extraction.settings import ExtractionSettings
from bioclip_probe.projections.settings import ProjectionSettings
from bioclip_probe.study import results
from bioclip_probe.study.plan import PAPER_MODELS, WORLD_MODELS, Plan
from tests.support.small_study import CONTROLS

KEY = results.KEYS["measurements"]


QUIET = ExtractionSettings(progress=False)


PCA = ProjectionSettings(methods=("pca",))


@pytest.mark.parametrize("wrong", [{"batch_size": 0}, {"workers": 0}])
def test_extraction_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ProbeError, match="must be"):
        Plan(extraction=ExtractionSettings(**wrong))


def test_plan_defaults():
    assert Plan().compared == WORLD_MODELS
    assert Plan(data="inat21:x").compared == PAPER_MODELS
    assert Plan(data="inat21:x", models=("clip",)).encoders == (
        "clip", "pixels", "color-histogram", "untrained-vit-b-16"
    )  # fmt: skip
    assert Plan(models=CONTROLS).encoders == CONTROLS
    assert Plan(models=("layer:1-3:clip",)).compared == ("layer:1:clip", "layer:2:clip", "layer:3:clip")
    with pytest.raises(ProbeError, match="named twice: layer:2:clip"):
        Plan(models=("layer:2:clip", "layer:1-3:clip"))
    with pytest.raises(ProbeError, match="named twice: pixels"):
        Plan(models=("pixels", "pixels"))


def test_holes_of_lineages_are_filled_unless_the_plan_says_otherwise():
    assert Plan().lineages == "filled"
    with pytest.raises(ProbeError, match="no way to read lineages 'asgiven'; did you mean as-given"):
        Plan(lineages="asgiven")
