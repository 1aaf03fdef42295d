"""Extraction beside the bare forward pass and beside peers: images/s from the same JPEGs, with the same weights.

    python -m tests.benchmarks.bench_extraction_peers [--images 96] [--batch 32] [--precision auto] [--repeats 3] ...

The cases take turns, `--repeats` times, and their medians are compared. The goals are 95 % of the forward pass at the
same precision, and 4 times the images/s of each peer. On a CPU the same processors prepare the pictures and run the
model, so that the first ratio cannot reach 1; the line `preparation` shows the cost. Below float32 a run begins with a
parity check, whose time does not grow with the number of images: `embed` is the whole call, `embed, under way` is the
call without the check. Two batches of pictures are prepared during the check, so use many more images than that. A peer
whose vectors differ from ours stops the run, and a peer that is not installed is named. Peers may be installed in a
folder of their own:

    pip install --no-deps --target /tmp/peers pybioclip clip-benchmark
    PYTHONPATH=/tmp/peers python -m tests.benchmarks.bench_extraction_peers
"""

from __future__ import annotations

import argparse
import importlib
import json
import logging
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from bioclip_probe import datasets, encoders, store
from bioclip_probe.datasets.dataset import Dataset
from bioclip_probe.encoders import Encoder
from bioclip_probe.extraction.extract import extract
from bioclip_probe.extraction.settings import ExtractionSettings
from tests.support.photographs import jpegs

ARCHITECTURE = "ViT-B-16"
WEIGHTS = "open_clip_model.safetensors"
MIN_COSINE = 0.999
UNDER_WAY = "embed, under way"


# The pictures and the model


def pictures_in(folder: Path, number: int) -> list[Path]:
    """Write JPEGs into a folder of one taxon, and return their paths."""
    paths = [folder / "Pica pica" / f"{i:05d}.jpg" for i in range(number)]
    paths[0].parent.mkdir(parents=True)
    for path, content in zip(paths, jpegs(number), strict=True):
        path.write_bytes(content)
    return paths


def model_in(folder: Path) -> Path:
    """Write a model folder with random weights that every peer can load, and return it."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    folder.mkdir()
    config = open_clip.get_model_config(ARCHITECTURE)
    torch.manual_seed(0)
    model = open_clip.create_model(ARCHITECTURE)
    save_file(model.state_dict(), folder / WEIGHTS)
    preprocess = {key: model.visual.preprocess_cfg[key] for key in ("mean", "std", "interpolation", "resize_mode")}
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": preprocess}))
    return folder


# This package: each call embeds all pictures and returns their vectors in order.


def forward(encoder: Encoder, prepared: list, batch: int) -> Callable:
    """Return the call of the bare forward pass; its batches are collated beforehand."""
    batches = [encoder.collate(prepared[first : first + batch]) for first in range(0, len(prepared), batch)]
    return lambda: np.concatenate([encoder.encode(collated) for collated in batches])


def open_picture(path: Path) -> Image.Image:
    """Return the picture in RGB."""
    return Image.open(path).convert("RGB")


class TimedParity:
    """An encoder that records the seconds of its parity checks."""

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        self.checks: list[float] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self.encoder, name)

    def parity(self, pictures: list) -> float | None:
        """Return the parity of the encoder, and record its seconds."""
        start = time.perf_counter()
        cosine = self.encoder.parity(pictures)
        self.checks.append(time.perf_counter() - start)
        return cosine


def embed(encoder: Encoder | TimedParity, dataset: Dataset, batch: int, workers: int | None) -> np.ndarray:
    """Return the vectors of `extract`, which reads files and writes shards to disk."""
    with tempfile.TemporaryDirectory() as folder:
        embedded = store.Store(folder)
        extract(dataset, [encoder], embedded, ExtractionSettings(batch_size=batch, workers=workers, progress=False))
        return np.array(embedded.read(dataset, encoder)[1])


# Peers: each gets the folder of the model, the pictures and the batch size, and returns such a call.


def open_clip_loop(model: Path, paths: list[Path], batch: int) -> Callable:
    """Return the usual loop of users: open_clip's model and transform, torch's DataLoader, float32."""
    import open_clip
    import torch

    network, _, transform = open_clip.create_model_and_transforms(f"local-dir:{model}")
    loader = torch.utils.data.DataLoader(Files(paths, transform), batch_size=batch, num_workers=2)
    network.eval()

    @torch.no_grad()
    def run() -> np.ndarray:
        return torch.cat([network.encode_image(images) for images, _ in loader]).numpy()

    return run


def pybioclip(model: Path, paths: list[Path], batch: int) -> Callable:
    """Return the loop of `bioclip embed`: it opens, prepares and embeds the pictures batch by batch."""
    from bioclip.predict import BaseClassifier

    classifier = BaseClassifier(model_str=ARCHITECTURE, pretrained_str=str(model / WEIGHTS))

    def run() -> np.ndarray:
        features = []
        for first in range(0, len(paths), batch):
            pictures = [classifier.ensure_rgb_image(str(path)) for path in paths[first : first + batch]]
            features.append(classifier.create_image_features(pictures, normalize=False).numpy())
        return np.concatenate(features)

    return run


def clip_benchmark(model: Path, paths: list[Path], batch: int) -> Callable:
    """Return a loop over CLIP_benchmark's loader and Featurizer in float32 (`--no_amp`); its own loop needs CUDA."""
    import torch
    from clip_benchmark.metrics.linear_probe import Featurizer
    from clip_benchmark.models.open_clip import load_open_clip

    network, transform, _ = load_open_clip(ARCHITECTURE, str(model / WEIGHTS), device="cpu")
    featurizer = Featurizer(network)
    loader = torch.utils.data.DataLoader(Files(paths, transform), batch_size=batch, num_workers=4)

    @torch.no_grad()
    def run() -> np.ndarray:
        return torch.cat([featurizer(images) for images, _ in loader]).numpy()

    return run


PEERS = {
    "open_clip + DataLoader": (open_clip_loop, "open_clip"),
    "pybioclip": (pybioclip, "bioclip"),
    "CLIP_benchmark": (clip_benchmark, "clip_benchmark"),
}


class Files:
    """Pictures with a target, as torch's DataLoader needs them."""

    def __init__(self, paths: list[Path], transform: Callable) -> None:
        self.paths, self.transform = paths, transform

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, number: int) -> tuple[object, int]:
        return self.transform(open_picture(self.paths[number])), 0


# Speed


def main_speed(options: argparse.Namespace) -> None:
    """Compare the speed of all cases."""
    with tempfile.TemporaryDirectory() as scratch:
        paths = pictures_in(Path(scratch, "pictures"), options.images)
        model = model_in(Path(scratch, "model"))
        encoder = encoders.load(f"local-dir:{model}", options.device, options.precision)
        dataset = datasets.load(f"folder:{Path(scratch, 'pictures')}")
        timed = TimedParity(encoder)
        start = time.perf_counter()
        prepared = [encoder.preprocess(open_picture(path)) for path in paths]
        preparation = time.perf_counter() - start
        calls = {
            "forward": forward(encoder, prepared, options.batch),
            "embed": partial(embed, timed, dataset, options.batch, options.workers),
        }
        for name, (make, package) in PEERS.items():
            try:
                importlib.import_module(package)
            except ImportError as error:
                print(f"{name:>24}  skipped: {error}")
                continue
            calls[name] = make(model, paths, options.batch)
        seconds = in_turns(calls, options.repeats)
    checks = timed.checks[-options.repeats :]
    seconds[UNDER_WAY] = [total - check for total, check in zip(seconds["embed"], checks, strict=True)]
    report(
        options, encoder, {"preparation, one thread": preparation, "parity check": statistics.median(checks)}, seconds
    )


def in_turns(calls: dict[str, Callable], repeats: int) -> dict[str, list[float]]:
    """Return the seconds of each call by turn; a first turn warms up and compares the vectors."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    expected = None
    for turn in range(repeats + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            vectors = call()
            if turn:
                seconds[name].append(time.perf_counter() - start)
                continue
            unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
            expected = unit if expected is None else expected
            cosine = float((unit * expected).sum(axis=1).min())
            if not cosine >= MIN_COSINE:
                raise SystemExit(f"{name} gives other vectors: smallest cosine {cosine:.4f}")
    return seconds


def report(
    options: argparse.Namespace, encoder: Encoder, single: dict[str, float], seconds: dict[str, list[float]]
) -> None:
    """Print the table; `single` holds times that were measured once."""
    load = " ".join(f"{number:.1f}" for number in os.getloadavg())
    precision = encoder.record["precision"]
    print(f"{ARCHITECTURE}, {precision}, {encoder.device}, {options.images} images, batch {options.batch}, load {load}")
    for name, taken in single.items():
        print(f"{name:>24}  {taken:8.2f} s")
    print(f"{'':>24}  {'images/s':>8}   embed is × as fast {'':<8} {UNDER_WAY}: × as fast")
    for name, taken in seconds.items():
        rate = options.images / statistics.median(taken)
        print(f"{name:>24}  {rate:8.2f}   {times(taken, seconds['embed'])}   {times(taken, seconds[UNDER_WAY])}")


def times(taken: list[float], ours: list[float]) -> str:
    """Return the ratio to our time: the median, and the range over turns."""
    ratios = [theirs / our for our, theirs in zip(ours, taken, strict=True)]
    return f"{statistics.median(ratios):5.3f} ({min(ratios):.3f} to {max(ratios):.3f})"


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=96)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    logging.getLogger().setLevel(logging.ERROR)  # random weights are intended here, so hide the warning about them
    main_speed(options)


if __name__ == "__main__":
    main()
