"""Precision: what "auto" comes to, batches made ahead, parity with float32, and QuickGELU by another way."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import open_clip
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from open_clip.transformer import QuickGELU, ResidualAttentionBlock

from bioclip_probe import encoders
from bioclip_probe.encoders import encoder as module
from bioclip_probe.encoders.encoder import chosen_precision, smallest_cosine
from bioclip_probe.encoders.open_clip import _with_folded_quickgelu
from bioclip_probe.errors import ModelError
from tests.encoders.conftest import make_folder

# What auto comes to


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
    assert chosen_precision("auto", "cpu", network_of(86_000_000)) == ("bf16" if has else "fp32")
    monkeypatch.setattr(module, "CPUINFO", str(tmp_path / "none"))
    assert chosen_precision("auto", "cpu", network_of(86_000_000)) == "fp32"


@pytest.mark.parametrize("capability, expected", [((6, 1), "fp32"), ((7, 0), "fp16"), ((9, 0), "fp16")])
def test_auto_on_a_gpu_is_fp16_where_it_has_tensor_cores(monkeypatch, capability, expected):
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda device: capability)
    assert chosen_precision("auto", "cuda:1", network_of(86_000_000)) == expected
    assert chosen_precision("auto", "cuda", network_of(3_000_000)) == "fp32"
    assert chosen_precision("bf16", "cuda", network_of(3_000_000)) == "bf16"


def test_auto_with_batch_normalisation_is_fp32(monkeypatch):
    monkeypatch.setattr(module, "_cpu_has_bf16", lambda: True)
    network = torch.nn.Sequential(network_of(86_000_000), torch.nn.BatchNorm2d(3))
    assert chosen_precision("auto", "cpu", network) == "fp32" and chosen_precision("bf16", "cpu", network) == "bf16"


def test_small_networks_and_other_peoples_are_fp32_by_default(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_cpu_has_bf16", lambda: True)
    (tmp_path / "wide.py").write_text(
        "import torch\nclass Wide(torch.nn.Linear):\n    dimension = 5000\n    preprocess = lambda self, image: "
        "torch.zeros(5000)\n    encode = lambda self, batch: self(batch)\n    def __init__(self):\n"
        "        super().__init__(5000, 5000)\n"
    )
    for name in ("world-taxonomic", f"local-dir:{tiny}", f"custom:{tmp_path / 'wide.py'}:Wide"):
        assert encoders.load(name).record["precision"] == "fp32"
    monkeypatch.setattr(module, "SMALL", 1000)
    encoders.forget()
    assert encoders.load(f"local-dir:{tiny}").record["precision"] == "bf16"
    assert encoders.load("pixels").record["precision"] == "fp32"


# Batches made ahead


@pytest.mark.parametrize("precision, dtype", [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_a_collated_batch_gives_the_vectors_of_the_list(tiny, pictures, precision, dtype):
    encoder = encoders.load(f"local-dir:{tiny}", precision=precision)
    prepared = [encoder.preprocess(image) for image in pictures]
    with ThreadPoolExecutor(1) as thread:
        batch = thread.submit(encoder.collate, prepared).result()
    assert batch.dtype == dtype and len(batch) == 3
    np.testing.assert_array_equal(encoder.encode(batch), encoder.encode(prepared))


def test_controls_collate(pictures):
    encoder = encoders.load("color-histogram")
    batch = encoder.collate([encoder.preprocess(image) for image in pictures])
    np.testing.assert_array_equal(encoder.encode(batch), batch)
    assert batch.flags.writeable  # encoding leaves what it is given as it is


def test_on_a_gpu_float32_convolutions_stay_float32():
    before = torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark
    with module._exact_convolutions("cuda"):
        assert (torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark) == (False, True)
    assert (torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark) == before


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_on_a_gpu(tiny, pictures):
    exact = encoders.load(f"local-dir:{tiny}", precision="fp32")
    prepared = [exact.preprocess(image) for image in pictures]
    for precision, atol in [("fp32", 1e-5), ("fp16", 1e-2), ("bf16", 5e-2)]:
        encoder = encoders.load(f"local-dir:{tiny}", device="cuda", precision=precision)
        batch = encoder.collate(prepared)
        assert batch.is_pinned()
        np.testing.assert_allclose(encoder.encode(batch), exact.encode(prepared), atol=atol)
        assert precision == "fp32" or encoder.parity(prepared) > 0.999


# Parity


def test_parity_is_the_smallest_cosine_with_float32(tiny, pictures):
    full, half = (encoders.load(f"local-dir:{tiny}", precision=precision) for precision in ("fp32", "bf16"))
    prepared = [full.preprocess(image) for image in pictures]
    a, b = full.encode(prepared).astype(float), half.encode(prepared).astype(float)
    cosines = [x @ y / np.sqrt((x @ x) * (y @ y)) for x, y in zip(a, b, strict=True)]
    assert half.parity(prepared) == pytest.approx(min(cosines), abs=1e-12) and 0.999 < min(cosines) < 1
    assert half.parity(half.collate(prepared)) > 0.999
    assert full.parity(prepared) is None and encoders.load("pixels").parity([np.ones(768)]) is None


def test_parity_sees_a_network_that_goes_astray(tiny, pictures):
    half = encoders.load(f"local-dir:{tiny}", precision="bf16")
    prepared = [half.preprocess(image) for image in pictures]
    astray = replace(half, forward=lambda batch: half.forward(batch) + torch.eye(3, 24, dtype=torch.bfloat16))
    assert astray.parity(prepared) < 0.999
    overflows = replace(half, forward=lambda batch: half.forward(batch) * torch.inf)
    with pytest.raises(ModelError, match="its precision overflows: try fp32"):
        overflows.parity(prepared)


def test_parity_with_other_weights_is_none(tmp_path, pictures):
    folder = make_folder(tmp_path / "model")
    half = encoders.load(f"local-dir:{folder}", precision="bf16")
    make_folder(folder, seed=2)
    with pytest.raises(ModelError, match="its weights have changed since it was loaded"):
        half.parity([half.preprocess(image) for image in pictures])


rows = arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(1, 5)), elements=st.floats(-8, 8, width=16))


@settings(deadline=None, max_examples=50)
@given(rows, st.floats(0.5, 2))
def test_smallest_cosine_is_of_directions(a, scale):
    assert smallest_cosine(a, a) == pytest.approx(1)
    assert smallest_cosine(a, a * np.float32(scale)) == pytest.approx(1)
    other = a.copy()
    other[0] = -a[0]
    assert smallest_cosine(a, other) == pytest.approx(-1 if np.any(a[0]) else 1)
    other[0] = 0
    assert smallest_cosine(a, other) == pytest.approx(0 if np.any(a[0]) else 1)


# QuickGELU as SiLU


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**31), st.sampled_from([0.1, 1.0, 30.0]))
def test_folded_quickgelu_is_the_same_function(seed, scale):
    torch.manual_seed(seed)
    block = ResidualAttentionBlock(16, 2, act_layer=QuickGELU).eval()
    tokens = scale * torch.randn(2, 5, 16)
    with torch.inference_mode():
        expected, given = block.mlp(tokens), tokens.clone()
        _with_folded_quickgelu(block)
        found = block.mlp(tokens)
    assert torch.equal(tokens, given) and type(block.mlp.gelu) is torch.nn.SiLU
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5 * float(expected.abs().max()))


@pytest.mark.parametrize("precision, least", [("fp32", 1 - 1e-6), ("bf16", 0.999)])
def test_a_quickgelu_model_as_by_hand(tmp_path, pictures, precision, least):
    folder = make_folder(tmp_path / "quick", quick_gelu=True)
    encoder = encoders.load(f"local-dir:{folder}", precision=precision)
    model, _, transform = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    batch = torch.stack([transform(image) for image in pictures])
    with torch.no_grad():
        expected = model.eval().encode_image(batch).numpy()
        tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}", bpe_path=str(folder / "bpe_vocab.txt.gz"))
        told = model.encode_text(tokenizer(["the waves"])).numpy()
    assert smallest_cosine(encoder.encode(batch), expected) >= least
    assert smallest_cosine(encoder.encode_text(["the waves"]), told) >= least
    if precision == "fp32":
        np.testing.assert_allclose(encoder.encode(batch), expected, rtol=0, atol=1e-5 * np.abs(expected).max())
    assert encoder.record["activation"] == "quickgelu"


def test_gelu_is_left_alone():
    block = ResidualAttentionBlock(16, 2)
    before = {key: value.clone() for key, value in block.state_dict().items()}
    _with_folded_quickgelu(block)
    assert type(block.mlp.gelu) is torch.nn.GELU
    assert all(torch.equal(before[key], value) for key, value in block.state_dict().items())
