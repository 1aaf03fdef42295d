"""Models of open_clip on tiny folders: the vectors that open_clip gives by hand, records, and ways to compute less."""

import json
import logging
import shutil
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import open_clip
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from open_clip.transformer import QuickGELU, ResidualAttentionBlock

from bioclip_probe import encoders
from bioclip_probe.encoders.encoder import smallest_cosine
from bioclip_probe.encoders.open_clip import _fold_quickgelu
from bioclip_probe.encoders.weights import sha256_of_weights
from bioclip_probe.errors import ModelError
from tests.support.model_folders import TINY, make_folder, picture, vectors_of


def by_hand(folder, images, **options):
    model, _, transform = open_clip.create_model_and_transforms(f"local-dir:{folder}", **options)
    with torch.no_grad():
        return model.eval().encode_image(torch.stack([transform(image) for image in images])).numpy()


def test_vectors_equal_open_clip_by_hand(tiny, pictures):
    vectors = vectors_of(encoders.load(f"local-dir:{tiny}"), pictures)
    np.testing.assert_array_equal(vectors, by_hand(tiny, pictures))
    assert vectors.dtype == np.float32 and not np.allclose(np.linalg.norm(vectors, axis=1), 1)


def test_a_folder_that_timm_can_read_too_counts_as_open_clips(tiny, tmp_path):
    folder = shutil.copytree(tiny, tmp_path / "both")
    (folder / "config.json").write_text('{"architecture": "vit_base_patch16_clip_224"}')
    (folder / "model.safetensors").write_bytes(b"timm's weights")
    assert encoders.load(f"local-dir:{folder}").fingerprint == encoders.load(f"local-dir:{tiny}").fingerprint


def test_the_record_holds_weights_preprocessing_and_versions(tiny):
    encoder = encoders.load(f"local-dir:{tiny}")
    record = json.loads(json.dumps(encoder.record))
    weights = tiny / "open_clip_model.safetensors"
    assert record["sha256"] == sha256_of_weights(weights) and record["files"] == {
        weights.name: sha256_of_weights(weights)
    }
    assert record["architecture"] == TINY and record["dimension"] == encoder.dimension == 24
    assert (record["activation"], record["precision"], record["device"]) == ("gelu", "fp32", "cpu")
    preprocessing = {"size": [32, 32], "mode": "RGB", "mean": [0.5, 0.4, 0.3], "std": [0.3, 0.2, 0.25]}
    preprocessing |= {"interpolation": "bilinear", "resize_mode": "squash", "fill_color": 0}
    assert record["preprocessing"] == preprocessing
    assert {"torch", "torchvision", "open_clip_torch", "pillow", "numpy"} == set(record["versions"])
    assert str(tiny.parent) not in json.dumps(record)
    assert len(encoder.fingerprint) == 12 and int(encoder.fingerprint, 16) >= 0


def test_the_fingerprint_covers_what_changes_the_numbers(tiny, tmp_path):
    changed = {}
    for case in ["weights", "preprocessing", "quickgelu in the config"]:
        changed[case] = shutil.copytree(tiny, tmp_path / case.replace(" ", "-"))
    make_folder(changed["weights"], seed=2)
    config = json.loads((tiny / "open_clip_config.json").read_text())
    config["preprocess_cfg"]["resize_mode"] = "shortest"
    (changed["preprocessing"] / "open_clip_config.json").write_text(json.dumps(config))
    make_folder(changed["quickgelu in the config"], quick_gelu=True)
    loaded = [encoders.load(f"local-dir:{folder}") for folder in [tiny, *changed.values()]]
    loaded += [encoders.load(f"local-dir:{tiny}", precision="bf16"), encoders.load(f"untrained:local-dir:{tiny}")]
    prints = [encoder.fingerprint for encoder in loaded]
    assert len(set(prints)) == len(prints)
    forced = encoders.load(f"quickgelu:local-dir:{tiny}")
    assert forced.record["activation"] == "quickgelu" and forced.fingerprint == prints[3]
    copy = shutil.copytree(tiny, tmp_path / "elsewhere")
    assert encoders.load(f"local-dir:{copy}").fingerprint == prints[0]


def test_a_changed_folder_is_loaded_again(tmp_path):
    folder = make_folder(tmp_path / "model")
    first = encoders.load(f"local-dir:{folder}").record["sha256"]
    make_folder(folder, seed=2)
    assert encoders.load(f"local-dir:{folder}").record["sha256"] != first


def test_threads_may_preprocess_at_once(tiny):
    images = [picture(seed, (40 + 7 * seed, 50)) for seed in range(12)]
    encoder = encoders.load(f"local-dir:{tiny}")
    transform = open_clip.create_model_and_transforms(f"local-dir:{tiny}")[2]
    with ThreadPoolExecutor(4) as threads:
        for ours, image in zip(threads.map(encoder.preprocess, images), images, strict=True):
            assert torch.equal(ours, transform(image)) and ours.dtype == torch.float32


SIZES = [(1, 1), (1, 300), (300, 1), (31, 33), (32, 32), (33, 500), (224, 224), (640, 427), (2000, 1500)]


@pytest.mark.slow
@pytest.mark.parametrize("resize_mode", ["squash", "shortest", "longest"])
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P", "1", "CMYK"])
def test_preprocessed_pixels_equal_those_of_open_clip_bit_for_bit(tiny, tmp_path, mode, resize_mode):
    folder = shutil.copytree(tiny, tmp_path / "model")
    config = json.loads((folder / "open_clip_config.json").read_text())
    config["preprocess_cfg"]["resize_mode"] = resize_mode
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    encoder = encoders.load(f"local-dir:{folder}")
    transform = open_clip.create_model_and_transforms(f"local-dir:{folder}")[2]
    for seed, size in enumerate(SIZES[3:] if resize_mode == "longest" else SIZES):  # a side of none is no picture
        image = picture(seed, size).convert(mode)
        batch = encoder.collate([encoder.preprocess(image)])
        assert torch.equal(batch, torch.stack([transform(image)])), size


def test_vectors_of_texts_equal_open_clip_by_hand(tiny):
    encoder = encoders.load(f"local-dir:{tiny}")
    texts = ["a photo of waves", "the oar", "these waves", ""]
    model = open_clip.create_model(f"local-dir:{tiny}").eval()
    tokenizer = open_clip.get_tokenizer(f"local-dir:{tiny}", bpe_path=str(tiny / "bpe_vocab.txt.gz"))
    with torch.no_grad():
        expected = model.encode_text(tokenizer(texts)).numpy()
    assert encoder.has_text
    np.testing.assert_allclose(encoder.encode_text(texts), expected, atol=1e-5)
    np.testing.assert_allclose(encoder.encode_text(texts, batch_size=3), expected, atol=1e-5)
    assert encoder.encode_text([]).shape == (0, 24)


def test_random_weights_are_seeded_and_leave_the_random_state_alone(tiny, pictures):
    name = f"untrained:local-dir:{tiny}"
    state = torch.random.get_rng_state()
    first = encoders.load(name)
    assert torch.equal(torch.random.get_rng_state(), state)
    vectors = vectors_of(first, pictures)
    encoders.clear_cache()
    torch.manual_seed(7)
    second = encoders.load(name)
    assert second.record["sha256"] == first.record["sha256"] != "" and second.fingerprint == first.fingerprint
    np.testing.assert_array_equal(vectors_of(second, pictures), vectors)
    assert np.abs(vectors - by_hand(tiny, pictures)).max() > 0.01


def load_fails(name, **options) -> str:
    with pytest.raises(ModelError) as caught:
        encoders.load(str(name), **options)
    line = str(caught.value)
    assert "\n" not in line and len(line) < 800
    return line


def test_weights_that_do_not_open_or_fit_are_refused(tmp_path):
    folder = make_folder(tmp_path / "cut")
    weights = folder / "open_clip_model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-5000])
    assert "cannot be built from" in load_fails(f"local-dir:{folder}")
    weights.write_bytes(content[:5000])
    assert "63,713 parameters; open_clip_model.safetensors with 5,000 bytes" in load_fails(f"local-dir:{folder}")
    other = make_folder(tmp_path / "other", config=TINY | {"embed_dim": 48})
    shutil.copy(other / "open_clip_model.safetensors", folder)
    assert "size mismatch" in load_fails(f"local-dir:{folder}")
    weights.unlink()
    for name in ["one.safetensors", "two.safetensors"]:
        shutil.copy(other / "open_clip_model.safetensors", folder / name)
    assert "several: one.safetensors, two.safetensors" in load_fails(f"local-dir:{folder}")


@pytest.mark.parametrize("utter", [
    lambda: warnings.warn("QuickGELU mismatch between final model config and tag", UserWarning, stacklevel=1),
    lambda: logging.warning("QuickGELU mismatch between final model config and tag"),
    lambda: logging.warning("No pretrained weights loaded for model 'x'. Model initialized randomly."),
    lambda: logging.warning("Model x initialized partially."),
])  # fmt: skip
def test_a_warning_that_the_model_is_another_one_is_an_error(tiny, monkeypatch, utter):
    create = open_clip.create_model
    monkeypatch.setattr(open_clip, "create_model", lambda *a, **k: (utter(), create(*a, **k))[1])
    assert "would not be the model of its name" in load_fails(f"local-dir:{tiny}")


def test_other_warnings_are_logged(tiny, monkeypatch, caplog):
    create = open_clip.create_model
    monkeypatch.setattr(
        open_clip, "create_model", lambda *a, **k: (warnings.warn("hm", stacklevel=1), create(*a, **k))[1]
    )
    encoders.load(f"local-dir:{tiny}")
    assert "tiny: hm" in caplog.text


@pytest.mark.parametrize("name", ["world-taxonomic", "world-generic", "world-subset", "world-untrained"])
def test_the_models_of_the_world_load(name, pictures):
    if len(list(encoders.WORLD.glob("world-*/open_clip_config.json"))) < 3:
        pytest.skip("the weights of the built-in world are not all made: python -m bioclip_probe.world.train")
    encoder = encoders.load(name)
    assert vectors_of(encoder, pictures).shape == (3, encoder.dimension)
    assert encoder.encode_text(["animal"]).shape == (1, encoder.dimension)
    assert encoder.name == name


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**31), st.sampled_from([0.1, 1.0, 30.0]))
def test_folded_quickgelu_is_the_same_function(seed, scale):
    torch.manual_seed(seed)
    block = ResidualAttentionBlock(16, 2, act_layer=QuickGELU).eval()
    tokens = scale * torch.randn(2, 5, 16)
    with torch.inference_mode():
        expected, given = block.mlp(tokens), tokens.clone()
        _fold_quickgelu(block)
        found = block.mlp(tokens)
    assert torch.equal(tokens, given) and type(block.mlp.gelu) is torch.nn.SiLU
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5 * float(expected.abs().max()))


@pytest.mark.parametrize("precision, least", [("fp32", 1 - 1e-6), ("bf16", 0.999)])
def test_a_quickgelu_model_equals_open_clip_by_hand(tmp_path, pictures, precision, least):
    folder = make_folder(tmp_path / "quick", quick_gelu=True)
    encoder = encoders.load(f"local-dir:{folder}", precision=precision)
    model, _, transform = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    batch = torch.stack([transform(image) for image in pictures])
    with torch.no_grad():
        expected = model.eval().encode_image(batch).numpy()
        tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}", bpe_path=str(folder / "bpe_vocab.txt.gz"))
        by_hand_text = model.encode_text(tokenizer(["the waves"])).numpy()
    assert smallest_cosine(encoder.encode(batch), expected) >= least
    assert smallest_cosine(encoder.encode_text(["the waves"]), by_hand_text) >= least
    if precision == "fp32":
        np.testing.assert_allclose(encoder.encode(batch), expected, rtol=0, atol=1e-5 * np.abs(expected).max())
    assert encoder.record["activation"] == "quickgelu"


def test_gelu_stays_unchanged():
    block = ResidualAttentionBlock(16, 2)
    before = {key: value.clone() for key, value in block.state_dict().items()}
    _fold_quickgelu(block)
    assert type(block.mlp.gelu) is torch.nn.GELU
    assert all(torch.equal(before[key], value) for key, value in block.state_dict().items())
