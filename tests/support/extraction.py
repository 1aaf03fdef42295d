"""Made-up pictures and encoders for tests of extraction, and a short way to embed them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from bioclip_probe import datasets
from bioclip_probe.datasets import Dataset
from bioclip_probe.encoders import Encoder
from bioclip_probe.errors import ModelError, PictureError
from bioclip_probe.extraction.extract import ExtractionSummary, extract
from bioclip_probe.extraction.settings import ExtractionSettings
from bioclip_probe.store.store import Store
from tests.support.pictures import MeanColour, paint_many


def painted_dataset(folder: Path, number: int) -> Dataset:
    """Paint pictures of different colours into a folder and return them as a dataset."""
    paint_many(folder, number)
    return dataset_of_folder(folder)


def dataset_of_folder(folder: Path) -> Dataset:
    """Return the dataset of the pictures that lie in a folder."""
    names = sorted(path.name for path in folder.glob("*.png"))
    pd.DataFrame({"path": names, "class": "Aves"}).to_csv(folder / "labels.csv", index=False)
    return datasets.load(f"table:{folder / 'labels.csv'}")


def extract_one(
    dataset: Dataset, encoder: Encoder, store: Store, executor: Executor | None = None, **settings: Any
) -> ExtractionSummary:
    """Embed a dataset with one encoder, without progress bar unless asked for."""
    (summary,) = extract(dataset, [encoder], store, ExtractionSettings(**({"progress": False} | settings)), executor)
    return summary


def mean_colours(dataset: Dataset) -> np.ndarray:
    """Return the vectors of `MeanColour`, computed plainly."""
    return np.array([np.asarray(dataset.open(source)).mean((0, 1)) / 255 for source in dataset.images["source"]])


class ScaledColour(MeanColour):
    """The mean colour times a factor, under a name of its own, as an encoder of half precision."""

    def __init__(self, name: str, factor: float = 1.0, parity: float | None = None) -> None:
        super().__init__()
        self.name, self.factor, self.known_parity = name, factor, parity
        self.fingerprint = f"{hash((name, factor)) % 16**12:012x}"
        self.record |= {"precision": "bf16"}
        self.compared: list[int] = []

    def preprocess(self, image: Any) -> np.ndarray:
        return super().preprocess(image) * self.factor

    def parity(self, pictures: list) -> float | None:
        self.compared.append(len(pictures))
        return self.known_parity


class OverflowingColour(ScaledColour):
    """An encoder that overflows for the pictures of some numbers, also when its parity is computed."""

    def __init__(self, numbers: Sequence[int], parity: float = 0.9995) -> None:
        super().__init__("half", parity=parity)
        self.numbers = numbers

    def encode(self, batch: list) -> np.ndarray:
        vectors = super().encode(batch)
        return np.where(np.isin(np.rint(vectors[:, :1] * 255), self.numbers), np.inf, vectors)

    def parity(self, pictures: list) -> float | None:
        if not np.isfinite(self.encode(pictures)).all():
            raise ModelError("half: vectors of pictures are not finite")
        return super().parity(pictures)


class SlowColour(MeanColour):
    """An encoder slow enough to be killed in the middle. It writes its process into the file ``WORKERS_SEEN``."""

    def encode(self, batch: list) -> np.ndarray:
        time.sleep(0.05)
        with open(os.environ["WORKERS_SEEN"], "a") as file:
            file.write(f"{os.getpid()}\n")
        return super().encode(batch)


class OddPictures:
    """An opener of pictures whose sources say what happens: a colour, or a way in which opening fails."""

    def __call__(self, source: str) -> Image.Image:
        if source == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        if source == "mistake":
            raise ZeroDivisionError("a mistake of the opener")
        if source == "broken":
            raise PictureError(f"{source}: not a picture", "no picture")
        print(f"opening {source}")
        return Image.new("RGB", (4, 3), source)


class NotThere(OddPictures):
    """An opener that no other process can unpickle."""

    def __reduce__(self) -> tuple:
        return _raise_elsewhere, (os.getpid(),)


def _raise_elsewhere(process: int) -> NotThere:
    if os.getpid() != process:
        raise ModuleNotFoundError("no module named 'notebook'")
    return NotThere()


def thirty_pictures(folder: Path) -> Dataset:
    """Return a dataset of thirty pictures, one of which is empty."""
    paint_many(folder, 30)
    (folder / "010.png").write_bytes(b"")
    return dataset_of_folder(folder)


def embedded_here(dataset: Dataset, folder: Path) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the images and mean colours of a dataset, embedded by this process."""
    store = Store(folder)
    extract_one(dataset, MeanColour(), store, shard_size=4)
    return store.read(dataset, MeanColour())


def assert_same(results: tuple[pd.DataFrame, np.ndarray], expected: tuple[pd.DataFrame, np.ndarray]) -> None:
    """Compare images and vectors from two stores."""
    assert results[0].equals(expected[0])
    np.testing.assert_array_equal(results[1], expected[1])
