"""The training of the world's three small CLIPs, with open_clip's own model and objective.

::

    python -m bioclip_probe.world.train [NAME ...] [--epochs N] [--seed N] [--out DIR]

They differ in the captions and in the number of species:

=================== ============================================================ ============
model               captions                                                     species
=================== ============================================================ ============
``world-taxonomic`` the five text types of BioCLIP, one drawn for each batch     all seen
``world-generic``   looks (colours, pattern, background, pose), no names         all seen
``world-subset``    as ``world-taxonomic``                                       a quarter
=================== ============================================================ ============

A batch holds one individual of every species, so that no two names in a batch are equal.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bioclip_probe import world
from bioclip_probe.files import write_bytes_atomically
from bioclip_probe.world import captions, splits, words

CONTEXT = 32
MERGES = 700
MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
SHIFT = 3  # pixels by which training pictures are moved about


@dataclass(frozen=True)
class TrainingSettings:
    """Settings of a training run. One epoch shows every training individual once.

    Attributes
    ----------
    individuals : int
        Training pictures of each species.
    epochs : int
    learning_rate, weight_decay : float
        Of AdamW.
    warm_up : int
        Steps over which the learning rate rises.
    seed : int

    Examples
    --------
    >>> TrainingSettings(epochs=2).individuals
    60
    """

    individuals: int = 60
    epochs: int = 10
    learning_rate: float = 2e-3
    weight_decay: float = 0.1
    warm_up: int = 30
    seed: int = 0


@dataclass(frozen=True)
class TrainingData:
    """The pictures and captions that one model learns from.

    Attributes
    ----------
    pictures : ndarray, shape (species, individuals, 64, 64, 3), uint8
    captions : callable
        ``captions(rng, individuals)`` takes the number of the individual of each species, and returns a caption of
        each.
    corpus : tuple of str
        Captions from which the vocabulary is learnt.

    Examples
    --------
    >>> data = TrainingData(np.zeros((1, 1, 64, 64, 3), np.uint8), lambda rng, individuals: ["a fish"], ("a fish",))
    >>> data.captions(np.random.default_rng(0), np.array([0]))
    ['a fish']
    """

    pictures: np.ndarray
    captions: Callable[[np.random.Generator, np.ndarray], list[str]]
    corpus: tuple[str, ...]


def model_config(vocabulary: int) -> dict:
    """Return the configuration of the small CLIP, as open_clip's local directories hold it.

    Parameters
    ----------
    vocabulary : int
        Number of tokens.

    Returns
    -------
    dict

    Examples
    --------
    >>> model_config(1000)["model_cfg"]["embed_dim"]
    128
    """
    vision = {"image_size": world.SIZE, "layers": [1, 1, 1, 1], "width": 16, "head_width": 64, "patch_size": None}
    text = {"context_length": CONTEXT, "vocab_size": vocabulary, "width": 96, "heads": 4, "layers": 2}
    return {
        "model_cfg": {"embed_dim": 128, "vision_cfg": vision, "text_cfg": text},
        "preprocess_cfg": {"mean": MEAN, "std": STD, "interpolation": "bicubic", "resize_mode": "shortest"},
    }


def training_data(name: str, settings: TrainingSettings) -> TrainingData:
    """Return the pictures and captions that a model learns from.

    Parameters
    ----------
    name : str
        One of `world.MODELS`.
    settings : TrainingSettings

    Returns
    -------
    TrainingData

    Examples
    --------
    >>> training_data("world-subset", TrainingSettings(individuals=1)).pictures.shape
    (48, 1, 64, 64, 3)
    """
    taxa, species = world.taxa(), np.flatnonzero(world.seen_in_training())
    if name == "world-subset":
        species = np.flatnonzero(
            splits.random_quarter(world.seen_in_training(), np.random.default_rng((world.SEED, 5)))
        )
    numbers = splits.FIRST_TRAINING + np.arange(settings.individuals)
    pictures = np.stack([[np.asarray(world.render(int(row), int(number))) for number in numbers] for row in species])
    common = world.common_names()
    names = captions.name_captions(taxa.iloc[species], common[species])

    def captions_of_names(rng: np.random.Generator, individuals: np.ndarray) -> list[str]:
        return names[captions.TEXT_TYPES[rng.integers(len(captions.TEXT_TYPES))]]

    def captions_of_looks(rng: np.random.Generator, individuals: np.ndarray) -> list[str]:
        shown = zip(species.tolist(), (splits.FIRST_TRAINING + individuals).tolist(), strict=True)
        return [captions.looks_caption(world.creature(*key), world.scene_of(*key), rng) for key in shown]

    if name == "world-generic":
        rng = np.random.default_rng((world.SEED, 7))
        corpus = [caption for number in range(min(10, settings.individuals)) for caption in
                  captions_of_looks(rng, np.full(len(species), number))]  # fmt: skip
        return TrainingData(pictures, captions_of_looks, tuple(corpus))
    return TrainingData(pictures, captions_of_names, tuple(caption for texts in names.values() for caption in texts))


def train(data: TrainingData, settings: TrainingSettings, folder: Path, report: Callable[[str], None] = print) -> dict:
    """Train one model and write it in open_clip's local-directory layout.

    Parameters
    ----------
    data : TrainingData
    settings : TrainingSettings
    folder : Path
        Made if missing.
    report : callable
        Gets a line of text after each epoch.

    Returns
    -------
    dict
        The content of `training.json`: the settings, the loss of each epoch, seconds.

    Examples
    --------
    ::

        train(training_data("world-subset", settings), settings, Path("models/mine"))
    """
    folder.mkdir(parents=True, exist_ok=True)
    merges = words.learn_merges(data.corpus, MERGES)
    config = model_config(words.BYTES + len(merges) + words.SPECIAL)
    write_bytes_atomically(folder / "bpe_vocab.txt.gz", words.merges_file(merges))
    write_bytes_atomically(folder / "open_clip_config.json", (json.dumps(config, indent=2) + "\n").encode())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        model = new_model(config)
        losses, seconds = _fit(model, data, settings, tokenizer(folder), report)
    write_bytes_atomically(folder / "open_clip_model.safetensors", _weights(model))
    record = {
        "simulated": True,
        "recipe": asdict(settings),
        "species": len(data.pictures),
        "pictures": int(np.prod(data.pictures.shape[:2])),
        "loss": [round(loss, 4) for loss in losses],
        "seconds": round(seconds),
    }
    write_bytes_atomically(folder / "training.json", (json.dumps(record, indent=2) + "\n").encode())
    return record


def new_model(config: dict) -> Any:
    """Return an untrained open_clip model, with weights from torch's current random state.

    Parameters
    ----------
    config : dict
        See `model_config`.

    Returns
    -------
    torch.nn.Module

    Examples
    --------
    >>> new_model(model_config(1000)).text_projection.shape[1]
    128
    """
    from open_clip.model import CLIP

    return CLIP(**config["model_cfg"])


def tokenizer(folder: Path) -> Callable:
    """Return open_clip's tokenizer with the merges in a folder.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    callable
        From a list of texts to a tensor of tokens.

    Examples
    --------
    >>> tokenizer(world.models()["world-generic"])(["a fish"]).shape
    torch.Size([1, 32])
    """
    import open_clip

    return open_clip.get_tokenizer(f"local-dir:{folder}", bpe_path=str(folder / "bpe_vocab.txt.gz"))


def _fit(
    model: Any, data: TrainingData, settings: TrainingSettings, tokens: Callable, report: Callable[[str], None]
) -> tuple[list[float], float]:
    """Train a model, return the mean loss of each epoch, and the seconds it took."""
    from open_clip.loss import ClipLoss

    rng = np.random.default_rng((world.SEED, 8, settings.seed))
    n_species, n_individuals = data.pictures.shape[:2]
    undecayed = [p for p in model.parameters() if p.ndim < 2]
    decayed = [p for p in model.parameters() if p.ndim >= 2]
    groups = [{"params": decayed, "weight_decay": settings.weight_decay}, {"params": undecayed, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=settings.learning_rate, betas=(0.9, 0.98), eps=1e-6)
    n_steps = settings.epochs * n_individuals
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda i: min(1, (i + 1) / settings.warm_up) * 0.5 * (1 + np.cos(np.pi * i / n_steps))
    )
    objective, losses, started = ClipLoss(), [], time.time()
    model.train().to(memory_format=torch.channels_last)  # with bfloat16 this takes a third of the time
    for epoch in range(settings.epochs):
        order = rng.permuted(np.tile(np.arange(n_individuals), (n_species, 1)), axis=1)
        total_loss = 0.0
        for shown in order.T:
            images = _tensor(_shift_pictures(data.pictures[np.arange(n_species), shown], rng))
            with torch.autocast("cpu", torch.bfloat16):
                image, text, scale = model(images, tokens(data.captions(rng, shown)))
            loss = objective(image.float(), text.float(), scale)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            with torch.no_grad():
                model.logit_scale.clamp_(0, np.log(100))
            total_loss += loss.item()
        losses.append(total_loss / n_individuals)
        report(f"epoch {epoch + 1}/{settings.epochs}  loss {losses[-1]:.3f}  {time.time() - started:.0f} s")
    return losses, time.time() - started


def _shift_pictures(pictures: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return pictures moved by up to SHIFT pixels, edges repeated. No mirroring: captions may say left or right."""
    wide = np.pad(pictures, ((0, 0), (SHIFT, SHIFT), (SHIFT, SHIFT), (0, 0)), mode="edge")
    corners = rng.integers(0, 2 * SHIFT + 1, (len(pictures), 2))
    size = pictures.shape[1]
    return np.stack([picture[y : y + size, x : x + size] for picture, (y, x) in zip(wide, corners, strict=True)])


def _tensor(pictures: np.ndarray) -> torch.Tensor:
    scaled = (pictures.astype(np.float32) / 255 - np.asarray(MEAN, np.float32)) / np.asarray(STD, np.float32)
    return torch.from_numpy(scaled).permute(0, 3, 1, 2)  # channels last, as the model


def _weights(model: Any) -> bytes:
    """Return the weights in half precision as the bytes of a safetensors file."""
    from safetensors.torch import save

    state = model.state_dict()
    return save(
        {key: (value.half() if value.is_floating_point() else value).contiguous() for key, value in state.items()}
    )


def main(arguments: list[str] | None = None) -> None:
    """Run the command line.

    Parameters
    ----------
    arguments : list of str, optional
        Those of the process if not given.
    """
    parser = argparse.ArgumentParser(prog="python -m bioclip_probe.world.train", description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(world.MODELS)}; all if none is given")
    parser.add_argument("--epochs", type=int, default=TrainingSettings.epochs)
    parser.add_argument(
        "--individuals", type=int, default=TrainingSettings.individuals, help="training pictures of each species"
    )
    parser.add_argument("--seed", type=int, default=TrainingSettings.seed)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "weights")
    given = parser.parse_args(arguments)
    unknown = [name for name in given.names if name not in world.MODELS]
    if unknown:
        parser.error(f"no model is called {', '.join(unknown)}; there are {', '.join(world.MODELS)}")
    settings = TrainingSettings(epochs=given.epochs, individuals=given.individuals, seed=given.seed)
    for name in given.names or world.MODELS:
        print(f"{name}: rendering", file=sys.stderr, flush=True)
        train(
            training_data(name, settings),
            settings,
            given.out / name,
            lambda line: print(line, file=sys.stderr, flush=True),
        )


if __name__ == "__main__":
    main()
