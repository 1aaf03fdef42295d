"""The device that torch computes on, by its name."""

import sys

import pytest

from bioclip_probe import torch_device
from bioclip_probe.errors import ModelError

pytestmark = pytest.mark.slow  # torch is imported


@pytest.mark.parametrize("has_gpu, device, resolved", [
    (False, "cpu", "cpu"),
    (False, "cpu:0", "cpu:0"),
    (False, "auto", "cpu"),
    (True, "cpu", "cpu"),
    (True, "auto", "cuda"),
    (True, "cuda", "cuda"),
    (True, "cuda:1", "cuda:1"),
])  # fmt: skip
def test_a_device_is_what_this_machine_has(monkeypatch, has_gpu, device, resolved):
    monkeypatch.setattr(torch_device, "_has_gpu_driver", lambda: True)
    monkeypatch.setattr("torch.cuda.is_available", lambda: has_gpu)
    assert torch_device.resolve_device(device) == resolved


def test_torch_is_not_imported_to_find_no_gpu_where_no_driver_is(monkeypatch):
    def missing(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr("os.path.exists", lambda path: False)
    monkeypatch.setattr("ctypes.CDLL", missing)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setitem(sys.modules, "torch", None)  # an import of it fails
    assert torch_device.resolve_device("auto") == "cpu"


@pytest.mark.parametrize("device, reason", [("gpu", "unknown device 'gpu'"), ("", "unknown"), ("cuda", "finds no GPU")])
def test_a_device_that_is_not_there_is_refused(monkeypatch, device, reason):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ModelError, match=reason):
        torch_device.resolve_device(device)
