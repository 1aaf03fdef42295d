"""A check of the world's models by a few plain numbers (*simulated*).

::

    python -m bioclip_probe.world.contrast

The command prints, over the evaluation pictures of all, seen and unseen species, the correlation (Pearson) of tree
distance, the number of ranks below the last common ancestor, with the cosine distance of species centroids (CPCC), and
how often the nearest other picture of a picture shows the same species, genus, family or order. The nearest picture is
sought among all pictures, so that an unseen species competes with the seen ones. The metrics of the package are in
`bioclip_probe.metrics`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

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
    """Return the number of ranks below the last common ancestor of every two species.

    Parameters
    ----------
    taxa : DataFrame
        n species, columns `tables.RANKS`.

    Returns
    -------
    ndarray, shape (n, n), int64
        0 to 7.

    Examples
    --------
    >>> rank_distances(world.taxa().iloc[:2])[0].tolist()
    [0, 1]
    """
    codes = np.stack([pd.factorize(taxa[rank])[0] for rank in RANKS], axis=1)
    return (codes[:, None, :] != codes[None, :, :]).sum(axis=2)


def cpcc_and_purity(
    vectors: np.ndarray, labels: np.ndarray, taxa: pd.DataFrame, chosen: np.ndarray
) -> dict[str, float]:
    """Return CPCC and nearest-neighbour purity of some species.

    Parameters
    ----------
    vectors : ndarray, shape (n, d), float
        Of any length; they are normalised here.
    labels : ndarray, shape (n,), int64
        Row of each picture's species in `taxa`.
    taxa : DataFrame
        One row a species, columns `tables.RANKS`.
    chosen : ndarray, shape (species,), bool
        The species that enter.

    Returns
    -------
    dict from str to float
        ``cpcc`` in [-1, 1], and for each of four ranks the share of pictures whose nearest other picture is of the same
        taxon, in [0, 1].

    Examples
    --------
    >>> taxa = world.taxa().iloc[[0, 1, 120]]
    >>> vectors = np.array([[1, 0], [1, 0.1], [0, 1], [0.1, 1], [-1, 0], [-1, 0.1]])
    >>> cpcc_and_purity(vectors, np.array([0, 0, 1, 1, 2, 2]), taxa, np.ones(3, bool))["species"]
    1.0
    """
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    present = np.flatnonzero(chosen & np.isin(np.arange(len(taxa)), labels))
    centroids = np.stack([unit[labels == row].mean(axis=0) for row in present])
    centroids /= np.linalg.norm(centroids, axis=1, keepdims=True)
    pairs = np.triu_indices(len(present), 1)
    apart = rank_distances(taxa.iloc[present])[pairs]
    numbers = {"cpcc": np.corrcoef(apart, (1 - centroids @ centroids.T)[pairs])[0, 1]}
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -np.inf)
    nearest, entering = labels[cosines.argmax(axis=1)], chosen[labels]
    for rank in _NEIGHBOUR_RANKS:
        names = taxa[rank].to_numpy()
        numbers[rank] = float((names[nearest] == names[labels])[entering].mean())
    return numbers


def embed(model: Any, preprocess: Callable, pictures: list[Image.Image]) -> np.ndarray:
    """Return the vectors that the image tower of a model gives.

    Parameters
    ----------
    model : torch.nn.Module
    preprocess : callable
        From a picture to a tensor.
    pictures : list of PIL.Image.Image

    Returns
    -------
    ndarray, shape (n, d), float32

    Examples
    --------
    >>> model, preprocess, _ = load_model(world.models()["world-generic"])
    >>> embed(model, preprocess, [world.render(0, 0)]).shape
    (1, 128)
    """
    model.eval()
    with torch.inference_mode():
        batches = torch.stack([preprocess(picture) for picture in pictures]).split(256)
        return torch.cat([model.encode_image(batch) for batch in batches]).numpy()


def load_model(folder: Path) -> tuple[Any, Callable, Callable]:
    """Load a model of the world through open_clip's local-directory path.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    model : torch.nn.Module
    preprocess : callable
    tokenizer : callable

    Examples
    --------
    >>> model, _, _ = load_model(world.models()["world-generic"])
    >>> model.logit_scale.item() > 0
    True
    """
    import open_clip

    model, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    return model, preprocess, tokenizer(folder)


def untrained_model(folder: Path) -> Any:
    """Return a model of the same architecture as the one in a folder, with seeded random weights.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    torch.nn.Module

    Examples
    --------
    >>> model = untrained_model(world.models()["world-generic"])
    >>> round(sum(parameter.numel() for parameter in model.parameters()) / 1e6, 1)
    1.7
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return new_model(json.loads((folder / "open_clip_config.json").read_text()))


def table(
    folders: dict[str, Path], numbers: Iterable[int] = EVALUATION, species: Iterable[int] | None = None
) -> pd.DataFrame:
    """Return CPCC and purity of models, of an untrained one, and of the pixels.

    Parameters
    ----------
    folders : dict from str to Path
        Name and folder of each model.
    numbers : iterable of int
        Individuals of each species.
    species : iterable of int, optional
        Rows of the species in `world.taxa`; all if not given.

    Returns
    -------
    DataFrame
        One row an encoder and split: encoder, split, cpcc, species, genus, family, order.

    Examples
    --------
    >>> models = {"world-generic": world.models()["world-generic"]}
    >>> table(models, numbers=[0], species=range(0, 240, 12))["encoder"].unique().tolist()
    ['world-generic', 'untrained', 'pixels']
    """
    taxa, seen = world.taxa(), world.seen_in_training()
    numbers = tuple(numbers)
    shown = [(row, number) for row in (range(len(taxa)) if species is None else species) for number in numbers]
    pictures, labels = [world.render(*individual) for individual in shown], np.array([row for row, _ in shown])
    vectors = {}
    for name, folder in folders.items():
        model, preprocess, _ = load_model(folder)
        vectors[name] = embed(model, preprocess, pictures)
    vectors["untrained"] = embed(untrained_model(folder), preprocess, pictures)
    vectors["pixels"] = np.stack([np.asarray(picture, np.float64).ravel() for picture in pictures])
    splits = {"all": np.ones(len(taxa), bool), "seen": seen, "unseen": ~seen}
    return pd.DataFrame(
        {"encoder": name, "split": split, **cpcc_and_purity(vectors[name], labels, taxa, chosen)}
        for name in vectors
        for split, chosen in splits.items()
    )


def main(arguments: list[str] | None = None) -> None:
    """Run the command line.

    Parameters
    ----------
    arguments : list of str, optional
        Those of the process if not given.
    """
    parser = argparse.ArgumentParser(prog="python -m bioclip_probe.world.contrast", description=__doc__.split("\n")[0])
    parser.add_argument("--weights", type=Path, help="folder of the models' folders (default: those of the package)")
    weights = parser.parse_args(arguments).weights
    folders = world.models() if weights is None else {name: weights / name for name in world.MODELS}
    present = {name: folder for name, folder in folders.items() if (folder / "open_clip_model.safetensors").is_file()}
    print("simulated; cpcc, then the share of pictures whose nearest other picture is of the same species, genus …")
    print(table(present).to_string(index=False, float_format="{:.3f}".format))


if __name__ == "__main__":
    main()
