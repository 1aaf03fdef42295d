"""Geometries of encoders in a study: the distances that are measured are those of the encoder."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torchvision import transforms

from bioclip_probe import datasets, encoders
from bioclip_probe.errors import DataError, ProbeError
from bioclip_probe.extraction.settings import ExtractionSettings
from bioclip_probe.stats.geometry import hyperbolic_distances
from bioclip_probe.store.store import Store
from bioclip_probe.study import collecting
from bioclip_probe.study.collecting import collect
from bioclip_probe.study.streaming import stream_moments

QUIET = ExtractionSettings(progress=False, workers=1)
STEPS = transforms.Compose([transforms.Resize((2, 2)), transforms.ToTensor()])


class Scaled(torch.nn.Module):
    """Three times the pixels: vectors of very different lengths."""

    def forward(self, batch):
        return 3 * batch.flatten(1)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for number in range(8):
        pixels = rng.integers(0, 30 * (number + 1), (2, 2, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((8, 8), Image.Resampling.NEAREST).save(folder / f"{number}.png")
    rows = {"path": [f"{number}.png" for number in range(8)], "genus": ["Pica", "Corvus"] * 4}
    pd.DataFrame(rows).to_csv(folder / "in.csv", index=False)
    return folder / "in.csv"


def distances_of(table, geometry):
    encoder = encoders.from_module(Scaled(), STEPS, f"scaled-{geometry}", geometry=geometry)
    names = [f"module:scaled-{geometry}"]
    sample = collect(f"table:{table}", names, table.parent / "store", settings=QUIET)
    pictures = [encoder.preprocess(Image.open(table.parent / source)) for source in sample.images["source"]]
    (embeddings,) = sample.embeddings.values()
    vectors = embeddings.vectors.astype(float)
    measured = ((vectors[:, None] - vectors[None]) ** 2).sum(axis=2) / 2
    return measured, encoder.encode(pictures).astype(float), sample


def test_euclidean_and_hyperbolic_distances_are_measured_as_they_are(table):
    cosine, x, _ = distances_of(table, "cosine")
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    np.testing.assert_allclose(cosine, 1 - unit @ unit.T, atol=1e-5)
    digests = set()
    for geometry, expected in (
        ("euclidean", ((x[:, None] - x[None]) ** 2).sum(axis=2)),
        ("lorentz", hyperbolic_distances(x, x)),
    ):
        measured, _, sample = distances_of(table, geometry)
        np.testing.assert_allclose(measured / measured.max(), expected / expected.max(), atol=0.005)
        assert sample.record["encoders"][0]["geometry"] == geometry
        digests |= set(sample.digests.values())
    assert len(digests) == 2  # finished work is not used again for another geometry


def test_a_note_says_that_many_hyperbolic_distances_are_computed_from_some(table, monkeypatch):
    monkeypatch.setattr(collecting, "N_LANDMARKS", 7)
    notes = distances_of(table, "lorentz")[2].record["dataset"]["notes"]
    assert any(
        "hyperbolic distances of 'scaled-lorentz' are computed from 7 of its 8 vectors" in note for note in notes
    )
    notes = distances_of(table, "euclidean")[2].record["dataset"]["notes"]
    assert not any("hyperbolic" in note for note in notes)


def test_a_file_of_vectors_says_how_they_are_compared(tmp_path):
    points = np.random.default_rng(0).normal(size=(6, 3))
    arrays = {"ids": [*"abcdef"], "genus": ["Pica", "Corvus"] * 3, "vectors": points}
    np.savez(tmp_path / "curved.npz", **arrays, bioclip_probe='{"geometry": "lorentz"}')
    name = f"vectors:{tmp_path / 'curved.npz'}"
    (embeddings,) = collect(name, [name], tmp_path / "store", settings=QUIET).embeddings.values()
    vectors = embeddings.vectors.astype(float)
    measured = ((vectors[:, None] - vectors[None]) ** 2).sum(axis=2)
    expected = hyperbolic_distances(points, points)
    np.testing.assert_allclose(measured / measured.max(), expected / expected.max(), atol=0.005)
    np.savez(tmp_path / "odd.npz", **arrays, bioclip_probe='{"geometry": "poincare"}')
    with pytest.raises(ProbeError, match="unknown geometry 'poincare'"):
        collect(
            f"vectors:{tmp_path / 'odd.npz'}", [f"vectors:{tmp_path / 'odd.npz'}"], tmp_path / "store", settings=QUIET
        )


def test_moments_of_another_geometry_are_not_streamed(table):
    _, _, sample = distances_of(table, "lorentz")
    store = Store(table.parent / "store")
    (name,) = sample.embeddings
    fingerprint = sample.record["encoders"][0]["fingerprint"]
    with pytest.raises(DataError, match="its vectors are compared as lorentz, which needs all of them at once"):
        stream_moments(store, datasets.load(f"table:{table}"), f"{name}@{fingerprint}", sample.placement)
