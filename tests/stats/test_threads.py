from concurrent.futures import ThreadPoolExecutor
from threading import Event

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from bioclip_probe.stats.threads import SMALL_WORK, matched_threads, one_thread


def threads():
    """Return the numbers of threads of the linear algebra; those of OpenMP are per thread and are not limited."""
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


@pytest.mark.parametrize(("work", "one"), [(SMALL_WORK - 1, True), (SMALL_WORK, False)])
def test_small_work_has_one_thread_and_large_work_all(work, one):
    np.ones((2, 2)) @ np.ones((2, 2))
    before = threads()
    with matched_threads(work):
        assert threads() == ({1} if one else before)
    assert threads() == before


def test_the_limit_of_one_thread_lasts_until_the_last_thread_leaves():
    np.ones((2, 2)) @ np.ones((2, 2))
    before, first_in, first_may_go = threads(), Event(), Event()

    def first():
        with one_thread:
            first_in.set()
            first_may_go.wait(10)

    def second():
        first_in.wait(10)
        with one_thread:
            first_may_go.set()
            inside.result(10)
            return threads()

    with ThreadPoolExecutor(2) as pool:
        for _ in range(2):  # the thread that sets the limit is not the one that restores it
            first_in.clear(), first_may_go.clear()
            inside = pool.submit(first)
            assert pool.submit(second).result() == {1}
            assert threads() == before
        with one_thread:  # it does not matter which thread was the last to set a limit
            assert threads() == {1}
    assert threads() == before
    with pytest.raises(ZeroDivisionError), one_thread:
        1 / 0  # noqa: B018
    assert threads() == before
