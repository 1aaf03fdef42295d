"""The processors of this process."""

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
