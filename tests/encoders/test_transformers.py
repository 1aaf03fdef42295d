"""Models of transformers, small and with random weights, in folders as on the hub."""

import json
import shutil

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bioclip_probe import encoders
from bioclip_probe.errors import ModelError
from tests.support.model_folders import cached_snapshot, vectors_of

transformers = pytest.importorskip("transformers")

SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
PICTURES = {"image_size": 32, "patch_size": 8}


def made(folder, config, processor=None, seed=0):
    """Write a model with random weights and its processor; return the model."""
    torch.manual_seed(seed)
    model = transformers.AutoModel.from_config(config).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    model.save_pretrained(folder)
    processor = processor or transformers.ViTImageProcessor(size={"height": 32, "width": 32})
    processor.save_pretrained(folder)
    return model


@pytest.fixture(scope="module")
def vit(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vit") / "small"
    return folder, made(folder, transformers.ViTConfig(**SMALL, **PICTURES))


def by_hand(folder, model, images):
    processor = transformers.AutoImageProcessor.from_pretrained(folder)
    with torch.no_grad():
        return model(processor(images=images, return_tensors="pt")["pixel_values"], output_hidden_states=True)


def test_each_pooling_equals_transformers_by_hand(vit, pictures):
    folder, model = vit
    output = by_hand(folder, model, pictures)
    tokens = output.last_hidden_state
    expected = {"cls": tokens[:, 0], "mean": tokens[:, 1:].mean(1), "pooler": output.pooler_output}
    fingerprints = set()
    for pooling, vectors in expected.items():
        encoder = encoders.load(f"transformers:{folder}:{pooling}")
        np.testing.assert_allclose(vectors_of(encoder, pictures), vectors.numpy(), atol=1e-5)
        record = json.loads(json.dumps(encoder.record))
        assert (record["pooling"], record["architecture"], encoder.dimension) == (pooling, "ViTModel", 32)
        assert record["id"] == encoder.name == f"transformers:small:{pooling}"
        assert str(folder.parent) not in json.dumps(record) and list(record["files"]) == ["model.safetensors"]
        fingerprints.add(encoder.fingerprint)
    assert len(fingerprints) == 3


def test_layers_are_the_hidden_states(vit, pictures):
    folder, model = vit
    states = by_hand(folder, model, pictures).hidden_states
    for number in (1, 2):
        encoder = encoders.load(f"layer:{number}:transformers:{folder}:cls")
        np.testing.assert_allclose(vectors_of(encoder, pictures), states[number][:, 0].numpy(), atol=1e-5)


def test_registers_are_no_patches(tmp_path, pictures):
    config = transformers.Dinov2WithRegistersConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=32, patch_size=8, num_register_tokens=3
    )
    model = made(tmp_path, config)
    tokens = by_hand(tmp_path, model, pictures).last_hidden_state
    mean = encoders.load(f"transformers:{tmp_path}:mean")
    np.testing.assert_allclose(vectors_of(mean, pictures), tokens[:, 4:].mean(1).numpy(), atol=1e-5)


def test_a_model_is_loaded_without_a_word(vit, capfd):
    encoders.clear_cache()
    capfd.readouterr()
    encoders.load(f"transformers:{vit[0]}:cls")
    assert capfd.readouterr() == ("", "")
    assert transformers.logging.is_progress_bar_enabled()


def test_the_image_tower_of_a_clip_stands_alone(tmp_path, pictures):
    text = {**SMALL, "vocab_size": 99, "max_position_embeddings": 16}
    config = transformers.CLIPConfig(text_config=text, vision_config={**SMALL, **PICTURES}, projection_dim=16)
    processor = transformers.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    model = made(tmp_path, config, processor)
    encoder = encoders.load(f"transformers:{tmp_path}:pooler")
    expected = by_hand(tmp_path, model.vision_model, pictures).pooler_output
    np.testing.assert_allclose(vectors_of(encoder, pictures), expected.numpy(), atol=1e-5)


def test_a_network_of_convolutions_has_no_class_token(tmp_path, pictures):
    model = made(tmp_path, transformers.ConvNextConfig(hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 1, 1]))
    mean = encoders.load(f"transformers:{tmp_path}:mean")
    expected = by_hand(tmp_path, model, pictures).last_hidden_state.mean((2, 3))
    np.testing.assert_allclose(vectors_of(mean, pictures), expected.numpy(), atol=1e-5)
    with pytest.raises(ModelError, match="a ConvNextModel has no class token; expected :mean or :pooler"):
        encoders.load(f"transformers:{tmp_path}:cls")


def test_the_cache_of_the_hub_is_used(cache, vit):
    commit = cached_snapshot(cache, "some/vit")
    shutil.copytree(vit[0], commit, dirs_exist_ok=True)
    encoder = encoders.load("transformers:some/vit:cls")
    assert encoder.record["revision"] == commit.name and encoder.name == "transformers:some/vit:cls"
    assert encoders.on_hub("transformers:some/vit:cls")
    with pytest.raises(ModelError, match="cannot be reached"):
        encoders.load("transformers:some/other:cls")


def test_weights_in_several_files_are_read(tmp_path, vit, pictures):
    folder, model = vit
    shutil.copytree(folder, tmp_path / "shards")
    (tmp_path / "shards" / "model.safetensors").unlink()
    model.save_pretrained(tmp_path / "shards", max_shard_size="20KB")
    encoder = encoders.load(f"transformers:{tmp_path / 'shards'}:cls")
    assert len(encoder.record["files"]) > 1
    np.testing.assert_array_equal(
        vectors_of(encoder, pictures), vectors_of(encoders.load(f"transformers:{folder}:cls"), pictures)
    )
    sorted((tmp_path / "shards").glob("model-*"))[0].unlink()
    encoders.clear_cache()
    with pytest.raises(ModelError, match=r"lacks model-00001-of-.*, which model.safetensors.index.json names"):
        encoders.load(f"transformers:{tmp_path / 'shards'}:cls")


def changed(vit, tmp_path, file, **values):
    folder = shutil.copytree(vit[0], tmp_path / "odd")
    config = json.loads((folder / file).read_text()) | values
    (folder / file).write_text(json.dumps(config))
    return folder


@pytest.mark.parametrize("file, values, message", [
    ("config.json", {"auto_map": {"AutoModel": "mine.Net"}}, "asks to run code that comes with it"),
    ("preprocessor_config.json", {"auto_map": {"AutoImageProcessor": "mine.P"}}, "asks to run code"),
    ("config.json", {"vision_config": {"auto_map": {"AutoModel": "mine.Net"}}}, "(vision_config.auto_map)"),
    ("config.json", {"attn_implementation": "some/kernel"}, "asks to run code of some/kernel"),
    ("config.json", {"use_pretrained_backbone": True}, "asks for the weights of another repository"),
    ("preprocessor_config.json", {"do_resize": False}, "a grey picture cannot be embedded"),
    ("config.json", {"model_type": "no_such_type"}, "cannot be built"),
    ("config.json", {"num_hidden_layers": 100_000}, "num_hidden_layers is 100000; expected at most 1,000 layers"),
    ("config.json", {"hidden_size": 40_000}, "parameters"),
    ("config.json", {"hidden_size": "x"}, "cannot be built"),
    ("config.json", {"image_size": 10**6}, "image_size is 1000000"),
    ("config.json", {"patch_size": 0}, "cannot be built"),
    ("config.json", {"num_register_tokens": "x"}, "num_register_tokens is x"),
    ("config.json", {"num_hidden_layers": 3}, "lacks weights of the network: "),
    ("preprocessor_config.json", {"size": {"height": 10**6, "width": 10**6}}, "size is 1000000"),
    ("preprocessor_config.json", {"image_std": [0, 0, 0]}, "image_std is [0, 0, 0]"),
    ("preprocessor_config.json", {"image_mean": "x"}, "image_mean is x"),
    ("preprocessor_config.json", {"resample": "magic"}, ""),
])  # fmt: skip
def test_an_odd_configuration_is_one_line(vit, tmp_path, file, values, message):
    with pytest.raises(ModelError) as caught:
        encoders.load(f"transformers:{changed(vit, tmp_path, file, **values)}:cls")
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_what_is_not_said_or_not_there_is_refused(vit, tmp_path):
    folder = shutil.copytree(vit[0], tmp_path / "model")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    for name, message in [
        ("transformers:some/vit", "says no pooling; expected transformers:ORG/MODEL:cls, :pooler or :mean"),
        (f"transformers:{folder}", "says no pooling"),
        (f"transformers:{folder}:max", "says no pooling"),
        (f"transformers:{folder}:cls", "has no model.safetensors; weights in other files may hold code"),
        (f"transformers:{tmp_path / 'none'}:cls", "there is no folder"),
        (f"transformers:{tmp_path}:cls", "has no config.json"),
    ]:
        with pytest.raises(ModelError, match=message):
            encoders.load(name)


def test_a_pooler_without_weights_is_refused_only_where_it_is_asked_for(tmp_path, vit):
    folder = shutil.copytree(vit[0], tmp_path / "model")
    config = transformers.ViTConfig(**SMALL, **PICTURES)
    transformers.ViTModel(config, add_pooling_layer=False).save_pretrained(folder)
    assert encoders.load(f"transformers:{folder}:cls").dimension == 32
    with pytest.raises(ModelError, match=r"lacks weights of the network: pooler.dense"):
        encoders.load(f"transformers:{folder}:pooler")


@pytest.mark.slow
def test_dinov2_at_full_size_equals_transformers_by_hand(tmp_path, pictures):
    processor = transformers.BitImageProcessor(
        size={"shortest_edge": 256}, crop_size={"height": 224, "width": 224}, resample=3
    )
    model = made(tmp_path, transformers.Dinov2Config(), processor)
    encoder = encoders.load(f"transformers:{tmp_path}:cls", precision="fp32")
    expected = by_hand(tmp_path, model, pictures).last_hidden_state[:, 0].numpy()
    np.testing.assert_allclose(vectors_of(encoder, pictures), expected, rtol=1e-3, atol=1e-3)
    assert encoder.dimension == 768


def _paths(table, path=()):
    for key, value in table.items():
        yield (*path, key)
        if isinstance(value, dict):
            yield from _paths(value, (*path, key))


@pytest.mark.slow
@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_mutated_configuration_loads_or_is_one_line(vit, tmp_path_factory, data):
    folder = shutil.copytree(vit[0], tmp_path_factory.mktemp("mutated") / "odd")
    file = folder / data.draw(st.sampled_from(["config.json", "preprocessor_config.json"]))
    config = json.loads(file.read_text())
    *parents, last = data.draw(st.sampled_from(list(_paths(config))))
    table = config
    for key in parents:
        table = table[key]
    table[last] = data.draw(
        st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats() | st.text(max_size=5) | st.just([1, 2])
    )
    file.write_text(json.dumps(config))
    try:
        encoder = encoders.load(f"transformers:{folder}:cls")
    except ModelError as error:
        assert "\n" not in str(error)
    else:
        assert encoder.dimension > 0
    finally:
        encoders.clear_cache()
        shutil.rmtree(folder.parent)
