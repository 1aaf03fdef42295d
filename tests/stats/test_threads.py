import numpy as np
import pytest
from threadpoolctl import threadpool_info

from bioclip_probe.stats.threads import SMALL, matched_threads


def threads():
    return {library["num_threads"] for library in threadpool_info()}


@pytest.mark.parametrize(("work", "one"), [(SMALL - 1, True), (SMALL, False)])
def test_small_work_has_one_thread_and_large_work_all(work, one):
    np.ones((2, 2)) @ np.ones((2, 2))
    before = threads()
    with matched_threads(work):
        assert threads() == ({1} if one else before)
    assert threads() == before
