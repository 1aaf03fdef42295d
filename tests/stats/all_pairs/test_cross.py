import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioclip_probe.stats.all_pairs.cross import jackknifed_cross_correlations
from bioclip_probe.stats.resampling import jackknife_groups
from tests.definitions import similarity
from tests.support.made_up_vectors import unit_vectors
from tests.support.taxa import rng


@pytest.mark.slow
@settings(max_examples=60)
@given(st.integers(4, 14), st.integers(1, 4), st.data())
def test_correlations_of_two_encoders_without_a_jackknife_group_are_those_of_the_other_taxa(n, n_groups, data):
    a, b = data.draw(unit_vectors(n)), data.draw(unit_vectors(n))
    jackknife_group = jackknife_groups(n, rng(), n_groups)
    found = jackknifed_cross_correlations(a, b, jackknife_group)
    kept = [np.ones(n, dtype=bool), *(jackknife_group != number for number in range(jackknife_group.max() + 1))]
    assert found == pytest.approx([similarity.rsa(a[own], b[own]) for own in kept], abs=1e-6, nan_ok=True)
