"""Models for the tests: tiny ones with random weights, and the cache of the hub in a folder of our own."""

import gzip
import json

import huggingface_hub
import numpy as np
import pytest
from PIL import Image

from bioclip_probe import encoders

TINY = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8},
    "text_cfg": {"context_length": 16, "vocab_size": 520, "width": 32, "heads": 2, "layers": 1},
}


def picture(seed: int, size: tuple[int, int] = (90, 70)) -> Image.Image:
    """A smooth coloured field with some grain: (width, height) RGB."""
    rng = np.random.default_rng(seed)
    field = Image.fromarray(rng.integers(0, 256, (5, 4, 3), dtype=np.uint8)).resize(size, Image.Resampling.BICUBIC)
    grain = rng.integers(-20, 21, (size[1], size[0], 3))
    return Image.fromarray(np.clip(np.asarray(field, dtype=int) + grain, 0, 255).astype(np.uint8))


@pytest.fixture(scope="session")
def pictures() -> list[Image.Image]:
    return [picture(seed, size) for seed, size in enumerate([(90, 70), (64, 64), (50, 131)])]


@pytest.fixture(autouse=True)
def nothing_loaded():
    yield
    encoders.forget()


def make_folder(folder, config=None, weights="open_clip_model.safetensors", quick_gelu=False, seed=1):
    """A model folder in the hub's layout, with random weights and a vocabulary of its own."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    config = (config or TINY) | ({"quick_gelu": True} if quick_gelu else {})
    folder.mkdir(parents=True, exist_ok=True)
    preprocess = {
        "mean": [0.5, 0.4, 0.3],
        "std": [0.3, 0.2, 0.25],
        "interpolation": "bilinear",
        "resize_mode": "squash",
    }
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": preprocess}))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        state = open_clip.CLIP(**config).state_dict()
    if weights.endswith(".safetensors"):
        save_file(state, folder / weights)
    elif weights:
        torch.save(state, folder / weights)
    merges = ["# version", "a v", "av e", "e s</w>", "o r", "t h", "th e</w>"]
    with gzip.open(folder / "bpe_vocab.txt.gz", "wt") as file:
        file.write("\n".join(merges))
    return folder


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """A tiny open_clip model folder."""
    return make_folder(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty hub cache of our own, and a hub that nobody can reach."""
    return use_cache(tmp_path / "hub", monkeypatch)


def use_cache(folder, monkeypatch):
    from huggingface_hub import constants

    folder.mkdir(exist_ok=True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")  # a port where nothing listens
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    huggingface_hub.close_session()
    return folder


def cached_snapshot(cache, repository: str, commit: str = "0123456789abcdef" * 2 + "01234567"):
    """The folder of a repository's `main` in a hub cache, as the hub's client lays it out."""
    root = cache / f"models--{repository.replace('/', '--')}"
    (root / "refs").mkdir(parents=True)
    (root / "refs" / "main").write_text(commit)
    folder = root / "snapshots" / commit
    folder.mkdir(parents=True)
    return folder
