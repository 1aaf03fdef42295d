"""PCA: scikit-learn as the witness, and points that span no plane."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from bioclip_probe.projections.pca import pca


@settings(max_examples=50)
@given(n=st.integers(2, 30), d=st.integers(2, 30), seed=st.integers(0, 10**6))
def test_pca_is_the_plane_of_scikit_learn(n, d, seed):
    vectors = np.random.default_rng(seed).normal(size=(n, d)) + 3
    points = pca(vectors)
    expected = np.zeros((n, 2))
    theirs = PCA(min(2, n - 1), svd_solver="full").fit_transform(vectors)
    expected[:, : theirs.shape[1]] = theirs
    for axis in range(2):
        sign = np.sign(points[:, axis] @ expected[:, axis]) or 1.0
        np.testing.assert_allclose(sign * points[:, axis], expected[:, axis], atol=1e-6)


def test_pca_of_points_on_a_line_and_of_one_point():
    line = np.outer(np.arange(6.0), [1.0, -2.0, 2.0])
    points = pca(line)
    np.testing.assert_allclose(np.abs(points[:, 0]), 3 * np.abs(np.arange(6) - 2.5), atol=1e-9)
    assert (points[:, 1] == 0).all()
    assert (pca(np.ones((3, 4))) == 0).all()
