"""The device that torch computes on, by its name."""

import sys

import pytest

from bioclip_probe import torch_device
from bioclip_probe.errors import ModelError
from bioclip_probe.extraction.settings import ExtractionSettings
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.probes.settings import ProbeSettings

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
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2 * has_gpu)
    assert torch_device.resolve_device(device) == resolved


def test_torch_is_not_imported_to_find_no_gpu_where_no_driver_is(monkeypatch):
    def missing(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr("os.path.exists", lambda path: False)
    monkeypatch.setattr("ctypes.CDLL", missing)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setitem(sys.modules, "torch", None)  # an import of it fails
    assert torch_device.resolve_device("auto") == "cpu"


@pytest.mark.parametrize("device", ["gpu", "", "meta", "mps", "cpu:", "cpu:x", "cpu:7", "cuda:", "cuda:-1", "CPU"])
def test_a_name_of_no_device_is_refused(device):
    for refuse in (torch_device.check_device, torch_device.resolve_device):
        with pytest.raises(ModelError, match=f"unknown device '{device}'; expected cpu, cuda, cuda:N or auto"):
            refuse(device)


@pytest.mark.parametrize("settings", [ExtractionSettings, MeasureSettings, ProbeSettings])
def test_settings_refuse_a_name_of_no_device(settings):
    with pytest.raises(ModelError, match="unknown device 'meta'"):
        settings(device="meta")


@pytest.mark.parametrize("n_gpus, device, reason", [
    (0, "cuda", "device 'cuda' was asked for, but torch finds no GPU here"),
    (0, "cuda:1", "torch finds no GPU here"),
    (2, "cuda:2", "device 'cuda:2' was asked for, but the last GPU that torch finds here is cuda:1"),
])  # fmt: skip
def test_a_gpu_that_is_not_there_is_refused(monkeypatch, n_gpus, device, reason):
    monkeypatch.setattr("torch.cuda.is_available", lambda: n_gpus > 0)
    monkeypatch.setattr("torch.cuda.device_count", lambda: n_gpus)
    with pytest.raises(ModelError, match=reason):
        torch_device.resolve_device(device)
