import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bioclip_probe.stats.table_loops import stable_order


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0, np.inf]) | st.floats(allow_nan=False), max_size=120))
def test_the_order_is_that_of_a_stable_sort(values):
    assert np.array_equal(stable_order(np.array(values, dtype=float)), np.argsort(values, kind="stable"))
