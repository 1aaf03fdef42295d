"""bioclip_probe.encoders.open_clip, on tiny models in local folders."""

import itertools
import json
import logging
import shutil
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import open_clip
import pytest
import torch

from bioclip_probe import encoders
from bioclip_probe.encoders import open_clip as family
from bioclip_probe.encoders.weights import OPEN_CLIP_FILES, sha256, weights_file
from bioclip_probe.errors import ModelError
from tests.encoders.conftest import TINY, make_folder, picture


def by_hand(folder, images, **options):
    model, _, transform = open_clip.create_model_and_transforms(f"local-dir:{folder}", **options)
    with torch.no_grad():
        return model.eval().encode_image(torch.stack([transform(image) for image in images])).numpy()


def vectors_of(encoder, images):
    return encoder.encode([encoder.preprocess(image) for image in images])


def test_same_vectors_as_open_clip_by_hand(tiny, pictures):
    vectors = vectors_of(encoders.load(f"local-dir:{tiny}"), pictures)
    np.testing.assert_array_equal(vectors, by_hand(tiny, pictures))
    assert vectors.dtype == np.float32 and not np.allclose(np.linalg.norm(vectors, axis=1), 1)


def test_a_folder_that_timm_could_read_too_is_open_clips(tiny, tmp_path):
    folder = shutil.copytree(tiny, tmp_path / "both")
    (folder / "config.json").write_text('{"architecture": "vit_base_patch16_clip_224"}')
    (folder / "model.safetensors").write_bytes(b"timm's weights")
    assert encoders.load(f"local-dir:{folder}").fingerprint == encoders.load(f"local-dir:{tiny}").fingerprint


def test_the_record(tiny):
    encoder = encoders.load(f"local-dir:{tiny}")
    record = json.loads(json.dumps(encoder.record))
    weights = tiny / "open_clip_model.safetensors"
    assert record["sha256"] == sha256(weights) and record["files"] == {weights.name: sha256(weights)}
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


def test_a_changed_folder_is_loaded_anew(tmp_path):
    folder = make_folder(tmp_path / "model")
    first = encoders.load(f"local-dir:{folder}").record["sha256"]
    make_folder(folder, seed=2)
    assert encoders.load(f"local-dir:{folder}").record["sha256"] != first


def test_preprocess_is_the_models_own_and_may_be_threaded(tiny):
    images = [picture(seed, (40 + 7 * seed, 50)) for seed in range(12)]
    encoder = encoders.load(f"local-dir:{tiny}")
    transform = open_clip.create_model_and_transforms(f"local-dir:{tiny}")[2]
    with ThreadPoolExecutor(4) as threads:
        for ours, image in zip(threads.map(encoder.preprocess, images), images, strict=True):
            assert torch.equal(ours, transform(image)) and ours.dtype == torch.float32


SIZES = [(1, 1), (1, 300), (300, 1), (31, 33), (32, 32), (33, 500), (224, 224), (640, 427), (2000, 1500)]


@pytest.mark.parametrize("resize_mode", ["squash", "shortest", "longest"])
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P", "1", "CMYK"])
def test_pixels_are_bit_for_bit_open_clips(tiny, tmp_path, mode, resize_mode):
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


def test_batches_may_be_lists_arrays_or_stacked(tiny, pictures):
    encoder = encoders.load(f"local-dir:{tiny}")
    batch = [encoder.preprocess(image) for image in pictures]
    expected = encoder.encode(batch)
    stacked = torch.stack(batch)
    for same in [stacked, stacked.numpy(), [one.numpy() for one in batch]]:
        np.testing.assert_array_equal(encoder.encode(same), expected)
    one_by_one = np.concatenate([encoder.encode([one]) for one in batch])
    np.testing.assert_allclose(one_by_one, expected, atol=1e-5)


def test_text_as_by_hand(tiny):
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


def test_untrained_is_seeded_and_leaves_the_dice_alone(tiny, pictures):
    name = f"untrained:local-dir:{tiny}"
    state = torch.random.get_rng_state()
    first = encoders.load(name)
    assert torch.equal(torch.random.get_rng_state(), state)
    vectors = vectors_of(first, pictures)
    encoders.forget()
    torch.manual_seed(7)
    second = encoders.load(name)
    assert second.record["sha256"] == first.record["sha256"] != "" and second.fingerprint == first.fingerprint
    np.testing.assert_array_equal(vectors_of(second, pictures), vectors)
    assert np.abs(vectors - by_hand(tiny, pictures)).max() > 0.01


def test_a_folder_without_weights_can_be_untrained_only(tmp_path, pictures):
    folder = make_folder(tmp_path / "bare", weights="")
    with pytest.raises(ModelError, match=r"holds no weights file .*expected open_clip_model.safetensors"):
        encoders.load(f"local-dir:{folder}")
    assert encoders.load(f"untrained:local-dir:{folder}").encode(torch.zeros(1, 3, 32, 32)).shape == (1, 24)


def test_the_weights_hashed_are_the_weights_open_clip_takes(tmp_path):
    from open_clip.factory import _find_checkpoint_in_dir

    for number, names in enumerate(itertools.combinations(OPEN_CLIP_FILES, 2)):
        folder = tmp_path / str(number)
        folder.mkdir()
        for name in names:
            (folder / name).touch()
        assert str(weights_file(folder, OPEN_CLIP_FILES)) == _find_checkpoint_in_dir(folder)


# What cannot be loaded: one clear line each


def load_fails(name, **options) -> str:
    with pytest.raises(ModelError) as caught:
        encoders.load(str(name), **options)
    line = str(caught.value)
    assert "\n" not in line and len(line) < 800
    return line


def test_folders_that_are_no_models(tmp_path):
    assert "no model folder" in load_fails(f"local-dir:{tmp_path / 'none'}")
    assert "has no open_clip_config.json" in load_fails(f"local-dir:{tmp_path}")
    (tmp_path / "open_clip_config.json").write_text("{")
    assert "no open_clip configuration" in load_fails(f"local-dir:{tmp_path}")
    (tmp_path / "open_clip_config.json").write_text('{"embed_dim": 24}')
    assert "no open_clip configuration: KeyError: 'model_cfg'" in load_fails(f"local-dir:{tmp_path}")


def test_weights_that_do_not_open_or_fit(tmp_path):
    folder = make_folder(tmp_path / "cut")
    weights = folder / "open_clip_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    assert "cannot be built from" in load_fails(f"local-dir:{folder}")
    other = make_folder(tmp_path / "other", config=TINY | {"embed_dim": 48})
    shutil.copy(other / "open_clip_model.safetensors", folder)
    assert "size mismatch" in load_fails(f"local-dir:{folder}")
    weights.unlink()
    for name in ["one.safetensors", "two.safetensors"]:
        shutil.copy(other / "open_clip_model.safetensors", folder / name)
    assert "several: one.safetensors, two.safetensors" in load_fails(f"local-dir:{folder}")


class Evil:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return (open, (str(self.mark), "w"))


def test_a_pickle_that_would_run_code_is_refused(tmp_path, pictures):
    folder = make_folder(tmp_path / "pickled", weights="open_clip_pytorch_model.bin")
    np.testing.assert_array_equal(vectors_of(encoders.load(f"local-dir:{folder}"), pictures), by_hand(folder, pictures))
    for zipped in [True, False]:
        torch.save(
            {"state_dict": Evil(tmp_path / "mark")},
            folder / "open_clip_pytorch_model.bin",
            _use_new_zipfile_serialization=zipped,
        )
        encoders.forget()
        assert "damaged or holds more than weights" in load_fails(f"local-dir:{folder}")
        assert not (tmp_path / "mark").exists()


def test_a_config_that_would_run_code_is_refused(tmp_path):
    tokenizer = {"hf_tokenizer_name": "some/where", "tokenizer_kwargs": {"trust_remote_code": True}}
    folder = make_folder(tmp_path / "trusting")
    config = json.loads((folder / "open_clip_config.json").read_text())
    config["model_cfg"]["text_cfg"] |= tokenizer
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    assert "trust_remote_code" in load_fails(f"local-dir:{folder}")


@pytest.mark.parametrize("tower", ["evil/tower", "./tower", "xlm-roberta-base/../evil"])
def test_a_text_tower_from_elsewhere_is_refused(tmp_path, monkeypatch, tower):
    folder = make_folder(tmp_path / "tower")
    config = TINY | {"text_cfg": {"hf_model_name": tower, "hf_pooler_type": "mean_pooler"}}
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config}))
    monkeypatch.setattr(open_clip, "create_model", lambda *_, **__: pytest.fail("built"))
    assert f"built from another repository ({tower}), which may bring code" in load_fails(f"local-dir:{folder}")


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
def test_a_tokenizer_that_brings_code_is_refused(tmp_path, file):
    folder = make_folder(tmp_path / "tokens")
    (folder / file).write_text(json.dumps({"auto_map": {"AutoTokenizer": ["mine.Tokenizer", None]}}))
    assert f"{file} asks to run code that comes with it (auto_map)" in load_fails(f"local-dir:{folder}")


def test_text_towers_of_open_clip_itself_are_known():
    towers = family._text_towers_of_open_clip()
    assert {"xlm-roberta-base", "roberta-base"} <= towers and all(isinstance(tower, str) for tower in towers)


@pytest.mark.parametrize("config", [
    ["x"],
    {"text_cfg": "x"},
    {"text_cfg": ["x"]},
    {"text_cfg": {"tokenizer_kwargs": "x"}},
    {"text_cfg": {"hf_model_name": ["x"]}},
])  # fmt: skip
def test_a_config_of_another_form(tmp_path, config):
    folder = make_folder(tmp_path / "odd")
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config}))
    assert "a table is expected" in load_fails(f"local-dir:{folder}") or "x" in config["text_cfg"]["hf_model_name"]


def test_every_quickgelu_mismatch_is_refused_before_any_download(monkeypatch):
    monkeypatch.setattr(family, "hub_weights", lambda *_: pytest.fail("asked the hub"))
    refused = 0
    for architecture, tag in open_clip.list_pretrained():
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            monkeypatch.setattr(
                "open_clip.factory.download_pretrained", lambda *_, **__: (_ for _ in ()).throw(OSError)
            )
        trained = open_clip.get_pretrained_cfg(architecture, tag).get("quick_gelu", False)
        built = open_clip.get_model_config(architecture).get("quick_gelu", False)
        if trained != built:
            assert "QuickGELU mismatch" in load_fails(f"{architecture}/{tag}")
            refused += 1
        assert not warned
    assert refused > 20
    assert load_fails("ViT-B-16/openai").endswith("use ViT-B-16-quickgelu/openai")


@pytest.mark.parametrize("utter", [
    lambda: warnings.warn("QuickGELU mismatch between final model config and tag", UserWarning, stacklevel=1),
    lambda: logging.warning("QuickGELU mismatch between final model config and tag"),
    lambda: logging.warning("No pretrained weights loaded for model 'x'. Model initialized randomly."),
    lambda: logging.warning("Model x initialized partially."),
])  # fmt: skip
def test_a_doubt_of_open_clip_is_an_error(tiny, monkeypatch, utter):
    create = open_clip.create_model
    monkeypatch.setattr(open_clip, "create_model", lambda *a, **k: (utter(), create(*a, **k))[1])
    assert "would not be the model of its name" in load_fails(f"local-dir:{tiny}")


def test_other_warnings_are_passed_on(tiny, monkeypatch, caplog):
    create = open_clip.create_model
    monkeypatch.setattr(
        open_clip, "create_model", lambda *a, **k: (warnings.warn("hm", stacklevel=1), create(*a, **k))[1]
    )
    encoders.load(f"local-dir:{tiny}")
    assert "tiny: hm" in caplog.text


def test_names_open_clip_does_not_know():
    assert "nearest: ViT-B-32" in load_fails("VitB32/openai")
    assert "no weights 'openia' for ViT-B-32-quickgelu; expected openai" in load_fails("ViT-B-32-quickgelu/openia")
    assert "no architecture 'ViT-Z'" in load_fails("untrained:ViT-Z")
    assert "no model 'moon'" in load_fails("world:moon")


def test_text_that_cannot_be_tokenised(tmp_path):
    config = TINY | {"text_cfg": TINY["text_cfg"] | {"hf_tokenizer_name": "org/tokens"}}
    bare = {key: value for key, value in config.items() if key != "text_cfg"} | {"text_cfg": TINY["text_cfg"]}
    folder = make_folder(tmp_path / "hf", config=bare)
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config}))
    (folder / "bpe_vocab.txt.gz").unlink()
    with pytest.raises(ModelError, match="text cannot be tokenised"):
        encoders.load(f"local-dir:{folder}").encode_text(["a bird"])


def test_broken_text_is_told(tiny, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(tiny, tmp_path / "nan")
    state = load_file(folder / "open_clip_model.safetensors")
    state["text_projection"] = state["text_projection"].clone().fill_(float("nan"))
    save_file(state, folder / "open_clip_model.safetensors")
    with pytest.raises(ModelError, match="NaN or infinite values for 2 of 2 texts"):
        encoders.load(f"local-dir:{folder}").encode_text(["a bird", "a fish"])


@pytest.mark.parametrize("name", ["world-taxonomic", "world-generic", "world-subset", "world-untrained"])
def test_the_models_of_the_world(name, pictures):
    if len(list(encoders.WORLD.glob("world-*/open_clip_config.json"))) < 3:
        pytest.skip("the weights of the built-in world are not all made: python -m bioclip_probe.world.train")
    encoder = encoders.load(name)
    assert vectors_of(encoder, pictures).shape == (3, encoder.dimension)
    assert encoder.encode_text(["animal"]).shape == (1, encoder.dimension)
    assert encoder.name == name
