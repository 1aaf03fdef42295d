"""The settings of projections refuse unknown names."""

from __future__ import annotations

import pytest

from bioclip_probe.errors import ProbeError
from bioclip_probe.projections.modes import MODES
from bioclip_probe.projections.registry import REGISTRY
from bioclip_probe.projections.settings import ProjectionSettings


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"methods": ("tnse",)}, r"unknown projection 'tnse'.*tsne, umap, pca"),
        ({"methods": ()}, r"at least one projection of: tsne, umap, pca"),
        ({"methods": ("pca", "pca")}, "the projection 'pca' is named twice"),
        ({"mode": "fixed"}, r"unknown mode 'fixed'.*paper, corrected"),
        ({"seed": -1}, "the seed must be 0 or more; got -1"),
    ],
)
def test_unknown_names_are_answered_with_the_known_ones(change, message):
    with pytest.raises(ProbeError, match=message):
        ProjectionSettings(**change)


@pytest.mark.parametrize("method", REGISTRY)
@pytest.mark.parametrize("mode", MODES)
def test_every_method_and_mode_can_be_named(method, mode):
    settings = ProjectionSettings((method,), mode)
    assert (settings.methods, settings.mode) == ((method,), mode)
