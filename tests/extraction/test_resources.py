"""The resources of a run: workers, processes, batches."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from bioclip_probe.extraction import resources
from bioclip_probe.extraction.resources import resources_for
from bioclip_probe.extraction.settings import ExtractionSettings

GIB = 1 << 30
CONTROL = SimpleNamespace(record={"family": "control", "device": "cpu"})


def network(device):
    return SimpleNamespace(record={"family": "open_clip", "device": device})


@pytest.fixture
def machine(monkeypatch):
    """A machine of some processors, memory, and memory of its GPU."""

    def make(processors=16, memory=128 * GIB, gpu_memory=80 * GIB):
        monkeypatch.setattr(resources, "available_processors", lambda: processors)
        monkeypatch.setattr(resources, "_memory", lambda: memory)
        properties = SimpleNamespace(total_memory=gpu_memory)
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: properties)

    return make


@pytest.mark.parametrize(
    ("device", "processors", "workers"), [("cpu", 1, 1), ("cpu", 8, 4), ("cuda:0", 8, 8), ("cuda", 64, 16)]
)
def test_a_model_on_the_cpu_keeps_half_of_the_processors(machine, device, processors, workers):
    machine(processors)
    assert resources_for([network(device)], False, 100, ExtractionSettings()).n_workers == workers


def test_controls_do_not_take_processors_from_a_gpu(machine):
    machine(16)
    encoders = [CONTROL, network("cuda"), network("cuda")]
    assert resources_for(encoders, True, 100_000, ExtractionSettings()).n_workers == 16
    assert resources_for([CONTROL], True, 100_000, ExtractionSettings()).n_workers == 8


@pytest.mark.parametrize(
    ("preparation", "device", "portable", "n_pictures", "processes"),
    [
        ("auto", "cuda", True, 100_000, True),
        ("auto", "cuda", True, 100, False),
        ("auto", "cuda", False, 100_000, False),
        ("auto", "cpu", True, 100_000, False),
        ("threads", "cuda", True, 100_000, False),
        ("processes", "cpu", True, 100, True),
        ("processes", "cpu", False, 100, False),
    ],
)
def test_processes_prepare_many_pictures_for_a_gpu(machine, preparation, device, portable, n_pictures, processes):
    machine()
    settings = ExtractionSettings(preparation=preparation)
    assert resources_for([network(device)], portable, n_pictures, settings).processes == processes


def test_workers_fit_into_the_memory(machine):
    machine(64, memory=16 * GIB)
    assert resources_for([network("cuda")], True, 100_000, ExtractionSettings()).n_workers == 8
    machine(64, memory=GIB)
    assert resources_for([network("cuda")], True, 100_000, ExtractionSettings()).n_workers == 1
    assert resources_for([network("cuda")], True, 100_000, ExtractionSettings(workers=5)).n_workers == 5


@pytest.mark.parametrize(("gpu_memory", "batch"), [(2 * GIB, 32), (16 * GIB, 128), (80 * GIB, 256), (140 * GIB, 256)])
def test_the_batch_follows_the_memory_of_the_gpu(machine, gpu_memory, batch):
    machine(gpu_memory=gpu_memory)
    assert resources_for([network("cuda")], True, 100, ExtractionSettings()).batch_size == batch
    assert resources_for([network("cpu")], True, 100, ExtractionSettings()).batch_size == 32
    assert resources_for([network("cuda")], True, 100, ExtractionSettings(batch_size=7)).batch_size == 7


def test_pictures_ahead_are_bounded(machine):
    machine(64, memory=1 << 50)
    taken = resources_for([network("cuda")], True, 1_000_000, ExtractionSettings())
    assert taken.chunks_ahead * taken.chunk_size * 3 * 224 * 224 < GIB // 4
