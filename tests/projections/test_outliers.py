"""The outlier cut: its definition, its claims, and scipy as the outsider."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import mahalanobis

from bioclip_probe.errors import ProbeError
from bioclip_probe.projections import MODES, cut_outliers, is_outlier, squared_mahalanobis
from tests.definitions import projections as definition


def cloud(seed: int, n: int) -> np.ndarray:
    """Heavy tails, so that some points are cut."""
    return np.random.default_rng(seed).standard_t(2, size=(n, 2)) @ np.array([[3.0, 1.0], [0.0, 0.2]])


@pytest.mark.parametrize("mode", MODES)
@given(seed=st.integers(0, 10**6), n=st.integers(4, 200))
def test_equals_its_definition(mode, seed, n):
    points = cloud(seed, n)
    assert np.array_equal(is_outlier(points, mode), definition.is_outlier(points, MODES[mode]))


@given(seed=st.integers(0, 10**6), n=st.integers(4, 60))
def test_distance_equals_scipy_and_keeps_its_bounds(seed, n):
    points = cloud(seed, n)
    inverse = np.linalg.inv(np.cov(points.T))
    expected = [mahalanobis(point, points.mean(0), inverse) ** 2 for point in points]
    distance = squared_mahalanobis(points)
    np.testing.assert_allclose(distance, expected, rtol=1e-6, atol=1e-9)
    assert distance.min() >= 0
    assert distance.max() <= (n - 1) ** 2 / n + 1e-6
    assert distance.sum() == pytest.approx(2 * (n - 1))


def test_paper_mode_cuts_all_that_corrected_mode_cuts_and_more():
    points = cloud(1, 3000)
    paper, corrected = is_outlier(points, "paper"), is_outlier(points, "corrected")
    assert (paper | ~corrected).all()
    assert paper.sum() > corrected.sum() > 0


def test_a_normal_cloud_loses_one_in_a_thousand_in_corrected_mode():
    points = np.random.default_rng(0).normal(size=(200_000, 2))
    assert is_outlier(points, "corrected").mean() == pytest.approx(0.001, rel=0.15)
    assert is_outlier(points, "paper").mean() == pytest.approx(np.exp(-10.828 / 2), rel=0.15)


@pytest.mark.parametrize("mode, n", [("paper", 12), ("corrected", 15)])
def test_few_points_are_never_cut(mode, n):
    for count in range(n + 1):
        points = np.zeros((count, 2))
        points[:1] = 1e6
        assert not is_outlier(points, mode).any()


def test_singular_covariance_measures_along_the_line():
    line = np.append(np.random.default_rng(0).normal(size=99), 40.0)
    points = np.column_stack([line, 2 * line]) + 5.0
    expected = (line - line.mean()) ** 2 / line.var(ddof=1)
    np.testing.assert_allclose(squared_mahalanobis(points), expected, rtol=1e-6)
    assert is_outlier(points).tolist() == [False] * 99 + [True]
    assert (squared_mahalanobis(np.ones((4, 2))) == 0).all()


def test_builds_no_n_by_n_matrix():
    assert len(squared_mahalanobis(cloud(0, 200_000))) == 200_000  # n × n would be 320 GB


def test_unknown_mode_is_named():
    with pytest.raises(ProbeError, match=r"'papers'.*paper, corrected"):
        is_outlier(np.zeros((3, 2)), "papers")


def test_cut_is_made_per_panel_taxon_and_encoder_and_only_where_plotted():
    points = cloud(3, 300)
    one = pd.DataFrame({"rank": "order", "focus": "A|B|C", "taxon": "A|B|C|D", "plotted": True, "x": points[:, 0]})
    one["y"] = points[:, 1]
    other = one.assign(taxon="A|B|C|E", x=one["x"] * 0.01 + 500)
    unplotted, unnamed = one.assign(plotted=False, taxon="A|B|C|F"), one.assign(plotted=False, taxon=np.nan)
    failed = one.assign(taxon="A|B|C|G", x=np.nan, y=np.nan)
    table = pd.concat([one, other, unplotted, unnamed, failed], ignore_index=True)
    table = pd.concat([table.assign(encoder="a"), table.assign(encoder="b", x=table["x"] + 9)], ignore_index=True)
    before = table.copy()
    cut = cut_outliers(table, "paper")
    expected = np.concatenate([is_outlier(points, "paper")] * 2 + [np.zeros(900, bool)])
    assert cut["hidden"].tolist() == [*expected.tolist(), *expected.tolist()]
    assert (cut["mode"] == "paper").all()
    pd.testing.assert_frame_equal(table, before)


def test_cut_needs_coordinates():
    with pytest.raises(ProbeError, match="lacks the column focus"):
        cut_outliers(pd.DataFrame({"rank": [], "taxon": [], "plotted": [], "x": [], "y": []}))
