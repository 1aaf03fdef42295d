"""A panel projected again, by other seeds and without structure."""

from __future__ import annotations

import numpy as np
import pytest

from bioclip_probe.errors import ProbeError
from bioclip_probe.projections.pca import pca
from bioclip_probe.projections.repeats import panel_stream, project_again, shuffled_panel
from bioclip_probe.projections.settings import ProjectionSettings

VECTORS = np.random.default_rng(0).normal(size=(30, 8)).astype(np.float32)


def test_every_projection_of_a_panel_has_a_stream_of_its_own():
    draws = {
        panel_stream(seed, rank, number).integers(2**62)
        for seed in (0, 1)
        for rank in ("kingdom", "phylum")
        for number in (None, 0, 1, 2)
    }
    assert len(draws) == 16
    drawn = np.random.default_rng([5, 1]).integers(2**62)
    assert panel_stream(5, "phylum").integers(2**62) == drawn


def test_more_seeds_change_none_of_the_others():
    few, many = (project_again(VECTORS, "tsne", "order", ProjectionSettings(n_seeds=n)) for n in (2, 3))
    assert (len(few[0]), len(many[0])) == (1, 2)
    np.testing.assert_array_equal(few[0][0], many[0][0])
    np.testing.assert_array_equal(few[1], many[1])


def test_the_plane_of_the_principal_axes_does_not_depend_on_the_seed():
    planes, control = project_again(VECTORS, "pca", "order", ProjectionSettings())
    np.testing.assert_allclose(planes[0], planes[1])
    shuffled = shuffled_panel(VECTORS, "order", ProjectionSettings().seed)
    np.testing.assert_allclose(control, pca(shuffled, np.random.default_rng(0)), atol=1e-5)


def test_shuffled_vectors_differ_between_panels_and_seeds():
    given = [shuffled_panel(VECTORS, rank, seed) for rank, seed in (("order", 0), ("order", 1), ("class", 0))]
    assert not any(np.array_equal(given[0], other) for other in given[1:])
    np.testing.assert_array_equal(given[0], shuffled_panel(VECTORS, "order", 0))


def test_no_seed_is_refused():
    with pytest.raises(ProbeError, match="one seed or more; got 0"):
        ProjectionSettings(n_seeds=0)
