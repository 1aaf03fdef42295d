"""Models of torchvision, with random weights in the cache of torch.hub: their vectors before the last layer."""

import json

import numpy as np
import pytest
import torch
from torchvision import models

from bioclip_probe import encoders
from bioclip_probe.encoders import torchvision
from bioclip_probe.encoders.hub import without_downloads
from bioclip_probe.errors import ModelError
from tests.support.model_folders import picture, vectors_of


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """An empty cache of torch.hub, in which a file may have any content."""
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    monkeypatch.setattr(torchvision, "_hash_in_name", lambda _: "")
    return tmp_path


def cached(hub, name, weights=None):
    """Put random weights of a model into the cache, and return the model."""
    torch.manual_seed(0)
    weights = models.get_model_weights(name)[weights] if weights else models.get_model_weights(name).DEFAULT
    options = {"init_weights": True} if name in ("googlenet", "inception_v3") else {}
    model = models.get_model(name, weights=None, **options).eval()
    path = hub / "checkpoints" / weights.url.rpartition("/")[2]
    path.parent.mkdir(exist_ok=True)
    torch.save(model.state_dict(), path)
    return model, weights.transforms()


def inputs_of(layer, model, batch):
    """Return what enters a layer, read by a hook."""
    found = []
    layer.register_forward_pre_hook(lambda _, given: found.append(given[0]))
    with torch.no_grad():
        model(batch)
    return found[0].flatten(1).numpy()


LAST = {
    "resnet18": lambda model: model.fc,
    "mobilenet_v3_small": lambda model: model.classifier[3],
    "shufflenet_v2_x0_5": lambda model: model.fc,
}


@pytest.mark.parametrize("name", LAST)
def test_vectors_are_what_enters_the_last_layer(hub, pictures, name):
    model, transform = cached(hub, name)
    encoder = encoders.load(f"torchvision:{name}")
    batch = torch.stack([transform(image) for image in pictures])
    np.testing.assert_allclose(
        vectors_of(encoder, pictures), inputs_of(LAST[name](model), model, batch), rtol=1e-4, atol=1e-5
    )
    assert encoder.dimension == LAST[name](model).in_features and not encoder.has_text


def test_the_record_names_weights_and_preprocessing(hub):
    cached(hub, "resnet18")
    encoder = encoders.load("torchvision:resnet18")
    named = encoders.load("torchvision:resnet18.IMAGENET1K_V1")
    record = json.loads(json.dumps(encoder.record))
    assert record["id"] == "torchvision:resnet18.IMAGENET1K_V1" and record["family"] == "torchvision"
    assert record["preprocessing"] == {
        "resize_size": [256], "crop_size": [224], "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225],
        "interpolation": "bilinear",
    }  # fmt: skip
    assert list(record["files"]) == ["resnet18-f37072fd.pth"] and named.fingerprint == encoder.fingerprint
    assert (encoder.name, named.name) == ("torchvision:resnet18", "torchvision:resnet18.IMAGENET1K_V1")


def test_preprocessed_pixels_equal_those_of_torchvision_bit_for_bit(hub):
    _, transform = cached(hub, "resnet18")
    encoder = encoders.load("torchvision:resnet18")
    assert encoder.split is not None
    for seed, size in enumerate([(1, 1), (300, 2), (225, 224), (640, 427)]):
        assert torch.equal(encoder.preprocess(picture(seed, size)), transform(picture(seed, size))), size


@pytest.mark.parametrize("name, message", [
    ("resnet5", "torchvision has no model 'resnet5'; nearest: resnet50"),
    ("resnet18.IMAGENET1K_V9", "no weights 'IMAGENET1K_V9' of resnet18; expected IMAGENET1K_V1"),
    ("fcn_resnet50", "torchvision has no model 'fcn_resnet50'"),
])  # fmt: skip
def test_names_that_torchvision_does_not_know_are_refused(name, message):
    with pytest.raises(ModelError, match=message):
        encoders.load(f"torchvision:{name}")


def test_weights_that_cannot_be_had_or_are_damaged_are_refused(hub, monkeypatch):
    monkeypatch.setattr(torch.hub, "download_url_to_file", lambda *_, **__: (_ for _ in ()).throw(OSError("no route")))
    with pytest.raises(ModelError, match=r"cannot be downloaded \(OSError: no route\); copy the file to"):
        encoders.load("torchvision:resnet18")
    with without_downloads(), pytest.raises(ModelError, match="is not in the cache"):
        encoders.load("torchvision:resnet18")
    cached(hub, "resnet18")
    monkeypatch.setattr(torchvision, "_hash_in_name", lambda _: "f37072fd")
    with pytest.raises(ModelError, match=r"is damaged: its sha256 begins with .*its name says f37072fd"):
        encoders.load("torchvision:resnet18")


@pytest.mark.slow
@pytest.mark.parametrize("name, last", [
    ("vit_b_16", lambda model: model.heads.head), ("resnet50", lambda model: model.fc),
    ("convnext_tiny", lambda model: model.classifier[2]), ("densenet121", lambda model: model.classifier),
    ("inception_v3", lambda model: model.fc), ("vgg11", lambda model: model.classifier[6]),
    ("swin_v2_t", lambda model: model.head), ("efficientnet_b0", lambda model: model.classifier[1]),
])  # fmt: skip
def test_models_of_full_size_equal_torchvision_by_hand(hub, pictures, name, last):
    model, transform = cached(hub, name)
    if name == "inception_v3":
        model.transform_input = True  # as its pretrained weights ask
    encoder = encoders.load(f"torchvision:{name}", precision="fp32")
    batch = torch.stack([transform(image) for image in pictures])
    np.testing.assert_allclose(
        vectors_of(encoder, pictures), inputs_of(last(model), model, batch), rtol=1e-3, atol=1e-4
    )
