import numpy as np
import pytest

from bioclip_probe.stats.rotation import rotate_into_span


@pytest.mark.parametrize("shape", [(3, 8), (4, 4), (8, 3), (1, 5), (0, 2)])
def test_a_rotation_keeps_all_products_in_the_fewest_dimensions(shape):
    vectors = np.random.default_rng(0).standard_normal(shape)
    rotated = rotate_into_span(vectors)
    assert rotated.shape == (shape[0], min(shape))
    np.testing.assert_allclose(rotated @ rotated.T, vectors @ vectors.T, atol=1e-12)
