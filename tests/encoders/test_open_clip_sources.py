"""Sources of open_clip models: which folders and names are refused, each with one clear line."""

import json
import warnings

import open_clip
import pytest
import torch

from bioclip_probe import encoders
from bioclip_probe.encoders import open_clip_sources
from bioclip_probe.errors import ModelError
from tests.support.model_folders import TINY, make_folder


def load_fails(name, **options) -> str:
    with pytest.raises(ModelError) as caught:
        encoders.load(str(name), **options)
    line = str(caught.value)
    assert "\n" not in line and len(line) < 800
    return line


def test_a_folder_without_weights_can_be_untrained_only(tmp_path, pictures):
    folder = make_folder(tmp_path / "bare", weights="")
    with pytest.raises(ModelError, match=r"holds no weights file .*expected open_clip_model.safetensors"):
        encoders.load(f"local-dir:{folder}")
    assert encoders.load(f"untrained:local-dir:{folder}").encode(torch.zeros(1, 3, 32, 32)).shape == (1, 24)


def test_folders_that_are_no_models_are_refused(tmp_path):
    assert "no model folder" in load_fails(f"local-dir:{tmp_path / 'none'}")
    assert "has no open_clip_config.json" in load_fails(f"local-dir:{tmp_path}")
    (tmp_path / "open_clip_config.json").write_text("{")
    assert "cannot be read as JSON" in load_fails(f"local-dir:{tmp_path}")
    (tmp_path / "open_clip_config.json").write_text('{"embed_dim": 24}')
    assert "not an open_clip configuration: its model_cfg is not a table" in load_fails(f"local-dir:{tmp_path}")


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
    towers = open_clip_sources._known_text_towers()
    assert {"xlm-roberta-base", "roberta-base"} <= towers and all(isinstance(tower, str) for tower in towers)


@pytest.mark.parametrize("config, message", [
    (["x"], "its model_cfg is not a table"),
    ({"text_cfg": "x"}, "its text_cfg is not a table"),
    ({"text_cfg": ["x"]}, "its text_cfg is not a table"),
    ({"text_cfg": {}, "vision_cfg": 3}, "its vision_cfg is not a table"),
    ({"vision_cfg": {}, "text_cfg": {"tokenizer_kwargs": "x"}}, "its tokenizer_kwargs is not a table"),
    ({"vision_cfg": {}, "text_cfg": {"hf_model_name": ["x"]}}, r"is built from another repository (['x'])"),
])  # fmt: skip
def test_a_config_of_another_form_is_refused(tmp_path, config, message):
    folder = make_folder(tmp_path / "odd")
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config}))
    assert message in load_fails(f"local-dir:{folder}")


def test_every_quickgelu_mismatch_is_refused_before_any_download(monkeypatch):
    monkeypatch.setattr(open_clip_sources, "hub_weights", lambda *_: pytest.fail("asked the hub"))
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


def test_names_that_open_clip_does_not_know_are_refused():
    assert "nearest: ViT-B-32" in load_fails("VitB32/openai")
    assert "no weights 'openia' for ViT-B-32-quickgelu; expected openai" in load_fails("ViT-B-32-quickgelu/openia")
    assert "no architecture 'ViT-Z'" in load_fails("untrained:ViT-Z")
    assert "no model 'moon'" in load_fails("world:moon")
