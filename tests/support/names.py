"""A made-up dataset of one picture and a made-up text tower, for tests of names of taxa."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bioclip_probe import datasets
from bioclip_probe.datasets import Dataset
from bioclip_probe.encoders import Encoder
from bioclip_probe.store.shard_files import LEDGER
from bioclip_probe.store.store import Store
from bioclip_probe.tables import IMAGES, RANKS
from tests.support.pictures import MeanColour

MAGPIE = dict(
    zip(RANKS, ("Animalia", "Chordata", "Aves", "Passeriformes", "Corvidae", "Pica", "Pica hudsonia"), strict=True)
)


class LetterCounts(MeanColour):
    """An encoder whose vector of a text counts three letters. It remembers the texts."""

    has_text = True

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def encode_text(self, texts: Sequence[str]) -> np.ndarray:
        self.texts += texts
        return letter_counts(texts)


def letter_counts(texts: Sequence[str]) -> np.ndarray:
    """Return how often a, e and i occur in each text."""
    return np.array([[text.count(letter) for letter in "aei"] for text in texts], np.float32)


def one_magpie(**facts: str | None) -> Dataset:
    """Return a dataset of one picture of a magpie, with some facts about it changed."""
    row = {"image_id": "i0", "source": "0.png", "common": "black-billed magpie"} | MAGPIE | facts
    images = IMAGES.frame([row])
    return datasets.Dataset("few", images, print, datasets.fingerprint_of(images))


def store_with_pictures(store: Store, dataset: Dataset, encoder: Encoder) -> Store:
    """Return the store with some vector for every picture of the dataset."""
    with store.open_for_writing(dataset, encoder, shard_size=len(dataset)) as run:
        rows = [{"image_id": name, "row": i, "status": "ok"} for i, name in enumerate(dataset.images["image_id"])]
        run.write_shard(0, LEDGER.frame(rows), np.ones((len(rows), encoder.dimension)))
    return store
