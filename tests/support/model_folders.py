"""Model folders for tests: tiny networks with random weights, and a cache of the hub in a folder of our own."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

TINY = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8},
    "text_cfg": {"context_length": 16, "vocab_size": 520, "width": 32, "heads": 2, "layers": 1},
}


def picture(seed: int, size: tuple[int, int] = (90, 70)) -> Image.Image:
    """Return a smooth coloured field with some grain, of a size (width, height)."""
    rng = np.random.default_rng(seed)
    field = Image.fromarray(rng.integers(0, 256, (5, 4, 3), dtype=np.uint8)).resize(size, Image.Resampling.BICUBIC)
    grain = rng.integers(-20, 21, (size[1], size[0], 3))
    return Image.fromarray(np.clip(np.asarray(field, dtype=int) + grain, 0, 255).astype(np.uint8))


def make_folder(
    folder: Path,
    config: dict | None = None,
    weights: str = "open_clip_model.safetensors",
    quick_gelu: bool = False,
    seed: int = 1,
) -> Path:
    """Write a model folder in the hub's layout, with random weights and a vocabulary of its own."""
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


def use_cache(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a folder the cache of the hub, and let nobody answer for the hub."""
    import huggingface_hub
    from huggingface_hub import constants

    folder.mkdir(exist_ok=True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")  # a port where nothing listens
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    huggingface_hub.close_session()
    return folder


def cached_snapshot(cache: Path, repository: str, commit: str = "0123456789abcdef" * 2 + "01234567") -> Path:
    """Make the folder of a repository's `main` in a hub cache, as the hub's client lays it out."""
    root = cache / f"models--{repository.replace('/', '--')}"
    (root / "refs").mkdir(parents=True)
    (root / "refs" / "main").write_text(commit)
    folder = root / "snapshots" / commit
    folder.mkdir(parents=True)
    return folder


def vectors_of(encoder, images: list[Image.Image]) -> np.ndarray:
    """Return the vectors of pictures, preprocessed one by one."""
    return encoder.encode([encoder.preprocess(image) for image in images])
