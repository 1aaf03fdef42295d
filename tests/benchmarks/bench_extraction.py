"""Extraction beside the bare forward pass and beside peers: images/s from the same JPEGs, with the same weights.

    python -m tests.benchmarks.bench_extraction [--images 96] [--batch 32] [--precision auto] [--repeats 3] ...
    python -m tests.benchmarks.bench_extraction --memory 10000 100000

All take turns, `--repeats` times, and medians are compared. Goals: 95 % of the forward pass at the same precision, and
4 times the images/s of each peer. On a CPU the pictures are prepared by the processors that run the model, so the first
ratio cannot reach 1: `prepared` says what that costs. In less than float32 a run begins with a parity check, whose
seconds do not grow with the images: `embed` is the whole call, `under way` is the call without them. While it lasts two
batches of pictures are prepared, so take many more. A peer whose vectors are not ours stops the run; one that is not
installed is named. Peers may lie in a folder of their own:

    pip install --no-deps --target /tmp/peers pybioclip clip-benchmark
    PYTHONPATH=/tmp/peers python -m tests.benchmarks.bench_extraction

`--memory` embeds so many small pictures with a cheap encoder, each number in a process of its own, and says the most
memory that it held.
"""

from __future__ import annotations

import argparse
import importlib
import io
import json
import logging
import multiprocessing
import os
import resource
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
from bioclip_probe.extraction.extract import extract
from bioclip_probe.extraction.settings import ExtractionSettings
from bioclip_probe.tables import IMAGES

ARCHITECTURE = "ViT-B-16"
WEIGHTS = "open_clip_model.safetensors"
LEAST_COSINE = 0.999
UNDER_WAY = "embed, under way"


# The pictures and the model


def jpegs(number: int, size: tuple[int, int] = (500, 375)) -> list[bytes]:
    """Pictures of iNat21's size: coloured fields with grain, as JPEG."""
    rng = np.random.default_rng(0)
    made = []
    for _ in range(number):
        field = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)).resize(
            size, Image.Resampling.BICUBIC
        )
        grain = rng.integers(-15, 16, (size[1], size[0], 3))
        buffer = io.BytesIO()
        Image.fromarray(np.clip(np.asarray(field, int) + grain, 0, 255).astype(np.uint8)).save(
            buffer, "JPEG", quality=90
        )
        made.append(buffer.getvalue())
    return made


def pictures_in(folder: Path, number: int) -> list[Path]:
    """`number` JPEGs in a folder of one taxon."""
    paths = [folder / "Pica pica" / f"{i:05d}.jpg" for i in range(number)]
    paths[0].parent.mkdir(parents=True)
    for path, content in zip(paths, jpegs(number), strict=True):
        path.write_bytes(content)
    return paths


def model_in(folder: Path) -> Path:
    """A model folder with random weights, which every one of the peers can load."""
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


# Ours: a call embeds all pictures, and gives their vectors in order


def forward(encoder, prepared: list, batch: int) -> Callable:
    """The bare forward pass, its batches put together beforehand."""
    batches = [encoder.collate(prepared[first : first + batch]) for first in range(0, len(prepared), batch)]
    return lambda: np.concatenate([encoder.encode(one) for one in batches])


def opened(path: Path) -> Image.Image:
    return Image.open(path).convert("RGB")


class Watched:
    """An encoder that notes the seconds of its parity checks."""

    def __init__(self, encoder) -> None:
        self.encoder = encoder
        self.checks: list[float] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self.encoder, name)

    def parity(self, pictures: list) -> float | None:
        start = time.perf_counter()
        found = self.encoder.parity(pictures)
        self.checks.append(time.perf_counter() - start)
        return found


def embed(encoder, dataset: Dataset, batch: int, workers: int | None) -> np.ndarray:
    """`extract`, from files to shards on disk."""
    with tempfile.TemporaryDirectory() as folder:
        there = store.Store(folder)
        extract(dataset, [encoder], there, ExtractionSettings(batch_size=batch, workers=workers, progress=False))
        return np.array(there.read(dataset, encoder)[1])


# Peers: each is given the folder of the model, the pictures and the batch size, and returns such a call


def open_clip_loop(model: Path, paths: list[Path], batch: int) -> Callable:
    """What people write: open_clip's model and transform, torch's DataLoader, float32."""
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
    """The loop of its `bioclip embed`: pictures opened, then prepared and embedded, batch after batch."""
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
    """CLIP_benchmark's loading and its Featurizer; its loop around them insists on CUDA. In float32, as `--no_amp`."""
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
    """Pictures as torch's DataLoader takes them: with a target."""

    def __init__(self, paths: list[Path], transform: Callable) -> None:
        self.paths, self.transform = paths, transform

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, number: int) -> tuple[object, int]:
        return self.transform(opened(self.paths[number])), 0


# Speed


def main_speed(given: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        paths = pictures_in(Path(scratch, "pictures"), given.images)
        model = model_in(Path(scratch, "model"))
        encoder = encoders.load(f"local-dir:{model}", given.device, given.precision)
        dataset = datasets.load(f"folder:{Path(scratch, 'pictures')}")
        watched = Watched(encoder)
        start = time.perf_counter()
        prepared = [encoder.preprocess(opened(path)) for path in paths]
        preparation = time.perf_counter() - start
        calls = {
            "forward": forward(encoder, prepared, given.batch),
            "embed": partial(embed, watched, dataset, given.batch, given.workers),
        }
        for name, (make, package) in PEERS.items():
            try:
                importlib.import_module(package)
            except ImportError as error:
                print(f"{name:>24}  skipped: {error}")
                continue
            calls[name] = make(model, paths, given.batch)
        seconds = in_turns(calls, given.repeats)
    checks = watched.checks[-given.repeats :]
    seconds[UNDER_WAY] = [whole - check for whole, check in zip(seconds["embed"], checks, strict=True)]
    report(given, encoder, {"preparation, one thread": preparation, "parity check": statistics.median(checks)}, seconds)


def in_turns(calls: dict[str, Callable], repeats: int) -> dict[str, list[float]]:
    """Seconds of each call, turn by turn, after one turn that warms up and compares the vectors."""
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
            if not cosine >= LEAST_COSINE:
                raise SystemExit(f"{name} has other vectors: smallest cosine {cosine:.4f}")
    return seconds


def report(given, encoder, parts: dict[str, float], seconds: dict[str, list[float]]) -> None:
    load = " ".join(f"{number:.1f}" for number in os.getloadavg())
    precision = encoder.record["precision"]
    print(f"{ARCHITECTURE}, {precision}, {encoder.device}, {given.images} images, batch {given.batch}, load {load}")
    for name, taken in parts.items():
        print(f"{name:>24}  {taken:8.2f} s")
    print(f"{'':>24}  {'images/s':>8}   embed is × as fast {'':<8} {UNDER_WAY}: × as fast")
    for name, taken in seconds.items():
        rate = given.images / statistics.median(taken)
        print(f"{name:>24}  {rate:8.2f}   {times(taken, seconds['embed'])}   {times(taken, seconds[UNDER_WAY])}")


def times(taken: list[float], ours: list[float]) -> str:
    """How many times as fast ours was, in the middle, and from turn to turn."""
    ratios = [other / own for own, other in zip(ours, taken, strict=True)]
    return f"{statistics.median(ratios):5.3f} ({min(ratios):.3f} to {max(ratios):.3f})"


# Memory


class Repeated:
    """Opens one of a few small pictures, whatever the number asked for."""

    def __init__(self) -> None:
        self.pictures = jpegs(16, (32, 32))

    def __call__(self, source: str) -> Image.Image:
        return Image.open(io.BytesIO(self.pictures[int(source) % len(self.pictures)])).convert("RGB")


def memory_of(number: int, model: str) -> tuple[float, float, float]:
    """MiB held before anything is embedded and at most, and images/s."""
    names = [str(i) for i in range(number)]
    images = IMAGES.frame([{"image_id": name, "source": name, "species": "Pica pica"} for name in names])
    dataset = Dataset("small", images, Repeated(), "0" * 12)
    encoder = encoders.load(model)
    before = peak()
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        extract(dataset, [encoder], store.Store(folder), ExtractionSettings(progress=False))
        return before, peak(), number / (time.perf_counter() - start)


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main_memory(numbers: list[int], model: str) -> None:
    print(f"{'images':>9}  {'before MiB':>10}  {'peak MiB':>8}  {'images/s':>8}   {model}")
    for number in numbers:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            before, most, rate = pool.apply(memory_of, (number, model))
        print(f"{number:9,d}  {before:10.0f}  {most:8.0f}  {rate:8.0f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=96)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--memory", type=int, nargs="+", metavar="IMAGES")
    parser.add_argument("--memory-model", default="color-histogram")
    given = parser.parse_args()
    logging.getLogger().setLevel(logging.ERROR)  # that the weights are random is meant
    if given.memory:
        main_memory(given.memory, given.memory_model)
    else:
        main_speed(given)


if __name__ == "__main__":
    main()
