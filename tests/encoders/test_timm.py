"""Models of timm, on a tiny one: from a folder and from the hub's cache."""

import json

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

from bioclip_probe import encoders
from bioclip_probe.encoders.timm import default_pooling
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


def dinov3(folder, image_size=32, **arguments):
    """Write a folder of timm with DINOv3's architecture, small, and random weights; return the network."""
    arguments = {"depth": 2, "embed_dim": 64, "num_heads": 2, "img_size": image_size} | arguments
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = timm.create_model("vit_small_patch16_dinov3", **arguments).eval()
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.2)
    timm.models.save_for_hf(model, folder, model_args=arguments, safe_serialization=True)
    config = json.loads((folder / "config.json").read_text())
    config["model_args"].pop("global_pool", None)  # as in the folders on the hub
    config["pretrained_cfg"]["input_size"] = [3, image_size, image_size]
    (folder / "config.json").write_text(json.dumps(config))
    return model


def tokens_by_hand(model, encoder, images):
    with torch.no_grad():
        return model.forward_features(torch.stack([encoder.preprocess(image) for image in images]))


def test_dinov3_gives_the_class_token_as_its_authors_do(tmp_path, pictures):
    model = dinov3(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["global_pool"] == "avg"  # timm's default
    encoder = encoders.load(f"local-dir:{tmp_path}")
    tokens = tokens_by_hand(model, encoder, pictures)  # the last step of `forward_features` is the norm
    np.testing.assert_allclose(vectors_of(encoder, pictures), tokens[:, 0].numpy(), atol=1e-5)
    assert encoder.record["pooling"] == "token"
    (tmp_path / "config.json").write_text(
        (tmp_path / "config.json").read_text().replace('"model_args": {', '"model_args": {"global_pool": "avg", ')
    )
    average = encoders.load(f"local-dir:{tmp_path}")
    np.testing.assert_allclose(vectors_of(average, pictures), tokens[:, 5:].mean(1).numpy(), atol=1e-5)
    assert average.record["pooling"] == "avg" and average.fingerprint != encoder.fingerprint


@pytest.mark.parametrize("architecture", timm.list_models(["vit*dinov3*", "*sapiens2*"]))
def test_every_architecture_of_dinov3_takes_the_class_token(architecture):
    assert default_pooling(architecture) == default_pooling(f"{architecture}.any_tag") == "token"


def test_other_architectures_keep_the_pooling_of_timm():
    others = set(timm.list_models()) - set(timm.list_models(["vit*dinov3*", "*sapiens2*"]))
    assert not any(default_pooling(architecture) for architecture in others)


def test_the_pooling_is_recorded_and_can_be_asked_for(cache, pictures):
    name = "test_resnet.r160_in1k"
    for each in (NAME, name):
        model = timm.create_model(each, pretrained=False).eval()
        timm.models.save_for_hf(model, cached_snapshot(cache, f"timm/{each}"), safe_serialization=True)
    assert encoders.load(f"timm:{NAME}").record["pooling"] == "token"
    default, average, largest = (encoders.load(f"timm:{name}{pooling}") for pooling in ("", ":avg", ":max"))
    assert default.record["pooling"] == "avg" and average.fingerprint == default.fingerprint
    assert largest.record["pooling"] == "max" and largest.fingerprint != default.fingerprint
    assert not np.allclose(vectors_of(largest, pictures), vectors_of(default, pictures))
    assert largest.name == f"{name}:max"
    with pytest.raises(ModelError, match=r"unknown pooling 'mean'; expected timm:NAME or timm:NAME:token\|avg\|max"):
        encoders.load(f"timm:{name}:mean")
    with pytest.raises(ModelError, match=r"lacks weights of the network: Missing keys \(fc_norm"):
        encoders.load(f"timm:{NAME}:max")  # which normalises after pooling, with weights that nobody trained


def test_weights_that_the_file_lacks_are_an_error(tmp_path):
    model = timm.create_model(NAME, num_classes=10)
    timm.models.save_for_hf(model, tmp_path, safe_serialization=True)
    state = {key: value for key, value in model.state_dict().items() if key != "blocks.1.norm1.weight"}
    save_file(state, tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match=r"lacks weights of the network: .*blocks.1.norm1.weight|cannot be built"):
        encoders.load(f"local-dir:{tmp_path}")


@pytest.mark.slow
def test_dinov3_at_full_size_equals_timm_by_hand(cache, pictures):
    name = "vit_base_patch16_dinov3.lvd1689m"
    torch.manual_seed(0)
    model = timm.create_model(name, pretrained=False).eval()
    timm.models.save_for_hf(model, cached_snapshot(cache, f"timm/{name}"), safe_serialization=True)
    encoder = encoders.load("dinov3", precision="fp32")
    tokens = tokens_by_hand(model, encoder, pictures)
    np.testing.assert_allclose(vectors_of(encoder, pictures), tokens[:, 0].numpy(), atol=1e-5)
    assert (encoder.record["pooling"], encoder.dimension) == ("token", 768)
