"""`unprojected:MODEL`: the vectors of an image tower before its projection to the space shared with text."""

import json

import numpy as np
import open_clip
import pytest
import torch

from bioclip_probe import encoders
from bioclip_probe.errors import ModelError
from tests.support.model_folders import TINY, make_folder, vectors_of

TIMM = {"image_size": 160, "timm_model_name": "test_vit", "timm_model_pretrained": False, "timm_pool": ""}


RESNET = {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8, "head_width": 8}


def by_hand(folder, images, strip, **options):
    model, _, transform = open_clip.create_model_and_transforms(f"local-dir:{folder}", **options)
    strip(model.visual)
    with torch.no_grad():
        return model.eval().encode_image(torch.stack([transform(image) for image in images])).numpy()


def test_a_vision_transformer_equals_open_clip_by_hand(tiny, pictures):
    encoder, projected = encoders.load(f"unprojected:local-dir:{tiny}"), encoders.load(f"local-dir:{tiny}")
    vectors = vectors_of(encoder, pictures)
    np.testing.assert_array_equal(vectors, by_hand(tiny, pictures, lambda visual: setattr(visual, "proj", None)))
    assert vectors.shape == (3, 32) and encoder.dimension == 32 and projected.dimension == 24
    with torch.no_grad():
        matrix = open_clip.create_model(f"local-dir:{tiny}").visual.proj.numpy()
    np.testing.assert_allclose(vectors @ matrix, vectors_of(projected, pictures), atol=1e-5)


def test_its_record_says_so(tiny):
    encoder, projected = encoders.load(f"unprojected:local-dir:{tiny}"), encoders.load(f"local-dir:{tiny}")
    assert encoder.fingerprint != projected.fingerprint and encoder.record["sha256"] == projected.record["sha256"]
    record = json.loads(json.dumps(encoder.record))
    assert (encoder.name, record["id"]) == (f"unprojected:local-dir:{tiny.name}",) * 2
    assert record["architecture"] == TINY | {"unprojected": True} and record["text"] is encoder.has_text is False
    with pytest.raises(ModelError, match="has no text tower"):
        encoder.encode_text(["the waves"])


@pytest.mark.slow
@pytest.mark.parametrize("projection", ["linear", "mlp"])
def test_a_tower_of_timm_equals_open_clip_by_hand(tmp_path, pictures, projection):
    folder = make_folder(tmp_path / "timm", config=TINY | {"vision_cfg": TIMM | {"timm_proj": projection}})
    encoder = encoders.load(f"unprojected:local-dir:{folder}")
    expected = by_hand(folder, pictures, lambda visual: setattr(visual, "head", torch.nn.Identity()))
    np.testing.assert_array_equal(vectors_of(encoder, pictures), expected)
    assert encoder.dimension == expected.shape[1] == 64


def test_wrappers_may_follow_one_another(tmp_path, pictures):
    folder = make_folder(tmp_path / "tiny")
    both = encoders.load(f"unprojected:quickgelu:local-dir:{folder}")
    other = encoders.load(f"quickgelu:unprojected:local-dir:{folder}")
    assert both.fingerprint == other.fingerprint and both.record["activation"] == "quickgelu" and both.dimension == 32
    assert encoders.load(f"unprojected:untrained:local-dir:{folder}").record["sha256"] != both.record["sha256"]
    assert encoders.resolve("unprojected:quickgelu:bioclip")[1] == "unprojected:quickgelu:hf-hub:imageomics/bioclip"


@pytest.mark.parametrize("tower, kind", [
    (RESNET, "ModifiedResNet"),
    (TIMM | {"timm_proj": "none"}, "TimmModel"),
    (TIMM | {"timm_proj": None}, "TimmModel"),
])  # fmt: skip
def test_a_tower_whose_projection_does_not_stand_apart_is_refused(tmp_path, tower, kind):
    folder = make_folder(tmp_path / "joined", config=TINY | {"vision_cfg": tower})
    with pytest.raises(ModelError, match=rf"image tower \({kind}\) has no projection that stands apart") as caught:
        encoders.load(f"unprojected:local-dir:{folder}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["unprojected:pixels", "unprojected:timm:resnet50.a1_in1k", "unprojected:zzz"])
def test_other_models_are_refused(name):
    with pytest.raises(ModelError, match=r"is not an open_clip model that this can be done to|no architecture"):
        encoders.load(name)
