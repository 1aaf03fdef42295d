"""Extraction beside its two limits: the network alone, and what all processors can prepare.

    python -m tests.benchmarks.bench_extraction [--device auto] [--models 3] [--seconds 20] [--preparation auto] ...
    python -m tests.benchmarks.bench_extraction --memory 10000 100000

The first form embeds JPEGs of 500 × 375 pixels, read from disk and written to a store, with ViT-B/16 of random weights
(on a CPU with a small network; `--architecture` names another of timm's). It prints

* the network alone: images/s of all models together, on values that lie ready on the device;
* the preparation: images/s of one worker times the number of processors, and what all workers reach together;
* the pipeline: images/s of `extract` as a whole, and under way, which leaves out the start and the parity check;
* the share of the pipeline in its limit. On a GPU the limit is the smaller of both rates; the goal is 0.9 under way.
  On a CPU the same processors do both, so that their times add up. There all rates come from processor time, as if
  nobody else used the machine; run it with OMP_NUM_THREADS=1, because idle threads of torch take processor time too.

It needs no network access, and of the packages only torch, torchvision, timm, numpy, pandas, pillow, pyarrow,
safetensors, lazy_loader and tqdm. On a GPU it takes about two minutes, and half a GB of the temporary folder for each
model.

`--memory` embeds the given numbers of small pictures with a cheap encoder, each in a process of its own, and prints the
peak memory.
"""

from __future__ import annotations

import argparse
import io
import itertools
import logging
import multiprocessing
import os
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from bioclip_probe import encoders, store
from bioclip_probe.datasets.dataset import Dataset
from bioclip_probe.datasets.readers.pictures import PictureFiles
from bioclip_probe.encoders import Encoder
from bioclip_probe.extraction.extract import extract
from bioclip_probe.extraction.preparation import Chunk, Preparation, group_encoders
from bioclip_probe.extraction.processes import process_pool
from bioclip_probe.extraction.resources import resources_for
from bioclip_probe.extraction.settings import ExtractionSettings
from bioclip_probe.extraction.threads import map_ahead, thread_pool
from bioclip_probe.processors import available_processors
from bioclip_probe.tables import IMAGES
from bioclip_probe.torch_device import resolve_device
from tests.support.photographs import jpegs

N_FILES = 256
ARCHITECTURES = {"cuda": "vit_base_patch16_224", "cpu": "test_vit"}


# The pictures and the models


def pictures_in(folder: Path, number: int) -> Dataset:
    """Write JPEGs into a folder, and return a dataset of a number of pictures, which reads each file many times."""
    for index, content in enumerate(jpegs(N_FILES)):
        (folder / f"{index}.jpg").write_bytes(content)
    rows = [{"image_id": str(i), "source": f"{i % N_FILES}.jpg", "species": "Pica pica"} for i in range(number)]
    return Dataset("photographs", IMAGES.frame(rows), PictureFiles(folder), "0" * 12)


def models_in(folder: Path, architecture: str, number: int, device: str, precision: str) -> list[Encoder]:
    """Write model folders of timm with different random weights, and load them."""
    import timm

    loaded = []
    for seed in range(number):
        torch.manual_seed(seed)
        timm.models.save_for_hf(timm.create_model(architecture), folder / f"model-{seed}", safe_serialization=True)
        loaded.append(encoders.load(f"local-dir:{folder / f'model-{seed}'}", device, precision))
    return loaded


# The limits

Clock = Callable[[], float]


def processor_time() -> float:
    """Return the processor time of this process and those that it has ended, over the number of processors."""
    return sum(os.times()[:4]) / available_processors()


def network_rate(models: Sequence[Encoder], batch_size: int, seconds: float, clock: Clock) -> float:
    """Return the images/s of all networks, one after the other, on values that lie on the device."""
    from bioclip_probe.encoders.precision import dtype_of

    total = 0.0
    for model in models:
        device, dtype = model.device, dtype_of(model.record["precision"])
        side = model.record["preprocessing"]["input_size"][-1]
        layout = torch.contiguous_format if device == "cpu" else torch.channels_last
        values = torch.rand(batch_size, 3, side, side, device=device, dtype=dtype).to(memory_format=layout)
        with torch.inference_mode():
            for _ in range(3):
                model.forward(values).cpu()
            start, n = clock(), 0
            while clock() - start < seconds / len(models):
                for _ in range(4):  # the GPU has its next batch before it is done with the last
                    vectors = model.forward(values)
                vectors.cpu()
                n += 4
        total += (clock() - start) / (n * batch_size)
    return 1 / total


def one_worker_rate(preparation: Preparation, sources: Sequence[str], seconds: float) -> float:
    """Return the images/s that one thread prepares, by its processor time."""
    everything = tuple(range(len(preparation.transforms)))
    start = time.process_time()
    for n, source in enumerate(itertools.cycle(sources), start=1):
        preparation.prepare(Chunk([source], everything))
        if time.process_time() - start > seconds:
            return n / (time.process_time() - start)
    raise AssertionError


def all_workers_rate(preparation: Preparation, sources: Sequence[str], n_workers: int, seconds: float) -> float:
    """Return the images/s that processes prepare when no network takes time from them."""
    everything = tuple(range(len(preparation.transforms)))
    chunks = (Chunk(list(sources[first : first + 8]), everything) for first in itertools.cycle(range(0, N_FILES, 8)))
    with process_pool(preparation, n_workers) as pool, thread_pool(n_workers) as threads:
        while pool.n_idle < n_workers:
            time.sleep(0.05)
        start, n = time.perf_counter(), 0
        prepared = map_ahead(threads, pool.prepare, chunks, 3 * n_workers)
        for pictures in prepared:
            n += len(pictures)
            if time.perf_counter() - start > seconds:
                return n / (time.perf_counter() - start)
    raise AssertionError


# The pipeline


class Watched:
    """An encoder that notes when it has encoded how many pictures, and how long its parity check took."""

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        self.batches: list[tuple[float, int]] = []
        self.check = 0.0

    def __getattr__(self, name: str) -> object:
        return getattr(self.encoder, name)

    def encode(self, batch: object) -> np.ndarray:
        """Return the vectors, and note the time."""
        vectors = self.encoder.encode(batch)
        self.batches.append((time.perf_counter(), len(vectors)))
        return vectors

    def parity(self, pictures: list) -> float | None:
        """Return the parity, and note its seconds."""
        start = time.perf_counter()
        cosine = self.encoder.parity(pictures)
        self.check = time.perf_counter() - start
        return cosine

    def rate(self) -> float:
        """Return the images/s between a third and nine tenths of the run."""
        times, sizes = np.array(sorted(self.batches)).T
        done = np.cumsum(sizes)
        first, last = np.searchsorted(done, done[-1] * np.array([1 / 3, 0.9]))
        return (done[last] - done[first]) / (times[last] - times[first])


def pipeline_rates(
    models: Sequence[Encoder], dataset: Dataset, settings: ExtractionSettings, clock: Clock
) -> tuple[float, float]:
    """Return the images/s of a whole call of `extract`, and under way."""
    watched = [Watched(model) for model in models]
    with tempfile.TemporaryDirectory() as folder:
        start = clock()
        results = extract(dataset, watched, store.Store(folder), settings)
        seconds = clock() - start
    if any(one.n_failed for one in results):
        raise SystemExit("a picture failed")
    checks = sum(one.check for one in watched)
    print(f"{'whole run':>32}  {seconds:9.1f} s, of which the parity checks {checks:.1f} s")
    return len(dataset) / seconds, watched[-1].rate()


def main_speed(options: argparse.Namespace) -> None:
    """Print the limits, the pipeline and their ratio."""
    device = resolve_device(options.device)
    on_gpu = device != "cpu"
    architecture = options.architecture or ARCHITECTURES["cuda" if on_gpu else "cpu"]
    with tempfile.TemporaryDirectory() as scratch:
        models = models_in(Path(scratch), architecture, options.models, device, options.precision)
        files = Path(scratch, "pictures")
        files.mkdir()
        dataset = pictures_in(files, N_FILES)
        preparation = Preparation(dataset.open, tuple(group.transform for group in group_encoders(models)))
        settings = ExtractionSettings(
            batch_size=options.batch_size, workers=options.workers, preparation=options.preparation, progress=False
        )
        taken = resources_for(models, True, 100_000, settings)
        print(
            f"{options.models} × {architecture}, {models[0].record['precision']}, {device_name(device)}, "
            f"{available_processors()} processors, load {os.getloadavg()[0]:.1f}; {taken.n_workers} "
            f"{'processes' if taken.processes else 'threads'}, batches of {taken.batch_size}"
        )
        sources = dataset.images["source"].tolist()
        clock = time.perf_counter if on_gpu else processor_time
        network = network_rate(models, taken.batch_size, options.seconds / 3, clock)
        show("network alone", network)
        one = one_worker_rate(preparation, sources, options.seconds / 3)
        every = one * available_processors()
        show("one worker × processors", every, f"{one:.1f} × {available_processors()}")
        if on_gpu:
            together = all_workers_rate(preparation, sources, taken.n_workers, options.seconds / 3)
            show(f"{taken.n_workers} processes together", together, f"{together / every:.3f} of that")
        limit = min(network, every) if on_gpu else 1 / (1 / network + 1 / every)
        show("limit", limit, "the smaller" if on_gpu else "both on the same processors")
        number = max(2048, int(limit * options.seconds) // 1024 * 1024)
        whole, under_way = pipeline_rates(models, pictures_in(files, number), settings, clock)
        show(f"pipeline, {number:,} pictures", whole, f"{whole / limit:.3f} of the limit")
        if on_gpu:
            show("pipeline, under way", under_way, f"{under_way / limit:.3f} of the limit")
    peaks = [resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(f"{'peak memory':>32}  {peaks[0]:9.0f} MiB here, {peaks[1]:.0f} MiB in the largest process")


def show(name: str, rate: float, note: str = "") -> None:
    """Print one line of the table."""
    print(f"{name:>32}  {rate:9.1f} images/s  {note}", flush=True)


def device_name(device: str) -> str:
    """Return the name of the device as its maker has it."""
    return device if device == "cpu" else torch.cuda.get_device_name(device)


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
    parser.add_argument("--device", default="auto")
    parser.add_argument("--models", type=int, default=1)
    parser.add_argument("--architecture", help="a name of timm's; default: ViT-B/16 on a GPU, a small one on a CPU")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--seconds", type=float, default=30, help="about so long runs the pipeline")
    parser.add_argument("--preparation", default="auto")
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--workers", type=int)
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
