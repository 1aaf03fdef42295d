"""Extraction beside the bare forward pass: images/s of `extract.embed`, from JPEG bytes to shards on disk, and of
the same model given the same pictures ready-made, at the same precision and batch, in one run. Goal: 95 %.

    python -m tests.benchmarks.bench_extraction [--model untrained-vit-b-16] [--images 96] [--batch 32] ...

The two take turns, `--repeats` times; the medians are compared. On a CPU the pictures are prepared by the same
processors that run the model, so the ratio cannot reach 1: `prepared` says what that costs.
"""

from __future__ import annotations

import argparse
import io
import statistics
import tempfile
import time

import numpy as np
from PIL import Image

from bioclip_probe import encoders, extract, store
from bioclip_probe.datasets.dataset import Dataset
from bioclip_probe.tables import IMAGES


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


def dataset_of(pictures: list[bytes]) -> Dataset:
    names = [f"picture-{number}" for number in range(len(pictures))]
    rows = [{"image_id": name, "source": str(number), "species": "A b"} for number, name in enumerate(names)]
    return Dataset("benchmark", IMAGES.frame(rows), lambda key: opened(pictures[int(key)]), "0" * 12)


def opened(jpeg: bytes) -> Image.Image:
    return Image.open(io.BytesIO(jpeg)).convert("RGB")


def forward_seconds(encoder, prepared: list, batch: int) -> float:
    stacks = [encoders.encoder.stacked(prepared[start : start + batch]) for start in range(0, len(prepared), batch)]
    start = time.perf_counter()
    for stack in stacks:
        encoder.encode(stack)
    return time.perf_counter() - start


def embed_seconds(encoder, dataset: Dataset, batch: int, workers: int | None) -> float:
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        extract.embed(dataset, encoder, store.Store(folder), batch_size=batch, workers=workers, progress=False)
        return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="untrained-vit-b-16")
    parser.add_argument("--images", type=int, default=96)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    encoder = encoders.load(given.model, given.device, given.precision)
    pictures = jpegs(given.images)
    dataset = dataset_of(pictures)
    start = time.perf_counter()
    prepared = [encoder.preprocess(opened(jpeg)) for jpeg in pictures]
    preparation = time.perf_counter() - start
    forward_seconds(encoder, prepared[: given.batch], given.batch)  # the first pass of a model is slow
    forward, embed = [], []
    for _ in range(given.repeats):
        forward.append(forward_seconds(encoder, prepared, given.batch))
        embed.append(embed_seconds(encoder, dataset, given.batch, given.workers))
    rates = {"prepared, one thread": given.images / preparation}
    rates["forward"] = given.images / statistics.median(forward)
    rates["embed"] = given.images / statistics.median(embed)
    print(f"{given.model}, {given.precision}, {encoder.record['device']}, {given.images} images, batch {given.batch}")
    for what, rate in rates.items():
        print(f"{what:>22}  {rate:9.2f} images/s")
    ratios = [a / b for a, b in zip(forward, embed, strict=True)]
    ratio = f"{rates['embed'] / rates['forward']:9.3f}"
    print(f"{'embed / forward':>22}  {ratio}  (by turn: {min(ratios):.3f} to {max(ratios):.3f})")


if __name__ == "__main__":
    main()
