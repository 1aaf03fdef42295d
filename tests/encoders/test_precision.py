"""Precision: what "auto" stands for on this machine."""

import pytest
import torch

from bioclip_probe import encoders
from bioclip_probe.encoders import precision as module
from bioclip_probe.encoders.precision import resolve_precision
from tests.support.model_folders import TINY, make_folder


def network_of(parameters: int) -> torch.nn.Module:
    return torch.nn.Linear(parameters, 1, bias=False, device="meta")


@pytest.mark.parametrize("flags, has", [
    ("fpu avx512f amx_tile amx_bf16", True),
    ("fpu avx512_bf16", True),
    ("fpu avx512f amx_tile", False),
    ("fpu sse", False),
    ("", False),
])  # fmt: skip
def test_auto_on_a_cpu_is_bf16_where_it_multiplies_in_it(tmp_path, monkeypatch, flags, has):
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\nflags\t\t: {flags}\nbugs\t: none\n")
    monkeypatch.setattr(module, "CPUINFO", str(tmp_path / "cpuinfo"))
    assert resolve_precision("auto", "cpu", network_of(86_000_000)) == ("bf16" if has else "fp32")
    monkeypatch.setattr(module, "CPUINFO", str(tmp_path / "none"))
    assert resolve_precision("auto", "cpu", network_of(86_000_000)) == "fp32"


@pytest.mark.parametrize("capability, expected", [((6, 1), "fp32"), ((7, 0), "fp16"), ((9, 0), "fp16")])
def test_auto_on_a_gpu_is_fp16_where_it_has_tensor_cores(monkeypatch, capability, expected):
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda device: capability)
    assert resolve_precision("auto", "cuda:1", network_of(86_000_000)) == expected
    assert resolve_precision("auto", "cuda", network_of(3_000_000)) == "fp32"
    assert resolve_precision("bf16", "cuda", network_of(3_000_000)) == "bf16"


def test_auto_with_batch_normalisation_is_fp32(monkeypatch):
    monkeypatch.setattr(module, "_cpu_has_bf16", lambda: True)
    network = torch.nn.Sequential(network_of(86_000_000), torch.nn.BatchNorm2d(3))
    assert resolve_precision("auto", "cpu", network) == "fp32" and resolve_precision("bf16", "cpu", network) == "bf16"


@pytest.mark.slow
def test_small_networks_and_custom_ones_are_fp32_by_default(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_cpu_has_bf16", lambda: True)
    (tmp_path / "wide.py").write_text(
        "import torch\nclass Wide(torch.nn.Linear):\n    dimension = 5000\n    preprocess = lambda self, image: "
        "torch.zeros(5000)\n    encode = lambda self, batch: self(batch)\n    def __init__(self):\n"
        "        super().__init__(5000, 5000)\n"
    )
    for name in ("world-taxonomic", f"local-dir:{tiny}", f"custom:{tmp_path / 'wide.py'}:Wide"):
        assert encoders.load(name).record["precision"] == "fp32"
    wide = {"image_size": 8, "layers": 2, "width": 1024, "head_width": 64, "patch_size": 8}  # 25 million parameters
    folder = make_folder(tmp_path / "wide", config=TINY | {"vision_cfg": wide}, weights="")
    assert encoders.load(f"untrained:local-dir:{folder}").record["precision"] == "bf16"
    assert encoders.load("pixels").record["precision"] == "fp32"
