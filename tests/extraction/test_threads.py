"""Threads of the pipeline: their number, and how far ahead of the model they work."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import pytest

from bioclip_probe.extraction import threads
from bioclip_probe.extraction.threads import default_workers, map_ahead, thread_pool


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


@pytest.mark.parametrize(
    ("device", "processors", "workers"), [("cpu", 1, 1), ("cpu", 8, 4), ("cuda:0", 8, 8), ("cuda", 64, 16)]
)
def test_a_model_on_the_cpu_keeps_half_of_the_processors(monkeypatch, device, processors, workers):
    monkeypatch.setattr(threads, "available_processors", lambda: processors)
    assert default_workers([SimpleNamespace(record={"device": device})]) == workers
