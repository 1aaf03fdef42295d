import numpy as np
import pytest

from bioclip_probe.stats.rotation import principal_axes, rotate_into_span


@pytest.mark.parametrize("shape", [(3, 8), (4, 4), (8, 3), (1, 5), (0, 2)])
def test_a_rotation_keeps_all_products_in_the_fewest_dimensions(shape):
    vectors = np.random.default_rng(0).standard_normal(shape)
    rotated = rotate_into_span(vectors)
    assert rotated.shape == (shape[0], min(shape))
    np.testing.assert_allclose(rotated @ rotated.T, vectors @ vectors.T, atol=1e-12)


def test_principal_axes_hold_all_products_and_no_more_dimensions():
    rng = np.random.default_rng(1)
    narrow = rng.standard_normal((40, 3)) * (3.0, 2.0, 1.0)
    vectors = narrow @ np.linalg.qr(rng.standard_normal((10, 3)))[0].T
    axes = principal_axes(vectors)
    assert axes.shape == (10, 3)
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-12)
    on_axes = vectors @ axes
    np.testing.assert_allclose(on_axes @ on_axes.T, vectors @ vectors.T, atol=1e-12)
    np.testing.assert_allclose(on_axes, narrow @ principal_axes(narrow), atol=1e-12)
    squares = np.square(on_axes).sum(axis=0)
    assert (np.diff(squares) < 0).all() and ((on_axes**3).sum(axis=0) >= 0).all()
