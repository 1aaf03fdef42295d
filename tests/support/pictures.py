"""Made-up pictures and a made-up encoder, for tests of everything that handles files."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

# Folders of iNat21 val, as they are called there.
INAT21_FOLDERS = (
    "00000_Animalia_Annelida_Clitellata_Haplotaxida_Lumbricidae_Lumbricus_terrestris",
    "00050_Animalia_Arthropoda_Arachnida_Araneae_Araneidae_Zygiella_x-notata",
    "09987_Plantae_Tracheophyta_Polypodiopsida_Polypodiales_Pteridaceae_Pteris_vittata",
)


class MeanColour:
    """An encoder that needs no model: the mean of each colour, 0 to 1."""

    name = "mean/colour"
    dimension = 3
    has_text = False
    fingerprint = "0123456789ab"

    def __init__(self) -> None:
        self.record = {"id": "mean/colour", "family": "control", "precision": "fp32", "revision": None}
        self.batches: list[int] = []

    def preprocess(self, image: Image.Image) -> np.ndarray:
        return np.asarray(image, dtype=np.float32) / 255

    def collate(self, pictures: list) -> list:
        return list(pictures)

    def parity(self, pictures: list) -> None:
        return None

    def encode(self, batch: list) -> np.ndarray:
        self.batches.append(len(batch))
        return np.stack([picture.mean((0, 1)) for picture in batch])


def encode_picture(
    colour: tuple[int, int, int] = (200, 100, 50), kind: str = "PNG", size: tuple[int, int] = (8, 6)
) -> bytes:
    """Return the bytes of a small picture file of one colour."""
    content = io.BytesIO()
    Image.new("RGB", size, colour).save(content, kind)
    return content.getvalue()


def paint(path: Path, colour: tuple[int, int, int] = (200, 100, 50), size: tuple[int, int] = (8, 6)) -> Path:
    """A small picture of one colour at `path`, folders and all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)
    return path


def paint_many(folder: Path, number: int) -> list[str]:
    """`number` pictures of different colours; their names."""
    names = [f"{i:03d}.png" for i in range(number)]
    for i, name in enumerate(names):
        paint(folder / name, (i % 256, 255 - i % 256, 7 * i % 256))
    return names


def break_in_half(path: Path) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return path
