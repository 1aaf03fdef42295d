"""Controls that see a part of each picture: what is left of it, and whose vectors they give."""

import pickle

import numpy as np
import pytest
from PIL import Image

from bioclip_probe import encoders
from bioclip_probe.encoders.altered import background, scrambled, silhouette
from bioclip_probe.errors import ModelError, PictureError
from tests.support.model_folders import picture, vectors_of


def masked(seed=0, size=(80, 64)):
    image = picture(seed, size)
    shape = np.zeros((size[1], size[0]), np.uint8)
    shape[10:30, 20:50] = 255
    image.info["mask"] = Image.fromarray(shape)
    return image, shape > 0


def test_a_scrambled_picture_has_the_same_tiles_in_another_order():
    image = picture(1, (83, 70))
    tiles = [
        {np.asarray(part)[y : y + 8, x : x + 10].tobytes() for y in range(0, 64, 8) for x in range(0, 80, 10)}
        for part in (image, scrambled(image))
    ]
    assert tiles[0] == tiles[1] and scrambled(image).size == (80, 64)
    assert np.array_equal(np.asarray(scrambled(image)), np.asarray(scrambled(image.copy())))
    assert scrambled(picture(1, (7, 90))).size == (7, 90)


def test_a_silhouette_is_the_mask_and_a_background_lacks_the_organism():
    image, shape = masked()
    assert np.array_equal(np.asarray(silhouette(image))[..., 0] == 0, shape)
    left, given = np.asarray(background(image)), np.asarray(image)
    assert np.array_equal(left[~shape], given[~shape]) and len(np.unique(left[shape], axis=0)) == 1
    np.testing.assert_allclose(left[shape][0], given[~shape].mean(axis=0), atol=0.5)


def test_a_picture_without_a_fitting_mask_is_refused():
    for alter in (silhouette, background):
        with pytest.raises(PictureError, match="it has no mask; silhouette: and background: need a table"):
            alter(picture(0))
        wrong = picture(0)
        wrong.info["mask"] = Image.new("L", (3, 3))
        with pytest.raises(PictureError, match="another size than the picture: 3 x 3 and 90 x 70"):
            alter(wrong)


@pytest.mark.parametrize("kind", ["scrambled", "silhouette", "background"])
def test_vectors_are_those_of_the_model_for_altered_pictures(tiny, kind):
    images = [masked(seed)[0] for seed in range(3)]
    alter = {"scrambled": scrambled, "silhouette": silhouette, "background": background}[kind]
    model, control = encoders.load(f"local-dir:{tiny}"), encoders.load(f"{kind}:local-dir:{tiny}")
    np.testing.assert_array_equal(vectors_of(control, images), vectors_of(model, [alter(image) for image in images]))
    prepared = [control.portable_transform(image) for image in images]
    np.testing.assert_allclose(control.encode(control.collate(prepared)), vectors_of(control, images), atol=1e-5)
    assert (control.name, control.record["picture"]) == (f"{kind}:local-dir:tiny", kind)
    assert control.fingerprint != model.fingerprint and not control.has_text
    assert encoders.is_control(control.record) and not encoders.is_control(model.record)
    assert pickle.loads(pickle.dumps(control)).fingerprint == control.fingerprint
    assert pickle.dumps(control.portable_transform)


def test_a_statistic_of_the_picture_and_a_layer_can_be_altered_too(pictures):
    colors = encoders.load("scrambled:color-histogram")
    plain = encoders.load("color-histogram")
    np.testing.assert_allclose(vectors_of(colors, pictures), vectors_of(plain, pictures), atol=0.2)
    both = [encoders.load(name) for name in ("scrambled:layer:2:world-generic", "layer:2:scrambled:world-generic")]
    np.testing.assert_allclose(*(vectors_of(encoder, pictures) for encoder in both), atol=1e-5)
    assert both[0].fingerprint == both[1].fingerprint


def test_controls_of_a_comparison_do_not_count_as_networks():
    assert encoders.controls_for(["scrambled:bioclip"]) == ["pixels", "color-histogram"]
    with pytest.raises(ModelError, match="unknown model"):
        encoders.load("scrambled:bioclop")
