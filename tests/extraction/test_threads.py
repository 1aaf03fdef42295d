"""Threads of the pipeline: how far ahead of the model they work."""

from __future__ import annotations

import threading
import time

from bioclip_probe.extraction.threads import map_ahead, thread_pool


def test_the_queue_of_pictures_is_bounded():
    """However slow the model, no more than `map_ahead` pictures are under way or wait for it."""
    begun = 0
    lock = threading.Lock()

    def work(item):
        nonlocal begun
        with lock:
            begun += 1
        return item

    with thread_pool(3) as pool:
        for taken, item in enumerate(map_ahead(pool, work, range(50), 7), start=1):
            time.sleep(0.002)
            assert item == taken - 1
            assert begun <= taken + 7
    assert begun == 50
