"""Networks as encoders: batches made ahead, exact convolutions, and parity with float32."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from bioclip_probe import encoders
from bioclip_probe.encoders import network
from bioclip_probe.errors import ModelError
from tests.support.model_folders import make_folder


@pytest.mark.slow
def test_a_batch_may_be_a_list_an_array_or_a_tensor(tiny, pictures):
    encoder = encoders.load(f"local-dir:{tiny}")
    batch = [encoder.preprocess(image) for image in pictures]
    expected = encoder.encode(batch)
    stacked = torch.stack(batch)
    for same in [stacked, stacked.numpy(), [one.numpy() for one in batch]]:
        np.testing.assert_array_equal(encoder.encode(same), expected)
    one_by_one = np.concatenate([encoder.encode([one]) for one in batch])
    np.testing.assert_allclose(one_by_one, expected, atol=1e-5)


@pytest.mark.parametrize("precision, dtype", [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_a_collated_batch_gives_the_vectors_of_the_list(tiny, pictures, precision, dtype):
    encoder = encoders.load(f"local-dir:{tiny}", precision=precision)
    prepared = [encoder.preprocess(image) for image in pictures]
    with ThreadPoolExecutor(1) as thread:
        batch = thread.submit(encoder.collate, prepared).result()
    assert batch.dtype == dtype and len(batch) == 3
    np.testing.assert_array_equal(encoder.encode(batch), encoder.encode(prepared))


def test_on_a_gpu_float32_convolutions_stay_float32():
    before = torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark
    with network._exact_convolutions():
        assert (torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark) == (False, True)
    assert (torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark) == before


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_a_gpu_gives_the_vectors_of_the_cpu(tiny, pictures):
    exact = encoders.load(f"local-dir:{tiny}", precision="fp32")
    prepared = [exact.preprocess(image) for image in pictures]
    for precision, atol in [("fp32", 1e-5), ("fp16", 1e-2), ("bf16", 5e-2)]:
        encoder = encoders.load(f"local-dir:{tiny}", device="cuda", precision=precision)
        batch = encoder.collate(prepared)
        assert batch.is_pinned()
        np.testing.assert_allclose(encoder.encode(batch), exact.encode(prepared), atol=atol)
        assert precision == "fp32" or encoder.parity(prepared) > 0.999


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_threads_may_give_bytes_to_a_gpu_at_once(tiny, pictures):
    exact = encoders.load(f"local-dir:{tiny}", precision="fp32")
    encoder = encoders.load(f"local-dir:{tiny}", device="cuda", precision="fp32")
    pixels = [encoder.portable_transform(image) for image in pictures]
    values = encoder.split.normalization(torch.from_numpy(np.stack(pixels)).cuda()).cpu()
    assert torch.equal(values, torch.stack([exact.preprocess(image) for image in pictures]))
    batch = encoder.collate(pixels)
    assert batch.is_pinned() and batch.dtype == torch.uint8
    with ThreadPoolExecutor(3) as threads:
        for vectors in threads.map(encoder.encode, [batch] * 12):
            np.testing.assert_allclose(vectors, exact.encode(pixels), atol=1e-5)


def test_parity_is_the_smallest_cosine_with_float32(tiny, pictures):
    full, half = (encoders.load(f"local-dir:{tiny}", precision=precision) for precision in ("fp32", "bf16"))
    prepared = [full.preprocess(image) for image in pictures]
    a, b = full.encode(prepared).astype(float), half.encode(prepared).astype(float)
    cosines = [x @ y / np.sqrt((x @ x) * (y @ y)) for x, y in zip(a, b, strict=True)]
    assert half.parity(prepared) == pytest.approx(min(cosines), abs=1e-12) and 0.999 < min(cosines) < 1
    assert half.parity(half.collate(prepared)) > 0.999
    assert full.parity(prepared) is None and encoders.load("pixels").parity([np.ones(768)]) is None


def test_parity_shows_a_network_that_computes_something_else(tiny, pictures):
    half = encoders.load(f"local-dir:{tiny}", precision="bf16")
    prepared = [half.preprocess(image) for image in pictures]
    astray = replace(half, forward=lambda batch: half.forward(batch) + torch.eye(3, 24, dtype=torch.bfloat16))
    assert astray.parity(prepared) < 0.999
    overflows = replace(half, forward=lambda batch: half.forward(batch) * torch.inf)
    with pytest.raises(ModelError, match="its precision overflows: try fp32"):
        overflows.parity(prepared)


def test_parity_with_other_weights_is_refused(tmp_path, pictures):
    folder = make_folder(tmp_path / "model")
    half = encoders.load(f"local-dir:{folder}", precision="bf16")
    make_folder(folder, seed=2)
    with pytest.raises(ModelError, match="its weights have changed since it was loaded"):
        half.parity([half.preprocess(image) for image in pictures])


def test_a_text_without_finite_vector_is_refused(tiny, tmp_path):
    folder = shutil.copytree(tiny, tmp_path / "nan")
    state = load_file(folder / "open_clip_model.safetensors")
    state["text_projection"] = state["text_projection"].clone().fill_(float("nan"))
    save_file(state, folder / "open_clip_model.safetensors")
    with pytest.raises(ModelError, match="NaN or infinite values for 2 of 2 texts"):
        encoders.load(f"local-dir:{folder}").encode_text(["a bird", "a fish"])


def test_a_batch_that_does_not_fit_into_the_memory_is_encoded_in_halves(tiny, pictures):
    encoder = encoders.load(f"local-dir:{tiny}")
    sizes = []

    def forward(batch):
        sizes.append(len(batch))
        if len(batch) > limit:
            raise torch.OutOfMemoryError
        return encoder.forward(batch)

    small = replace(encoder, forward=forward)
    prepared = [encoder.preprocess(image) for image in [*pictures, *pictures]]
    limit = 2
    np.testing.assert_allclose(small.encode(prepared), encoder.encode(prepared), atol=1e-6)
    assert sizes == [6, 3, 1, 2, 3, 1, 2]
    limit = 0
    with pytest.raises(torch.OutOfMemoryError):
        small.encode(prepared)
