"""Models of timm, on a tiny one: from a folder and from the hub's cache."""

import json

import numpy as np
import pytest
import timm
import torch

from bioclip_probe import encoders
from bioclip_probe.errors import ModelError
from tests.support.model_folders import cached_snapshot, picture, vectors_of

NAME = "test_vit.r160_in1k"


@pytest.fixture
def model():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return timm.create_model(NAME, pretrained=False).eval()


def by_hand(model, images):
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model), is_training=False)
    model.reset_classifier(0)
    with torch.no_grad():
        return model(torch.stack([transform(image) for image in images])).numpy()


def test_the_cache_of_the_hub_gives_the_vectors_of_timm_by_hand(cache, model, pictures):
    folder = cached_snapshot(cache, f"timm/{NAME}")
    timm.models.save_for_hf(model, folder, safe_serialization=True)
    encoder = encoders.load(f"timm:{NAME}")
    np.testing.assert_allclose(vectors_of(encoder, pictures), by_hand(model, pictures), atol=1e-6)
    record = json.loads(json.dumps(encoder.record))
    assert (encoder.name, record["family"], record["architecture"]) == (NAME, "timm", "test_vit")
    assert record["revision"] == folder.name and list(record["files"]) == ["model.safetensors"]
    assert record["preprocessing"]["input_size"] == [3, 160, 160] and record["preprocessing"]["crop_pct"] == 0.95
    with pytest.raises(ModelError, match="no text tower"):
        encoder.encode_text(["a bird"])


def test_a_folder_of_timm_gives_the_vectors_of_timm_by_hand(tmp_path, model, pictures):
    timm.models.save_for_hf(model, tmp_path / "mine", safe_serialization=False)
    encoder = encoders.load(f"local-dir:{tmp_path / 'mine'}")
    np.testing.assert_allclose(vectors_of(encoder, pictures), by_hand(model, pictures), atol=1e-6)
    assert (encoder.name, encoder.record["id"], encoder.has_text) == ("mine", "local-dir:mine", False)
    half = vectors_of(encoders.load(f"local-dir:{tmp_path / 'mine'}", precision="bf16"), pictures)
    full = vectors_of(encoder, pictures)
    assert ((half * full).sum(1) / np.linalg.norm(half, axis=1) / np.linalg.norm(full, axis=1)).min() > 0.999


@pytest.mark.slow
def test_preprocessed_pixels_equal_those_of_timm_bit_for_bit(tmp_path, model):
    timm.models.save_for_hf(model, tmp_path / "mine", safe_serialization=True)
    encoder = encoders.load(f"local-dir:{tmp_path / 'mine'}")
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model), is_training=False)
    for seed, size in enumerate([(1, 1), (1, 300), (300, 2), (159, 161), (160, 160), (640, 427), (2000, 1500)]):
        assert torch.equal(encoder.preprocess(picture(seed, size)), transform(picture(seed, size))), size


def test_a_model_that_cannot_be_had_is_refused(cache, tmp_path):
    with pytest.raises(ModelError, match=r"timm has no pretrained model 'resnet5'; nearest: resnet50"):
        encoders.load("timm:resnet5")
    with pytest.raises(ModelError, match=r"cannot be reached .*local-dir:PATH"):
        encoders.load("dinov3")
    (tmp_path / "config.json").write_text('{"architecture": "test_vit"}')
    with pytest.raises(ModelError, match=r"no weights file .*expected model.safetensors"):
        encoders.load(f"local-dir:{tmp_path}")
