from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import skew
from sklearn.neighbors import NearestNeighbors

from bioclip_probe.metrics.hubs import ALIKE, estimate_hubness, hubness
from bioclip_probe.metrics.shared import SharedResults
from tests.definitions import nearest as definition
from tests.support.made_up_vectors import unit_rows
from tests.support.settings import FEW
from tests.support.taxa import made_up


def test_hubness_is_the_skewness_of_occurrences_without_each_group_of_species():
    rng = np.random.default_rng(0)
    vectors, placement = made_up(20, 80)
    vectors, groups = vectors[rng.integers(0, 60, 80)], rng.integers(-1, 20, 80)  # many are equal
    shared = SharedResults(vectors, placement, replace(FEW, n_groups=6), groups=groups)
    found = estimate_hubness(shared.neighbors("species"), shared.jackknife(), shared.settings)
    for group, value in enumerate([found.value, *found.replicates], start=-1):
        kept = np.flatnonzero(shared.jackknife().group != group)
        counts = definition.occurrences(vectors, 10, kept, groups)
        assert value == pytest.approx(skew(list(counts.values())))
    assert (found.n_images, found.n_taxa, found.n_units, found.resampled) == (80, 20, 20, "species")
    assert np.isnan(found.chance) and found.null == ""


def test_hubness_is_that_of_scikit_learn_and_scipy():
    vectors, placement = made_up(30, 200, d=64)
    near = NearestNeighbors(n_neighbors=10).fit(vectors).kneighbors(return_distance=False)
    expected = skew(np.bincount(near.ravel(), minlength=200))
    assert hubness(vectors, placement, FEW)[0].value == pytest.approx(expected)


def test_many_dimensions_have_more_hubs_than_few():
    _, placement = made_up(50, 500)
    few, many = (
        hubness(unit_rows(np.random.default_rng(1).exponential(size=(500, d))), placement, FEW)[0].estimate
        for d in (3, 300)
    )
    assert few.ci_high < many.ci_low and many.value > 1


def test_constant_vectors_have_no_hubs():
    _, placement = made_up(20, 60)
    found = hubness(np.tile(np.eye(1, 3, dtype=np.float32), (60, 1)), placement, FEW)[0].estimate
    assert found.note == ALIKE and found.n_images == 60
