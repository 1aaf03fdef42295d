"""What the world's models learned, in a few plain numbers (*simulated*).

    python -m bioclip_probe.world.contrast

Over the evaluation pictures of all, seen and unseen species: the correlation (Pearson) of tree distance, the number
of ranks below the last common ancestor, with the cosine distance of species centroids (CPCC), and how often a
picture's nearest other picture shows the same species, genus, family or order. The nearest picture is sought among
all pictures, so also unseen species are told from seen ones. This is a check of the world by itself; the metrics of
the package are elsewhere.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image

from bioclip_probe import world
from bioclip_probe.tables import RANKS
from bioclip_probe.world.splits import EVALUATION
from bioclip_probe.world.train import new_model, tokenizer

_NEIGHBOUR_RANKS = ("species", "genus", "family", "order")


def rank_distances(taxa: pd.DataFrame) -> np.ndarray:
    """(n, n) int64: the number of ranks below the last common ancestor of each two species."""
    codes = np.stack([pd.factorize(taxa[rank])[0] for rank in RANKS], axis=1)
    return (codes[:, None, :] != codes[None, :, :]).sum(axis=2)


def figures(vectors: np.ndarray, kinds: np.ndarray, taxa: pd.DataFrame, chosen: np.ndarray) -> dict[str, float]:
    """CPCC and nearest-neighbour purity of the `chosen` species.

    Parameters
    ----------
    vectors : (n, d) float, any length
    kinds : (n,) int64, the row of each picture's species in `taxa`
    chosen : (species,) bool
    """
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    present = np.flatnonzero(chosen & np.isin(np.arange(len(taxa)), kinds))
    centroids = np.stack([unit[kinds == kind].mean(axis=0) for kind in present])
    centroids /= np.linalg.norm(centroids, axis=1, keepdims=True)
    pairs = np.triu_indices(len(present), 1)
    apart = rank_distances(taxa.iloc[present])[pairs]
    numbers = {"cpcc": np.corrcoef(apart, (1 - centroids @ centroids.T)[pairs])[0, 1]}
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -np.inf)
    nearest, asked = kinds[cosines.argmax(axis=1)], chosen[kinds]
    for rank in _NEIGHBOUR_RANKS:
        names = taxa[rank].to_numpy()
        numbers[rank] = float((names[nearest] == names[kinds])[asked].mean())
    return numbers


def embed(model: torch.nn.Module, preprocess, pictures: list[Image.Image]) -> np.ndarray:
    """(n, d) float32: what the model's image tower gives."""
    model.eval()
    with torch.inference_mode():
        batches = torch.stack([preprocess(picture) for picture in pictures]).split(256)
        return torch.cat([model.encode_image(batch) for batch in batches]).numpy()


def load(folder: Path) -> tuple:
    """A model of the world through open_clip's local-directory path: (model, preprocess, tokenizer)."""
    import open_clip

    model, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    return model, preprocess, tokenizer(folder)


def untrained(folder: Path) -> torch.nn.Module:
    """A model of the same architecture as the one in `folder`, with seeded random weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return new_model(json.loads((folder / "open_clip_config.json").read_text()))


def table(folders: dict[str, Path], numbers=EVALUATION, kinds=None) -> pd.DataFrame:
    """CPCC and purity of the models in `folders`, of an untrained one, and of the pixels.

    `kinds` are the species shown (default: all) by the individuals in `numbers`. One row an encoder and split.
    """
    taxa, seen = world.taxa(), world.seen()
    shown = [(kind, number) for kind in (range(len(taxa)) if kinds is None else kinds) for number in numbers]
    pictures, labels = [world.render(*one) for one in shown], np.array([kind for kind, _ in shown])
    vectors = {}
    for name, folder in folders.items():
        model, preprocess, _ = load(folder)
        vectors[name] = embed(model, preprocess, pictures)
    vectors["untrained"] = embed(untrained(folder), preprocess, pictures)
    vectors["pixels"] = np.stack([np.asarray(picture, np.float64).ravel() for picture in pictures])
    splits = {"all": np.ones(len(taxa), bool), "seen": seen, "unseen": ~seen}
    return pd.DataFrame(
        {"encoder": name, "split": split, **figures(vectors[name], labels, taxa, chosen)}
        for name in vectors
        for split, chosen in splits.items()
    )


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bioclip_probe.world.contrast", description=__doc__.split("\n")[0])
    parser.add_argument("--weights", type=Path, help="folder of the models' folders (default: those of the package)")
    weights = parser.parse_args(arguments).weights
    folders = world.models() if weights is None else {name: weights / name for name in world.MODELS}
    present = {name: folder for name, folder in folders.items() if (folder / "open_clip_model.safetensors").is_file()}
    print("simulated; cpcc, then the share of pictures whose nearest other picture is of the same species, genus …")
    print(table(present).to_string(index=False, float_format="{:.3f}".format))


if __name__ == "__main__":
    main()
