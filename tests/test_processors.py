"""The processors of this process, and processes that share them."""

import os

import pytest

from bioclip_probe import processors


def test_a_share_of_the_processors_is_given_back():
    before = processors.available_processors()
    with pytest.raises(KeyError), processors.share_of_processors(before - 1, before):
        if hasattr(os, "sched_getaffinity"):
            assert processors.available_processors() == 1
        raise KeyError
    assert processors.available_processors() == before


def _may_start(answers):
    answers.put(processors.may_start_processes())


@pytest.mark.slow
@pytest.mark.parametrize("daemon", [True, False])
def test_a_daemonic_process_may_start_no_others(daemon):
    answers = processors.PROCESSES.SimpleQueue()
    process = processors.PROCESSES.Process(target=_may_start, args=(answers,), daemon=daemon)
    process.start()
    assert answers.get() == (not daemon)
    process.join()
