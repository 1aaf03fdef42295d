"""Configurations of models as strangers may write them: each odd value gives one line, before memory is taken."""

import copy
import json
import resource
import shutil
from pathlib import Path

import pytest
import timm
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bioclip_probe import encoders
from bioclip_probe.encoders import model_config
from bioclip_probe.errors import ModelError
from tests.support.model_folders import make_folder

NAME = "open_clip_config.json"


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory):
    return make_folder(tmp_path_factory.mktemp("clip") / "tiny")


@pytest.fixture(scope="module")
def timm_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("timm") / "tiny"
    timm.models.save_for_hf(timm.create_model("test_vit"), folder, safe_serialization=True)
    return folder


def changed(folder, target, name, path, value):
    """Copy a model folder with one value of its configuration changed; the value may be a text of JSON."""
    shutil.copytree(folder, target)
    config = json.loads((target / name).read_text())
    table = config
    for key in path[:-1]:
        table = table.setdefault(key, {})
    table[path[-1]] = value
    (target / name).write_text(json.dumps(config))
    return target


def line_of(folder) -> str:
    with pytest.raises(ModelError) as caught:
        encoders.load(f"local-dir:{folder}")
    line = str(caught.value)
    assert "\n" not in line and len(line) < 800
    return line


@pytest.mark.parametrize("path, value, message", [
    ("preprocess_cfg.mean", [0, 0], "mean is [0, 0]; expected three numbers from 0 to 1"),
    ("preprocess_cfg.mean", "x", "mean is x; expected three numbers"),
    ("preprocess_cfg.mean", [123.7, 116.3, 103.5], "for values from 0 to 1"),
    ("preprocess_cfg.mean", [float("nan"), 0, 0], "mean is [nan, 0, 0]"),
    ("preprocess_cfg.std", [0, 0, 0], "std is [0, 0, 0]; expected three numbers from 0.001 to 10"),
    ("preprocess_cfg.std", 0.5, "std is 0.5"),
    ("preprocess_cfg.std", [True, True, True], "std is [True, True, True]"),
    ("preprocess_cfg.interpolation", "magic", "interpolation is 'magic'; expected one of bicubic, bilinear"),
    ("preprocess_cfg.interpolation", ["bicubic"], "expected one of bicubic"),
    ("preprocess_cfg.resize_mode", "stretch", "expected one of shortest, longest, squash"),
    ("preprocess_cfg.mode", "L", "mode is 'L'; expected one of RGB"),
    ("preprocess_cfg.fill_color", "black", "fill_color is black"),
    ("preprocess_cfg.size", 10**6, "size is 1000000; expected one or two sides from 1 to 2048"),
    ("preprocess_cfg", ["mean"], "its preprocess_cfg is not a table"),
    ("model_cfg.vision_cfg.layers", 100_000, "vision_cfg.layers is 100000; expected at most 1,000 layers"),
    ("model_cfg.text_cfg.layers", 100_000, "text_cfg.layers is 100000"),
    ("model_cfg.vision_cfg.layers", [3, 4, 10**5, 3], "expected at most 1,000 layers"),
    ("model_cfg.vision_cfg.width", 320_000, "parameters; at most 20,000,000,000 are built"),
    ("model_cfg.vision_cfg.width", 10**9, "expected a number of at most 10,000,000"),
    ("model_cfg.vision_cfg.image_size", 10**5, "image_size is 100000"),
    ("model_cfg.vision_cfg.image_size", "big", "image_size is big"),
    ("model_cfg.text_cfg.vocab_size", 10**7, "cannot hold them"),
    ("model_cfg.text_cfg.context_length", 900_000, "cannot hold them"),
    ("model_cfg.embed_dim", float("inf"), "embed_dim is inf"),
    ("model_cfg.embed_dim", "24", "cannot be built"),
    ("model_cfg.embed_dim", 0, "cannot be built"),
    ("model_cfg.vision_cfg.patch_size", 0, "cannot be built"),
    ("model_cfg.vision_cfg.head_width", 0, "cannot be built"),
    ("model_cfg.vision_cfg.act_kwargs", 3, "cannot be built"),
    ("model_cfg.vision_cfg.timm_model_name", "no_such_net", "cannot be built"),
    ("model_cfg.no_such_key", 1, "cannot be built"),
])  # fmt: skip
def test_an_odd_value_of_an_open_clip_folder_is_one_line(clip_folder, tmp_path, path, value, message):
    assert message in line_of(changed(clip_folder, tmp_path / "odd", NAME, path.split("."), value))


@pytest.mark.parametrize("path, value, message", [
    ("pretrained_cfg.mean", [0, 0], "mean is [0, 0]"),
    ("pretrained_cfg.std", [0, 0, 0], "std is [0, 0, 0]"),
    ("pretrained_cfg.interpolation", "magic", "interpolation is 'magic'"),
    ("pretrained_cfg.crop_pct", 0, "crop_pct is 0; expected a number from 0.25 to 2"),
    ("pretrained_cfg.crop_pct", 1e-6, "crop_pct is 1e-06"),
    ("pretrained_cfg.crop_mode", "round", "crop_mode is 'round'"),
    ("pretrained_cfg.input_size", [3, 10**6, 10**6], "input_size is [1000000, 1000000]"),
    ("pretrained_cfg.input_size", 224, "expected [3, height, width]"),
    ("pretrained_cfg.input_size", [1, 160, 160], "expected [3, height, width]"),
    ("pretrained_cfg", "x", "pretrained_cfg is not a table"),
    ("model_args", ["x"], "model_args or pretrained_cfg is not a table"),
    ("model_args", {"depth": 100_000}, "model_args.depth is 100000; expected at most 1,000 layers"),
    ("model_args", {"embed_dim": 6_400}, "cannot hold them"),
    ("model_args", {"global_pool": "magic"}, "global_pool is 'magic'"),
    ("model_args", {"global_pool": ""}, "global_pool is ''; expected one of token, avg"),
    ("model_args", {"no_such_argument": 3}, "cannot be built"),
    ("model_args", {"features_only": True}, "model_args has features_only; expected arguments of the network only"),
    ("model_args", {"checkpoint_path": "other.pth"}, "model_args has checkpoint_path"),
    ("architecture", "no_such_net", "cannot be built"),
    ("architecture", ["x"], "its architecture is not text"),
])  # fmt: skip
def test_an_odd_value_of_a_timm_folder_is_one_line(timm_folder, tmp_path, path, value, message):
    assert message in line_of(changed(timm_folder, tmp_path / "odd", "config.json", path.split("."), value))


@pytest.mark.parametrize("text, message", [
    ("[" * 100_000, "is nested too deeply"),
    ('{"a":' * 100_000, "is nested too deeply"),
    ("3", "holds a int; expected a table"),
    ("", "cannot be read as JSON"),
    ("\xff\xfe", "cannot be read as JSON"),
    ('{"model_cfg": ' + "9" * 5000 + "}", "cannot be read as JSON"),
])  # fmt: skip
@pytest.mark.parametrize("name", [NAME, "config.json"])
def test_a_file_that_is_no_table_of_json_is_one_line(tmp_path, name, text, message):
    (tmp_path / name).write_bytes(text.encode("latin-1"))
    with pytest.raises(ModelError) as caught:
        model_config.read_config(tmp_path / name)
    assert message in str(caught.value) and "\n" not in str(caught.value)
    line_of(tmp_path)


def test_a_configuration_of_many_bytes_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(model_config, "MAX_BYTES", 100)
    (tmp_path / "config.json").write_text(json.dumps({"architecture": "x" * 100}))
    with pytest.raises(ModelError, match="expected a configuration of at most 100"):
        model_config.read_config(tmp_path / "config.json")


def test_a_network_too_large_for_its_weights_takes_no_memory():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ModelError, match="declares 10,000,100,000 parameters"):
        model_config.check_size(lambda: torch.nn.Linear(100_000, 100_000), [Path(__file__)])
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000


LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**9), 10**9), st.floats(), st.text(max_size=5), st.just([]), st.just({}),
    st.lists(st.integers(-3, 300), max_size=4),
)  # fmt: skip


def _paths(table, path=()):
    for key, value in table.items():
        yield (*path, key)
        if isinstance(value, dict):
            yield from _paths(value, (*path, key))


@pytest.mark.slow
@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_mutated_configuration_loads_or_is_one_line(clip_folder, tmp_path_factory, data):
    config = json.loads((clip_folder / NAME).read_text())
    path = data.draw(st.sampled_from(list(_paths(config))))
    value = copy.deepcopy(data.draw(LEAVES))
    folder = changed(clip_folder, tmp_path_factory.mktemp("mutated") / "odd", NAME, path, value)
    try:
        encoder = encoders.load(f"local-dir:{folder}")
    except ModelError as error:
        assert "\n" not in str(error)
    else:
        vectors = encoder.encode(torch.zeros(1, 3, *encoder.record["preprocessing"]["size"]))
        assert vectors.shape == (1, encoder.dimension)
    finally:
        encoders.clear_cache()
        shutil.rmtree(folder.parent)


@pytest.mark.slow
@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_mutated_configuration_of_timm_loads_or_is_one_line(timm_folder, tmp_path_factory, data):
    config = json.loads((timm_folder / "config.json").read_text())
    config["model_args"] = {"depth": 6, "embed_dim": 64, "num_heads": 2, "img_size": 160, "patch_size": 16}
    path = data.draw(st.sampled_from(list(_paths(config))))
    value = copy.deepcopy(data.draw(LEAVES))
    folder = changed(timm_folder, tmp_path_factory.mktemp("mutated") / "odd", "config.json", path, value)
    try:
        encoder = encoders.load(f"local-dir:{folder}")
    except ModelError as error:
        assert "\n" not in str(error)
    else:
        assert encoder.encode(torch.zeros(1, *encoder.record["preprocessing"]["input_size"])).shape == (1, 64)
    finally:
        encoders.clear_cache()
        shutil.rmtree(folder.parent)
