"""Extraction beside the bare forward pass and beside peers: images/s from the same JPEGs, with the same weights.

    python -m tests.benchmarks.bench_extraction [--images 96] [--batch 32] [--precision auto] [--repeats 3] ...
    python -m tests.benchmarks.bench_extraction --memory 10000 100000

The cases take turns, `--repeats` times, and their medians are compared. The goals are 95 % of the forward pass at the
same precision, and 4 times the images/s of each peer. On a CPU the same processors prepare the pictures and run the
model, so that the first ratio cannot reach 1; the line `preparation` shows the cost. Below float32 a run begins with a
parity check, whose time does not grow with the number of images: `embed` is the whole call, `embed, under way` is the
call without the check. Two batches of pictures are prepared during the check, so use many more images than that. A peer
whose vectors differ from ours stops the run, and a peer that is not installed is named. Peers may be installed in a
folder of their own:

    pip install --no-deps --target /tmp/peers pybioclip clip-benchmark
    PYTHONPATH=/tmp/peers python -m tests.benchmarks.bench_extraction

`--memory` embeds the given numbers of small pictures with a cheap encoder, each in a process of its own, and prints the
peak memory.
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
from bioclip_probe.encoders import Encoder
from bioclip_probe.extraction.extract import extract
from bioclip_probe.extraction.settings import ExtractionSettings
from bioclip_probe.tables import IMAGES

ARCHITECTURE = "ViT-B-16"
WEIGHTS = "open_clip_model.safetensors"
MIN_COSINE = 0.999
UNDER_WAY = "embed, under way"


# The pictures and the model


def jpegs(number: int, size: tuple[int, int] = (500, 375)) -> list[bytes]:
    """Return pictures of the size of those in iNat21: coloured fields with noise, as JPEG."""
    rng = np.random.default_rng(0)
    encoded = []
    for _ in range(number):
        field = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)).resize(
            size, Image.Resampling.BICUBIC
        )
        grain = rng.integers(-15, 16, (size[1], size[0], 3))
        buffer = io.BytesIO()
        Image.fromarray(np.clip(np.asarray(field, int) + grain, 0, 255).astype(np.uint8)).save(
            buffer, "JPEG", quality=90
        )
        encoded.append(buffer.getvalue())
    return encoded


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


# Memory


class RepeatedPictures:
    """A function that opens one of a few small pictures for any number."""

    def __init__(self) -> None:
        self.pictures = jpegs(16, (32, 32))

    def __call__(self, source: str) -> Image.Image:
        return Image.open(io.BytesIO(self.pictures[int(source) % len(self.pictures)])).convert("RGB")


def memory_of(number: int, model: str) -> tuple[float, float, float]:
    """Return the memory before anything is embedded and the peak memory, both in MiB, and images/s."""
    names = [str(i) for i in range(number)]
    images = IMAGES.frame([{"image_id": name, "source": name, "species": "Pica pica"} for name in names])
    dataset = Dataset("small", images, RepeatedPictures(), "0" * 12)
    encoder = encoders.load(model)
    before = peak_memory()
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        extract(dataset, [encoder], store.Store(folder), ExtractionSettings(progress=False))
        return before, peak_memory(), number / (time.perf_counter() - start)


def peak_memory() -> float:
    """Return the peak memory of this process in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main_memory(numbers: list[int], model: str) -> None:
    """Print the memory for each number of images."""
    print(f"{'images':>9}  {'before MiB':>10}  {'peak MiB':>8}  {'images/s':>8}   {model}")
    for number in numbers:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            before, peak, rate = pool.apply(memory_of, (number, model))
        print(f"{number:9,d}  {before:10.0f}  {peak:8.0f}  {rate:8.0f}", flush=True)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=96)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--memory", type=int, nargs="+", metavar="IMAGES")
    parser.add_argument("--memory-model", default="color-histogram")
    options = parser.parse_args()
    logging.getLogger().setLevel(logging.ERROR)  # random weights are intended here, so hide the warning about them
    if options.memory:
        main_memory(options.memory, options.memory_model)
    else:
        main_speed(options)


if __name__ == "__main__":
    main()
