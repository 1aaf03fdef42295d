"""Made-up vectors in groups, and a comparison of their moments."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from bioclip_probe.stats.all_pairs.moments import Moments
from tests.support.made_up_vectors import unit_vectors


@st.composite
def grouped_vectors(draw, max_images: int = 14) -> tuple[np.ndarray, np.ndarray, int]:
    """Vectors of any length, the group of each (-1: none), and how many groups there are."""
    n_groups = draw(st.integers(1, 5))
    groups = draw(st.lists(st.integers(-1, n_groups - 1), min_size=1, max_size=max_images))
    vectors = draw(unit_vectors(len(groups))) * np.linspace(0.5, 2, len(groups))[:, None]
    return vectors, np.array(groups), n_groups


def assert_same_moments(a: Moments, b: Moments) -> None:
    """Assert that all sums are equal up to rounding."""
    for key in ("counts", "sums", "norms", "second", "third", "fourths", "origin"):
        np.testing.assert_allclose(getattr(a, key), getattr(b, key), rtol=1e-12, atol=1e-11)
