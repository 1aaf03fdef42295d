"""Layers of networks: the vectors that the libraries give between blocks, and one pass for all layers of a model."""

import pickle

import numpy as np
import open_clip
import pytest
import timm
import torch

from bioclip_probe import encoders
from bioclip_probe.errors import ModelError
from bioclip_probe.extraction.pipeline import ShardTask, encode_tasks
from bioclip_probe.extraction.settings import ExtractionSettings
from tests.support.model_folders import TINY, cached_snapshot, make_folder, picture, vectors_of

VIT, RESNET = "test_vit.r160_in1k", "test_resnet.r160_in1k"


def tokens_of_blocks(blocks, forward, batch, batch_first=True):
    """Return what each block returns, read by hooks."""
    found = []
    hooks = [block.register_forward_hook(lambda *a: found.append(a[2])) for block in blocks]
    with torch.no_grad():
        forward(batch)
    for hook in hooks:
        hook.remove()
    return [tokens if batch_first else tokens.transpose(0, 1) for tokens in found]


def test_layers_of_open_clip_are_what_its_blocks_return(tiny, pictures):
    model, _, transform = open_clip.create_model_and_transforms(f"local-dir:{tiny}")
    visual = model.eval().visual
    batch = torch.stack([transform(image) for image in pictures])
    tokens = tokens_of_blocks(visual.transformer.resblocks, visual, batch, visual.transformer.batch_first)
    for number, expected in enumerate(tokens, start=1):
        encoder = encoders.load(f"layer:{number}:local-dir:{tiny}")
        np.testing.assert_allclose(vectors_of(encoder, pictures), expected[:, 0], atol=1e-5)
        assert (encoder.record["layer"], encoder.record["pooling"], encoder.dimension) == (number, "cls", 32)
        assert (encoder.name, encoder.record["id"]) == (f"layer:{number}:local-dir:tiny",) * 2
        mean = encoders.load(f"layer:{number}:mean:local-dir:{tiny}")
        np.testing.assert_allclose(vectors_of(mean, pictures), expected[:, 1:].mean(1), atol=1e-5)
        explicit = encoders.load(f"layer:{number}:cls:local-dir:{tiny}")
        assert explicit.fingerprint == encoder.fingerprint != mean.fingerprint
        assert not encoder.has_text and not encoders.is_control(encoder.record)


def test_layers_of_timm_are_what_its_blocks_return(cache, pictures):
    for name in (VIT, RESNET):
        torch.manual_seed(0)
        model = timm.create_model(name, pretrained=False).eval()
        timm.models.save_for_hf(model, cached_snapshot(cache, f"timm/{name}"), safe_serialization=True)
        encoder = encoders.load(f"layer:2:timm:{name}")
        batch = torch.stack([encoder.preprocess(image) for image in pictures])
        with torch.no_grad():
            places, *_ = model.forward_intermediates(batch, indices=[1], intermediates_only=True)
        if name == VIT:
            tokens = tokens_of_blocks(model.blocks[:2], model, batch)[1]
            np.testing.assert_allclose(vectors_of(encoder, pictures), tokens[:, 0], atol=1e-5)
        else:
            assert encoder.record["pooling"] == "mean"
            np.testing.assert_allclose(vectors_of(encoder, pictures), places.mean((2, 3)), atol=1e-5)
            with pytest.raises(ModelError, match="it has no class token"):
                encoders.load(f"layer:2:cls:timm:{name}")
    hybrid = encoders.load(f"layer:2:mean:timm:{VIT}")
    n_prefix = model.num_prefix_tokens if hasattr(model, "num_prefix_tokens") else 1
    assert n_prefix >= 1 and vectors_of(hybrid, pictures).shape == (3, 64)


def test_all_layers_of_a_model_share_its_weights_and_one_pass(tiny):
    names = encoders.expand([f"layer:1-2:local-dir:{tiny}", f"layer:2:mean:local-dir:{tiny}"])
    layers = [encoders.load(name) for name in names]
    assert len({id(encoder.tap) for encoder in layers}) == 1
    passes = []
    visual = layers[0].tap.network.forward.__closure__
    model = next(cell.cell_contents for cell in visual if isinstance(cell.cell_contents, torch.nn.Module))
    model.visual.transformer.resblocks[0].register_forward_hook(lambda *_: passes.append(1))
    images = {str(seed): picture(seed) for seed in range(7)}
    task = ShardTask(0, list(images), list(images), (0, 1, 2))
    shards = list(encode_tasks(images.__getitem__, layers, [task], ExtractionSettings(workers=1, batch_size=4)))
    assert len(passes) == 2  # two batches
    for encoder, shard in zip(layers, shards, strict=True):
        np.testing.assert_allclose(shard.vectors, vectors_of(encoder, list(images.values())), atol=1e-5)


def test_a_layer_travels_as_its_recipe_and_compares_with_float32(tiny, pictures):
    encoder = encoders.load(f"layer:1:local-dir:{tiny}", precision="bf16")
    again = pickle.loads(pickle.dumps(encoder))
    assert again.fingerprint == encoder.fingerprint
    parity = encoder.parity([encoder.preprocess(image) for image in pictures])
    assert parity is not None and 0.999 < parity < 1


@pytest.mark.parametrize("name, message", [
    ("layer:3:local-dir:{}", "it has 2 blocks, so there is no layer 3; expected 1 to 2"),
    ("layer:0:local-dir:{}", "there is no layer 0"),
    ("layer:2:pixels", "it is not a network, so it has no layers"),
    ("layer:2:bioclop", "unknown model 'bioclop'"),
    ("layer:two:bioclip", "unknown model"),
    ("layer:1:custom:{}/none.py:Net", "there is no file"),
])  # fmt: skip
def test_a_layer_that_is_not_there_is_refused(tiny, name, message):
    with pytest.raises(ModelError, match=message) as caught:
        encoders.load(name.format(tiny))
    assert "\n" not in str(caught.value)


def test_ranges_of_layers_are_written_out():
    assert encoders.expand(["bioclip", "layer:1-2:mean:bioclip"]) == (
        "bioclip", "layer:1:mean:bioclip", "layer:2:mean:bioclip",
    )  # fmt: skip
    for wrong in ("layer:3-2:bioclip", "layer:1-100000:bioclip"):
        with pytest.raises(ModelError, match=r"is not a range of layers; expected layer:FIRST-LAST:MODEL"):
            encoders.expand([wrong])


def test_layers_of_random_weights_are_controls(tiny):
    name = f"layer:1:untrained:local-dir:{tiny}"
    assert encoders.is_control(encoders.load(name).record)
    assert encoders.controls_for([name]) == ["pixels", "color-histogram"]


@pytest.mark.slow
@pytest.mark.parametrize("width, layers, patch", [(768, 12, 16)])
def test_every_layer_of_a_model_of_full_size_equals_open_clip_by_hand(tmp_path, pictures, width, layers, patch):
    vision = {"image_size": 224, "layers": layers, "width": width, "patch_size": patch}
    folder = make_folder(tmp_path / "full", TINY | {"embed_dim": 512, "vision_cfg": vision})
    model, _, transform = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    visual = model.eval().visual
    batch = torch.stack([transform(image) for image in pictures])
    tokens = tokens_of_blocks(visual.transformer.resblocks, visual, batch, visual.transformer.batch_first)
    for name, expected in zip(encoders.expand([f"layer:1-{layers}:local-dir:{folder}"]), tokens, strict=True):
        np.testing.assert_allclose(
            vectors_of(encoders.load(name, precision="fp32"), pictures), expected[:, 0], atol=1e-4
        )
