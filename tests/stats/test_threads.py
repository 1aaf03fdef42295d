import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from bioclip_probe.stats import threads as threads_module
from bioclip_probe.stats.threads import SMALL_WORK, in_threads, matched_threads, one_thread


def threads():
    """Return the numbers of threads of the linear algebra; those of OpenMP are per thread and are not limited."""
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


@pytest.mark.parametrize(
    ("work", "processors", "one"), [(SMALL_WORK - 1, 2, True), (SMALL_WORK, 2, False), (SMALL_WORK, 1, True)]
)
def test_small_work_and_one_processor_have_one_thread_and_large_work_all(monkeypatch, work, processors, one):
    monkeypatch.setattr(threads_module, "available_processors", lambda: processors)
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


def test_libraries_are_searched_for_again_once_modules_were_imported(monkeypatch):
    import threadpoolctl

    searches = []
    search = threadpoolctl.ThreadpoolController
    monkeypatch.setattr(threadpoolctl, "ThreadpoolController", lambda: searches.append(1) or search())
    monkeypatch.setattr(threads_module, "_libraries", threads_module._Libraries())
    for _ in range(3):
        with matched_threads(0):
            pass
    assert len(searches) == 1
    monkeypatch.setitem(sys.modules, "made_up_library", sys)
    with matched_threads(0):
        assert len(searches) == 2
        assert threads() == {1}


@pytest.mark.parametrize("number", [1, 3])
def test_results_come_in_the_order_of_the_items_and_items_are_not_drawn_far_ahead(number):
    drawn, taken = [], []
    items = (drawn.append(i) or i for i in range(50))
    for result in in_threads(lambda i: i * i, items, number):
        taken.append(result)
        assert len(drawn) <= len(taken) + 2 * number
    assert taken == [i * i for i in range(50)]


def test_an_error_in_a_thread_reaches_the_caller():
    with pytest.raises(ZeroDivisionError):
        list(in_threads(lambda i: 1 // i, [1, 0, 1], 2))
